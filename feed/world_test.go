package feed_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/feed"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

var (
	alice = session.Key{Kind: "player", ID: "alice"}
	bob   = session.Key{Kind: "player", ID: "bob"}
	carol = session.Key{Kind: "player", ID: "carol"}
)

// world is a database with servers and a follower's view of it.
type world struct {
	testing.TB
	ctx context.Context
	drv driver.DB
	db  *store.DB // the follower's
}

// bubble runs fn in a bubble of simulated time with an empty database in memory.
func bubble(t *testing.T, fn func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fn(newWorld(t, mem.Open()))
		synctest.Wait()
	})
}

func newWorld(t testing.TB, drv driver.DB) *world {
	t.Helper()
	w := &world{TB: t, ctx: t.Context(), drv: drv}
	w.db = w.store(open{readOnly{drv}})
	return w
}

// open is a database that stays open when one of its stores is closed, and readOnly
// one that no follower may write to.
type (
	open     struct{ driver.DB }
	readOnly struct{ driver.DB }
)

func (open) Close() error { return nil }

func (readOnly) Commit(context.Context, driver.Group) ([]driver.Outcome, error) {
	return nil, driver.ErrReadOnly
}

func (readOnly) DeleteRange(context.Context, string, string) (int, error) {
	return 0, driver.ErrReadOnly
}

func (w *world) store(drv driver.DB) *store.DB {
	w.Helper()
	db, err := store.New(drv, nil)
	if err != nil {
		w.Fatalf("store.New: %v", err)
	}
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = db.Close(ctx)
	})
	return db
}

// host is a server with its own way to the database, which can be cut.
type host struct {
	*session.Server
	f *faulty.DB
}

// without, as Options.Feed, is for a server that keeps none.
const without time.Duration = -2

// server starts a server that keeps a feed for an hour, unless o says otherwise.
func (w *world) server(name string, o session.Options) host {
	w.Helper()
	f := faulty.New(open{w.drv})
	db := w.store(f)
	switch o.Feed {
	case 0:
		o.Feed = time.Hour
	case without:
		o.Feed = 0
	}
	o.Name = name
	srv, err := session.Open(w.ctx, db, &o)
	if err != nil {
		w.Fatalf("session.Open(%q): %v", name, err)
	}
	w.Cleanup(func() {
		f.Use()
		f.ReleaseAll()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, _ = srv.Close(ctx)
	})
	return host{srv, f}
}

// kill lets nothing of the server reach the database any more.
func (h host) kill() { h.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown})) }

func (w *world) open(srv host, key session.Key) *session.Session {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, time.Hour)
	defer cancel()
	s, err := srv.Open(ctx, key, nil)
	if err != nil {
		w.Fatalf("%s.Open(%v): %v", srv.Name(), key, err)
	}
	return s
}

// set changes a field and waits until that is in the journal.
func (w *world) set(s *session.Session, field, value, reason string) {
	w.Helper()
	tx, err := s.Begin()
	if err != nil {
		w.Fatalf("begin on %v: %v", s.Key(), err)
	}
	if err := tx.Set(document.Field(field), []byte(value), false); err != nil {
		w.Fatalf("set %s of %v: %v", field, s.Key(), err)
	}
	if reason != "" {
		tx.Because(reason)
	}
	if err := session.Commit(true, tx); err != nil {
		w.Fatalf("commit of %v: %v", s.Key(), err)
	}
	if err := s.Sync(w.ctx); err != nil {
		w.Fatalf("sync %v: %v", s.Key(), err)
	}
}

func (w *world) close(s *session.Session) {
	w.Helper()
	if err := s.Close(w.ctx); err != nil {
		w.Fatalf("close %v: %v", s.Key(), err)
	}
}

func (w *world) shut(srv host) {
	w.Helper()
	if _, err := srv.Close(w.ctx); err != nil {
		w.Fatalf("%s.Close: %v", srv.Name(), err)
	}
}

// drain returns what the feed holds after a position, and the position after that.
func (w *world) drain(from feed.Position) ([]feed.Change, feed.Position) {
	w.Helper()
	changes, at, err := w.tryDrain(from)
	if err != nil {
		w.Fatalf("Follow: %v", err)
	}
	return changes, at
}

func (w *world) tryDrain(from feed.Position) (changes []feed.Change, at feed.Position, err error) {
	at = from
	for c, err := range feed.Follow(w.ctx, w.db, from, &feed.Options{Drain: true, Idle: func(p feed.Position) { at = p }}) {
		if err != nil {
			return changes, at, err
		}
		changes = append(changes, c)
	}
	return changes, at, nil
}

// expired wants a position to be too old.
func (w *world) expired(from feed.Position) {
	w.Helper()
	if changes, _, err := w.tryDrain(from); !errors.Is(err, feed.ErrExpired) {
		w.Errorf("Follow from a position that is too old = %d changes, error %v, want ErrExpired", len(changes), err)
	}
}

// view is what a follower makes of the changes that he gets.
type view struct {
	testing.TB
	docs map[string]*document.Document
	seen map[string]uint64
	news int // changes that were new
}

func newView(t testing.TB) *view {
	return &view{TB: t, docs: make(map[string]*document.Document), seen: make(map[string]uint64)}
}

// take makes a change, unless it came before.
func (v *view) take(c feed.Change) {
	v.Helper()
	key := c.Key.String()
	if !c.Whole && c.Revision <= v.seen[key] {
		return
	}
	d := v.docs[key]
	if d == nil {
		var err error
		if d, err = document.Parse([]byte("{}"), nil); err != nil {
			v.Fatal(err)
		}
		v.docs[key] = d
	}
	if err := c.Apply(d); err != nil {
		v.Fatalf("apply %+v: %v", c, err)
	}
	v.seen[key] = c.Revision
	v.news++
}

// ordered fails unless the changes of each player ascend.
func ordered(t testing.TB, changes []feed.Change) {
	t.Helper()
	last := make(map[session.Key]uint64)
	for i, c := range changes {
		if c.Revision < last[c.Key] || c.Revision == last[c.Key] && !c.Whole {
			t.Errorf("change %d of %v has revision %d after %d", i, c.Key, c.Revision, last[c.Key])
		}
		last[c.Key] = c.Revision
	}
}

// like wants the view to be what the database holds of some players.
func (v *view) like(w *world, keys ...session.Key) {
	v.Helper()
	rd := session.NewReader(w.db, document.Limits{})
	for _, key := range keys {
		root, err := rd.Peek(w.ctx, key)
		if err != nil {
			v.Fatalf("peek %v: %v", key, err)
		}
		got := "{}"
		if d := v.docs[key.String()]; d != nil {
			got = string(d.AppendJSON(nil))
		}
		if want := string(root.Document.AppendJSON(nil)); !document.Equal([]byte(got), []byte(want)) {
			v.Errorf("%v by the feed = %s, want %s", key, got, want)
		}
		if v.seen[key.String()] != root.Revision {
			v.Errorf("revision of %v by the feed = %d, want %d", key, v.seen[key.String()], root.Revision)
		}
	}
}

// texts tells changes in short.
func texts(changes []feed.Change) []string {
	var all []string
	for _, c := range changes {
		text := fmt.Sprintf("%s %d", c.Key.ID, c.Revision)
		if c.Whole {
			text += " whole"
		}
		delta := slices.Clone(c.Delta)
		slices.SortFunc(delta, func(a, b document.Change) int { return slices.Compare([]byte(a.Path.Field), []byte(b.Path.Field)) })
		for _, ch := range delta {
			text += fmt.Sprintf(" %v=%s", ch.Path, ch.Value)
		}
		all = append(all, text)
	}
	return all
}

func (w *world) want(changes []feed.Change, want ...string) {
	w.Helper()
	if got := texts(changes); !slices.Equal(got, want) {
		w.Errorf("the feed tells\n%q, want\n%q", got, want)
	}
}
