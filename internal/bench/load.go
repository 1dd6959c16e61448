package bench

import (
	"errors"
	"time"

	"github.com/holdfast-games/holdfast/session"
)

// loads measures how many players a second are opened, with their lock and
// data, by many who wait. Closing them again is not measured.
func (r *run) loads() (figures []Figure, err error) {
	db, err := r.open("load")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.finish(db)) }()
	srv, err := session.Open(r.ctx, db.DB, &session.Options{Name: "load"})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.closeServer(srv)) }()
	if err := seed(r.ctx, srv, 0, r.sizes.players, smallBag); err != nil {
		return nil, err
	}
	s := db.shapeOf(min(db.manyWaiting(), r.sizes.players))
	y, err := r.bareRate("load", db, s, func(b bare, worker int) error { return b.load(worker, s.group) })
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, y.discard()) }()
	p, err := alternate(r.sizes.rounds, func() (float64, error) {
		began := time.Now()
		ss, err := openAll(r.ctx, srv, r.sizes.players)
		if err != nil {
			return 0, err
		}
		took := time.Since(began)
		return float64(len(ss)) / took.Seconds(), closeAll(r.ctx, ss)
	}, y.rate)
	if err != nil {
		return nil, err
	}
	f := y.beside(Figure{Name: "load", Unit: "loads/s"}, "read, and lock "+s.String(), p)
	return []Figure{f.noted("%d waiting", min(opening, r.sizes.players))}, nil
}
