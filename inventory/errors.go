package inventory

import (
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/profile"
)

// Errors of this package. What is refused fails the update, as every refused write
// does, and comes as a *profile.RefusedError with one of these as its reason; an
// entry that is not there is profile.ErrMissing. Between servers, errors.Is finds
// them too; errors.As finds the types with data only on the server that refused.
var (
	// ErrAmount means that an amount is not a whole number from 1 to MaxAmount.
	ErrAmount = profile.Named("no possible amount")
	// ErrNotEnough means that there is less than is to be taken. Nothing was taken.
	// It comes as a *NotEnoughError.
	ErrNotEnough = profile.Named("not enough")
	// ErrFull means that there is room for less than is to come in. Nothing came in.
	// It comes as a *FullError.
	ErrFull = profile.Named("no room")
	// ErrUnknownItem means that the catalogue does not have the item. What is stored
	// of it can be taken, moved and deleted; more of it cannot be made.
	ErrUnknownItem = profile.Named("no such item in the catalogue")
	// ErrKind means that stacks were asked for of an item whose pieces are unique, or
	// the other way round.
	ErrKind = profile.Named("wrong kind of item")
	// ErrName means that a name is not 1 to MaxName bytes of UTF-8 without control
	// characters and without '#'.
	ErrName = profile.Named("no possible name")
	// ErrProperties means that properties are no JSON object, or that the item's
	// Validate refuses them.
	ErrProperties = profile.Named("properties are refused")
	// ErrDiffer means that two stacks cannot become one: they are of different items,
	// or have different properties.
	ErrDiffer = profile.Named("stacks differ")
	// ErrTwice means that an instance would come to where one of the same id is
	// already: somewhere it was duplicated. holdfast audit items finds such.
	ErrTwice = profile.Named("the instance is here already")
	// ErrPlace means that an inventory of places has no place of that name, or that
	// something was asked of it that would leave an entry without one.
	ErrPlace = profile.Named("no possible place")
)

// ErrCatalogue means that a catalogue has a mistake. The error says where.
var ErrCatalogue = errors.New("mistake in catalogue")

// NotEnoughError says how much there is. It matches ErrNotEnough.
type NotEnoughError struct {
	Item       string
	Have, Want int64
}

func (e *NotEnoughError) Error() string {
	return fmt.Sprintf("%v: %d of %q, %d wanted", ErrNotEnough, e.Have, e.Item, e.Want)
}

// Is reports that the error is an ErrNotEnough.
func (e *NotEnoughError) Is(target error) bool { return target == ErrNotEnough }

// FullError says how much would have fitted. It matches ErrFull.
type FullError struct {
	Item       string
	Fits, Want int64
}

func (e *FullError) Error() string {
	return fmt.Sprintf("%v: %d of %q fit, %d should come in", ErrFull, e.Fits, e.Item, e.Want)
}

// Is reports that the error is an ErrFull.
func (e *FullError) Is(target error) bool { return target == ErrFull }
