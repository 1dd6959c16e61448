package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// instance is one run of a server's process.
type instance struct {
	w        *world
	slot     int
	number   int
	name     string
	lease    string // id of the lease that it took last
	conn     *conn
	db       *store.DB
	srv      *session.Server // nil until it is open
	profiles *profile.Server // over srv, where games use profiles
	book     *receipt.Book   // of profiles
	savers   *profile.Server // beside profiles, for players with save slots
	newer    bool            // it runs the newer version of the game
	asked    int             // how often it asked the older store; the world's mu guards it
	opening  map[string]bool // those who are being opened

	up      bool // its server is open
	dead    bool // killed, or gone after its Close
	killed  bool
	paused  bool
	closing bool
	closes  string // name of the operation that closes its store
	resumed time.Time
	cut     time.Time // until then it does not reach the database

	calls   []*call // under way
	hooks   []*hook
	letters []*letter
	busy    map[string]bool // what it is at, of what it does once at a time
	held    []func()        // what happened to it while it was paused
	holds   []*hold         // open sessions, in the order in which they were opened
}

// startServer starts a process on a machine.
func (w *world) startServer(slot int) *instance {
	in := &instance{w: w, slot: slot, number: len(w.all) + 1, busy: make(map[string]bool), newer: w.drawVersion()}
	in.name = fmt.Sprintf("s%d.%d", slot+1, in.number)
	in.conn = &conn{w: w, in: in, info: driver.Info{
		Name: "sim", Look: w.shape.look, Writers: w.shape.writers, Group: w.shape.group,
	}}
	w.all = append(w.all, in)
	w.slots[slot] = in
	db, err := store.New(in.conn, &store.Options{Timeout: w.shape.timeout, Entropy: w.entropy(in.number)})
	if err != nil {
		w.fail(err)
		return in
	}
	in.db = db
	w.begin(in, 0, "start", func(ctx context.Context) func() {
		err := in.start(ctx)
		return func() {
			w.heard(err)
			w.fail(err)
			in.up = err == nil
		}
	})
	return in
}

// entropy returns a source of ids and jitter of a process's own.
func (w *world) entropy(number int) *rand.ChaCha8 {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], w.seed)
	binary.LittleEndian.PutUint64(seed[8:], uint64(number))
	return rand.NewChaCha8(seed)
}

func (in *instance) options() *session.Options {
	s := &in.w.shape
	o := &session.Options{
		Name: in.name, Lease: s.lease, AppendEvery: s.appendEvery, JournalBytes: s.journal,
		HandOverTime: time.Minute,
	}
	if s.bus {
		o.Bus = &busEnd{in: in}
	}
	return o
}

// start opens the server in the process.
func (in *instance) start(ctx context.Context) (err error) {
	o := in.options()
	s := &in.w.shape
	if !s.typed {
		if s.hook {
			o.HandOver = func(ctx context.Context, s *session.Session) { in.handOver(ctx, s.Key()) }
		}
		in.srv, err = session.Open(ctx, in.db, o)
		return err
	}
	po := &profile.Options{Session: *o, Autosave: -1, OnLoadError: profile.RefusePlayer, FreezeLimit: s.freezeLimit, FreezePatience: s.patience}
	po.Session.Retention, po.OnOpen = &s.versions, in.watchRestores
	if s.imports {
		po.Import = in.importOld
	}
	po.HandOver = func(ctx context.Context, p *profile.Profile) { in.handOver(ctx, p.Key()) }
	po.OnRelease = func(ctx context.Context, p *profile.Profile) { in.wait(ctx, p.Key().ID, true) }
	if in.profiles, err = profile.Open(ctx, in.db, schemaOf, po); err == nil {
		in.srv = in.profiles.Session()
		var slots error
		in.opening = make(map[string]bool)
		in.savers, slots = in.profiles.With(in.saverSchema())
		err = errors.Join(slots, in.receive(), in.openBook())
	}
	return err
}

// shut closes the server in the process.
func (in *instance) shut(ctx context.Context) ([]session.Result, error) {
	if in.profiles != nil {
		return in.profiles.Close(ctx)
	}
	return in.srv.Close(ctx)
}

// shortly is a context that ends soon.
func shortly() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// crash kills a process: nothing that it has not sent happens any more, and of
// what it has sent, the database gets some.
func (w *world) crash(in *instance) {
	w.trace.add("%s is killed", in.name)
	in.killed = true
	for _, k := range in.calls {
		k.dropped = w.chance(0.5)
	}
	w.retire(in)
}

// retire takes a process off its machine, on which another starts later.
func (w *world) retire(in *instance) {
	in.dead, in.holds, in.held = true, nil, nil
	w.slots[in.slot] = nil
	w.after(w.upTo(2*w.shape.lease), nil, func() {
		if !w.calm {
			w.startServer(in.slot)
		}
	})
}

// pause stops a process as SIGSTOP does: nothing of it goes on until resume.
func (w *world) pause(in *instance) {
	d := w.upTo(3 * w.shape.lease)
	w.trace.add("%s is paused for %v", in.name, d)
	in.paused = true
	w.after(d, nil, func() { w.resume(in) })
}

// resume lets a paused process go on.
func (w *world) resume(in *instance) {
	if in.dead || !in.paused {
		return
	}
	w.trace.add("%s goes on", in.name)
	in.paused, in.resumed = false, time.Now()
	held := in.held
	in.held = nil
	for _, do := range held {
		w.after(w.upTo(time.Millisecond), in, do)
	}
}

// cutOff takes the database away from one server for a while.
func (w *world) cutOff(in *instance) {
	d := w.upTo(3 * w.shape.lease)
	w.trace.add("%s is cut off for %v", in.name, d)
	in.cut = time.Now().Add(d)
}

// closeServer shuts a server down properly.
func (w *world) closeServer(in *instance) {
	limit, healthy := time.Minute, w.calm
	if !w.calm && w.chance(0.5) {
		limit = w.upTo(5 * time.Second)
	}
	in.closing = true
	w.begin(in, limit, "shut down", func(ctx context.Context) func() {
		results, err := in.shut(ctx)
		return func() {
			w.heard(err)
			w.shutDown(in, results, err, healthy)
			w.closeStore(in)
		}
	})
}

// shutDown checks what a server said of its sessions when it closed.
func (w *world) shutDown(in *instance, results []session.Result, err error, healthy bool) {
	if healthy && err != nil {
		w.fail(fmt.Errorf("%s did not shut down in a healthy world: %w", in.name, err))
	}
	for _, r := range results {
		p := w.check.byRoot[r.Key.String()]
		switch {
		case r.Err == nil:
			if h := in.holdOf(p); h != nil {
				w.fail(w.check.released(h.head, h.session, w.current.name))
			}
		case healthy && !errors.Is(r.Err, session.ErrLost):
			w.fail(fmt.Errorf("%s did not release %v in a healthy world: %w", in.name, r.Key, r.Err))
		}
	}
}

// closeStore closes what a closed server stood on, and ends its process. It lets its
// callers hear first that the server has closed, but does not wait for all of them.
func (w *world) closeStore(in *instance) {
	gate, began := make(chan struct{}), time.Now()
	var look func()
	look = func() {
		busy := slices.ContainsFunc(w.ops, func(o *op) bool { return o.in == in && o.name != in.closes })
		if busy && time.Since(began) < time.Second {
			w.after(time.Millisecond, in, look)
			return
		}
		close(gate)
	}
	w.after(0, in, look)
	o := w.begin(in, 10*time.Second, "close its store", func(ctx context.Context) func() {
		select {
		case <-gate:
		case <-ctx.Done(): // the process is killed, or stopped
		}
		err := in.db.Close(ctx)
		return func() {
			w.heard(err)
			w.retire(in)
		}
	})
	in.closes = o.name
}

// stop ends a process for good, when its database is gone.
func (in *instance) stop() {
	if in.srv != nil {
		_, _ = in.shut(shortly())
	}
	if in.db != nil {
		_ = in.db.Close(shortly())
	}
}

func (in *instance) holdOf(p *player) *hold {
	for _, h := range in.holds {
		if h.p == p {
			return h
		}
	}
	return nil
}

// hook is a game that wants to finish before a session is handed over.
type hook struct {
	in    *instance
	what  string
	short bool // it is the last word before a release, after which only its order counts
	done  chan struct{}
}

// handOver is the game's, called before a session is handed over.
func (in *instance) handOver(ctx context.Context, key session.Key) { in.wait(ctx, key.ID, false) }

// wait lets the world decide how long the game takes for something.
func (in *instance) wait(ctx context.Context, what string, short bool) {
	h := &hook{in: in, what: what, short: short, done: make(chan struct{})}
	in.w.mu.Lock()
	in.w.inbox.hooks = append(in.w.inbox.hooks, h)
	in.w.mu.Unlock()
	in.w.signal()
	select {
	case <-h.done:
	case <-ctx.Done():
	}
}

// hooked lets a game finish after a while.
func (w *world) hooked(h *hook) {
	h.in.hooks = append(h.in.hooks, h)
	d := w.upTo(time.Microsecond)
	if w.shape.hook && !h.short {
		d = w.upTo(300 * time.Millisecond)
	}
	w.after(d, h.in, func() {
		w.trace.add("%s has finished with %s", h.in.name, h.what)
		h.in.hooks = slices.DeleteFunc(h.in.hooks, func(o *hook) bool { return o == h })
		close(h.done)
	})
}
