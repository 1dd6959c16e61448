package bench

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	lib "modernc.org/sqlite"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/sqlite"
)

// bareGroup is how many saves the bare program puts into one transaction: as
// many as a group of package sqlite has.
const bareGroup = 256

// bare is the program that one would write without Holdfast to keep players in
// SQLite fast: one goroutine with one connection and prepared statements, on
// tables as package sqlite makes them.
type bare struct {
	path    string
	conn    sqldriver.Conn
	stmts   map[string]*bareStmt
	keys    []string
	values  [][]byte
	version []driver.Version // by key, as the program knows it
	order   []int            // in which keys are used
	at      int              // the next place in order
	append  int              // the next number of an append
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

// newBare makes a file with n players, each with the document of that number.
func newBare(ctx context.Context, path string, n int) (b *bare, err error) {
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
	b = &bare{path: path, conn: conn, stmts: make(map[string]*bareStmt)}
	for _, pragma := range []string{"journal_mode = WAL", "synchronous = FULL", "cache_size = -32768", "wal_autocheckpoint = 4096"} {
		err = errors.Join(err, b.query("PRAGMA "+pragma, nil))
	}
	if err = errors.Join(err, b.fill(n)); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// bareFile returns the path of a yardstick's file.
func (r *run) bareFile(name string) string { return filepath.Join(r.Dir, "bare-"+name+".db") }

func (b *bare) close() error {
	var errs []error
	for _, s := range b.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, b.conn.Close())...)
}

// discard closes the file and removes it.
func (b *bare) discard() error { return errors.Join(b.close(), os.Remove(b.path)) }

// shuffled returns the numbers below n in an order that has nothing to do with
// where they lie in a file. It is the same each time.
func shuffled(n int) []int { return rand.New(rand.NewPCG(uint64(n), 1)).Perm(n) }

// fill creates the players.
func (b *bare) fill(n int) error {
	b.order = shuffled(n)
	for i := range n {
		b.keys = append(b.keys, fmt.Sprintf("player/%07d", i))
		b.values = append(b.values, playerData(i, smallBag))
		b.version = append(b.version, bareVersion(i, 0))
	}
	for from := 0; from < n; from += bareGroup {
		err := b.transaction(func(now int64) error {
			for i := from; i < min(from+bareGroup, n); i++ {
				if err := b.exec(bareInsert, b.keys[i], b.version[i][:], int64(i), now, now, now, b.values[i]); err != nil {
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

func bareVersion(i, n int) (v driver.Version) {
	copy(v[:], fmt.Sprintf("%08x%08x", i, n))
	return v
}

// take returns the player whose turn it is.
func (b *bare) take() int {
	i := b.order[b.at]
	b.at = (b.at + 1) % len(b.order)
	return i
}

// next returns the version that a player gets next.
func (b *bare) next(i int) driver.Version {
	b.append++
	return bareVersion(i, b.append)
}

// transaction runs fn in a transaction, with the time of now.
func (b *bare) transaction(fn func(now int64) error) error {
	if err := b.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := fn(time.Now().UnixMicro()); err != nil {
		return errors.Join(err, b.exec("ROLLBACK"))
	}
	return b.exec("COMMIT")
}

// save saves the next n players in one transaction: one insert of an append
// that carries the records of all of them, and each one's conditional update. If
// history is set, each replaced version is kept.
func (b *bare) save(n int, record []byte, history bool) error {
	return b.transaction(func(now int64) error {
		if err := b.insertAppend(n, record, now); err != nil {
			return err
		}
		for range n {
			i := b.take()
			if history {
				if err := b.keep(i, now); err != nil {
					return err
				}
			}
			if err := b.update(i, now); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bare) keep(i int, now int64) error {
	if err := b.exec(bareKeep, now, b.keys[i]); err != nil {
		return err
	}
	return b.exec(bareCount, now, b.keys[i])
}

func (b *bare) update(i int, now int64) error {
	v := b.next(i)
	err := b.exec(bareUpdate, v[:], now, now, now, b.values[i], b.keys[i], b.version[i][:])
	b.version[i] = v
	return err
}

// insertAppend inserts one entry of a journal with n records.
func (b *bare) insertAppend(n int, record []byte, now int64) error {
	value := make([]byte, 0, n*len(record))
	for range n {
		value = append(value, record...)
	}
	b.append++
	v := bareVersion(0, b.append)
	return b.exec(bareInsert, fmt.Sprintf("~journal/%09d", b.append), v[:], now, now, now, now, value)
}

// load reads n players and then locks all of them in one transaction.
func (b *bare) load(n int) error {
	players := make([]int, n)
	for j := range players {
		players[j] = b.take()
		if err := b.query(bareSelect, []any{b.keys[players[j]]}); err != nil {
			return err
		}
	}
	return b.transaction(func(now int64) error {
		for _, i := range players {
			if err := b.update(i, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// rate repeats fn, which does n things, for about d and returns how many things
// a second that is.
func (b *bare) rate(d time.Duration, n int, fn func() error) (float64, error) {
	began := time.Now()
	for done := 0; ; {
		if err := fn(); err != nil {
			return 0, fmt.Errorf("yardstick: %w", err)
		}
		done += n
		if took := time.Since(began); took >= d {
			return float64(done) / took.Seconds(), nil
		}
	}
}

func (b *bare) prepare(query string, args []any) (*bareStmt, error) {
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

func (b *bare) exec(query string, args ...any) error {
	s, err := b.prepare(query, args)
	if err != nil {
		return err
	}
	result, err := s.Stmt.(sqldriver.StmtExecContext).ExecContext(context.Background(), s.args)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); len(args) > 0 && n != 1 {
		return errors.Join(err, fmt.Errorf("%.20q changed %d rows", query, n))
	}
	return nil
}

func (b *bare) query(query string, args []any) error {
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
