package bench

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/session"
)

// appending is how many callers wait for their updates when many do.
const appending = 1024

// appends measures updates that wait until they are in the journal: how long
// one takes by itself, and how many a second there are when many wait.
func (r *run) appends() (figures []Figure, err error) {
	db, err := r.open("append")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.finish(db)) }()
	srv, err := session.Open(r.ctx, db.DB, &session.Options{Name: "append"})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.closeServer(srv)) }()
	n := min(appending, r.sizes.players)
	if err := seed(r.ctx, srv, 0, n, smallBag); err != nil {
		return nil, err
	}
	ss, err := openAll(r.ctx, srv, n)
	if err != nil {
		return nil, err
	}
	latency, err := r.appendLatency(db, ss[0])
	if err != nil {
		return nil, err
	}
	rate, err := r.appendRate(db, ss)
	return []Figure{latency, rate}, err
}

// appendLatency measures a durable update beside an insert.
func (r *run) appendLatency(db *database, s *session.Session) (f Figure, err error) {
	b, err := r.newBare("append", db, 0, 1)
	if err != nil {
		return f, err
	}
	y := yardstick{bare: b, name: db.bareName()}
	if b != nil {
		y.rate = func() (float64, error) { return r.latency(func(int) error { return b.insert(0, 1, 1) }) }
	}
	defer func() { err = errors.Join(err, y.discard()) }()
	p, err := alternate(r.sizes.rounds, func() (float64, error) {
		return r.latency(func(i int) error {
			if err := setCoins(s, int64(i), true); err != nil {
				return err
			}
			return s.Sync(r.ctx)
		})
	}, y.rate)
	if err != nil {
		return f, err
	}
	f = y.beside(Figure{Name: "append.latency", Unit: "µs"}, "one insert", p)
	return f.noted("median of a durable update that waits alone"), nil
}

// latency returns the median of how many microseconds fn takes.
func (r *run) latency(fn func(i int) error) (float64, error) {
	took := make([]time.Duration, r.sizes.samples)
	for i := range took {
		began := time.Now()
		if err := fn(i); err != nil {
			return 0, err
		}
		took[i] = time.Since(began)
	}
	return microseconds(median(took)), nil
}

// appendRate measures durable updates of many players beside inserts of appends
// that carry as many records.
func (r *run) appendRate(db *database, ss []*session.Session) (f Figure, err error) {
	y, err := r.bareRate("append-rate", db, shape{1, len(ss)}, func(b bare, worker int) error { return b.insert(worker, 1, len(ss)) })
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, y.discard()) }()
	var updates atomic.Int64
	appends := db.meter.urgent.Load()
	p, err := alternate(r.sizes.rounds, func() (float64, error) {
		began, before := time.Now(), updates.Load()
		err := repeat(len(ss), r.sizes.round, func(i, _ int) error {
			if err := setCoins(ss[i], updates.Add(1), true); err != nil {
				return err
			}
			return ss[i].Sync(r.ctx)
		})
		return float64(updates.Load()-before) / time.Since(began).Seconds(), err
	}, y.rate)
	if err != nil {
		return f, err
	}
	f = y.beside(Figure{Name: "append.concurrent", Unit: "updates/s"}, fmt.Sprintf("inserts of %d records", len(ss)), p)
	appends = db.meter.urgent.Load() - appends
	return f.noted("%d waiting; %.0f updates in one append", len(ss), float64(updates.Load())/float64(max(appends, 1))), nil
}
