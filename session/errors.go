package session

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/document"
)

// Errors of this package. What comes from below keeps the errors of packages
// store and driver.
var (
	// ErrNotFound means that nothing was ever kept under the key. Only Peek,
	// and Open with MustExist, return it.
	ErrNotFound = errors.New("no such player")
	// ErrErased means that what was kept under the key was erased. Open and Peek
	// return it as an *ErasedError; a session that was open then ends with it.
	ErrErased = errors.New("erased")
	// ErrLocked means that another server holds the key and did not give it
	// up in time. It comes as a *LockedError.
	ErrLocked = errors.New("locked by another server")
	// ErrSuspended means that this server has not reached the database for so
	// long that others may take it for dead. Nothing is lost: the sessions go
	// on when it does, unless one of the others was faster.
	ErrSuspended = errors.New("suspended: the lease could not be renewed in time")
	// ErrLost means that the session is over because another took its place.
	// It comes as a *LostError.
	ErrLost = errors.New("session lost")
	// ErrHistoryLost means that the database no longer has commits that it
	// had acknowledged: it was set back, or failed over to a replica that
	// lagged. The session is over, and keeps what it holds for a report.
	ErrHistoryLost = errors.New("the database lost acknowledged commits")
	// ErrClosed means that the session or its server is closed, or closing.
	ErrClosed = errors.New("closed")
	// ErrFrozen means that somebody holds the session still for a moment, to
	// commit changes of several keys at once: see Session.Thawed.
	ErrFrozen = errors.New("held still for a change of several keys")
	// ErrOutboxFull means that so much was attached to updates and has not been
	// saved yet that no more can be accepted. The update is refused.
	ErrOutboxFull = errors.New("too much waits for the next save")
	// ErrNoAnswer means that another server was asked and did not answer in time,
	// or that there is no bus to ask it by.
	ErrNoAnswer = errors.New("no answer from the other server")
	// ErrLease means that a server's lease could not be used as asked.
	ErrLease = errors.New("lease")
)

// errNotAsked is the cause of a LockedError with OpenOptions.NoAsk.
var errNotAsked = errors.New("it was not asked to hand it over")

// Holder is who holds a key, as far as the database tells.
type Holder struct {
	Server  string    // the name that the server gave itself
	Lease   string    // id of its lease
	Session string    // id of the session
	Since   time.Time // when the lock was taken
	Expires time.Time // when its lease ends unless it is renewed; zero if it has been sealed or is missing
}

func (h Holder) String() string {
	return fmt.Sprintf("server %q (lease %s) since %s", h.Server, h.Lease, h.Since.Format(time.RFC3339))
}

// LockedError says who holds a key that could not be opened. It matches
// ErrLocked, and the cause of the context that ended the wait.
type LockedError struct {
	Key    Key
	Holder Holder
	Cause  error // why the wait ended
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("%v is %v: %v: %v", e.Key, ErrLocked, e.Holder, e.Cause)
}

// Is reports that the error is an ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// Unwrap returns the cause.
func (e *LockedError) Unwrap() error { return e.Cause }

// LostError says how a session ended against its will, and what it held that
// nobody has. It matches ErrLost, and ErrHistoryLost if that is the cause.
type LostError struct {
	Key   Key
	Cause error
	// Unsaved is what was changed in memory and is not known to be in the
	// database.
	Unsaved document.Delta
}

func (e *LostError) Error() string {
	return fmt.Sprintf("%v: %v: %v (%d changes not known to be kept)", e.Key, ErrLost, e.Cause, len(e.Unsaved))
}

// Is reports that the error is an ErrLost.
func (e *LostError) Is(target error) bool { return target == ErrLost }

// Unwrap returns the cause.
func (e *LostError) Unwrap() error { return e.Cause }
