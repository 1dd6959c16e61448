package sqlite

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// Clock is the machine's clock, which a test can move.
type Clock struct {
	wall, tick atomic.Int64 // by how much it was moved
	boot       atomic.Value // string: another boot than the machine's
}

// Advance moves the clock; a negative d sets its wall time back and leaves its
// ticks as they are.
func (c *Clock) Advance(d time.Duration) {
	c.wall.Add(int64(d))
	c.tick.Add(int64(max(d, 0)))
}

// Reboot gives the clock another boot, whose ticks begin anew.
func (c *Clock) Reboot(name string) { c.boot.Store(name) }

// OpenClock is Open with a clock.
func OpenClock(ctx context.Context, path string, c *Clock) (*DB, error) {
	machine := machineClock()
	return open(ctx, path, nil, func() driver.Moment {
		now := machine()
		now.Wall = wall(now.Wall.Add(time.Duration(c.wall.Load())))
		now.Tick += time.Duration(c.tick.Load())
		if name, ok := c.boot.Load().(string); ok {
			now.Boot = name
		}
		return now
	})
}

// LogSize returns the size of the log, and LogLimit what it is kept to.
func (db *DB) LogSize() int64 {
	info, err := os.Stat(db.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

const LogLimit = logLimit

// TurnTaken reports whether anyone has the turn to write.
func (db *DB) TurnTaken() bool {
	t := &db.writer.turn
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.taken
}

// Waiting returns how many wait for the turn without urgency, those included
// that have yielded it.
func (db *DB) Waiting() int {
	t := &db.writer.turn
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.others)
}
