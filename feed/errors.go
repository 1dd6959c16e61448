package feed

import (
	"errors"
	"fmt"
)

// ErrExpired means that changes after the position are kept no longer, or that it
// is a position in another database. They cannot be told any more. Read the players
// anew and go on from End, as the package comment says, or go on from the zero
// Position with what is left; and keep the feed for longer than a follower may be
// away, or behind.
var ErrExpired = errors.New("changes after this position are kept no longer: read the players anew, or begin with what is left")

// DamagedError is an entry of the feed that cannot be read. It matches
// driver.ErrCorrupt, or driver.ErrFormat if a newer program wrote it. Following
// goes on after it, without what it held, for whoever goes on.
type DamagedError struct {
	Key    string // of the entry in the database
	Server string // that wrote it
	Cause  error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("changes that server %q made are left out: %v", e.Server, e.Cause)
}

// Unwrap returns the cause.
func (e *DamagedError) Unwrap() error { return e.Cause }
