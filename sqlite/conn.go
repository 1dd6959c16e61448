package sqlite

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"

	"modernc.org/sqlite"
)

// engine opens connections. It is used without database/sql in between, whose
// locks and conversions cost as much as a small statement does; conn keeps the
// two things of it that are needed, prepared statements and their arguments.
var engine sqlite.Driver

// uncanceled is the context of every statement: a statement takes far less
// than a call's patience, and one with a context that can end costs a
// goroutine. Calls look at their own context between statements.
var uncanceled = context.Background()

// conn is one connection with its prepared statements, for one goroutine at a
// time.
type conn struct {
	raw   sqldriver.Conn
	stmts map[string]*stmt
}

// stmt is a prepared statement and the room for its arguments.
type stmt struct {
	raw  sqldriver.Stmt
	args []sqldriver.NamedValue
}

// dial opens a connection to the file at an absolute path. The mode is that of
// SQLite's URI: ro, rw, rwc; immutable says that nobody can write to the file.
func dial(path, mode string, immutable bool) (*conn, error) {
	u := url.URL{Scheme: "file", Path: path, OmitHost: true}
	query := "?mode=" + mode + "&_error_rc=1"
	if immutable {
		query += "&immutable=1"
	}
	raw, err := engine.Open(u.String() + query)
	if err != nil {
		return nil, err
	}
	return &conn{raw: raw, stmts: make(map[string]*stmt)}, nil
}

// close finalizes the statements and closes the connection.
func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.raw.Close())
	}
	return errors.Join(append(errs, c.raw.Close())...)
}

// prepare returns the statement for a query, kept from its last use.
func (c *conn) prepare(query string, args []any) (*stmt, error) {
	s := c.stmts[query]
	if s == nil {
		raw, err := c.raw.Prepare(query)
		if err != nil {
			return nil, err
		}
		s = &stmt{raw: raw}
		c.stmts[query] = s
	}
	s.args = s.args[:0]
	for i, a := range args {
		s.args = append(s.args, sqldriver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return s, nil
}

// exec runs a statement and returns how many rows it changed. Arguments are
// int64, string, []byte or nil.
func (c *conn) exec(query string, args ...any) (int64, error) {
	s, err := c.prepare(query, args)
	if err != nil {
		return 0, err
	}
	r, err := s.raw.(sqldriver.StmtExecContext).ExecContext(uncanceled, s.args)
	clear(s.args) // keep no caller's bytes
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// query calls row for each row of a result until it returns an error.
func (c *conn) query(row func(columns []sqldriver.Value) error, query string, args ...any) (err error) {
	s, err := c.prepare(query, args)
	if err != nil {
		return err
	}
	rows, err := s.raw.(sqldriver.StmtQueryContext).QueryContext(uncanceled, s.args)
	clear(s.args)
	if err != nil {
		return err
	}
	defer func() {
		// Resetting a statement reports its last error once more.
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	columns := make([]sqldriver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(columns); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := row(columns); err != nil {
			return err
		}
	}
}

// number returns the one integer that a query yields.
func (c *conn) number(query string, args ...any) (n int64, err error) {
	err = c.query(func(columns []sqldriver.Value) error {
		var ok bool
		if n, ok = columns[0].(int64); !ok {
			return fmt.Errorf("%q yields %T, not a number", query, columns[0])
		}
		return nil
	}, query, args...)
	return n, err
}

// run runs statements whose results do not matter, such as settings.
func (c *conn) run(queries ...string) error {
	for _, q := range queries {
		err := c.query(func([]sqldriver.Value) error { return nil }, q)
		if err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return nil
}
