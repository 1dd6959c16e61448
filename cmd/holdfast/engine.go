package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/postgres"
	"github.com/holdfast-games/holdfast/sqlite"
)

// access is what a command does with a database.
type access int

const (
	reading  access = iota // changes nothing
	editing                // writes to one that exists
	creating               // creates it if it is missing
)

// engine opens databases of one kind.
type engine struct {
	scheme string
	form   string // an example, for help and errors; empty for a second name
	open   func(ctx context.Context, u *url.URL, a access) (driver.DB, error)
}

// engines are those that this program knows.
var engines = []engine{
	{"sqlite", "sqlite:players.db or sqlite:///var/lib/game/players.db", openSQLite},
	{"postgres", "postgres://user:password@host/database", openPostgres},
	{"postgresql", "", openPostgres},
	{"mem", "mem: (empty, and gone with the command)", openMem},
}

// engineForms lists examples for people.
func engineForms(engines []engine) string {
	var forms []string
	for _, e := range engines {
		if e.form != "" {
			forms = append(forms, e.form)
		}
	}
	return strings.Join(forms, ", ")
}

// openEngine opens the database that a URL names.
func openEngine(ctx context.Context, engines []engine, text string, a access) (driver.DB, error) {
	if text == "" {
		return nil, usageError{fmt.Errorf("no database: give --db URL or set HOLDFAST_DB (%s)", engineForms(engines))}
	}
	scheme, _, found := strings.Cut(text, ":")
	if !found {
		return nil, usageError{fmt.Errorf("database %q is no URL: known are %s", text, engineForms(engines))}
	}
	i := slices.IndexFunc(engines, func(e engine) bool { return e.scheme == scheme })
	if i < 0 {
		// The rest of the text may hold a password.
		return nil, usageError{fmt.Errorf("unknown engine %q: known are %s", scheme, engineForms(engines))}
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, usageError{badURL(scheme, err)}
	}
	return engines[i].open(ctx, u, a)
}

// badURL returns what is wrong with a URL, which may hold a password, without
// quoting it.
func badURL(scheme string, err error) error {
	var escape url.EscapeError
	if errors.As(err, &escape) {
		return fmt.Errorf("the %s: URL has a %% that is not followed by two hexadecimal digits: write %%25 for %%", scheme)
	}
	return fmt.Errorf("the %s: URL cannot be understood: write %%40 for @, %%3A for :, %%2F for /, %%23 for # and %%3F for ? in a password", scheme)
}

// openSQLite opens a file: sqlite:path, relative or absolute, or
// sqlite:///absolute/path.
func openSQLite(ctx context.Context, u *url.URL, a access) (driver.DB, error) {
	path := u.Path
	if u.Opaque != "" {
		var err error
		if path, err = url.PathUnescape(u.Opaque); err != nil {
			return nil, usageError{fmt.Errorf("database %q: %w", u, err)}
		}
	}
	if u.Host != "" || path == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, usageError{fmt.Errorf("database %q: want sqlite:relative/path or sqlite:///absolute/path, with %%23 for # and %%3F for ?", u)}
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && a != creating {
		return nil, fmt.Errorf("%w: there is no file %q", errNoDatabase, path)
	}
	db, err := sqlite.Open(ctx, path, &sqlite.Options{ReadOnly: a == reading})
	if err != nil {
		return nil, err // it names the file
	}
	return db, nil
}

// openPostgres opens a database on a PostgreSQL server. Only what creates makes
// the tables; what edits brings them up to date.
func openPostgres(ctx context.Context, u *url.URL, a access) (driver.DB, error) {
	db, err := postgres.Open(ctx, u.String(), &postgres.Options{ReadOnly: a == reading, MustExist: a != creating})
	if err != nil {
		return nil, postgresError(err)
	}
	return db, nil
}

// postgresError returns an error of package postgres, which names the database,
// so that it has its exit code.
func postgresError(err error) error {
	switch {
	case errors.Is(err, postgres.ErrNoDatabase):
		return fmt.Errorf("%w: %w", errNoDatabase, err)
	case errors.Is(err, driver.ErrInvalid):
		return usageError{err}
	}
	return err
}

func openMem(_ context.Context, u *url.URL, _ access) (driver.DB, error) {
	if u.Opaque != "" || u.Host != "" || u.Path != "" {
		return nil, usageError{fmt.Errorf("database %q: mem: has no name", u)}
	}
	return mem.Open(), nil
}
