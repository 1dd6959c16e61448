package sqlite

import (
	sqldriver "database/sql/driver"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/lineage"
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

// row decodes what a query of the columns above yielded. What cannot be
// decoded becomes the entry's Damaged, so that one bad row hides no other; only
// a row without a version is an error, because its entry would seem absent.
func (r *reading) row(key string, columns []sqldriver.Value) (driver.Entry, error) {
	e := driver.Entry{Key: key}
	var err error
	if e.Version, err = lineage.ID(octets(columns[0])); err != nil {
		return e, fmt.Errorf("%w: entry %q: %w", driver.ErrCorrupt, key, err)
	}
	if e.Recent, err = lineage.Decode(e.Version, octets(columns[1])); err != nil {
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
