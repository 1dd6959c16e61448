package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/holdfast-games/holdfast/postgres"
)

// barePostgres keeps players in PostgreSQL: each worker has a connection by pgx,
// and sends a transaction of multi-row statements whole, in one round trip. The
// tables are made by package postgres; values stand in them as they are.
type barePostgres struct {
	ctx     context.Context
	url     string
	conns   []*pgx.Conn
	rosters []*roster
}

// The statements of the bare program.
const (
	pgCreate = `INSERT INTO entries (key, version, recent, number, format, sum, created, updated, marked, size, packed, value)
SELECT u.key, u.id, ''::bytea, 1, 1, u.sum, now(), now(), false, length(u.value), 0, u.value
FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bytea[]) AS u (key, id, sum, value)`
	pgUpdate = `UPDATE entries AS e SET version = u.id, recent = substring(e.version || e.recent FROM 1 FOR 240),
number = e.number + 1, retained = e.retained + $6, format = 1, sum = u.sum, updated = now(), marked = false, size = length(u.value), packed = 0, value = u.value
FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bytea[]) AS u (key, was, id, sum, value)
WHERE e.key = u.key AND e.version = u.was`
	pgUpdateOne = `UPDATE entries SET version = $3, recent = substring(version || recent FROM 1 FOR 240),
number = number + 1, format = 1, sum = $4, updated = now(), marked = false, size = length($5::bytea), packed = 0, value = $5
WHERE key = $1 AND version = $2`
	pgKeep = `INSERT INTO history (key, kept, replaced, number, version, format, sum, updated, marked, size, packed, value)
SELECT e.key, false, now(), e.number, e.version, e.format, e.sum, e.updated, e.marked, e.size, e.packed, e.value
FROM unnest($1::bytea[], $2::bytea[]) AS u (key, was)
JOIN entries AS e ON e.key = u.key AND e.version = u.was`
	pgSelect = `SELECT e.version, e.recent, e.format, e.sum, e.created, e.updated, e.marked, e.size, e.packed, e.value
FROM unnest($1::bytea[]) AS u (key) JOIN entries AS e ON e.key = u.key`
)

// newBarePostgres makes tables with n players.
func newBarePostgres(ctx context.Context, url string, n, workers int) (_ *barePostgres, err error) {
	p, err := parsePlace(url)
	if err != nil {
		return nil, err
	}
	if err := removeSchema(ctx, url); err != nil {
		return nil, err
	}
	db, err := postgres.Open(ctx, url, nil)
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	b := &barePostgres{ctx: ctx, url: url, rosters: newRosters(workers, n)}
	for range workers {
		conn, err := p.connect(ctx)
		if err != nil {
			return nil, errors.Join(err, b.discard())
		}
		b.conns = append(b.conns, conn)
	}
	if err := together(workers, b.fill); err != nil {
		return nil, errors.Join(err, b.discard())
	}
	return b, nil
}

// discard closes the connections and removes the tables.
func (b *barePostgres) discard() error {
	ctx := context.WithoutCancel(b.ctx)
	var errs []error
	for _, conn := range b.conns {
		errs = append(errs, conn.Close(ctx))
	}
	return errors.Join(append(errs, removeSchema(ctx, b.url))...)
}

// bareRows are the arguments of a statement that writes several players.
type bareRows struct {
	keys, was, ids, values [][]byte
	sums                   []int64
}

// rows returns the rows that save players, and makes them their present
// versions.
func (r *roster) rows(players []*barePlayer) bareRows {
	slices.SortFunc(players, func(a, b *barePlayer) int { return strings.Compare(a.key, b.key) })
	var rows bareRows
	for _, p := range players {
		was, next := p.version, r.next(p)
		p.version = next
		rows.keys, rows.was, rows.ids = append(rows.keys, []byte(p.key)), append(rows.was, was[:]), append(rows.ids, next[:])
		rows.values, rows.sums = append(rows.values, p.value), append(rows.sums, int64(p.number))
	}
	return rows
}

// takeAll returns the next n players.
func (r *roster) takeAll(n int) []*barePlayer {
	players := make([]*barePlayer, n)
	for i := range players {
		players[i] = r.take()
	}
	return players
}

// fill creates a worker's players.
func (b *barePostgres) fill(worker int) error {
	r := b.rosters[worker]
	for from := 0; from < len(r.players); from += bareGroup {
		var keys, ids, values [][]byte
		var sums []int64
		for i := from; i < min(from+bareGroup, len(r.players)); i++ {
			p := &r.players[i]
			keys, ids, values = append(keys, []byte(p.key)), append(ids, p.version[:]), append(values, p.value)
			sums = append(sums, int64(p.number))
		}
		if err := b.transaction(worker, bareStep{pgCreate, len(keys), []any{keys, ids, sums, values}}); err != nil {
			return err
		}
	}
	return nil
}

// bareStep is a statement with how many rows it must change.
type bareStep struct {
	query string
	rows  int
	args  []any
}

// transaction sends steps as one transaction, and reads the answers.
func (b *barePostgres) transaction(worker int, steps ...bareStep) error {
	var batch pgx.Batch
	batch.Queue("BEGIN")
	for _, s := range steps {
		batch.Queue(s.query, s.args...).Exec(func(tag pgconn.CommandTag) error { return s.check(tag) })
	}
	batch.Queue("COMMIT")
	return b.conns[worker].SendBatch(b.ctx, &batch).Close()
}

// check is an error if a step changed other rows than it had to.
func (s bareStep) check(tag pgconn.CommandTag) error {
	if n := tag.RowsAffected(); n != int64(s.rows) {
		return fmt.Errorf("%w: %d, not %d, by %.40q", errBare, n, s.rows, s.query)
	}
	return nil
}

func (b *barePostgres) save(worker, n int, history bool) error {
	r := b.rosters[worker]
	steps := []bareStep{b.journal(worker, 1, n)}
	rows := r.rows(r.takeAll(n))
	kept := 0
	if history {
		kept = 1
		steps = append(steps, bareStep{pgKeep, n, []any{rows.keys, rows.was}})
	}
	return b.transaction(worker, append(steps, rows.update(kept))...)
}

// update is the conditional update of all rows, of which each replaces a
// version that is kept, or not.
func (rows *bareRows) update(kept int) bareStep {
	return bareStep{pgUpdate, len(rows.keys), []any{rows.keys, rows.was, rows.ids, rows.sums, rows.values, kept}}
}

// journal is the insertion of so many appends of n records each.
func (b *barePostgres) journal(worker, appends, n int) bareStep {
	var keys, ids, values [][]byte
	for range appends {
		key, v, value := b.rosters[worker].journal(n)
		keys, ids, values = append(keys, []byte(key)), append(ids, v[:]), append(values, value)
	}
	return bareStep{pgCreate, appends, []any{keys, ids, make([]int64, appends), values}}
}

func (b *barePostgres) insert(worker, appends, n int) error {
	return b.transaction(worker, b.journal(worker, appends, n))
}

// load reads in one statement, and locks in another transaction.
func (b *barePostgres) load(worker, n int) error {
	r := b.rosters[worker]
	players := r.takeAll(n)
	rows := r.rows(players)
	found, err := b.conns[worker].Query(b.ctx, pgSelect, rows.keys)
	if err != nil {
		return err
	}
	read := 0
	for found.Next() {
		read++
	}
	if err := found.Err(); err != nil {
		return err
	}
	if read != n {
		return fmt.Errorf("%w: %d were read, not %d", errBare, read, n)
	}
	return b.transaction(worker, rows.update(0))
}

// update saves the worker's next player by one statement, in a transaction of
// its own.
func (b *barePostgres) update(worker int) error {
	r := b.rosters[worker]
	p := r.take()
	was, next := p.version, r.next(p)
	p.version = next
	s := bareStep{query: pgUpdateOne, rows: 1}
	tag, err := b.conns[worker].Exec(b.ctx, s.query, []byte(p.key), was[:], next[:], int64(p.number), p.value)
	if err != nil {
		return err
	}
	return s.check(tag)
}
