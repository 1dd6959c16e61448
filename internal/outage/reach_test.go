package outage_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/internal/wire"
	"github.com/holdfast-games/holdfast/store"
)

// with returns a database's URL with something else in it.
func with(t *testing.T, database string, change func(*url.URL)) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	change(u)
	return u.String()
}

// refused opens a database that cannot be reached and checks that this ends by
// itself, with an error that matches ErrUnavailable, says what is wrong and does
// not tell the password.
func refused(t *testing.T, database, says string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	db, err := open(ctx, database)
	if err == nil {
		t.Errorf("the database opened, want an error that says %q", says)
		db.Close()
		return
	}
	if ctx.Err() != nil {
		t.Fatalf("it did not end by itself: %v", err)
	}
	if !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), says) {
		t.Errorf("open = %v, want ErrUnavailable and %q", err, says)
	}
	u, _ := url.Parse(database) // it was parsed before
	if password, _ := u.User.Password(); strings.Contains(err.Error(), password) {
		t.Errorf("the error tells the password: %v", err)
	}
}

func TestADatabaseThatCannotBeReached(t *testing.T) {
	server := pgtest.Shared(t).URL("postgres")
	t.Run("NoSuchHost", func(t *testing.T) {
		refused(t, with(t, server, func(u *url.URL) { u.Host = "nowhere.invalid:5432" }), "nowhere.invalid")
	})
	t.Run("NobodyListens", func(t *testing.T) {
		refused(t, with(t, server, func(u *url.URL) { u.Host = "127.0.0.1:1" }), "refused")
	})
	t.Run("ItAcceptsAndNeverAnswers", func(t *testing.T) {
		p := mustListen(t, server)
		p.Silence(true)
		silent := with(t, server, func(u *url.URL) {
			u.Host = p.Addr()
			u.RawQuery += "&connect_timeout=1"
		})
		refused(t, silent, "timeout")
	})
	t.Run("ItFallsSilentLater", func(t *testing.T) {
		server := pgtest.URL(t)
		p := mustListen(t, server)
		db, err := store.New(mustOpen(t, t.Context(), with(t, server, func(u *url.URL) { u.Host = p.Addr() }), isolations[0]),
			&store.Options{Timeout: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		p.Silence(true)
		left := errors.New("the reader has left")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, left)
		defer cancel()
		if _, err := db.Read(ctx, "player/alice"); !errors.Is(err, driver.ErrUnavailable) || !errors.Is(err, left) {
			t.Errorf("Read = %v, want ErrUnavailable and the context's cause", err)
		}
		p.Silence(false)
		if _, err := db.Read(t.Context(), "player/alice"); err != nil {
			t.Errorf("Read when it answers again: %v", err)
		}
		p.Silence(true)
		closing, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer stop()
		if err := db.Close(closing); err != nil {
			t.Errorf("Close while it is silent = %v, want nil: nothing was under way", err)
		}
	})
}

func mustListen(t *testing.T, server string) *wire.Proxy {
	t.Helper()
	p, err := wire.ListenPostgres(server)
	if err != nil {
		t.Fatalf("ListenPostgres: %v", err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return p
}

// TestTooFewConnections takes the connections away that a server needs. The
// role's limit refuses with the same code as max_connections, which binds no
// superuser.
func TestTooFewConnections(t *testing.T) {
	server := pgtest.URL(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	admin, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("Connect: %v", err)
	}
	defer admin.Close(context.Background())
	run := func(sql string) {
		t.Helper()
		if _, err := admin.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	run("CREATE ROLE crowded LOGIN PASSWORD 'crowds pass word' CONNECTION LIMIT 0")
	t.Cleanup(func() {
		c, err := pgx.Connect(context.Background(), server)
		if err == nil {
			_, err = c.Exec(context.Background(), "DROP OWNED BY crowded CASCADE; DROP ROLE crowded")
			err = errors.Join(err, c.Close(context.Background()))
		}
		if err != nil {
			t.Errorf("drop the role: %v", err)
		}
	})
	run("DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO crowded', current_database()); END $$")
	crowded := with(t, server, func(u *url.URL) { u.User = url.UserPassword("crowded", "crowds pass word") })
	t.Run("NoneAtAllIsAClearError", func(t *testing.T) { refused(t, crowded, "too many connections") })
	t.Run("AFewServeAll", func(t *testing.T) {
		run("ALTER ROLE crowded CONNECTION LIMIT 100")
		drv := mustOpen(t, ctx, crowded, isolations[0])
		run("ALTER ROLE crowded CONNECTION LIMIT 4")
		db, err := store.New(drv, &store.Options{MaxPause: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 50)
		for n := range cap(done) {
			v, err := db.NewVersion()
			if err != nil {
				t.Fatal(err)
			}
			at := write(loadKey(n), driver.Version{}, v)
			at.Done = func(_ driver.Moment, err error) { done <- err }
			db.Go(at)
		}
		for range cap(done) {
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Commit with too few connections = %v, want nil", err)
				}
			case <-ctx.Done():
				t.Fatal("commits came to a standstill with too few connections")
			}
		}
		if err := db.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}
