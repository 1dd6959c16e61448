package session

import (
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// wallClock is the database's wall clock, as far as its answers tell. It goes on with
// the process's monotonic clock, so that setting the machine's clock does not move it.
type wallClock struct {
	began time.Time
	ahead atomic.Int64
}

func (c *wallClock) heard(at driver.Moment) {
	if !at.Wall.IsZero() {
		c.ahead.Store(int64(at.Wall.Sub(c.own().Round(0))))
	}
}

// own is the time by the clock of the process.
func (c *wallClock) own() time.Time { return c.began.Add(time.Since(c.began)) }

// Now returns the time by the database's wall clock, within what an answer takes:
// all servers of a database agree on it, whatever their own clocks say.
func (srv *Server) Now() time.Time {
	return srv.wall.own().Add(time.Duration(srv.wall.ahead.Load()))
}
