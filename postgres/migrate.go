package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/holdfast-games/holdfast/driver"
)

// Migration is one change of the tables.
type Migration struct {
	Version int64
	Name    string    // what it makes: "tables"
	Applied time.Time // zero: not yet
}

// The migrations, in their order. Those after the first tune PostgreSQL and
// help its users; on other servers they do nothing.
const (
	versionTables = 1
	versionTuning = 2
	versionView   = 3

	newest = versionView
)

var migrationNames = map[int64]string{versionTables: "tables", versionTuning: "tuning", versionView: "view players"}

// Where the migrations that were applied are recorded, and the lock that keeps
// programs that start at one time from applying them twice.
const (
	migrationsTable = "holdfast_migrations"
	lockTable       = "holdfast_lock"
)

// Migrate brings the tables of the database up to date, whatever Options'
// NoMigrate says, and returns all migrations. It may run beside programs that
// use the database, and beside others that migrate it. Its errors are those of
// Open.
func Migrate(ctx context.Context, url string, o *Options) ([]Migration, error) {
	return migrations(ctx, url, o, func(s *settings) { s.noMigrate = false })
}

// Migrations returns all migrations that this program knows, and when they were
// applied to the database, and changes nothing. A database without the schema is
// one that none was applied to. Its errors are those of Open.
func Migrations(ctx context.Context, url string, o *Options) ([]Migration, error) {
	return migrations(ctx, url, o, func(s *settings) { s.readOnly, s.list = true, true })
}

func migrations(ctx context.Context, url string, o *Options, change func(*settings)) ([]Migration, error) {
	s, err := parse(url, o)
	if err != nil {
		return nil, fmt.Errorf("migrate PostgreSQL database: %w", err)
	}
	change(s)
	if _, err = s.examine(ctx); err != nil {
		return nil, fmt.Errorf("migrate PostgreSQL database %s: %w", s.place(), explainOpen(ctx, err))
	}
	return s.migrations, nil
}

// verify looks at the schema and migrates it if that is needed and allowed. A
// settings that lists takes whatever it finds.
func (s *settings) verify(ctx context.Context, c *pgx.Conn, srv server) error {
	version, there, err := s.version(ctx, c)
	switch {
	case err != nil:
		return err
	case version > newest:
		return fmt.Errorf("%w: its tables have version %d, this program knows up to %d", driver.ErrFormat, version, newest)
	case version < newest && !s.list:
		if err := s.update(ctx, c, srv, version, there); err != nil {
			return err
		}
	}
	s.migrations, err = applied(ctx, c, version > 0 || !s.list)
	return err
}

// version returns the version of the schema's tables, zero if it has none, and
// whether there is such a schema.
func (s *settings) version(ctx context.Context, c *pgx.Conn) (version int64, there bool, err error) {
	var strangers int64
	var recorded, entries bool
	err = c.QueryRow(ctx, sqlSchemaExists, pgx.QueryExecModeExec, s.schema).Scan(&there, &strangers, &recorded, &entries)
	switch {
	case err != nil:
		return 0, false, fmt.Errorf("look at schema %q: %w", s.schema, err)
	case !recorded && (strangers > 0 || entries):
		return 0, false, fmt.Errorf("%w: schema %q has tables of someone else's; name another by schema=", driver.ErrForeign, s.schema)
	case !recorded:
		return 0, there, nil
	}
	if err := c.QueryRow(ctx, sqlSchemaVersion, pgx.QueryExecModeExec).Scan(&version); err != nil {
		return 0, false, fmt.Errorf("read the version of schema %q: %w", s.schema, err)
	}
	return version, there, nil
}

// update migrates a schema that is behind, if that is allowed.
func (s *settings) update(ctx context.Context, c *pgx.Conn, srv server, version int64, there bool) error {
	switch {
	case (s.readOnly || s.mustExist) && version == 0:
		return fmt.Errorf("%w: schema %q has no tables of Holdfast's", ErrNoDatabase, s.schema)
	case s.readOnly || s.noMigrate:
		return fmt.Errorf("%w: version %d, need %d: run holdfast migrate", ErrSchema, version, newest)
	}
	if !there {
		if err := s.createSchema(ctx, c); err != nil {
			return err
		}
	}
	if err := s.migrate(ctx, srv); err != nil {
		return fmt.Errorf("migrate schema %q: %w", s.schema, err)
	}
	return nil
}

// createSchema makes the schema. Of several programs that do so at one time the
// server may refuse one although it was asked not to mind.
func (s *settings) createSchema(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{s.schema}.Sanitize())
	if err == nil || code(err) == "23505" || code(err) == "42P06" {
		return nil
	}
	return fmt.Errorf("create schema %q: %w", s.schema, err)
}

// migrate applies the migrations that are missing.
func (s *settings) migrate(ctx context.Context, srv server) error {
	before := stdlib.OptionBeforeConnect(func(_ context.Context, c *pgx.ConnConfig) error {
		give(context.Background(), c)
		return nil
	})
	after := stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error { return s.settle(ctx, c, srv, migrating) })
	db := stdlib.OpenDB(*s.pool.ConnConfig, before, after)
	tables, err := fs.Sub(files, "sql/migrations")
	if err != nil {
		return errors.Join(err, db.Close())
	}
	provider, err := newProvider(db, tables, srv)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	_, err = provider.Up(ctx)
	return errors.Join(err, provider.Close())
}

func newProvider(db *sql.DB, tables fs.FS, srv server) (*goose.Provider, error) {
	locker, err := lock.NewPostgresTableLocker(
		lock.WithTableName(lockTable),
		lock.WithTableLockTimeout(100*time.Millisecond, 600),
		lock.WithTableLogger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, tables,
		goose.WithTableName(migrationsTable),
		goose.WithLocker(locker),
		goose.WithDisableGlobalRegistry(true),
		goose.WithGoMigrations(
			onlyPostgres(versionTuning, srv, "tuning", ";\n"),
			onlyPostgres(versionView, srv, "view", "\n-- next statement\n"),
		),
	)
}

// onlyPostgres returns a migration that runs the statements of a file on
// PostgreSQL alone. What a server that is built on PostgreSQL does not take of
// them it can do without.
func onlyPostgres(version int64, srv server, file, between string) *goose.Migration {
	return goose.NewGoMigration(version, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		if !srv.postgres {
			return nil
		}
		text, err := files.ReadFile("sql/only_postgres/" + file + ".sql")
		if err != nil {
			return err
		}
		for statement := range strings.SplitSeq(string(text), between) {
			if err := attempt(ctx, tx, statement); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
		return nil
	}}, nil)
}

// attempt runs a statement whose failure is no error as long as the connection
// stands.
func attempt(ctx context.Context, tx *sql.Tx, statement string) error {
	if _, err := tx.ExecContext(ctx, "SAVEPOINT attempt"); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, statement)
	if err != nil && code(err) == "" {
		return err
	}
	if err != nil {
		_, err = tx.ExecContext(ctx, "ROLLBACK TO SAVEPOINT attempt")
		return err
	}
	_, err = tx.ExecContext(ctx, "RELEASE SAVEPOINT attempt")
	return err
}

// applied returns all migrations, with when they were applied if that is
// recorded.
func applied(ctx context.Context, c *pgx.Conn, recorded bool) ([]Migration, error) {
	list := make([]Migration, newest)
	for i := range list {
		v := int64(i + 1)
		list[i] = Migration{Version: v, Name: migrationNames[v]}
	}
	if !recorded {
		return list, nil
	}
	rows, err := c.Query(ctx, sqlMigrations, pgx.QueryExecModeExec)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var v int64
		var at time.Time
		if err := rows.Scan(&v, &at); err != nil {
			return nil, err
		}
		if 1 <= v && v <= newest {
			list[v-1].Applied = at.UTC()
		}
	}
	return list, rows.Err()
}
