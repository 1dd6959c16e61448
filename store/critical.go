package store

import (
	"errors"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/prometheus/client_golang/prometheus"
)

// critical watches the calls to the database: it is on from the moment that
// many failed within a window, until a window passes in which none does.
type critical struct {
	window time.Duration
	tell   func(bool) // may be nil
	gauge  prometheus.Gauge

	mu      sync.Mutex
	last    []time.Time // when the last calls failed, a ring
	next    int         // place in last of the oldest
	timer   *time.Timer // ends the window after the last failure, while on
	on      bool
	told    bool // what tell was last called with
	telling bool // a goroutine calls tell
	closed  bool
}

func newCritical(o *Options, gauge prometheus.Gauge) *critical {
	return &critical{window: o.CriticalWindow, tell: o.Critical, gauge: gauge, last: make([]time.Time, o.CriticalErrors)}
}

// note counts the outcome of a call, if it says that the database is in
// trouble. What only says that the request was wrong does not count.
func (c *critical) note(err error) {
	for _, fine := range []error{nil, driver.ErrNotFound, driver.ErrInvalid, driver.ErrClosed} {
		if errors.Is(err, fine) {
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	now := time.Now()
	c.last[c.next] = now
	c.next = (c.next + 1) % len(c.last)
	oldest := c.last[c.next]
	switch {
	case c.on:
		c.timer.Reset(c.window)
	case !oldest.IsZero() && now.Sub(oldest) <= c.window:
		c.timer = time.AfterFunc(c.window, c.passed)
		c.setLocked(true)
	}
}

// passed ends the critical state, unless a call failed while the timer fired.
func (c *critical) passed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	newest := c.last[(c.next+len(c.last)-1)%len(c.last)]
	if c.on && !c.closed && time.Since(newest) >= c.window {
		c.setLocked(false)
	}
}

func (c *critical) setLocked(on bool) {
	c.on = on
	c.gauge.Set(0)
	if on {
		c.gauge.Set(1)
	}
	if c.tell != nil && !c.telling {
		c.telling = true
		go c.tellAll()
	}
}

// tellAll calls tell until it knows the present state. It runs without the
// mutex, one at a time, so that the calls come in order and may do anything.
func (c *critical) tellAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.told != c.on && !c.closed {
		c.told = c.on
		on := c.on
		c.mu.Unlock()
		c.tell(on)
		c.mu.Lock()
	}
	c.telling = false
}

func (c *critical) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
	}
}
