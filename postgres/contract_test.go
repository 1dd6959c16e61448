package postgres_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/driver/drivertest"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/postgres"
)

// opened is a database with its place: a schema of its own, and another with a
// clock that the test moves.
type opened struct {
	*postgres.DB
	place
}

type place struct {
	tool          *pgx.Conn // for what a driver does not do
	url           string
	schema, clock string
	isolation     postgres.Isolation
}

var lastSchema atomic.Int64

// newPlace makes a schema for a driver and a clock.
func newPlace(t *testing.T, tool *pgx.Conn, url string, isolation postgres.Isolation) place {
	t.Helper()
	n := lastSchema.Add(1)
	p := place{tool, url, fmt.Sprintf("holdfast_%d", n), fmt.Sprintf("clock_%d", n), isolation}
	db, err := postgres.Open(t.Context(), url, p.options())
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	for _, statement := range []string{
		"CREATE SCHEMA %[1]s",
		"CREATE TABLE %[1]s.moved AS SELECT interval '0' AS by",
		`CREATE FUNCTION %[1]s.now() RETURNS timestamptz STABLE LANGUAGE sql
			AS 'SELECT pg_catalog.now() + by FROM %[1]s.moved'`,
		`CREATE FUNCTION %[1]s.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql
			AS 'SELECT pg_catalog.clock_timestamp() + by FROM %[1]s.moved'`,
	} {
		p.exec(t, fmt.Sprintf(statement, p.clock))
	}
	return p
}

func (p place) options() *postgres.Options {
	return &postgres.Options{Schema: p.schema, Isolation: p.isolation}
}

func (p place) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := p.tool.Exec(context.Background(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func (p place) open(t *testing.T) driver.DB {
	t.Helper()
	db, err := postgres.OpenClock(t.Context(), p.url, p.options(), p.clock)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return opened{db, p}
}

// connect opens a plain connection until the test ends.
func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// harness returns a harness whose facts use the same few schemas one after
// another, emptied each time: to make one takes longer than most facts.
func harness(t *testing.T, isolation postgres.Isolation) drivertest.Harness {
	url := pgtest.URL(t)
	tool := connect(t, url)
	var free []place // that no fact uses; facts run one after another
	return drivertest.Harness{
		Open: func(t *testing.T) driver.DB {
			if len(free) == 0 {
				free = append(free, newPlace(t, tool, url, isolation))
			}
			p := free[len(free)-1]
			free = free[:len(free)-1]
			t.Cleanup(func() {
				checkKeys(t, tool, p.schema)
				free = append(free, p)
			})
			p.exec(t, fmt.Sprintf("TRUNCATE %[1]s.keys, %[1]s.entries, %[1]s.history", p.schema))
			p.exec(t, "UPDATE "+p.clock+".moved SET by = '0'")
			return p.open(t)
		},
		Reopen: func(t *testing.T, db driver.DB) driver.DB {
			if err := db.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			return db.(opened).open(t)
		},
		Second: func(t *testing.T, db driver.DB) driver.DB { return db.(opened).open(t) },
		Damage: func(t *testing.T, db driver.DB, key string) {
			p := db.(opened).place
			p.exec(t, "UPDATE "+p.schema+".entries SET value = set_bit(value, 4 * length(value), 1 - get_bit(value, 4 * length(value))) WHERE key = $1", []byte(key))
		},
		Advance: func(t *testing.T, db driver.DB, d time.Duration) {
			p := db.(opened).place
			p.exec(t, "UPDATE "+p.clock+".moved SET by = by + $1::interval", d)
		},
	}
}

// checkKeys shows that every key of a schema has one entry and every entry its
// key.
func checkKeys(t *testing.T, tool *pgx.Conn, schema string) {
	t.Helper()
	var wrong int
	err := tool.QueryRow(context.Background(), fmt.Sprintf(`SELECT count(*) FROM %[1]s.keys AS k
		FULL JOIN (SELECT key, count(*) AS n FROM %[1]s.entries GROUP BY key) AS e ON e.key = k.key
		WHERE k.key IS NULL OR e.n IS DISTINCT FROM 1`, schema)).Scan(&wrong)
	if err != nil || wrong != 0 {
		t.Errorf("%d keys do not have one entry, %v", wrong, err)
	}
}

func TestContract(t *testing.T) {
	t.Parallel() // it waits for the server more than it works
	h := harness(t, postgres.ReadCommitted)
	// Its ticks are its wall clock's, so it cannot be set back alone; what that
	// means for versions is tested beside it.
	h.Reverse = true
	drivertest.Run(t, h)
}

func TestContractSerializable(t *testing.T) {
	t.Parallel()
	drivertest.Run(t, harness(t, postgres.Serializable))
}
