package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// ServerOptions are what a server process of the demo runs with. What differs
// from server to server it is told by the director.
type ServerOptions struct {
	Open    func(ctx context.Context, url string) (driver.DB, error)
	OpenBus OpenBus   // may be nil if no director has a bus
	Log     io.Writer // for warnings
}

// Bus is what servers talk over.
type Bus interface {
	session.Bus
	Close() error
}

// OpenBus opens a bus by its URL.
type OpenBus func(ctx context.Context, url string) (Bus, error)

var errSetup = errors.New("start a server of a demo: the first line of its input does not say what it runs with")

const (
	// closeTime bounds the saving and releasing of all players, and is more
	// than a slow machine needs.
	closeTime = time.Minute
	// endTime bounds what comes after that, when each player is saved or was
	// reported as not saved.
	endTime = 5 * time.Second
)

// Serve is what a server process of the demo does: it reads its setup and then
// carries out the orders that come from in, one line of JSON each, and answers to
// out. It returns when it was told to close, or when in ends because the director
// is gone; players are saved then, too.
func Serve(ctx context.Context, in io.Reader, out io.Writer, o *ServerOptions) error {
	orders := newScanner(in)
	with, err := readLine[setup](orders)
	if err != nil {
		return errSetup // and no more of it: there may be a password in it
	}
	h := &host{name: with.Name, out: &lines{w: out}, guests: make(map[string]*guest), doors: make(map[string]*sync.Mutex), leave: make(chan struct{})}
	end, err := h.open(ctx, &with, o)
	if err != nil {
		return fmt.Errorf("start server %q: %w", with.Name, err)
	}
	err = h.run(ctx, orders)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	return errors.Join(err, end(ctx))
}

// host is a server process at work.
type host struct {
	name   string
	srv    *profile.Server
	out    *lines
	meter  *meter
	stalls stalls
	once   sync.Once
	leave  chan struct{} // closed when it was told to close
	lacks  error         // why there is no bus; nil: there is, or none was wanted

	mu     sync.Mutex // guards what follows
	guests map[string]*guest
	doors  map[string]*sync.Mutex // by player: one opening is counted at a time
}

// guest is a player who is on this server.
type guest struct {
	p       *profile.Profile
	ordinal int64
	ended   sync.Once
}

func (h *host) tell(a answer) {
	// If nobody reads any more, the end of the orders says so too.
	_ = h.out.write(a)
}

// open opens the database, the bus and the server on them. End closes what lies
// below the server.
func (h *host) open(ctx context.Context, with *setup, o *ServerOptions) (end func(context.Context) error, err error) {
	drv, err := o.Open(ctx, with.DB)
	if err != nil {
		return nil, err
	}
	h.meter = &meter{DB: drv, tell: h.tell}
	log := slog.New(slog.NewTextHandler(o.Log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	db, err := store.New(h.meter, &store.Options{Logger: log})
	if err != nil {
		return nil, errors.Join(err, drv.Close())
	}
	so := session.Options{
		Name: with.Name, Lease: time.Duration(with.Lease) * time.Microsecond, AppendEvery: AppendEvery,
		Suspended: h.suspended, Logger: log,
	}
	end = db.Close
	if with.Bus != "" {
		b, err := o.OpenBus(ctx, with.Bus)
		if err == nil {
			so.Bus, end = b, func(ctx context.Context) error { return errors.Join(db.Close(ctx), b.Close()) }
		}
		h.lacks = err // and that is no reason not to start: a bus only makes things faster
	}
	h.srv, err = profile.Open(ctx, db, schema, &profile.Options{
		Session:     so,
		Autosave:    autosave,
		OnLoadError: profile.RefusePlayer,
	})
	if err != nil {
		return nil, errors.Join(err, end(ctx))
	}
	return end, nil
}

// suspended tells whether the server trusts its lease.
func (h *host) suspended(is bool) {
	a := answer{News: newsTrusted, Made: time.Now().UnixMicro()}
	if is {
		a.News = newsSuspended
	}
	h.tell(a)
}

// run carries out orders until it is told to close or there are no more.
func (h *host) run(ctx context.Context, orders *bufio.Scanner) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var jobs sync.WaitGroup
	jobs.Go(func() { h.stalls.watch(ctx) })
	jobs.Go(func() { h.beat(ctx) })
	h.tell(h.ready())
	read := make(chan error, 1)
	go func() { // a blocked read cannot be ended; it ends with the process
		read <- readLines(orders, func(o order) { go h.answer(ctx, o) })
	}()
	var err error
	select {
	case err = <-read:
		_, closed := h.close(ctx, closeTime)
		err = errors.Join(err, closed)
	case <-h.leave:
	}
	cancel()
	jobs.Wait()
	return err
}

// ready says that the server has its lease, and what it lacks.
func (h *host) ready() answer {
	a := answer{News: newsReady}
	if h.lacks != nil {
		a.Error = h.lacks.Error()
	}
	return a
}

// pulseEvery is the time from one pulse to the next.
const pulseEvery = 200 * time.Millisecond

// beat tells how the server is, until ctx ends.
func (h *host) beat(ctx context.Context) {
	t := time.NewTicker(pulseEvery)
	defer t.Stop()
	for n := int64(1); ; n++ {
		ss := h.srv.Session()
		p := &pulse{Beat: n, Lease: ss.LeaseID(), Suspended: ss.Suspended(), Players: ss.Len(), Stall: h.stalls.max().Microseconds()}
		h.meter.fill(p)
		h.tell(answer{News: newsPulse, Pulse: p})
		h.meter.look()
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// answer carries out one order.
func (h *host) answer(ctx context.Context, o order) {
	var a answer
	var err error
	switch o.Do {
	case doOpen:
		a, err = h.take(ctx, o)
	case doUpdate:
		a, err = h.update(ctx, o)
	case doGive:
		a, err = h.give(ctx, o)
	case doSave:
		a, err = h.save(ctx, o)
	case doLeave:
		err = h.srv.Leave(ctx, o.Player)
	case doClose:
		a.Results, err = h.close(ctx, o.within())
	default:
		err = fmt.Errorf("unknown order %q", o.Do)
	}
	a.ID, a.Player = o.ID, o.Player
	if err != nil {
		a.Error, a.Suspended = err.Error(), errors.Is(err, session.ErrSuspended)
	}
	h.tell(a)
	if o.Do == doClose {
		h.once.Do(func() { close(h.leave) })
	}
}

// take takes a player in and counts the opening, durably.
func (h *host) take(ctx context.Context, o order) (a answer, err error) {
	began := time.Now()
	var held atomic.Bool
	p, err := h.srv.Open(ctx, o.Player, &profile.OpenOptions{
		MustExist: true, Waiting: func(session.Holder) { held.Store(true) },
	})
	if err != nil {
		return a, err
	}
	a.Made, a.Took, a.Held = time.Now().UnixMicro(), time.Since(began).Microseconds(), held.Load()
	// An order that nobody waits for any more may come to an end together with
	// the next one: they share one session, which is counted once.
	door := h.door(o.Player)
	door.Lock()
	defer door.Unlock()
	if g, err := h.guest(o.Player); err == nil && g.p == p {
		a.Ordinal, a.Again = g.ordinal, true
		return a, nil
	}
	err = p.Update(func(tx *profile.Tx) error {
		if err := opened.Add(tx, 1); err != nil {
			return err
		}
		a.Ordinal, a.Seq, a.Done = opened.Get(tx), updates.Get(tx), done.Get(tx)
		return server.Set(tx, h.name)
	}, profile.Durable(ctx))
	if err != nil {
		return a, errors.Join(err, p.Close(ctx))
	}
	h.admit(&guest{p: p, ordinal: a.Ordinal}, o.Player)
	return a, nil
}

func (h *host) door(id string) *sync.Mutex {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.doors[id] == nil {
		h.doors[id] = new(sync.Mutex)
	}
	return h.doors[id]
}

// admit makes a guest known, and sees to it that his end is told.
func (h *host) admit(g *guest, id string) {
	h.mu.Lock()
	h.guests[id] = g
	h.mu.Unlock()
	g.p.OnEnded(func(end profile.End) { h.ended(g, id, end) })
	if end, ok := g.p.Ended(); ok { // before anybody listened
		h.ended(g, id, end)
	}
}

func (h *host) ended(g *guest, id string, end profile.End) {
	g.ended.Do(func() {
		h.mu.Lock()
		if h.guests[id] == g {
			delete(h.guests, id)
		}
		h.mu.Unlock()
		a := answer{News: newsEnded, Player: id, Ordinal: g.ordinal, End: endSaved}
		if end.Reason == profile.Lost {
			a.End, a.Error = endLost, fmt.Sprint(end.Err)
		}
		h.tell(a)
	})
}

var errAbsent = errors.New("player is not on this server")

func (h *host) guest(id string) (*guest, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if g := h.guests[id]; g != nil {
		return g, nil
	}
	return nil, fmt.Errorf("%q: %w", id, errAbsent)
}

// durable returns the options of an update.
func durable(ctx context.Context, o order) []profile.UpdateOption {
	if o.Durable {
		return []profile.UpdateOption{profile.Durable(ctx)}
	}
	return nil
}

// settled says of an update that has returned whether it was made and kept.
// One that was made and whose wait for the disk failed is made only.
func (a *answer) settled(o order, err error) {
	if err != nil && !errors.Is(err, profile.ErrNotDurable) {
		a.Made = 0
	}
	a.Kept = err == nil && o.Durable
}

// update makes one update of a player.
func (h *host) update(ctx context.Context, o order) (a answer, err error) {
	g, err := h.guest(o.Player)
	if err != nil {
		return a, err
	}
	a.Ordinal = g.ordinal
	err = g.p.Update(func(tx *profile.Tx) (err error) {
		a.Made = time.Now().UnixMicro()
		a.Seq, err = count(tx, o.Op)
		return err
	}, durable(ctx, o)...)
	a.settled(o, err)
	return a, err
}

// give hands one item of a player to another, in one update of both.
func (h *host) give(ctx context.Context, o order) (a answer, err error) {
	from, err := h.guest(o.Player)
	if err != nil {
		return a, err
	}
	to, err := h.guest(o.To)
	if err != nil {
		return a, err
	}
	a.Ordinal, a.ToOrdinal = from.ordinal, to.ordinal
	err = profile.UpdateAll([]*profile.Profile{from.p, to.p}, func(txs []*profile.Tx) (err error) {
		a.Made = time.Now().UnixMicro()
		if a.Seq, err = count(txs[0], o.Op); err != nil {
			return err
		}
		if a.ToSeq, err = count(txs[1], o.ToOp); err != nil {
			return err
		}
		return hand(txs[0], txs[1], o.Op)
	}, durable(ctx, o)...)
	a.settled(o, err)
	return a, err
}

// hand moves one of the items of a bag, if there are any, into another.
func hand(from, to *profile.Tx, which int64) error {
	names := slices.Sorted(bag.Keys(from))
	if len(names) == 0 {
		return nil
	}
	name := names[which%int64(len(names))]
	it, _ := bag.Get(from, name)
	it.Hands++
	if err := bag.Delete(from, name); err != nil {
		return err
	}
	return bag.Put(to, name, it)
}

// save saves a player, and answers with how many of his updates are kept now.
func (h *host) save(ctx context.Context, o order) (a answer, err error) {
	g, err := h.guest(o.Player)
	if err != nil {
		return a, err
	}
	a.Ordinal, a.Seq = g.ordinal, updates.Get(g.p)
	err = g.p.Save(ctx)
	a.Kept = err == nil
	return a, err
}

// within is how long closing may take.
func (o *order) within() time.Duration {
	if o.Within == 0 {
		return closeTime
	}
	return time.Duration(o.Within) * time.Microsecond
}

// close saves and releases everybody, as far as there is time.
func (h *host) close(ctx context.Context, within time.Duration) ([]result, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	released, err := h.srv.Close(ctx)
	if errors.Is(err, session.ErrClosed) {
		err = nil
	}
	results := make([]result, len(released))
	for i, r := range released {
		results[i].Player = r.Key.ID
		if r.Err != nil {
			results[i].Error = r.Err.Error()
		}
	}
	return results, err
}
