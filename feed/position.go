package feed

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// Position says how much of a feed has been dealt with. It is a text of some 25
// bytes for each stream, at most MaxPosition in all, that means nothing to others.
// The zero Position is where everything begins that is kept, and its text is empty.
type Position struct{ text string }

// MaxPosition bounds the text of a position, in bytes.
const MaxPosition = 192 << 10

// positionFormat is the number of a position's stored form.
const positionFormat = 1

var positionText = base64.RawURLEncoding

// ParsePosition is the inverse of Position.String. Anything else is
// driver.ErrInvalid.
func ParsePosition(text string) (Position, error) {
	p := Position{text}
	_, err := p.decode()
	if err != nil {
		return Position{}, err
	}
	return p, nil
}

// String returns the position as letters, digits, '-' and '_'.
func (p Position) String() string { return p.text }

// IsZero reports whether p is the zero Position.
func (p Position) IsZero() bool { return p.text == "" }

// MarshalText implements encoding.TextMarshaler.
func (p Position) MarshalText() ([]byte, error) { return []byte(p.text), nil }

// UnmarshalText is the inverse of MarshalText.
func (p *Position) UnmarshalText(text []byte) error {
	parsed, err := ParsePosition(string(text))
	if err == nil {
		*p = parsed
	}
	return err
}

// place is a position taken apart.
type place struct {
	removed uint64 // streams that were gone for good
	streams []reached
}

// reached is how far a stream has been dealt with.
type reached struct {
	lease    driver.Version
	number   uint64 // of the last entry
	finished bool   // nothing follows
}

// encode returns the position that a place is.
func (at *place) encode() Position {
	b := binary.AppendUvarint([]byte{positionFormat}, at.removed)
	for _, s := range at.streams {
		flag := byte(0)
		if s.finished {
			flag = 1
		}
		b = append(append(b, s.lease[:]...), flag)
		b = binary.AppendUvarint(b, s.number)
	}
	return Position{positionText.EncodeToString(b)}
}

// decode takes a position apart. That of the zero Position is nil.
func (p Position) decode() (*place, error) {
	if p.IsZero() {
		return nil, nil
	}
	if len(p.text) > MaxPosition {
		return nil, fmt.Errorf("%w: position of %d bytes, at most %d", driver.ErrInvalid, len(p.text), MaxPosition)
	}
	b, err := positionText.DecodeString(p.text)
	if err != nil || len(b) == 0 || b[0] != positionFormat {
		return nil, p.invalid()
	}
	at := &place{}
	n := 0
	if at.removed, n = binary.Uvarint(b[1:]); n <= 0 {
		return nil, p.invalid()
	}
	for b = b[1+n:]; len(b) > 0; b = b[n:] {
		var s reached
		if len(b) <= len(s.lease) || b[len(s.lease)] > 1 {
			return nil, p.invalid()
		}
		copy(s.lease[:], b)
		s.finished = b[len(s.lease)] == 1
		b = b[len(s.lease)+1:]
		if s.number, n = binary.Uvarint(b); n <= 0 {
			return nil, p.invalid()
		}
		at.streams = append(at.streams, s)
	}
	ascending := slices.IsSortedFunc(at.streams, func(a, b reached) int { return slices.Compare(a.lease[:], b.lease[:]) })
	if !ascending || len(at.streams) > session.MaxStreams || at.encode() != p {
		return nil, p.invalid()
	}
	return at, nil
}

func (p Position) invalid() error {
	return fmt.Errorf("%w: %.40q is not a position in a feed", driver.ErrInvalid, p.text)
}
