package outage_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/internal/wire"
	"github.com/holdfast-games/holdfast/postgres"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// leaseLength is a server's lease, unless the fleet says otherwise.
const leaseLength = session.MinLease

// fleet is several servers on one cluster. Its methods belong to the test's
// goroutine.
type fleet struct {
	t         *testing.T
	ctx       context.Context
	lease     time.Duration
	isolation postgres.Isolation
	began     time.Time
	hub       *bus.Local // nil: without a bus
	cluster   *pgtest.Cluster
	check     *checker
	dice      *rand.Rand
	plan      func(seed uint64) wire.Plan // of each server's wire; nil: it is good
	wrap      func(driver.DB) driver.DB   // puts something between store and driver; nil: nothing
	servers   []*server
	started   int
	happened  map[wire.Action]int // on wires that have been closed
}

// server is one server of a fleet with its own way to the database.
type server struct {
	f      *fleet
	name   string
	proxy  *wire.Proxy
	db     *store.DB
	bus    *bus.Bus // nil: without one
	srv    *session.Server
	actors sync.WaitGroup
	stop   context.CancelFunc // ends the actors

	mu     sync.Mutex
	held   map[*session.Session]*player
	opened map[*player]*update // what was kept when the opening began that has not succeeded yet
}

func newFleet(t *testing.T, seed uint64, players int) *fleet {
	t.Helper()
	f := &fleet{
		t: t, ctx: t.Context(), lease: leaseLength, began: time.Now(), isolation: isolations[seed%2], cluster: pgtest.Start(t), check: newChecker(players),
		dice: rand.New(rand.NewPCG(seed, 1)), happened: make(map[wire.Action]int),
	}
	if seed%4 < 2 {
		f.hub = bus.NewLocal()
	}
	t.Logf("HOLDFAST_SEED=%d, %s, bus: %v", seed, f.isolation, f.hub != nil)
	return f
}

// start adds a server to the fleet, without actors.
func (f *fleet) start() *server {
	f.t.Helper()
	s, err := f.newServer()
	if err != nil {
		f.t.Fatalf("start a server: %v", err)
	}
	f.servers = append(f.servers, s)
	return s
}

func (f *fleet) newServer() (*server, error) {
	f.started++
	s := &server{f: f, name: fmt.Sprintf("s%d", f.started), stop: func() {}, held: make(map[*session.Session]*player), opened: make(map[*player]*update)}
	var err error
	if s.proxy, err = wire.ListenPostgres(f.cluster.URL()); err != nil {
		return nil, err
	}
	drv, err := s.connect()
	if err != nil {
		return nil, errors.Join(err, s.proxy.Close())
	}
	// A call that is not answered is repeated after a second: before an attempt
	// that was left behind arrives.
	s.db, err = store.New(drv, &store.Options{Timeout: time.Second, Retention: &driver.Retention{}})
	if err != nil {
		return nil, errors.Join(err, drv.Close(), s.proxy.Close())
	}
	if f.plan != nil {
		s.proxy.Use(f.plan(f.dice.Uint64()))
	}
	if err = s.serve(); err != nil {
		return nil, errors.Join(err, s.db.Close(ended()), s.proxy.Close())
	}
	return s, nil
}

// serve starts the session server. Of a player it keeps every version, for the
// audit.
func (s *server) serve() (err error) {
	o := &session.Options{Name: s.name, Lease: s.f.lease, Retention: &driver.Retention{}}
	if s.f.hub != nil {
		if s.bus, err = s.f.hub.Open(nil); err != nil {
			return err
		}
		o.Bus = s.bus
	}
	s.srv, err = session.Open(s.f.ctx, s.db, o)
	return err
}

// connect opens the database through the server's wire.
func (s *server) connect() (driver.DB, error) {
	url, err := s.proxy.URL(s.f.cluster.URL())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(s.f.ctx, time.Minute)
	defer cancel()
	drv, err := openAt(ctx, url, s.f.isolation)
	if err == nil && s.f.wrap != nil {
		drv = s.f.wrap(drv)
	}
	return drv, err
}

// ended returns a context that has ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// remove takes a server off the list, and its wire away.
func (f *fleet) remove(s *server) {
	f.servers = slices.DeleteFunc(f.servers, func(o *server) bool { return o == s })
	for at := wire.Before; at <= wire.MidAnswer; at++ {
		for do := wire.Cut; do <= wire.Mute; do++ {
			f.happened[do] += s.proxy.Happened(at, do)
		}
	}
	if err := s.proxy.Close(); err != nil {
		f.t.Errorf("close the wire of %s: %v", s.name, err)
	}
	if s.bus != nil {
		if err := s.bus.Close(); err != nil {
			f.t.Errorf("close the bus of %s: %v", s.name, err)
		}
	}
}

// vanish ends a server without a word to the database, as a crash would. What
// its wire still holds may arrive later.
func (f *fleet) vanish(s *server) {
	s.proxy.Refuse(true)
	s.proxy.Cut()
	s.stop()
	_, err := s.srv.Close(ended())
	f.check.tolerates(err, s.name+" vanishes")
	f.check.tolerates(s.db.Close(ended()), s.name+" vanishes")
	s.actors.Wait()
	f.remove(s)
}

// shutDown ends a server properly. Everything that it held must be released,
// or have been lost to another before.
func (f *fleet) shutDown(s *server) {
	s.stop()
	s.actors.Wait()
	ctx, cancel := context.WithTimeout(f.ctx, time.Minute)
	defer cancel()
	results, err := s.srv.Close(ctx)
	if err != nil {
		f.check.fail(fmt.Errorf("shut %s down: %w", s.name, err))
	}
	for _, r := range results {
		if r.Err != nil && !errors.Is(r.Err, session.ErrLost) {
			f.check.fail(fmt.Errorf("shut %s down: %w", s.name, r.Err))
		}
	}
	if err := s.db.Close(ctx); err != nil {
		f.check.fail(fmt.Errorf("shut %s down: %w", s.name, err))
	}
	f.remove(s)
}

// awaits returns what the next session of a player must hold: what was kept when
// the first of the calls began that share its opening, as far as is known.
func (s *server) awaits(p *player) *update {
	now := s.f.check.floor(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened[p] == nil {
		s.opened[p] = now
	}
	return s.opened[p]
}

// take notes a session that the server's actors can use, and reports whether
// they did not know it.
func (s *server) take(p *player, ss *session.Session) (fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.opened, p)
	_, known := s.held[ss]
	if ss.Err() == nil {
		s.held[ss] = p
	}
	return !known
}

// lose forgets a session that has ended.
func (s *server) lose(ss *session.Session, err error) {
	s.mu.Lock()
	delete(s.held, ss)
	s.mu.Unlock()
	s.f.check.lost(err)
	s.f.check.tolerates(err, s.name+" loses "+ss.Key().ID)
}

// some returns up to n sessions that the server holds, in an order by chance.
func (s *server) some(dice *rand.Rand, n int) []*session.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*session.Session, 0, len(s.held))
	for ss := range s.held {
		all = append(all, ss)
	}
	slices.SortFunc(all, func(a, b *session.Session) int { return cmp.Compare(a.ID(), b.ID()) })
	dice.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(n, len(all))]
}

func (s *server) playerOf(ss *session.Session) *player {
	for _, p := range s.f.check.players {
		if p.key == ss.Key() {
			return p
		}
	}
	return nil
}
