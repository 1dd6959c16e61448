// Package lineage codes version ids as the SQL databases store them: an id is
// its 16 bytes, and the ids of an entry's versions before the present one stand
// in a column of their own, newest first, without anything in between.
package lineage

import (
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/driver"
)

// Sizes in bytes: of an id, and of the column at most.
const (
	IDSize = len(driver.Version{})
	Size   = (driver.RecentVersions - 1) * IDSize
)

// ID returns a stored version id. The zero version cannot be stored, so it is
// refused, like any other length.
func ID(b []byte) (driver.Version, error) {
	var v driver.Version
	if len(b) != IDSize {
		return v, fmt.Errorf("version id of %d bytes, not %d", len(b), IDSize)
	}
	copy(v[:], b)
	if v.IsZero() {
		return v, errors.New("version id is zero")
	}
	return v, nil
}

// Decode returns the ids of an entry's last versions: the present one and those
// that the column holds. If that cannot be decoded it returns the present one
// alone, with an error.
func Decode(present driver.Version, before []byte) ([]driver.Version, error) {
	if len(before)%IDSize != 0 || len(before) > Size {
		return []driver.Version{present}, fmt.Errorf("%d bytes of ids of earlier versions", len(before))
	}
	ids := make([]driver.Version, 1+len(before)/IDSize)
	ids[0] = present
	for i := range ids[1:] {
		copy(ids[i+1][:], before[i*IDSize:])
	}
	return ids, nil
}

// Encode returns the column of an entry that id becomes the present version of,
// where last are the ids of its last versions up to now. An id that was among
// them already is not listed again.
func Encode(id driver.Version, last []driver.Version) []byte {
	before := make([]byte, 0, Size)
	for _, v := range last {
		if v != id && len(before) < Size {
			before = append(before, v[:]...)
		}
	}
	return before
}
