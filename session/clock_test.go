package session_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// clock is a database whose clock goes wrong: it jumps.
type clock struct {
	driver.DB
	mu    sync.Mutex
	jumps []jump
}

type jump struct{ at, by time.Duration }

// jump moves the clock from now on.
func (c *clock) jump(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jumps = append(c.jumps, jump{at: c.tick(), by: by})
}

func (c *clock) tick() time.Duration {
	snap, err := c.DB.Read(context.Background())
	if err != nil {
		return 0
	}
	return snap.Now.Tick
}

// told returns what the wrong clock shows at a moment of the right one.
func (c *clock) told(m driver.Moment) driver.Moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := m.Tick
	for _, j := range c.jumps {
		if at >= j.at {
			m.Tick += j.by
			m.Wall = m.Wall.Add(j.by)
		}
	}
	return m
}

func (c *clock) tell(s driver.Snapshot, err error) (driver.Snapshot, error) {
	s.Now = c.told(s.Now)
	for i := range s.Entries {
		if s.Entries[i].Found() {
			s.Entries[i].Updated = c.told(s.Entries[i].Updated)
		}
	}
	return s, err
}

func (c *clock) Read(ctx context.Context, keys ...string) (driver.Snapshot, error) {
	return c.tell(c.DB.Read(ctx, keys...))
}

func (c *clock) List(ctx context.Context, q driver.Query) (driver.Snapshot, error) {
	return c.tell(c.DB.List(ctx, q))
}

func (c *clock) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	outcomes, err := c.DB.Commit(ctx, g)
	for i := range outcomes {
		outcomes[i].Updated = c.told(outcomes[i].Updated)
	}
	return outcomes, err
}

// clocksDiffer lets two servers see different times: the living one keeps its
// player, and the dead one's is taken over no sooner and no later than else.
func clocksDiffer(w *world, owner, taker time.Duration) {
	ofOwner, ofTaker := &clock{DB: open{w.db}}, &clock{DB: open{w.db}}
	ofOwner.jumps = []jump{{by: owner}}
	ofTaker.jumps = []jump{{by: taker}}
	a, b := w.serverOn("a", ofOwner, slow()), w.serverOn("b", ofTaker, nil)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	w.sync(s)
	staysWith(w, s, b)
	a.kill()
	began := time.Now()
	w.want(w.open(b, alice), "coins", "1")
	if took := time.Since(began); took < 8*time.Second || took > 12*time.Second {
		w.t.Errorf("take-over took %v, want about the lease's 10 s", took)
	}
}

// staysWith wants another server to wait in vain for a minute.
func staysWith(w *world, s *session.Session, other host) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	taken, err := other.Open(ctx, s.Key(), nil)
	var locked *session.LockedError
	if !errors.As(err, &locked) || !errors.Is(err, session.ErrLocked) || !errors.Is(err, context.DeadlineExceeded) {
		w.t.Fatalf("%s.Open of what another holds = %v, %v; want a LockedError", other.Name(), taken, err)
	}
	if locked.Holder.Session != s.ID() {
		w.t.Errorf("the LockedError names session %s, want %s", locked.Holder.Session, s.ID())
	}
	if err := s.Err(); err != nil {
		w.t.Errorf("a living server lost its session: %v", err)
	}
}

// clockJumps moves the database's clock under living servers, again and again,
// and then under a dead one.
func clockJumps(w *world, by time.Duration) {
	c := &clock{DB: open{w.db}}
	a, b := w.serverOn("a", c, slow()), w.serverOn("b", c, slow())
	x, y := w.open(a, alice), w.open(b, bob)
	w.set(x, "coins", "1")
	w.sync(x)
	time.Sleep(15 * time.Second)
	for range 10 {
		c.jump(by)
		time.Sleep(1700 * time.Millisecond)
	}
	time.Sleep(time.Minute)
	if x.Err() != nil || y.Err() != nil {
		w.t.Errorf("living servers lost their sessions: %v, %v", x.Err(), y.Err())
	}
	a.kill()
	time.Sleep(2 * time.Second)
	c.jump(by)
	began := time.Now()
	w.want(w.open(b, alice), "coins", "1")
	if took := time.Since(began); took > 12*time.Second {
		w.t.Errorf("take-over took %v after the clock jumped by %v", took, by)
	}
}

// swap is a connection that can be turned to another database.
type swap struct {
	driver.DB
	mu sync.Mutex
}

func (s *swap) set(db driver.DB) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.DB = db
}

func (s *swap) now() driver.DB {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.DB
}

func (s *swap) Info() driver.Info { return s.now().Info() }

func (s *swap) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	return s.now().Commit(ctx, g)
}

func (s *swap) Read(ctx context.Context, keys ...string) (driver.Snapshot, error) {
	return s.now().Read(ctx, keys...)
}

func (s *swap) List(ctx context.Context, q driver.Query) (driver.Snapshot, error) {
	return s.now().List(ctx, q)
}

func (s *swap) DeleteRange(ctx context.Context, from, to string) (int, error) {
	return s.now().DeleteRange(ctx, from, to)
}
