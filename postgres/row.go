package postgres

import (
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/lineage"
)

// row is what a query yields of a stored version; pointers are null if there is
// none.
type row struct {
	version, recent  []byte
	format           *int32
	sum              *int64
	created, updated *time.Time
	marked           *bool
	size             *int32
	packed           *int16
	value            []byte
}

// meta returns where the columns of a query without values go.
func (r *row) meta() []any {
	return []any{&r.version, &r.recent, &r.created, &r.updated, &r.marked}
}

// all returns where the columns of a query with values go.
func (r *row) all() []any {
	return []any{&r.version, &r.recent, &r.format, &r.sum, &r.created, &r.updated, &r.marked, &r.size, &r.packed, &r.value}
}

// entry decodes a row that was read without its value. What cannot be decoded
// becomes the entry's Damaged, so that one bad row hides no other; only a row
// without a version is an error, because its entry would seem absent.
func (r *row) entry(key string) (driver.Entry, error) {
	e := driver.Entry{Key: key}
	if r.version == nil {
		return e, nil
	}
	var err error
	if e.Version, err = lineage.ID(r.version); err != nil {
		return e, fmt.Errorf("%w: entry %q: %w", driver.ErrCorrupt, key, err)
	}
	if e.Recent, err = lineage.Decode(e.Version, r.recent); err != nil {
		e.Damaged = fmt.Errorf("%w: entry %q: %w", driver.ErrCorrupt, key, err)
	}
	e.Created, e.Updated, e.Marked = r.created.UTC(), moment(*r.updated), *r.marked
	return e, nil
}

// full decodes a row that was read with its value.
func (r *row) full(key string) (driver.Entry, error) {
	e, err := r.entry(key)
	if err != nil || !e.Found() {
		return e, err
	}
	value, err := unpack(*r.packed, *r.size, r.value)
	if err != nil {
		e.Value, e.Damaged = r.value, fmt.Errorf("entry %q: %w", key, err)
		return e, nil
	}
	if e.Value = value; e.Damaged == nil {
		e.Damaged = driver.Verify(key, e.Version, value, int(*r.format), uint32(*r.sum))
	}
	return e, nil
}

// moment returns a time of the server's as the contract wants it. Which machine
// tells the time cannot be known, so there is no boot, and ticks are counted
// from the Unix epoch.
func moment(t time.Time) driver.Moment {
	return driver.Moment{Wall: t.UTC(), Tick: time.Duration(t.UnixNano())}
}
