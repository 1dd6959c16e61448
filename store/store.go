package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/holdfast-games/holdfast/driver"
)

// Store keeps values under keys, in a database that it shares with others. Its
// methods are safe for concurrent use. Requests on one key run one after
// another, in the order in which they were made; those on different keys run
// at the same time.
//
// Every method that takes a context blocks until its request is done or the
// context ends. A request whose attempt is already on its way goes on after its
// caller has left, and the next request on the key waits for it.
type Store struct {
	db     *DB
	name   string
	prefix string // of database keys
}

// Store returns the store of a name, which need not exist: a store is there as
// soon as something is in it. The name must be 1 to MaxName bytes of UTF-8
// without NUL; else the error matches ErrName. It does no I/O.
func (db *DB) Store(name string) (*Store, error) {
	if err := checkName("store name", name); err != nil {
		return nil, err
	}
	return &Store{db: db, name: name, prefix: SystemKey("store", name) + "/"}, nil
}

// WriteOptions say what a write changes beside the value. Nil is the same as
// the zero value.
type WriteOptions struct {
	Meta  map[string]string // nil: as it was; else it replaces the metadata
	Users []string          // nil: as they were; else they replace the user ids
	// Mark keeps this version and the one before it whatever the schedule.
	Mark bool
}

// Get returns the entry under key. A key that was never written, or was
// deleted, is ErrNotFound; bytes that do not verify are driver.ErrCorrupt.
func (s *Store) Get(ctx context.Context, key string) (Entry, error) {
	var e Entry
	err := s.do(ctx, "get", key, func(j *job, dbKey string) (err error) {
		defer s.db.jobs.end(j)
		e, err = s.read(ctx, key, dbKey)
		if err == nil && !e.Found() {
			err = ErrNotFound
		}
		return err
	})
	return e, err
}

// Set writes a value, whatever was there, and returns the new entry. Value may
// be empty. It is ErrTooLarge over the DB's MaxValue.
func (s *Store) Set(ctx context.Context, key string, value []byte, o *WriteOptions) (Entry, error) {
	if value == nil {
		value = []byte{}
	}
	return s.change(ctx, "set", key, o, func(e *Entry) error { return s.put(e, value) })
}

// Update writes what fn makes of the present entry, and returns the new one.
// fn gets an entry that is not Found if there is none. It may be called more
// than once, each time with what is there by then, and must have no side
// effects. If it returns ErrSkip, or a nil value, nothing is written and the
// present entry is returned; any other error is returned as it is.
func (s *Store) Update(ctx context.Context, key string, fn func(Entry) ([]byte, error), o *WriteOptions) (Entry, error) {
	return s.change(ctx, "update", key, o, func(e *Entry) error {
		value, err := fn(e.clone())
		if err != nil {
			return err
		}
		if value == nil {
			return ErrSkip
		}
		return s.put(e, value)
	})
}

// Add adds delta to a value that is a decimal integer, or absent and taken as
// 0, and returns the sum. It is ErrNotInteger for any other value, and when the
// sum is outside int64; nothing is written then.
func (s *Store) Add(ctx context.Context, key string, delta int64) (int64, error) {
	var sum int64
	_, err := s.change(ctx, "add", key, nil, func(e *Entry) error {
		var n int64
		if e.Found() {
			var err error
			if n, err = strconv.ParseInt(string(e.Value), 10, 64); err != nil {
				return fmt.Errorf("%w: %.40q", ErrNotInteger, e.Value)
			}
		}
		if delta > 0 && n > math.MaxInt64-delta || delta < 0 && n < math.MinInt64-delta {
			return fmt.Errorf("%w: %d%+d overflows", ErrNotInteger, n, delta)
		}
		sum = n + delta
		return s.put(e, strconv.AppendInt(nil, sum, 10))
	})
	return sum, err
}

// Delete removes the value under key and returns what it was; a key without a
// value is ErrNotFound. Old versions stay until the retention ends, and can be
// restored.
func (s *Store) Delete(ctx context.Context, key string) (Entry, error) {
	return s.remove(ctx, "delete", key, false)
}

// Purge removes the value under key and every old version. What remains is the
// mark of a deletion, without content; of a key that was never written,
// nothing.
func (s *Store) Purge(ctx context.Context, key string) error {
	_, err := s.remove(ctx, "purge", key, true)
	if errors.Is(err, ErrSkip) {
		return nil
	}
	return err
}

// Restore writes an old version's value, metadata and user ids as a new
// version, marks both, and returns the new entry. A version that is not there,
// or is a deletion, is ErrNotFound.
func (s *Store) Restore(ctx context.Context, key string, v driver.Version) (Entry, error) {
	return s.change(ctx, "restore", key, &WriteOptions{Mark: true}, func(e *Entry) error {
		// It is read each time, so that what was purged meanwhile stays gone.
		old, err := s.GetVersion(ctx, key, v)
		if err != nil {
			return err
		}
		if old.Deleted {
			return fmt.Errorf("%w: version %v is a deletion", ErrNotFound, v)
		}
		e.Meta, e.Users = old.Meta, old.Users
		return s.put(e, old.Value)
	})
}

// QueueLen returns how many requests on key have not ended, the running one
// included. A key that cannot be has none.
func (s *Store) QueueLen(key string) int {
	s.db.jobs.mu.Lock()
	defer s.db.jobs.mu.Unlock()
	return s.db.jobs.turns.length(s.prefix + JoinKey(key))
}

// SkipToLast fails with ErrSkipped every request of this store that has not
// begun, except the last one on each key, and returns how many. It is meant for
// a shutdown: what a later request overwrites need not be written first.
func (s *Store) SkipToLast() int { return s.db.jobs.skipToLast(s.name) }

// Idle returns when no request of any store of the DB is waiting or running,
// or with an error when ctx ends.
func (db *DB) Idle(ctx context.Context) error { return db.jobs.wait(ctx) }

// GetVersion returns one version of a key, the present one or a retained one,
// a deletion included. It is ErrNotFound if there is none.
func (s *Store) GetVersion(ctx context.Context, key string, v driver.Version) (Entry, error) {
	dbKey, err := s.dbKey("get version", key)
	if err != nil {
		return Entry{}, err
	}
	d, err := s.db.ReadVersion(ctx, dbKey, v)
	if err != nil {
		return Entry{}, s.wrap("get version", key, err)
	}
	e, err := decodeEntry(key, &d)
	return e, s.wrap("get version", key, err)
}

// Keys yields the keys that begin with prefix and have a value, in the order
// of the bytes of what JoinKey makes of them. It reads a page at a time; keys that come or go meanwhile may
// be seen or not. An error ends it.
func (s *Store) Keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		q := driver.Query{Prefix: s.prefix, Limit: 256}
		if prefix != "" {
			q.Prefix += JoinKey(prefix)
		}
		for {
			page, err := s.db.List(ctx, q)
			if err != nil {
				yield("", s.wrap("list keys", prefix, err))
				return
			}
			for i := range page.Entries {
				d := &page.Entries[i]
				q.After = d.Key
				parts, err := SplitKey(d.Key)
				if err != nil {
					yield("", err)
					return
				}
				key := parts[len(parts)-1]
				e, err := decodeEntry(key, d)
				if (err != nil || e.Found()) && !yield(key, err) {
					return
				}
			}
			if !page.More {
				return
			}
		}
	}
}

// do runs one request when it is its turn. run must see to it that the job
// ends, now or when its attempt does.
func (s *Store) do(ctx context.Context, what, key string, run func(j *job, dbKey string) error) error {
	dbKey, err := s.dbKey(what, key)
	if err != nil {
		return err
	}
	j, err := s.db.jobs.begin(ctx, s.name, dbKey)
	if err != nil {
		return s.wrap(what, key, err)
	}
	return s.wrap(what, key, run(j, dbKey))
}

func (s *Store) dbKey(what, key string) (string, error) {
	if err := checkName("key", key); err != nil {
		return "", s.wrap(what, key, err)
	}
	return s.prefix + JoinKey(key), nil
}

func (s *Store) wrap(what, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %q in store %q: %w", what, key, s.name, err)
}

func (s *Store) read(ctx context.Context, key, dbKey string) (Entry, error) {
	snap, err := s.db.Read(ctx, dbKey)
	if err != nil {
		return Entry{}, err
	}
	return decodeEntry(key, &snap.Entries[0])
}

func (s *Store) put(e *Entry, value []byte) error {
	if len(value) > s.db.opts.MaxValue {
		return fmt.Errorf("%w: value of %d bytes, at most %d", ErrTooLarge, len(value), s.db.opts.MaxValue)
	}
	e.Value, e.Deleted = value, false
	return nil
}

func (s *Store) remove(ctx context.Context, what, key string, forget bool) (Entry, error) {
	var old Entry
	err := s.do(ctx, what, key, func(j *job, dbKey string) error {
		return s.rewrite(ctx, j, key, dbKey, func(e *Entry, b *driver.Batch) error {
			switch {
			case forget && e.Version.IsZero():
				return ErrSkip
			case !forget && !e.Found():
				return ErrNotFound
			}
			old = e.clone()
			e.Value, e.Meta, e.Users, e.Deleted = nil, nil, nil, true
			if forget {
				b.Writes[0].Retain = nil
				b.Forget = []string{dbKey}
			}
			return nil
		})
	})
	return old, err
}

// change is what Set, Update, Add and Restore have in common.
func (s *Store) change(ctx context.Context, what, key string, o *WriteOptions, fn func(*Entry) error) (Entry, error) {
	if o == nil {
		o = &WriteOptions{}
	}
	var result Entry
	err := s.do(ctx, what, key, func(j *job, dbKey string) error {
		return s.rewrite(ctx, j, key, dbKey, func(e *Entry, b *driver.Batch) error {
			result = *e
			if err := fn(e); err != nil {
				return err
			}
			if o.Meta != nil {
				e.Meta = maps.Clone(o.Meta)
			}
			if o.Users != nil {
				e.Users = slices.Clone(o.Users)
			}
			b.Writes[0].Mark, e.Marked = o.Mark, o.Mark
			result = *e
			return nil
		}, func(m driver.Moment, v driver.Version) {
			result.Version, result.Updated = v, m.Wall
			if result.Created.IsZero() {
				result.Created = m.Wall
			}
		})
	})
	if errors.Is(err, ErrSkip) {
		return result, nil
	}
	if err != nil {
		return Entry{}, err
	}
	return result, nil
}

// rewrite reads the entry, lets edit change it and the batch that will write
// it, and commits; on a conflict it begins again with what is there. The job
// ends with the last attempt, also when the caller has stopped waiting.
func (s *Store) rewrite(ctx context.Context, j *job, key, dbKey string, edit func(*Entry, *driver.Batch) error, written ...func(driver.Moment, driver.Version)) error {
	running := false // the attempt ends the job
	defer func() {
		if !running {
			s.db.jobs.end(j)
		}
	}()
	for {
		e, err := s.read(ctx, key, dbKey)
		if err != nil {
			return err
		}
		id, err := s.db.NewVersion()
		if err != nil {
			return err
		}
		b := driver.Batch{ID: id, Writes: []driver.Write{{Key: dbKey, Version: e.Version, Retain: s.db.opts.Retention}}}
		if err := edit(&e, &b); err != nil {
			return err
		}
		if b.Writes[0].Value, err = e.encode(); err != nil {
			return err
		}
		r, rest := s.db.commit(ctx, Attempt{Batch: b, Lane: Waited})
		if running = rest != nil; running {
			go func() {
				<-rest
				s.db.jobs.end(j)
			}()
			return r.err
		}
		if r.err == nil {
			for _, fn := range written {
				fn(r.at, id)
			}
		}
		if !errors.Is(r.err, ErrConflict) || errors.Is(r.err, ErrUncertain) {
			return r.err
		}
	}
}

func (e *Entry) clone() Entry {
	c := *e
	c.Value, c.Meta, c.Users = slices.Clone(e.Value), maps.Clone(e.Meta), slices.Clone(e.Users)
	return c
}
