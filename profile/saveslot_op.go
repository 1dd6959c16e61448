package profile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

// SlotOption says something of one change of save slots.
type SlotOption struct{ act *audit.Act }

// Audited makes the change an operator's act, which is in the audit log with the change
// or not at all: see Tx.Audit. The act's reason is the update's. If its Result is empty,
// it names the slot that was made, if one was. An act that is out of bounds fails the
// change as driver.ErrInvalid.
func Audited(a audit.Act) SlotOption { return SlotOption{&a} }

// slotTime is the time that the index notes, by the database's clock.
func (c *common) slotTime() time.Time { return c.ss.Now().UTC().Round(time.Millisecond) }

// SwitchSlot loads a save slot and parks the one that is loaded: the fields that are
// PerSlot are the other slot's from then on, all at one moment, and events tell of
// those whose values are different. NoSlot loads none. To switch to the slot that is
// loaded does nothing.
//
// It blocks until both slots are on disk, in one commit of the player's root; the
// profile stays open and locked throughout. A crash before that leaves the slots as
// they were, or as they are to be. What is not in memory is read first, and updates
// go on meanwhile. If ctx ends before the switch it has not happened; if it ends
// during the wait for the disk, the error is ErrNotDurable, as it is if the database
// refuses the save.
//
// Nothing has changed if the error is ErrUnknownSlot, ErrSlotDeleted, ErrNoSlots,
// document.ErrTooLarge (the slot that is loaded has more than session.MaxOutboxBytes,
// or the other one does not fit beside the account's fields), driver.ErrCorrupt,
// driver.ErrFormat or ErrWrongType (the parked one cannot be read, and stays as it
// is), ErrErrored, ErrCopy, ErrBusy, ErrEventsFull, session.ErrSuspended,
// session.ErrClosed or a *session.LostError.
//
// The other methods that change save slots block and fail alike.
func (p *Profile) SwitchSlot(ctx context.Context, id string, opts ...SlotOption) error {
	_, err := p.changeSlots(ctx, opts, slotChange{what: "switch to", id: id, reads: id != NoSlot, saves: true, do: loadSlotOf(id)})
	return err
}

// loadSlotOf is the change that loads a slot, or none.
func loadSlotOf(id string) func(*slotBook, *document.Document) (string, error) {
	return func(b *slotBook, parked *document.Document) (string, error) {
		if id == NoSlot {
			return "", b.park()
		}
		return id, b.load(id, parked)
	}
}

// CreateSlot adds an empty save slot, in which all fields read as their defaults, and
// returns its id. Load says whether it is loaded too, as by SwitchSlot, in the same
// update. The name has 1 to MaxSlotName bytes of UTF-8 without control characters
// (driver.ErrInvalid); others may have the same. It is ErrSlotsFull if the player has
// as many slots as he may have, or if MaxDeletedSlots wait to be undeleted.
func (p *Profile) CreateSlot(ctx context.Context, name string, load bool, opts ...SlotOption) (id string, err error) {
	return p.changeSlots(ctx, opts, slotChange{what: "create", saves: true, do: func(b *slotBook, _ *document.Document) (string, error) {
		s, err := b.create(name)
		if err == nil && load {
			err = b.load(s.ID, new(document.Document))
		}
		if err != nil {
			return "", err
		}
		return s.ID, nil
	}})
}

// CopySlot adds a save slot with the fields of another one, loaded or not, under a
// name as for CreateSlot, and returns its id. It does not load it. A copy holds what
// the other holds: a game whose players trade should not let them copy.
func (p *Profile) CopySlot(ctx context.Context, id, name string, opts ...SlotOption) (copied string, err error) {
	return p.changeSlots(ctx, opts, slotChange{what: "copy", id: id, reads: true, saves: true, do: func(b *slotBook, parked *document.Document) (string, error) {
		s, err := b.copy(id, name, parked)
		if err != nil {
			return "", err
		}
		return s.ID, nil
	}})
}

// RenameSlot gives a save slot another name, as for CreateSlot.
func (p *Profile) RenameSlot(ctx context.Context, id, name string, opts ...SlotOption) error {
	_, err := p.changeSlots(ctx, opts, slotChange{what: "rename", id: id, saves: true, do: func(b *slotBook, _ *document.Document) (string, error) {
		return "", b.rename(id, name)
	}})
	return err
}

// DeleteSlot deletes a save slot. If it is loaded, none is then. Within
// SlotRules.Keep it can be undeleted, with all that was in it; after that it is gone
// for good, which the next change of the slots or the next load sees to.
func (p *Profile) DeleteSlot(ctx context.Context, id string, opts ...SlotOption) error {
	_, err := p.changeSlots(ctx, opts, slotChange{what: "delete", id: id, saves: true, do: func(b *slotBook, _ *document.Document) (string, error) {
		return "", b.delete(id)
	}})
	return err
}

// UndeleteSlot brings a deleted save slot back, parked. One that was not deleted is
// no error; ErrSlotsFull means that the player has as many as he may have.
func (p *Profile) UndeleteSlot(ctx context.Context, id string, opts ...SlotOption) error {
	_, err := p.changeSlots(ctx, opts, slotChange{what: "undelete", id: id, saves: true, do: func(b *slotBook, _ *document.Document) (string, error) {
		return "", b.undelete(id)
	}})
	return err
}

// slotChange is one change of a profile's save slots.
type slotChange struct {
	what  string
	id    string // of the slot that it names; empty: none
	reads bool   // it needs the fields of that one, if it is parked
	saves bool   // it waits for the disk
	act   *audit.Act
	do    func(b *slotBook, parked *document.Document) (id string, err error)
}

// changeSlots changes the save slots, when nothing else does.
func (p *Profile) changeSlots(ctx context.Context, opts []SlotOption, c slotChange) (id string, err error) {
	for _, o := range opts {
		c.act = cmp.Or(o.act, c.act)
	}
	fail := func(err error) error {
		if c.id == "" {
			return fmt.Errorf("%s save slot of %v: %w", c.what, p.key, err)
		}
		return fmt.Errorf("%s save slot %.40q of %v: %w", c.what, c.id, p.key, err)
	}
	if p.failed != nil {
		return "", p.erroredErr(c.what + " a save slot of")
	}
	free, err := p.slotTurn(ctx)
	if err != nil {
		return "", fail(err)
	}
	defer free()
	if id, err = p.changeSlotsNow(ctx, c); err != nil {
		return "", fail(err)
	}
	if !c.saves {
		return id, nil
	}
	if err := p.s.Save(ctx); err != nil {
		return id, fail(fmt.Errorf("%w: %w", ErrNotDurable, err))
	}
	return id, nil
}

// slotTurn waits until no other change of the save slots is under way, and returns
// what lets the next one begin.
func (p *Profile) slotTurn(ctx context.Context) (free func(), err error) {
	x := p.extras()
	x.mu.Lock()
	if x.slotting == nil {
		x.slotting = make(chan struct{}, 1)
	}
	turn := x.slotting
	x.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for another change of the slots: %w", context.Cause(ctx))
	}
}

// changeSlotsNow is changeSlots for who has the turn. It reads what is parked, and
// makes the change in one update.
func (p *Profile) changeSlotsNow(ctx context.Context, c slotChange) (id string, err error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	parked, stamp := new(document.Document), uint64(0)
	if c.reads {
		if stamp, err = p.stampOf(c.id); err != nil {
			return "", err
		}
		if stamp != 0 {
			if parked, err = p.readParked(ctx, c.id, stamp); err == nil && !p.srv.opts.Tool {
				err = p.migrateParked(parked)
			}
			if err == nil {
				err = p.fits(parked)
			}
			if err != nil {
				return "", err
			}
		}
	}
	before, after := "", ""
	err = p.updateWithRoom(ctx, func(tx *Tx) error {
		before = tx.LoadedSlot()
		if err := tx.foldPlayTime(); err != nil { // what is parked holds all of it
			return err
		}
		b, err := tx.slotBook()
		if err != nil {
			return err
		}
		if s := b.index.slot(c.id); c.reads && s != nil && s.Stamp != stamp {
			return fmt.Errorf("%w: save slot %q has changed since it was read", ErrBusy, c.id)
		}
		b.purge()
		if id, err = c.do(b, parked); err != nil {
			return b.slotErr(c.id, err)
		}
		if err := tx.keepSlots(b); err != nil {
			return err
		}
		if err := c.audit(tx, id); err != nil {
			return err
		}
		if after = tx.LoadedSlot(); after != before {
			tx.tickInSlot()
			tx.slotSwitched = &SlotSwitch{Profile: p, From: before, To: after}
		}
		return nil
	})
	if err == nil && c.saves && after != before { // else it is being loaded
		p.mail().want() // what waited for it, or came in between
	}
	return id, err
}

// audit writes the act that the change is, if it is one; made is the slot that it made.
func (c *slotChange) audit(tx *Tx, made string) error {
	if c.act == nil {
		return nil
	}
	a := *c.act
	if a.Result == "" && made != "" && made != c.id {
		a.Result = "save slot " + made
	}
	tx.Because(a.Reason)
	return tx.Audit(a)
}

// migrateParked brings what was read of a parked slot into the schema's form.
func (p *Profile) migrateParked(parked *document.Document) error {
	p.begin()
	due, err := p.schema.dueOfSlot(p.key, parked, p.openDocument())
	p.closeDocument()
	p.end()
	if err != nil {
		return err
	}
	return p.schema.migrateSlot(p.key, parked, due, p.srv.migrator())
}

// stampOf returns the stamp of the slot of an id, 0 if it is not parked.
func (p *Profile) stampOf(id string) (uint64, error) {
	p.begin()
	defer p.end()
	x, err := readSlots(p.openDocument(), p.schema)
	p.closeDocument()
	switch {
	case err != nil:
		return 0, err
	case x == nil:
		return 0, &SlotError{Key: p.key, Err: ErrNoSlots}
	}
	s, err := x.find(id)
	if err != nil {
		return 0, &SlotError{Key: p.key, Slot: id, Err: err}
	}
	return s.Stamp, nil
}

// outboxTries is how often an update is made that finds the outbox full, with a
// save before each next time.
const outboxTries = 3

// updateWithRoom updates the profile. If the outbox is full, it saves first.
func (p *Profile) updateWithRoom(ctx context.Context, fn func(*Tx) error) error {
	for try := 1; ; try++ {
		err := p.Update(fn)
		if !errors.Is(err, session.ErrOutboxFull) || try == outboxTries {
			return err
		}
		if err := p.Save(ctx); err != nil {
			return err
		}
	}
}
