package sqlite

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/driver"
)

// Read implements driver.DB.
func (db *DB) Read(ctx context.Context, keys ...string) (driver.Snapshot, error) {
	var s driver.Snapshot
	if err := driver.CheckKeys(keys); err != nil {
		return s, err
	}
	err := db.read(ctx, len(keys) > 1, func(r *reading) error {
		s = driver.Snapshot{Entries: make([]driver.Entry, len(keys))}
		for i, key := range keys {
			e, err := r.present(key, valueColumns)
			if err != nil {
				return err
			}
			s.Entries[i] = e
			r.now()
		}
		s.Now = r.now() // of no keys too
		return nil
	})
	if err != nil {
		return driver.Snapshot{}, wrap(err, "read %d keys", len(keys))
	}
	return s, nil
}

// present returns the entry under a key.
func (r *reading) present(key, columns string) (driver.Entry, error) {
	e := driver.Entry{Key: key}
	if err := ended(r.ctx); err != nil {
		return e, err
	}
	err := r.conn.query(func(columns []sqldriver.Value) (err error) {
		e, err = r.row(key, columns)
		return err
	}, "SELECT "+columns+" FROM entries WHERE key = ?", key)
	return e, err
}

// errMore ends a listing at its limit.
var errMore = errors.New("more entries")

// List implements driver.DB.
func (db *DB) List(ctx context.Context, q driver.Query) (driver.Snapshot, error) {
	var s driver.Snapshot
	q, err := q.Normalize()
	if err != nil {
		return s, err
	}
	query, args := listQuery(q)
	err = db.read(ctx, oneStatement, func(r *reading) error {
		s = driver.Snapshot{}
		size := 0
		err := r.conn.query(func(columns []sqldriver.Value) error {
			r.now()
			if len(s.Entries) == q.Limit || size >= driver.MaxValue {
				return errMore
			}
			e, err := r.listed(columns)
			size += len(e.Value)
			s.Entries = append(s.Entries, e)
			return err
		}, query, args...)
		if err == errMore {
			s.More, err = true, nil
		}
		s.Now = r.now()
		return err
	})
	if err != nil {
		return driver.Snapshot{}, wrap(err, "list %q", q.Prefix)
	}
	return s, nil
}

// listQuery returns the statement of a listing. Keys compare as their bytes
// do. A bound that is an empty blob sorts after every text, and so is none. It has
// no limit, which would make SQLite prepare the statement anew each time: who has
// enough rows takes no more.
func listQuery(q driver.Query) (string, []any) {
	columns := valueColumns
	if q.KeysOnly {
		columns = metaColumns
	}
	from, is, order := q.Prefix, ">=", "key"
	end := driver.After(q.Prefix)
	switch {
	case q.Reverse:
		order = "key DESC"
		if q.After != "" && (end == "" || q.After < end) {
			end = q.After
		}
	case q.After >= q.Prefix:
		from, is = q.After, ">"
	}
	var to any = []byte{}
	if end != "" {
		to = end
	}
	query := "SELECT " + columns + ", key FROM entries WHERE key " + is + " ? AND key < ? ORDER BY " + order
	return query, []any{from, to}
}

// countKeys counts up to a limit and one more, which is the first that Count
// does not count. It reads the index of the keys alone. A sum is a limit that does
// not make SQLite prepare the statement anew each time.
const countKeys = "SELECT count(*), max(key) FROM (SELECT key FROM entries WHERE key >= ? AND key < ? ORDER BY key LIMIT ? + 0)"

// Count implements driver.DB.
func (db *DB) Count(ctx context.Context, from, to string, limit int) (n int, next string, err error) {
	if err := driver.CheckCount(from, to, limit); err != nil {
		return 0, "", err
	}
	err = db.read(ctx, oneStatement, func(r *reading) error {
		return r.conn.query(func(columns []sqldriver.Value) error {
			n, next = int(integer(columns[0])), ""
			if n > limit {
				n, next = limit, string(octets(columns[1]))
			}
			return nil
		}, countKeys, from, to, int64(limit)+1)
	})
	if err != nil {
		return 0, "", wrap(err, "count %q to %q", from, to)
	}
	return n, next, nil
}

// listed decodes a row of a listing, whose last column is the key.
func (r *reading) listed(columns []sqldriver.Value) (driver.Entry, error) {
	if err := ended(r.ctx); err != nil {
		return driver.Entry{}, err
	}
	last := len(columns) - 1
	key, ok := columns[last].(string)
	if !ok {
		return driver.Entry{}, fmt.Errorf("%w: a key is no text", driver.ErrCorrupt)
	}
	return r.row(key, columns[:last])
}

// Versions implements driver.DB.
func (db *DB) Versions(ctx context.Context, key string) ([]driver.Entry, error) {
	if err := driver.CheckKey(key); err != nil {
		return nil, err
	}
	var entries []driver.Entry
	err := db.read(ctx, several, func(r *reading) error {
		entries = nil
		present, err := r.present(key, metaColumns)
		if err != nil || !present.Found() {
			return err
		}
		err = r.old(&present, func(e driver.Entry) { entries = append(entries, e) },
			"SELECT "+oldMetaColumns+" FROM history WHERE key = ? ORDER BY n")
		entries = append(entries, present)
		return err
	})
	if err != nil {
		return nil, wrap(err, "versions of %q", key)
	}
	return entries, nil
}

// ReadVersion implements driver.DB.
func (db *DB) ReadVersion(ctx context.Context, key string, v driver.Version) (driver.Entry, error) {
	if err := driver.CheckKey(key); err != nil {
		return driver.Entry{}, err
	}
	var found driver.Entry
	err := db.read(ctx, several, func(r *reading) error {
		found = driver.Entry{}
		present, err := r.present(key, valueColumns)
		switch {
		case err != nil || !present.Found():
			return err
		case present.Version == v:
			found = present
			return nil
		}
		return r.old(&present, func(e driver.Entry) { found = e },
			"SELECT "+oldValueColumns+" FROM history WHERE key = ? AND version = ?", v[:])
	})
	if err == nil && !found.Found() {
		err = driver.ErrNotFound
	}
	if err != nil {
		return driver.Entry{}, wrap(err, "read version %v of %q", v, key)
	}
	return found, nil
}

// old calls f for the retained versions of an entry that a query yields. Its
// first two arguments are when the entry was created, and its key.
func (r *reading) old(present *driver.Entry, f func(driver.Entry), query string, args ...any) error {
	args = append([]any{present.Created.UnixMicro(), present.Key}, args...)
	return r.conn.query(func(columns []sqldriver.Value) error {
		if err := ended(r.ctx); err != nil {
			return err
		}
		e, err := r.row(present.Key, columns)
		e.Recent = nil
		f(e)
		return err
	}, query, args...)
}
