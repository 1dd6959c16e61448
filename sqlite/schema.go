package sqlite

import (
	sqldriver "database/sql/driver"
	"fmt"

	"github.com/holdfast-games/holdfast/driver"
)

// What the file's header says of it.
const (
	applicationID = 0x484f4c44 // "HOLD"
	fileFormat    = 1          // user_version
)

// pageSize is a compromise. Random conditional saves of 2 KB documents, 256 to
// a transaction, are fastest with pages of 4 and 8 KB (with 16 KB a third
// fewer: every save writes its whole page to the log), those of 20 KB ones with
// 8 KB and more.
const pageSize = 8192

// The tables. They have a rowid: clustered by their keys, with values of this
// size, saves were half as fast and creations a third.
var schema = []string{
	`CREATE TABLE entries (
  key      TEXT    NOT NULL PRIMARY KEY,
  version  BLOB    NOT NULL CHECK (length(version) = 16), -- id of the present version
  recent   BLOB    NOT NULL, -- ids of up to 15 versions before it, newest first
  format   INTEGER NOT NULL, -- of how the value is checked
  sum      INTEGER NOT NULL, -- CRC-32C over key, version and value
  created  INTEGER NOT NULL, -- wall time, microseconds since 1970 UTC, as all times here
  updated  INTEGER NOT NULL, -- wall time of the present version
  boot     INTEGER NOT NULL REFERENCES boots (id),
  tick     INTEGER NOT NULL, -- nanoseconds of the clock of that boot
  marked   INTEGER NOT NULL, -- 1: kept by the schedule of versions whatever its age
  retained INTEGER NOT NULL DEFAULT 0, -- how many rows of history the key has
  oldest   INTEGER, -- the least "replaced" of those that are not kept
  value    BLOB    NOT NULL -- the value's bytes; CAST(value AS TEXT) shows JSON
) STRICT`,
	`CREATE TABLE history (
  n        INTEGER PRIMARY KEY, -- grows in the order in which versions were replaced
  key      TEXT    NOT NULL,
  version  BLOB    NOT NULL CHECK (length(version) = 16),
  format   INTEGER NOT NULL,
  sum      INTEGER NOT NULL,
  updated  INTEGER NOT NULL, -- when the version was written
  boot     INTEGER NOT NULL REFERENCES boots (id),
  tick     INTEGER NOT NULL,
  marked   INTEGER NOT NULL,
  kept     INTEGER NOT NULL, -- 1: it, or the one that replaced it, was marked
  replaced INTEGER NOT NULL, -- when another took its place
  value    BLOB    NOT NULL,
  UNIQUE (key, version)
) STRICT`,
	`CREATE INDEX history_by_age ON history (key, kept, replaced)`,
	`CREATE TABLE boots (
  id    INTEGER PRIMARY KEY,
  name  TEXT    NOT NULL UNIQUE, -- the kernel's boot id; empty if unknown
  first INTEGER NOT NULL -- when it was first seen
) STRICT`,
}

// identify returns whether the file is empty, and an error if it is not
// Holdfast's or has a format that this program does not know. It writes
// nothing.
func identify(c *conn) (empty bool, err error) {
	var application, format, objects int64
	err = c.query(func(columns []sqldriver.Value) error {
		application, format, objects = integer(columns[0]), integer(columns[1]), integer(columns[2])
		return nil
	}, `SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id, pragma_user_version`)
	switch {
	case err != nil:
		return false, err
	case application == 0 && format == 0 && objects == 0:
		return true, nil
	case application != applicationID:
		return false, fmt.Errorf("%w: a SQLite file with application_id %#x, not %#x",
			driver.ErrForeign, application, applicationID)
	case format > fileFormat:
		return false, fmt.Errorf("%w: file format %d, this program knows up to %d", driver.ErrFormat, format, fileFormat)
	case format != fileFormat:
		return false, fmt.Errorf("%w: file format %d", driver.ErrForeign, format)
	}
	return false, nil
}

// create makes the tables in an empty file, or finds that another process has
// made them. It is done before WAL is set, in one transaction with the header:
// so a file is either empty or whole, and known as ours without its log.
func create(c *conn) error {
	err := c.run(fmt.Sprintf("PRAGMA page_size = %d", pageSize), "BEGIN EXCLUSIVE")
	if err != nil {
		return err
	}
	empty, err := identify(c)
	if err == nil && empty {
		err = c.run(schema...)
		if err == nil {
			err = c.run(fmt.Sprintf("PRAGMA application_id = %d", applicationID),
				fmt.Sprintf("PRAGMA user_version = %d", fileFormat))
		}
	}
	if err == nil {
		err = c.run("COMMIT")
	}
	if err != nil {
		// What failed is what matters; closing the connection rolls back too.
		_ = c.run("ROLLBACK")
	}
	return err
}
