package inventory

import (
	"fmt"
	"slices"

	"github.com/holdfast-games/holdfast/profile"
)

// Remove takes n of an item out of its stacks, whatever their properties, from the one
// with the highest number down, and returns what came from where. It takes all or
// nothing: a *NotEnoughError says how much there is. Of a unique item it is refused
// with ErrKind, as it would not say which: see Delete.
func (b *Inventory) Remove(tx *profile.Tx, item string, n int64) ([]Part, error) {
	if err := checkAmount(n); err != nil {
		return nil, b.refuse(tx, item, err)
	}
	var room [roomFor]stack
	have, _ := b.holdings(room[:0], tx, item)
	stacks := slices.DeleteFunc(have, func(s stack) bool { return s.unique() })
	total := int64(0)
	for i := range stacks {
		total = min(total+stacks[i].n, MaxAmount)
	}
	switch {
	case total < n && len(stacks) < len(have):
		return nil, b.refuse(tx, item, fmt.Errorf("%w: each %q is unique, and is removed by Delete", ErrKind, item))
	case total < n:
		return nil, b.refuse(tx, item, &NotEnoughError{Item: item, Have: total, Want: n})
	}
	parts := make([]Part, 0, 1)
	for i := len(stacks) - 1; n > 0; i-- {
		took := min(n, stacks[i].n)
		n -= took
		if err := b.take(tx, &stacks[i], took); err != nil {
			return nil, err
		}
		parts = append(parts, Part{stacks[i].key, took})
	}
	return parts, nil
}

// take takes n pieces out of an entry that has them.
func (b *Inventory) take(tx *profile.Tx, s *stack, n int64) error {
	if n >= s.amount() {
		return b.elements.Delete(tx, s.key)
	}
	s.n -= n
	return b.write(tx, s.key, &s.stored)
}

// pieces returns the entry of a key if n can be taken out of it.
func (b *Inventory) pieces(tx *profile.Tx, key string, n int64) (stack, error) {
	if err := checkAmount(n); err != nil {
		return stack{}, b.refuse(tx, key, err)
	}
	s, err := b.entry(tx, key)
	if err != nil {
		return s, err
	}
	if s.amount() < n {
		return s, b.refuse(tx, key, &NotEnoughError{Item: s.item, Have: s.amount(), Want: n})
	}
	return s, nil
}

// RemoveAt takes n out of one entry; an instance is 1. It takes all or nothing: a
// *NotEnoughError says how much there is.
func (b *Inventory) RemoveAt(tx *profile.Tx, key string, n int64) error {
	s, err := b.pieces(tx, key, n)
	if err != nil {
		return err
	}
	return b.take(tx, &s, n)
}

// Delete removes an entry, a whole stack or an instance, and returns it. If there is
// none, it is refused with profile.ErrMissing.
func (b *Inventory) Delete(tx *profile.Tx, key string) (Entry, error) {
	s, err := b.entry(tx, key)
	if err != nil {
		return Entry{}, err
	}
	e, _ := entryOf(key, s.value)
	return e, b.elements.Delete(tx, key)
}

// Clear removes all entries.
func (b *Inventory) Clear(tx *profile.Tx) error { return b.elements.Clear(tx) }
