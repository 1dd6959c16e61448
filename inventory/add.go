package inventory

import (
	"bytes"
	"fmt"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/profile"
)

// Part is how much of an amount went to one entry, or came from it.
type Part struct {
	Key    string
	Amount int64
}

func checkAmount(n int64) error {
	if n < 1 || n > MaxAmount {
		return fmt.Errorf("%w: %d, from 1 to %d", ErrAmount, n, int64(MaxAmount))
	}
	return nil
}

// Add adds n of an item with properties, which encode as a JSON object; nil stands for
// the item's own. It fills the stacks that have the same properties, in the order of
// their numbers, then makes new ones, and returns what went where.
//
// It is refused with ErrUnknownItem, ErrKind for a unique item, ErrAmount,
// ErrProperties, or a *FullError if not all of it fits, as the item's Stack and Most
// and the inventory's Capacity have it. What fits AddUpTo takes.
func (b *Inventory) Add(tx *profile.Tx, item string, n int64, properties any) ([]Part, error) {
	parts, rest, err := b.AddUpTo(tx, item, n, properties)
	if err == nil && rest > 0 {
		return nil, b.refuse(tx, item, &FullError{Item: item, Fits: n - rest, Want: n})
	}
	return parts, err
}

// AddUpTo is Add, but takes what fits, which may be nothing, and returns the rest. It
// does not look at the document's own limits: who comes to them is refused.
func (b *Inventory) AddUpTo(tx *profile.Tx, item string, n int64, properties any) (parts []Part, rest int64, err error) {
	r, props, err := b.wanted(item, n, properties)
	if err != nil {
		return nil, 0, b.refuse(tx, item, err)
	}
	if b.places != nil {
		return nil, 0, b.refuse(tx, item, errPlaceless)
	}
	var room [roomFor]stack
	have, total := b.holdings(room[:0], tx, item)
	fits := b.fits(tx, r, have, total, &stored{props: props}, n)
	if fits == 0 {
		return nil, n, nil
	}
	parts, err = b.fill(tx, item, r, have, &stored{props: props}, fits)
	return parts, n - fits, err
}

// Room returns how much of an item with properties would fit, as Add takes them: at
// most MaxAmount. The error is why none of it can be added at all, for which no update
// is refused.
func (b *Inventory) Room(rd profile.Reader, item string, properties any) (int64, error) {
	r, props, err := b.wanted(item, 1, properties)
	if err == nil && b.places != nil {
		err = errPlaceless
	}
	if err != nil {
		return 0, err
	}
	have, total := b.holdings(nil, rd, item)
	return b.fits(rd, r, have, total, &stored{props: props}, MaxAmount), nil
}

// wanted checks what is to be added.
func (b *Inventory) wanted(item string, n int64, properties any) (*rule, []byte, error) {
	if err := checkAmount(n); err != nil {
		return nil, nil, err
	}
	r, err := b.catalogue.known(item, false)
	if err != nil {
		return nil, nil, err
	}
	props, err := r.properties(properties)
	return r, props, err
}

// alike reports whether pieces can lie in a stack with the stack's own.
func (s *stack) alike(piece *stored) bool {
	if s.unique() || !bytes.Equal(s.rest, piece.rest) {
		return false
	}
	return bytes.Equal(s.props, piece.props) || s.props != nil && piece.props != nil && document.Equal(s.props, piece.props)
}

// fits returns how much more of an item fits, want at most, beside the entries of it
// that are here.
func (b *Inventory) fits(rd profile.Reader, r *rule, have []stack, total int64, piece *stored, want int64) int64 {
	want = min(want, max(0, min(r.Most, MaxAmount)-total))
	if b.capacity == 0 || want == 0 {
		return want
	}
	var fits int64
	for i := range have {
		if have[i].alike(piece) {
			fits += max(0, r.Stack-have[i].n)
		}
		if fits >= want {
			return want
		}
	}
	free := b.free(rd)
	if free > (want-fits)/r.Stack {
		return want
	}
	return min(want, fits+free*r.Stack)
}

// free returns how many more entries fit.
func (b *Inventory) free(rd profile.Reader) int64 {
	if b.capacity == 0 {
		return MaxAmount
	}
	return int64(max(0, b.capacity-b.Len(rd)))
}

// fill puts n pieces into the stacks that are here and into new ones. They fit.
func (b *Inventory) fill(tx *profile.Tx, item string, r *rule, have []stack, piece *stored, n int64) ([]Part, error) {
	parts := make([]Part, 0, 1)
	for i := range have {
		s := &have[i]
		if n == 0 || !s.alike(piece) || s.n >= r.Stack {
			continue
		}
		took := min(n, r.Stack-s.n)
		s.n += took
		n -= took
		if err := b.write(tx, s.key, &s.stored); err != nil {
			return nil, err
		}
		parts = append(parts, Part{s.key, took})
	}
	for number := numbers(have); n > 0; {
		piece.n = min(n, r.Stack)
		n -= piece.n
		key := stackKey(item, number())
		if err := b.write(tx, key, piece); err != nil {
			return nil, err
		}
		parts = append(parts, Part{key, piece.n})
	}
	return parts, nil
}

// numbers returns a function that numbers new stacks: the first is 1 if there is no
// such stack, so that an item has mostly one and its name for its key; all others are
// higher than those that are here.
func numbers(have []stack) func() int64 {
	first, last := true, int64(1)
	for i := range have {
		if !have[i].unique() {
			first = first && have[i].number != 1
			last = max(last, have[i].number)
		}
	}
	return func() int64 {
		if first {
			first = false
			return 1
		}
		last++
		return last
	}
}
