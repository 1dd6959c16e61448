package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/postgres"
)

func execute(t *testing.T, c *pgx.Conn, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := c.Exec(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// always is a group that writes one entry whatever is there.
func always(key string) driver.Group {
	return driver.Group{Batches: []driver.Batch{{ID: newID(), Writes: []driver.Write{{Key: key, Mode: driver.Always, Value: []byte("x")}}}}}
}

// creation is a group that creates one entry.
func creation(key string) driver.Group {
	return driver.Group{Batches: []driver.Batch{{ID: newID(), Writes: []driver.Write{{Key: key, Value: []byte("x")}}}}}
}

// recent returns the ids of an entry's last versions.
func recent(t *testing.T, db *postgres.DB, key string) []driver.Version {
	t.Helper()
	s, err := db.Read(context.Background(), key)
	if err != nil {
		t.Fatalf("Read(%q): %v", key, err)
	}
	return s.Entries[0].Recent
}

func TestServerInTrouble(t *testing.T) {
	c := pgtest.Start(t)
	db := open(t, c.URL(), nil)
	put(t, db, map[string]string{"k": "v"})

	t.Run("AKilledServerIsUnavailableAndThenBack", func(t *testing.T) {
		c.Kill()
		for _, g := range []driver.Group{always("k"), {Batches: always("k").Batches, Urgent: true}} {
			if out, err := db.Commit(t.Context(), g); !errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("Commit, urgent %v = %v, %v, want ErrUnavailable", g.Urgent, out, err)
			}
		}
		if _, err := db.Read(t.Context(), "k"); !errors.Is(err, driver.ErrUnavailable) {
			t.Errorf("Read: %v, want ErrUnavailable", err)
		}
		c.Restart()
		for _, urgent := range []bool{false, true} {
			g := always("k")
			g.Urgent = urgent
			if _, err := db.Commit(t.Context(), g); err != nil {
				t.Errorf("Commit after the restart, urgent %v: %v", urgent, err)
			}
		}
		if got := recent(t, db, "k"); len(got) < 2 {
			t.Errorf("Recent = %v, want what was committed", got)
		}
	})
	t.Run("APausedServerIsUnavailableWhenTheContextEnds", func(t *testing.T) {
		c.Pause()
		cause := errors.New("out of patience")
		ctx, give := context.WithCancelCause(t.Context())
		answered := make(chan error, 1)
		go func() {
			_, err := db.Commit(ctx, always("k"))
			answered <- err
		}()
		give(cause)
		if err := <-answered; !errors.Is(err, driver.ErrUnavailable) || !errors.Is(err, cause) {
			t.Errorf("Commit: %v, want ErrUnavailable and the cause", err)
		}
		c.Resume()
		put(t, db, map[string]string{"k": "again"})
	})
	t.Run("AServerThatBecomesReadOnlyIsErrReadOnlyUntilItIsNot", func(t *testing.T) {
		tool := connect(t, c.URL())
		execute(t, tool, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
		t.Cleanup(func() {
			execute(t, tool, "SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
			for writable := false; !writable; {
				if _, err := db.Commit(context.Background(), always("k")); err == nil {
					writable = true
				} else if !errors.Is(err, driver.ErrReadOnly) {
					t.Fatalf("Commit after the server was writable again: %v", err)
				}
			}
		})
		// The server's processes read their settings in their own time.
		for err := error(nil); !errors.Is(err, driver.ErrReadOnly); {
			if _, err = db.Commit(t.Context(), always("k")); err != nil && !errors.Is(err, driver.ErrReadOnly) {
				t.Fatalf("Commit: %v, want ErrReadOnly", err)
			}
		}
		if _, err := db.Read(t.Context(), "k"); err != nil && !errors.Is(err, driver.ErrReadOnly) {
			t.Errorf("Read: %v", err)
		}
	})
	t.Run("ACommitThatMayNotHaveReachedTheReplicaIsUnavailable", func(t *testing.T) {
		tool := connect(t, c.URL())
		execute(t, tool, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
		var g driver.Group
		var key string
		var err error
		// The setting reaches a commit a moment later: until then commits wait for
		// nobody. Who waits for a replica is interrupted as a time-out interrupts it. The
		// server then says in a warning that the commit may not have got there.
		for n := 0; err == nil && n < 10_000; n++ {
			key = fmt.Sprintf("doubt/%d", n)
			g = creation(key)
			answered := make(chan error, 1)
			go func() {
				_, err := db.Commit(context.Background(), g)
				answered <- err
			}()
			for waiting := true; waiting; {
				select {
				case err = <-answered:
					waiting = false
				default:
					execute(t, tool, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
				}
			}
		}
		execute(t, tool, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
		if !errors.Is(err, driver.ErrUnavailable) {
			t.Fatalf("Commit: %v, want ErrUnavailable", err)
		}
		if got := recent(t, db, key); !slices.Contains(got, g.Batches[0].ID) {
			t.Errorf("Recent = %v, want the commit that was in doubt", got)
		}
		out, err := db.Commit(t.Context(), g)
		if err != nil || len(out[0].Refused) != 1 || !slices.Contains(out[0].Refused[0].Recent, g.Batches[0].ID) {
			t.Errorf("the same commit again = %v, %v, want it refused by itself", out, err)
		}
	})
}

// TestLongSnapshot shows what someone else's transaction that stays open, such as
// a backup's, means: it sees the past, commits go on, and an append does not
// rewrite the lease that it checks, so that no trail of dead rows grows under it.
// The trail that saves leave is not walked: however many there were, the next
// save and the next read look at as many pages as the first.
func TestLongSnapshot(t *testing.T) {
	url := pgtest.URL(t)
	db := open(t, url, nil)
	put(t, db, map[string]string{"player/1": "before", "~lease/1": "lease"})
	lease := recent(t, db, "~lease/1")[0]
	old := connect(t, url)
	execute(t, old, "BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT 1 FROM holdfast.entries")
	place := func() (at string) {
		if err := connect(t, url).QueryRow(t.Context(), "SELECT ctid::text FROM holdfast.entries WHERE key = '~lease/1'").Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	before := place()
	v := recent(t, db, "player/1")[0]
	saving, reading := buffers(t, db, v)
	long := func(i int) []byte { return fmt.Appendf(nil, "%2000d", i) } // a few to a page
	for i := range 300 {
		id := newID()
		g := driver.Group{Batches: []driver.Batch{
			{ID: id, Writes: []driver.Write{{Key: "player/1", Version: v, Value: long(i)}}},
		}}
		append := driver.Group{Urgent: true, Batches: []driver.Batch{{
			ID: newID(), Checks: []driver.Check{{Key: "~lease/1", Version: lease}},
			Writes: []driver.Write{{Key: fmt.Sprintf("~journal/1/%d", i), Value: []byte("record")}},
		}}}
		for _, g := range []driver.Group{g, append} {
			if out, err := db.Commit(t.Context(), g); err != nil || len(out[0].Refused) > 0 {
				t.Fatalf("Commit %d = %v, %v", i, out, err)
			}
		}
		v = id
	}
	if s, r := buffers(t, db, v); s > saving+spare || r > reading+spare {
		t.Errorf("a save looks at %d pages and a read at %d, after 300 saves; at first %d and %d", s, r, saving, reading)
	}
	if after := place(); after != before {
		t.Errorf("appends moved the lease's row from %s to %s", before, after)
	}
	var value []byte
	if err := old.QueryRow(t.Context(), "SELECT value FROM holdfast.entries WHERE key = 'player/1'").Scan(&value); err != nil || string(value) != "before" {
		t.Errorf("the snapshot sees %q, %v, want %q", value, err, "before")
	}
	if s, err := db.Read(t.Context(), "player/1"); err != nil || string(s.Entries[0].Value) != string(long(299)) {
		t.Errorf("Read = %v, %v, want the last value", s.Entries, err)
	}
}

// spare is how many pages more a statement may look at because the index has
// grown by a level, and a new row went to another page.
const spare = 12

// buffers returns how many pages a save and a read of player/1 look at.
func buffers(t *testing.T, db *postgres.DB, v driver.Version) (saving, reading int) {
	t.Helper()
	g := driver.Group{Batches: []driver.Batch{{ID: newID(), Writes: []driver.Write{{Key: "player/1", Version: v, Value: []byte("x")}}}}}
	saving, err := db.CommitBuffers(t.Context(), g)
	if err != nil {
		t.Fatalf("buffers of a save: %v", err)
	}
	reading, err = db.ReadBuffers(t.Context(), "player/1")
	if err != nil {
		t.Fatalf("buffers of a read: %v", err)
	}
	return saving, reading
}

// TestContendedAlways shows that writes which ask for nothing all get through,
// however many meet on one entry.
func TestContendedAlways(t *testing.T) {
	db := open(t, pgtest.URL(t), nil)
	const writers = 16
	errs := make(chan error, writers)
	var ids []driver.Version
	for range writers {
		g := always("k")
		ids = append(ids, g.Batches[0].ID)
		go func() {
			var err error
			for err = driver.ErrUnavailable; errors.Is(err, driver.ErrUnavailable) && t.Context().Err() == nil; {
				_, err = db.Commit(t.Context(), g)
			}
			errs <- err
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			t.Errorf("Commit: %v", err)
		}
	}
	got := recent(t, db, "k")
	for _, id := range ids {
		if !slices.Contains(got, id) {
			t.Errorf("version %v is not among the last %d", id, len(got))
		}
	}
}

// TestLargeGroup shows that values beyond what one argument of a statement can
// carry travel in several, and apply as one.
func TestLargeGroup(t *testing.T) {
	db := open(t, pgtest.URL(t), nil)
	noise := make([]byte, 40<<20)
	for i := range noise {
		noise[i] = byte(i * i >> 7 * (i >> 3))
	}
	var g driver.Group
	for i := range 3 {
		g.Batches = append(g.Batches, driver.Batch{ID: newID(), Writes: []driver.Write{{Key: fmt.Sprintf("k/%d", i), Value: noise}}})
	}
	for step := range 2 {
		out, err := db.Commit(t.Context(), g)
		if err != nil {
			t.Fatalf("Commit %d: %v", step, err)
		}
		for i := range g.Batches {
			if len(out[i].Refused) > 0 || out[i].Updated != out[0].Updated {
				t.Errorf("outcome %d of commit %d = %+v, want applied at %v", i, step, out[i], out[0].Updated)
			}
			b := &g.Batches[i]
			b.Writes[0].Version, b.ID = b.ID, newID()
		}
	}
}
