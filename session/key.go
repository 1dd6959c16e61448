package session

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// Limits of a Key, in bytes.
const (
	MaxKind = 50
	MaxID   = 200
)

// Key names what is kept as one: a player, or anything else with an id of its
// own, such as a guild or a plot of land.
type Key struct {
	Kind string // "player"; 1 to MaxKind bytes
	ID   string // 1 to MaxID bytes; any text without NUL
}

// ParseKey reads the form that String returns, "kind/id", in which the parts
// are escaped as in a database key.
func ParseKey(s string) (Key, error) {
	parts, err := store.SplitKey(s)
	if err != nil {
		return Key{}, err
	}
	if len(parts) != 2 || strings.HasPrefix(s, "~") {
		return Key{}, fmt.Errorf("%w: key %.60q is not of the form kind/id", driver.ErrInvalid, s)
	}
	k := Key{parts[0], parts[1]}
	return k, k.Check()
}

// Check returns an error that matches driver.ErrInvalid unless the key's parts
// are text within the limits.
func (k Key) Check() error {
	if err := checkPart("kind", k.Kind, MaxKind); err != nil {
		return err
	}
	return checkPart("id", k.ID, MaxID)
}

func checkPart(what, s string, most int) error {
	switch {
	case s == "" || len(s) > most:
		return fmt.Errorf("%w: %s of %d bytes, 1 to %d allowed: %.60q", driver.ErrInvalid, what, len(s), most, s)
	case !utf8.ValidString(s):
		return fmt.Errorf("%w: %s %q is not valid UTF-8", driver.ErrInvalid, what, s)
	case strings.IndexByte(s, 0) >= 0:
		return fmt.Errorf("%w: %s %q has a NUL byte", driver.ErrInvalid, what, s)
	}
	return nil
}

// String returns "kind/id", escaped so that it is unambiguous. It is the key of
// the root entry in the database.
func (k Key) String() string { return store.JoinKey(k.Kind, k.ID) }
