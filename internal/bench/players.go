package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// kind is the kind of the players that are measured with. None of another
// kind is touched.
const kind = "holdfast-bench"

// How many items a bag holds so that a player's data have about 2 and 200 KB.
const (
	smallBag = 28
	largeBag = 3_300
)

// opening is how many players are opened or closed at the same time, so that
// groups are full.
const opening = 768

// item is what a player carries.
type item struct {
	Kind string  `json:"kind"`
	N    int     `json:"n"`
	Wear float64 `json:"wear"`
}

var (
	coins  = profile.Int("coins", 500, profile.Min(0))
	bag    = profile.Map[item]("bag")
	schema = profile.NewSchema(kind, coins, profile.Int("gems", 0), profile.Int("level", 1), profile.Int("xp", 0),
		profile.String("name", ""), profile.String("clan", ""), profile.Counters("stats"), bag)
)

// playerID returns the id of the i-th player.
func playerID(i int) string { return fmt.Sprintf("%07d", i) }

func playerKey(i int) session.Key { return session.Key{Kind: kind, ID: playerID(i)} }

// playerData returns the i-th player's data, with so many items in the bag, as
// compact JSON.
func playerData(i, items int) []byte {
	d := fmt.Appendf(nil, `{"coins":%d,"gems":%d,"level":%d,"xp":%d,"name":"Player %d","clan":"The Hold"`, 500+i%1000, i%50, 1+i%80, i*37%100_000, i)
	d = fmt.Appendf(d, `,"settings":{"music":0.8,"sound":1,"language":"en","invert":false,"keys":{"jump":"space","use":"e"}}`)
	d = fmt.Appendf(d, `,"stats":{"kills":%d,"deaths":%d,"wins":%d,"hours":%d}`, i%977, i%643, i%101, i%499)
	d = append(d, `,"bag":{`...)
	for n := range items {
		if n > 0 {
			d = append(d, ',')
		}
		d = fmt.Appendf(d, `"item-%d-%d":{"kind":"sword of the north","n":%d,"wear":0.%02d}`, i%10_000, n, 1+n%64, (i+n)%90+10)
	}
	return append(d, "}}"...)
}

// database is one database that is measured.
type database struct {
	*store.DB
	meter *meter
	url   string
}

// open opens the database of a measurement, without players of an earlier one
// that was cut short.
func (r *run) open(name string) (*database, error) { return r.reopen(r.ctx, name, true) }

func (r *run) reopen(ctx context.Context, name string, empty bool) (*database, error) {
	url := r.URL(name)
	if empty {
		if err := removeSchema(ctx, url); err != nil {
			return nil, err
		}
	}
	drv, err := r.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	m := &meter{DB: drv}
	db, err := store.New(m, nil)
	if err != nil {
		return nil, errors.Join(err, drv.Close())
	}
	d := &database{db, m, url}
	if empty {
		err = d.empty(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close(ctx))
	}
	return d, nil
}

// empty deletes all players that were measured with. No session has them.
func (d *database) empty(ctx context.Context) error {
	return d.DeleteRange(ctx, kind+"/", driver.After(kind+"/"))
}

// finish deletes the players, closes the database and removes what was made for
// it alone, also after a measurement was cut short.
func (r *run) finish(d *database) error {
	ctx := context.WithoutCancel(r.ctx)
	return errors.Join(d.empty(ctx), d.Close(ctx), removeSchema(ctx, d.url))
}

// server is a server of sessions or of profiles.
type server interface {
	Close(ctx context.Context) ([]session.Result, error)
}

// closeServer closes a server and everything that it holds.
func (r *run) closeServer(srv server) error {
	results, err := srv.Close(context.WithoutCancel(r.ctx))
	for _, res := range results {
		err = errors.Join(err, res.Err)
	}
	return err
}

// isPostgres reports whether the database is a PostgreSQL server.
func (d *database) isPostgres() bool { return d.Driver().Info().Name == "postgres" }

// seed creates the players from..to-1 with a bag of so many items, saved and
// closed.
func seed(ctx context.Context, srv *session.Server, from, to, items int) error {
	return each(opening, to-from, func(i int) error {
		s, err := srv.Open(ctx, playerKey(from+i), nil)
		if err != nil {
			return err
		}
		if err := fill(s, playerData(from+i, items)); err != nil {
			return err
		}
		return s.Close(ctx)
	})
}

// fill gives a session's document the fields of data.
func fill(s *session.Session, data []byte) error {
	d, err := document.Parse(data, nil)
	if err != nil {
		return err
	}
	tx, err := s.Begin()
	if err != nil {
		return err
	}
	for name, value := range d.Fields() {
		if err := tx.Set(document.Field(name), value, false); err != nil {
			session.Rollback(tx)
			return err
		}
	}
	return session.Commit(false, tx)
}

// openAll opens the players 0..n-1, in an order that has nothing to do with
// where they lie in a file, and returns their sessions in that order.
func openAll(ctx context.Context, srv *session.Server, n int) ([]*session.Session, error) {
	ss, order := make([]*session.Session, n), shuffled(n)
	err := each(opening, n, func(i int) (err error) {
		ss[i], err = srv.Open(ctx, playerKey(order[i]), nil)
		return err
	})
	return ss, err
}

// closeAll saves and releases sessions.
func closeAll(ctx context.Context, ss []*session.Session) error {
	return each(opening, len(ss), func(i int) error { return ss[i].Close(ctx) })
}

// each calls fn with 0..n-1 from some goroutines and returns the first error,
// after which no further call begins.
func each(goroutines, n int, fn func(i int) error) error {
	var next atomic.Int64
	return together(min(goroutines, n), func(int) error {
		for {
			i := int(next.Add(1) - 1)
			if i >= n {
				return nil
			}
			if err := fn(i); err != nil {
				next.Store(int64(n))
				return err
			}
		}
	})
}

// together calls fn on n goroutines, with the number of each, and returns the
// first error when all have returned.
func together(n int, fn func(i int) error) error {
	var once sync.Once
	var first error
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := fn(i); err != nil {
				once.Do(func() { first = err })
			}
		})
	}
	wg.Wait()
	return first
}

// repeat lets n callers call fn again and again for about d, and each once however
// busy the machine is. fn is told which caller it is and how often he called before.
func repeat(n int, d time.Duration, fn func(caller, turn int) error) error {
	began := time.Now()
	return together(n, func(caller int) error {
		for turn := 0; turn == 0 || time.Since(began) < d; turn++ {
			if err := fn(caller, turn); err != nil {
				return err
			}
		}
		return nil
	})
}

// own returns which of n things a caller uses in a turn: those that no other of so
// many callers uses, one after another. There are at least as many things as callers.
func own(n, callers, caller, turn int) int {
	theirs := (n - caller + callers - 1) / callers
	return caller + turn%theirs*callers
}
