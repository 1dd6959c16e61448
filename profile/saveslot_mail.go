package profile

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/document"
)

// A message that names a save slot is handled while that is loaded. Until then it
// waits where it is, and each switch of the slot has the messages looked at. One for
// a slot that was deleted waits as long as that can be undeleted. When the slot is
// gone for good, the message is a dead letter, or a change that is refused.

// format is the format of a message: one that names a slot has a newer one, so
// that a program which does not know of slots leaves it where it is.
func (m *Message) format() int {
	if m.Slot == "" {
		return messageFormat
	}
	return slotMessageFormat
}

// awaits returns nil if a message may be handled now. An error that is ErrLater says
// that it has to wait for its save slot, any other that this never comes.
func (p *Profile) awaits(m *Message, d *document.Document) error {
	if m.Slot == "" {
		return nil
	}
	err := p.slotMissing(d, m.Slot)
	if err == nil || errors.Is(err, ErrUnknownSlot) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrLater, err)
}

// awaitsSlot is awaits outside of an update.
func (b *inbox) awaitsSlot(m *Message) error {
	if m.Slot == "" {
		return nil
	}
	b.p.begin()
	defer b.p.end()
	defer b.p.closeDocument()
	return b.p.awaits(m, b.p.openDocument())
}

// slotless deals with a message that cannot be handled as its slot is not loaded.
func (b *inbox) slotless(ctx context.Context, t *task, done *letter, cause error) (bool, error) {
	if t.m.Topic == topicChange && errors.Is(cause, ErrUnknownSlot) {
		cause = refusalOf(cause)
	}
	return b.failed(ctx, t, done, cause)
}

// InSlot returns nil if the save slot of an id is loaded, or the id is empty, and else
// a *SlotError that says why what is for that slot cannot be done now: ErrOtherSlot,
// ErrSlotDeleted, ErrNoSlots, or ErrUnknownSlot if it never can be. It fails nothing.
func (tx *Tx) InSlot(id string) error {
	switch {
	case tx.over:
		return fmt.Errorf("look for a save slot of %v: %w", tx.p.key, ErrTxEnded)
	case id == "":
		return nil
	}
	return tx.p.slotMissing(tx.w.Document(), id)
}
