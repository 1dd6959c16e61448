// Package faulty is a database that fails as a test asks.
//
// A [DB] passes calls on to another database. Before each one it asks its
// [Plan] what shall go wrong: the call is not made, its answer is lost, it is
// held until the test releases it, or it is made long after its caller was
// told that nobody knows. Without a plan it keeps the whole contract.
package faulty

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/holdfast-games/holdfast/driver"
)

// Op is a method of driver.DB.
type Op string

// The methods that a plan is asked about.
const (
	Commit      Op = "commit"
	Read        Op = "read"
	List        Op = "list"
	Count       Op = "count"
	Versions    Op = "versions"
	ReadVersion Op = "read version"
	DeleteRange Op = "delete range"
)

// Call is one call of a method.
type Call struct {
	Op    Op
	N     int          // its number among the calls of this method, from 1
	Keys  []string     // the keys that it names; those that a commit writes
	Group driver.Group // of a Commit; it must not be changed, nor kept

	ctx     context.Context
	release chan struct{}
	late    func() // makes the call whose caller has left
}

// Fault is what shall go wrong with a call. The zero Fault is nothing.
type Fault struct {
	Hold       bool  // nothing happens before the call is released
	Err        error // returned instead of making the call
	Lost       bool  // the call is made, and ErrUnavailable is returned
	HoldAnswer bool  // the call is made, and does not return before it is released
	// Late is for commits: ErrUnavailable is returned at once, and the call is
	// made when it is released.
	Late bool
}

// Plan decides what shall go wrong with a call. It is called by one goroutine
// at a time, and must not block or use the DB.
type Plan func(*Call) Fault

// DB is a database that fails by plan. It is safe for concurrent use.
type DB struct {
	drv driver.DB

	mu      sync.Mutex
	plans   []Plan
	made    map[Op]int
	waiting []*Call
}

var _ driver.DB = (*DB)(nil)

// New returns a DB over another database, without a plan. Its Close closes
// that.
func New(drv driver.DB) *DB { return &DB{drv: drv, made: make(map[Op]int)} }

// Use replaces the plans. The first that names a fault for a call decides.
// Numbers of calls go on; calls that are held stay held.
func (db *DB) Use(plans ...Plan) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.plans = plans
}

// Waiting returns the calls that are held, in an order that does not depend on
// which goroutine came first: by method, urgent commits first, and by keys.
func (db *DB) Waiting() []*Call {
	db.mu.Lock()
	defer db.mu.Unlock()
	calls := slices.Clone(db.waiting)
	slices.SortStableFunc(calls, compare)
	return calls
}

func compare(a, b *Call) int {
	if a.Group.Urgent != b.Group.Urgent {
		if a.Group.Urgent {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.Op, b.Op), slices.Compare(a.Keys, b.Keys), cmp.Compare(a.N, b.N))
}

// Release lets a call go on that is held. A late call is made before Release
// returns. To release a call again does nothing.
func (db *DB) Release(c *Call) {
	if !db.forget(c) {
		return
	}
	if c.late != nil {
		c.late()
		return
	}
	close(c.release)
}

// ReleaseAll releases every call that is held now.
func (db *DB) ReleaseAll() {
	for _, c := range db.Waiting() {
		db.Release(c)
	}
}

// forget takes a call off the list, and reports whether it was there.
func (db *DB) forget(c *Call) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	i := slices.Index(db.waiting, c)
	if i < 0 {
		return false
	}
	db.waiting = slices.Delete(db.waiting, i, i+1)
	return true
}

// begin numbers a call and asks the plans about it.
func (db *DB) begin(c *Call) Fault {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.made[c.Op]++
	c.N = db.made[c.Op]
	for _, plan := range db.plans {
		if f := plan(c); f != (Fault{}) {
			return f
		}
	}
	return Fault{}
}

// hold waits until the call is released or its context ends.
func (db *DB) hold(c *Call) error {
	c.release = make(chan struct{})
	db.mu.Lock()
	db.waiting = append(db.waiting, c)
	db.mu.Unlock()
	select {
	case <-c.release:
		return nil
	case <-c.ctx.Done():
		db.forget(c)
		return fmt.Errorf("%w: held: %w", driver.ErrUnavailable, context.Cause(c.ctx))
	}
}

var errLost = fmt.Errorf("%w: answer lost", driver.ErrUnavailable)

// do makes a call with its fault.
func do[T any](db *DB, c *Call, call func() (T, error)) (T, error) {
	var none T
	f := db.begin(c)
	if f.Late {
		c.late = func() { _, _ = call() }
		db.mu.Lock()
		db.waiting = append(db.waiting, c)
		db.mu.Unlock()
		return none, errLost
	}
	if f.Hold {
		if err := db.hold(c); err != nil {
			return none, err
		}
	}
	if f.Err != nil {
		return none, f.Err
	}
	v, err := call()
	if f.HoldAnswer {
		if err := db.hold(c); err != nil {
			return none, err
		}
	}
	if f.Lost && !errors.Is(err, driver.ErrClosed) {
		return none, errLost
	}
	return v, err
}

// Info implements driver.DB.
func (db *DB) Info() driver.Info { return db.drv.Info() }

// Commit implements driver.DB.
func (db *DB) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	c := &Call{Op: Commit, Group: g, ctx: ctx}
	for _, b := range g.Batches {
		for _, w := range b.Writes {
			c.Keys = append(c.Keys, w.Key)
		}
	}
	return do(db, c, func() ([]driver.Outcome, error) {
		if c.late != nil {
			ctx = context.WithoutCancel(ctx)
		}
		return db.drv.Commit(ctx, g)
	})
}

// Read implements driver.DB.
func (db *DB) Read(ctx context.Context, keys ...string) (driver.Snapshot, error) {
	return do(db, &Call{Op: Read, Keys: keys, ctx: ctx}, func() (driver.Snapshot, error) {
		return db.drv.Read(ctx, keys...)
	})
}

// List implements driver.DB.
func (db *DB) List(ctx context.Context, q driver.Query) (driver.Snapshot, error) {
	return do(db, &Call{Op: List, Keys: []string{q.Prefix}, ctx: ctx}, func() (driver.Snapshot, error) {
		return db.drv.List(ctx, q)
	})
}

// Count implements driver.DB.
func (db *DB) Count(ctx context.Context, from, to string, limit int) (n int, next string, err error) {
	n, err = do(db, &Call{Op: Count, Keys: []string{from, to}, ctx: ctx}, func() (n int, err error) {
		n, next, err = db.drv.Count(ctx, from, to, limit)
		return n, err
	})
	if err != nil {
		return 0, "", err
	}
	return n, next, nil
}

// Versions implements driver.DB.
func (db *DB) Versions(ctx context.Context, key string) ([]driver.Entry, error) {
	return do(db, &Call{Op: Versions, Keys: []string{key}, ctx: ctx}, func() ([]driver.Entry, error) {
		return db.drv.Versions(ctx, key)
	})
}

// ReadVersion implements driver.DB.
func (db *DB) ReadVersion(ctx context.Context, key string, v driver.Version) (driver.Entry, error) {
	return do(db, &Call{Op: ReadVersion, Keys: []string{key}, ctx: ctx}, func() (driver.Entry, error) {
		return db.drv.ReadVersion(ctx, key, v)
	})
}

// DeleteRange implements driver.DB.
func (db *DB) DeleteRange(ctx context.Context, from, to string) (int, error) {
	return do(db, &Call{Op: DeleteRange, Keys: []string{from, to}, ctx: ctx}, func() (int, error) {
		return db.drv.DeleteRange(ctx, from, to)
	})
}

// Close implements driver.DB. Calls that are held are not waited for; they
// find the database closed.
func (db *DB) Close() error { return db.drv.Close() }
