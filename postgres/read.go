package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/holdfast-games/holdfast/driver"
)

// Read implements driver.DB.
func (db *DB) Read(ctx context.Context, keys ...string) (driver.Snapshot, error) {
	var s driver.Snapshot
	if err := driver.CheckKeys(keys); err != nil {
		return s, err
	}
	err := db.use(ctx, db.reads, fmt.Sprintf("read %d keys", len(keys)), func(c *pgxpool.Conn) error {
		var err error
		s, err = readEntries(ctx, c, keys)
		return err
	})
	if err != nil {
		return driver.Snapshot{}, err
	}
	return s, nil
}

// readEntries reads entries and the time in one statement.
func readEntries(ctx context.Context, c *pgxpool.Conn, keys []string) (driver.Snapshot, error) {
	s := driver.Snapshot{Entries: make([]driver.Entry, len(keys))}
	if len(keys) == 0 {
		var now time.Time
		err := c.QueryRow(ctx, sqlTime).Scan(&now)
		s.Now = moment(now)
		return s, err
	}
	err := each(ctx, c, func(rows pgx.Rows) error {
		var n int64
		var now time.Time
		var r row
		if err := rows.Scan(append([]any{&n, &now}, r.all()...)...); err != nil {
			return err
		}
		if s.Now.Wall.IsZero() {
			s.Now = moment(now)
		}
		e, err := r.full(keys[n-1])
		s.Entries[n-1] = e
		return err
	}, sqlRead, octets(keys))
	return s, err
}

// each calls f for each row of a query.
func each(ctx context.Context, c *pgxpool.Conn, f func(rows pgx.Rows) error, query string, args ...any) error {
	rows, err := c.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// octets returns keys as the column key has them.
func octets(keys []string) [][]byte {
	b := make([][]byte, len(keys))
	for i, key := range keys {
		b[i] = []byte(key)
	}
	return b
}

// List implements driver.DB.
func (db *DB) List(ctx context.Context, q driver.Query) (driver.Snapshot, error) {
	var s driver.Snapshot
	q, err := q.Normalize()
	if err != nil {
		return s, err
	}
	err = db.use(ctx, db.reads, fmt.Sprintf("list %q", q.Prefix), func(c *pgxpool.Conn) error {
		var err error
		s, err = list(ctx, c, q)
		return err
	})
	if err != nil {
		return driver.Snapshot{}, err
	}
	return s, nil
}

// list reads a page of entries in one statement.
func list(ctx context.Context, c *pgxpool.Conn, q driver.Query) (driver.Snapshot, error) {
	var s driver.Snapshot
	query, args := listQuery(q)
	err := each(ctx, c, func(rows pgx.Rows) error {
		var key []byte
		var now time.Time
		var r row
		columns, decode := r.all(), r.full
		if q.KeysOnly {
			columns, decode = r.meta(), r.entry
		}
		columns = append(append([]any{&key, &now}, columns...), &s.More)
		empty := rows.RawValues()[0] == nil
		if empty {
			clear(columns)
			columns[1] = &now
		}
		if err := rows.Scan(columns...); err != nil {
			return err
		}
		if s.Now.Wall.IsZero() {
			s.Now = moment(now)
		}
		if empty {
			return nil
		}
		e, err := decode(string(key))
		s.Entries = append(s.Entries, e)
		return err
	}, query, args...)
	return s, err
}

// listQuery returns the statement of a listing.
func listQuery(q driver.Query) (query string, args []any) {
	query, bare := sqlList, sqlListKeys
	if q.Reverse {
		query, bare = sqlListBack, sqlListKeysBack
		to := upTo(q.Prefix)
		if q.After != "" && (to == nil || q.After < string(to)) {
			to = []byte(q.After)
		}
		args = []any{[]byte(q.Prefix), to, int64(q.Limit)}
	} else {
		args = []any{[]byte(q.Prefix), []byte(q.After), upTo(q.Prefix), int64(q.Limit)}
	}
	if q.KeysOnly {
		return bare, args
	}
	return query, append(args, int64(driver.MaxValue))
}

// Count implements driver.DB.
func (db *DB) Count(ctx context.Context, from, to string, limit int) (n int, next string, err error) {
	if err := driver.CheckCount(from, to, limit); err != nil {
		return 0, "", err
	}
	err = db.use(ctx, db.reads, fmt.Sprintf("count %q to %q", from, to), func(c *pgxpool.Conn) error {
		var first []byte
		if err := c.QueryRow(ctx, sqlCount, []byte(from), []byte(to), int64(limit)).Scan(&n, &first); err != nil {
			return err
		}
		next = string(first)
		return nil
	})
	if err != nil {
		return 0, "", err
	}
	return n, next, nil
}

// upTo returns the first key after all those with a prefix, nil if there is
// none.
func upTo(prefix string) []byte {
	if after := driver.After(prefix); after != "" {
		return []byte(after)
	}
	return nil
}

// Versions implements driver.DB.
func (db *DB) Versions(ctx context.Context, key string) ([]driver.Entry, error) {
	if err := driver.CheckKey(key); err != nil {
		return nil, err
	}
	var entries []driver.Entry
	err := db.use(ctx, db.reads, fmt.Sprintf("versions of %q", key), func(c *pgxpool.Conn) error {
		entries = nil
		return each(ctx, c, func(rows pgx.Rows) error {
			var r row
			var present bool
			var number int64
			if err := rows.Scan(append(r.meta(), &present, &number)...); err != nil {
				return err
			}
			e, err := r.entry(key)
			if !present {
				e.Recent = nil
			}
			entries = append(entries, e)
			return err
		}, sqlVersions, []byte(key))
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// ReadVersion implements driver.DB.
func (db *DB) ReadVersion(ctx context.Context, key string, v driver.Version) (driver.Entry, error) {
	if err := driver.CheckKey(key); err != nil {
		return driver.Entry{}, err
	}
	var found driver.Entry
	err := db.use(ctx, db.reads, fmt.Sprintf("read version %v of %q", v, key), func(c *pgxpool.Conn) error {
		found = driver.Entry{}
		err := each(ctx, c, func(rows pgx.Rows) error {
			var r row
			var present bool
			if err := rows.Scan(append(r.all(), &present)...); err != nil {
				return err
			}
			e, err := r.full(key)
			if !present {
				e.Recent = nil
			}
			found = e
			return err
		}, sqlVersion, []byte(key), v[:])
		if err == nil && !found.Found() {
			err = driver.ErrNotFound
		}
		return err
	})
	if err != nil {
		return driver.Entry{}, err
	}
	return found, nil
}
