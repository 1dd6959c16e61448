package sim

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// playedField grows by itself while a game has a player open, and fleetField is kept
// in memory only. No update of the model holds them: the first goes with saves that
// happen anyway, the other never reaches the database.
const (
	playedField = "played"
	fleetField  = "fleet"
)

var (
	playedOf = profile.PlayTime(playedField)
	fleetOf  = profile.Int(fleetField, 0, profile.Volatile())
	// twiceOf follows from a volatile and a lazy field.
	twiceOf = profile.Computed("twice", func(r profile.Reader) int64 { return 2 * (fleetOf.Get(r) + lazyOf.Get(r)) }, fleetOf, lazyOf)
)

var (
	errFleet = errors.New("a volatile field is in the database")
	errTaken = errors.New("the simulation takes it back")
)

// parseLate takes what is no part of an update out of a document, and reports
// whether the field is that.
func (c *content) parseLate(field, value string) (bool, error) {
	var err error
	switch field {
	case lazyField:
		c.late = value
	case counterField:
		c.counter, err = strconv.ParseInt(value, 10, 64)
	case playedField:
		c.played, err = strconv.ParseInt(value, 10, 64)
	case importField: // it says that the older store was asked
	case fleetField, twiceOf.Name():
		err = errFleet
	default:
		return false, nil
	}
	if err != nil {
		err = fmt.Errorf("read %s %.80q: %w", field, value, err)
	}
	return true, err
}

// writeFleet writes the volatile field of a player beside a lazy value, or takes both
// back, and checks what his fields read.
func (h *hold) writeFleet(lazy int, keep bool) error {
	err := h.profile.Update(func(tx *profile.Tx) error {
		err := errors.Join(fleetOf.Set(tx, int64(lazy)), lazyOf.Set(tx, int64(lazy)))
		if got := twiceOf.Get(tx); err == nil && got != 4*int64(lazy) {
			return fmt.Errorf("%v: the computed field reads %d in the update, want %d", h.p.key, got, 4*lazy)
		}
		if !keep {
			return errTaken
		}
		return err
	})
	if err == nil {
		h.fleet = lazy
	}
	if errors.Is(err, errTaken) {
		return nil
	}
	return err
}

// checkFleet checks what is only in a player's memory.
func (h *hold) checkFleet() error {
	if h.profile == nil {
		return nil
	}
	want, twice := int64(h.fleet), 2*int64(h.fleet+h.lazy)
	if got := fleetOf.Get(h.profile); got != want {
		return fmt.Errorf("session %s of %v holds the volatile value %d, its last was %d", h.session, h.p.key, got, want)
	}
	if got := twiceOf.Get(h.profile); got != twice {
		return fmt.Errorf("the computed field of %v reads %d, want %d", h.p.key, got, twice)
	}
	return nil
}

// played returns the time that a player has played, as his profile tells, which a save
// that begins now will hold; 0 if that is not so, as he is about to be released.
func (h *hold) played() time.Duration {
	if h.profile == nil {
		return 0
	}
	tx, err := h.s.Begin()
	if err != nil {
		return 0
	}
	session.Rollback(tx)
	return playedOf.Get(h.profile)
}

// checkSavedTime checks that what was played when a save of an update was asked for is
// in the root, unless that was erased since: who is told late of a save is told the truth.
func (h *hold) checkSavedTime(u *update, had time.Duration) error {
	if u.erased > 0 {
		return nil
	}
	if got := time.Duration(h.p.stored.played) * time.Millisecond; got < had {
		return fmt.Errorf("root of %v: %v played, and somebody was told that %v are saved", h.p.key, got, had)
	}
	return nil
}

// checkTime checks the time that was played in a root that was written: what was
// there is never lost but by a restore, and no time is counted twice.
func (p *player) checkTime(old stored, restored bool) error {
	if !old.exists {
		p.since = time.Now()
	}
	if p.stored.played < old.played && !restored {
		return fmt.Errorf("root of %v: %d ms played were replaced by the older %d", p.key, old.played, p.stored.played)
	}
	if most := time.Since(p.since).Milliseconds(); p.stored.played > most {
		return fmt.Errorf("root of %v: %d ms played in %d", p.key, p.stored.played, most)
	}
	return nil
}

// lazily writes what is not journalled.
func (h *hold) lazily(n int) (lazy int, err error) {
	if h.profile == nil {
		return n, lazyInSession(h.s, n)
	}
	keep := n%4 != 0
	if err := h.writeFleet(n, keep); err != nil || !keep {
		return h.lazy, err
	}
	return n, nil
}

// withoutTime returns a root with the time that was played in the one before it.
func withoutTime(p *player, value []byte) []byte {
	if p.stored.played == 0 {
		return value
	}
	return withMember(value, "data", withMember(member(value, "data"), playedField, mustJSON(p.stored.played)))
}
