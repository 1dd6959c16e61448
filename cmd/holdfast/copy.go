package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
)

// copyCmd copies a database into another one, of any engine.
type copyCmd struct {
	From        string `arg:"" help:"The database to copy, as --db takes it. Nobody may use it meanwhile."`
	To          string `arg:"" help:"The database to copy into. It is made if it is missing, and otherwise must be empty or an unfinished copy of FROM."`
	KeepDamaged bool   `help:"Copy what does not verify as it is, so that it is still found damaged. Without it nothing damaged is copied, and the copy is not finished."`
	jsonFlag
	timeoutFlag
}

// Help is shown below the command's summary.
func (*copyCmd) Help() string {
	return "Everything is moved as it is: values, version ids, older versions with their times and marks, locks, leases and journals. " +
		"What a dead server left in its journal is settled on the copy as it would have been here. " +
		"Stop all servers first. A copy that was interrupted goes on when it is run again; until it has come to its end and " +
		"both sides were read once more and found the same, no server starts on the copy. The source is only read."
}

// Run runs the command.
func (c *copyCmd) Run(ctx context.Context, e *env) error {
	cp, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	defer cp.close()
	result, err := cp.run()
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("interrupted: %w; run the command again, and it goes on where it stopped", context.Cause(ctx))
	case err != nil:
		return cp.why(err)
	}
	return c.report(e, result)
}

// open opens both databases, the target only if the source can be copied.
func (c *copyCmd) open(ctx context.Context, e *env) (cp *copying, err error) {
	names := [2]string{}
	for i, text := range []string{c.From, c.To} {
		if names[i], err = databaseName(text); err != nil {
			return nil, err
		}
	}
	if names[0] == names[1] {
		return nil, usageError{fmt.Errorf("both databases are %s", names[0])}
	}
	from, err := e.openSide(ctx, c.From, names[0], reading, c.timeoutFlag)
	if err != nil {
		return nil, err
	}
	cp = newCopying(e, from, c.KeepDamaged)
	if err := cp.admit(); err != nil {
		return nil, errors.Join(cp.why(err), cp.close())
	}
	to, err := e.openSide(ctx, c.To, names[1], creating, c.timeoutFlag)
	if err != nil {
		return nil, errors.Join(err, cp.close())
	}
	cp.into(to)
	return cp, nil
}

// databaseName returns a database's URL without secrets, in a form that is the
// same from wherever the command is run.
func databaseName(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		scheme, _, _ := strings.Cut(text, ":")
		return "", usageError{badURL(scheme, err)}
	}
	if u.Scheme == "sqlite" {
		path := u.Path
		if u.Opaque != "" {
			if path, err = url.PathUnescape(u.Opaque); err != nil {
				return "", usageError{fmt.Errorf("database %q: %w", text, err)}
			}
		}
		if path, err = filepath.Abs(path); err != nil {
			return "", fmt.Errorf("find the database: %w", err)
		}
		return "sqlite:" + path, nil
	}
	query := url.Values{}
	for _, name := range []string{"host", "port", "dbname", "schema"} {
		if v := u.Query().Get(name); v != "" {
			query.Set(name, v)
		}
	}
	bare := url.URL{Scheme: u.Scheme, Opaque: u.Opaque, Host: u.Host, Path: u.Path, RawQuery: query.Encode()}
	if bare.Scheme == "postgresql" {
		bare.Scheme = "postgres"
	}
	return bare.String(), nil
}

// copyJSON is the report with --json.
type copyJSON struct {
	From    summaryJSON `json:"from"`
	To      summaryJSON `json:"to"`
	Moved   int         `json:"moved"`   // entries that this run wrote
	Deleted int         `json:"deleted"` // entries that the source no longer has
	Damaged int         `json:"damaged"` // versions that do not verify, on both sides alike
}

type summaryJSON struct {
	Database string `json:"database"`
	Entries  int64  `json:"entries"`
	Versions int64  `json:"versions"` // the present ones included
	Bytes    int64  `json:"bytes"`
	Checksum string `json:"checksum"` // SHA-256 over keys, values, ids, times and marks of all versions
}

func (c *copyCmd) report(e *env, r *copied) error {
	from, to := r.from.describe(r.names[0]), r.to.describe(r.names[1])
	if c.JSON {
		return writeJSON(e.out, copyJSON{from, to, r.moved, r.deleted, r.from.damaged})
	}
	var rows [][]string
	for _, s := range []summaryJSON{from, to} {
		rows = append(rows, []string{
			s.Database, strconv.FormatInt(s.Entries, 10), strconv.FormatInt(s.Versions, 10), console.Size(s.Bytes), s.Checksum,
		})
	}
	if err := console.Table(e.out, []string{"DATABASE", "ENTRIES", "VERSIONS", "SIZE", "CHECKSUM"}, rows); err != nil {
		return err
	}
	text := fmt.Sprintf("Both are the same. This run moved %d entries and deleted %d that the source no longer has.", r.moved, r.deleted)
	if r.from.damaged > 0 {
		text += fmt.Sprintf(" %d versions do not verify, on both sides alike.", r.from.damaged)
	}
	_, err := fmt.Fprintln(e.err, text)
	return err
}

func (s *summary) describe(name string) summaryJSON {
	return summaryJSON{name, s.entries, s.versions, s.bytes, fmt.Sprintf("%x", s.checksum)}
}

// The errors of a copy, beside those of the databases.
var (
	errOccupied = errors.New("it holds data, and is no unfinished copy of the source")
	errChanged  = errors.New("the source was changed while it was copied; run the command again: it moves only what was changed")
	errTaken    = errors.New("another copy into it was begun; this one has stopped")
	errDiffers  = errors.New("the copy is not the same as its source")
)

// inUseError names the servers that use a database.
type inUseError struct {
	database string
	servers  []string
}

func (e *inUseError) Error() string {
	return fmt.Sprintf("%s is in use by %s: stop them, or wait until the leases of those that were killed have run out",
		e.database, strings.Join(e.servers, ", "))
}

// Is reports that the error is a session.ErrLocked, for its exit code.
func (*inUseError) Is(target error) bool { return target == session.ErrLocked }

// damageError says that versions in the source do not verify. It matches
// driver.ErrCorrupt.
type damageError struct{ versions int }

func (e damageError) Error() string {
	return fmt.Sprintf("%d versions in the source do not verify and were not copied; the copy is unfinished. "+
		"Put them right in the source and run the command again, or move them as they are with --keep-damaged", e.versions)
}

// Is reports that the error is a driver.ErrCorrupt.
func (damageError) Is(target error) bool { return target == driver.ErrCorrupt }
