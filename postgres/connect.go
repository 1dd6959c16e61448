package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/holdfast-games/holdfast/driver"
)

// Time-outs of a connection. The server ends what takes longer, so that nothing
// that this package begins stays behind on it for long.
const (
	statementTimeout = 30 * time.Second
	idleTimeout      = 10 * time.Second // within a transaction
	pingTimeout      = time.Second
)

// patience is how long is waited on behalf of a connection.
type patience struct {
	connect     time.Duration // for a host to let it in, if the URL does not say; and again for its settings
	lock        time.Duration // for a lock
	transaction time.Duration // for the end of a transaction; zero: without limit
}

// An urgent group carries a lease. It must hear that a lock is in its way while
// there is time to do something about it and to come again, and where a host of
// several has fallen silent, must get to the next within one try of store's. All
// others must hear of a lock within the length of a lease.
var (
	patient   = patience{connect: 5 * time.Second, lock: 4 * time.Second, transaction: 2 * time.Minute}
	impatient = patience{connect: 2 * time.Second, lock: 2 * time.Second, transaction: 10 * time.Second}
	migrating = patience{connect: 5 * time.Second, lock: 4 * time.Second} // its transactions end when they end
)

// oldest is the oldest PostgreSQL that this package is tested with.
const oldest = 150000

// server is what a server says of itself.
type server struct {
	postgres bool // PostgreSQL, not another that speaks its protocol
	version  string
}

// examine looks at the server and brings the tables up to date.
func (s *settings) examine(ctx context.Context) (server, error) {
	s.prepare()
	config := s.pool.ConnConfig.Copy()
	give(context.Background(), config)
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return server{}, err
	}
	srv, err := s.look(ctx, c)
	if err = errors.Join(err, c.Close(context.WithoutCancel(ctx))); err != nil {
		return srv, err
	}
	return srv, nil
}

// look identifies the server and migrates the schema if that is needed.
func (s *settings) look(ctx context.Context, c *pgx.Conn) (server, error) {
	srv, err := identify(ctx, c, s.readOnly)
	if err != nil {
		return srv, err
	}
	if err := s.settle(ctx, c, srv, migrating); err != nil {
		return srv, err
	}
	return srv, s.verify(ctx, c, srv)
}

// prepare completes the configuration of connections.
func (s *settings) prepare() {
	c := s.pool.ConnConfig
	s.timeout = c.ConnectTimeout != 0
	if !s.timeout {
		c.ConnectTimeout = migrating.connect
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "holdfast"
	}
	c.OnNotice = noteDoubt
	if !s.readOnly {
		c.ValidateConnect = validateWritable
	}
}

// validateWritable refuses a connection to a server that cannot be written to,
// so that of several hosts the primary is found, after a failover too.
func validateWritable(ctx context.Context, c *pgconn.PgConn) error {
	r := c.ExecParams(ctx, "SHOW transaction_read_only", nil, nil, nil, nil).Read()
	switch {
	case r.Err != nil:
		return r.Err
	case len(r.Rows) == 1 && string(r.Rows[0][0]) == "on":
		return errReplica
	}
	return nil
}

// doubt is under which a connection remembers that a commit that the server
// acknowledged may not have reached its replica.
const doubt = "holdfast.doubt"

// noteDoubt looks at the server's notices. When a commit's wait for a
// synchronous replica is cut short, by a time-out for example, the server says
// so in a warning and acknowledges the commit all the same.
func noteDoubt(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.Routine == "SyncRepWaitForLSN" {
		c.CustomData()[doubt] = n.Message
	}
}

// identify asks a server what it is.
func identify(ctx context.Context, c *pgx.Conn, readOnly bool) (server, error) {
	var version, number, locked string
	if err := c.QueryRow(ctx, sqlServer, pgx.QueryExecModeExec).Scan(&version, &number, &locked); err != nil {
		return server{}, err
	}
	return judge(version, number, locked == "on" && !readOnly)
}

// judge returns what a server is, or why it cannot be used: its version as text
// and as a number, and whether it would have to be written to and cannot.
func judge(version, number string, locked bool) (server, error) {
	srv := server{postgres: strings.HasPrefix(version, "PostgreSQL "), version: version}
	n, err := strconv.Atoi(number)
	switch {
	case err != nil:
		return srv, fmt.Errorf("%w: server_version_num is %.20q", driver.ErrForeign, number)
	case srv.postgres && n < oldest:
		return srv, fmt.Errorf("%w: %.40s, need PostgreSQL 15 or newer", ErrVersion, version)
	case locked:
		return srv, errReplica
	}
	return srv, nil
}

var errReplica = fmt.Errorf("%w: the server is a replica, or its transactions are read-only by default", driver.ErrReadOnly)

// settle gives a connection its settings.
func (s *settings) settle(ctx context.Context, c *pgx.Conn, srv server, p patience) error {
	_, err := c.Exec(ctx, sqlConnect, pgx.QueryExecModeExec, s.searchPath(), millis(statementTimeout), millis(p.lock), millis(idleTimeout))
	registerArrays(c)
	if err == nil && srv.postgres {
		err = tune(ctx, c, p)
	}
	if err != nil {
		return fmt.Errorf("set up a connection: %w", err)
	}
	return nil
}

// tune gives a connection to PostgreSQL the settings that only PostgreSQL has.
// A server that refuses some of them is as good.
func tune(ctx context.Context, c *pgx.Conn, p patience) error {
	for _, statement := range []string{sqlPlanner, sqlWatch} {
		if _, err := c.Exec(ctx, statement, pgx.QueryExecModeExec); err != nil && code(err) == "" {
			return err
		}
	}
	var pid int32
	var began *time.Time
	err := c.QueryRow(ctx, sqlKeepalive, pgx.QueryExecModeExec, millis(p.transaction)).Scan(&pid, &began, nil, nil, nil, nil, nil)
	if err != nil && code(err) == "" {
		return err
	}
	if began != nil {
		c.PgConn().CustomData()[served] = backend{pid: pid, began: *began}
	}
	return nil
}

// searchPath is where tables and functions are looked for.
func (s *settings) searchPath() string {
	own := pgx.Identifier{s.schema}.Sanitize()
	if s.clock == "" {
		return own
	}
	// Functions of that schema take the place of the server's clock.
	return pgx.Identifier{s.clock}.Sanitize() + ", pg_catalog, " + own
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// newPool makes a pool of at most so many connections, of which some are always
// kept open. They are cut when life ends.
func (s *settings) newPool(life context.Context, srv server, p patience, most, kept int) (*pgxpool.Pool, error) {
	c := s.pool.Copy()
	c.MaxConns, c.MinConns, c.MinIdleConns = int32(most), int32(kept), 0
	c.MaxConnLifetimeJitter = c.MaxConnLifetime / 4
	c.PingTimeout = pingTimeout
	if !s.timeout {
		c.ConnConfig.ConnectTimeout = p.connect
	}
	c.BeforeConnect = func(_ context.Context, config *pgx.ConnConfig) error {
		give(life, config)
		return nil
	}
	c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		// The pool makes connections in the background, whatever becomes of the
		// call that needed one, so nobody else limits this.
		ctx, cancel := context.WithTimeout(ctx, p.connect)
		defer cancel()
		return s.settle(ctx, conn, srv, p)
	}
	return pgxpool.NewWithConfig(context.Background(), c)
}
