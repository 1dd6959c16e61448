package bus

import (
	"log/slog"
	"sync"
	"time"
)

// complaintEvery is the time between two lines of the log about one thing.
const complaintEvery = time.Minute

// complaints logs what may happen very often once in a while, with how often it
// has happened.
type complaints struct {
	logger *slog.Logger
	mu     sync.Mutex
	told   map[string]*complaint
}

type complaint struct {
	at    time.Time // of the last line
	since int       // times since then
}

func newComplaints(l *slog.Logger) *complaints {
	return &complaints{logger: l, told: make(map[string]*complaint)}
}

// add notes that something happened times times. What must be one of few.
func (c *complaints) add(what string, times int, args ...any) {
	c.mu.Lock()
	t := c.told[what]
	if t == nil {
		t = &complaint{}
		c.told[what] = t
	}
	t.since += times
	now := time.Now()
	if !t.at.IsZero() && now.Sub(t.at) < complaintEvery {
		c.mu.Unlock()
		return
	}
	times, t.since, t.at = t.since, 0, now
	c.mu.Unlock()
	c.logger.Warn(what, append([]any{"times", times}, args...)...)
}
