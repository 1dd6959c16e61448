package store

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"golang.org/x/time/rate"
)

// Lane says how soon an attempt goes.
type Lane uint8

// The lanes, the most urgent first.
const (
	// Urgent attempts carry a lease. They go in groups of their own, before
	// all others.
	Urgent Lane = iota
	// Waited attempts are those that somebody waits for.
	Waited
	// Background attempts give way to the others. While any waits, an eighth
	// of each group is theirs, and at least one goes in every eight groups.
	Background
	lanes = 3
)

// String returns the lane's name.
func (l Lane) String() string {
	if l >= lanes {
		return fmt.Sprintf("lane %d", uint8(l))
	}
	return [...]string{"urgent", "waited", "background"}[l]
}

// DB carries attempts to a database, in order, in groups, and until they are
// answered. All its methods are safe for concurrent use.
type DB struct {
	drv   driver.DB
	info  driver.Info
	opts  Options
	limit *rate.Limiter // nil without a budget
	group int           // batches in a group at most, within the budget
	mx    *metrics
	alert *critical
	ctx   context.Context // ends when Close gives up waiting
	stop  context.CancelFunc

	mu       sync.Mutex
	turns    turns              // by key, over all attempts that have not ended
	owner    map[*turn]*attempt // whose turn it is
	ready    [lanes]list        // first in all their lines, waiting to be sent
	inFlight int                // calls of Commit that carry Waited and Background
	passed   int                // groups in a row that left Background ones waiting
	urgent   bool               // a call that carries Urgent is in flight
	came     uint64             // attempts that were admitted
	open     int                // attempts that have not ended
	paused   []pause            // attempts between two tries, the first to go on first
	alarm    *time.Timer        // ends the first pause; nil before the first
	closing  bool
	idle     chan struct{} // closed when open drops to 0 while closing
	dice     *rand.Rand    // for jitter
	seed     uint64        // for that of reads

	gather   gather
	entropy  sync.Mutex // serialises reads of opts.Entropy
	jobs     jobs       // requests of Stores and Rankings
	sketches sketches   // of Rankings
}

// New returns a DB over a database. It does no I/O. The DB takes drv over:
// its Close closes it.
func New(drv driver.DB, o *Options) (*DB, error) {
	db := &DB{drv: drv, info: drv.Info(), opts: o.withDefaults()}
	if err := db.opts.check(); err != nil {
		return nil, err
	}
	if db.info.Writers < 1 || db.info.Group < 1 {
		return nil, fmt.Errorf("%w: database %q takes %d calls of %d batches", driver.ErrInvalid, db.info.Name, db.info.Writers, db.info.Group)
	}
	db.group = min(db.info.Group, driver.MaxGroup)
	if db.opts.Rate > 0 {
		db.limit = rate.NewLimiter(rate.Limit(db.opts.Rate), db.opts.Burst)
		db.group = min(db.group, db.opts.Burst)
	}
	mx, err := newMetrics(db.opts.Metrics)
	if err != nil {
		return nil, err
	}
	var seed [32]byte
	if _, err := io.ReadFull(db.opts.Entropy, seed[:]); err != nil {
		return nil, fmt.Errorf("seed the store: %w", err)
	}
	db.mx, db.dice = mx, rand.New(rand.NewChaCha8(seed))
	db.seed = db.dice.Uint64()
	db.alert = newCritical(&db.opts, mx.critical)
	db.owner = make(map[*turn]*attempt)
	db.gather = gather{drv: drv, most: db.info.Readers, timeout: db.opts.Timeout}
	db.ctx, db.stop = context.WithCancel(context.Background())
	return db, nil
}

func (o *Options) check() error {
	switch {
	case o.Pause < 0 || o.MaxPause < 0 || o.Timeout < 0:
		return fmt.Errorf("%w: negative pause or timeout", driver.ErrInvalid)
	case o.Rate < 0 || math.IsNaN(o.Rate) || o.Burst < 0:
		return fmt.Errorf("%w: rate %v, burst %d", driver.ErrInvalid, o.Rate, o.Burst)
	case o.CriticalErrors < 0 || o.CriticalErrors > maxCriticalErrors || o.CriticalWindow < 0:
		return fmt.Errorf("%w: critical after %d errors in %v, at most %d", driver.ErrInvalid, o.CriticalErrors, o.CriticalWindow, maxCriticalErrors)
	case o.GroupBytes < 0:
		return fmt.Errorf("%w: negative group size", driver.ErrInvalid)
	case o.MaxValue < 0 || o.MaxValue > driver.MaxValue-maxHeader:
		return fmt.Errorf("%w: values of %d bytes, at most %d", driver.ErrInvalid, o.MaxValue, driver.MaxValue-maxHeader)
	}
	return nil
}

// Driver returns the database underneath, for what needs no order: backups,
// and tools that only read.
func (db *DB) Driver() driver.DB { return db.drv }

// WorstCase returns how long a request of a Store may take when the database
// answers nothing; see Options.WorstCase.
func (db *DB) WorstCase() time.Duration { return db.opts.WorstCase() }

// NewVersion returns a new version id. It is an error only if the source of
// randomness is.
func (db *DB) NewVersion() (driver.Version, error) {
	db.entropy.Lock()
	defer db.entropy.Unlock()
	return driver.NewVersion(time.Now(), db.opts.Entropy)
}

// Read returns the entries under keys at one moment. It repeats the call until
// it is answered or ctx ends; the error then matches driver.ErrUnavailable and
// the context's cause. An entry that does not verify comes with Damaged set.
// Where the database has as many calls as it likes, reads that wait share one.
func (db *DB) Read(ctx context.Context, keys ...string) (driver.Snapshot, error) {
	return retry(ctx, db, func(ctx context.Context) (driver.Snapshot, error) {
		return db.gather.read(ctx, db.ctx, keys)
	})
}

// List returns the entries that q names, as driver.DB.List does, and repeats
// the call as Read does.
func (db *DB) List(ctx context.Context, q driver.Query) (driver.Snapshot, error) {
	return retry(ctx, db, func(ctx context.Context) (driver.Snapshot, error) {
		return db.drv.List(ctx, q)
	})
}

// Count counts entries as driver.DB.Count does, and repeats the call as Read
// does.
func (db *DB) Count(ctx context.Context, from, to string, limit int) (n int, next string, err error) {
	n, err = retry(ctx, db, func(ctx context.Context) (n int, err error) {
		n, next, err = db.drv.Count(ctx, from, to, limit)
		return n, err
	})
	return n, next, err
}

// Versions returns the versions of a database key that can be read, oldest
// first, without values, and repeats the call as Read does.
func (db *DB) Versions(ctx context.Context, key string) ([]driver.Entry, error) {
	return retry(ctx, db, func(ctx context.Context) ([]driver.Entry, error) {
		return db.drv.Versions(ctx, key)
	})
}

// ReadVersion returns one version under a database key, or ErrNotFound, and
// repeats the call as Read does.
func (db *DB) ReadVersion(ctx context.Context, key string, v driver.Version) (driver.Entry, error) {
	return retry(ctx, db, func(ctx context.Context) (driver.Entry, error) {
		return db.drv.ReadVersion(ctx, key, v)
	})
}

// DeleteRange deletes entries that nobody writes any more, from <= key < to,
// and repeats the call as Read does.
func (db *DB) DeleteRange(ctx context.Context, from, to string) error {
	_, err := retry(ctx, db, func(ctx context.Context) (int, error) {
		return db.drv.DeleteRange(ctx, from, to)
	})
	return err
}

// Close stops taking attempts, waits for those under way until ctx ends, fails
// the rest with driver.ErrClosed (and ErrUncertain, if they were ever sent),
// and closes the database. It returns when every Done has. Closing twice is
// driver.ErrClosed.
func (db *DB) Close(ctx context.Context) error {
	db.mu.Lock()
	if db.closing {
		db.mu.Unlock()
		return driver.ErrClosed
	}
	db.closing = true
	db.idle = make(chan struct{})
	if db.open == 0 {
		close(db.idle)
	}
	db.mu.Unlock()
	select {
	case <-db.idle:
	case <-ctx.Done():
	}
	db.stop()
	db.endPauses()
	<-db.idle
	db.sketches.close()
	db.alert.close()
	db.mx.set.Unregister()
	return db.drv.Close()
}
