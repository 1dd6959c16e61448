package sqlite

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/holdfast-games/holdfast/driver"
)

// readers are the connections for reads, opened as they are needed.
type readers struct {
	open  func() (*conn, error)
	slots chan struct{} // one for each connection that is in use
	idle  chan *conn

	// gate is held for reading by each read, and for writing while the log is
	// emptied, which no read may be in the way of.
	gate sync.RWMutex

	mu    sync.Mutex // guards boots
	boots map[int64]string
}

func newReaders(open func() (*conn, error)) *readers {
	// Reads are work for the processor, seldom waits for the disk.
	n := max(4, 2*runtime.GOMAXPROCS(0))
	return &readers{
		open:  open,
		slots: make(chan struct{}, n),
		idle:  make(chan *conn, n),
		boots: make(map[int64]string),
	}
}

// dialReader opens a connection that cannot write.
func dialReader(path, mode string, immutable bool) (*conn, error) {
	c, err := dial(path, mode, immutable)
	if err != nil {
		return nil, err
	}
	if err := c.run("PRAGMA query_only = 1", "PRAGMA cache_size = -8192"); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// take returns a connection of its own to the caller, who puts it back or
// discards it.
func (r *readers) take(ctx context.Context) (*conn, error) {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ended(ctx)
	}
	select {
	case c := <-r.idle:
		return c, nil
	default:
	}
	c, err := r.open()
	if err != nil {
		<-r.slots
	}
	return c, err
}

func (r *readers) put(c *conn) {
	r.idle <- c
	<-r.slots
}

func (r *readers) discard(c *conn) error {
	<-r.slots
	return c.close()
}

// close closes the connections. None may be in use.
func (r *readers) close() error {
	close(r.idle)
	var errs []error
	for c := range r.idle {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

// reading is one call that reads, on a connection of its own.
type reading struct {
	ctx     context.Context
	conn    *conn
	readers *readers
	clock   clock
	at      driver.Moment // see now
}

// now returns the time at which it was first called, which must be once the
// first statement has begun: then no entry that is seen was written later.
func (r *reading) now() driver.Moment {
	if r.at.Wall.IsZero() {
		r.at = r.clock()
	}
	return r.at
}

// How many statements a call makes that reads. One alone is a snapshot by
// itself, several need a transaction.
const (
	oneStatement = false
	several      = true
)

// read calls f with a connection, within one snapshot of the file. It may call
// f again if the file was locked, as it is for a moment when its last user
// closes it or its next one recovers it; f starts anew then.
func (db *DB) read(ctx context.Context, transaction bool, f func(r *reading) error) error {
	if err := db.begin(ctx); err != nil {
		return err
	}
	defer db.calls.Leave()
	return poll(ctx, func() error {
		db.readers.gate.RLock()
		defer db.readers.gate.RUnlock()
		c, err := db.readers.take(ctx)
		if err != nil {
			return err
		}
		r := &reading{ctx: ctx, conn: c, readers: db.readers, clock: db.now}
		if transaction {
			err = r.transaction(f)
		} else {
			err = f(r)
		}
		if err != nil {
			// A new connection costs little and has no past.
			return errors.Join(err, db.readers.discard(c))
		}
		db.readers.put(c)
		return nil
	})
}

// transaction calls f within a transaction.
func (r *reading) transaction(f func(*reading) error) error {
	if _, err := r.conn.exec("BEGIN"); err != nil {
		return err
	}
	if err := f(r); err != nil {
		return err
	}
	_, err := r.conn.exec("COMMIT")
	return err
}

// boot returns the name of a boot.
func (r *reading) boot(id int64) (string, error) {
	r.readers.mu.Lock()
	name, ok := r.readers.boots[id]
	r.readers.mu.Unlock()
	if ok {
		return name, nil
	}
	err := r.conn.query(func(columns []sqldriver.Value) error {
		name, ok = columns[0].(string)
		return nil
	}, "SELECT name FROM boots WHERE id = ?", id)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", fmt.Errorf("%w: no boot has the number %d", driver.ErrCorrupt, id)
	}
	r.readers.mu.Lock()
	r.readers.boots[id] = name
	r.readers.mu.Unlock()
	return name, nil
}
