package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

const (
	// purchaseLeast is how many purchases a second a PostgreSQL server should
	// take in.
	purchaseLeast = 2000
	// purchaseStore begins the ids of the purchases that are measured with. No
	// other is touched.
	purchaseStore = kind + ":"
	// product is what is sold.
	product = "coins"
)

// purchasing is how many callers wait for their purchases, in the order of the
// figures.
var purchasing = []int{64, 256}

// shop is a server whose players buy, and the database that it stands on.
type shop struct {
	r       *run
	db      *database
	srv     *profile.Server
	book    *receipt.Book
	players []int // in the order in which they buy
	sold    atomic.Int64
}

// purchases measures how many purchases a second are granted to many players who
// are loaded, each with its record on disk.
func (r *run) purchases() (figures []Figure, err error) {
	const name = "purchase"
	db, err := r.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.emptyTill(context.WithoutCancel(r.ctx)), r.finish(db)) }()
	if err := db.emptyTill(r.ctx); err != nil { // of a measurement that was cut short
		return nil, err
	}
	srv, err := profile.Open(r.ctx, db.DB, schema, &profile.Options{Session: session.Options{Name: name}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.closeServer(srv)) }()
	s := &shop{r: r, db: db, srv: srv, players: shuffled(r.sizes.players)}
	if err := s.open(); err != nil {
		return nil, err
	}
	for _, waiting := range purchasing {
		f, err := s.measure(waiting)
		if err != nil {
			return figures, err
		}
		figures = append(figures, f)
	}
	return figures, nil
}

// emptyTill deletes the records of all purchases that were measured with.
func (d *database) emptyTill(ctx context.Context) error {
	from := store.SystemKey("receipt", purchaseStore)
	return d.DeleteRange(ctx, from, driver.After(from))
}

// open puts the product on sale, and loads the players.
func (s *shop) open() (err error) {
	s.book, err = receipt.New(s.srv, []receipt.Product{{
		Name: product, Grant: func(tx *profile.Tx, a *receipt.Award) error { return coins.Add(tx, a.Quantity) },
	}}, nil)
	if err != nil {
		return err
	}
	if err := seed(s.r.ctx, s.srv.Session(), 0, len(s.players), smallBag); err != nil {
		return err
	}
	return each(opening, len(s.players), func(i int) error {
		_, err := s.srv.Open(s.r.ctx, playerID(s.players[i]), nil)
		return err
	})
}

// measure lets so many callers buy, in turns with a bare program that notes a
// purchase and changes its player in a transaction for each.
func (s *shop) measure(waiting int) (f Figure, err error) {
	till := shape{1, 1}
	if s.db.isPostgres() {
		till.workers = singleClients
	}
	y, err := s.r.bareRate("purchase", s.db, till, func(b bare, worker int) error { return b.save(worker, 1, false) })
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, y.discard()) }()
	var took []time.Duration
	p, err := alternate(s.r.sizes.rounds, func() (float64, error) {
		all, rate, err := s.round(waiting)
		took = append(took, all...)
		return rate, err
	}, y.rate)
	if err != nil {
		return f, err
	}
	f = y.beside(Figure{Name: fmt.Sprintf("purchase.%d", waiting), Unit: "purchases/s"},
		fmt.Sprintf("one insert and one conditional update in each transaction, %d at once", till.workers), p)
	if s.db.isPostgres() {
		f = f.purchaseLimited()
	}
	return f.noted("%d waiting, %d players; p50 %.1f ms, p99 %.1f ms, longest %.1f ms", waiting, len(s.players),
		milliseconds(median(took)), milliseconds(quantile(took, 0.99)), milliseconds(quantile(took, 1))), nil
}

// purchaseLimited limits what was measured.
func (f Figure) purchaseLimited() Figure {
	return f.limited(fmt.Sprintf("at least %d %s", purchaseLeast, f.Unit), f.Value >= purchaseLeast)
}

// round lets so many callers buy for one round, and returns how long each purchase
// took and how many a second there were.
func (s *shop) round(waiting int) (took []time.Duration, rate float64, err error) {
	var mu sync.Mutex // guards took
	began := time.Now()
	err = repeat(waiting, s.r.sizes.round, func(int, int) error {
		asked := time.Now()
		if err := s.sell(); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		took = append(took, time.Since(asked))
		return nil
	})
	return took, float64(len(took)) / time.Since(began).Seconds(), err
}

// sell sells something to the player whose turn it is.
func (s *shop) sell() error {
	n := s.sold.Add(1)
	_, err := s.book.Grant(s.r.ctx, receipt.Purchase{
		ID: fmt.Sprintf("%s%d", purchaseStore, n), Product: product,
		Player: playerID(s.players[n%int64(len(s.players))]), Quantity: 1, At: time.Now(),
	})
	return err
}
