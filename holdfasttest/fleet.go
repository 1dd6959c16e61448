package holdfasttest

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

// patience bounds what a test waits for, in the time of its bubble.
const patience = 10 * time.Minute

// Fleet is a database in memory with servers on it, in a bubble of simulated
// time. Use it only within the function that Run was given.
type Fleet struct {
	t       *testing.T
	db      *mem.DB
	bus     *bus.Local
	members map[*profile.Server]*member
	order   []*member
}

// member is one server of a fleet.
type member struct {
	srv   *profile.Server
	store *store.DB
	bus   *bus.Bus
	link  *link
	ended bool
}

// Run runs fn as a test in a bubble of its own with an empty fleet, and closes
// the fleet's servers afterwards.
func Run(t *testing.T, fn func(t *testing.T, f *Fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &Fleet{t: t, db: mem.Open(), bus: bus.NewLocal(), members: make(map[*profile.Server]*member)}
		defer f.close()
		fn(t, f)
	})
}

// Server starts a server of the fleet, under a name that others see. The
// options' Session.Name and Session.Bus are set by the fleet.
func (f *Fleet) Server(name string, schema *profile.Schema, o *profile.Options) *profile.Server {
	f.t.Helper()
	var opts profile.Options
	if o != nil {
		opts = *o
	}
	b, err := f.bus.Open(&bus.Options{Logger: opts.Session.Logger})
	if err != nil {
		f.t.Fatalf("holdfasttest: open a bus: %v", err)
	}
	opts.Session.Name, opts.Session.Bus = name, b
	m := &member{link: &link{DB: f.db}, bus: b}
	m.srv, m.store = start(f.t, m.link, schema, &opts)
	f.members[m.srv] = m
	f.order = append(f.order, m)
	return m.srv
}

// Bus returns a server's end of the bus that connects the fleet, for a game that
// uses it for messages of its own. It is closed with the server.
func (f *Fleet) Bus(srv *profile.Server) *bus.Bus {
	f.t.Helper()
	return f.member(srv).bus
}

// Advance lets d pass, with everything that the fleet does meanwhile.
func (f *Fleet) Advance(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// Crash ends a server as SIGKILL would: nothing of it reaches the database or
// the bus any more, and nothing that is in its memory only will ever be seen. Whoever opens
// one of its players waits until its lease has run out.
func (f *Fleet) Crash(srv *profile.Server) {
	f.t.Helper()
	m := f.member(srv)
	m.link.cut.Store(true)
	m.ended = true
	_ = m.bus.Close()
}

// Cut parts a server from the database until Join: its calls get no answer.
// After the length of its lease it is suspended, and others may take its
// players over.
func (f *Fleet) Cut(srv *profile.Server) {
	f.t.Helper()
	f.member(srv).link.cut.Store(true)
}

// Join ends Cut.
func (f *Fleet) Join(srv *profile.Server) {
	f.t.Helper()
	f.member(srv).link.cut.Store(false)
}

// Stop closes a server as at a shutdown, and fails the test unless every player
// was saved.
func (f *Fleet) Stop(srv *profile.Server) {
	f.t.Helper()
	m := f.member(srv)
	m.ended = true
	stop(f.t, m.srv, m.store)
	_ = m.bus.Close()
}

func (f *Fleet) member(srv *profile.Server) *member {
	f.t.Helper()
	m := f.members[srv]
	if m == nil {
		f.t.Fatal("holdfasttest: the server is not one of this fleet")
	}
	return m
}

// close ends all servers: those that were crashed without a word, as they have
// nothing to say any more.
func (f *Fleet) close() {
	for _, m := range f.order {
		if !m.ended && !m.link.cut.Load() {
			stop(f.t, m.srv, m.store)
			_ = m.bus.Close()
			continue
		}
		now, cancel := context.WithCancel(context.Background())
		cancel()
		_, _ = m.srv.Close(now) // its players cannot be saved: that is what a crash means
		_ = m.store.Close(now)
		_ = m.bus.Close() // unless that is done
	}
	synctest.Wait()
}

// link is a server's connection to the database, which can be cut. Closing it
// leaves the database open for the others.
type link struct {
	driver.DB
	cut atomic.Bool
}

func (l *link) Close() error { return nil }

func (l *link) check() error {
	if l.cut.Load() {
		return driver.ErrUnavailable
	}
	return nil
}

// Commit implements driver.DB.
func (l *link) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	return l.DB.Commit(ctx, g)
}

// Read implements driver.DB.
func (l *link) Read(ctx context.Context, keys ...string) (driver.Snapshot, error) {
	if err := l.check(); err != nil {
		return driver.Snapshot{}, err
	}
	return l.DB.Read(ctx, keys...)
}

// List implements driver.DB.
func (l *link) List(ctx context.Context, q driver.Query) (driver.Snapshot, error) {
	if err := l.check(); err != nil {
		return driver.Snapshot{}, err
	}
	return l.DB.List(ctx, q)
}

// Count implements driver.DB.
func (l *link) Count(ctx context.Context, from, to string, limit int) (int, string, error) {
	if err := l.check(); err != nil {
		return 0, "", err
	}
	return l.DB.Count(ctx, from, to, limit)
}

// Versions implements driver.DB.
func (l *link) Versions(ctx context.Context, key string) ([]driver.Entry, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	return l.DB.Versions(ctx, key)
}

// ReadVersion implements driver.DB.
func (l *link) ReadVersion(ctx context.Context, key string, v driver.Version) (driver.Entry, error) {
	if err := l.check(); err != nil {
		return driver.Entry{}, err
	}
	return l.DB.ReadVersion(ctx, key, v)
}

// DeleteRange implements driver.DB.
func (l *link) DeleteRange(ctx context.Context, from, to string) (int, error) {
	if err := l.check(); err != nil {
		return 0, err
	}
	return l.DB.DeleteRange(ctx, from, to)
}
