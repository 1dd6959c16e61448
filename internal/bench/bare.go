package bench

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// bareGroup is how many saves a bare program puts into one transaction.
const bareGroup = 256

// bare is the program that one would write without Holdfast to keep players in
// one engine fast, on tables as the engine's driver makes them. It has some
// workers, each with players of its own; different workers may be at work at
// the same time.
type bare interface {
	// save saves the worker's next n players in one transaction: one insert of
	// an append that carries a record of each of them, and each one's
	// conditional update. With history, each replaced version is kept.
	save(worker, n int, history bool) error
	// insert inserts so many appends of n records each, in a transaction of
	// their own.
	insert(worker, appends, n int) error
	// load reads the worker's next n players, and then locks all of them in
	// one transaction.
	load(worker, n int) error
	// discard ends the program and removes what it has written.
	discard() error
}

// newBare returns the bare program of a database's engine, with so many players
// and workers, or nil if the engine has none.
func (r *run) newBare(name string, db *database, players, workers int) (bare, error) {
	switch db.Driver().Info().Name {
	case "sqlite":
		return asBare(newBareSQLite(r.ctx, r.bareFile(name), players))
	case "postgres":
		return asBare(newBarePostgres(r.ctx, r.URL("bare."+name), players, workers))
	}
	return nil, nil
}

// asBare keeps a nil pointer from becoming an interface that is not nil.
func asBare[B bare](b B, err error) (bare, error) {
	if err != nil {
		return nil, fmt.Errorf("yardstick: %w", err)
	}
	return b, nil
}

// bareFile returns the path of a yardstick's file.
func (r *run) bareFile(name string) string { return filepath.Join(r.Dir, "bare-"+name+".db") }

// bareName says what a database's yardstick is.
func (d *database) bareName() string {
	if d.Driver().Info().Name == "postgres" {
		return "pgx alone"
	}
	return "SQLite alone"
}

// shape is how a bare program does what so many callers wait for.
type shape struct{ workers, group int }

// shapeOf returns the arrangement that the database asks for: as many
// transactions at one time as it likes, and in each as many of those who wait
// as there are then.
func (d *database) shapeOf(waiting int) shape {
	workers := min(d.Driver().Info().Writers, waiting)
	return shape{workers, min(waiting/workers, bareGroup)}
}

func (s shape) String() string {
	if s.workers == 1 {
		return fmt.Sprintf("%d in one transaction", s.group)
	}
	return fmt.Sprintf("%d in one transaction, %d connections", s.group, s.workers)
}

// yardstick is the rate of a bare program, which is measured in turns with
// Holdfast's.
type yardstick struct {
	rate func() (float64, error) // nil: the engine has none
	bare bare
	name string
}

// bareRate returns the yardstick whose workers repeat fn, which does as many
// things a call as the shape says. The caller discards it.
func (r *run) bareRate(name string, db *database, s shape, fn func(b bare, worker int) error) (y yardstick, err error) {
	if y.bare, err = r.newBare(name, db, r.sizes.players, s.workers); err != nil || y.bare == nil {
		return y, err
	}
	y.name = db.bareName()
	y.rate = func() (float64, error) {
		return rate(s.workers, r.sizes.round, s.group, func(worker int) error { return fn(y.bare, worker) })
	}
	return y, nil
}

// beside puts the yardstick beside a figure, if there is one. What says what
// the bare program does.
func (y *yardstick) beside(f Figure, what string, p pair) Figure {
	if y.rate == nil {
		f.Value = p.subject
		return f
	}
	return f.beside(y.name+": "+what, p)
}

func (y *yardstick) discard() error {
	if y.bare == nil {
		return nil
	}
	return y.bare.discard()
}

// once returns the yardstick's rate in one round, or zero without one.
func (y *yardstick) once() (float64, error) {
	if y.rate == nil {
		return 0, nil
	}
	return y.rate()
}

// rate lets workers repeat fn, which does n things, for about d and returns how
// many things a second all of them did.
func rate(workers int, d time.Duration, n int, fn func(worker int) error) (float64, error) {
	var done atomic.Int64
	began := time.Now()
	err := repeat(workers, d, func(worker, _ int) error {
		if err := fn(worker); err != nil {
			return fmt.Errorf("yardstick: %w", err)
		}
		done.Add(int64(n))
		return nil
	})
	return float64(done.Load()) / time.Since(began).Seconds(), err
}

// roster is what a worker of a bare program knows of its players: what a game
// would have in memory.
type roster struct {
	players []barePlayer
	order   []int // in which they are used
	at      int   // the next place in order
	count   int   // of versions that were made
	worker  int
}

type barePlayer struct {
	number  int
	key     string
	value   []byte
	version driver.Version // as the program knows it
}

// newRosters returns a roster for each worker, of n players in all. The players
// have the documents of their numbers.
func newRosters(workers, n int) []*roster {
	all := make([]*roster, workers)
	for w := range all {
		r := &roster{worker: w}
		for i := w; i < n; i += workers {
			r.players = append(r.players, barePlayer{i, fmt.Sprintf("player/%07d", i), playerData(i, smallBag), bareVersion(i, 0)})
		}
		r.order = shuffled(len(r.players))
		all[w] = r
	}
	return all
}

// shuffled returns the numbers below n in an order that has nothing to do with
// where they lie in a file. It is the same each time.
func shuffled(n int) []int { return rand.New(rand.NewPCG(uint64(n), 1)).Perm(n) }

func bareVersion(i, n int) (v driver.Version) {
	copy(v[:], fmt.Sprintf("%08x%08x", i, n))
	return v
}

// take returns the player whose turn it is.
func (r *roster) take() *barePlayer {
	p := &r.players[r.order[r.at]]
	r.at = (r.at + 1) % len(r.order)
	return p
}

// next changes a player's coins, in place, and returns the version that he gets
// next.
func (r *roster) next(p *barePlayer) driver.Version {
	r.count++
	at := len(`{"coins":`)
	strconv.AppendInt(p.value[:at], int64(100+r.count%900), 10)
	return bareVersion(p.number, r.count)
}

// journal returns the key, the version and the value of the next append, with n
// records.
func (r *roster) journal(n int) (key string, v driver.Version, value []byte) {
	r.count++
	value = make([]byte, 0, n*len(record))
	for range n {
		value = append(value, record...)
	}
	return fmt.Sprintf("~journal/%d/%09d", r.worker, r.count), bareVersion(r.worker, r.count), value
}

// errBare means that a bare program's statement did not change what it had to.
var errBare = errors.New("the statement changed other rows than it should")
