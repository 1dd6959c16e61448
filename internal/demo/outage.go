package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/internal/console"
)

// mostAway is how long the director waits for a database that is away.
const mostAway = 15 * time.Minute

var (
	errAway    = errors.New("the database did not come back")
	errTooLong = fmt.Errorf("nothing happened for %v", patience)
)

// outages are the times at which no server reached the database, as far as the
// servers told. Its methods are safe for concurrent use.
type outages struct {
	mu   sync.Mutex
	away map[*process]absent // servers that do not reach it
	list []outage
}

// absent is what a server tells of a database that is away.
type absent struct {
	since time.Time
	why   string // empty: calls are not answered
}

// outage is one time at which no server reached the database.
type outage struct {
	began, ended time.Time // ended is zero while it lasts
}

// took is for how long it has lasted, up to now.
func (o outage) took() time.Duration {
	if o.ended.IsZero() {
		return time.Since(o.began)
	}
	return o.ended.Sub(o.began)
}

// overlap is for how long it lasted between two times.
func (o outage) overlap(from, to time.Time) time.Duration {
	if ended := o.began.Add(o.took()); ended.Before(to) {
		to = ended
	}
	if from.Before(o.began) {
		from = o.began
	}
	return max(0, to.Sub(from))
}

// presentLocked returns the outage that lasts, or nil. Mu is held.
func (o *outages) presentLocked() *outage {
	if n := len(o.list); n > 0 && o.list[n-1].ended.IsZero() {
		return &o.list[n-1]
	}
	return nil
}

// lasts reports whether the database is away, and for how long it has been.
func (o *outages) lasts() (took time.Duration, is bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.presentLocked(); p != nil {
		return p.took(), true
	}
	return 0, false
}

// left notes that a server does not reach the database.
func (o *outages) left(p *process, what absent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.away == nil {
		o.away = make(map[*process]absent)
	}
	o.away[p] = what
}

// begin begins an outage if none of the servers that should reaches the
// database, and none lasts. It reports whether it did, and why that is.
func (o *outages) begin(serving []*process) (why string, began bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.presentLocked() != nil || len(serving) == 0 {
		return "", false
	}
	since := time.Now()
	for _, p := range serving {
		what, is := o.away[p]
		if !is {
			return "", false
		}
		if what.since.Before(since) {
			since = what.since
		}
		why = cmp.Or(why, what.why)
	}
	o.list = append(o.list, outage{began: since})
	return cmp.Or(why, "calls are not answered"), true
}

// back notes that a server reaches the database. It reports whether that ends an
// outage, and how long it was.
func (o *outages) back(p *process) (took time.Duration, ended bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.away, p)
	now := o.presentLocked()
	if now == nil {
		return 0, false
	}
	now.ended = time.Now()
	return now.took(), true
}

// within returns for how long the database was away between two times.
func (o *outages) within(from, to time.Time) (sum time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, out := range o.list {
		sum += out.overlap(from, to)
	}
	return sum
}

// hinder returns how much longer than else a server may take to take players
// over between two times: as long as the database was away, and after that
// servers wait until their own leases have stood before they judge others'.
func (o *outages) hinder(from, to time.Time, lease time.Duration) time.Duration {
	away := o.within(from, to)
	if away > 0 {
		away += lease
	}
	return away
}

// all returns how many outages there were, and how long the longest was.
func (o *outages) all() (n int, longest time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, out := range o.list {
		longest = max(longest, out.took())
	}
	return len(o.list), longest
}

// lookAway says so when no server reaches the database any more, unless a
// server is just being stopped, which may have locked it.
func (d *director) lookAway() {
	if d.halting.Load() {
		return
	}
	if why, began := d.outages.begin(d.serving()); began {
		d.view.note("the database is away: no server reaches it any more (%s)", console.Short(why, 160))
	}
}

// found notes that a server reaches the database again.
func (d *director) found(p *process) {
	took, ended := d.outages.back(p)
	if !ended {
		return
	}
	d.mu.Lock()
	d.unlocked = time.Now()
	d.mu.Unlock()
	d.view.note("the database is back after %s", seconds(took))
}

// serving returns the servers that should reach the database.
func (d *director) serving() (list []*process) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.servers {
		if p.reachable() {
			list = append(list, p)
		}
	}
	return list
}

// patient returns a context that ends when the director's patience does. It
// waits longer, up to mostAway, while the database is away.
func (d *director) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	began := time.Now()
	go func() {
		for rest(ctx, 50*time.Millisecond, nil) {
			away, lasts := d.outages.lasts()
			switch {
			case lasts && away > mostAway:
				end(errAway)
			case time.Since(began)-d.outages.within(began, time.Now()) > patience:
				end(errTooLong)
			}
		}
	}()
	return ctx, func() { end(nil) }
}

// whenBack waits until the database is there.
func (d *director) whenBack(ctx context.Context) error {
	ctx, cancel := d.patient(ctx)
	defer cancel()
	if _, is := d.outages.lasts(); is {
		d.view.note("the database is waited for, %v at most", mostAway)
	}
	return poll(ctx, "the database is back", func() bool {
		_, is := d.outages.lasts()
		return !is
	})
}
