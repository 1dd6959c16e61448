package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/calls"
)

// DB is a database on a PostgreSQL server, or on one that speaks its protocol.
// It implements driver.DB; its methods are safe for concurrent use, also beside
// other processes that use the same schema.
type DB struct {
	begin   string // the statement that begins a commit's transaction
	writes  *pgxpool.Pool
	urgent  *pgxpool.Pool
	reads   *pgxpool.Pool
	writers int
	readers int  // calls of Read at one time
	only    bool // for reading alone
	calls   calls.Counter
	marks   marks
	sweeper *sweeper // nil if the server is not PostgreSQL
	hangUp  context.CancelFunc
}

var _ driver.DB = (*DB)(nil)

// Isolation is how far the server keeps transactions apart. Every promise is
// kept at either.
type Isolation string

// The levels of isolation.
const (
	// ReadCommitted is the faster one: commits lock the rows that they name, and
	// nothing else.
	ReadCommitted Isolation = "read-committed"
	// Serializable is for servers whose policy asks for it. Commits that the
	// server refuses to put in order are tried again.
	Serializable Isolation = "serializable"
)

// begin returns the statement that begins a transaction, "" if there is no such
// level.
func (i Isolation) begin() string {
	switch i {
	case ReadCommitted:
		return "BEGIN ISOLATION LEVEL READ COMMITTED"
	case Serializable:
		return "BEGIN ISOLATION LEVEL SERIALIZABLE"
	}
	return ""
}

// Options are the settings of Open. A nil *Options has the defaults.
type Options struct {
	// Connections is how many connections to the server there are at most, 3 to
	// 1000. One of them, or two if there are six or more, are kept for urgent
	// groups; the rest are for commits and for reads in equal parts. Zero means
	// what the URL's parameter connections says, or 10.
	Connections int
	// Schema is the schema that the tables are in, which is made if it is
	// missing. Empty means what the URL's parameter schema says, or "holdfast".
	Schema string
	// Isolation is the level of commits' transactions. Empty means what the
	// URL's parameter isolation says, or ReadCommitted.
	Isolation Isolation
	// ReadOnly opens what exists for reading alone, on a replica too: whatever
	// writes is ErrReadOnly, and nothing is migrated.
	ReadOnly bool
	// MustExist makes Open ErrNoDatabase if the schema has no tables of
	// Holdfast's, instead of making them.
	MustExist bool
	// NoMigrate leaves the tables as they are: if they are missing or older
	// than this program needs, Open is ErrSchema.
	NoMigrate bool
}

func (o *Options) connections() int {
	if o == nil {
		return 0
	}
	return o.Connections
}

func (o *Options) schema() string {
	if o == nil {
		return ""
	}
	return o.Schema
}

func (o *Options) isolation() Isolation {
	if o == nil {
		return ""
	}
	return o.Isolation
}

func (o *Options) readOnly() bool  { return o != nil && o.ReadOnly }
func (o *Options) mustExist() bool { return o != nil && o.MustExist }
func (o *Options) noMigrate() bool { return o != nil && o.NoMigrate }

// Open connects to the database that a postgres:// URL names. Beside those that
// PostgreSQL's own programs know, the URL may have the parameters schema,
// connections and isolation, which Options override.
//
// Unless Options forbid it, Open makes the schema if it is missing and brings
// its tables up to date; several programs may do so at once. It blocks until
// that is done and a connection of each kind stands, for commits, for urgent ones
// and for reads, or ctx ends.
//
// A URL that is wrong is ErrInvalid; a login that is refused ErrLogin; a missing
// database ErrNoDatabase; a server before PostgreSQL 15 ErrVersion; one that
// cannot be written to ErrReadOnly; a schema with tables of someone else's
// ErrForeign, of a newer Holdfast ErrFormat, of an older one with NoMigrate
// ErrSchema; no answer, or no connection left, ErrUnavailable. No error quotes
// the password.
func Open(ctx context.Context, url string, o *Options) (*DB, error) {
	s, err := parse(url, o)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL database: %w", err)
	}
	db, err := s.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL database %s: %w", s.place(), explainOpen(ctx, err))
	}
	return db, nil
}

// place names the database, for errors.
func (s *settings) place() string {
	c := s.pool.ConnConfig
	return fmt.Sprintf("%q on %s port %d, schema %q", c.Database, c.Host, c.Port, s.schema)
}

// open looks at the server and its tables, and makes the pools.
func (s *settings) open(ctx context.Context) (*DB, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	server, err := s.examine(ctx)
	if err != nil {
		return nil, err
	}
	return s.connect(ctx, server)
}

// connect makes the pools, and a connection of each, so that a server that has
// too few says so now.
func (s *settings) connect(ctx context.Context, srv server) (*DB, error) {
	urgent := 1
	if s.connections >= 6 {
		urgent = 2
	}
	writers := (s.connections - urgent) / 2
	readers := s.connections - urgent - writers
	db := &DB{begin: s.isolation.begin(), writers: writers, readers: min(readers, crowd), only: s.readOnly}
	var life context.Context
	life, db.hangUp = context.WithCancel(context.Background())
	var err error
	db.urgent, err = s.newPool(life, srv, impatient, urgent, 1)
	if err == nil {
		db.writes, err = s.newPool(life, srv, patient, writers, 0)
	}
	if err == nil {
		db.reads, err = s.newPool(life, srv, patient, readers, 0)
	}
	for _, p := range []*pgxpool.Pool{db.urgent, db.reads, db.writes} {
		if err == nil {
			err = p.Ping(ctx)
		}
	}
	if err != nil {
		db.closePools()
		return nil, err
	}
	if srv.postgres {
		db.sweeper = newSweeper(db.reads)
	}
	return db, nil
}

// closeTimeout is how long connections may take to part from the server when the
// database is closed. Then they are cut.
const closeTimeout = 2 * time.Second

func (db *DB) closePools() {
	late := time.AfterFunc(closeTimeout, db.hangUp)
	defer late.Stop()
	var wg sync.WaitGroup
	for _, p := range []*pgxpool.Pool{db.writes, db.urgent, db.reads} {
		if p != nil {
			wg.Go(p.Close)
		}
	}
	wg.Wait()
	db.hangUp()
}

// crowd is from how many calls at one time on reads travel together. Two calls
// for many keys each are as fast as four, five times as fast as a call for each
// key, and leave connections to listings and to the sweeper.
const crowd = 2

// Info implements driver.DB.
func (db *DB) Info() driver.Info {
	return driver.Info{Name: "postgres", Writers: db.writers, Readers: db.readers, Group: 256}
}

// Close implements driver.DB. Calls under way end when their contexts do, if not
// before. After that it takes two seconds at most, also if the server has fallen
// silent.
func (db *DB) Close() error {
	if !db.calls.Close() {
		return driver.ErrClosed
	}
	db.sweeper.close()
	db.closePools()
	return nil
}

// enter lets a call in. Unless it returns an error, the call ends with
// db.calls.Leave.
func (db *DB) enter(ctx context.Context) error {
	if !db.calls.Enter() {
		return driver.ErrClosed
	}
	err := ended(ctx)
	if err != nil {
		db.calls.Leave()
	}
	return err
}

// use calls f with a connection of a pool. The error that it returns matches
// the contract's, and is wrapped with what was being done.
func (db *DB) use(ctx context.Context, pool *pgxpool.Pool, what string, f func(c *pgxpool.Conn) error) error {
	err := db.enter(ctx)
	if err == nil {
		defer db.calls.Leave()
		var c *pgxpool.Conn
		if c, err = pool.Acquire(ctx); err == nil {
			err = f(c)
			db.used(ctx, pool, c, err)
			c.Release()
		}
		err = explain(ctx, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// used looks at a connection after its call, which returned err. A call that ran
// out of time says nothing of the other connections, except to those that are in
// a hurry: they try new ones at once, and not first whether the others are silent.
func (db *DB) used(ctx context.Context, pool *pgxpool.Pool, c *pgxpool.Conn, err error) {
	if stale(c, err) && (ctx.Err() == nil || pool == db.urgent) {
		pool.Reset()
	}
	if pool != db.reads {
		db.sweeper.failed(c.Conn(), err)
	}
}

// stale reports whether the other connections of a pool are probably of no use
// any more: the server cut this one, or it is no longer the primary and the new
// one is elsewhere.
func stale(c *pgxpool.Conn, err error) bool {
	return code(err) == codeReadOnly || err != nil && c.Conn().IsClosed()
}

var errReadOnly = fmt.Errorf("%w: it was opened for reading alone", driver.ErrReadOnly)

// writable returns an error if the database was opened for reading alone, or is
// closed, or ctx has ended.
func (db *DB) writable(ctx context.Context) error {
	err := db.enter(ctx)
	if err != nil {
		return err
	}
	defer db.calls.Leave()
	if db.only {
		return errReadOnly
	}
	return nil
}

// errCut means that a transaction did not reach its end.
var errCut = errors.New("the transaction was not committed")
