package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// director runs a demo: it starts the servers, lets the players play, does
// something to the servers, and notes what it is told.
type director struct {
	o       Options
	url     string
	actors  []*actor
	byID    map[string]*actor
	history *history
	view    *view
	stalls  stalls
	began   time.Time // of the playing

	halting     atomic.Bool // a server is stopped, and it is not known yet whether within a commit
	outages     outages
	suspensions suspensions

	mu       sync.Mutex // guards what follows
	servers  []*process // by place; one that was killed is replaced
	all      []*process // these, and those that were killed
	handOver []time.Duration
	openings int
	hops     int
	unlocked time.Time  // when the database could be used again after it was locked or away
	watched  []*absence // players who are waited for after a fault
	faults   []faultResult
	results  []result
	troubles []string // what went wrong with the run itself
}

// absence is that of the players of a server that was killed or stopped.
type absence struct {
	of    *process
	since time.Time
	left  map[string]bool // players whom no other server has opened yet
	first time.Duration   // until the first was taken over; zero: none was
	some  chan struct{}   // closed when the first was, or nobody is left
	all   chan struct{}   // closed when all were
}

// Run runs a demo and returns what came of it. The report is not nil if the
// servers ran to the end; Report.OK says whether all promises were kept. An error
// means that the demo could not be run to its end, or that ctx has ended.
// No process and no temporary folder is left behind.
func Run(ctx context.Context, o *Options) (*Report, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	players, err := population(&opts)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	d := &director{o: opts, url: opts.DB, history: newHistory(players), byID: make(map[string]*actor)}
	if d.url == "" {
		dir, err := os.MkdirTemp("", "holdfast-demo-")
		if err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
		defer os.RemoveAll(dir)
		d.url = (&url.URL{Scheme: "sqlite", Path: filepath.Join(dir, "demo.db")}).String()
	}
	for _, p := range players {
		a := &actor{player: p, d: d, rng: newRand(opts.Seed, "play "+p.id)}
		d.actors, d.byID[p.id] = append(d.actors, a), a
	}
	r, err := d.run(ctx, players)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return r, nil
}

// run is Run with everything prepared.
func (d *director) run(ctx context.Context, players []*player) (*Report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer d.killAll()
	d.view = newView(d.o.View)
	defer d.view.close()
	if err := d.o.tryBus(ctx); err != nil {
		return nil, err
	}
	took, err := load(ctx, &d.o, d.url, players)
	if err != nil {
		return nil, err
	}
	stay := ""
	if d.o.DB != "" {
		stay = fmt.Sprintf(", where they stay as %s/…", Kind)
	}
	d.view.note("%d players are imported into %s%s", len(players), withoutSecrets(d.url), stay)
	if err := d.startAll(ctx); err != nil {
		return nil, err
	}
	d.view.note("%d servers are up, each a process of its own, with leases of %v", len(d.servers), d.o.Lease)
	if d.o.Bus != "" {
		d.view.note("they talk over %s", withoutSecrets(d.o.Bus))
	}
	if err := d.play(ctx); err != nil {
		return nil, err
	}
	if err := d.whenBack(ctx); err != nil {
		return nil, err
	}
	if err := d.closeAll(ctx); err != nil {
		return nil, err
	}
	d.view.note("every player is read and compared with what the servers had acknowledged")
	finals, err := readAll(ctx, &d.o, d.url, players)
	if err != nil {
		return nil, err
	}
	return d.report(players, finals, took), nil
}

// serverNames are the names of the servers, by place.
var serverNames = []string{
	"amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath",
	"isle", "jade", "kelp", "larch", "moss", "north", "oak", "pine",
}

// startAll starts the servers and waits until all have their leases.
func (d *director) startAll(ctx context.Context) error {
	ctx, cancel := d.patient(ctx)
	defer cancel()
	for i := range d.o.Servers {
		p, err := d.start(serverNames[i])
		if err != nil {
			return err
		}
		d.mu.Lock()
		d.servers = append(d.servers, p)
		d.mu.Unlock()
	}
	for _, p := range d.servers {
		if err := p.whenReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// start starts one server.
func (d *director) start(name string) (*process, error) {
	with := setup{Name: name, DB: d.url, Bus: d.o.Bus, Lease: d.o.Lease.Microseconds()}
	p, err := startProcess(&d.o, with, d.heard)
	if err == nil {
		d.mu.Lock()
		d.all = append(d.all, p)
		d.mu.Unlock()
	}
	return p, err
}

// patience is how long the director waits for what must happen within seconds,
// on however slow a machine.
const patience = 90 * time.Second

// play lets all players play, and things happen to the servers, until the time
// is over and everything that was to happen has.
func (d *director) play(ctx context.Context) error {
	playing, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	d.began = time.Now()
	all.Go(func() { d.stalls.watch(playing) })
	all.Go(func() { d.show(playing) })
	for _, a := range d.actors {
		all.Go(func() { a.run(playing) })
	}
	err := d.runFaults(playing)
	for err == nil && d.played() < d.o.Play && rest(ctx, 20*time.Millisecond, nil) {
	}
	stop()
	all.Wait()
	return errors.Join(err, context.Cause(ctx))
}

// played is for how long players have played. It stands still while the
// database is away, so that there is play after that, too.
func (d *director) played() time.Duration {
	now := time.Now()
	return now.Sub(d.began) - d.outages.within(d.began, now)
}

// closeAll tells all servers to save and release everybody and to end.
func (d *director) closeAll(ctx context.Context) error {
	ctx, cancel := d.patient(ctx)
	defer cancel()
	d.view.note("the time is over: the servers save and release all their players, and end")
	var all sync.WaitGroup
	for _, p := range d.servers {
		all.Go(func() {
			results, err := p.close(ctx)
			d.mu.Lock()
			defer d.mu.Unlock()
			d.results = append(d.results, results...)
			if err != nil {
				d.troubles = append(d.troubles, fmt.Sprintf("%v: %s", err, p.out))
			}
		})
	}
	all.Wait()
	for _, p := range d.all {
		if p.failed() {
			d.troubles = append(d.troubles, fmt.Sprintf("server %s ended by itself: %s", p.name, p.out))
		}
	}
	return context.Cause(ctx)
}

// killAll leaves no process behind.
func (d *director) killAll() {
	d.mu.Lock()
	all := d.all
	d.mu.Unlock()
	for _, p := range all {
		_ = p.kill() // it has ended already, or ends now
	}
}

// heard deals with what a server says unasked.
func (d *director) heard(p *process, a answer) {
	switch a.News {
	case newsEnded:
		d.history.ended(a)
		if a.End == endLost {
			d.suspensions.took(p)
		}
	case newsAway:
		d.outages.left(p, absent{time.UnixMicro(a.Made), a.Error})
		d.lookAway()
	case newsBack:
		d.found(p)
	case newsSuspended:
		d.suspended(p)
	case newsTrusted:
		d.trusted(p)
	}
}

// choose returns a server to go to: another than the one before, if there is
// one that takes players.
func (d *director) choose(rng *rand.Rand, before *process) *process {
	d.mu.Lock()
	defer d.mu.Unlock()
	var open []*process
	for _, p := range d.servers {
		if p != before && p.reachable() {
			open = append(open, p)
		}
	}
	switch {
	case len(open) > 0:
		return open[rng.IntN(len(open))]
	case before != nil && before.reachable():
		return before
	}
	return nil
}

// company returns another player on the same server who has nothing to do just
// now, with his mu held; or nil.
func (d *director) company(a *actor, at *process) *actor {
	first := a.rng.IntN(len(d.actors))
	for i := range d.actors {
		to := d.actors[(first+i)%len(d.actors)]
		if to == a || to.where.Load() != at || !to.mu.TryLock() {
			continue
		}
		if to.where.Load() == at {
			return to
		}
		to.mu.Unlock()
	}
	return nil
}

// opened notes that a server has opened a player, who was on another one
// before, if any. If he has given up waiting meanwhile, he may be on a third one,
// which had to hand him over.
func (d *director) opened(id string, from, to *process, a answer, gaveUp bool) {
	if a.Error != "" {
		return
	}
	d.history.opened(to.name, a)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !a.Again {
		d.openings++
	}
	if from != nil && !gaveUp {
		d.hops++
	}
	took := time.Duration(a.Took) * time.Microsecond
	if from != nil && !gaveUp && a.Held && from.reachable() && time.Now().Add(-took).After(d.unlocked) {
		d.handOver = append(d.handOver, took)
	}
	for _, w := range d.watched {
		w.opened(id, to, time.UnixMicro(a.Made), gaveUp)
	}
}

// opened notes that a player who was waited for is on another server. One who
// was handed over in the last moment was not on the server that failed.
func (w *absence) opened(id string, to *process, at time.Time, handedOver bool) {
	if to == w.of || !w.left[id] {
		return
	}
	delete(w.left, id)
	if !handedOver && !isClosed(w.some) {
		w.first = at.Sub(w.since)
		close(w.some)
	}
	if len(w.left) == 0 {
		close(w.all)
		if !isClosed(w.some) {
			close(w.some)
		}
	}
}
