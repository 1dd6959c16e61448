package inventory

import (
	"fmt"

	"github.com/holdfast-games/holdfast/profile"
)

// Finding is an entry that the catalogue would not have made.
type Finding struct {
	Entry
	// Reason matches ErrUnknownItem, ErrKind, ErrFull if the stack, or the item in the
	// whole inventory, is larger than may be, or ErrProperties.
	Reason error
}

// Review returns the entries that the catalogue would not make as they are: it has
// changed since. They stay as they are, can be looked up, taken, moved and deleted;
// only more of them cannot be made. What to do about them is the game's decision.
func (b *Inventory) Review(r profile.Reader) []Finding {
	var found []Finding
	totals := make(map[string]int64)
	for e := range b.All(r) {
		totals[e.Item] = min(totals[e.Item]+e.Amount, MaxAmount)
		if err := b.review(&e, totals[e.Item]); err != nil {
			found = append(found, Finding{e, err})
		}
	}
	return found
}

// review returns why the catalogue would not make an entry. Total is how much there is
// of the item up to and with it.
func (b *Inventory) review(e *Entry, total int64) error {
	r, err := b.catalogue.known(e.Item, e.Unique())
	switch {
	case err != nil:
		return err
	case !e.Unique() && e.Amount > r.Stack:
		return fmt.Errorf("%w: a stack of %d, at most %d", ErrFull, e.Amount, r.Stack)
	case total > r.Most:
		return fmt.Errorf("%w: %d in all, at most %d", ErrFull, total, r.Most)
	}
	return r.validate(e.Properties)
}
