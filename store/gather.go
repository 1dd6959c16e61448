package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// gatherMost is how many keys travel in one call of Read, unless a single read
// names more.
const gatherMost = 64

// gather lets reads travel together that would else wait for one another: while
// the database is busy with as many calls as it likes, those that come wait and
// share the next.
type gather struct {
	drv     driver.DB
	most    int // calls at one time; 0: any number, and nothing is gathered
	timeout time.Duration

	mu      sync.Mutex
	flying  int
	waiting []*ask
}

// ask is a read that waits.
type ask struct {
	keys []string
	done chan reply // of capacity one
}

type reply struct {
	snap driver.Snapshot
	err  error
}

// read is driver.DB.Read. Base ends with the store.
func (g *gather) read(ctx, base context.Context, keys []string) (driver.Snapshot, error) {
	if g.most <= 0 {
		return g.drv.Read(ctx, keys...)
	}
	if err := driver.CheckKeys(keys); err != nil { // it must not spoil what others read
		return driver.Snapshot{}, err
	}
	g.mu.Lock()
	if g.flying < g.most {
		g.flying++
		g.mu.Unlock()
		defer g.landed(base)
		return g.drv.Read(ctx, keys...)
	}
	a := &ask{keys: keys, done: make(chan reply, 1)}
	g.waiting = append(g.waiting, a)
	g.mu.Unlock()
	select {
	case r := <-a.done:
		return r.snap, r.err
	case <-ctx.Done():
		return driver.Snapshot{}, fmt.Errorf("%w: %w", driver.ErrUnavailable, context.Cause(ctx))
	}
}

// landed lets those that wait have the place of a call that has ended.
func (g *gather) landed(base context.Context) {
	g.mu.Lock()
	asks := g.takeLocked()
	if len(asks) == 0 {
		g.flying--
	}
	g.mu.Unlock()
	if len(asks) > 0 {
		go g.fly(base, asks)
	}
}

// takeLocked takes as many of those that wait as travel together.
func (g *gather) takeLocked() []*ask {
	n, keys := 0, 0
	for n < len(g.waiting) && (n == 0 || keys+len(g.waiting[n].keys) <= gatherMost) {
		keys += len(g.waiting[n].keys)
		n++
	}
	asks := g.waiting[:n:n]
	if g.waiting = g.waiting[n:]; len(g.waiting) == 0 {
		g.waiting = nil
	}
	return asks
}

// fly makes one call for several reads.
func (g *gather) fly(base context.Context, asks []*ask) {
	defer g.landed(base)
	var keys []string
	for _, a := range asks {
		keys = append(keys, a.keys...)
	}
	ctx, cancel := context.WithTimeout(base, g.timeout)
	defer cancel()
	snap, err := g.drv.Read(ctx, keys...)
	if err == nil && len(snap.Entries) != len(keys) {
		err = fmt.Errorf("%w: %d entries for %d keys", driver.ErrUnavailable, len(snap.Entries), len(keys))
	}
	for _, a := range asks {
		r := reply{err: err}
		if err == nil {
			n := len(a.keys)
			r.snap = driver.Snapshot{Entries: snap.Entries[:n:n], Now: snap.Now}
			snap.Entries = snap.Entries[n:]
		}
		a.done <- r
	}
}
