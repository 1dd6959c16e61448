package sqlite

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"
)

// How far the log may grow. SQLite itself moves it into the file when it has
// checkpoint pages, as part of the commit that finds it so; readers that are
// always there can keep it from ever starting over. Beyond logLimit bytes it
// is emptied with the readers held back.
const (
	checkpoint = 4096 // pages, 32 MB
	logLimit   = 4 * checkpoint * pageSize
	logRetry   = time.Second // between two attempts that found someone in the way
)

// writer is the one connection of the process that writes, and the right to
// use it.
type writer struct {
	path string
	turn turn

	// The turn guards what follows.
	conn    *conn            // nil after a transaction that could not be ended
	share   share            // how the file is shared with other processes
	boots   map[string]int64 // the numbers of boots that are in the file
	blocked time.Time        // when the log was last found not to be emptied
}

func newWriter(path string) *writer {
	return &writer{path: path, boots: make(map[string]int64)}
}

// dial opens the file, creates what is missing and sets it up for writing.
func (w *writer) dial(ctx context.Context) (*conn, error) {
	c, err := dial(w.path, "rwc", false)
	if err != nil {
		return nil, err
	}
	err = poll(ctx, func() error {
		empty, err := identify(c)
		if err == nil && empty {
			err = create(c)
		}
		return err
	})
	if err == nil {
		err = poll(ctx, func() error { return prepareWriter(c) })
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// prepareWriter sets up a connection and fails if the file cannot be written
// to, which SQLite otherwise tells with the first commit: a file that may only
// be read is opened for reading, and even BEGIN IMMEDIATE then begins to read.
func prepareWriter(c *conn) error {
	return c.run("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA cache_size = -32768",
		"PRAGMA wal_autocheckpoint = "+strconv.Itoa(checkpoint), "PRAGMA journal_size_limit = "+strconv.Itoa(logLimit),
		"BEGIN IMMEDIATE", "DELETE FROM boots WHERE 0", "ROLLBACK")
}

// reopen opens the connection again if it had to be closed.
func (w *writer) reopen(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	c, err := w.dial(ctx)
	w.conn = c
	w.share.observed = false
	return err
}

// close closes the connection. No call may be under way.
func (w *writer) close() error {
	if w.conn == nil {
		return nil
	}
	return w.conn.close()
}

// trim empties the log if it has grown beyond its limit because readers were
// always in the way. It holds back those of this process, which are short, and
// leaves it for later if another's, or a backup, is still there. It is called
// in the turn, between transactions.
func (w *writer) trim(r *readers) {
	info, err := os.Stat(w.path + "-wal")
	if err != nil || info.Size() <= logLimit || time.Since(w.blocked) < logRetry {
		return
	}
	r.gate.Lock()
	defer r.gate.Unlock()
	busy, err := w.conn.number("PRAGMA wal_checkpoint(TRUNCATE)")
	if err != nil || busy != 0 {
		// No error of it concerns the commit that came before.
		w.blocked = time.Now()
	}
}
