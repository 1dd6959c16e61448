package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"modernc.org/sqlite"

	"github.com/holdfast-games/holdfast/driver"
)

// backupStep is how many pages are copied between two looks at the context.
const backupStep = 256

// Backup implements driver.Backuper. The copy is the database as it was when
// the call began, a file that Open opens. Commits and reads go on meanwhile,
// but the log cannot be emptied and grows by what they write. The copy is made
// under another name in path's folder and gets its own when it is whole and on
// disk. If path exists, the error matches driver.ErrInvalid and fs.ErrExist.
func (db *DB) Backup(ctx context.Context, path string, progress func(done, total int64)) error {
	if err := db.begin(ctx); err != nil {
		return err
	}
	defer db.calls.Leave()
	if progress == nil {
		progress = func(done, total int64) {}
	}
	if err := db.backup(ctx, path, progress); err != nil {
		return wrap(err, "back up to %q", path)
	}
	return nil
}

func (db *DB) backup(ctx context.Context, path string, progress func(done, total int64)) error {
	if err := absent(path); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.partial")
	if err != nil {
		return err
	}
	partial := f.Name()
	defer os.Remove(partial) // under its final name it stays
	if err := f.Close(); err != nil {
		return err
	}
	if err := db.copyTo(ctx, partial, progress); err != nil {
		return err
	}
	if err := os.Link(partial, path); errors.Is(err, fs.ErrExist) {
		return absent(path)
	} else if err != nil {
		// Not every file system has links.
		if err := os.Rename(partial, path); err != nil {
			return err
		}
	}
	return syncFolder(filepath.Dir(path))
}

// absent returns an error if there is anything at path.
func absent(path string) error {
	_, err := os.Lstat(path)
	if err == nil {
		return fmt.Errorf("%w: %q: %w", driver.ErrInvalid, path, fs.ErrExist)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// copyTo copies the database into an empty file. A connection that stays in
// one transaction copies from one snapshot; without it every commit would make
// the copy begin again.
func (db *DB) copyTo(ctx context.Context, path string, progress func(done, total int64)) (err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return err
	}
	c, err := db.readers.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	err = poll(ctx, func() error { return c.run("BEGIN", "SELECT count(*) FROM boots") })
	if err != nil {
		return err
	}
	size, err := c.number("PRAGMA page_size")
	if err != nil {
		return err
	}
	to := url.URL{Scheme: "file", Path: path, OmitHost: true}
	b, err := c.raw.(interface {
		NewBackup(string) (*sqlite.Backup, error)
	}).NewBackup(to.String())
	if err != nil {
		return err
	}
	err = step(ctx, b, size, progress)
	return errors.Join(err, b.Finish())
}

// step copies all pages.
func step(ctx context.Context, b *sqlite.Backup, size int64, progress func(done, total int64)) error {
	for more := true; more; {
		if err := ended(ctx); err != nil {
			return err
		}
		var err error
		if more, err = b.Step(backupStep); err != nil {
			return err
		}
		total := int64(b.PageCount())
		progress((total-int64(b.Remaining()))*size, total*size)
	}
	return nil
}

// syncFolder makes sure that a new name in a folder is on disk.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil // a folder cannot be synced there
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
