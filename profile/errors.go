package profile

import (
	"encoding/json"
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
	// ErrBusy means that a profile is held still for a trade with other servers'
	// players, or is on its way from one server to another. Nothing was changed; it
	// passes within moments, and the same may be tried again.
	ErrBusy = errors.New("busy")
	// ErrElsewhere means that a profile is open on another server, which could not be
	// asked for its part in an exchange: it does not answer, or there is no bus
	// (ErrNoBus). Nothing was changed, and the same may be tried again.
	ErrElsewhere = errors.New("on another server that cannot be asked")
	// ErrNoBus means that this server was given no bus to ask others by. It comes
	// with ErrElsewhere.
	ErrNoBus = errors.New("this server has no bus")
	// ErrUnknownOutcome means that the answer to an exchange is lost, so that it
	// has happened, may yet happen, or never will. It comes as an *OutcomeError.
	ErrUnknownOutcome = errors.New("it is not known yet whether it happened")
	// ErrErrored means that the profile is errored: its load failed, and
	// nothing of it may be saved. Profile.Err says why.
	ErrErrored = errors.New("profile is errored")
	// ErrLeft means that a load was given up because its player left.
	ErrLeft = errors.New("left during the load")
	// ErrNotOpen means that there is no profile of that id, nor a load of one.
	ErrNotOpen = errors.New("not open")
	// ErrWrongType means that a value, stored or of an Op, is not of its
	// field's type.
	ErrWrongType = errors.New("value has the wrong type")
	// ErrConditionFailed means that a condition of Tx.Apply does not hold, and
	// that the update was refused for that. It comes as a *ConditionError.
	ErrConditionFailed = errors.New("condition failed")
	// ErrDeeds means that a restore was refused because of what the player has bought or
	// traded since, which it would not undo. It comes as a *DeedsError.
	ErrDeeds = errors.New("purchases or trades since the version")
	// ErrOtherBirth means that a version is of another profile, which was kept under the
	// id before it was erased.
	ErrOtherBirth = errors.New("the version is of another profile that had the id before")
	// ErrCopy means that a profile is a copy, read without its lock, and
	// cannot be changed or saved.
	ErrCopy = errors.New("profile is a copy that was read without its lock")
	// ErrNoOutbox means that nothing can be sent or attached with an update: the
	// profile is errored, or the update is part of a trade with other servers.
	ErrNoOutbox = errors.New("nothing can be sent with this update")
	// ErrFull means that as many messages wait for a profile as may.
	ErrFull = errors.New("too many messages wait")
	// ErrPending means that the wait for a message's outcome has ended. The
	// message is on disk, and is handled as soon as that is possible.
	ErrPending = errors.New("not handled yet")
	// ErrUnhandled means that a message stays where it is: where the player is,
	// no handler takes its topic, or its handler leaves it for later.
	ErrUnhandled = errors.New("nobody handles it now")
	// ErrGone means that there is no such message: it ended unhandled, or was
	// never sent, or what came of it is not kept any more.
	ErrGone = errors.New("no such message")
	// ErrComputed means that a field is computed from others and cannot be written.
	ErrComputed = errors.New("the field is computed")
	// ErrVolatile means that a volatile field cannot be written where nothing would
	// come of it: in a trade across servers, which runs on copies, or by operations on
	// a profile that no game has open.
	ErrVolatile = errors.New("the field is kept in memory only")
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

// ConditionError says which condition does not hold, and what is there instead.
// It matches ErrConditionFailed.
type ConditionError struct {
	Key       session.Key     // of the profile
	Field     string          // name of the field; empty for a condition on the profile
	Element   string          // name of the element, if the condition is on one
	Condition string          // "expect", "expectAtLeast", "expectUnset", "expectPresent", "expectAbsent", "expectRevision"
	Want      json.RawMessage // the value of the condition, nil if it has none
	Got       json.RawMessage // what is there, a default included; nil: nothing
	Cut       bool            // Want or Got is too large to be told by another server, and left out
}

func (e *ConditionError) Error() string {
	place := fmt.Sprintf("field %q", e.Field)
	switch {
	case e.Condition == opExpectRevision.String():
		place = "revision"
	case e.Element != "":
		place += fmt.Sprintf(", element %q", e.Element)
	}
	got := "nothing"
	switch {
	case e.Got != nil:
		got = fmt.Sprintf("%.200s", e.Got)
	case e.Cut:
		got = "what is too large to be told"
	}
	return fmt.Sprintf("%v: %v: %s: have %s, want %s", e.Key, ErrConditionFailed, place, got, e.wanted())
}

// wanted says what the condition asks for.
func (e *ConditionError) wanted() string {
	switch e.Condition {
	case opExpectAtLeast.String():
		return fmt.Sprintf("at least %.200s", e.Want)
	case opExpectPresent.String():
		return "an element"
	case opExpectUnset.String(), opExpectAbsent.String():
		return "nothing"
	}
	return fmt.Sprintf("%.200s", e.Want)
}

// Is reports that the error is an ErrConditionFailed.
func (e *ConditionError) Is(target error) bool { return target == ErrConditionFailed }
