package store

import (
	"crypto/rand"
	"io"
	"log/slog"
	"math"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/prometheus/client_golang/prometheus"
)

// Options configure a DB. A nil *Options is the same as the zero value.
type Options struct {
	// Tries is how often a request of a Store is sent before it is given up
	// with ErrUncertain. Zero means 8; negative means until an answer comes.
	Tries int
	// Pause is the first pause before an attempt is repeated; it doubles each
	// time, up to MaxPause, and each pause is between half and the whole of
	// that, by chance. Zero means 20 ms.
	Pause time.Duration
	// MaxPause bounds the pause. Zero means 2 s. For urgent attempts it is at
	// most 250 ms.
	MaxPause time.Duration
	// Timeout ends a call to the database that does not return, after which
	// the attempt is repeated. Zero means 30 s. For urgent attempts it is at
	// most 3 s.
	Timeout time.Duration
	// Rate is a budget: how many batches and reads a second are sent to the
	// database at most. What is above it waits, except urgent attempts, which
	// are few and are not counted. Zero means no limit.
	Rate float64
	// Burst is how many may be sent at once within the budget, and therefore
	// bounds the groups. Zero means one second's worth, and at least 1. It is
	// read only with a Rate.
	Burst int
	// GroupBytes bounds the values in one group, in bytes; a single larger
	// value goes alone. Zero means 4 MiB.
	GroupBytes int
	// MaxValue is the largest value that a Store accepts, in bytes. Zero means
	// 4 MiB; at most driver.MaxValue less 8 KiB.
	MaxValue int
	// Retention says which replaced versions a Store keeps. Nil means
	// DefaultRetention.
	Retention *driver.Retention
	// Critical is called with true when CriticalErrors calls to the database
	// were not answered, or failed, within CriticalWindow, and with false when
	// that time has passed without another. Calls come one after another, on a
	// goroutine of their own, and none begins after Close. Nil is not called.
	Critical func(on bool)
	// CriticalErrors is explained at Critical. Zero means 5; at most 10,000.
	CriticalErrors int
	// CriticalWindow is explained at Critical. Zero means 1 minute.
	CriticalWindow time.Duration
	// Logger gets what an operator should know. Nil discards it.
	Logger *slog.Logger
	// Metrics is where the DB's collectors are registered. Nil means nowhere.
	Metrics prometheus.Registerer
	// Entropy is where version ids and jitter come from. Nil means
	// crypto/rand. A test that wants the same ids twice gives its own; it is
	// read under a lock.
	Entropy io.Reader
}

// DefaultRetention keeps one version per hour for 30 days and every marked
// one, at most 1,000 versions of a key.
var DefaultRetention = driver.Retention{Every: time.Hour, For: 30 * 24 * time.Hour, Max: 1000}

const (
	defaultMaxValue = 4 << 20
	urgentTimeout   = 3 * time.Second
	urgentPause     = 250 * time.Millisecond

	maxCriticalErrors = 10_000
)

func (o *Options) withDefaults() Options {
	var c Options
	if o != nil {
		c = *o
	}
	setDefault(&c.Tries, 8)
	setDefault(&c.Pause, 20*time.Millisecond)
	setDefault(&c.MaxPause, 2*time.Second)
	setDefault(&c.Timeout, 30*time.Second)
	setDefault(&c.GroupBytes, 4<<20)
	setDefault(&c.MaxValue, defaultMaxValue)
	setDefault(&c.Burst, max(1, int(min(c.Rate, math.MaxInt32))))
	setDefault(&c.CriticalErrors, 5)
	setDefault(&c.CriticalWindow, time.Minute)
	if c.Retention == nil {
		c.Retention = &DefaultRetention
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Entropy == nil {
		c.Entropy = rand.Reader
	}
	return c
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// WorstCase returns how long a request of a Store may take with these options
// when the database answers nothing: all its tries and pauses. It is negative
// if there is no end.
func (o *Options) WorstCase() time.Duration {
	c := o.withDefaults()
	if c.Tries < 0 {
		return -1
	}
	total := time.Duration(c.Tries) * c.Timeout
	for i := 1; i < c.Tries; i++ {
		total += c.pause(i)
	}
	return total
}

// pause returns the longest pause after n tries.
func (o *Options) pause(n int) time.Duration {
	d := o.Pause
	for ; n > 1 && d < o.MaxPause; n-- {
		d *= 2
	}
	return min(d, o.MaxPause)
}
