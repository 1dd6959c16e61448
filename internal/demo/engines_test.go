package demo

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/bus/natsbus"
	"github.com/holdfast-games/holdfast/internal/pgtest"
)

// home is a database for a test, and a bus if there is one.
type home struct {
	db, bus string // URLs
	// take takes the database away from everybody, and give gives it back. Nil:
	// this one cannot be taken away.
	take, give func()
}

// engine is a kind of home.
type engine struct {
	name string
	open func(t *testing.T) *home
}

var (
	onSQLite = engine{"SQLite", func(t *testing.T) *home { return &home{db: newSQLite(t)} }}

	onPostgres = engine{"PostgreSQL", func(t *testing.T) *home { return &home{db: pgtest.URL(t)} }}

	onPostgresNotify = engine{"PostgreSQLOverNotify", func(t *testing.T) *home {
		url := pgtest.URL(t)
		return &home{db: url, bus: url}
	}}

	onPostgresNATS = engine{"PostgreSQLOverNATS", func(t *testing.T) *home {
		return &home{db: pgtest.URL(t), bus: newNATS(t)}
	}}
)

// soak says that there is time for everything.
var soak = os.Getenv("HOLDFAST_SOAK") != ""

// orAll returns these engines, or all of them if there is time.
func orAll(some ...engine) []engine {
	if soak {
		return []engine{onSQLite, onPostgres, onPostgresNotify, onPostgresNATS}
	}
	return some
}

// breakable are engines whose database can be taken away.
var breakable = []engine{
	{"SQLiteLockedByAnotherProgram", lockedSQLite},
	{"PostgreSQLKilledAndStartedAgain", func(t *testing.T) *home {
		c := pgtest.Start(t)
		return &home{db: c.URL(), bus: newNATS(t), take: c.Kill, give: c.Restart}
	}},
	{"PostgreSQLAndItsBusPaused", func(t *testing.T) *home {
		c := pgtest.Start(t)
		return &home{db: c.URL(), bus: c.URL(), take: c.Pause, give: c.Resume}
	}},
}

// newNATS returns the URL of a server of NATS that runs until the test ends.
func newNATS(t *testing.T) string {
	t.Helper()
	e, err := natsbus.Embed(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e.URL()
}

// onEach runs a test on each engine.
func onEach(t *testing.T, list []engine, test func(t *testing.T, o *Options, h *home)) {
	for _, e := range list {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			h := e.open(t)
			o := testOptions(t)
			o.DB, o.Bus = h.db, h.bus
			test(t, o, h)
		})
	}
}

// lockedSQLite is a file that another program can lock for a while.
func lockedSQLite(t *testing.T) *home {
	h := &home{db: newSQLite(t)}
	var conn *sql.Conn
	run := func(query string) {
		t.Helper()
		if _, err := conn.ExecContext(t.Context(), query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	h.take = func() {
		db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(h.db, "sqlite://")+"?_pragma=busy_timeout(60000)")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		if conn, err = db.Conn(t.Context()); err != nil {
			t.Fatal(err)
		}
		run("BEGIN IMMEDIATE")
	}
	h.give = func() {
		run("ROLLBACK")
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return h
}
