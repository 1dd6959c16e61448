package pgtest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-games/holdfast/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// connect connects to a database until the test ends.
func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// one returns the only value of a query.
func one[T any](t *testing.T, c *pgx.Conn, query string) (v T) {
	t.Helper()
	if err := c.QueryRow(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func exec(t *testing.T, c *pgx.Conn, statement string) {
	t.Helper()
	if _, err := c.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestURL(t *testing.T) {
	t.Run("IsAnEmptyDatabaseOfItsOwn", func(t *testing.T) {
		a, b := connect(t, pgtest.URL(t)), connect(t, pgtest.URL(t))
		exec(t, a, "CREATE TABLE x (n int)")
		if n := one[int](t, b, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"); n != 0 {
			t.Errorf("a second database has %d tables, want none", n)
		}
	})
	t.Run("SyncsToDisk", func(t *testing.T) {
		if got := one[string](t, connect(t, pgtest.URL(t)), "SHOW fsync"); got != "on" {
			t.Errorf("fsync is %q, want on", got)
		}
	})
}

func TestStart(t *testing.T) {
	c := pgtest.Start(t)
	exec(t, connect(t, c.URL()), "CREATE TABLE x AS SELECT 1 AS n")
	holds := func(t *testing.T) {
		t.Helper()
		if got := one[int](t, connect(t, c.URL()), "SELECT n FROM x"); got != 1 {
			t.Errorf("the table holds %d, want 1", got)
		}
	}
	t.Run("KillCutsConnectionsAndRestartRecovers", func(t *testing.T) {
		conn := connect(t, c.URL())
		c.Kill()
		if _, err := conn.Exec(t.Context(), "SELECT 1"); err == nil {
			t.Error("a connection survived Kill")
		}
		c.Restart()
		holds(t)
	})
	t.Run("StopAndRestart", func(t *testing.T) {
		c.Stop()
		if _, err := pgx.Connect(t.Context(), c.URL()); err == nil {
			t.Error("a stopped server let a connection in")
		}
		c.Restart()
		holds(t)
	})
	t.Run("PauseHoldsAnswersBack", func(t *testing.T) {
		conn := connect(t, c.URL())
		c.Pause()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := conn.Exec(ctx, "SELECT 1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("query of a paused server: %v, want DeadlineExceeded", err)
		}
		c.Resume()
		holds(t)
	})
	t.Run("KillEndsAPausedServer", func(t *testing.T) {
		c.Pause()
		c.Kill()
		c.Restart()
		holds(t)
	})
}

func TestRun(t *testing.T) {
	t.Run("RemoveLeavesNothing", func(t *testing.T) {
		temp := t.TempDir()
		if err := os.Chmod(filepath.Dir(temp), 0o755); err != nil { // for the server's user
			t.Fatal(err)
		}
		pgtest.Shared(t) // skips without PostgreSQL
		s, err := pgtest.Run(t.Context(), temp)
		if err != nil {
			t.Fatalf("Run: %v", err)
		}
		if err := s.Remove(); err != nil {
			t.Fatalf("Remove: %v", err)
		}
		left, err := os.ReadDir(temp)
		if err != nil || len(left) != 0 {
			t.Errorf("Remove left %v, %v, want nothing", left, err)
		}
	})
	t.Run("WithoutProgramsIsErrMissing", func(t *testing.T) {
		t.Setenv("HOLDFAST_POSTGRES_BIN", t.TempDir())
		if s, err := pgtest.Run(t.Context(), ""); !errors.Is(err, pgtest.ErrMissing) {
			t.Errorf("Run = %v, %v, want ErrMissing", s, err)
		}
	})
}
