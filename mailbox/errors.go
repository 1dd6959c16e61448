package mailbox

import "errors"

// Errors of this package. What comes from below keeps the errors of packages profile
// (profile.ErrFull, profile.ErrGone and so on), session, document and driver.
var (
	// ErrNoField means that the schema of the profiles does not have the field
	// Received.
	ErrNoField = errors.New("the schema lacks the field mailbox.Received")
	// ErrTaken means that there is another grant of that id.
	ErrTaken = errors.New("another grant has that id")
	// ErrTooMany means that as many grants stand as may.
	ErrTooMany = errors.New("too many grants")
	// ErrNoGrant means that there is no grant of that id, or that its time is over.
	ErrNoGrant = errors.New("no such grant")
	// ErrClosed means that the mailbox is closed.
	ErrClosed = errors.New("mailbox closed")
)
