package driver

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// Version is the id of one version of an entry. Its first six bytes are the
// milliseconds since the Unix epoch at which its writer chose it, the other
// ten are random, so ids sort by time (as far as the writers' clocks agree)
// and never repeat. The zero version stands for absence.
type Version [16]byte

// Text form: 26 characters that sort as the bytes do.
var versionText = base32.HexEncoding.WithPadding(base32.NoPadding)

// NewVersion returns a new id for the given time, with its random part from
// entropy. It returns an error only if entropy does.
func NewVersion(now time.Time, entropy io.Reader) (Version, error) {
	var v Version
	binary.BigEndian.PutUint64(v[:8], uint64(now.UnixMilli())<<16)
	if _, err := io.ReadFull(entropy, v[6:]); err != nil {
		return Version{}, fmt.Errorf("choose a version id: %w", err)
	}
	return v, nil
}

// IsZero reports whether v is the zero version.
func (v Version) IsZero() bool { return v == Version{} }

// Time returns the time at which the id was chosen, by its writer's clock.
func (v Version) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(v[:8]) >> 16))
}

// String returns the id as 26 characters, or "none" for the zero version.
func (v Version) String() string {
	if v.IsZero() {
		return "none"
	}
	return versionText.EncodeToString(v[:])
}

// MarshalText returns the id as 26 characters; the zero version is empty.
func (v Version) MarshalText() ([]byte, error) {
	if v.IsZero() {
		return []byte{}, nil
	}
	return versionText.AppendEncode(nil, v[:]), nil
}

// UnmarshalText is the inverse of MarshalText.
func (v *Version) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*v = Version{}
		return nil
	}
	p, err := ParseVersion(string(text))
	if err == nil {
		*v = p
	}
	return err
}

// ParseVersion is the inverse of String for ids that are not zero. Anything
// else is ErrInvalid.
func ParseVersion(s string) (Version, error) {
	var v Version
	b, err := versionText.DecodeString(s)
	if err != nil || len(b) != len(v) || versionText.EncodeToString(b) != s {
		return Version{}, fmt.Errorf("%w: %.40q is not a version id", ErrInvalid, s)
	}
	copy(v[:], b)
	if v.IsZero() {
		return Version{}, fmt.Errorf("%w: the zero version names no version", ErrInvalid)
	}
	return v, nil
}
