package profile

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// migrate runs migrations on a document that is the caller's own.
type migrate func(key session.Key, d *document.Document, due []*Migration, m *migrator) error

// slots checks the parked save slots of a profile that would load, whose document is in
// the schema's form by now. An error is one of the database's.
func (c *checking) slots(ctx context.Context, key session.Key, d *document.Document) error {
	if c.failing {
		return nil
	}
	x, err := readSlots(d, c.schema)
	if err != nil {
		c.add(key, Problem{Severity: Fails, Kind: Damaged, Field: slotsField}, err)
		return nil
	}
	if x == nil || len(x.parked()) == 0 {
		return nil
	}
	v, err := c.rd.Peek(ctx, key)
	if err != nil {
		return err
	}
	if x, err = readSlots(v.Document, c.schema); err != nil || x == nil {
		return nil // it has changed since, and is the next check's affair
	}
	parked := x.parked()
	keys := make([]string, len(parked))
	for i, s := range parked {
		keys[i] = parkedKey(key, s.ID)
	}
	snap, err := c.db.Read(ctx, keys...)
	if err != nil {
		return err
	}
	c.parked = true
	for i, s := range parked {
		if err := c.slot(ctx, v, s, d, &snap.Entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// parked returns the slots that are parked, those included that can be undeleted.
func (x *slotIndex) parked() (all []*storedSlot) {
	for _, s := range x.slots {
		if s.Stamp != 0 {
			all = append(all, s)
		}
	}
	return all
}

// slot checks one parked slot.
func (c *checking) slot(ctx context.Context, v *session.View, s *storedSlot, account *document.Document, e *driver.Entry) error {
	fields, err := (*document.Document)(nil), e.Damaged
	switch {
	case err != nil:
	case !e.Found():
		err = fmt.Errorf("%w: the save slot's entry is not there", driver.ErrCorrupt)
	default:
		fields, err = decodeParked(e.Value, parkedSlot{Slot: s.ID, Birth: v.Birth, Stamp: s.Stamp}, &c.Limits)
	}
	if err == nil {
		due, err := c.schema.dueOfSlot(v.Key, fields, account)
		c.load(v.Key, fields, due, err, c.schema.migrateSlot)
		return nil
	}
	// Whoever plays meanwhile may have switched between the two readings.
	again, peekErr := c.rd.Peek(ctx, v.Key)
	switch {
	case peekErr != nil:
		return peekErr
	case v.Saved && again.Version == v.Version:
		kind := Damaged
		if errors.Is(err, document.ErrTooLarge) || errors.Is(err, document.ErrTooDeep) {
			kind = TooLarge
		}
		c.add(v.Key, Problem{Severity: Fails, Kind: kind}, fmt.Errorf("save slot %s: %w", s.ID, err))
	}
	return nil
}
