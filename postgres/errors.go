package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/holdfast-games/holdfast/driver"
)

// Errors of Open, beside the driver's.
var (
	// ErrLogin means that the server does not let the user in, or not into this
	// database: a wrong name or password, or no right to connect.
	ErrLogin = errors.New("the server refuses the login")
	// ErrNoDatabase means that the server has no database of that name, or that
	// the database has no Holdfast schema and none was to be made.
	ErrNoDatabase = errors.New("no such database")
	// ErrVersion means that the server is older than PostgreSQL 15.
	ErrVersion = errors.New("the server is too old")
	// ErrSchema means that the tables are missing or older than this program
	// needs, and that they were not to be changed: run holdfast migrate.
	ErrSchema = errors.New("the tables are not up to date")
)

// kinds says what the server's error codes mean. The longest prefix that fits
// counts; what fits none is ErrUnavailable, which may pass.
var kinds = map[string]error{
	"22":    driver.ErrInvalid, // data that the server does not take
	"23":    driver.ErrInvalid, // a constraint; conflicts of keys never come this far
	"54":    driver.ErrInvalid, // a limit of the server's
	"25006": driver.ErrReadOnly,
	"42":    driver.ErrForeign, // the tables are not as this program knows them
	"42501": driver.ErrReadOnly,
	"3F000": driver.ErrForeign,
	"53100": driver.ErrFull,
	"XX001": driver.ErrCorrupt,
	"XX002": driver.ErrCorrupt,
}

// Codes of errors that a commit deals with itself.
const (
	codeRefused       = "22012" // a guard divided by zero
	codeSerialization = "40001"
	codeDeadlock      = "40P01"
	codeReadOnly      = "25006"
	codeLock          = "55P03" // a lock was not to be had in time
)

// code returns the server's error code, or "" if err is none of the server's.
func code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// kind returns the contract's error for err.
func kind(err error) error {
	c := code(err)
	for n := len(c); n >= 2; n-- {
		if k, ok := kinds[c[:n]]; ok {
			return k
		}
	}
	return driver.ErrUnavailable
}

// contract are the errors that need no explanation.
var contract = []error{
	driver.ErrUnavailable, driver.ErrInvalid, driver.ErrReadOnly, driver.ErrCorrupt,
	driver.ErrFormat, driver.ErrForeign, driver.ErrNotFound, driver.ErrClosed,
}

// explain returns err so that it matches the contract's error for it, and the
// cause of the context's end if that is why.
func explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if e := ended(ctx); e != nil {
		return e
	}
	for _, k := range contract {
		if errors.Is(err, k) {
			return err
		}
	}
	if code(err) == "53300" {
		return fmt.Errorf("%w: the server has no connection left (its max_connections, or fewer with connections= here): %w",
			driver.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", kind(err), err)
}

// explainOpen is explain for an error of Open, which nobody repeats by itself.
func explainOpen(ctx context.Context, err error) error {
	switch c := code(err); {
	case strings.HasPrefix(c, "28"), c == "42501" && isConnecting(err):
		return fmt.Errorf("%w: %w", ErrLogin, err)
	case strings.HasPrefix(c, "42") && isConnecting(err):
		return fmt.Errorf("%w: the server does not know a parameter of the URL: %w", driver.ErrInvalid, err)
	case c == "3D000":
		return fmt.Errorf("%w: %w", ErrNoDatabase, err)
	}
	return explain(ctx, err)
}

// isConnecting reports whether err was met while a connection was made.
func isConnecting(err error) bool {
	_, ok := errors.AsType[*pgconn.ConnectError](err)
	return ok
}

// ended returns nil while ctx stands, and otherwise an error that matches its
// cause and ErrUnavailable.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", driver.ErrUnavailable, context.Cause(ctx))
}
