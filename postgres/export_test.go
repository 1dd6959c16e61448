package postgres

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// OpenClock is Open with a schema whose functions now and clock_timestamp take
// the place of the server's.
func OpenClock(ctx context.Context, url string, o *Options, clock string) (*DB, error) {
	s, err := parse(url, o)
	if err != nil {
		return nil, err
	}
	s.clock = clock
	return s.open(ctx)
}

// Plan returns how the server runs a statement of this package, by its file's
// name, on a connection for commits.
func (db *DB) Plan(ctx context.Context, name string) (string, error) {
	c, err := db.writes.Acquire(ctx)
	if err != nil {
		return "", err
	}
	defer c.Release()
	sql := statement(name)
	if _, err := c.Exec(ctx, "PREPARE plan AS "+sql); err != nil {
		return "", err
	}
	arguments := 0
	for _, match := range regexp.MustCompile(`\$(\d+)`).FindAllStringSubmatch(sql, -1) {
		var n int
		fmt.Sscan(match[1], &n)
		arguments = max(arguments, n)
	}
	explain := "EXPLAIN (COSTS OFF) EXECUTE plan"
	if arguments > 0 {
		explain += "(NULL" + strings.Repeat(", NULL", arguments-1) + ")"
	}
	rows, err := c.Query(ctx, explain)
	if err != nil {
		return "", err
	}
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return "", err
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		return "", err
	}
	_, err = c.Exec(ctx, "DEALLOCATE plan")
	return strings.Join(lines, "\n"), err
}

// Settings returns settings of a connection for commits.
func (db *DB) Settings(ctx context.Context, names ...string) (values []string, err error) {
	c, err := db.writes.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Release()
	for _, name := range names {
		var value string
		if err := c.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}
