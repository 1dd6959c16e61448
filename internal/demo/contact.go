package demo

import (
	"sync"
	"time"
)

// noticeAway is for how long a database answers no commit until it is said to
// be away. A slow disk takes less, and a lease is longer. Each server commits
// once a second at least, since it renews its lease.
const noticeAway = time.Second

// contact is a server's contact with its database. The database is away when
// commits wait or have failed and none was answered for a while; that it still
// answers reads is not enough. Its methods are safe for concurrent use.
type contact struct {
	mu     sync.Mutex // guards what follows
	last   uint64
	open   map[uint64]time.Time // commits that wait for their answers, and since when
	failed time.Time            // when the first was sent that has failed since the last good answer; zero: none has
	why    error                // of those that have failed since then, the last one's error
	good   time.Time            // the last good answer
	away   time.Time            // since when the database is said to be away; zero: it is not
}

// begin notes that a commit is sent, and returns its number.
func (c *contact) begin() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = make(map[uint64]time.Time)
	}
	c.last++
	c.open[c.last] = time.Now()
	return c.last
}

// forget notes that a commit is not waited for any more.
func (c *contact) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, id)
}

// end notes how a commit was answered. It reports whether the database is back
// with that, and since when it was away.
func (c *contact) end(id uint64, err error) (since time.Time, back bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	began := c.open[id]
	delete(c.open, id)
	if err != nil {
		c.why = err
		if c.failed.IsZero() || began.Before(c.failed) {
			c.failed = began
		}
		return time.Time{}, false
	}
	since = c.away
	c.good, c.failed, c.why, c.away = time.Now(), time.Time{}, nil, time.Time{}
	return since, !since.IsZero()
}

// look reports whether the database has just come to be away, since when, and
// what a commit said of that, if one has failed.
func (c *contact) look() (since time.Time, why error, away bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	since = c.failed
	for _, began := range c.open {
		if since.IsZero() || began.Before(since) {
			since = began
		}
	}
	if since.IsZero() || !c.away.IsZero() {
		return time.Time{}, nil, false
	}
	if since.Before(c.good) { // it has answered others since
		since = c.good
	}
	if time.Since(since) < noticeAway {
		return time.Time{}, nil, false
	}
	c.away = since
	return since, c.why, true
}
