// Package market is a game of traders, to find out whether trades create or destroy
// anything.
//
// Each trader has coins and unique goods, and counts his trades with each other
// trader. Whatever servers, databases and messages do meanwhile, afterwards there
// are as many coins as before, each good is in one place, any two traders have
// counted as many trades with each other, and those that were reported as done are
// among them. [Market.Check] compares.
package market

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/trade"
)

// The fields of a trader.
var (
	Coins  = profile.Int("coins", 0, profile.Min(0))
	Goods  = profile.Set("goods")
	With   = profile.Counters("with")
	Trader = profile.NewSchema("trader", Coins, Goods, With)
)

// Market is a number of traders, and what is known of their trades. Its methods may
// be called by several goroutines.
type Market struct {
	traders int
	each    int64 // coins of a trader at first

	mu    sync.Mutex
	sure  map[pair]int64 // trades that were reported as done
	maybe map[pair]int64 // trades of which nobody knew what became of them
}

// pair are two traders, the smaller number first.
type pair struct{ a, b int }

// goodsEach is how many goods a trader has at first.
const goodsEach = 2

// New returns a market of so many traders with so many coins each.
func New(traders int, coins int64) *Market {
	return &Market{traders: traders, each: coins, sure: make(map[pair]int64), maybe: make(map[pair]int64)}
}

// ID returns the id of a trader, by number from 0.
func ID(n int) string { return "t" + strconv.Itoa(n) }

// Stock gives every trader what he has at first.
func (m *Market) Stock(ctx context.Context, srv *profile.Server) error {
	return m.visitAll(ctx, srv, func(n int, p *profile.Profile) error {
		return p.Update(func(tx *profile.Tx) error {
			for i := range goodsEach {
				_ = Goods.Add(tx, good(n*goodsEach+i)) // a refusal fails the update
			}
			return Coins.Set(tx, m.each)
		})
	})
}

// Settle opens and closes every trader, so that nothing is left of servers that have
// crashed. It waits for them to be given up, and for living ones to hand over.
func (m *Market) Settle(ctx context.Context, srv *profile.Server) error {
	return m.visitAll(ctx, srv, func(_ int, p *profile.Profile) error { return p.Err() })
}

func (m *Market) visitAll(ctx context.Context, srv *profile.Server, fn func(n int, p *profile.Profile) error) error {
	const hands = 16
	errs := make([]error, hands)
	var all sync.WaitGroup
	for hand := range hands {
		all.Go(func() {
			for n := hand; n < m.traders && errs[hand] == nil; n += hands {
				errs[hand] = visit(ctx, srv, n, fn)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func visit(ctx context.Context, srv *profile.Server, n int, fn func(n int, p *profile.Profile) error) error {
	p, err := srv.Open(ctx, ID(n), nil)
	if err != nil {
		return err
	}
	if err := fn(n, p); err != nil {
		return err
	}
	return p.Close(ctx)
}

func good(n int) string { return "g" + strconv.Itoa(n) }

// errPoor is how a trade ends that somebody cannot pay.
var errPoor = errors.New("too few coins")

// Trade makes one trade by chance between two traders, or now and then three. That
// somebody is too poor is no error; nor is one that says that nothing happened, or
// that nobody knows.
func (m *Market) Trade(ctx context.Context, srv *profile.Server, dice *rand.Rand, o *trade.Options) {
	count := 2
	if dice.IntN(4) == 0 && m.traders > 2 {
		count = 3
	}
	who := m.pick(dice, count)
	ids := make([]string, count)
	for i, n := range who {
		ids[i] = ID(n)
	}
	price, pay := dice.Int64N(m.each/4+1), dice.IntN(8) > 0
	err := trade.Do(ctx, srv, ids, func(txs []*profile.Tx) error {
		return exchange(txs, who, price, pay)
	}, o)
	m.note(who, err)
}

func (m *Market) pick(dice *rand.Rand, count int) []int {
	var who []int
	for len(who) < count {
		if n := dice.IntN(m.traders); !slices.Contains(who, n) {
			who = append(who, n)
		}
	}
	return who
}

// exchange gives coins from each to the next, in a circle, and a good the other way.
func exchange(txs []*profile.Tx, who []int, price int64, pay bool) error {
	goods := make([]string, len(txs))
	for i, tx := range txs {
		if !pay || Coins.Get(tx) < price {
			return errPoor
		}
		for name := range Goods.Keys(tx) {
			goods[i] = name
			break
		}
	}
	for i, tx := range txs {
		next := (i + 1) % len(txs)
		last := (i + len(txs) - 1) % len(txs)
		_ = Coins.Add(tx, -price)
		_ = Coins.Add(txs[next], price)
		if goods[i] != "" {
			_ = Goods.Delete(tx, goods[i])
			_ = Goods.Add(txs[last], goods[i])
		}
		for j, other := range who {
			if j != i {
				_ = With.Add(tx, ID(other), 1)
			}
		}
	}
	return nil
}

// note keeps what was said of a trade.
func (m *Market) note(who []int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.sure
	switch {
	case err == nil:
	case errors.Is(err, profile.ErrUnknownOutcome) || errors.Is(err, profile.ErrNotDurable):
		known = m.maybe
	default:
		return
	}
	for i, a := range who {
		for _, b := range who[i+1:] {
			known[pair{min(a, b), max(a, b)}]++
		}
	}
}

// Count returns how many pairs have traded, as was reported, and of how many nobody
// knew.
func (m *Market) Count() (done, unknown int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.sure {
		done += n
	}
	for _, n := range m.maybe {
		unknown += n
	}
	return done, unknown
}

// Check reads all traders without their locks, and reports everything that is not
// as it must be. No trade may be under way, nor one whose outcome nobody knows: see
// Settle.
func (m *Market) Check(ctx context.Context, srv *profile.Server) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	books := make([]*profile.Copy, m.traders)
	for n := range books {
		c, err := srv.Peek(ctx, ID(n))
		if err != nil {
			return err
		}
		books[n] = c
	}
	return errors.Join(m.checkCoins(books), m.checkGoods(books), m.checkTrades(books))
}

func (m *Market) checkCoins(books []*profile.Copy) error {
	var sum int64
	for _, c := range books {
		sum += Coins.Get(c)
	}
	if want := m.each * int64(m.traders); sum != want {
		return fmt.Errorf("there are %d coins, want %d", sum, want)
	}
	return nil
}

func (m *Market) checkGoods(books []*profile.Copy) error {
	var errs []error
	owner := make(map[string]int)
	for n, c := range books {
		for name := range Goods.Keys(c) {
			if other, twice := owner[name]; twice {
				errs = append(errs, fmt.Errorf("good %s is at %s and at %s", name, ID(other), ID(n)))
			}
			owner[name] = n
		}
	}
	for i := range m.traders * goodsEach {
		if _, ok := owner[good(i)]; !ok {
			errs = append(errs, fmt.Errorf("good %s is gone", good(i)))
		}
	}
	return errors.Join(errs...)
}

func (m *Market) checkTrades(books []*profile.Copy) error {
	var errs []error
	for a, c := range books {
		for b := a + 1; b < len(books); b++ {
			p := pair{a, b}
			here, there := With.Get(c, ID(b)), With.Get(books[b], ID(a))
			switch sure, most := m.sure[p], m.sure[p]+m.maybe[p]; {
			case here != there:
				errs = append(errs, fmt.Errorf("%s counts %d trades with %s, who counts %d", ID(a), here, ID(b), there))
			case here < sure || here > most:
				errs = append(errs, fmt.Errorf("%s and %s have traded %d times, want %d to %d", ID(a), ID(b), here, sure, most))
			}
		}
	}
	return errors.Join(errs...)
}
