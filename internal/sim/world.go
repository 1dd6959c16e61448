package sim

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
)

// world is a database, servers, players and the faults that befall them, all
// in one bubble. Its goroutine does one thing at a time and lets everybody
// else come to rest in between.
type world struct {
	seed    uint64
	rng     *rand.Rand
	shape   shape
	plant   *plant
	trace   *Trace
	check   *checker
	db      *mem.DB
	clock   *clock
	bus     simBus
	slots   []*instance // what runs on each machine, by number; nil: nothing
	all     []*instance // whatever ran
	ops     []*op
	callers sync.WaitGroup // of the goroutines of ops
	events  queue
	seq     int
	steps   int
	last    time.Time       // of the last event
	blink   time.Time       // until then nobody reaches the database
	frozen  time.Time       // until then it takes no writes
	calm    bool            // no more faults
	quiet   atomic.Bool     // the same, for the servers' goroutines
	err     error           // the first broken promise
	calls   int             // operations begun, for their numbers
	strays  map[string]bool // keys that were written when nobody listened any more
	lazies  int             // lazy values written
	values  int             // other values written
	current *op             // whose caller is being told
	wake    chan struct{}

	mu    sync.Mutex // guards inbox
	inbox inbox
}

// inbox is what goroutines of the servers have left for the world to find when
// they have come to rest.
type inbox struct {
	calls    []*call
	hooks    []*hook
	letters  []*letter
	deeds    []deed
	broken   []error
	ends     []ending
	messages []message
}

// add moves what is in another inbox into this one.
func (in *inbox) add(o *inbox) {
	in.calls, in.hooks, in.letters = append(in.calls, o.calls...), append(in.hooks, o.hooks...), append(in.letters, o.letters...)
	in.deeds, in.broken, in.ends = append(in.deeds, o.deeds...), append(in.broken, o.broken...), append(in.ends, o.ends...)
	in.messages = append(in.messages, o.messages...)
	*o = inbox{}
}

// unsent gives back the calls whose contexts have ended before all have come to rest, and
// reports whether there were any: whether such a call was made at all is the scheduler's
// choice.
func (in *inbox) unsent() bool {
	n := len(in.calls)
	in.calls = slices.DeleteFunc(in.calls, func(k *call) bool {
		if k.in.dead || k.in.paused || k.ctx.Err() == nil {
			return false
		}
		k.finish(fmt.Errorf("%w: %w", driver.ErrUnavailable, context.Cause(k.ctx)))
		return true
	})
	return len(in.calls) < n
}

func newWorld(c Config) *world {
	w := &world{
		seed: c.Seed, rng: rand.New(rand.NewPCG(c.Seed, 1)), plant: newPlant(c.Plant),
		trace: newTrace(), wake: make(chan struct{}, 1), last: time.Now(),
		strays: make(map[string]bool),
	}
	w.shape = drawShape(w.rng)
	w.shape.suit(c.Plant)
	w.db, w.clock = mem.Open(), newClock(1+w.shape.drift)
	w.check = newChecker(&w.shape, w.clock)
	w.slots = make([]*instance, w.shape.servers)
	w.trace.add("seed %d: %v", c.Seed, &w.shape)
	return w
}

// fail notes a broken promise; nil is none.
func (w *world) fail(err error) {
	if err == nil || w.err != nil {
		return
	}
	w.err = err
	w.trace.add("BROKEN: %v", err)
}

func (w *world) chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

// upTo returns a random time of at most d.
func (w *world) upTo(d time.Duration) time.Duration {
	return time.Duration(w.rng.Int64N(int64(d))) + 1
}

// about returns a random time with the mean d.
func (w *world) about(d time.Duration) time.Duration {
	return time.Duration(w.rng.ExpFloat64()*float64(d)) + 1
}

// signal wakes the world up. It may be called by any goroutine.
func (w *world) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// park leaves a call for the world.
func (w *world) park(k *call) {
	w.mu.Lock()
	w.inbox.calls = append(w.inbox.calls, k)
	w.mu.Unlock()
	w.signal()
}

// settle lets everybody come to rest and takes up what they left.
func (w *world) settle() {
	var in inbox
	for again := true; again; again = in.unsent() {
		synctest.Wait()
		select {
		case <-w.wake:
		default:
		}
		w.mu.Lock()
		in.add(&w.inbox)
		w.mu.Unlock()
	}
	slices.SortStableFunc(in.calls, func(a, b *call) int {
		return cmp.Or(cmp.Compare(a.in.number, b.in.number), cmp.Compare(a.kind, b.kind), cmp.Compare(a.what, b.what))
	})
	for _, k := range alike(in.calls) {
		if k.late {
			w.fail(fmt.Errorf("%s still calls the database after it has closed its store: %s %s", k.in.name, k.kind, k.what))
		}
		k.in.calls = append(k.in.calls, k)
		w.noteSent(k)
		switch {
		case k.in.dead: // it stays where it is until the world ends
		case k.in.paused:
			w.after(0, k.in, func() { w.admit(k) })
		default:
			w.admit(k)
		}
	}
	w.takeUp(&in)
	w.watchProfiles()
	for _, in := range w.all {
		w.abort(in)
	}
	w.tellAll()
}

// noteSent lets the checker look at what a commit is about to do.
func (w *world) noteSent(k *call) {
	if k.group == nil {
		return
	}
	for i := range k.group.Batches {
		w.check.sent(k.in, &k.group.Batches[i])
	}
}

// alike puts calls that cannot be told apart together: goroutines of one server
// that read the same at the same time share one fate, as nobody could say which
// of them was which.
func alike(sorted []*call) []*call {
	var out []*call
	for _, k := range sorted {
		if n := len(out); n > 0 && k.group == nil && out[n-1].in == k.in && out[n-1].kind == k.kind && out[n-1].what == k.what {
			out[n-1].twins = append(out[n-1].twins, k)
			continue
		}
		out = append(out, k)
	}
	return out
}

// takeUp deals with hooks, messages and sessions that ended.
func (w *world) takeUp(in *inbox) {
	for _, err := range in.broken {
		w.fail(err)
	}
	w.takeDeeds(in.deeds)
	w.watchComing()
	slices.SortStableFunc(in.letters, func(a, b *letter) int {
		return cmp.Or(cmp.Compare(a.in.number, b.in.number), cmp.Compare(a.profile.Key().ID, b.profile.Key().ID), cmp.Compare(a.id, b.id))
	})
	for _, l := range in.letters {
		w.lettered(l)
	}
	slices.SortStableFunc(in.hooks, func(a, b *hook) int {
		return cmp.Or(cmp.Compare(a.in.number, b.in.number), cmp.Compare(a.what, b.what))
	})
	for _, h := range in.hooks {
		w.hooked(h)
	}
	slices.SortStableFunc(in.messages, func(a, b message) int {
		return cmp.Or(cmp.Compare(a.from.number, b.from.number), cmp.Compare(a.topic, b.topic), cmp.Compare(a.shown, b.shown), cmp.Compare(a.text, b.text))
	})
	for _, m := range in.messages {
		if !m.from.dead {
			w.post(m)
		}
	}
	slices.SortStableFunc(in.ends, func(a, b ending) int {
		return cmp.Or(cmp.Compare(a.in.number, b.in.number), cmp.Compare(a.s.Key().ID, b.s.Key().ID), cmp.Compare(a.s.ID(), b.s.ID()))
	})
	for _, e := range in.ends {
		w.sessionEnded(e)
	}
}

// loop lets the world go on until done says so, or a promise is broken.
func (w *world) loop(done func() bool) {
	for w.err == nil {
		w.settle()
		if done() || w.err != nil {
			return
		}
		e := w.next()
		if e == nil {
			w.sleep()
			continue
		}
		w.steps++
		switch {
		case e.in != nil && e.in.dead:
		case e.in != nil && e.in.paused:
			e.in.held = append(e.in.held, e.do)
		default:
			e.do()
		}
	}
}

// run lives through the world from its beginning to its end.
func (w *world) run() {
	for n := range w.slots {
		w.after(w.upTo(time.Second), nil, func() { w.startServer(n) })
	}
	w.beginActs()
	w.beginFaults()
	w.loop(func() bool { return w.steps >= steps })
	if w.err == nil {
		w.audit()
	}
	w.end()
}

// beginFaults sets the faults going that come by time.
func (w *world) beginFaults() {
	s := &w.shape
	w.repeat(s.crashEvery, func() { w.withOne(w.crash) })
	w.repeat(s.pauseEvery, func() { w.withOne(w.pause) })
	w.repeat(s.cutEvery, func() { w.withOne(w.cutOff) })
	w.repeat(s.closeEvery, func() { w.withOne(w.closeServer) })
	w.repeat(s.blinkEvery, w.blinkOut)
	w.repeat(s.freezeEvery, w.freeze)
	w.repeat(s.clockEvery, w.disturbClock)
	w.repeat(s.powerEvery, w.powerCut)
}

// repeat does something at random times, until the world is calm.
func (w *world) repeat(every time.Duration, do func()) {
	if every == 0 {
		return
	}
	w.after(w.about(every), nil, func() {
		if w.calm {
			return
		}
		do()
		w.repeat(every, do)
	})
}

// withOne does something to a random server that runs.
func (w *world) withOne(do func(*instance)) {
	if running := w.running(); len(running) > 0 {
		do(running[w.rng.IntN(len(running))])
	}
}

// running returns the servers that are up and not paused.
func (w *world) running() []*instance {
	var ins []*instance
	for _, in := range w.slots {
		if in != nil && in.up && !in.dead && !in.paused && !in.closing {
			ins = append(ins, in)
		}
	}
	return ins
}

// blinkOut takes the database away from everybody for a while.
func (w *world) blinkOut() {
	d := w.upTo(3 * w.shape.lease)
	w.trace.add("the database is away for %v", d)
	w.blink = time.Now().Add(d)
}

// freeze makes the database refuse writes for a while, as if its disk were full
// or its replica away. It can still be read.
func (w *world) freeze() {
	d := w.upTo(3 * w.shape.lease)
	w.trace.add("the database takes no writes for %v", d)
	w.frozen = time.Now().Add(d)
}

// powerCut kills all servers at once, and perhaps the database's machine boots.
func (w *world) powerCut() {
	w.trace.add("the power fails")
	for _, in := range w.slots {
		if in != nil {
			w.crash(in)
		}
	}
	if w.chance(0.7) {
		w.trace.add("the database's machine boots")
		w.clock.reboot()
	}
}

// disturbClock makes the database's clock jump, and perhaps its wall clock too.
func (w *world) disturbClock() {
	by := w.upTo(4*w.shape.lease) - 2*w.shape.lease
	w.trace.add("the database's clock jumps by %v", by)
	w.clock.jump(by)
	if w.chance(0.5) {
		by := w.upTo(40*time.Minute) - 20*time.Minute
		if w.chance(0.5) {
			by = w.upTo(4 * time.Hour)
		}
		w.trace.add("the database's wall clock jumps by %v", w.clock.jumpWall(by))
	}
}

// end stops everything that still runs, so that the bubble can end.
func (w *world) end() {
	w.calm = true
	for _, in := range w.all {
		in.conn.kill()
	}
	w.release()
	released := make(chan struct{})
	go func() {
		defer close(released)
		for _, in := range w.all {
			in.stop()
		}
		w.callers.Wait()
	}()
	for deadline := time.Now().Add(time.Hour); time.Now().Before(deadline); {
		w.release()
		select {
		case <-released:
			w.release()
			synctest.Wait()
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	w.fail(fmt.Errorf("a server whose database had gone for ever did not close"))
}

// release answers whatever waits for the world, without order.
func (w *world) release() {
	synctest.Wait()
	w.mu.Lock()
	in := w.inbox
	w.inbox = inbox{}
	w.mu.Unlock()
	for _, k := range in.calls {
		k.finish(errEnd)
	}
	for _, h := range in.hooks {
		close(h.done)
	}
	for _, l := range in.letters {
		close(l.done)
	}
	for _, in := range w.all {
		for _, l := range in.letters {
			close(l.done)
		}
		in.letters = nil
		for _, k := range in.calls {
			k.finish(errEnd)
		}
		in.calls = nil
		for _, h := range in.hooks {
			close(h.done)
		}
		in.hooks = nil
	}
	for _, o := range w.ops {
		o.cancel()
	}
	synctest.Wait()
}
