package driver

import "errors"

// Errors that drivers return, wrapped with what was being done. Test for them
// with errors.Is.
var (
	// ErrUnavailable means that the database gave no answer: it is busy,
	// unreachable, out of space, or the context ended. A commit may have been
	// applied, or may yet be. It may pass.
	ErrUnavailable = errors.New("database unavailable")
	// ErrFull means that there is no space left. It also matches
	// ErrUnavailable: with space it passes, and nothing was lost.
	ErrFull error = fullError{}
	// ErrInvalid means that the request breaks the contract: a limit, a key
	// that is not text, batches that touch each other's entries. Nothing was
	// applied, and it does not pass.
	ErrInvalid = errors.New("invalid request")
	// ErrReadOnly means that the database cannot be written to.
	ErrReadOnly = errors.New("database is read-only")
	// ErrCorrupt means that stored bytes do not verify.
	ErrCorrupt = errors.New("stored bytes are damaged")
	// ErrFormat means that the database was written by a newer version of
	// Holdfast than this one.
	ErrFormat = errors.New("database has a newer format")
	// ErrForeign means that what was opened is not a Holdfast database.
	ErrForeign = errors.New("not a Holdfast database")
	// ErrNotFound means that there is no such version.
	ErrNotFound = errors.New("not found")
	// ErrClosed means that the database was closed.
	ErrClosed = errors.New("database closed")
)

type fullError struct{}

func (fullError) Error() string        { return "no space left for the database" }
func (fullError) Is(target error) bool { return target == ErrUnavailable }
