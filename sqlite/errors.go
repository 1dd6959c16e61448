package sqlite

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/holdfast-games/holdfast/driver"
)

// primary returns SQLite's primary result code for err, or zero.
func primary(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// isBusy reports whether err says that someone else holds a lock.
func isBusy(err error) bool {
	switch primary(err) {
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return true
	}
	return false
}

// kind returns the contract's error for what SQLite reported, or nil if it has
// none.
func kind(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code() == lib.SQLITE_IOERR_SHMSIZE {
		return driver.ErrFull // no room for the index of the log
	}
	switch primary(err) {
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_IOERR, lib.SQLITE_INTERRUPT,
		lib.SQLITE_NOMEM, lib.SQLITE_PROTOCOL, lib.SQLITE_CANTOPEN:
		return driver.ErrUnavailable
	case lib.SQLITE_FULL:
		return driver.ErrFull
	case lib.SQLITE_READONLY, lib.SQLITE_PERM:
		return driver.ErrReadOnly
	case lib.SQLITE_CORRUPT:
		return driver.ErrCorrupt
	case lib.SQLITE_NOTADB:
		return driver.ErrForeign
	case lib.SQLITE_TOOBIG:
		return driver.ErrInvalid
	}
	return nil
}

// explain returns err so that it matches the contract's error for it too. An
// error that is explained already, or that is not SQLite's, is returned as it
// is.
func explain(err error) error {
	k := kind(err)
	if k == nil || errors.Is(err, k) {
		return err
	}
	return fmt.Errorf("%w: %w", k, err)
}

// ended returns nil while ctx stands, and otherwise an error that matches its
// cause and ErrUnavailable.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", driver.ErrUnavailable, context.Cause(ctx))
}
