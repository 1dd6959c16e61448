package bench

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/postgres"
)

// newPostgresOptions returns quick options on a database of the test's own.
func newPostgresOptions(t *testing.T, only ...string) *Options {
	t.Helper()
	o := newOptions(t, only...)
	base := pgtest.URL(t)
	o.URL = func(name string) string {
		url, err := SchemaURL(base, name)
		if err != nil {
			t.Errorf("SchemaURL(%q): %v", name, err)
		}
		return url
	}
	o.Open = openAny
	return o
}

// TestPostgresMeasurements makes each measurement on PostgreSQL, and looks
// whether it yields the figures that it names and leaves nothing behind.
func TestPostgresMeasurements(t *testing.T) {
	o := newPostgresOptions(t)
	t.Run("Yields", func(t *testing.T) {
		for _, m := range measurements {
			t.Run(m.names[0], func(t *testing.T) {
				if m.names[0] != "memory.profile" { // which measures the whole process
					t.Parallel()
				}
				r := &run{Options: *o, ctx: t.Context(), sizes: small}
				// Some use a database of the same name, and here at the same time.
				r.URL = func(name string) string { return o.URL(m.names[0] + "." + name) }
				for _, f := range measureAll(t, r, m) {
					if f.Skipped != "" || strings.Contains(f.Yardstick, "SQLite") {
						t.Errorf("%s = %+v, want it measured beside a program for PostgreSQL", f.Name, f)
					}
				}
			})
		}
	})
	if left := schemas(t, o.URL("x")); len(left) > 0 {
		t.Errorf("the measurements leave the schemas %q, want none", left)
	}
}

// schemas returns the names of the schemas that were made to measure in.
func schemas(t *testing.T, url string) (names []string) {
	t.Helper()
	p, err := parsePlace(url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := p.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1)", schemaPrefix)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// newTestBarePostgres returns a bare program with so many players and workers,
// and the database that it writes to.
func newTestBarePostgres(t *testing.T, n, workers int) (*barePostgres, driver.DB) {
	t.Helper()
	url, err := SchemaURL(pgtest.URL(t), "bare")
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBarePostgres(t.Context(), url, n, workers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.ctx = context.Background()
		if err := b.discard(); err != nil {
			t.Errorf("discard: %v", err)
		}
	})
	db, err := postgres.Open(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return b, db
}

// TestBarePostgres looks whether the yardstick really writes what it claims to.
func TestBarePostgres(t *testing.T) {
	t.Run("SavesEachPlayerOnce", func(t *testing.T) {
		b, db := newTestBarePostgres(t, 300, 3)
		if err := together(3, func(worker int) error { return b.save(worker, 100, false) }); err != nil {
			t.Fatal(err)
		}
		for _, r := range b.rosters {
			checkSavedOnce(t, db, r)
		}
	})
	t.Run("KeepsEachReplacedVersion", func(t *testing.T) {
		b, db := newTestBarePostgres(t, 10, 1)
		for range 3 {
			if err := b.save(0, 10, true); err != nil {
				t.Fatal(err)
			}
		}
		checkHistory(t, db, b.rosters[0], 4)
	})
	t.Run("LoadsAndLocks", func(t *testing.T) {
		b, db := newTestBarePostgres(t, 20, 1)
		if err := b.load(0, 20); err != nil {
			t.Fatal(err)
		}
		checkSavedOnce(t, db, b.rosters[0])
	})
	t.Run("UpdatesOneByOne", func(t *testing.T) {
		b, db := newTestBarePostgres(t, 6, 2)
		for i := range 6 {
			if err := b.update(i % 2); err != nil {
				t.Fatal(err)
			}
		}
		checkSavedOnce(t, db, b.rosters[1])
	})
	t.Run("IsConditional", func(t *testing.T) {
		b, _ := newTestBarePostgres(t, 5, 1)
		r := b.rosters[0]
		r.players[r.order[0]].version = bareVersion(9, 9)
		if err := b.save(0, 1, false); !errors.Is(err, errBare) {
			t.Errorf("a save that names another version: %v, want errBare", err)
		}
		r.players[r.order[1]].version = bareVersion(9, 9)
		if err := b.update(0); !errors.Is(err, errBare) {
			t.Errorf("an update that names another version: %v, want errBare", err)
		}
	})
}

func TestSchemaURL(t *testing.T) {
	for _, c := range []struct{ base, name, want string }{
		{"postgres://u:p@h:1/game?sslmode=disable", "save.grouped", "postgres://u:p@h:1/game?schema=holdfast_bench_save_grouped&sslmode=disable"},
		{"postgresql://h/game?schema=holdfast", "append-rate", "postgresql://h/game?schema=holdfast_bench_append_rate"},
	} {
		if got, err := SchemaURL(c.base, c.name); got != c.want || err != nil {
			t.Errorf("SchemaURL(%q, %q) = %q, %v, want %q", c.base, c.name, got, err, c.want)
		}
	}
	for _, base := range []string{"sqlite:players.db", "postgres://u:secret@h:x/game", ""} {
		if got, err := SchemaURL(base, "load"); !errors.Is(err, ErrURL) || strings.Contains(err.Error(), "secret") {
			t.Errorf("SchemaURL(%q) = %q, %v, want ErrURL without a password", base, got, err)
		}
	}
}

// TestPlace looks what may be removed.
func TestPlace(t *testing.T) {
	p, err := parsePlace("postgres://h/game?connections=5&isolation=serializable&schema=holdfast_bench_load&sslmode=disable")
	if want := (place{"postgres://h/game?sslmode=disable", "holdfast_bench_load"}); err != nil || p != want {
		t.Errorf("parsePlace = %+v, %v, want %+v", p, err, want)
	}
	for _, url := range []string{"postgres://h/game", "postgres://h/game?schema=holdfast", "postgres://h:x/"} {
		if p, err := parsePlace(url); !errors.Is(err, ErrURL) {
			t.Errorf("parsePlace(%q) = %+v, %v, want ErrURL", url, p, err)
		}
		if err := removeSchema(t.Context(), url); !errors.Is(err, ErrURL) {
			t.Errorf("removeSchema(%q): %v, want ErrURL", url, err)
		}
	}
}

func TestCourse(t *testing.T) {
	rates := []float64{100, 100, 50, 50, 40, 40, 30, 30, 20, 20}
	if got, want := course(rates, 100), "in fifths 100% 50% 40% 30% 20%"; got != want {
		t.Errorf("course = %q, want %q", got, want)
	}
	if got, want := course([]float64{7}, 7), "in fifths 100% 100% 100% 100% 100%"; got != want {
		t.Errorf("course of one round = %q, want %q", got, want)
	}
}
