package bench

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	lib "modernc.org/sqlite"

	"github.com/holdfast-games/holdfast/sqlite"
)

// bareSQLite keeps players in a SQLite file: one goroutine with one connection
// and prepared statements. It has a single worker.
type bareSQLite struct {
	path   string
	conn   sqldriver.Conn
	stmts  map[string]*bareStmt
	roster *roster
}

type bareStmt struct {
	sqldriver.Stmt
	args []sqldriver.NamedValue
}

const (
	bareInsert = `INSERT INTO entries (key, version, recent, format, sum, created, updated, boot, tick, marked, value)
VALUES (?, ?, x'', 1, ?, ?, ?, 1, ?, 0, ?)`
	bareUpdate = `UPDATE entries SET version = ?, recent = substr(CAST(version || recent AS BLOB), 1, 240),
format = 1, sum = ?, updated = ?, boot = 1, tick = ?, marked = 0, value = ? WHERE key = ? AND version = ?`
	bareKeep = `INSERT INTO history (key, version, format, sum, updated, boot, tick, marked, kept, replaced, value)
SELECT key, version, format, sum, updated, boot, tick, marked, 0, ?, value FROM entries WHERE key = ?`
	bareCount  = `UPDATE entries SET retained = retained + 1, oldest = coalesce(oldest, ?) WHERE key = ?`
	bareSelect = `SELECT version, recent, format, sum, created, updated, boot, tick, marked, value FROM entries WHERE key = ?`
)

// newBareSQLite makes a file with n players.
func newBareSQLite(ctx context.Context, path string, n int) (b *bareSQLite, err error) {
	db, err := sqlite.Open(ctx, path, nil)
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	conn, err := new(lib.Driver).Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the yardstick's file: %w", err)
	}
	b = &bareSQLite{path: path, conn: conn, stmts: make(map[string]*bareStmt), roster: newRosters(1, n)[0]}
	for _, pragma := range []string{"journal_mode = WAL", "synchronous = FULL", "cache_size = -32768", "wal_autocheckpoint = 4096"} {
		err = errors.Join(err, b.query("PRAGMA "+pragma, nil))
	}
	if err = errors.Join(err, b.fill()); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bareSQLite) close() error {
	var errs []error
	for _, s := range b.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, b.conn.Close())...)
}

// discard closes the file and removes it.
func (b *bareSQLite) discard() error { return errors.Join(b.close(), os.Remove(b.path)) }

// fill creates the players.
func (b *bareSQLite) fill() error {
	all := b.roster.players
	for from := 0; from < len(all); from += bareGroup {
		err := b.transaction(func(now int64) error {
			for _, p := range all[from:min(from+bareGroup, len(all))] {
				if err := b.exec(bareInsert, p.key, p.version[:], int64(p.number), now, now, now, p.value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// transaction runs fn in a transaction, with the time of now.
func (b *bareSQLite) transaction(fn func(now int64) error) error {
	if err := b.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := fn(time.Now().UnixMicro()); err != nil {
		return errors.Join(err, b.exec("ROLLBACK"))
	}
	return b.exec("COMMIT")
}

func (b *bareSQLite) save(_, n int, history bool) error {
	return b.transaction(func(now int64) error {
		if err := b.insertAppend(n, now); err != nil {
			return err
		}
		for range n {
			p := b.roster.take()
			if history {
				if err := b.keep(p, now); err != nil {
					return err
				}
			}
			if err := b.update(p, now); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bareSQLite) keep(p *barePlayer, now int64) error {
	if err := b.exec(bareKeep, now, p.key); err != nil {
		return err
	}
	return b.exec(bareCount, now, p.key)
}

func (b *bareSQLite) update(p *barePlayer, now int64) error {
	v := b.roster.next(p)
	err := b.exec(bareUpdate, v[:], now, now, now, p.value, p.key, p.version[:])
	p.version = v
	return err
}

func (b *bareSQLite) insert(_, appends, n int) error {
	return b.transaction(func(now int64) error {
		for range appends {
			if err := b.insertAppend(n, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// insertAppend inserts one entry of a journal with n records.
func (b *bareSQLite) insertAppend(n int, now int64) error {
	key, v, value := b.roster.journal(n)
	return b.exec(bareInsert, key, v[:], now, now, now, now, value)
}

func (b *bareSQLite) load(_, n int) error {
	players := make([]*barePlayer, n)
	for j := range players {
		players[j] = b.roster.take()
		if err := b.query(bareSelect, []any{players[j].key}); err != nil {
			return err
		}
	}
	return b.transaction(func(now int64) error {
		for _, p := range players {
			if err := b.update(p, now); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bareSQLite) prepare(query string, args []any) (*bareStmt, error) {
	s := b.stmts[query]
	if s == nil {
		raw, err := b.conn.Prepare(query)
		if err != nil {
			return nil, err
		}
		s = &bareStmt{Stmt: raw}
		b.stmts[query] = s
	}
	s.args = s.args[:0]
	for i, a := range args {
		s.args = append(s.args, sqldriver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return s, nil
}

func (b *bareSQLite) exec(query string, args ...any) error {
	s, err := b.prepare(query, args)
	if err != nil {
		return err
	}
	result, err := s.Stmt.(sqldriver.StmtExecContext).ExecContext(context.Background(), s.args)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); len(args) > 0 && n != 1 {
		return errors.Join(err, fmt.Errorf("%w: %d by %.20q", errBare, n, query))
	}
	return nil
}

func (b *bareSQLite) query(query string, args []any) error {
	s, err := b.prepare(query, args)
	if err != nil {
		return err
	}
	rows, err := s.Stmt.(sqldriver.StmtQueryContext).QueryContext(context.Background(), s.args)
	if err != nil {
		return err
	}
	columns := make([]sqldriver.Value, len(rows.Columns()))
	for err == nil {
		err = rows.Next(columns)
	}
	if err != io.EOF {
		return errors.Join(err, rows.Close())
	}
	return rows.Close()
}
