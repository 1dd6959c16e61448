package replica

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// AtOnce, as Options.Tick, sends each change as soon as it is made.
const AtOnce time.Duration = -1

// Options configure a Server. Nil is the same as the zero value.
type Options struct {
	// Tick is the time from the first change of a player to the frame that tells of
	// it: what changes meanwhile travels with it. Zero means 50 ms; at most 10 s;
	// AtOnce, or anything negative, waits for nothing.
	Tick time.Duration
	// Backlog is how many bytes of frames are kept for each player who is watched, so
	// that those who are slow or come again need not be sent the state. The last
	// frame is kept in any case. Zero means 8 KiB; negative keeps no other.
	Backlog int
	// Linger is how long what changes is noted after the last watcher of a player has
	// left, so that he can go on where he was. Zero means 30 s; at most 1 h; negative
	// means not at all.
	Linger time.Duration
	// Patience is how long a watcher waits for a player who is not loaded here. Zero
	// means 30 s; at most 1 h; negative means not at all.
	Patience time.Duration
	// Ping is how often a client is asked whether it is there; one that is not heard of
	// for two and a half times that is given up. Zero means 15 s; 100 ms to 10 min.
	Ping time.Duration
	// Watchers is how many may watch one player at a time. Zero means 100.
	Watchers int
	// Logger is told what goes wrong. Nil means that nothing is logged.
	Logger *slog.Logger
	// Metrics is where the collectors of the server and of its handlers are
	// registered, until Close. Nil means nowhere.
	Metrics prometheus.Registerer
}

// The bounds of options.
const (
	maxTick  = 10 * time.Second
	maxWait  = time.Hour
	minPing  = 100 * time.Millisecond
	maxPing  = 10 * time.Minute
	silences = 5 // a client is given up after so many halves of a Ping
)

func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	setDefault(&c.Tick, 50*time.Millisecond)
	setDefault(&c.Backlog, 8<<10)
	setDefault(&c.Linger, 30*time.Second)
	setDefault(&c.Patience, 30*time.Second)
	setDefault(&c.Ping, 15*time.Second)
	setDefault(&c.Watchers, 100)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, c.check()
}

func setDefault[T comparable](v *T, def T) {
	if *v == *new(T) {
		*v = def
	}
}

func (o *Options) check() error {
	switch {
	case o.Tick > maxTick:
		return fmt.Errorf("%w: a tick of %v, at most %v", ErrOption, o.Tick, maxTick)
	case o.Linger > maxWait || o.Patience > maxWait:
		return fmt.Errorf("%w: Linger of %v and Patience of %v, at most %v", ErrOption, o.Linger, o.Patience, maxWait)
	case o.Ping < minPing || o.Ping > maxPing:
		return fmt.Errorf("%w: a ping every %v, %v to %v allowed", ErrOption, o.Ping, minPing, maxPing)
	case o.Watchers < 0:
		return fmt.Errorf("%w: %d watchers of a player", ErrOption, o.Watchers)
	}
	return nil
}
