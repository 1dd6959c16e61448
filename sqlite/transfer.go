package sqlite

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"

	lib "modernc.org/sqlite/lib"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/lineage"
)

var _ driver.Transferer = (*DB)(nil)

const (
	// recordColumns are those of valueColumns and what else a record needs.
	recordColumns     = valueColumns + ", retained, key"
	bareRecordColumns = metaColumns + ", x'', retained, key"

	// The retained versions of a key are found by their numbers first: sorted
	// with their values they would be held in memory all at once. Without a
	// limit, which would make SQLite prepare the statement anew each time: who
	// has enough rows takes no more.
	selectRetained = " FROM history WHERE n IN (SELECT n FROM history WHERE key = ?) ORDER BY n"
	selectOthers   = ` FROM history WHERE n IN
(SELECT n FROM history WHERE key = ? ORDER BY n LIMIT -1 OFFSET ?) ORDER BY n`

	upsertRecord = `INSERT INTO entries (key, version, recent, format, sum, created, updated, boot, tick, marked, value)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET
version = excluded.version, recent = excluded.recent, format = excluded.format, sum = excluded.sum,
created = excluded.created, updated = excluded.updated, boot = excluded.boot, tick = excluded.tick,
marked = excluded.marked, value = excluded.value`

	insertRetained = `INSERT INTO history (key, version, format, sum, updated, boot, tick, marked, kept, replaced, value)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

	// deleteAfter deletes the retained versions of a key after so many.
	deleteAfter = `DELETE FROM history WHERE n IN
(SELECT n FROM history WHERE key = ? ORDER BY n LIMIT -1 OFFSET ?)`

	countRecord = `SELECT count(*) FROM history WHERE key = ?1
AND EXISTS (SELECT 1 FROM entries WHERE key = ?1 AND version = ?2)`
)

// ReadRecords implements driver.Transferer.
func (db *DB) ReadRecords(ctx context.Context, q driver.RecordQuery) (driver.RecordPage, error) {
	var page driver.RecordPage
	q, err := q.Normalize()
	if err != nil {
		return page, err
	}
	columns, is := recordColumns, ">"
	if q.Bare {
		columns = bareRecordColumns
	}
	if q.From.Skip > 0 {
		is = ">="
	}
	query := "SELECT " + columns + " FROM entries WHERE key " + is + " ? ORDER BY key"
	err = db.read(ctx, several, func(r *reading) error {
		p := &recordPager{reading: r, q: q, size: driver.PageSize{Limit: q.Limit}}
		err := r.conn.query(p.entry, query, q.From.After)
		if err == errMore {
			p.page.More, err = true, nil
		}
		page = p.page
		return err
	})
	if err != nil {
		return driver.RecordPage{}, wrap(err, "read records after %q", q.From.After)
	}
	return page, nil
}

// recordPager collects a page of records.
type recordPager struct {
	*reading
	q    driver.RecordQuery
	size driver.PageSize
	page driver.RecordPage
}

// entry takes a row of entries.
func (p *recordPager) entry(columns []sqldriver.Value) error {
	if err := ended(p.ctx); err != nil {
		return err
	}
	last := len(columns) - 1
	key, ok := columns[last].(string)
	if !ok {
		return fmt.Errorf("%w: a key is no text", driver.ErrCorrupt)
	}
	skip := 0
	if key == p.q.From.After {
		skip = p.q.From.Skip
	}
	if p.size.Left() == 0 {
		return errMore
	}
	present, e, err := p.version(key, columns)
	if err != nil {
		return err
	}
	if skip > 0 {
		present.Value = nil
	}
	p.size.Add(len(present.Value))
	r := driver.Record{Key: key, Created: e.Created, Recent: e.Recent, Present: present, Skipped: min(skip, int(integer(columns[last-1])))}
	if integer(columns[last-1]) > 0 {
		err = p.retained(&r)
	}
	p.page.Records = append(p.page.Records, r)
	p.page.More = r.More
	return err
}

// version decodes a row of record columns.
func (p *recordPager) version(key string, columns []sqldriver.Value) (driver.RecordVersion, driver.Entry, error) {
	e, err := p.row(key, columns[:10])
	v := driver.RecordVersion{Version: e.Version, Value: e.Value, Sum: uint32(integer(columns[3])), Updated: e.Updated, Marked: e.Marked, Damaged: e.Damaged}
	if p.q.Bare {
		v.Value, v.Damaged = nil, nil
	}
	return v, e, err
}

// retained reads the retained versions of a record for which there is room.
func (p *recordPager) retained(r *driver.Record) error {
	limit := max(p.size.Left(), 1)
	columns := oldValueColumns
	if p.q.Bare {
		columns = oldMetaColumns + ", x''"
	}
	query, args := selectRetained, []any{r.Created.UnixMicro(), r.Key}
	if r.Skipped > 0 {
		query, args = selectOthers, append(args, int64(r.Skipped))
	}
	err := p.conn.query(func(columns []sqldriver.Value) error {
		if len(r.Retained) >= limit || len(r.Retained) > 0 && p.size.Left() == 0 {
			return errMore
		}
		if err := ended(p.ctx); err != nil {
			return err
		}
		v, _, err := p.version(r.Key, columns)
		v.Kept, v.Replaced = integer(columns[10]) != 0, micros(columns[11])
		r.Retained = append(r.Retained, v)
		p.size.Add(len(v.Value))
		return err
	}, "SELECT "+columns+", kept, replaced"+query, args...)
	if err == errMore {
		r.More, err = true, nil
	}
	return err
}

// WriteRecords implements driver.Transferer. The records are one transaction.
func (db *DB) WriteRecords(ctx context.Context, records driver.Transfer) ([]driver.State, error) {
	var refused []driver.State
	err := db.write(ctx, false, records.Validate, func(t *tx) (err error) {
		_, refused, err = t.examine(&driver.Batch{Checks: records.Checks})
		if err != nil || refused != nil {
			return err
		}
		w := recordWriter{tx: t, boots: make(map[string]int64)}
		for i := range records.Records {
			r := &records.Records[i]
			if err := ended(ctx); err != nil {
				return err
			}
			if err := w.record(r); err != nil {
				return fmt.Errorf("record of %q: %w", r.Key, err)
			}
		}
		return nil
	})
	if primary(err) == lib.SQLITE_CONSTRAINT { // one of those that were skipped
		err = fmt.Errorf("%w: a retained version twice: %w", driver.ErrInvalid, err)
	}
	if err != nil {
		return nil, wrap(err, "write %d records", len(records.Records))
	}
	return refused, nil
}

// recordWriter writes records in one transaction.
type recordWriter struct {
	*tx
	boots map[string]int64 // the numbers of boots
}

func (w *recordWriter) record(r *driver.Record) error {
	if err := w.clear(r); err != nil {
		return err
	}
	if r.Skipped == 0 {
		if err := w.present(r); err != nil {
			return err
		}
	}
	for i := range r.Retained {
		v := &r.Retained[i]
		boot, err := w.boot(v.Updated)
		if err != nil {
			return err
		}
		_, err = w.exec(insertRetained, r.Key, v.Version[:], int64(driver.Format), int64(v.Sum), v.Updated.Wall.UnixMicro(), boot,
			int64(v.Updated.Tick), flag(v.Marked), flag(v.Kept), v.Replaced.UnixMicro(), bytesOf(v.Value))
		if err != nil {
			return err
		}
	}
	_, err := w.exec(setRetained, int64(r.Skipped+len(r.Retained)), r.Key)
	return err
}

// clear deletes the retained versions that the record replaces, and makes sure
// that those which it skips are there.
func (w *recordWriter) clear(r *driver.Record) error {
	if r.Skipped == 0 {
		_, err := w.exec(deleteHistory, r.Key)
		return err
	}
	n, err := w.number(countRecord, r.Key, r.Present.Version[:])
	if err != nil {
		return err
	}
	if n < int64(r.Skipped) {
		return fmt.Errorf("%w: its first %d retained versions are not there", driver.ErrInvalid, r.Skipped)
	}
	_, err = w.exec(deleteAfter, r.Key, int64(r.Skipped))
	return err
}

// present writes a record's present version.
func (w *recordWriter) present(r *driver.Record) error {
	v := &r.Present
	boot, err := w.boot(v.Updated)
	if err != nil {
		return err
	}
	_, err = w.exec(upsertRecord, r.Key, v.Version[:], lineage.Encode(v.Version, r.Recent), int64(driver.Format), int64(v.Sum),
		r.Created.UnixMicro(), v.Updated.Wall.UnixMicro(), boot, int64(v.Updated.Tick), flag(v.Marked), bytesOf(v.Value))
	return err
}

// boot returns the number of a boot, which may be another machine's.
func (w *recordWriter) boot(at driver.Moment) (int64, error) {
	if n, ok := w.boots[at.Boot]; ok {
		return n, nil
	}
	_, err := w.exec("INSERT INTO boots (name, first) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", at.Boot, at.Wall.UnixMicro())
	if err != nil {
		return 0, err
	}
	n, err := w.number("SELECT id FROM boots WHERE name = ?", at.Boot)
	w.boots[at.Boot] = n
	return n, err
}

// bytesOf returns a value that is never nil, which would be NULL.
func bytesOf(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}
