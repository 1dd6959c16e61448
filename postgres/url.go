package postgres

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/holdfast-games/holdfast/driver"
)

// Limits of Options.Connections.
const (
	minConnections     = 3
	maxConnections     = 1000
	defaultConnections = 10
)

const defaultSchema = "holdfast"

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// settings are what a URL and Options say together.
type settings struct {
	pool        *pgxpool.Config
	schema      string
	connections int
	isolation   Isolation
	readOnly    bool
	mustExist   bool
	noMigrate   bool
	list        bool   // whatever the tables' version is
	timeout     bool   // the URL says how long connecting may take
	clock       string // a schema with a clock of a test's, or ""

	migrations []Migration // of the database that was examined
}

// parse reads a URL. Its parameters that are Holdfast's are taken out, the rest
// is pgx's to understand. No error quotes the URL, which may hold a password.
func parse(text string, o *Options) (*settings, error) {
	u, err := url.Parse(text)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, fmt.Errorf("%w: the URL: %w", driver.ErrInvalid, scrub(err))
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, fmt.Errorf("%w: want a URL that begins with postgres://, not %.20q", driver.ErrInvalid, u.Scheme)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: the URL's parameters: %w", driver.ErrInvalid, scrub(err))
	}
	s := &settings{readOnly: o.readOnly(), mustExist: o.mustExist(), noMigrate: o.noMigrate()}
	if err := s.take(query, o); err != nil {
		return nil, fmt.Errorf("%w: %w", driver.ErrInvalid, err)
	}
	u.RawQuery = query.Encode()
	if s.pool, err = pgxpool.ParseConfig(u.String()); err != nil {
		return nil, fmt.Errorf("%w: the URL: %w", driver.ErrInvalid, scrub(err))
	}
	return s, nil
}

// scrub returns what is wrong with a URL without quoting it.
func scrub(err error) error {
	var escape url.EscapeError
	var host url.InvalidHostError
	switch {
	case errors.As(err, &escape):
		return errors.New("a % that is not followed by two hexadecimal digits (write % itself as %25)")
	case errors.As(err, &host):
		return errors.New("a character that a host name cannot have (in a password, write @ as %40, / as %2F, # as %23 and ? as %3F)")
	}
	for cause := errors.Unwrap(err); cause != nil; cause = errors.Unwrap(err) {
		err = cause
	}
	if _, ok := err.(*strconv.NumError); ok {
		return errors.New("a number that is none")
	}
	return errors.New("it cannot be understood (want postgres://user:password@host:port/database?parameters, with @ as %40, : as %3A, / as %2F, # as %23 and ? as %3F in a password)")
}

// take moves Holdfast's parameters from query into s. What the Options say
// counts before what the URL says.
func (s *settings) take(query url.Values, o *Options) error {
	s.schema, s.connections, s.isolation = o.schema(), o.connections(), o.isolation()
	if v := query.Get("schema"); v != "" && s.schema == "" {
		s.schema = v
	}
	if v := query.Get("connections"); v != "" && s.connections == 0 {
		n, err := strconv.Atoi(v)
		if err != nil {
			return fmt.Errorf("connections=%.20q is no number", v)
		}
		s.connections = n
		if n == 0 {
			s.connections = -1 // zero in a URL is not the default
		}
	}
	if v := query.Get("isolation"); v != "" && s.isolation == "" {
		s.isolation = Isolation(v)
	}
	for _, name := range []string{"schema", "connections", "isolation"} {
		query.Del(name)
	}
	return s.check()
}

// check fills in defaults and refuses what is out of range.
func (s *settings) check() error {
	if s.schema == "" {
		s.schema = defaultSchema
	}
	if s.connections == 0 {
		s.connections = defaultConnections
	}
	if s.isolation == "" {
		s.isolation = ReadCommitted
	}
	switch {
	case !schemaName.MatchString(s.schema) || s.schema[:min(3, len(s.schema))] == "pg_" || s.schema == "information_schema":
		return fmt.Errorf("schema %.70q: want 1 to 63 of a-z, 0-9 and _, no digit first, and none of PostgreSQL's own", s.schema)
	case s.connections < minConnections || s.connections > maxConnections:
		return fmt.Errorf("%d connections, %d to %d allowed", max(s.connections, 0), minConnections, maxConnections)
	case s.isolation.begin() == "":
		return fmt.Errorf("isolation %.30q: want %s or %s", s.isolation, ReadCommitted, Serializable)
	}
	return nil
}
