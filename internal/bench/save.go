package bench

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// record is as long as what setCoins adds to an append.
var record = make([]byte, 64)

// manyWaiting is how many callers wait for their saves when many do.
const manyWaiting = 1024

// savers are open sessions whose players keep being changed and saved.
type savers struct {
	r  *run
	ss []*session.Session
	n  atomic.Int64 // saves so far
}

// saves measures durable saves per second: a field is changed, and the caller
// waits until the player's root is on disk.
func (r *run) saves() (figures []Figure, err error) {
	for _, c := range []struct {
		name    string
		waiting int
		group   int // of the bare program
		least   float64
		retain  *driver.Retention
	}{
		{"save.single", 1, 1, 0, nil},
		{"save.concurrent", 64, 64, 0, nil},
		{"save.grouped", manyWaiting, bareGroup, 0.6, nil},
		{"save.history", manyWaiting, bareGroup, 0, &driver.Retention{}},
	} {
		if !r.wants(c.name) {
			continue
		}
		f, err := r.save(c.name, c.waiting, c.group, c.retain)
		if err != nil {
			return figures, fmt.Errorf("%s: %w", c.name, err)
		}
		if c.least > 0 && f.Yardstick != "" {
			f = f.ratioAtLeast(c.least)
		}
		figures = append(figures, f)
	}
	return figures, nil
}

// save measures saves with so many callers waiting, beside a bare program that
// puts group saves into one transaction.
func (r *run) save(name string, waiting, group int, retain *driver.Retention) (f Figure, err error) {
	db, err := r.open(name)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, r.finish(db)) }()
	srv, err := session.Open(r.ctx, db.DB, &session.Options{Name: name, Retention: retain})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, r.closeServer(srv)) }()
	if err := seed(r.ctx, srv, 0, r.sizes.players, smallBag); err != nil {
		return f, err
	}
	w := &savers{r: r}
	if w.ss, err = openAll(r.ctx, srv, r.sizes.players); err != nil {
		return f, err
	}
	yardstick, done, err := r.bareRate(name, db, group, func(b *bare) error { return b.save(group, record, retain != nil) })
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, done()) }()
	m := db.meter
	commits, batches, appends := m.commits.Load(), m.batches.Load(), m.urgent.Load()
	p, err := alternate(r.sizes.rounds, func() (float64, error) { return w.round(waiting) }, yardstick)
	if err != nil {
		return f, err
	}
	commits, batches, appends = m.commits.Load()-commits, m.batches.Load()-batches, m.urgent.Load()-appends
	f = Figure{Name: name, Value: p.subject, Unit: "saves/s"}
	if yardstick != nil {
		f = f.beside(fmt.Sprintf("SQLite alone, %d in one transaction", group), p)
	}
	return f.noted("%d waiting; %.0f saves in one commit, %.0f in one append", min(waiting, len(w.ss)),
		float64(batches)/float64(max(commits, 1)), float64(batches)/float64(max(appends, 1))), nil
}

// bareRate returns the bare program's rate at what fn does n times a call, or
// nil if the database has no yardstick.
func (r *run) bareRate(name string, db *database, n int, fn func(*bare) error) (rate func() (float64, error), done func() error, err error) {
	if !db.isSQLite() {
		return nil, func() error { return nil }, nil
	}
	b, err := newBare(r.ctx, r.bareFile(name), r.sizes.players)
	if err != nil {
		return nil, nil, err
	}
	return func() (float64, error) { return b.rate(r.sizes.round, n, func() error { return fn(b) }) }, b.discard, nil
}

// round lets so many callers change and save players of their own for one round
// and returns how many saves a second that were.
func (w *savers) round(waiting int) (float64, error) {
	waiting = min(waiting, len(w.ss))
	began, before := time.Now(), w.n.Load()
	end := began.Add(w.r.sizes.round)
	err := together(waiting, func(first int) error {
		for i := first; time.Now().Before(end); i += waiting {
			if i >= len(w.ss) {
				i = first
			}
			s := w.ss[i]
			if err := setCoins(s, w.n.Add(1), false); err != nil {
				return err
			}
			if err := s.Save(w.r.ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return float64(w.n.Load()-before) / time.Since(began).Seconds(), err
}
