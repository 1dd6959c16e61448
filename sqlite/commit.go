package sqlite

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/lineage"
)

// Commit implements driver.DB. The group is one transaction. A transaction
// that has begun excludes every other writer, so a batch's conditions are
// looked at first and then its writes are made, and nothing has to be undone
// when a batch is refused.
func (db *DB) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	outcomes := make([]driver.Outcome, len(g.Batches))
	err := db.write(ctx, g.Urgent, g.Validate, func(t *tx) error {
		for i := range g.Batches {
			if err := ended(ctx); err != nil {
				return err
			}
			refused, err := t.batch(&g.Batches[i])
			if err != nil {
				return err
			}
			if refused == nil {
				outcomes[i].Updated = t.now
			}
			outcomes[i].Refused = refused
		}
		return nil
	})
	if err != nil {
		return nil, wrap(err, "commit %d batches", len(g.Batches))
	}
	return outcomes, nil
}

// DeleteRange implements driver.DB.
func (db *DB) DeleteRange(ctx context.Context, from, to string) (int, error) {
	var n int64
	valid := func() error { return driver.CheckRange(from, to) }
	err := db.write(ctx, false, valid, func(t *tx) (err error) {
		if _, err = t.exec("DELETE FROM history WHERE key >= ? AND key < ?", from, to); err != nil {
			return err
		}
		n, err = t.exec("DELETE FROM entries WHERE key >= ? AND key < ?", from, to)
		return err
	})
	if err != nil {
		return 0, wrap(err, "delete %q to %q", from, to)
	}
	return int(n), nil
}

// wrap says what was being done when err happened. What the contract says by
// itself stays as it is.
func wrap(err error, format string, args ...any) error {
	if err == driver.ErrClosed || errors.Is(err, driver.ErrInvalid) && primary(err) == 0 {
		return err
	}
	return fmt.Errorf(format+": %w", append(args, explain(err))...)
}

// tx is a transaction that writes.
type tx struct {
	*conn
	w    *writer
	now  driver.Moment
	boot int64 // number of now.Boot, zero until it is needed
}

// write calls f in a transaction of its own, in its turn, and commits it. If
// valid or f returns an error, nothing is written.
func (db *DB) write(ctx context.Context, urgent bool, valid func() error, f func(*tx) error) error {
	if err := db.begin(ctx); err != nil {
		return err
	}
	defer db.calls.Leave()
	if err := valid(); err != nil {
		return err
	}
	w := db.writer
	if w == nil {
		return fmt.Errorf("%w: opened for reading", driver.ErrReadOnly)
	}
	if err := w.lock(ctx, urgent); err != nil {
		return err
	}
	defer w.unlock()
	t := &tx{conn: w.conn, w: w, now: db.now()}
	err := f(t)
	if err == nil {
		_, err = t.exec("COMMIT")
	}
	if err != nil {
		return errors.Join(err, w.abort())
	}
	if t.boot != 0 {
		w.boots[t.now.Boot] = t.boot
	}
	w.trim(db.readers)
	return nil
}

// batch applies one batch, or returns what refuses it.
func (t *tx) batch(b *driver.Batch) ([]driver.State, error) {
	if len(b.Writes) == 1 && len(b.Checks) == 0 {
		done, err := t.single(b.ID, &b.Writes[0])
		if err != nil {
			return nil, err
		}
		if done {
			return nil, t.forget(b.Forget)
		}
	}
	present, refused, err := t.examine(b)
	if err != nil || refused != nil {
		return refused, err
	}
	for i := range b.Writes {
		if err := t.put(b.ID, &b.Writes[i], present[i]); err != nil {
			return nil, err
		}
	}
	return nil, t.forget(b.Forget)
}

// examine looks at every entry that the batch names. It returns those that it
// writes, in order and nil if absent, and the states of those that are not at
// the version that the batch expects.
func (t *tx) examine(b *driver.Batch) (present []*stored, refused []driver.State, err error) {
	for _, c := range b.Checks {
		s, err := t.load(c.Key)
		if err != nil {
			return nil, nil, err
		}
		if s.at() != c.Version {
			refused = append(refused, s.state(c.Key))
		}
	}
	present = make([]*stored, len(b.Writes))
	for i := range b.Writes {
		w := &b.Writes[i]
		s, err := t.load(w.Key)
		if err != nil {
			return nil, nil, err
		}
		present[i] = s
		if w.Mode == driver.Expect && s.at() != w.Version {
			refused = append(refused, s.state(w.Key))
		}
	}
	return present, refused, nil
}

// stored is what a commit needs to know of an entry that is there.
type stored struct {
	recent   []driver.Version // the present one first
	updated  int64            // microseconds
	marked   bool
	retained int64
}

// load returns what is stored under a key, nil if nothing is.
func (t *tx) load(key string) (*stored, error) {
	var s *stored
	err := t.query(func(columns []sqldriver.Value) error {
		v, err := lineage.ID(octets(columns[0]))
		if err != nil {
			return fmt.Errorf("%w: entry %q: %w", driver.ErrCorrupt, key, err)
		}
		recent, err := lineage.Decode(v, octets(columns[1]))
		if err != nil {
			return fmt.Errorf("%w: entry %q: %w", driver.ErrCorrupt, key, err)
		}
		s = &stored{
			recent:   recent,
			updated:  integer(columns[2]),
			marked:   integer(columns[3]) != 0,
			retained: integer(columns[4]),
		}
		return nil
	}, "SELECT version, recent, updated, marked, retained FROM entries WHERE key = ?", key)
	return s, err
}

// at returns the version that the entry is at, zero if it is absent.
func (s *stored) at() driver.Version {
	if s == nil {
		return driver.Version{}
	}
	return s.recent[0]
}

// state returns where the entry stands.
func (s *stored) state(key string) driver.State {
	if s == nil {
		return driver.State{Key: key}
	}
	return driver.State{Key: key, Recent: s.recent}
}
