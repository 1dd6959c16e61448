package profile

import (
	"context"
	"time"

	"github.com/holdfast-games/holdfast/session"
)

// autosaver saves the profiles that have changed, from one goroutine. In each
// cycle it goes once around the ring of profiles, at an even pace, however many of
// them turn out to have changed: those that do so all at once are not saved all at
// once. Whom it finds changed is saved when there is a group of them, of the
// database's size, or the cycle ends.
type autosaver struct {
	c     *common
	group int // profiles that are best saved together
	stop  context.CancelFunc
	done  chan struct{}
}

func (a *autosaver) start(c *common, group int) {
	a.c, a.group, a.done = c, max(1, group), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	a.stop = cancel
	if c.opts.Autosave < 0 {
		close(a.done)
		return
	}
	go a.run(ctx)
}

// close ends the goroutine and waits for it.
func (a *autosaver) close() {
	a.stop()
	<-a.done
}

func (a *autosaver) run(ctx context.Context) {
	defer close(a.done)
	for n := 1; ctx.Err() == nil; n++ {
		a.cycle(ctx, a.c.opts.ForceEvery > 0 && n%a.c.opts.ForceEvery == 0)
	}
}

// cycle takes one interval.
func (a *autosaver) cycle(ctx context.Context, forced bool) {
	ring := a.c.all()
	last := uint64(0)
	if len(ring) > 0 {
		last = ring[len(ring)-1].number
	}
	steps := max(1, (len(ring)+a.group-1)/a.group)
	tick := time.NewTicker(max(a.c.opts.Autosave/time.Duration(steps), time.Nanosecond))
	defer tick.Stop()
	var due []*session.Session
	for ; steps > 0; steps-- {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		n := (len(ring) + steps - 1) / steps
		due, ring = a.find(due, ring[:n], forced), ring[n:]
		if steps == 1 {
			due = a.find(due, a.loadedAfter(last), forced)
		}
		due = a.save(due, steps == 1)
	}
}

// loadedAfter returns the profiles that were loaded after the one of a number, a group
// of them: there is none after them in the cycle, and more would not be saved evenly.
func (a *autosaver) loadedAfter(number uint64) []*Profile {
	all := a.c.all()
	i := len(all)
	for i > 0 && all[i-1].number > number {
		i--
	}
	return all[i:min(i+a.group, len(all))]
}

// find adds those of some profiles that are due.
func (a *autosaver) find(due []*session.Session, ps []*Profile, forced bool) []*session.Session {
	for _, p := range ps {
		if a.due(p, forced) {
			due = append(due, p.s)
		}
	}
	return due
}

// save saves what is due, in full groups, and at last the rest, and returns what is left.
func (a *autosaver) save(due []*session.Session, rest bool) []*session.Session {
	for len(due) >= a.group || rest && len(due) > 0 {
		n := min(a.group, len(due))
		session.SaveAllSoon(session.CauseAutosave, due[:n]...)
		due = due[n:]
	}
	return due
}

// due reports whether a profile should be saved. One that is being updated at
// this very moment is not waited for: its turn comes with the next cycle, so that
// an update that hangs holds up nobody else.
func (a *autosaver) due(p *Profile, forced bool) bool {
	if p.s == nil || p.ended() || !p.mu.TryRLock() {
		return false
	}
	defer p.mu.RUnlock()
	return forced || p.s.Dirty()
}
