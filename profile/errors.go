package profile

import (
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/session"
)

// Errors of this package. What comes from below keeps the errors of packages
// session, document, store and driver.
var (
	// ErrSchema means that a schema has a mistake: in its kind, in a field's
	// name, default or options, or two fields of one name.
	ErrSchema = errors.New("mistake in schema")
	// ErrRefused means that a write was refused, and with it the update. It
	// comes as a *RefusedError.
	ErrRefused = errors.New("write refused")
	// ErrRange means that a number would be out of its bounds, or overflow,
	// or is no number.
	ErrRange = errors.New("out of range")
	// ErrTooLong means that a text, bytes, or a collection would exceed its
	// MaxLen.
	ErrTooLong = errors.New("too long")
	// ErrMissing means that an edit names an element that is not there.
	ErrMissing = errors.New("no such element")
	// ErrUnknownField means that a field was used with a profile whose schema
	// does not have it.
	ErrUnknownField = errors.New("field is not in the profile's schema")
	// ErrTxEnded means that a Tx was used after its function had returned.
	ErrTxEnded = errors.New("update has ended")
	// ErrEventsFull means that so many events wait for delivery that no
	// further update can be accepted.
	ErrEventsFull = errors.New("too many events wait for delivery")
	// ErrNotDurable means that an update was made, and is in memory like any
	// other, but the wait for the disk has ended without an answer. What it
	// changed is journalled and saved as soon as that is possible.
	ErrNotDurable = errors.New("updated, but not known to be on disk")
	// ErrErrored means that the profile is errored: its load failed, and
	// nothing of it may be saved. Profile.Err says why.
	ErrErrored = errors.New("profile is errored")
	// ErrLeft means that a load was given up because its player left.
	ErrLeft = errors.New("left during the load")
	// ErrNotOpen means that there is no profile of that id, nor a load of one.
	ErrNotOpen = errors.New("not open")
	// ErrWrongType means that a stored value is not of its field's type.
	ErrWrongType = errors.New("stored value has the wrong type")
	// ErrChanged means that a decoded value was changed in place.
	ErrChanged = errors.New("value was changed in place")
)

// RefusedError says which write was refused, and why. It matches ErrRefused and
// the reason.
type RefusedError struct {
	Key     session.Key // of the profile
	Field   string      // name of the field
	Element string      // name of the element, if the write was to one
	Reason  error
}

func (e *RefusedError) Error() string {
	if e.Element != "" {
		return fmt.Sprintf("%v: %v: field %q, element %q: %v", e.Key, ErrRefused, e.Field, e.Element, e.Reason)
	}
	return fmt.Sprintf("%v: %v: field %q: %v", e.Key, ErrRefused, e.Field, e.Reason)
}

// Is reports that the error is an ErrRefused.
func (e *RefusedError) Is(target error) bool { return target == ErrRefused }

// Unwrap returns the reason.
func (e *RefusedError) Unwrap() error { return e.Reason }
