package store

import (
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/driver"
)

// Errors of this package. What comes from below keeps the driver's error
// (driver.ErrUnavailable, ErrReadOnly, ErrCorrupt, ErrClosed, ErrInvalid).
var (
	// ErrNotFound means that there is no such entry or version. It is the
	// driver's error, so that one test fits both.
	ErrNotFound = driver.ErrNotFound
	// ErrConflict means that an entry was not at the version that the attempt
	// named. Nothing was applied, and nothing of it ever will be.
	ErrConflict = errors.New("entry has another version")
	// ErrUncertain means that an attempt's answer was lost and that what is in
	// the database no longer tells whether it was applied.
	ErrUncertain = errors.New("outcome unknown")
	// ErrLate means that an attempt could not be sent before the time that it
	// named. Nothing of it was sent.
	ErrLate = errors.New("not sent in time")
	// ErrSkip is returned by an Update's function that wants the entry left as
	// it is. Update then returns the entry and no error.
	ErrSkip = errors.New("leave the entry as it is")
	// ErrSkipped means that SkipToLast took this request out of its queue
	// before it began. Nothing of it was sent.
	ErrSkipped = errors.New("skipped for a later request on the same key")
	// ErrName means that the name of a store, a ranking or a key is not 1 to
	// MaxName bytes of UTF-8 without NUL, or that of a member not 1 to MaxMember.
	ErrName = errors.New("invalid name")
	// ErrTooLarge means that a value, its metadata or its user ids are over
	// the limit.
	ErrTooLarge = errors.New("too large")
	// ErrRanked means that a ranking's rows follow players' data, so that it
	// cannot be changed by itself.
	ErrRanked = errors.New("the ranking is fed from players' data")
	// ErrNotInteger means that Add met a value that is not a decimal integer
	// in the range of int64, or would have left that range.
	ErrNotInteger = errors.New("value is not a 64-bit integer")
)

// ConflictError says which entries were not at the versions that an attempt
// named, and where they stand instead. It matches ErrConflict.
type ConflictError struct {
	Refused []driver.State
}

// Error names the first entry that was in the way.
func (e *ConflictError) Error() string {
	if len(e.Refused) == 0 {
		return ErrConflict.Error()
	}
	s := e.Refused[0]
	if len(s.Recent) == 0 {
		return fmt.Sprintf("%v: %q is absent", ErrConflict, s.Key)
	}
	return fmt.Sprintf("%v: %q is at %v", ErrConflict, s.Key, s.Recent[0])
}

// Is reports that the error is an ErrConflict.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// State returns where the entry under key stands, if it was in the way.
func (e *ConflictError) State(key string) (driver.State, bool) {
	for _, s := range e.Refused {
		if s.Key == key {
			return s, true
		}
	}
	return driver.State{}, false
}
