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

// manyWaiting returns how many callers wait when many do: so many that groups
// are full, while as many as are on their way wait before them and behind.
func (d *database) manyWaiting() int {
	info := d.Driver().Info()
	return 4 * info.Writers * min(info.Group, bareGroup)
}

// saveLeast is the least share of a bare program's rate that grouped saves
// should reach.
const saveLeast = 0.6

// savers are open sessions whose players keep being changed and saved.
type savers struct {
	r    *run
	name string // of the measurement
	db   *database
	srv  *session.Server
	ss   []*session.Session
	n    atomic.Int64 // saves so far
}

// saves measures durable saves per second: a field is changed, and the caller
// waits until the player's root is on disk.
func (r *run) saves() (figures []Figure, err error) {
	for _, c := range []struct {
		name   string
		retain *driver.Retention
		run    func(w *savers) (Figure, error)
	}{
		{"save.single", nil, func(w *savers) (Figure, error) { return w.grouped(1, false) }},
		{"save.concurrent", nil, func(w *savers) (Figure, error) { return w.grouped(64, false) }},
		{"save.grouped", nil, (*savers).many},
		{"save.clients", nil, (*savers).clients},
		{"save.history", &driver.Retention{}, func(w *savers) (Figure, error) { return w.grouped(w.db.manyWaiting(), true) }},
		{"save.snapshot", nil, (*savers).snapshot},
	} {
		if !r.wants(c.name) {
			continue
		}
		f, err := r.save(c.name, c.retain, c.run)
		if err != nil {
			return figures, fmt.Errorf("%s: %w", c.name, err)
		}
		f.Name = c.name
		figures = append(figures, f)
	}
	return figures, nil
}

// save opens all players in a database of their own, and measures with them.
func (r *run) save(name string, retain *driver.Retention, fn func(*savers) (Figure, error)) (f Figure, err error) {
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
	w := &savers{r: r, name: name, db: db, srv: srv}
	if w.ss, err = openAll(r.ctx, srv, r.sizes.players); err != nil {
		return f, err
	}
	return fn(w)
}

// many measures saves with many callers waiting.
func (w *savers) many() (Figure, error) {
	f, err := w.grouped(w.db.manyWaiting(), false)
	if err == nil && f.Yardstick != "" {
		f = f.ratioAtLeast(saveLeast)
	}
	return f, err
}

// grouped measures saves with so many callers waiting, beside a bare program
// that puts as many of them into one transaction as it can.
func (w *savers) grouped(waiting int, history bool) (f Figure, err error) {
	s := w.db.shapeOf(min(waiting, len(w.ss)))
	y, err := w.r.bareRate(w.name, w.db, s, func(b bare, worker int) error { return b.save(worker, s.group, history) })
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, y.discard()) }()
	return w.beside(waiting, &y, s.String())
}

// beside measures saves with so many callers waiting, in turns with a
// yardstick.
func (w *savers) beside(waiting int, y *yardstick, what string) (Figure, error) {
	m := w.db.meter
	commits, batches, appends := m.commits.Load(), m.batches.Load(), m.urgent.Load()
	p, err := alternate(w.r.sizes.rounds, func() (float64, error) { return w.round(waiting) }, y.rate)
	if err != nil {
		return Figure{}, err
	}
	commits, batches, appends = m.commits.Load()-commits, m.batches.Load()-batches, m.urgent.Load()-appends
	f := y.beside(Figure{Unit: "saves/s"}, what, p)
	return f.noted("%d waiting; %.0f saves in one commit, %.0f in one append", min(waiting, len(w.ss)),
		float64(batches)/float64(max(commits, 1)), float64(batches)/float64(max(appends, 1))), nil
}

// round lets so many callers change and save players of their own for one round
// and returns how many saves a second that were.
func (w *savers) round(waiting int) (float64, error) {
	waiting = min(waiting, len(w.ss))
	began, before := time.Now(), w.n.Load()
	err := repeat(waiting, w.r.sizes.round, func(caller, turn int) error {
		s := w.ss[own(len(w.ss), waiting, caller, turn)]
		if err := setCoins(s, w.n.Add(1), false); err != nil {
			return err
		}
		return s.Save(w.r.ctx)
	})
	return float64(w.n.Load()-before) / time.Since(began).Seconds(), err
}
