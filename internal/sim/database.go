package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// conn is one server's connection to the database: a driver whose every call
// waits until the world carries it out and lets its answer through.
type conn struct {
	w    *world
	in   *instance
	info driver.Info

	mu     sync.Mutex
	dead   bool // every call fails at once, as after the end of the world
	closed bool // by the process, which must not call it any more
}

var _ driver.DB = (*conn)(nil)

// call is one call to the database on its way.
type call struct {
	in     *instance
	kind   string
	what   string // keys
	ctx    context.Context
	group  *driver.Group // of a commit
	run    func(keep bool) (string, error)
	done   chan struct{} // closed when the answer arrives
	late   bool          // it was made after its connection had been closed
	unhook func() bool

	// The world's goroutine alone uses these, until done is closed.
	fate     fate
	err      error // in place of the result
	answered bool
	twins    []*call // reads that are the same
	aborting bool    // its context has ended, and that is on its way
	dropped  bool    // it never reaches the database
}

// errCut is what a caller sees of a lost or failed call.
var errCut = fmt.Errorf("%w: connection cut", driver.ErrUnavailable)

// errEnd is what every call returns at the end of the world.
var errEnd = fmt.Errorf("%w: the world has ended", driver.ErrClosed)

// wait hands a call to the world and blocks until its answer arrives.
func (c *conn) wait(k *call) error {
	c.mu.Lock()
	dead, closed := c.dead, c.closed
	c.mu.Unlock()
	switch {
	case dead:
		return errEnd
	case closed && k.ctx.Err() != nil:
		return driver.ErrClosed // what ends late is harmless if it knows that it is over
	}
	k.late = closed
	k.in, k.done = c.in, make(chan struct{})
	k.unhook = context.AfterFunc(k.ctx, c.w.signal)
	c.w.park(k)
	<-k.done
	k.unhook()
	return k.err
}

// kill makes every later call fail at once.
func (c *conn) kill() {
	c.mu.Lock()
	c.dead = true
	c.mu.Unlock()
}

// Info implements driver.DB.
func (c *conn) Info() driver.Info { return c.info }

// Close implements driver.DB. The database itself stays open for the others.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}

// Commit implements driver.DB.
func (c *conn) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	own := cloneGroup(g)
	var outcomes []driver.Outcome
	k := &call{kind: "commit", what: groupKeys(own), ctx: ctx, group: &own}
	k.run = func(keep bool) (string, error) {
		res, err := c.w.commit(k, keep)
		if keep {
			outcomes = res
		}
		return showOutcomes(res), err
	}
	err := c.wait(k)
	return outcomes, err
}

// Read implements driver.DB.
func (c *conn) Read(ctx context.Context, keys ...string) (driver.Snapshot, error) {
	keys = slices.Clone(keys)
	return ask(c, ctx, "read", strings.Join(keys, " "), func(ctx context.Context) (driver.Snapshot, error) {
		s, err := c.w.db.Read(ctx, keys...)
		c.w.read(c.in, &s)
		return s, err
	})
}

// List implements driver.DB.
func (c *conn) List(ctx context.Context, q driver.Query) (driver.Snapshot, error) {
	what := q.Prefix + " after " + q.After
	if q.Reverse {
		what += " in reverse"
	}
	return ask(c, ctx, "list", what, func(ctx context.Context) (driver.Snapshot, error) {
		s, err := c.w.db.List(ctx, q)
		c.w.read(c.in, &s)
		return s, err
	})
}

// Count implements driver.DB.
func (c *conn) Count(ctx context.Context, from, to string, limit int) (n int, next string, err error) {
	type counted struct {
		n    int
		next string
	}
	what := fmt.Sprintf("%s to %s up to %d", from, to, limit)
	res, err := ask(c, ctx, "count", what, func(ctx context.Context) (counted, error) {
		n, next, err := c.w.db.Count(ctx, from, to, limit)
		return counted{n, next}, err
	})
	return res.n, res.next, err
}

// Versions implements driver.DB.
func (c *conn) Versions(ctx context.Context, key string) ([]driver.Entry, error) {
	return ask(c, ctx, "versions", key, func(ctx context.Context) ([]driver.Entry, error) {
		return c.w.db.Versions(ctx, key)
	})
}

// ReadVersion implements driver.DB.
func (c *conn) ReadVersion(ctx context.Context, key string, v driver.Version) (driver.Entry, error) {
	return ask(c, ctx, "read version", key, func(ctx context.Context) (driver.Entry, error) {
		e, err := c.w.db.ReadVersion(ctx, key, v)
		if err == nil {
			err = c.w.check.readVersion(&e)
		}
		return e, err
	})
}

// DeleteRange implements driver.DB.
func (c *conn) DeleteRange(ctx context.Context, from, to string) (int, error) {
	return ask(c, ctx, "delete", from+" to "+to, func(ctx context.Context) (int, error) {
		n, err := c.w.db.DeleteRange(ctx, from, to)
		if err == nil {
			c.w.fail(c.w.check.deleted(from, to))
		}
		return n, err
	})
}

// ask makes a call of one result.
func ask[T any](c *conn, ctx context.Context, kind, what string, run func(context.Context) (T, error)) (T, error) {
	var result T
	k := &call{kind: kind, what: what, ctx: ctx}
	k.run = func(keep bool) (string, error) {
		v, err := run(context.Background())
		if keep {
			result = v
		}
		if err != nil {
			return err.Error(), err
		}
		return "", nil
	}
	err := c.wait(k)
	return result, err
}

// commit applies a group to the database, and lets the checker look at it.
func (w *world) commit(k *call, keep bool) ([]driver.Outcome, error) {
	g := w.plant.sent(w, k)
	res, err := w.db.Commit(context.Background(), g)
	if err != nil {
		return nil, err
	}
	for i := range res {
		if len(res[i].Refused) == 0 {
			trades := w.check.trades
			w.fail(w.check.applied(k.in, &g.Batches[i]))
			w.fail(w.checkRows(&g.Batches[i]))
			if w.check.trades > trades {
				w.trace.add("%s trades across servers", k.in.name)
			}
			if !keep {
				w.stray(&g.Batches[i])
			}
			res[i].Updated = w.clock.moment(res[i].Updated)
			w.plant.applied(w, &g.Batches[i], !keep || k.fate.lose)
			w.plant.sweepLate(w, k, &g.Batches[i])
		}
		for j := range res[i].Refused {
			res[i].Refused[j].Recent = w.plant.recent(res[i].Refused[j].Recent)
		}
	}
	return res, nil
}

// stray notes what was written by a batch that nobody waits for any more.
func (w *world) stray(b *driver.Batch) {
	for i := range b.Writes {
		w.strays[b.Writes[i].Key] = true
	}
}

// read translates what was read into the database's time.
func (w *world) read(in *instance, s *driver.Snapshot) {
	s.Now = w.clock.moment(s.Now)
	for i := range s.Entries {
		e := &s.Entries[i]
		e.Updated, e.Created = w.clock.moment(e.Updated), w.clock.moment(driver.Moment{Wall: e.Created}).Wall
		w.plant.shown(w, in, e)
	}
}

func cloneGroup(g driver.Group) driver.Group {
	g.Batches = slices.Clone(g.Batches)
	for i := range g.Batches {
		b := &g.Batches[i]
		b.Checks, b.Writes, b.Forget = slices.Clone(b.Checks), slices.Clone(b.Writes), slices.Clone(b.Forget)
		for j := range b.Writes {
			b.Writes[j].Value = slices.Clone(b.Writes[j].Value)
		}
	}
	return g
}

func groupKeys(g driver.Group) string {
	var parts []string
	for i := range g.Batches {
		for j := range g.Batches[i].Writes {
			w := &g.Batches[i].Writes[j]
			switch {
			case w.Delete:
				parts = append(parts, "-"+w.Key)
			default:
				parts = append(parts, fmt.Sprintf("%s(%d)", w.Key, len(w.Value)))
			}
		}
	}
	return strings.Join(parts, " ")
}

// showOutcomes says which batches were applied and which were refused.
func showOutcomes(res []driver.Outcome) string {
	var b strings.Builder
	for i := range res {
		if len(res[i].Refused) > 0 {
			fmt.Fprintf(&b, " refused by %s", res[i].Refused[0].Key)
			continue
		}
		b.WriteString(" ok")
	}
	return b.String()
}

// fate is what the world has in store for a call.
type fate struct {
	reach time.Duration // until it reaches the database
	back  time.Duration // from there until its answer is back
	fail  bool          // it never reaches it, and its caller is told so
	lose  bool          // it is carried out, and its caller told that it failed
	late  time.Duration // if not 0: its caller is told that it failed, and so much later it is carried out
	twice time.Duration // if not 0: so much later it is carried out again
	crash bool          // its server dies as it is carried out
}

// draw decides a call's fate.
func (w *world) draw(k *call) fate {
	f := fate{reach: w.latency(), back: w.latency()}
	if w.calm {
		return f
	}
	if w.chance(w.shape.stall) {
		f.reach += w.upTo(2 * w.shape.lease)
	}
	if w.chance(w.shape.stall) {
		f.back += w.upTo(2 * w.shape.lease)
	}
	f.fail = w.chance(w.shape.fail)
	if k.group == nil {
		return f
	}
	f.lose = w.chance(w.shape.lose)
	if w.chance(w.shape.late) {
		f.late = w.upTo(w.shape.lease)
	}
	if w.chance(w.shape.double) {
		f.twice = w.upTo(w.shape.lease)
	}
	f.crash = w.chance(w.shape.crashAt)
	return f
}

func (w *world) latency() time.Duration {
	return w.shape.latency/4 + w.upTo(w.shape.latency)
}

// admit sends a call on its way.
func (w *world) admit(k *call) {
	w.trace.add("%s sends %s %s", k.in.name, k.kind, k.what)
	k.fate = w.draw(k)
	w.plant.early(w, k)
	w.after(k.fate.reach, nil, func() { w.reach(k) })
}

// reach is a call's arrival at the database.
func (w *world) reach(k *call) {
	f := &k.fate
	switch {
	case k.dropped:
		w.trace.add("%s %s %s dropped", k.in.name, k.kind, k.what)
	case w.unreachable(k):
		w.trace.add("%s %s %s unreachable", k.in.name, k.kind, k.what)
		if !w.chance(0.3) { // else it hangs until its context ends
			w.answer(k, errCut)
		}
	case f.fail:
		w.trace.add("%s %s %s failed", k.in.name, k.kind, k.what)
		w.answer(k, errCut)
	case f.late > 0:
		w.trace.add("%s %s %s is late", k.in.name, k.kind, k.what)
		w.answer(k, errCut)
		w.after(f.late, nil, func() { w.carryOut(k, false) })
	default:
		w.carryOut(k, !k.answered)
		if f.twice > 0 {
			w.after(f.twice, nil, func() { w.carryOut(k, false) })
		}
		if f.crash && !k.in.dead {
			w.crash(k.in)
		}
	}
}

// carryOut runs a call on the database; if keep, its result is the answer.
func (w *world) carryOut(k *call, keep bool) {
	shown, err := k.run(keep)
	for _, t := range k.twins {
		_, _ = t.run(keep)
	}
	how := ""
	if !keep {
		how = " (nobody listens)"
	} else if k.fate.lose {
		how = " (its answer is lost)"
	}
	w.trace.add("%s %s %s:%s%s", k.in.name, k.kind, k.what, shown, how)
	if !keep {
		return
	}
	if k.fate.lose {
		err = errCut
	}
	w.answer(k, err)
}

// answer sends the answer to a call on its way back.
func (w *world) answer(k *call, err error) {
	w.after(k.fate.back, k.in, func() { w.arrive(k, err) })
}

// arrive lets a call return, unless it has.
func (w *world) arrive(k *call, err error) {
	if k.answered {
		return
	}
	switch {
	case k.aborting:
		w.trace.add("%s %s %s is given up", k.in.name, k.kind, k.what)
	case err != nil:
		w.trace.add("%s %s %s returns %v", k.in.name, k.kind, k.what, err)
	}
	if i := slices.Index(k.in.calls, k); i >= 0 {
		k.in.calls = slices.Delete(k.in.calls, i, i+1)
	}
	k.finish(err)
}

// finish lets a call and its twins return.
func (k *call) finish(err error) {
	k.answered, k.err = true, err
	close(k.done)
	for _, t := range k.twins {
		t.finish(err)
	}
}

// abort lets calls return whose contexts have ended.
func (w *world) abort(in *instance) {
	for _, k := range in.calls {
		cause := k.over()
		if k.aborting || k.answered || cause == nil {
			continue
		}
		k.aborting = true
		err := fmt.Errorf("%w: %w", driver.ErrUnavailable, cause)
		w.after(time.Microsecond, in, func() { w.arrive(k, err) })
	}
}

// over returns why the context of a call or of one of its twins has ended, or nil: they
// share one fate.
func (k *call) over() error {
	for _, t := range k.twins {
		if t.ctx.Err() != nil {
			return context.Cause(t.ctx)
		}
	}
	return context.Cause(k.ctx)
}

// unreachable reports whether a call does not reach the database, or is one
// that it does not take now.
func (w *world) unreachable(k *call) bool {
	now := time.Now()
	writes := k.kind == "commit" || k.kind == "delete"
	return now.Before(w.blink) || now.Before(k.in.cut) || writes && now.Before(w.frozen)
}

// isCorrupt reports whether an error is one that a healthy database never causes.
func isCorrupt(err error) bool {
	for _, bad := range []error{driver.ErrCorrupt, driver.ErrFormat, driver.ErrInvalid, driver.ErrForeign, driver.ErrReadOnly} {
		if errors.Is(err, bad) {
			return true
		}
	}
	return false
}
