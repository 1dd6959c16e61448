package mem

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

var _ driver.Transferer = (*DB)(nil)

// ReadRecords implements driver.Transferer.
func (db *DB) ReadRecords(ctx context.Context, q driver.RecordQuery) (driver.RecordPage, error) {
	var page driver.RecordPage
	q, err := q.Normalize()
	if err != nil {
		return page, err
	}
	if err := db.rlock(ctx); err != nil {
		return page, fmt.Errorf("read records after %q: %w", q.From.After, err)
	}
	defer db.mu.RUnlock()
	size := driver.PageSize{Limit: q.Limit}
	for key := range db.keys.from(q.From.After) {
		skip := 0
		if key == q.From.After {
			if skip = q.From.Skip; skip == 0 {
				continue
			}
		}
		if size.Left() == 0 {
			page.More = true
			break
		}
		r := db.entries[key].transfer(key, skip, &size, !q.Bare)
		page.Records = append(page.Records, r)
		page.More = page.More || r.More
	}
	return page, nil
}

// transfer returns the record as the caller's own, without the first retained
// versions and without those for which there is no room.
func (r *record) transfer(key string, skip int, size *driver.PageSize, withValues bool) driver.Record {
	out := driver.Record{
		Key: key, Created: r.created, Recent: slices.Clone(r.recent), Skipped: min(skip, len(r.retained)),
		Present: r.present.transfer(key, withValues && skip == 0),
	}
	size.Add(len(out.Present.Value))
	for _, old := range r.retained[out.Skipped:] {
		if size.Left() == 0 && len(out.Retained) > 0 {
			out.More = true
			break
		}
		out.Retained = append(out.Retained, old.transfer(key, withValues))
		size.Add(len(out.Retained[len(out.Retained)-1].Value))
	}
	return out
}

// transfer returns the version as the caller's own.
func (v *version) transfer(key string, withValue bool) driver.RecordVersion {
	out := driver.RecordVersion{
		Version: v.version, Sum: v.sum, Updated: v.updated, Marked: v.marked, Kept: v.kept, Replaced: v.replaced,
	}
	if withValue {
		out.Value = append([]byte{}, v.value...)
		out.Damaged = driver.Verify(key, v.version, v.value, driver.Format, v.sum)
	}
	return out
}

// WriteRecords implements driver.Transferer.
func (db *DB) WriteRecords(ctx context.Context, t driver.Transfer) ([]driver.State, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if err := db.lock(ctx); err != nil {
		return nil, fmt.Errorf("write %d records: %w", len(t.Records), err)
	}
	defer db.mu.Unlock()
	if refused := db.refusals(&driver.Batch{Checks: t.Checks}); refused != nil {
		return refused, nil
	}
	for i := range t.Records {
		if err := db.entries[t.Records[i].Key].follows(&t.Records[i]); err != nil {
			return nil, err
		}
	}
	for i := range t.Records {
		db.put(&t.Records[i])
	}
	return nil, nil
}

// follows returns an error unless the record can add to what is there.
func (r *record) follows(next *driver.Record) error {
	if next.Skipped == 0 {
		return nil
	}
	if r.at() != next.Present.Version || len(r.retained) < next.Skipped {
		return fmt.Errorf("write the record of %q: %w: its first %d retained versions are not there", next.Key, driver.ErrInvalid, next.Skipped)
	}
	for i := range next.Retained {
		if at := r.find(next.Retained[i].Version); at >= 0 && at < next.Skipped {
			return fmt.Errorf("write the record of %q: %w: version %v twice", next.Key, driver.ErrInvalid, next.Retained[i].Version)
		}
	}
	return nil
}

// put stores one record.
func (db *DB) put(r *driver.Record) {
	to := &record{created: r.Created, recent: slices.Clone(r.Recent), present: stored(&r.Present)}
	to.present.kept, to.present.replaced = false, time.Time{}
	if r.Skipped > 0 {
		had := db.entries[r.Key]
		to.present.value, to.present.sum = had.present.value, had.present.sum
		to.retained = slices.Clone(had.retained[:r.Skipped])
	}
	for i := range r.Retained {
		to.retained = append(to.retained, stored(&r.Retained[i]))
	}
	db.entries[r.Key] = to
	db.keys.insert(r.Key)
}

// stored returns a version as it is kept.
func stored(v *driver.RecordVersion) version {
	return version{
		version: v.Version, value: slices.Clone(v.Value), sum: v.Sum, updated: v.Updated, marked: v.Marked,
		kept: v.Kept, replaced: v.Replaced,
	}
}
