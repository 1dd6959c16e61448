package driver

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Format is the number that drivers store beside each value. A reader that
// meets a higher one reports ErrFormat for the entry.
const Format = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Sum returns the checksum that is stored with a value. It covers the key and
// the version too, so that bytes under the wrong key do not verify either.
func Sum(key string, v Version, value []byte) uint32 {
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(key)))
	c := crc32.Update(0, castagnoli, n[:])
	c = crc32.Update(c, castagnoli, []byte(key))
	c = crc32.Update(c, castagnoli, v[:])
	return crc32.Update(c, castagnoli, value)
}

// Verify returns nil if value has the format and checksum that were stored
// with it, and otherwise an error that matches ErrFormat or ErrCorrupt.
func Verify(key string, v Version, value []byte, format int, sum uint32) error {
	if format > Format {
		return fmt.Errorf("%w: entry %q has format %d, this program reads up to %d", ErrFormat, key, format, Format)
	}
	if format != Format || Sum(key, v, value) != sum {
		return fmt.Errorf("%w: entry %q, version %v, %d bytes", ErrCorrupt, key, v, len(value))
	}
	return nil
}
