package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	lib "modernc.org/sqlite/lib"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/calls"
)

// DB is a database in a SQLite file. It implements driver.DB and
// driver.Backuper; its methods are safe for concurrent use, also beside other
// processes, and other DBs of this one, that have the file open.
type DB struct {
	path    string
	now     clock
	writer  *writer // nil: read-only
	readers *readers
	calls   calls.Counter
}

var (
	_ driver.DB       = (*DB)(nil)
	_ driver.Backuper = (*DB)(nil)
)

// Options are the settings of Open. A nil *Options has the defaults.
type Options struct {
	// ReadOnly opens a file that exists for reading alone: whatever writes is
	// ErrReadOnly. The file itself is not changed; beside it SQLite may leave
	// its empty -wal and -shm files. A file that cannot have them because its
	// folder is read-only must not be written to while it is open.
	ReadOnly bool
}

func (o *Options) readOnly() bool { return o != nil && o.ReadOnly }

// Open opens the database in the file at path and creates the file, not its
// folder, if it does not exist. It may wait for other processes, until ctx
// ends. A file that is not Holdfast's is ErrForeign, one of a newer format
// ErrFormat, one that cannot be written to ErrReadOnly; they stay as they are.
// A missing folder, and with ReadOnly a missing file, is fs.ErrNotExist.
func Open(ctx context.Context, path string, o *Options) (*DB, error) {
	return open(ctx, path, o, machineClock())
}

func open(ctx context.Context, path string, o *Options, now clock) (*DB, error) {
	abs, err := locate(path, o.readOnly())
	if err != nil {
		return nil, fmt.Errorf("open SQLite database: %w", err)
	}
	db := &DB{path: abs, now: now}
	if o.readOnly() {
		err = db.openReadOnly(ctx)
	} else {
		err = db.openWriter(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("open SQLite database %q: %w", path, explain(err))
	}
	return db, nil
}

// locate returns the absolute path of a file that may be opened.
func locate(path string, mustExist bool) (string, error) {
	if path == "" {
		return "", fmt.Errorf("%w: empty path", driver.ErrInvalid)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(abs)
	if errors.Is(err, fs.ErrNotExist) && !mustExist {
		_, err = os.Stat(filepath.Dir(abs))
		return abs, err
	}
	if err == nil && !info.Mode().IsRegular() {
		return "", fmt.Errorf("%w: %q is no regular file", driver.ErrForeign, path)
	}
	return abs, err
}

// openWriter opens the file for reading and writing.
func (db *DB) openWriter(ctx context.Context) error {
	db.readers = newReaders(func() (*conn, error) { return dialReader(db.path, "rw", false) })
	db.writer = newWriter(db.path)
	c, err := db.writer.dial(ctx)
	if primary(err) == lib.SQLITE_CANTOPEN {
		// The file or its folder exists, or locate had said so.
		return fmt.Errorf("%w: file and folder must be writable: %w", driver.ErrReadOnly, err)
	}
	db.writer.conn = c
	return err
}

// openReadOnly opens the file for reading alone.
func (db *DB) openReadOnly(ctx context.Context) error {
	immutable := false
	db.readers = newReaders(func() (*conn, error) { return dialReader(db.path, "ro", immutable) })
	err := db.try(ctx)
	switch primary(err) {
	case lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY:
		// There is no log and no place for one.
		if _, e := os.Stat(db.path + "-wal"); errors.Is(e, fs.ErrNotExist) {
			immutable = true
			err = db.try(ctx)
		}
	}
	return err
}

// try opens the first connection for reading and identifies the file.
func (db *DB) try(ctx context.Context) error {
	return poll(ctx, func() error {
		c, err := db.readers.take(ctx)
		if err != nil {
			return err
		}
		empty, err := identify(c)
		if err == nil && empty {
			err = fmt.Errorf("%w: an empty file", driver.ErrForeign)
		}
		if err != nil {
			return errors.Join(err, db.readers.discard(c))
		}
		db.readers.put(c)
		return nil
	})
}

// Info implements driver.DB.
func (db *DB) Info() driver.Info {
	return driver.Info{Name: "sqlite", Look: 10 * time.Millisecond, Writers: 1, Group: 256}
}

// Close implements driver.DB. The last process that closes the file moves what
// its log still holds into it.
func (db *DB) Close() error {
	if !db.calls.Close() {
		return driver.ErrClosed
	}
	err := db.readers.close()
	if db.writer != nil {
		err = errors.Join(err, db.writer.close())
	}
	if err != nil {
		return fmt.Errorf("close SQLite database %q: %w", db.path, explain(err))
	}
	return nil
}

// begin lets a call in. Unless it returns an error, the call ends with
// db.calls.Leave.
func (db *DB) begin(ctx context.Context) error {
	if !db.calls.Enter() {
		return driver.ErrClosed
	}
	err := ended(ctx)
	if err != nil {
		db.calls.Leave()
	}
	return err
}
