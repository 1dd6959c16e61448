package bench

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

// schemaPrefix begins the names of the PostgreSQL schemas that are measured in.
// Whatever has such a name is removed at the beginning and at the end.
const schemaPrefix = "holdfast_bench_"

// ErrURL means that a database's URL cannot be used to measure.
var ErrURL = errors.New("unusable URL")

// SchemaURL returns the URL of a measurement's own tables in a PostgreSQL
// database: of a schema that Run makes and removes. It is ErrURL if base is no
// URL of such a database.
func SchemaURL(base, name string) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("%w: it cannot be parsed", ErrURL) // the text of err has the password
	}
	if !isPostgresURL(base) {
		return "", fmt.Errorf("%w: %q is not the scheme of PostgreSQL", ErrURL, u.Scheme)
	}
	q := u.Query()
	q.Set("schema", schemaPrefix+strings.NewReplacer(".", "_", "-", "_").Replace(name))
	u.RawQuery = q.Encode()
	return u.String(), nil
}

func isPostgresURL(url string) bool {
	return strings.HasPrefix(url, "postgres:") || strings.HasPrefix(url, "postgresql:")
}

// place is a schema in a PostgreSQL database, to be reached by pgx alone.
type place struct{ url, schema string }

// parsePlace takes what is package postgres's own out of a URL.
func parsePlace(text string) (p place, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return p, fmt.Errorf("%w: it cannot be parsed", ErrURL)
	}
	q := u.Query()
	p.schema = q.Get("schema")
	for _, name := range []string{"schema", "connections", "isolation"} {
		q.Del(name)
	}
	u.RawQuery = q.Encode()
	p.url = u.String()
	if !strings.HasPrefix(p.schema, schemaPrefix) {
		return p, fmt.Errorf("%w: the schema %q is not one to measure in", ErrURL, p.schema)
	}
	return p, nil
}

// connect opens a connection whose tables are those of the schema. Keys are
// looked up by their index, whatever the server believes of tables that it has
// not looked at yet.
func (p place) connect(ctx context.Context) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(p.url)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["search_path"] = p.schema
	config.RuntimeParams["application_name"] = "holdfast bench"
	for _, plan := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"} {
		config.RuntimeParams[plan] = "off"
	}
	return pgx.ConnectConfig(ctx, config)
}

// removeSchema removes the schema that was made for a measurement, if the URL
// names one.
func removeSchema(ctx context.Context, url string) (err error) {
	if !isPostgresURL(url) {
		return nil
	}
	p, err := parsePlace(url)
	if err != nil {
		return err
	}
	conn, err := p.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	_, err = conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+pgx.Identifier{p.schema}.Sanitize()+" CASCADE")
	if err != nil {
		return fmt.Errorf("remove what was measured with: %w", err)
	}
	return nil
}
