package postgres

import (
	"fmt"

	"github.com/klauspost/compress/s2"

	"github.com/holdfast-games/holdfast/driver"
)

// How a value is packed, as the column packed says.
const (
	plain  int16 = 0
	snappy int16 = 1 // a block, which other programs and the schema's function unpack too
)

// packFrom is the size from which values are packed. Below it they fit several
// to a page, and the bytes that packing saves are worth less than its time.
const packFrom = 4096

// pack returns the stored form of a value. It does not retain or change the
// value, but may return it.
func pack(value []byte) (int16, []byte) {
	if value == nil {
		return plain, []byte{} // nil would be NULL
	}
	if len(value) < packFrom {
		return plain, value
	}
	packed := s2.EncodeSnappy(nil, value)
	if len(packed) > len(value)-len(value)/8 {
		return plain, value
	}
	return snappy, packed
}

// unpack is the inverse of pack. What cannot be unpacked to a value of the size
// that was stored with it is ErrCorrupt, or ErrFormat if a newer program packed
// it.
func unpack(packed int16, size int32, stored []byte) ([]byte, error) {
	switch packed {
	case plain:
		return stored, nil
	case snappy:
	default:
		return nil, fmt.Errorf("%w: packed in way %d, this program knows up to %d", driver.ErrFormat, packed, snappy)
	}
	n, err := s2.DecodedLen(stored)
	if err != nil || n != int(size) || n > driver.MaxValue {
		return nil, fmt.Errorf("%w: %d bytes do not unpack to %d", driver.ErrCorrupt, len(stored), size)
	}
	value, err := s2.Decode(make([]byte, n), stored)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", driver.ErrCorrupt, err)
	}
	return value, nil
}
