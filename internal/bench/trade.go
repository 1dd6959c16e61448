package bench

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/trade"
)

const (
	// hereLeast is the least share of the rate of grouped saves that trades on
	// one server should reach. Each changes two players.
	hereLeast = 0.25
	// acrossMost is how long a trade between two servers may take, in
	// milliseconds.
	acrossMost = 30
	// acrossPairs is how many pairs take turns in trading across: so no pair
	// waits for its own last trade, or has a history like no player's.
	acrossPairs = 200
)

// give is a trade: who has more gives a coin.
func give(txs []*profile.Tx) error {
	n := int64(1)
	if coins.Get(txs[0]) > coins.Get(txs[1]) {
		n = -1
	}
	return errors.Join(coins.Add(txs[0], n), coins.Add(txs[1], -n))
}

// market is one server whose players trade in pairs, while others, as many, are
// saved.
type market struct {
	r      *run
	db     *database
	srv    *profile.Server
	pairs  [][]string
	savers *savers
	trades atomic.Int64 // so far
}

// tradesHere measures how many trades a second are on disk of players who are
// loaded on one server, beside grouped saves on that server.
func (r *run) tradesHere() (figures []Figure, err error) {
	const name = "trade.here"
	db, err := r.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.finish(db)) }()
	srv, err := profile.Open(r.ctx, db.DB, schema, &profile.Options{Session: session.Options{Name: name}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.closeServer(srv)) }()
	m := &market{r: r, db: db, srv: srv}
	if err := m.fill(); err != nil {
		return nil, err
	}
	return m.measure()
}

// fill loads those who are saved, and after them those who trade.
func (m *market) fill() (err error) {
	n := m.r.sizes.players
	if err := seed(m.r.ctx, m.srv.Session(), 0, 2*n, smallBag); err != nil {
		return err
	}
	m.savers = &savers{r: m.r, db: m.db, srv: m.srv.Session()}
	if m.savers.ss, err = openAll(m.r.ctx, m.srv.Session(), n); err != nil {
		return err
	}
	order := shuffled(n)
	for i := 0; i+1 < n; i += 2 {
		m.pairs = append(m.pairs, []string{playerID(n + order[i]), playerID(n + order[i+1])})
	}
	return each(opening, 2*len(m.pairs), func(i int) error {
		_, err := m.srv.Open(m.r.ctx, m.pairs[i/2][i%2], nil)
		return err
	})
}

// measure lets trades and saves take turns, with as many callers waiting.
func (m *market) measure() ([]Figure, error) {
	waiting := min(m.db.manyWaiting(), len(m.pairs))
	appends := int64(0)
	p, err := alternate(m.r.sizes.rounds, func() (float64, error) {
		before := m.db.meter.urgent.Load()
		rate, err := m.round(waiting)
		appends += m.db.meter.urgent.Load() - before
		return rate, err
	}, func() (float64, error) { return m.savers.round(waiting) })
	if err != nil {
		return nil, err
	}
	return []Figure{hereFigure(p).noted("%d waiting, each with pairs of its own; %.0f trades in one append", waiting,
		float64(m.trades.Load())/float64(max(appends, 1)))}, nil
}

// hereFigure limits what was measured.
func hereFigure(p pair) Figure {
	return Figure{Name: "trade.here", Unit: "trades/s"}.beside("grouped saves on the same server, of one player each", p).ratioAtLeast(hereLeast)
}

// round lets so many callers trade for one round, each in pairs of its own, and
// returns how many trades a second that were.
func (m *market) round(waiting int) (float64, error) {
	began, before := time.Now(), m.trades.Load()
	err := repeat(waiting, m.r.sizes.round, func(caller, turn int) error {
		if err := trade.Do(m.r.ctx, m.srv, m.pairs[own(len(m.pairs), waiting, caller, turn)], give, nil); err != nil {
			return err
		}
		m.trades.Add(1)
		return nil
	})
	return float64(m.trades.Load()-before) / time.Since(began).Seconds(), err
}

// tradesAcross measures how long a trade takes between players of two servers,
// which make it by turns, while both have other players to save.
func (r *run) tradesAcross() (figures []Figure, err error) {
	t, err := r.openTrio("trade.across")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	two := t.srvs[:2] // the third has nobody, and is idle
	if err := seed(r.ctx, two[0].Session(), 0, 2*busy+2*acrossPairs, smallBag); err != nil {
		return nil, err
	}
	for i := range 2 * acrossPairs {
		if _, err := two[i%2].Open(r.ctx, playerID(2*busy+i), nil); err != nil {
			return nil, err
		}
	}
	stop, err := r.keepBusy(two[0].Session(), two[1].Session())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	var took, commits []time.Duration
	for i := range r.sizes.samples {
		a := 2*busy + 2*(i%acrossPairs)
		began := time.Now()
		if err := trade.Do(r.ctx, two[i%2], []string{playerID(a), playerID(a + 1)}, give, nil); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		began = time.Now()
		if err := bareCommit(r.ctx, t.dbs[0]); err != nil {
			return nil, err
		}
		commits = append(commits, time.Since(began))
	}
	return []Figure{acrossFigure(took, commits, t.name)}, nil
}

// acrossFigure limits what was measured.
func acrossFigure(took, commits []time.Duration, busName string) Figure {
	p99, commit := milliseconds(quantile(took, 0.99)), milliseconds(median(commits))
	return Figure{Name: "trade.across", Unit: "ms"}.beside("median of one bare commit", pair{p99, commit, p99 / commit}).atMost(acrossMost).
		noted("p99 between two servers in one process, until it is on disk; p50 %.2f ms, longest %.2f ms; p99 of a bare commit %.2f ms; bus: %s",
			milliseconds(median(took)), milliseconds(quantile(took, 1)), milliseconds(quantile(commits, 0.99)), busName)
}
