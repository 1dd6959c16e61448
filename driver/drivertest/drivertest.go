// Package drivertest holds an implementation of driver.DB to its contract.
//
//	func TestContract(t *testing.T) {
//		drivertest.Run(t, drivertest.Harness{
//			Open: func(t *testing.T) driver.DB { return mem.Open() },
//		})
//	}
//
// Each subtest opens a database of its own and states a fact of the contract
// by its name. What a Harness cannot do, a database that cannot be opened
// twice for example, is skipped and says so.
package drivertest

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
)

// Harness is how the suite gets at an implementation. Only Open is required.
type Harness struct {
	// Open returns a fresh and empty database. The suite closes it; it may
	// have been closed by the test already, so a cleanup must not mind.
	Open func(t *testing.T) driver.DB
	// Reopen closes db and opens the same storage again.
	Reopen func(t *testing.T, db driver.DB) driver.DB
	// Second opens the storage of db once more, as another process does. The
	// suite closes it.
	Second func(t *testing.T, db driver.DB) driver.DB
	// Damage flips one bit of the stored present value of key.
	Damage func(t *testing.T, db driver.DB, key string)
	// Advance moves the database's clock on, or back if d is negative. The
	// suite moves it back only if Reverse is set.
	Advance func(t *testing.T, db driver.DB, d time.Duration)
	// Reverse says that Advance can move the clock back.
	Reverse bool
	// Bubble, unless it is nil, runs the tests that use Advance, such as
	// synctest.Test where the clock is the bubble's.
	Bubble func(t *testing.T, f func(t *testing.T))
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for _, group := range []struct {
		name  string
		facts []fact
	}{
		{"Commit", commitFacts},
		{"Group", groupFacts},
		{"Race", raceFacts},
		{"Recent", recentFacts},
		{"Refuse", refusalFacts},
		{"Read", readFacts},
		{"List", listFacts},
		{"Count", countFacts},
		{"History", historyFacts},
		{"Time", timeFacts},
		{"Damage", damageFacts},
		{"Lifecycle", lifecycleFacts},
		{"Model", modelFacts},
		{"Transfer", slices.Concat(transferFacts, movingFacts)},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, f := range group.facts {
				t.Run(f.name, func(t *testing.T) { f.run(t, h) })
			}
		})
	}
}

// needs says what a fact asks of the harness.
type needs uint8

const (
	needsReopen needs = 1 << iota
	needsSecond
	needsDamage
	needsClock
	needsReverse
)

// fact is one test of the suite.
type fact struct {
	name  string
	needs needs
	test  func(e *env)
}

func (f *fact) run(t *testing.T, h Harness) {
	for _, need := range []struct {
		needs needs
		have  bool
		name  string
	}{
		{needsReopen, h.Reopen != nil, "Reopen"},
		{needsSecond, h.Second != nil, "Second"},
		{needsDamage, h.Damage != nil, "Damage"},
		{needsClock, h.Advance != nil, "Advance"},
		{needsReverse, h.Reverse, "Reverse"},
	} {
		if f.needs&need.needs != 0 && !need.have {
			t.Skipf("the harness has no %s", need.name)
		}
	}
	if h.Bubble != nil && f.needs&needsClock != 0 {
		h.Bubble(t, func(t *testing.T) { f.test(newEnv(t, h)) })
		return
	}
	f.test(newEnv(t, h))
}

// env is one test's database and what it does with it.
type env struct {
	*testing.T
	ctx context.Context
	h   Harness
	db  driver.DB
}

func newEnv(t *testing.T, h Harness) *env {
	e := &env{T: t, ctx: context.Background(), h: h, db: h.Open(t)}
	t.Cleanup(func() { e.close(e.db) })
	return e
}

// close closes a database that a test may have closed.
func (e *env) close(db driver.DB) {
	if err := db.Close(); err != nil && !errors.Is(err, driver.ErrClosed) {
		e.Errorf("Close: %v", err)
	}
}

// second returns another view of the storage, or the same one if the harness
// has none.
func (e *env) second() driver.DB {
	if e.h.Second == nil {
		return e.db
	}
	db := e.h.Second(e.T, e.db)
	e.Cleanup(func() { e.close(db) })
	return db
}

// reopen closes the database and opens the same storage again.
func (e *env) reopen() {
	e.db = e.h.Reopen(e.T, e.db)
}

var lastID atomic.Uint64

// newID returns a version id that was never returned before.
func newID() driver.Version {
	var v driver.Version
	v[0] = 1
	binary.BigEndian.PutUint64(v[8:], lastID.Add(1))
	return v
}

// expect is a write of text that expects a version.
func expect(key string, v driver.Version, value string) driver.Write {
	return driver.Write{Key: key, Version: v, Value: []byte(value)}
}

// always is a write of text that expects nothing.
func always(key, value string) driver.Write {
	return driver.Write{Key: key, Mode: driver.Always, Value: []byte(value)}
}

// once is a write of text that only creates.
func once(key, value string) driver.Write {
	return driver.Write{Key: key, Mode: driver.Once, Value: []byte(value)}
}

// batch is a batch of writes under a new id.
func batch(writes ...driver.Write) driver.Batch {
	return driver.Batch{ID: newID(), Writes: writes}
}

// commit commits a group and fails the test on an error.
func (e *env) commit(batches ...driver.Batch) []driver.Outcome {
	e.Helper()
	out, err := e.db.Commit(e.ctx, driver.Group{Batches: batches})
	if err != nil {
		e.Fatalf("Commit of %d batches: %v", len(batches), err)
	}
	if len(out) != len(batches) {
		e.Fatalf("Commit returned %d outcomes for %d batches", len(out), len(batches))
	}
	return out
}

// apply commits one batch of writes, which must be applied, and returns its
// id.
func (e *env) apply(writes ...driver.Write) driver.Version {
	e.Helper()
	b := batch(writes...)
	e.applied(b)
	return b.ID
}

// applied commits a batch that must be applied.
func (e *env) applied(b driver.Batch) driver.Moment {
	e.Helper()
	out := e.commit(b)[0]
	if len(out.Refused) != 0 {
		e.Fatalf("Commit of %v refused: %v, want applied", keysOf(b), out.Refused)
	}
	if out.Updated.Wall.IsZero() {
		e.Fatalf("Commit of %v applied without a time", keysOf(b))
	}
	return out.Updated
}

// refused commits a batch that must be refused for exactly these keys.
func (e *env) refused(b driver.Batch, keys ...string) []driver.State {
	e.Helper()
	out := e.commit(b)[0]
	var got []string
	for _, s := range out.Refused {
		got = append(got, s.Key)
	}
	if diff := cmp.Diff(keys, got); diff != "" {
		e.Fatalf("Commit of %v refused for (-want +got):\n%s", keysOf(b), diff)
	}
	return out.Refused
}

// invalid commits a group that must be ErrInvalid.
func (e *env) invalid(g driver.Group) {
	e.Helper()
	if out, err := e.db.Commit(e.ctx, g); !errors.Is(err, driver.ErrInvalid) {
		e.Errorf("Commit = %v, %v, want ErrInvalid", out, err)
	}
}

func keysOf(b driver.Batch) (keys []string) {
	for _, w := range b.Writes {
		keys = append(keys, w.Key)
	}
	return keys
}

// read returns the entry under a key.
func (e *env) read(key string) driver.Entry {
	e.Helper()
	return e.readFrom(e.db, key)
}

func (e *env) readFrom(db driver.DB, key string) driver.Entry {
	e.Helper()
	s, err := db.Read(e.ctx, key)
	if err != nil {
		e.Fatalf("Read(%q): %v", key, err)
	}
	if len(s.Entries) != 1 || s.Entries[0].Key != key {
		e.Fatalf("Read(%q) = %v, want one entry of that key", key, s.Entries)
	}
	return s.Entries[0]
}

// holds fails the test unless key has the value; "-" is an absent entry.
func (e *env) holds(key, want string) {
	e.Helper()
	got := "-"
	if entry := e.read(key); entry.Found() {
		got = string(entry.Value)
	}
	if got != want {
		e.Errorf("Read(%q) = %q, want %q", key, got, want)
	}
}

// list returns a listing.
func (e *env) list(q driver.Query) driver.Snapshot {
	e.Helper()
	s, err := e.db.List(e.ctx, q)
	if err != nil {
		e.Fatalf("List(%+v): %v", q, err)
	}
	return s
}

// keys returns the keys of a listing.
func (e *env) keys(q driver.Query) []string {
	e.Helper()
	return keysIn(e.list(q))
}

func keysIn(s driver.Snapshot) (keys []string) {
	for _, entry := range s.Entries {
		keys = append(keys, entry.Key)
	}
	return keys
}

// versions returns the ids of the versions that can be read.
func (e *env) versions(key string) []driver.Version {
	e.Helper()
	entries, err := e.db.Versions(e.ctx, key)
	if err != nil {
		e.Fatalf("Versions(%q): %v", key, err)
	}
	var ids []driver.Version
	for _, entry := range entries {
		ids = append(ids, entry.Version)
	}
	return ids
}

// retains fails the test unless exactly these versions of key can be read, the
// last of them being the present one.
func (e *env) retains(key string, want ...driver.Version) {
	e.Helper()
	if diff := cmp.Diff(want, e.versions(key)); diff != "" {
		e.Errorf("Versions(%q) (-want +got):\n%s", key, diff)
	}
}

// settle commits a batch until there is an answer, as a caller does who is told
// that there was none, and reports whether it was applied.
func settle(ctx context.Context, db driver.DB, b driver.Batch) (bool, error) {
	for {
		out, err := db.Commit(ctx, driver.Group{Batches: []driver.Batch{b}})
		if errors.Is(err, driver.ErrUnavailable) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return false, err
		}
		own := slices.ContainsFunc(out[0].Refused, func(s driver.State) bool {
			return slices.Contains(s.Recent, b.ID)
		})
		return len(out[0].Refused) == 0 || own, nil
	}
}
