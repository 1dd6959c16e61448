package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// counterField is a sum that is changed by id only, from any server. No update of
// the model holds it: each change by id has a digit of its own in it, which is 1 if
// the change was made, and 2 if it was made twice.
const counterField = "counter"

var counterOf = profile.Int(counterField, 0)

// digits is how many changes by id there are of a player.
const digits = 30

// byID is a change of a player by his id.
type byID struct {
	p     *player
	place int  // of its digit
	named bool // it has an id, so that it can be asked for again
	// Whether it expects a value of the counter, and which.
	expects bool
	value   int64

	made  bool // it is on disk
	never bool // somebody was told that it never will be made
	gone  bool // its player was erased meanwhile
	loose bool // a restore may have undone it
}

func (b *byID) ops() []profile.Op {
	ops := []profile.Op{counterOf.AddOp(1 << (2 * b.place))}
	if b.expects {
		ops = append([]profile.Op{counterOf.ExpectOp(b.value)}, ops...)
	}
	return ops
}

func (b *byID) options() *profile.ChangeOptions {
	o := &profile.ChangeOptions{Life: 30 * 24 * time.Hour, Reason: "a change by id"}
	if b.named {
		o.ID = fmt.Sprintf("c%d", b.place)
	}
	return o
}

func (b *byID) String() string { return fmt.Sprintf("change %d of %s", b.place, b.p.key.ID) }

// changeByID has a server change a player, perhaps as another has done before.
func (w *world) changeByID(in *instance) {
	p := w.somebody()
	var b *byID
	if n := len(p.byID); n > 0 && w.chance(0.4) {
		b = p.byID[w.rng.IntN(n)]
	}
	switch {
	case b != nil && !b.named || b == nil && len(p.byID) == digits:
		return
	case b == nil:
		b = &byID{p: p, place: len(p.byID), named: w.chance(0.7), expects: w.chance(0.3), value: p.counter}
		p.byID = append(p.byID, b)
	}
	w.beginFor(in, p, fmt.Sprintf("change %d of", b.place), func(ctx context.Context) func() {
		done, err := in.profiles.Change(ctx, p.key.ID, b.ops(), b.options())
		return func() { w.changed(b, done, err) }
	})
}

// changed checks what the one who made a change was told.
func (w *world) changed(b *byID, done profile.Changed, err error) {
	for _, known := range []error{profile.ErrConditionFailed, profile.ErrPending, profile.ErrNotDurable, session.ErrNotFound, session.ErrErased} {
		if errors.Is(err, known) {
			w.trace.add("%s ends: %v", w.current, known)
			b.never = b.never || known == profile.ErrConditionFailed
			w.fail(w.check.checkCounter(b.p))
			return
		}
	}
	w.heard(err)
	if err != nil || b.gone || b.loose {
		return
	}
	last, bad := strconv.ParseInt(string(done.Results[len(done.Results)-1]), 10, 64)
	if bad != nil || !b.made || last>>(2*b.place)&3 != 1 {
		w.fail(fmt.Errorf("%s was told that %v was made, with the sum %#o: %v, %v", w.current, b, last, b.made, bad))
	}
}

// checkCounter checks that the changes of a player by his id would be there once
// each after a crash and a replay, and that none of them is lost that was.
func (c *checker) checkCounter(p *player) error {
	sum := p.stored.counter
	if l := c.leases[p.stored.lease]; l != nil {
		for _, e := range l.journal {
			for _, r := range e.records {
				if r.session == p.stored.session && e.number > p.stored.position && r.counted {
					sum = r.counter
				}
			}
		}
	}
	p.counter = sum
	for _, b := range p.byID {
		times := sum >> (2 * b.place) & 3
		sum -= times << (2 * b.place)
		if times > 1 || times == 1 && b.never || times == 0 && b.made && !b.loose {
			return fmt.Errorf("%v is there %d times; it was made: %v, it is never made: %v", b, times, b.made, b.never)
		}
		b.made = b.made || times == 1
	}
	if sum != 0 {
		return fmt.Errorf("the counter of %v has %#x too much", p.key, sum)
	}
	return nil
}

// loosen says that a restore may have undone what was changed by id.
func (p *player) loosen() {
	for _, b := range p.byID {
		b.loose = true
	}
}

// onlyCounts reports whether a delta's changes are only of the counter, or of what
// goes along with other changes.
func onlyCounts(fields []string) bool {
	return !slices.ContainsFunc(fields, func(f string) bool { return f != counterField && f != lazyField && f != playedField })
}
