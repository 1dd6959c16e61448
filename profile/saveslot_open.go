package profile

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/document"
)

// choiceError is why a load came to nothing: the save slot that one of its callers
// asked for cannot be loaded. The others try again.
type choiceError struct{ err error }

func (e *choiceError) Error() string { return e.err.Error() }
func (e *choiceError) Unwrap() error { return e.err }

// checkSlot refuses a slot that nobody can have.
func (o *OpenOptions) checkSlot() error {
	if o.Slot == "" || o.Slot == NoSlot {
		return nil
	}
	return CheckSlot(o.Slot)
}

// keepWith is keep for a game that wants a save slot. It borrows the profile until
// that is loaded: if it cannot be, the profile is none of the game's.
func (p *Profile) keepWith(ctx context.Context, o *OpenOptions) (took bool, err error) {
	if p.failed != nil || !p.hasSlots() && o.Slot == "" {
		return p.keep(), nil
	}
	if !p.lend() {
		return false, nil
	}
	defer p.giveBack()
	if err := p.chooseSlot(ctx, o, true); err != nil {
		return true, err
	}
	return p.keep(), nil
}

// chooseSlot loads the save slot that a game asks for when it opens the profile.
// Whoever opened it first has chosen: nobody's slot is switched under his feet by
// another one's opening. Borrowers choose none, so the game may still.
func (p *Profile) chooseSlot(ctx context.Context, o *OpenOptions, saves bool) error {
	free, err := p.slotTurn(ctx)
	if err != nil {
		return fmt.Errorf("open %v: %w", p.key, err)
	}
	defer free()
	if p.slotChosen.Load() {
		return p.sameSlot(o.Slot)
	}
	c := p.choice(o)
	if c != nil {
		c.saves = saves
		if _, err := p.changeSlotsNow(ctx, *c); err != nil {
			return fmt.Errorf("open %v: %w", p.key, err)
		}
		if saves {
			if err := p.s.Save(ctx); err != nil {
				return fmt.Errorf("open %v: %w: %w", p.key, ErrNotDurable, err)
			}
		}
	}
	p.slotChosen.Store(true)
	return nil
}

// sameSlot reports an error unless the slot that is asked for is the loaded one.
func (p *Profile) sameSlot(id string) error {
	loaded := cmp.Or(p.LoadedSlot(), NoSlot)
	if id == "" || id == loaded {
		return nil
	}
	return fmt.Errorf("open: %w: the profile is open with %s", &SlotError{Key: p.key, Slot: id, Err: ErrOtherSlot}, loaded)
}

// choice returns the change that loads what is asked for, or nil if there is none to
// be made. Without a wish, what was played last is loaded, and a player who never had
// a slot gets his first.
func (p *Profile) choice(o *OpenOptions) *slotChange {
	p.begin()
	defer p.end()
	x, err := readSlots(p.openDocument(), p.schema)
	p.closeDocument()
	want := o.Slot
	switch {
	case err != nil || want == "" && (x == nil || p.srv.opts.Tool):
		return nil
	case x == nil: // the change says what is wrong with that
	case want == NoSlot && !x.stored && p.Fresh():
		return &slotChange{what: "switch to", do: forgetSlots}
	case want == "" && x.loaded == "" && x.next == 1:
		return &slotChange{what: "create", do: firstSlot}
	case want == "":
		want = x.wish()
	}
	switch {
	case x == nil || want != x.loadedOrNone():
		return &slotChange{what: "switch to", id: want, reads: want != NoSlot, do: loadSlotOf(want)}
	case x.overdue(p.srv.slotTime()):
		return &slotChange{what: "purge", do: noSlotChange}
	}
	return nil
}

// loadedOrNone returns the id of the loaded slot, or NoSlot.
func (x *slotIndex) loadedOrNone() string { return cmp.Or(x.loaded, NoSlot) }

// wish returns what is loaded for who has no wish of his own.
func (x *slotIndex) wish() string {
	if last := x.last(); x.loaded == "" && last != nil {
		return last.ID
	}
	return x.loadedOrNone()
}

// noSlotChange changes nothing: what is overdue is purged before each change.
func noSlotChange(*slotBook, *document.Document) (string, error) { return "", nil }

// forgetSlots lets a new player begin without a slot.
func forgetSlots(b *slotBook, _ *document.Document) (string, error) {
	b.forget()
	return "", nil
}

// firstSlot gives a player who never had a slot his first.
func firstSlot(b *slotBook, _ *document.Document) (string, error) {
	s, err := b.create(FirstSlotName)
	if err != nil {
		return "", err
	}
	return s.ID, b.load(s.ID, new(document.Document))
}

// chosen prepares a profile that has just been loaded for who loads it, before
// anybody else sees it. An error that does not lie in the player's data is a
// *choiceError.
func (p *Profile) chosen(ctx context.Context, o *OpenOptions) error {
	if o.lent || !p.hasSlots() && o.Slot == "" {
		return nil
	}
	err := p.chooseSlot(ctx, o, false)
	if err == nil || certain(err) {
		return err
	}
	return &choiceError{err}
}

// othersChoice reports whether a load failed for what another of its callers asked
// for.
func othersChoice(err error, built bool) bool {
	var c *choiceError
	return !built && errors.As(err, &c)
}
