package rollback

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/driver"
)

// MaxRunID is how many bytes the id of a run may have.
const MaxRunID = 50

// Plan says what a run does.
type Plan struct {
	// Before is the moment, by the database's clock, in whole microseconds: what is
	// less is cut off. It must lie in the past.
	Before time.Time
	// Reason says why, for the history of each player and the audit log: 1 to
	// audit.MaxReason bytes of text.
	Reason string
	// Despite restores also players who have bought or traded since.
	Despite bool
}

func (p *Plan) check(now time.Time) error {
	a := audit.Act{By: "x", What: "x", Reason: p.Reason}
	if err := a.Check(); err != nil {
		return err
	}
	if p.Before.IsZero() || p.Before.After(now) || p.Before.Year() < 1970 {
		return fmt.Errorf("%w: a moment in the past is wanted, not %v", driver.ErrInvalid, p.Before)
	}
	return nil
}

func checkID(id string) error {
	if id == "" || len(id) > MaxRunID || !utf8.ValidString(id) || strings.IndexByte(id, 0) >= 0 {
		return fmt.Errorf("%w: id of a run %.60q: 1 to %d bytes of text", driver.ErrInvalid, id, MaxRunID)
	}
	return nil
}

// Options say how players are gone through. Nil is the same as the zero value.
type Options struct {
	// Parallel is how many players are restored at a time, 1 to 256. Zero means 16.
	Parallel int
	// Wait is the longest that one player is waited for, 10 ms to 10 min. Zero means 30 s.
	Wait time.Duration
	// Each is told what became of each player, from one goroutine at a time, in no order.
	// The run waits for it. Nil: nobody is told.
	Each func(*Player)
}

func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Parallel == 0 {
		c.Parallel = 16
	}
	if c.Wait == 0 {
		c.Wait = 30 * time.Second
	}
	switch {
	case c.Parallel < 1 || c.Parallel > 256:
		return c, fmt.Errorf("%w: %d players at a time, 1 to 256 allowed", driver.ErrInvalid, c.Parallel)
	case c.Wait < 10*time.Millisecond || c.Wait > 10*time.Minute:
		return c, fmt.Errorf("%w: wait of %v, 10ms to 10m allowed", driver.ErrInvalid, c.Wait)
	}
	return c, nil
}
