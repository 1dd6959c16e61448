package outage_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/internal/wire"
	"github.com/holdfast-games/holdfast/postgres"
	"github.com/holdfast-games/holdfast/store"
)

// line is one store whose driver reaches its database over a bad wire, and a
// second driver that reaches it directly.
type line struct {
	t      *testing.T
	ctx    context.Context
	schema string
	proxy  *wire.Proxy
	db     *store.DB
	direct driver.DB
}

// lastSchema numbers the schemas that lines have made.
var lastSchema atomic.Int64

// newLine returns a line to a fresh schema of a database that all share. A nil o
// gives options with which nothing is repeated before its time-out of half a
// minute.
func newLine(t *testing.T, isolation postgres.Isolation, o *store.Options) *line {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute) // its end is needed to clean up
	t.Cleanup(cancel)
	schema := fmt.Sprintf("line_%d", lastSchema.Add(1))
	server := pgtest.Shared(t).URL("postgres") + "&schema=" + schema
	p, err := wire.ListenPostgres(server)
	if err != nil {
		t.Fatalf("ListenPostgres: %v", err)
	}
	url, err := p.URL(server)
	if err != nil {
		t.Fatalf("URL: %v", err)
	}
	l := &line{t: t, ctx: ctx, schema: schema, proxy: p, direct: mustOpen(t, ctx, server, isolation)}
	if l.db, err = store.New(mustOpen(t, ctx, url, isolation), o); err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() {
		p.Use(nil)
		p.Cut() // of what is silent, nobody waits to hear any more
		if err := l.db.Close(ctx); err != nil {
			t.Errorf("Close of the store: %v", err)
		}
		if err := p.Close(); err != nil {
			t.Errorf("Close of the wire: %v", err)
		}
		if err := l.direct.Close(); err != nil {
			t.Errorf("Close of the direct driver: %v", err)
		}
	})
	return l
}

func mustOpen(t *testing.T, ctx context.Context, url string, isolation postgres.Isolation) driver.DB {
	t.Helper()
	drv, err := openAt(ctx, url, isolation)
	if err != nil {
		t.Fatalf("open the database: %v", err)
	}
	return drv
}

// version returns a new version id.
func (l *line) version() driver.Version {
	l.t.Helper()
	v, err := l.db.NewVersion()
	if err != nil {
		l.t.Fatalf("NewVersion: %v", err)
	}
	return v
}

// write returns an attempt that moves an entry from one version to another.
func write(key string, from, to driver.Version) store.Attempt {
	return store.Attempt{
		Batch: driver.Batch{ID: to, Writes: []driver.Write{{
			Key: key, Version: from, Value: []byte(to.String()), Retain: &driver.Retention{},
		}}},
		Lane: store.Waited, Tries: -1,
	}
}

// begin starts an attempt, and returns where its outcome will be.
func (l *line) begin(at store.Attempt) <-chan error {
	done := make(chan error, 1)
	at.Done = func(_ driver.Moment, err error) { done <- err }
	l.db.Go(at)
	return done
}

// outcome waits for an attempt.
func (l *line) outcome(done <-chan error) error {
	l.t.Helper()
	select {
	case err := <-done:
		return err
	case <-l.ctx.Done():
		l.t.Fatal("the attempt was never settled")
		return nil
	}
}

// waits checks that an attempt has no outcome yet.
func (l *line) waits(done <-chan error, while string) {
	l.t.Helper()
	select {
	case err := <-done:
		l.t.Errorf("the attempt ended with %v while %s, want it to wait", err, while)
	default:
	}
}

// hit waits until a fault has happened.
func (l *line) hit(trap *wire.Trap) {
	l.t.Helper()
	if _, err := trap.Wait(l.ctx); err != nil {
		l.t.Fatal(err)
	}
}

// over waits until the server has answered what a fault has happened to, or has
// ended its connection, as it is asked to when half of a transaction came.
func (l *line) over(trap *wire.Trap) {
	l.t.Helper()
	if _, err := trap.Outcome(l.ctx); err != nil && !errors.Is(err, wire.ErrEnded) {
		l.t.Fatalf("Outcome: %v", err)
	}
}

// answered waits for the server's answer to what a fault has happened to.
func (l *line) answered(trap *wire.Trap) (sqlstate string) {
	l.t.Helper()
	code, err := trap.Outcome(l.ctx)
	if err != nil {
		l.t.Fatalf("Outcome: %v", err)
	}
	return code
}

// entry reads an entry past the wire.
func (l *line) entry(key string) driver.Entry {
	l.t.Helper()
	snap, err := l.direct.Read(l.ctx, key)
	if err != nil {
		l.t.Fatalf("Read: %v", err)
	}
	return snap.Entries[0]
}

// wants checks that an entry has had exactly these versions, the newest first,
// and holds what the newest wrote.
func (l *line) wants(key string, versions ...driver.Version) {
	l.t.Helper()
	e := l.entry(key)
	if diff := cmp.Diff(texts(versions), texts(e.Recent)); diff != "" {
		l.t.Errorf("versions of %q (-want +got):\n%s", key, diff)
	}
	if want := fmt.Sprint(versions[0]); string(e.Value) != want {
		l.t.Errorf("value of %q = %q, want %q", key, e.Value, want)
	}
}

func texts(vs []driver.Version) []string {
	list := make([]string, len(vs))
	for i, v := range vs {
		list[i] = v.String()
	}
	return list
}
