package store

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/driver"
)

// MaxName is the longest name of a store and of a key in it, in bytes.
const MaxName = 50

// JoinKey makes a database key of parts, each of which may hold any text: what
// would be mistaken for a separator is escaped, so no part can reach into
// another, and a key that begins with a part and the separator holds only what
// belongs to that part. A part that begins with '~' is escaped too: such names
// are the system's own (see SystemKey).
func JoinKey(parts ...string) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteByte('/')
		}
		escape(&b, p)
	}
	return b.String()
}

// SystemKey is JoinKey under a name of Holdfast's own, which no part given to
// JoinKey can take.
func SystemKey(name string, parts ...string) string {
	if len(parts) == 0 {
		return "~" + name
	}
	return "~" + name + "/" + JoinKey(parts...)
}

// SplitKey is the inverse of JoinKey and SystemKey; the first part of a system
// key keeps its '~'.
func SplitKey(key string) ([]string, error) {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		text, err := unescape(p)
		if err != nil {
			return nil, fmt.Errorf("split key %q: %w", key, err)
		}
		parts[i] = text
	}
	return parts, nil
}

const hexDigits = "0123456789ABCDEF"

func escape(b *strings.Builder, s string) {
	for i := range len(s) {
		c := s[i]
		if c == '%' || c == '/' || c < ' ' || c == 0x7f || c == '~' && i == 0 {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
			continue
		}
		b.WriteByte(c)
	}
}

func unescape(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", fmt.Errorf("%w: cut escape in %q", driver.ErrInvalid, s)
		}
		hi, lo := strings.IndexByte(hexDigits, s[i+1]), strings.IndexByte(hexDigits, s[i+2])
		if hi < 0 || lo < 0 {
			return "", fmt.Errorf("%w: bad escape in %q", driver.ErrInvalid, s)
		}
		b = append(b, byte(hi<<4|lo))
		i += 2
	}
	return string(b), nil
}

// checkName refuses what cannot be the name of a store or a key.
func checkName(what, name string) error {
	switch {
	case name == "" || len(name) > MaxName:
		return fmt.Errorf("%w: %s of %d bytes, 1 to %d allowed: %.60q", ErrName, what, len(name), MaxName, name)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: %s %q is not valid UTF-8", ErrName, what, name)
	case strings.IndexByte(name, 0) >= 0:
		return fmt.Errorf("%w: %s %q has a NUL byte", ErrName, what, name)
	}
	return nil
}
