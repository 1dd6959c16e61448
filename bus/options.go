package bus

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// DefaultFleet is the name of a fleet that was given none.
const DefaultFleet = "holdfast"

// Options configure a Bus. A nil *Options is the same as the zero value.
type Options struct {
	// Fleet is the name that all servers of a game share: messages of other
	// fleets on the same line are not heard. 1 to 50 letters, digits, hyphens
	// and underscores. Empty means DefaultFleet.
	Fleet string
	// QueueBytes bounds what waits to be sent; beyond that Publish returns
	// ErrFull. 64 KiB to 1 GiB. Zero means 8 MiB.
	QueueBytes int
	// RetryFor is how long a message is tried before it is dropped, which its
	// receivers are told of. 10 ms to 10 min. Zero means 10 s.
	RetryFor time.Duration
	// Backlog is how many messages wait for one subscriber at most; what comes
	// beyond that is dropped, and the subscriber is told so. 1 to 1,000,000.
	// Zero means 4,096.
	Backlog int
	// Logger gets what an operator should know. Nil discards it.
	Logger *slog.Logger
	// Metrics is where the collectors of the bus are registered. Nil means
	// nowhere.
	Metrics prometheus.Registerer
}

func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Fleet == "" {
		c.Fleet = DefaultFleet
	}
	if c.QueueBytes == 0 {
		c.QueueBytes = 8 << 20
	}
	if c.RetryFor == 0 {
		c.RetryFor = 10 * time.Second
	}
	if c.Backlog == 0 {
		c.Backlog = 4096
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, c.check()
}

func (o *Options) check() error {
	switch {
	case len(o.Fleet) > 50 || strings.Trim(o.Fleet, fleetLetters) != "":
		return fmt.Errorf("%w: fleet %.80q, 1 to 50 letters, digits, hyphens and underscores allowed", ErrOptions, o.Fleet)
	case o.QueueBytes < 64<<10 || o.QueueBytes > 1<<30:
		return fmt.Errorf("%w: queue of %d bytes, 64 KiB to 1 GiB allowed", ErrOptions, o.QueueBytes)
	case o.RetryFor < 10*time.Millisecond || o.RetryFor > 10*time.Minute:
		return fmt.Errorf("%w: retries for %v, 10ms to 10m allowed", ErrOptions, o.RetryFor)
	case o.Backlog < 1 || o.Backlog > 1_000_000:
		return fmt.Errorf("%w: backlog of %d messages, 1 to 1000000 allowed", ErrOptions, o.Backlog)
	}
	return nil
}

const fleetLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
