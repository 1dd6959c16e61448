package inventory

import (
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
)

// Move takes n out of an entry into another inventory of the same profile, where it
// comes to lie as Add would have it, and returns what went where. An instance is 1, and
// keeps its key.
//
// It is refused with profile.ErrMissing, ErrAmount, a *NotEnoughError, or a *FullError
// if not all of it fits there. What is moved was made before, so an item that the
// catalogue does not know any more moves like any other, without limits, and no
// Validate is asked.
func (b *Inventory) Move(tx *profile.Tx, key string, n int64, to *Inventory) ([]Part, error) {
	return b.Transfer(tx, key, n, tx, &TransferOptions{Into: to})
}

// TransferOptions say more of a transfer. Nil stands for the zero value.
type TransferOptions struct {
	Into   *Inventory // where it comes to. Nil: the same inventory of the other profile
	Reason string     // for the histories of instances: UTF-8 of up to 128 bytes
}

// Transfer is Move into an inventory of another profile, in an update of both: in
// profile.UpdateAll, or in a trade, wherever the players are. It happens for both or
// for none. An instance keeps its key, and its history gets a hop.
//
// Besides what Move is refused with, it is ErrTwice if an instance of that id is there
// already.
func (b *Inventory) Transfer(from *profile.Tx, key string, n int64, to *profile.Tx, o *TransferOptions) ([]Part, error) {
	if o == nil {
		o = &TransferOptions{}
	}
	dst := o.Into
	if dst == nil {
		dst = b
	}
	s, err := b.pieces(from, key, n)
	if err != nil {
		return nil, err
	}
	switch {
	case from == to && dst.Name() == b.Name():
		return nil, b.refuse(from, key, fmt.Errorf("%w: it is moved to where it is", driver.ErrInvalid))
	case dst.places != nil:
		return nil, dst.refuse(to, key, errPlaceless)
	}
	if from.Profile() != to.Profile() && s.unique() {
		owner := to.Profile().Key().String()
		if s.history, err = passOn(s.history, owner, o.Reason, time.Now()); err != nil {
			return nil, dst.refuse(to, key, err)
		}
	}
	coming := s
	coming.at = ""
	parts, err := dst.receive(to, &coming, n)
	if err != nil {
		return nil, err
	}
	return parts, b.take(from, &s, n)
}

// receive takes n pieces in that come from elsewhere.
func (b *Inventory) receive(tx *profile.Tx, s *stack, n int64) ([]Part, error) {
	r := b.catalogue.carried(s.item, s.unique())
	have, total := b.holdings(nil, tx, s.item)
	if s.unique() {
		switch {
		case b.elements.Has(tx, s.key):
			return nil, b.refuse(tx, s.key, ErrTwice)
		case total >= r.Most || b.free(tx) == 0:
			return nil, b.refuse(tx, s.key, &FullError{Item: s.item, Want: 1})
		}
		return []Part{{s.key, 1}}, b.write(tx, s.key, &s.stored)
	}
	if fits := b.fits(tx, r, have, total, &s.stored, n); fits < n {
		return nil, b.refuse(tx, s.item, &FullError{Item: s.item, Fits: fits, Want: n})
	}
	piece := s.stored
	return b.fill(tx, s.item, r, have, &piece, n)
}

// Split makes a new stack of n pieces out of a stack, and returns its key. It is
// refused with profile.ErrMissing, ErrKind for an instance, ErrAmount, a *NotEnoughError
// if nothing would be left of the old one, or a *FullError if there is no place for
// another entry.
func (b *Inventory) Split(tx *profile.Tx, key string, n int64) (string, error) {
	s, err := b.pieces(tx, key, n)
	switch {
	case err != nil:
		return "", err
	case s.unique():
		return "", b.refuse(tx, key, fmt.Errorf("%w: an instance is one", ErrKind))
	case b.places != nil:
		return "", b.refuse(tx, key, errPlaceless)
	case s.n == n:
		return "", b.refuse(tx, key, &NotEnoughError{Item: s.item, Have: n - 1, Want: n})
	case b.free(tx) == 0:
		return "", b.refuse(tx, key, &FullError{Item: s.item, Want: n})
	}
	have, _ := b.holdings(nil, tx, s.item)
	piece := s.stored
	piece.n = n
	fresh := stackKey(s.item, numbers(have)())
	if err := b.write(tx, fresh, &piece); err != nil {
		return "", err
	}
	return fresh, b.take(tx, &s, n)
}

// Merge takes n pieces out of one stack into another of the same item. It is refused
// with profile.ErrMissing, ErrAmount, ErrDiffer, a *NotEnoughError, or a *FullError if
// the stack cannot hold them.
func (b *Inventory) Merge(tx *profile.Tx, key string, n int64, into string) error {
	from, err := b.pieces(tx, key, n)
	if err != nil {
		return err
	}
	to, err := b.entry(tx, into)
	if err != nil {
		return err
	}
	if from.item != to.item || key == into || from.unique() || !to.alike(&from.stored) {
		return b.refuse(tx, key, fmt.Errorf("%w: %q and %q", ErrDiffer, key, into))
	}
	most := b.catalogue.carried(from.item, false).Stack
	if fits := max(0, most-to.n); fits < n {
		return b.refuse(tx, into, &FullError{Item: to.item, Fits: fits, Want: n})
	}
	to.n += n
	if err := b.write(tx, into, &to.stored); err != nil {
		return err
	}
	return b.take(tx, &from, n)
}
