package trade_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/internal/market"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
	"github.com/holdfast-games/holdfast/trade"
)

var (
	coins  = profile.Int("coins", 100, profile.Min(0))
	bag    = profile.Set("bag")
	idle   = profile.Int("idle", 0, profile.Lazy())
	player = profile.NewSchema("player", coins, bag, idle)

	gold  = profile.Int("gold", 0, profile.Min(0))
	guild = profile.NewSchema("guild", gold)
)

// world is a database with servers that talk over a bus, in a bubble of simulated
// time.
type world struct {
	*testing.T
	ctx context.Context
	db  *mem.DB
	hub *bus.Local
}

// bubble runs fn in a bubble with an empty database.
func bubble(t *testing.T, fn func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fn(&world{t, t.Context(), mem.Open(), bus.NewLocal()})
		synctest.Wait()
	})
}

// open keeps the shared database open when one server's store is closed.
type open struct{ driver.DB }

func (open) Close() error { return nil }

// host is a server with its own connection to the database and to the bus, both of
// which fail as the test asks.
type host struct {
	*profile.Server
	f    *faulty.DB
	line *line
	dead bool
}

// server starts a server of players, which is closed with the test.
func (w *world) server(name string, o *profile.Options) *host {
	w.Helper()
	return w.serverOf(player, name, o)
}

// market starts a server of traders.
func (w *world) market(name string) *host {
	w.Helper()
	return w.serverOf(market.Trader, name, nil)
}

func (w *world) serverOf(schema *profile.Schema, name string, o *profile.Options) *host {
	w.Helper()
	b, err := w.hub.Open(nil)
	if err != nil {
		w.Fatalf("open a bus: %v", err)
	}
	h := &host{f: faulty.New(open{w.db}), line: &line{Bus: b}}
	db, err := store.New(h.f, nil)
	if err != nil {
		w.Fatalf("store.New: %v", err)
	}
	var opts profile.Options
	if o != nil {
		opts = *o
	}
	opts.Session.Name, opts.Session.Bus = name, h.line
	if h.Server, err = profile.Open(w.ctx, db, schema, &opts); err != nil {
		w.Fatalf("profile.Open(%q): %v", name, err)
	}
	w.Cleanup(func() {
		h.heal()
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		if h.dead {
			cancel()
		}
		defer cancel()
		_, _ = h.Close(ctx)
		_ = db.Close(ctx)
		_ = b.Close()
	})
	return h
}

// serverWithoutBus starts a server that can ask nobody.
func (w *world) serverWithoutBus(name string) *profile.Server {
	w.Helper()
	db, err := store.New(open{w.db}, nil)
	if err != nil {
		w.Fatalf("store.New: %v", err)
	}
	o := &profile.Options{}
	o.Session.Name = name
	srv, err := profile.Open(w.ctx, db, player, o)
	if err != nil {
		w.Fatalf("profile.Open(%q): %v", name, err)
	}
	w.Cleanup(func() {
		_, _ = srv.Close(context.Background())
		_ = db.Close(context.Background())
	})
	return srv
}

// crash ends a server as SIGKILL would: nothing of it reaches the database or the
// bus any more.
func (h *host) crash() {
	h.dead = true
	h.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}))
	h.line.use(func([]byte) fate { return lost })
}

// heal ends what the test has asked to fail, unless the server has crashed.
func (h *host) heal() {
	if !h.dead {
		h.f.Use()
		h.f.ReleaseAll()
		h.line.use(nil)
		h.line.release()
	}
}

// line is a server's end of the bus.
type line struct {
	*bus.Bus

	mu   sync.Mutex
	plan func(msg []byte) fate
	held []func()
}

// fate is what becomes of a message.
type fate int

const (
	sent fate = iota
	lost
	doubled
	held // until the test releases it
)

func (l *line) use(plan func(msg []byte) fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.plan = plan
}

// release sends what is held.
func (l *line) release() {
	l.mu.Lock()
	late := l.held
	l.held = nil
	l.mu.Unlock()
	for _, fn := range late {
		fn()
	}
}

// PublishSystem implements session.Bus.
func (l *line) PublishSystem(ctx context.Context, topic string, msg []byte) error {
	l.mu.Lock()
	f := sent
	if l.plan != nil {
		f = l.plan(msg)
	}
	if f == held {
		l.held = append(l.held, func() { _ = l.Bus.PublishSystem(context.Background(), topic, msg) })
	}
	l.mu.Unlock()
	switch f {
	case lost, held:
		return nil
	case doubled:
		_ = l.Bus.PublishSystem(ctx, topic, msg)
	}
	return l.Bus.PublishSystem(ctx, topic, msg)
}

// asks reports whether a message asks a question of a verb; the empty verb stands
// for answers.
func asks(msg []byte, verb string) bool {
	if verb == "" {
		return bytes.Contains(msg, []byte(`"call":`)) && !bytes.Contains(msg, []byte(`"verb":`))
	}
	return bytes.Contains(msg, []byte(`"verb":"`+verb+`"`))
}

// all gives one fate to all questions of a verb.
func all(verb string, f fate) func([]byte) fate {
	return func(msg []byte) fate {
		if asks(msg, verb) {
			return f
		}
		return sent
	}
}

func (w *world) load(h *host, id string) *profile.Profile {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Minute)
	defer cancel()
	p, err := h.Open(ctx, id, nil)
	if err != nil {
		w.Fatalf("Open(%q): %v", id, err)
	}
	if p.Err() != nil {
		w.Fatalf("Open(%q): the profile is errored: %v", id, p.Err())
	}
	return p
}

func (w *world) update(p *profile.Profile, fn func(tx *profile.Tx) error, opts ...profile.UpdateOption) {
	w.Helper()
	if err := p.Update(fn, opts...); err != nil {
		w.Fatalf("Update of %v: %v", p.Key(), err)
	}
}

// pay is a trade in which the first pays the others.
func pay(n int64) func([]*profile.Tx) error {
	return func(txs []*profile.Tx) error {
		for _, tx := range txs[1:] {
			if err := coins.Add(txs[0], -n); err != nil {
				return err
			}
			if err := coins.Add(tx, n); err != nil {
				return err
			}
		}
		return nil
	}
}

func (w *world) trade(h *host, n int64, ids ...string) {
	w.Helper()
	if err := trade.Do(w.ctx, h.Server, ids, pay(n), nil); err != nil {
		w.Fatalf("Do(%q) = %v", ids, err)
	}
}

// has wants a loaded profile to have so many coins.
func (w *world) has(p *profile.Profile, n int64) {
	w.Helper()
	if got := coins.Get(p); got != n {
		w.Errorf("%v has %d coins, want %d", p.Key(), got, n)
	}
}

// stored wants the database to hold so many coins of a player.
func (w *world) stored(h *host, id string, n int64) {
	w.Helper()
	c, err := h.Peek(w.ctx, id)
	if err != nil {
		w.Fatalf("Peek(%q): %v", id, err)
	}
	if got := coins.Get(c); got != n {
		w.Errorf("%q is stored with %d coins, want %d", id, got, n)
	}
}

// later runs fn and returns a channel with its error.
func later(fn func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	synctest.Wait()
	return done
}
