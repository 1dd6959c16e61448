package session

import (
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// wallClock is the database's wall clock, as far as its answers tell.
type wallClock struct{ ahead atomic.Int64 }

func (c *wallClock) heard(at driver.Moment) {
	if !at.Wall.IsZero() {
		c.ahead.Store(int64(time.Until(at.Wall)))
	}
}

// Now returns the time by the database's wall clock, within what an answer takes:
// all servers of a database agree on it, whatever their own clocks say.
func (srv *Server) Now() time.Time { return time.Now().Add(time.Duration(srv.wall.ahead.Load())) }
