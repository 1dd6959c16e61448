package postgres_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/postgres"
)

// TestMeeting makes a commit meet another transaction that has done its work and
// not ended: there is no luck in who comes first.
func TestMeeting(t *testing.T) {
	for _, isolation := range []postgres.Isolation{postgres.ReadCommitted, postgres.Serializable} {
		t.Run(string(isolation), func(t *testing.T) { meetings(t, isolation) })
	}
}

// meeting is a database and another's connection to it.
type meeting struct {
	*testing.T
	db      *postgres.DB
	other   *pgx.Conn
	watcher *pgx.Conn
}

// Statements of the other, on an entry as the driver has it.
const (
	moves   = `UPDATE holdfast.entries SET version = '\x00000000000000000000000000000001' WHERE key = $1`
	deletes = `WITH deleted AS (DELETE FROM holdfast.entries WHERE key = $1) DELETE FROM holdfast.keys WHERE key = $1`
	creates = `WITH taken AS (INSERT INTO holdfast.keys VALUES ($1))
		INSERT INTO holdfast.entries (key, version, recent, number, format, sum, created, updated, marked, size, packed, value)
		VALUES ($1, '\x00000000000000000000000000000002', '', 1, 1, 0, now(), now(), false, 0, 0, '')`
	touches = `SELECT 1 FROM holdfast.entries WHERE key = $1 FOR UPDATE`
)

func meetings(t *testing.T, isolation postgres.Isolation) {
	url := pgtest.URL(t)
	m := &meeting{T: t, db: open(t, url, &postgres.Options{Isolation: isolation}), other: connect(t, url), watcher: connect(t, url)}
	write := func(key string, v driver.Version) driver.Batch {
		return driver.Batch{ID: newID(), Writes: []driver.Write{{Key: key, Version: v, Value: []byte("x")}}}
	}
	n := 0
	for _, c := range []struct {
		fact    string
		there   bool // the entry exists before
		other   string
		end     string
		batch   func(key string, v driver.Version) driver.Batch
		refused bool
	}{
		{"ASaveIsRefusedAfterAMove", true, moves, "COMMIT", write, true},
		{"ASaveIsRefusedAfterADeletion", true, deletes, "COMMIT", write, true},
		{"ASaveIsAppliedWhenTheMoveIsTakenBack", true, moves, "ROLLBACK", write, false},
		{"ASaveIsAppliedAfterALook", true, touches, "COMMIT", write, false},
		{"ACreationIsRefusedAfterAnother", false, creates, "COMMIT", write, true},
		{"ACreationIsAppliedWhenTheOtherIsTakenBack", false, creates, "ROLLBACK", write, false},
		{"ACheckIsRefusedAfterAMove", true, moves, "COMMIT", checking, true},
		{"ACheckIsRefusedAfterADeletion", true, deletes, "COMMIT", checking, true},
		{"ACheckHoldsWhenTheMoveIsTakenBack", true, moves, "ROLLBACK", checking, false},
		{"ACheckOfAbsenceIsRefusedAfterACreation", false, creates, "COMMIT", checking, true},
		{"ACheckOfAbsenceHoldsWhenTheCreationIsTakenBack", false, creates, "ROLLBACK", checking, false},
		{"ADeletionIsRefusedAfterAMove", true, moves, "COMMIT", deleting, true},
		{"ADeletionIsAppliedWhenTheMoveIsTakenBack", true, moves, "ROLLBACK", deleting, false},
		{"ACheckBesideASaveIsRefusedAfterAMove", true, moves, "COMMIT", checkingBesideASave(m), true},
		{"AnAlwaysIsAppliedAfterAMove", true, moves, "COMMIT", overwriting, false},
		{"AnAlwaysIsAppliedAfterADeletion", true, deletes, "COMMIT", overwriting, false},
		{"AnAlwaysIsAppliedAfterACreation", false, creates, "COMMIT", overwriting, false},
		{"AnOnceIsAppliedAfterACreation", false, creates, "COMMIT", once, false},
	} {
		n++
		key := fmt.Sprintf("k/%d", n)
		t.Run(c.fact, func(t *testing.T) {
			defer checkKeys(t, m.watcher, "holdfast")
			m := &meeting{T: t, db: m.db, other: m.other, watcher: m.watcher}
			var v driver.Version
			if c.there {
				put(t, m.db, map[string]string{key: "before"})
				v = recent(t, m.db, key)[0]
			}
			if got := m.meet(key, c.other, c.end, c.batch(key, v)); got != c.refused {
				t.Errorf("refused = %v, want %v", got, c.refused)
			}
		})
	}
}

// checking is a batch that checks the key and writes another.
func checking(key string, v driver.Version) driver.Batch {
	return driver.Batch{
		ID:     newID(),
		Checks: []driver.Check{{Key: key, Version: v}},
		Writes: []driver.Write{{Key: key + "/beside", Value: []byte("x")}},
	}
}

// checkingBesideASave returns a batch that checks the key and replaces another.
func checkingBesideASave(m *meeting) func(string, driver.Version) driver.Batch {
	return func(key string, v driver.Version) driver.Batch {
		put(m, m.db, map[string]string{key + "/beside": "before"})
		b := checking(key, v)
		b.Writes[0].Version = recent(m.T, m.db, key+"/beside")[0]
		return b
	}
}

func deleting(key string, v driver.Version) driver.Batch {
	return driver.Batch{ID: newID(), Writes: []driver.Write{{Key: key, Version: v, Delete: true}}}
}

func overwriting(key string, _ driver.Version) driver.Batch {
	return driver.Batch{ID: newID(), Writes: []driver.Write{{Key: key, Mode: driver.Always, Value: []byte("x")}}}
}

func once(key string, _ driver.Version) driver.Batch {
	return driver.Batch{ID: newID(), Writes: []driver.Write{{Key: key, Mode: driver.Once, Value: []byte("x")}, {Key: key + "/beside"}}}
}

// meet lets the other do its work, commits a batch that has to wait for it, ends
// the other, and reports whether the batch was refused.
func (m *meeting) meet(key, work, end string, b driver.Batch) (refused bool) {
	m.Helper()
	execute(m.T, m.other, "BEGIN")
	if _, err := m.other.Exec(context.Background(), work, []byte(key)); err != nil {
		m.Fatalf("%s: %v", work, err)
	}
	type answer struct {
		out []driver.Outcome
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		out, err := m.db.Commit(context.Background(), driver.Group{Batches: []driver.Batch{b}})
		answered <- answer{out, err}
	}()
	m.awaitLock()
	execute(m.T, m.other, end)
	a := <-answered
	if a.err != nil {
		m.Fatalf("Commit: %v", a.err)
	}
	return len(a.out[0].Refused) > 0
}

// awaitLock returns when somebody in the database waits for a lock.
func (m *meeting) awaitLock() {
	m.Helper()
	for waiting := 0; waiting == 0; {
		err := m.watcher.QueryRow(m.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting)
		if err != nil {
			m.Fatalf("look at who waits: %v", err)
		}
	}
}
