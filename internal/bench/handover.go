package bench

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// busy is how many players keep a server at work during a hand-over, busyEvery
// the time between two changes of one of them, and busySaves how many changes
// are saved together.
const (
	busy      = 200
	busyEvery = 2 * time.Millisecond
	busySaves = 20
)

// byBusMost is how long a hand-over by the bus may take, in milliseconds, where
// the database is a server that is reached over the network.
const byBusMost = 10

// handOverByBus measures how long it takes to open a player whom another
// server of this process holds, while both have other players to save, beside a
// bare commit under the same load.
func (r *run) handOverByBus() (figures []Figure, err error) {
	p, err := r.openPeers("handover.bus")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := seed(r.ctx, p.srvs[0], 0, 2*busy+1, smallBag); err != nil {
		return nil, err
	}
	stop, err := r.keepBusy(p.srvs[:]...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return p.hops()
}

// hops hands the last player to and fro, with a bare commit in between: one
// write of the same size, by the driver alone, to the same database under the
// same load.
func (p *peers) hops() (figures []Figure, err error) {
	var took, commits []time.Duration
	for i := range p.r.sizes.samples {
		began := time.Now()
		s, err := p.srvs[i%2].Open(p.r.ctx, playerKey(2*busy), nil)
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		if err := setCoins(s, int64(i), false); err != nil {
			return nil, err
		}
		began = time.Now()
		if err := bareCommit(p.r.ctx, p.db(0)); err != nil {
			return nil, err
		}
		commits = append(commits, time.Since(began))
	}
	took = took[1:] // the first was no hand-over
	p99, commit := milliseconds(quantile(took, 0.99)), milliseconds(median(commits))
	f := Figure{Name: "handover.bus", Unit: "ms"}.beside("median of one bare commit", pair{p99, commit, p99 / commit})
	if p.db(0).isPostgres() {
		f = f.atMost(byBusMost)
	} else {
		f = f.ratioAtMost(20)
	}
	return []Figure{f.noted("p99 with a bus; p50 %.2f ms, longest %.2f ms; p99 of a bare commit %.2f ms; %s",
		milliseconds(median(took)), milliseconds(quantile(took, 1)), milliseconds(quantile(commits, 0.99)), p.about())}, nil
}

// bareCommit writes one entry of a player's size.
func bareCommit(ctx context.Context, db *database) error {
	id, err := db.NewVersion()
	if err != nil {
		return err
	}
	_, err = db.Driver().Commit(ctx, driver.Group{Batches: []driver.Batch{{
		ID: id, Writes: []driver.Write{{Key: "bare", Mode: driver.Always, Value: make([]byte, 2<<10)}},
	}}})
	return err
}

// keepBusy gives servers players of their own who keep being changed and
// saved, until the function that it returns is called.
func (r *run) keepBusy(servers ...*session.Server) (stop func() error, err error) {
	ctx, cancel := context.WithCancel(r.ctx)
	var wg sync.WaitGroup
	var failed error
	var once sync.Once
	for n, srv := range servers {
		ss := make([]*session.Session, busy)
		for i := range ss {
			if ss[i], err = srv.Open(ctx, playerKey(n*busy+i), nil); err != nil {
				cancel()
				wg.Wait()
				return nil, err
			}
		}
		wg.Go(func() {
			if err := work(ctx, ss); err != nil {
				once.Do(func() { failed = err })
			}
		})
	}
	return func() error { cancel(); wg.Wait(); return failed }, nil
}

// work changes one session after another, and saves them, until ctx ends.
func work(ctx context.Context, ss []*session.Session) error {
	tick := time.NewTicker(busyEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		i := n % len(ss)
		if err := setCoins(ss[i], int64(n), false); err != nil {
			return err
		}
		if i%busySaves == busySaves-1 {
			session.SaveAllSoon(session.CauseAutosave, ss[i+1-busySaves:i+1]...)
		}
	}
}

// handOverByDatabase measures how long it takes to open a player whom another
// process holds, if the two have nothing in common but the database.
func (r *run) handOverByDatabase() (figures []Figure, err error) {
	const name = "handover.database"
	db, err := r.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.finish(db)) }()
	if !r.processes(db) {
		return skipped(alone, name, "handover.database.longest"), nil
	}
	srv, err := session.Open(r.ctx, db.DB, &session.Options{Name: name})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.closeServer(srv)) }()
	other, err := r.hire(name, roleHop)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, other.dismiss()) }()
	var took []time.Duration
	// Where a request waits for a renewal, time is up long before the samples.
	end := time.Now().Add(2 * r.sizes.watch)
	for i := 0; i == 0 || i < r.sizes.samples/4 && time.Now().Before(end); i++ {
		began := time.Now()
		s, err := srv.Open(r.ctx, playerKey(0), nil)
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		if err := setCoins(s, int64(i), false); err != nil {
			return nil, err
		}
		a, err := other.tell(order{Player: 0})
		if err != nil {
			return nil, err
		}
		took = append(took, a.Took)
	}
	return databaseFigures(took[1:], db.Driver().Info().Look > 0), nil
}

// databaseFigures limits what was measured: a database that is looked into often
// has a tight bound, and with any other a request is seen with a renewal, and
// its answer with a look.
func databaseFigures(took []time.Duration, looks bool) []Figure {
	p99, longest := milliseconds(quantile(took, 0.99)), milliseconds(quantile(took, 1))
	f := Figure{Name: "handover.database", Value: p99, Unit: "ms"}
	l := Figure{Name: "handover.database.longest", Value: longest, Unit: "ms"}
	if looks {
		f, l = f.atMost(50), l.atMost(1000).noted("the limit is the time from one renewal of a lease to the next")
	} else {
		l = l.atMost(1250).noted("the limit is the time from one renewal of a lease to the next, and a quarter of it for the look that finds the answer")
	}
	return []Figure{
		f.noted("p99 between two processes without a bus; p50 %.1f ms of %d", milliseconds(median(took)), len(took)),
		l,
	}
}
