package replica

import (
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// Errors. Test for them with errors.Is.
var (
	// ErrForbidden means that a client may not watch a player: it is final. An
	// Authorize returns it, and so may anything that wraps it.
	ErrForbidden = errors.New("not allowed to watch this player")
	// ErrExpired means that the token by which a client would be let in is too old. It
	// comes again with another one.
	ErrExpired = errors.New("token expired")
	// ErrCrowded means that too many watch already: a player, or the server.
	ErrCrowded = errors.New("too many watch")
	// ErrClosed means that the Server, Handler, Watcher or Client was closed.
	ErrClosed = errors.New("closed")
	// ErrGap means that a frame is missing before this one: the client has to come
	// again with its Position (Replica.Resume). Nothing was applied.
	ErrGap = errors.New("a frame is missing")
	// ErrFrame means that a frame is not of the protocol, or does not fit the state:
	// the client has to come again without a Position. Nothing was applied.
	ErrFrame = errors.New("malformed frame")
	// ErrNoField means that there is no value: nothing was loaded yet, the field is
	// private, or there is none of the name.
	ErrNoField = errors.New("no such field")
	// ErrOption means that an option, or an argument, is out of its range.
	ErrOption = errors.New("option out of range")
)

// Reason says why nothing more comes: a word, of which a later version of the protocol
// may have more. docs/replication.md has the table.
type Reason string

// The reasons, with the close codes of the protocol.
const (
	Malformed Reason = "malformed" // 4000: a frame that the protocol does not have
	OtherWire Reason = "version"   // 4001: no version of the protocol in common
	Forbidden Reason = "forbidden" // 4002: the client may not watch this player
	Erased    Reason = "erased"    // 4003: the player was erased
	Absent    Reason = "absent"    // 4101: the player was not loaded here in time
	Expired   Reason = "expired"   // 4102: the token is too old
	Moved     Reason = "moved"     // 4103: another server has the player now
	Closed    Reason = "closed"    // 4104: the player has left this server
	Lost      Reason = "lost"      // 4105: another server has taken the player over
	Silent    Reason = "silent"    // 4106: the client was not heard of
	Crowded   Reason = "crowded"   // 4107: too many connections
	Failed    Reason = "failed"    // 4108: the server failed
	Leaving   Reason = "leaving"   // 1001: this server shuts down
)

var closeCodes = map[Reason]int{
	Malformed: 4000, OtherWire: 4001, Forbidden: 4002, Erased: 4003,
	Absent: 4101, Expired: 4102, Moved: 4103, Closed: 4104, Lost: 4105, Silent: 4106, Crowded: 4107, Failed: 4108,
	Leaving: 1001,
}

// Final reports whether it is of no use for a client to come again, of the reasons above.
func (r Reason) Final() bool {
	switch r {
	case Malformed, OtherWire, Forbidden, Erased:
		return true
	}
	return false
}

// EndedError says that nothing more comes, and why. It matches ErrForbidden if the
// reason is Forbidden, ErrExpired, ErrCrowded or session.ErrErased likewise.
type EndedError struct {
	Reason Reason
	Final  bool   // whether it is of no use to come again
	Detail string // what the server added for people; may be empty
}

func (e *EndedError) Error() string {
	if e.Detail != "" {
		return fmt.Sprintf("ended: %s: %s", e.Reason, e.Detail)
	}
	return fmt.Sprintf("ended: %s", e.Reason)
}

// Is reports whether the reason stands for an error.
func (e *EndedError) Is(target error) bool {
	switch e.Reason {
	case Forbidden:
		return target == ErrForbidden
	case Expired:
		return target == ErrExpired
	case Crowded:
		return target == ErrCrowded
	case Erased:
		return target == session.ErrErased
	}
	return false
}

// Code is why a load or a save failed, in a word for clients. Empty: it did not.
type Code string

// The codes.
const (
	CodeLocked      Code = "locked"      // load: another server has the player and did not give him up
	CodeDamaged     Code = "damaged"     // load: what is stored does not verify, or has another form
	CodeNewer       Code = "newer"       // load: a newer version of the game wrote it
	CodeUnavailable Code = "unavailable" // the database could not be reached, or refused for a reason that may pass
	CodeFailed      Code = "failed"      // anything else
)

// codeOf returns the word for an error; the rest stays here.
func codeOf(err error) Code {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, session.ErrLocked):
		return CodeLocked
	case errors.Is(err, profile.ErrNewerSchema), errors.Is(err, driver.ErrFormat):
		return CodeNewer
	case errors.Is(err, driver.ErrCorrupt), errors.Is(err, profile.ErrWrongType):
		return CodeDamaged
	case errors.Is(err, driver.ErrUnavailable), errors.Is(err, session.ErrSuspended):
		return CodeUnavailable
	}
	return CodeFailed
}

// reasonOf returns the word for how a profile ended.
func reasonOf(end profile.End) Reason {
	switch end.Reason {
	case profile.HandedOver:
		return Moved
	case profile.Lost:
		return Lost
	case profile.Erased:
		return Erased
	}
	return Closed
}
