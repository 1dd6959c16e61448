package bench

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/session"
)

// leases are servers that share one store in one process, each with a lease,
// a player and a journal of its own.
type leases struct {
	r         *run
	db        *database
	srvs      []*session.Server
	ss        []*session.Session // one of each
	suspended atomic.Int64       // how often one was
}

// appendLeast is the least share of the appends that leases should make which
// counts as all of them: at both ends of the time one may be missing.
const appendLeast = 0.98

// appendFleet measures whether many leases in one process make an append every
// 50 ms each, as servers do whose players never rest. Each append is waited for,
// and the next begins when its time has come: a database that cannot follow
// shows as a lower rate.
func (r *run) appendFleet() (figures []Figure, err error) {
	db, err := r.open("append.fleet")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.finish(db)) }()
	l := &leases{r: r, db: db, srvs: make([]*session.Server, r.sizes.leases), ss: make([]*session.Session, r.sizes.leases)}
	defer func() { err = errors.Join(err, l.close()) }()
	if err := each(opening, len(l.srvs), l.open); err != nil {
		return nil, err
	}
	return l.measure()
}

// measure lets the leases append, between two rounds of a bare program that
// inserts as many appends in each transaction as a call carries at most.
func (l *leases) measure() (figures []Figure, err error) {
	group := min(bareGroup, len(l.srvs))
	y, err := l.r.bareRate("append-fleet", l.db, shape{1, group}, func(b bare, worker int) error { return b.insert(worker, group, 1) })
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, y.discard()) }()
	if _, err := l.round(l.r.sizes.watch / 5); err != nil { // it does not count
		return nil, err
	}
	before, err := y.once()
	if err != nil {
		return nil, err
	}
	seen, err := l.round(l.r.sizes.watch)
	if err != nil {
		return nil, err
	}
	after, err := y.once()
	if err != nil {
		return nil, err
	}
	f := seen.figure(len(l.srvs), l.suspended.Load())
	if bare := (before + after) / 2; bare > 0 {
		f = y.beside(f, fmt.Sprintf("inserts, %d in one transaction", group), pair{f.Value, bare, f.Value / bare})
	}
	return []Figure{f}, nil
}

// open starts the i-th server and opens its player.
func (l *leases) open(i int) (err error) {
	l.srvs[i], err = session.Open(l.r.ctx, l.db.DB, &session.Options{
		Name: fmt.Sprintf("fleet %d", i),
		Suspended: func(on bool) {
			if on {
				l.suspended.Add(1)
			}
		},
	})
	if err != nil {
		return err
	}
	if err := seed(l.r.ctx, l.srvs[i], i, i+1, smallBag); err != nil {
		return err
	}
	l.ss[i], err = l.srvs[i].Open(l.r.ctx, playerKey(i), nil)
	return err
}

func (l *leases) close() error {
	return each(opening, len(l.srvs), func(i int) error {
		if l.srvs[i] == nil {
			return nil
		}
		return l.r.closeServer(l.srvs[i])
	})
}

// watched is what was seen of leases in one round.
type watched struct {
	took    time.Duration
	answers []time.Duration // from an update to the answer to its append
	calls   int64           // to the database that carried appends
	carried int64           // appends and renewals in those
	flying  time.Duration   // that those took, one after another
	worked  time.Duration   // of processors, by this process
}

// round lets all leases append for d.
func (l *leases) round(d time.Duration) (w watched, err error) {
	m := l.db.meter
	calls, carried, flying, worked := m.urgent.Load(), m.carried.Load(), m.flying.Load(), processorTime()
	answers := make([][]time.Duration, len(l.ss))
	began := time.Now()
	err = together(len(l.ss), func(i int) (err error) {
		answers[i], err = l.play(i, began, d)
		return err
	})
	w.took, w.answers = time.Since(began), slices.Concat(answers...)
	w.calls, w.carried = m.urgent.Load()-calls, m.carried.Load()-carried
	w.flying, w.worked = time.Duration(m.flying.Load()-flying), processorTime()-worked
	return w, err
}

// play makes a durable update of the i-th player every 50 ms, at the lease's
// own place within that time. What comes late does not put off the next.
func (l *leases) play(i int, began time.Time, d time.Duration) (took []time.Duration, err error) {
	next := began.Add(appendEvery * time.Duration(i) / time.Duration(len(l.ss)))
	for n := int64(1); n == 1 || next.Before(began.Add(d)) && time.Since(began) < d; n++ {
		if err := l.r.sleep(time.Until(next)); err != nil {
			return nil, err
		}
		sent := time.Now()
		if err := setCoins(l.ss[i], n, true); err != nil {
			return nil, err
		}
		if err := l.ss[i].Sync(l.r.ctx); err != nil {
			return nil, err
		}
		took, next = append(took, time.Since(sent)), next.Add(appendEvery)
	}
	return took, nil
}

// figure judges what was seen of so many leases.
func (w *watched) figure(leases int, suspended int64) Figure {
	want := float64(leases) * float64(time.Second) / float64(appendEvery)
	rate := float64(len(w.answers)) / w.took.Seconds()
	held := rate >= want*appendLeast && suspended == 0
	f := Figure{Name: "append.fleet", Value: rate, Unit: "appends/s"}.
		limited(fmt.Sprintf("%.0f appends/s and no lease suspended", want), held)
	verdict := "held"
	if !held {
		verdict = "limited by " + w.limit()
	}
	return f.noted("%d leases over one store, each with a durable update every %v: %s; answered after p50 %.1f ms, p99 %.1f ms; "+
		"%.0f in one call of %.1f ms, calls under way %.0f%% of the time; this process used %.1f of %d processors; %d suspended",
		leases, appendEvery, verdict, milliseconds(median(w.answers)), milliseconds(quantile(w.answers, 0.99)),
		float64(w.carried)/float64(max(w.calls, 1)), milliseconds(w.flying)/float64(max(w.calls, 1)),
		100*w.flying.Seconds()/w.took.Seconds(), w.worked.Seconds()/w.took.Seconds(), runtime.NumCPU(), suspended)
}

// limit says what keeps the leases from appending more often.
func (w *watched) limit() string {
	switch {
	case w.flying >= w.took*9/10:
		return "the database's answers: calls that carry appends go one after another"
	case w.worked >= w.took*time.Duration(runtime.NumCPU())*8/10:
		return "this process's processors"
	}
	return "this process and the database's server by turns: neither is busy all the time, or they share processors"
}
