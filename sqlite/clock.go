package sqlite

import (
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// clock tells the database's time. Its wall time has whole microseconds, as
// the file does.
type clock func() driver.Moment

// wallClock is the clock of a machine whose boots cannot be told apart.
func wallClock() driver.Moment {
	now := time.Now()
	return driver.Moment{Wall: wall(now), Tick: time.Duration(now.UnixNano())}
}

// wall returns t as the file keeps it.
func wall(t time.Time) time.Time {
	return time.UnixMicro(t.UnixMicro()).UTC()
}
