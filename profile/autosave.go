package profile

import (
	"context"
	"time"

	"github.com/holdfast-games/holdfast/session"
)

// autosaver saves the profiles that have changed, from one goroutine. In each
// cycle it goes once around the ring of profiles, in as many steps as it takes
// groups of the database's size to save those that have changed, and the steps
// are spread evenly over the interval.
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
	due := 0
	for _, p := range ring {
		if a.due(p, forced) {
			due++
		}
	}
	steps := max(1, (due+a.group-1)/a.group)
	tick := time.NewTicker(max(a.c.opts.Autosave/time.Duration(steps), time.Nanosecond))
	defer tick.Stop()
	last := uint64(0)
	if len(ring) > 0 {
		last = ring[len(ring)-1].number
	}
	for step := 1; step <= steps; step++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		most := a.group
		if step == steps {
			ring = append(ring, a.loadedAfter(last)...)
			most = len(ring)
		}
		ring = a.save(ring, most, forced)
	}
}

// loadedAfter returns the profiles that were loaded after the one of a number.
func (a *autosaver) loadedAfter(number uint64) []*Profile {
	all := a.c.all()
	i := len(all)
	for i > 0 && all[i-1].number > number {
		i--
	}
	return all[i:]
}

// save saves the first profiles of the ring that are due, and returns the rest
// of the ring.
func (a *autosaver) save(ring []*Profile, most int, forced bool) []*Profile {
	var due []*session.Session
	i := 0
	for ; i < len(ring) && len(due) < most; i++ {
		if a.due(ring[i], forced) {
			due = append(due, ring[i].s)
		}
	}
	session.SaveAllSoon(session.CauseAutosave, due...)
	return ring[i:]
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
