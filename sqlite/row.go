package sqlite

import (
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// The columns of a stored version, as row reads them.
const (
	metaColumns  = "version, recent, format, sum, created, updated, boot, tick, marked"
	valueColumns = metaColumns + ", value"
	// A retained version has neither the ids before it nor when its entry was
	// created; the latter is an argument.
	oldMetaColumns  = "version, x'', format, sum, ?, updated, boot, tick, marked"
	oldValueColumns = oldMetaColumns + ", value"
)

const (
	idLen     = len(driver.Version{})
	beforeLen = (driver.RecentVersions - 1) * idLen // bytes in the column recent, at most
)

// row decodes what a query of the columns above yielded. What cannot be
// decoded becomes the entry's Damaged, so that one bad row hides no other; only
// a row without a version is an error, because its entry would seem absent.
func (r *reading) row(key string, columns []sqldriver.Value) (driver.Entry, error) {
	e := driver.Entry{Key: key}
	var err error
	if e.Version, err = decodeID(columns[0]); err != nil {
		return e, fmt.Errorf("%w: entry %q: %w", driver.ErrCorrupt, key, err)
	}
	if e.Recent, err = decodeRecent(e.Version, octets(columns[1])); err != nil {
		e.Damaged = fmt.Errorf("%w: entry %q: %w", driver.ErrCorrupt, key, err)
	}
	e.Created = micros(columns[4])
	e.Updated.Wall = micros(columns[5])
	e.Updated.Tick = time.Duration(integer(columns[7]))
	e.Marked = integer(columns[8]) != 0
	if e.Updated.Boot, err = r.boot(integer(columns[6])); err != nil && e.Damaged == nil {
		e.Damaged = fmt.Errorf("%w: entry %q: %w", driver.ErrCorrupt, key, err)
	}
	if len(columns) < 10 {
		return e, nil
	}
	e.Value = octets(columns[9])
	if e.Damaged == nil {
		e.Damaged = driver.Verify(key, e.Version, e.Value, int(integer(columns[2])), uint32(integer(columns[3])))
	}
	return e, nil
}

// decodeID returns the version id in a column. The zero version cannot be
// stored, so it is refused.
func decodeID(column sqldriver.Value) (driver.Version, error) {
	var v driver.Version
	b := octets(column)
	if len(b) != idLen {
		return v, fmt.Errorf("version id of %d bytes, not %d", len(b), idLen)
	}
	copy(v[:], b)
	if v.IsZero() {
		return v, errors.New("version id is zero")
	}
	return v, nil
}

// decodeRecent returns the ids of an entry's last versions: the present one
// and those that the column recent holds. If that cannot be decoded it returns
// the present one alone, with an error.
func decodeRecent(v driver.Version, before []byte) ([]driver.Version, error) {
	if len(before)%idLen != 0 || len(before) > beforeLen {
		return []driver.Version{v}, fmt.Errorf("%d bytes of ids of earlier versions", len(before))
	}
	ids := make([]driver.Version, 1+len(before)/idLen)
	ids[0] = v
	for i := range ids[1:] {
		copy(ids[i+1][:], before[i*idLen:])
	}
	return ids, nil
}

// encodeBefore returns the column recent of an entry that id becomes the
// present version of, where recent are its last versions up to now. An id that
// was among them already is listed once.
func encodeBefore(id driver.Version, recent []driver.Version) []byte {
	b := make([]byte, 0, beforeLen)
	for _, v := range recent {
		if v != id && len(b) < beforeLen {
			b = append(b, v[:]...)
		}
	}
	return b
}

// octets returns a column's bytes, never nil.
func octets(v sqldriver.Value) []byte {
	switch v := v.(type) {
	case []byte:
		if v != nil {
			return v
		}
	case string:
		return []byte(v)
	}
	return []byte{}
}

// integer returns a column's number, zero if it has none.
func integer(v sqldriver.Value) int64 {
	n, _ := v.(int64)
	return n
}

// micros returns a column's time.
func micros(v sqldriver.Value) time.Time {
	return time.UnixMicro(integer(v)).UTC()
}
