package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// faultResult is what came of one fault.
type faultResult struct {
	fault   Fault
	server  string
	at      time.Time
	players int // who were on the server, doing nothing else just then, and had not been released a moment before

	// Of both: until the first of the players was on another server.
	takeOver time.Duration
	// Of Kill: the slowest append of the server, the one under way included.
	slowest time.Duration
	// Of Kill: for how long at most the machine kept the server from running.
	stall time.Duration
	// Of Stop: how many sessions the server reported as lost, and what it
	// was sent while it stood still.
	lost int
	late []lateWrite
}

// runFaults does one thing after another to the servers.
func (d *director) runFaults(ctx context.Context) error {
	for i, f := range d.o.Faults {
		at := d.o.Play * time.Duration(i+1) / time.Duration(len(d.o.Faults)+2)
		for d.played() < at {
			if !rest(ctx, 20*time.Millisecond, nil) {
				return nil
			}
		}
		var err error
		switch f {
		case Kill:
			err = d.kill(ctx)
		case Stop:
			err = d.stop(ctx)
		default:
			err = fmt.Errorf("unknown fault %d", f)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// victim returns the place of the server with the most players, with some of
// those held: nobody tells a server anything of them until free is called. So
// none of them is just on his way to another server.
func (d *director) victim(ctx context.Context) (place int, held []*actor, free func(), err error) {
	ctx, cancel := d.patient(ctx)
	defer cancel()
	for rest(ctx, 2*time.Millisecond, nil) {
		if _, away := d.outages.lasts(); away {
			continue
		}
		on := make(map[*process]int)
		for _, a := range d.actors {
			on[a.where.Load()]++
		}
		d.mu.Lock()
		place = 0
		for i, p := range d.servers {
			if on[p] > on[d.servers[place]] {
				place = i
			}
		}
		p := d.servers[place]
		d.mu.Unlock()
		if held = d.hold(p); len(held) > 0 && p.reachable() {
			return place, held, func() { release(held) }, nil
		}
		release(held)
	}
	return 0, nil, nil, fmt.Errorf("wait for a server with players: %w", context.Cause(ctx))
}

func (d *director) hold(p *process) (held []*actor) {
	for _, a := range d.actors {
		if a.where.Load() != p || !a.mu.TryLock() {
			continue
		}
		if a.where.Load() == p {
			held = append(held, a)
			continue
		}
		a.mu.Unlock()
	}
	return held
}

func release(held []*actor) {
	for _, a := range held {
		a.mu.Unlock()
	}
}

// miss begins to wait for players of a server.
func (d *director) miss(p *process, held []*actor, since time.Time) *absence {
	w := &absence{of: p, since: since, left: make(map[string]bool), some: make(chan struct{}), all: make(chan struct{})}
	for _, a := range held {
		w.left[a.id] = true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watched = append(d.watched, w)
	return w
}

// kill kills a server, waits until another has taken one of its players over,
// and starts a new one in its place.
func (d *director) kill(ctx context.Context) error {
	place, held, free, err := d.victim(ctx)
	if err != nil {
		return err
	}
	p := d.servers[place]
	d.writeLast(ctx, p, held)
	at := time.Now()
	if err := p.kill(); err != nil {
		free()
		return fmt.Errorf("kill server %q: %w", p.name, err)
	}
	_, pulse, journal := p.status()
	slowest := journal.slowest
	if !journal.began.IsZero() {
		slowest = max(slowest, at.Sub(journal.began))
	}
	w := d.miss(p, held, at)
	free()
	d.view.note("%s is killed (SIGKILL) with %d players on it", p.name, len(held))
	d.lookAway() // it may have been the only one that still reached the database
	if err := d.await(ctx, w.some, "take a killed server's players over"); err != nil {
		return err
	}
	d.view.note("%s: its players come back on the others after %s; the lease is %v", p.name, seconds(w.first), d.o.Lease)
	d.mu.Lock()
	d.faults = append(d.faults, faultResult{fault: Kill, server: p.name, at: at, players: len(held), takeOver: w.first, slowest: slowest, stall: time.Duration(pulse.Stall) * time.Microsecond})
	d.mu.Unlock()
	return d.replace(ctx, place)
}

// writeLast has each player make one more update that nobody waits for, and
// returns when they are made: some of them will not reach the disk.
func (d *director) writeLast(ctx context.Context, p *process, held []*actor) {
	all := make(chan struct{})
	var left atomic.Int64
	left.Store(int64(len(held)))
	for _, a := range held {
		a.sendUpdate(p, false, func(answer) {
			if left.Add(-1) == 0 {
				close(all)
			}
		})
	}
	rest(ctx, time.Second, all)
}

// await waits for what must happen.
func (d *director) await(ctx context.Context, done <-chan struct{}, what string) error {
	ctx, cancel := d.patient(ctx)
	defer cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
}

// replace starts a new server in the place of one that was killed. One that
// does not find the database is started once more.
func (d *director) replace(ctx context.Context, place int) error {
	ctx, cancel := d.patient(ctx)
	defer cancel()
	for {
		p, err := d.start(fmt.Sprintf("%s-%d", serverNames[place], d.generation()))
		if err != nil {
			return err
		}
		if err = p.whenReady(ctx); err == nil {
			d.mu.Lock()
			d.servers[place] = p
			d.mu.Unlock()
			d.view.note("%s is started in its place%s", p.name, p.withoutBus())
			return nil
		}
		if err = errors.Join(err, p.kill()); !rest(ctx, time.Second, nil) {
			return err
		}
	}
}

// generation numbers the servers that are started in the place of others, from
// 2.
func (d *director) generation() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.all) - len(d.servers) + 2
}

// stop stops a server until its players have been taken over, and lets it
// continue. It is done once more if there was nobody to take over after all.
func (d *director) stop(ctx context.Context) error {
	for range mostHalts {
		f, err := d.stopOnce(ctx)
		if err != nil {
			return err
		}
		if f.players > 0 {
			d.mu.Lock()
			d.faults = append(d.faults, f)
			d.mu.Unlock()
			return nil
		}
		d.view.note("%s had released all of them just before it was stopped: once more", f.server)
	}
	return fmt.Errorf("stop a server with players on it: not once in %d times", mostHalts)
}

// stopOnce stops a server and lets it continue.
func (d *director) stopOnce(ctx context.Context) (f faultResult, err error) {
	p, held, free, at, err := d.halt(ctx)
	if err != nil {
		return f, err
	}
	_, before, _ := p.status()
	w := d.miss(p, held, at)
	late, answered, openings := d.writeLate(p, held)
	p.fallSilent()
	free()
	d.view.note("%s is stopped (SIGSTOP) with %d players on it", p.name, len(held))
	if err := d.await(ctx, w.all, "take a stopped server's players over"); err != nil {
		return f, err
	}
	d.view.note("%s: the others have taken all of them over, the first after %s; it continues (SIGCONT)", p.name, seconds(w.first))
	if err := p.resume(); err != nil {
		return f, err
	}
	if err := d.recover(ctx, p, before.Lease, answered, openings); err != nil {
		return f, err
	}
	lost, saved := d.history.endsOf(openings)
	d.view.note("%s has reported %d sessions as lost, and takes players in again", p.name, lost)
	return faultResult{
		fault: Stop, server: p.name, at: at, players: len(held) - saved, takeOver: w.first, lost: lost, late: late,
	}, nil
}

// halt stops a server with players on it, between two commits. SQLite has one
// writer at a time: a process that stands still within a commit keeps the file
// locked, and nobody can do anything about that until it goes on. Then it does
// go on, and is stopped again a little later. So it is if the database goes away
// just then.
func (d *director) halt(ctx context.Context) (p *process, held []*actor, free func(), at time.Time, err error) {
	for range mostHalts {
		var place int
		if place, held, free, err = d.victim(ctx); err != nil {
			return nil, nil, nil, at, err
		}
		p, at = d.servers[place], time.Now()
		d.halting.Store(true)
		if err = p.halt(); err == nil && d.othersCommit(ctx, p) {
			d.halting.Store(false)
			return p, held, free, at, nil
		}
		err = errors.Join(err, d.unhalt(ctx, p, free))
		if err != nil {
			return nil, nil, nil, at, err
		}
	}
	return nil, nil, nil, at, fmt.Errorf("stop a server between two commits: not once in %d times", mostHalts)
}

// unhalt lets a server go on that was stopped at a bad moment, and looks a
// little later whether it was that, or the database has gone away.
func (d *director) unhalt(ctx context.Context, p *process, free func()) error {
	d.mu.Lock()
	d.unlocked = time.Now()
	d.mu.Unlock()
	err := p.resume()
	p.welcome()
	free()
	rest(ctx, time.Second, nil)
	d.halting.Store(false)
	d.lookAway()
	if _, away := d.outages.lasts(); !away && err == nil {
		d.view.note("%s was stopped within a commit, which locks the database for all: it goes on, once more", p.name)
	}
	return err
}

// mostHalts is how often a stop is tried.
const mostHalts = 50

// othersCommit reports whether another server still commits, as each does at
// least once a second to renew its lease. What it tells first may have been
// committed before, and so may what was under way then.
func (d *director) othersCommit(ctx context.Context, halted *process) bool {
	beats, commits := make(map[*process]int64), make(map[*process]int64)
	for until := time.Now().Add(d.o.Lease * 5 / 6); time.Now().Before(until); {
		for _, p := range d.servers {
			_, pulse, _ := p.status()
			first, known := commits[p]
			switch {
			case p == halted || !p.reachable():
			case beats[p] == 0:
				beats[p] = pulse.Beat
			case !known && pulse.Beat > beats[p]:
				commits[p] = pulse.Commits
			case known && pulse.Commits >= first+3:
				return true
			}
		}
		if !rest(ctx, 10*time.Millisecond, nil) {
			return false
		}
	}
	return false
}

// lateWrite is an update that a server was sent while it stood still.
type lateWrite struct {
	player string
	op     int64
}

// writeLate sends a durable update for each player to a stopped server, which
// will read it when it goes on. It returns what was sent, a wait for the answers,
// and the openings that the players were under.
func (d *director) writeLate(p *process, held []*actor) (late []lateWrite, answered *sync.WaitGroup, openings map[string]int64) {
	answered, openings = new(sync.WaitGroup), make(map[string]int64)
	for _, a := range held {
		openings[a.id] = a.ordinal
		answered.Add(1)
		a.sendUpdate(p, true, func(answer) { answered.Done() })
		late = append(late, lateWrite{a.id, a.op})
	}
	return late, answered, openings
}

// recover waits until a server that goes on has answered what it was sent,
// has reported the sessions that it lost, and has a new lease; then it lets
// players in again, and waits until one has come.
func (d *director) recover(ctx context.Context, p *process, lease string, answered *sync.WaitGroup, openings map[string]int64) error {
	heard := make(chan struct{})
	go func() {
		answered.Wait()
		close(heard)
	}()
	if err := d.await(ctx, heard, "hear from a server that continues"); err != nil {
		return err
	}
	ctx, cancel := d.patient(ctx)
	defer cancel()
	var lost, saved int
	var now pulse
	err := poll(ctx, p.name+" reports its sessions lost and takes a new lease", func() bool {
		_, now, _ = p.status()
		// One that had been released just before is not lost.
		lost, saved = d.history.endsOf(openings)
		return lost+saved == len(openings) && !now.Suspended && (lost == 0 || now.Lease != lease)
	})
	if err != nil {
		return fmt.Errorf("%w: of %d sessions it has reported %d as lost and %d as saved, it is suspended: %v, it has a new lease: %v; it wrote: %s",
			err, len(openings), lost, saved, now.Suspended, now.Lease != lease, p.out)
	}
	p.welcome()
	return poll(ctx, p.name+" takes players in again", func() bool {
		for _, a := range d.actors {
			if a.where.Load() == p {
				return true
			}
		}
		return false
	})
}

// poll waits until something is so.
func poll(ctx context.Context, what string, is func() bool) error {
	for !is() {
		if !rest(ctx, 20*time.Millisecond, nil) {
			return fmt.Errorf("wait until %s: %w", what, context.Cause(ctx))
		}
	}
	return nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
