package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// world is a database with servers, in a bubble of simulated time.
type world struct {
	t   *testing.T
	ctx context.Context
	db  *mem.DB
}

// bubble runs fn in a bubble with an empty database.
func bubble(t *testing.T, fn func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, ctx: t.Context(), db: mem.Open()}
		fn(w)
		synctest.Wait()
	})
}

// bus returns a bus that servers of this process share.
func (w *world) bus() *bus.Bus {
	w.t.Helper()
	b, err := bus.NewLocal().Open(nil)
	if err != nil {
		w.t.Fatalf("Open: %v", err)
	}
	w.t.Cleanup(func() { _ = b.Close() })
	return b
}

// open keeps the shared database open when one server's store is closed.
type open struct{ driver.DB }

func (open) Close() error { return nil }

// host is a server with its own connection to the database, which fails as the
// test asks.
type host struct {
	*session.Server
	f *faulty.DB
}

// server starts a server on the world's database; it is closed with the test
// unless the test did.
func (w *world) server(name string, o *session.Options) host {
	w.t.Helper()
	return w.serverOn(name, open{w.db}, o)
}

func (w *world) serverOn(name string, drv driver.DB, o *session.Options) host {
	w.t.Helper()
	f := faulty.New(drv)
	db, err := store.New(f, nil)
	if err != nil {
		w.t.Fatalf("store.New: %v", err)
	}
	var opts session.Options
	if o != nil {
		opts = *o
	}
	opts.Name = name
	srv, err := session.Open(w.ctx, db, &opts)
	if err != nil {
		w.t.Fatalf("session.Open(%q): %v", name, err)
	}
	w.t.Cleanup(func() {
		f.Use()
		f.ReleaseAll()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, _ = srv.Close(ctx)
		_ = db.Close(ctx)
	})
	return host{srv, f}
}

// kill lets nothing of the server reach the database any more, as after the
// death of its process.
func (h host) kill() { h.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown})) }

// pause holds everything that the server asks of the database, and wake lets it
// go on.
func (h host) pause() { h.f.Use(faulty.All(faulty.Fault{Hold: true})) }

func (h host) wake() {
	h.f.Use()
	h.f.ReleaseAll()
}

// once gives a fault to the first commit that a test of its writes accepts.
func once(fault faulty.Fault, is func(*faulty.Call) bool) faulty.Plan {
	done := false
	return func(c *faulty.Call) faulty.Fault {
		if done || c.Op != faulty.Commit || !is(c) {
			return faulty.Fault{}
		}
		done = true
		return fault
	}
}

// writes accepts commits that write a key with the prefix.
func writes(prefix string) func(*faulty.Call) bool {
	return func(c *faulty.Call) bool {
		return slices.ContainsFunc(c.Keys, func(k string) bool { return strings.HasPrefix(k, prefix) })
	}
}

// every gives a fault to each commit that writes a key with the prefix.
func every(fault faulty.Fault, prefix string) faulty.Plan {
	return func(c *faulty.Call) faulty.Fault {
		if c.Op == faulty.Commit && writes(prefix)(c) {
			return fault
		}
		return faulty.Fault{}
	}
}

var (
	alice = session.Key{Kind: "player", ID: "alice"}
	bob   = session.Key{Kind: "player", ID: "bob"}
	carol = session.Key{Kind: "player", ID: "carol"}
)

func (w *world) open(srv host, key session.Key) *session.Session {
	w.t.Helper()
	return w.openWith(srv, key, nil)
}

func (w *world) openWith(srv host, key session.Key, o *session.OpenOptions) *session.Session {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, time.Hour)
	defer cancel()
	s, err := srv.Open(ctx, key, o)
	if err != nil {
		w.t.Fatalf("%s.Open(%v): %v", srv.Name(), key, err)
	}
	return s
}

// opened is what an Open came to.
type opened struct {
	s   *session.Session
	err error
}

// opening opens a key in the background.
func (w *world) opening(ctx context.Context, srv host, key session.Key) <-chan opened {
	done := make(chan opened, 1)
	go func() {
		s, err := srv.Open(ctx, key, nil)
		done <- opened{s, err}
	}()
	synctest.Wait()
	return done
}

// within returns what comes from a channel in the simulated time d, or fails.
func within[T any](w *world, d time.Duration, what string, from <-chan T) T {
	w.t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(d):
		w.t.Fatalf("%s: nothing within %v of simulated time", what, d)
		panic("not reached")
	}
}

// background runs fn and returns a channel with its error.
func background(fn func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	synctest.Wait()
	return done
}

// pending fails if something has come from a channel.
func pending[T any](w *world, what string, from <-chan T) {
	w.t.Helper()
	synctest.Wait()
	select {
	case v := <-from:
		w.t.Fatalf("%s came too early: %v", what, v)
	default:
	}
}

// set writes a field in memory.
func (w *world) set(s *session.Session, field, value string) {
	w.t.Helper()
	if err := set(s, field, value); err != nil {
		w.t.Fatalf("set %s of %v: %v", field, s.Key(), err)
	}
}

func set(s *session.Session, field, value string) error { return change(s, false, false, field, value) }

func change(s *session.Session, lazy, durable bool, field, value string) error {
	tx, err := s.Begin()
	if err != nil {
		return err
	}
	if err := tx.Set(document.Field(field), []byte(value), lazy); err != nil {
		session.Rollback(tx)
		return err
	}
	return session.Commit(durable, tx)
}

// setAll writes a field of several sessions as one group.
func (w *world) setAll(field, value string, ss ...*session.Session) {
	w.t.Helper()
	txs, err := session.BeginAll(ss...)
	if err != nil {
		w.t.Fatalf("BeginAll: %v", err)
	}
	for _, tx := range txs {
		if err := tx.Set(document.Field(field), []byte(value), false); err != nil {
			w.t.Fatalf("set %s: %v", field, err)
		}
	}
	if err := session.Commit(false, txs...); err != nil {
		w.t.Fatalf("Commit of a group: %v", err)
	}
}

func (w *world) get(s *session.Session, field string) string {
	s.Lock()
	defer s.Unlock()
	v, _ := s.Document().Get(document.Field(field))
	return string(v)
}

func (w *world) want(s *session.Session, field, value string) {
	w.t.Helper()
	if got := w.get(s, field); got != value {
		w.t.Errorf("%v: field %q = %q, want %q", s.Key(), field, got, value)
	}
}

func (w *world) sync(s *session.Session) {
	w.t.Helper()
	if err := s.Sync(w.ctx); err != nil {
		w.t.Fatalf("sync %v: %v", s.Key(), err)
	}
}

func (w *world) save(s *session.Session) {
	w.t.Helper()
	if err := s.Save(w.ctx); err != nil {
		w.t.Fatalf("save %v: %v", s.Key(), err)
	}
}

func (w *world) close(s *session.Session) {
	w.t.Helper()
	if err := s.Close(w.ctx); err != nil {
		w.t.Fatalf("close %v: %v", s.Key(), err)
	}
}

// shut closes a server and wants every session released.
func (w *world) shut(srv host) {
	w.t.Helper()
	results, err := srv.Close(w.ctx)
	if err != nil {
		w.t.Errorf("%s.Close: %v", srv.Name(), err)
	}
	for _, r := range results {
		if r.Err != nil {
			w.t.Errorf("%s.Close: result for %v: %v", srv.Name(), r.Key, r.Err)
		}
	}
}

// lost wants a session to end with a LostError, and returns it.
func (w *world) lost(s *session.Session) *session.LostError {
	w.t.Helper()
	within(w, time.Minute, "end of the session", s.Done())
	var lost *session.LostError
	if err := s.Err(); !errors.As(err, &lost) || !errors.Is(err, session.ErrLost) {
		w.t.Fatalf("Err of %v = %v, want a LostError", s.Key(), err)
	}
	return lost
}

// entry reads an entry as it is stored.
func (w *world) entry(key string) driver.Entry {
	w.t.Helper()
	snap, err := w.db.Read(w.ctx, key)
	if err != nil {
		w.t.Fatalf("read %q: %v", key, err)
	}
	return snap.Entries[0]
}

// stored is a root as people read it.
type stored struct {
	Lock *struct {
		Lease, Session, Server string
		Position               uint64
	}
	Reason string
	Data   map[string]json.RawMessage
}

// root reads what is stored under a key.
func (w *world) root(key session.Key) stored {
	w.t.Helper()
	e := w.entry(key.String())
	var r stored
	if err := json.Unmarshal(e.Value, &r); err != nil {
		w.t.Fatalf("root of %v: %v: %s", key, err, e.Value)
	}
	return r
}

// unlocked wants the root to be there without a lock, with a field's value.
func (w *world) unlocked(key session.Key, field, value string) {
	w.t.Helper()
	r := w.root(key)
	if r.Lock != nil {
		w.t.Errorf("root of %v is locked by %+v, want no lock", key, *r.Lock)
	}
	if got := string(r.Data[field]); got != value {
		w.t.Errorf("stored field %q of %v = %q, want %q", field, key, got, value)
	}
}

// put writes an entry, whatever is there, behind the servers' backs.
func (w *world) put(key, value string) driver.Version {
	w.t.Helper()
	id := w.version()
	_, err := w.db.Commit(w.ctx, driver.Group{Batches: []driver.Batch{{
		ID: id, Writes: []driver.Write{{Key: key, Mode: driver.Always, Value: []byte(value)}},
	}}})
	if err != nil {
		w.t.Fatalf("write %q: %v", key, err)
	}
	return id
}

// remove deletes an entry behind the servers' backs.
func (w *world) remove(key string) {
	w.t.Helper()
	_, err := w.db.Commit(w.ctx, driver.Group{Batches: []driver.Batch{{
		ID: w.version(), Writes: []driver.Write{{Key: key, Mode: driver.Always, Delete: true}},
	}}})
	if err != nil {
		w.t.Fatalf("delete %q: %v", key, err)
	}
}

// keys returns the keys with a prefix.
func (w *world) keys(prefix string) []string {
	w.t.Helper()
	snap, err := w.db.List(w.ctx, driver.Query{Prefix: prefix, KeysOnly: true})
	if err != nil {
		w.t.Fatalf("list %q: %v", prefix, err)
	}
	var keys []string
	for _, e := range snap.Entries {
		keys = append(keys, e.Key)
	}
	return keys
}

func leaseKey(srv host) string { return store.SystemKey("lease", srv.LeaseID()) }
