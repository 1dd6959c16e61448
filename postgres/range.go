package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/holdfast-games/holdfast/driver"
)

// DeleteRange implements driver.DB.
func (db *DB) DeleteRange(ctx context.Context, from, to string) (int, error) {
	if err := driver.CheckRange(from, to); err != nil {
		return 0, err
	}
	if err := db.writable(ctx); err != nil {
		return 0, err
	}
	if from >= to {
		return 0, nil
	}
	return db.deleteRange(ctx, from, to)
}

// deleteRange deletes a range in one transaction.
func (db *DB) deleteRange(ctx context.Context, from, to string) (n int, err error) {
	err = db.use(ctx, db.writes, fmt.Sprintf("delete the range %q to %q", from, to), func(c *pgxpool.Conn) error {
		t := &commit{begin: db.begin, conn: c}
		return t.insist(ctx, func(q *queue) {
			q.batch.Queue(sqlRangeDelete, []byte(from), []byte(to))
			q.reads = append(q.reads, func(r pgx.BatchResults) error {
				tag, err := r.Exec()
				n = int(tag.RowsAffected())
				return err
			})
			q.plain(sqlRangeHistory, []byte(from), []byte(to))
		})
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
