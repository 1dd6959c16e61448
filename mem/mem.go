package mem

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// DB is a database in memory. It implements driver.DB; its methods are safe
// for concurrent use and never block for long.
type DB struct {
	opened time.Time // with its monotonic reading

	mu      sync.RWMutex // guards what follows; held for whole calls
	closed  bool
	entries map[string]*record
	keys    keySet // the keys of entries
}

var _ driver.DB = (*DB)(nil)

// Open returns a new empty database.
func Open() *DB {
	return &DB{opened: time.Now(), entries: make(map[string]*record)}
}

// Info implements driver.DB. Servers look seldom enough that hours of simulated time, in
// a test, are cheap.
func (db *DB) Info() driver.Info {
	return driver.Info{Name: "mem", Look: 50 * time.Millisecond, Writers: 1, Group: 64}
}

// now tells the database's time.
func (db *DB) now() driver.Moment {
	t := db.opened.Add(time.Since(db.opened)) // whatever the machine's clock is set to meanwhile
	return driver.Moment{Wall: t.Round(0).UTC(), Tick: time.Duration(t.UnixNano())}
}

// Close implements driver.DB.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return driver.ErrClosed
	}
	db.closed = true
	db.entries, db.keys = nil, keySet{}
	return nil
}

// Damage flips one bit of the value that is stored under key, as a failing
// disk would, for tests of what reads it. An empty value gets one byte more.
// It is ErrNotFound if there is no such entry.
func (db *DB) Damage(key string) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	r := db.entries[key]
	switch {
	case db.closed:
		return driver.ErrClosed
	case r == nil:
		return fmt.Errorf("damage %q: %w", key, driver.ErrNotFound)
	}
	value := slices.Clone(r.present.value)
	if len(value) == 0 {
		value = []byte{0}
	}
	value[len(value)/2] ^= 1
	r.present.value = value
	return nil
}

// Read implements driver.DB.
func (db *DB) Read(ctx context.Context, keys ...string) (driver.Snapshot, error) {
	if err := driver.CheckKeys(keys); err != nil {
		return driver.Snapshot{}, err
	}
	if err := db.rlock(ctx); err != nil {
		return driver.Snapshot{}, fmt.Errorf("read %d keys: %w", len(keys), err)
	}
	defer db.mu.RUnlock()
	s := driver.Snapshot{Entries: make([]driver.Entry, len(keys)), Now: db.now()}
	for i, key := range keys {
		s.Entries[i] = db.entries[key].entry(key, true)
	}
	return s, nil
}

// List implements driver.DB.
func (db *DB) List(ctx context.Context, q driver.Query) (driver.Snapshot, error) {
	q, err := q.Normalize()
	if err != nil {
		return driver.Snapshot{}, err
	}
	if err := db.rlock(ctx); err != nil {
		return driver.Snapshot{}, fmt.Errorf("list %q: %w", q.Prefix, err)
	}
	defer db.mu.RUnlock()
	s := driver.Snapshot{Now: db.now()}
	size := 0
	for key := range db.keys.listed(q) {
		if !strings.HasPrefix(key, q.Prefix) {
			break
		}
		if len(s.Entries) == q.Limit || size >= driver.MaxValue {
			s.More = true
			break
		}
		e := db.entries[key].entry(key, !q.KeysOnly)
		size += len(e.Value)
		s.Entries = append(s.Entries, e)
	}
	return s, nil
}

// Count implements driver.DB.
func (db *DB) Count(ctx context.Context, from, to string, limit int) (n int, next string, err error) {
	if err := driver.CheckCount(from, to, limit); err != nil {
		return 0, "", err
	}
	if err := db.rlock(ctx); err != nil {
		return 0, "", fmt.Errorf("count %q to %q: %w", from, to, err)
	}
	defer db.mu.RUnlock()
	n, next = db.keys.count(from, to, limit)
	return n, next, nil
}

// Versions implements driver.DB.
func (db *DB) Versions(ctx context.Context, key string) ([]driver.Entry, error) {
	if err := driver.CheckKey(key); err != nil {
		return nil, err
	}
	if err := db.rlock(ctx); err != nil {
		return nil, fmt.Errorf("versions of %q: %w", key, err)
	}
	defer db.mu.RUnlock()
	r := db.entries[key]
	if r == nil {
		return nil, nil
	}
	entries := make([]driver.Entry, 0, len(r.retained)+1)
	for i := range r.retained {
		entries = append(entries, r.retained[i].entry(key, r.created, false))
	}
	return append(entries, r.entry(key, false)), nil
}

// ReadVersion implements driver.DB.
func (db *DB) ReadVersion(ctx context.Context, key string, v driver.Version) (driver.Entry, error) {
	if err := driver.CheckKey(key); err != nil {
		return driver.Entry{}, err
	}
	if err := db.rlock(ctx); err != nil {
		return driver.Entry{}, fmt.Errorf("read version %v of %q: %w", v, key, err)
	}
	defer db.mu.RUnlock()
	r := db.entries[key]
	if r != nil && r.present.version == v {
		return r.entry(key, true), nil
	}
	if i := r.find(v); i >= 0 {
		return r.retained[i].entry(key, r.created, true), nil
	}
	return driver.Entry{}, fmt.Errorf("read version %v of %q: %w", v, key, driver.ErrNotFound)
}

// DeleteRange implements driver.DB.
func (db *DB) DeleteRange(ctx context.Context, from, to string) (int, error) {
	if err := driver.CheckRange(from, to); err != nil {
		return 0, err
	}
	if err := db.lock(ctx); err != nil {
		return 0, fmt.Errorf("delete %q to %q: %w", from, to, err)
	}
	defer db.mu.Unlock()
	var keys []string
	for key := range db.keys.from(from) {
		if key >= to {
			break
		}
		keys = append(keys, key)
	}
	for _, key := range keys {
		db.delete(key)
	}
	return len(keys), nil
}

// delete removes an entry and all its versions.
func (db *DB) delete(key string) {
	delete(db.entries, key)
	db.keys.remove(key)
}

// lock takes mu unless the context ended or the database was closed.
func (db *DB) lock(ctx context.Context) error {
	db.mu.Lock()
	err := db.usable(ctx)
	if err != nil {
		db.mu.Unlock()
	}
	return err
}

// rlock takes mu for reading unless the context ended or the database was
// closed.
func (db *DB) rlock(ctx context.Context) error {
	db.mu.RLock()
	err := db.usable(ctx)
	if err != nil {
		db.mu.RUnlock()
	}
	return err
}

// usable says why a call cannot go on. It expects mu held.
func (db *DB) usable(ctx context.Context) error {
	if db.closed {
		return driver.ErrClosed
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, context.Cause(ctx))
	}
	return nil
}
