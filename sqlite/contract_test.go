package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/driver/drivertest"
	"github.com/holdfast-games/holdfast/sqlite"
)

// opened is a database with its place and its clock.
type opened struct {
	*sqlite.DB
	path  string
	clock *sqlite.Clock
}

func openAt(t *testing.T, path string, clock *sqlite.Clock) driver.DB {
	t.Helper()
	db, err := sqlite.OpenClock(t.Context(), path, clock)
	if err != nil {
		t.Fatalf("Open(%q): %v", path, err)
	}
	return opened{DB: db, path: path, clock: clock}
}

func TestContract(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{
		Open: func(t *testing.T) driver.DB {
			return openAt(t, filepath.Join(t.TempDir(), "players.db"), new(sqlite.Clock))
		},
		Reopen: func(t *testing.T, db driver.DB) driver.DB {
			if err := db.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			o := db.(opened)
			return openAt(t, o.path, o.clock)
		},
		Second: func(t *testing.T, db driver.DB) driver.DB {
			o := db.(opened)
			return openAt(t, o.path, o.clock)
		},
		Damage: func(t *testing.T, db driver.DB, key string) {
			flip(t, db.(opened).path, key)
		},
		Advance: func(t *testing.T, db driver.DB, d time.Duration) { db.(opened).clock.Advance(d) },
		Reverse: true,
	})
}

// flip flips one bit of a stored value.
func flip(t *testing.T, path, key string) {
	t.Helper()
	db := tool(t, path)
	var value []byte
	if err := db.QueryRow("SELECT value FROM entries WHERE key = ?", key).Scan(&value); err != nil {
		t.Fatalf("read the value of %q: %v", key, err)
	}
	value[len(value)/2] ^= 1
	if _, err := db.Exec("UPDATE entries SET value = ? WHERE key = ?", value, key); err != nil {
		t.Fatalf("damage the value of %q: %v", key, err)
	}
}

// tool opens a file as any SQLite tool would.
func tool(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_busy_timeout=5000")
	if err != nil {
		t.Fatalf("open %q: %v", path, err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// execute runs statements on a file as any SQLite tool would.
func execute(t *testing.T, path string, queries ...string) {
	t.Helper()
	db := tool(t, path)
	defer db.Close()
	for _, query := range queries {
		if _, err := db.Exec(query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
}
