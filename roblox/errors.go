package roblox

import (
	"errors"
	"fmt"
)

// ErrForm means that an entry is not what its form says: another type of value,
// a member that is missing, a key that names no player, or something that a data
// store of Roblox never holds. The text says what and where. Test for it with
// errors.Is.
var ErrForm = errors.New("not of this form")

// wrong returns an error that matches ErrForm.
func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrForm, fmt.Errorf(format, args...))
}

// shown is a name or a key, quoted and shortened for a message.
func shown(s string) string {
	const most = 80
	if len(s) > most {
		return fmt.Sprintf("%q…", s[:most])
	}
	return fmt.Sprintf("%q", s)
}
