package postgres

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-games/holdfast/driver"
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

// CommitBuffers runs the statements of a group, takes them back, and returns how
// many of the server's pages they looked at.
func (db *DB) CommitBuffers(ctx context.Context, g driver.Group) (int, error) {
	p, q := newPlan(), &queue{}
	for i := range g.Batches {
		p.add(newBatch(&g.Batches[i], &driver.Outcome{}))
	}
	p.queue(q)
	return db.buffers(ctx, q.batch.QueuedQueries...)
}

// ReadBuffers is CommitBuffers for a read.
func (db *DB) ReadBuffers(ctx context.Context, key string) (int, error) {
	return db.buffers(ctx, &pgx.QueuedQuery{SQL: sqlRead, Arguments: []any{octets([]string{key})}})
}

func (db *DB) buffers(ctx context.Context, statements ...*pgx.QueuedQuery) (total int, err error) {
	c, err := db.writes.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Release()
	tx, err := c.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback(ctx)
	for _, s := range statements {
		var plan []struct {
			Plan struct {
				Hit  int `json:"Shared Hit Blocks"`
				Read int `json:"Shared Read Blocks"`
			}
		}
		if err := tx.QueryRow(ctx, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+s.SQL, s.Arguments...).Scan(&plan); err != nil {
			return 0, err
		}
		total += plan[0].Plan.Hit + plan[0].Plan.Read
	}
	return total, nil
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
