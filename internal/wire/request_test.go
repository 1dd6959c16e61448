package wire_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-games/holdfast/internal/wire"
)

// seen runs do on a connection, and returns the requests that passed.
func (b *bench) seen(do func(c *pgx.Conn) error) (rs []wire.Request) {
	b.t.Helper()
	c := b.connect(b.url)
	b.proxy.Use(func(r *wire.Request) wire.Fault {
		rs = append(rs, *r)
		return wire.Fault{}
	})
	err := do(c)
	b.proxy.Use(nil) // no plan runs any more, so rs is ours
	if err != nil {
		b.t.Fatalf("on the connection: %v", err)
	}
	return rs
}

func TestRequestCommits(t *testing.T) {
	for _, tt := range []struct {
		name string
		sql  []string
		want int // requests that commit
	}{
		{"AWriteByItself", []string{"UPDATE entry SET n = 1 WHERE name = ROW"}, 1},
		{"AWriteInAnExpression", []string{"WITH gone AS (DELETE FROM entry WHERE name = ROW RETURNING n) SELECT n FROM gone"}, 1},
		{"AReadDoesNot", []string{"SELECT n FROM entry"}, 0},
		{"TheEndOfABlockThatWrote", []string{"BEGIN", "UPDATE entry SET n = 1 WHERE name = ROW", "SELECT 1", "COMMIT"}, 1},
		{"TheEndOfABlockThatReadDoesNot", []string{"BEGIN", "SELECT 1", "COMMIT"}, 0},
		{"ARollbackDoesNot", []string{"BEGIN", "UPDATE entry SET n = 1 WHERE name = ROW", "ROLLBACK"}, 0},
		{"ARollbackToAPointDoesNotEndTheBlock", []string{"BEGIN", "UPDATE entry SET n = 1 WHERE name = ROW", "SAVEPOINT s", "ROLLBACK TO s", "COMMIT"}, 1},
	} {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeSimpleProtocol} {
			t.Run(tt.name+"/"+mode.String(), func(t *testing.T) {
				b := newBench(t)
				n := 0
				for _, r := range b.seen(func(c *pgx.Conn) error {
					for _, sql := range tt.sql {
						if _, err := c.Exec(b.ctx, strings.ReplaceAll(sql, "ROW", "'"+b.row+"'"), mode); err != nil {
							return err
						}
					}
					return nil
				}) {
					if r.Commits {
						n++
					}
				}
				if n != tt.want {
					t.Errorf("%d requests commit, want %d", n, tt.want)
				}
			})
		}
	}
	t.Run("APipelineOfABlock", func(t *testing.T) {
		b := newBench(t)
		rs := b.seen(func(c *pgx.Conn) error { return b.add(b.ctx, c, 1) })
		last := rs[len(rs)-1]
		if !last.Commits || len(last.Statements) != 3 {
			t.Errorf("the pipeline: commits %v, statements %q, want it to commit with 3", last.Commits, last.Statements)
		}
	})
}

func TestRequestHas(t *testing.T) {
	b := newBench(t)
	for _, arg := range []any{"player/42", []byte("player/42"), []string{"a", "player/42"}, [][]byte{[]byte("player/42")}} {
		rs := b.seen(func(c *pgx.Conn) error {
			_, err := c.Exec(b.ctx, "SELECT $1", pgx.QueryExecModeExec, arg)
			return err
		})
		last := rs[len(rs)-1]
		if !last.Has("player/42") || last.Has("player/43") {
			t.Errorf("with %T: Has(player/42), Has(player/43) = %v, %v, want true, false", arg, last.Has("player/42"), last.Has("player/43"))
		}
	}
}
