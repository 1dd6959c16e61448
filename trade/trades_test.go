package trade_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/internal/market"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/trade"
)

// long is the time that a trade has which shall outlast the lease of a server that
// has crashed.
var long = &trade.Options{Wait: time.Minute}

// fuse crashes a server at its n-th step from now, which is a call to the database
// or a message to others: before it is made, or after it without the answer.
type fuse struct {
	mu    sync.Mutex
	left  int
	after bool
	burnt bool
}

func (f *fuse) burns() (now, dead bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.burnt {
		return false, true
	}
	f.left--
	f.burnt = f.left == 0
	return f.burnt, false
}

func (f *fuse) isBurnt() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.burnt
}

func (f *fuse) light(h *host) {
	h.f.Use(func(*faulty.Call) faulty.Fault {
		switch now, dead := f.burns(); {
		case dead || now && !f.after:
			return faulty.Fault{Err: faulty.ErrDown}
		case now:
			return faulty.Fault{Lost: true}
		}
		return faulty.Fault{}
	})
	h.line.use(func([]byte) fate {
		if now, dead := f.burns(); dead || now && !f.after {
			return lost
		}
		return sent
	})
}

// crashAt makes a trade in which one of the servers crashes at its n-th step, and
// reports whether it came to that step.
func crashAt(w *world, n int, after, owner bool) bool {
	a, b, c := w.server("a", nil), w.server("b", nil), w.server("c", nil)
	w.load(a, "x")
	y := w.load(b, "y")
	w.update(y, func(tx *profile.Tx) error { return coins.Add(tx, 1) })
	w.load(c, "z")
	victim := a
	if owner {
		victim = b
	}
	f := &fuse{left: n, after: after}
	f.light(victim)
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- trade.Do(ctx, a.Server, []string{"z", "x", "y"}, pay(30), long) }()
	for !f.isBurnt() && len(done) == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond) // the news of it are steps too
	burnt := f.isBurnt()
	switch {
	case !burnt:
		victim.heal()
	case owner:
		victim.crash()
	default:
		victim.crash()
		cancel()
	}
	err := <-done
	time.Sleep(10 * time.Second) // the last profile that stands still is let go by then
	w.allOrNothing(c, n, err, owner && burnt)
	return burnt
}

// allOrNothing checks what a crash at step n has left of a trade.
func (w *world) allOrNothing(c *host, n int, err error, owner bool) {
	w.Helper()
	have := fmt.Sprint(coins.Get(w.load(c, "x")), coins.Get(w.load(c, "y")), coins.Get(w.load(c, "z")))
	with, without := []string{"130 131 40"}, []string{"100 101 100"}
	if owner { // then what was not on disk before is lost
		with, without = append(with, "130 130 40"), append(without, "100 100 100")
	}
	switch {
	case err == nil && !slices.Contains(with, have):
		w.Errorf("step %d: Do = nil, and the players have %s, want %s", n, have, with)
	case err != nil && owner:
		w.Errorf("step %d: Do = %v, want nil when the other server's lease was over", n, err)
	case !slices.Contains(with, have) && !slices.Contains(without, have):
		w.Errorf("step %d: Do = %v, and the players have %s, want all or nothing", n, err, have)
	}
}

func TestTrades(t *testing.T) {
	t.Run("1CrashAtEveryStepOnEitherSide", func(t *testing.T) {
		for name, owner := range map[string]bool{"OfWhoMakesTheTrade": false, "OfWhoHasAPlayer": true} {
			for when, after := range map[string]bool{"BeforeIt": false, "AfterIt": true} {
				t.Run(name+when, func(t *testing.T) {
					n := 1
					for more := true; more && n < 100; n++ {
						bubble(t, func(w *world) { more = crashAt(w, n, after, owner) })
					}
					if n < 8 || n >= 100 {
						t.Errorf("the trade had %d steps, want a few", n)
					}
				})
			}
		}
	})
	t.Run("2OneSidesLockLostMeanwhile", func(t *testing.T) { bubble(t, lockLost) })
	t.Run("3OneItemOfferedInTwoTrades", func(t *testing.T) { bubble(t, offeredTwice) })
	t.Run("4Partner", testPartners)
	t.Run("5AnswerOfTheCommitLost", testAnswerLost)
	t.Run("6TotalsAreConserved", testTotals)
}

// exchanges accepts the commit of an exchange that writes a player's root together
// with another.
func exchanges(c *faulty.Call) bool {
	n := 0
	for _, k := range c.Keys {
		if strings.HasPrefix(k, "player/") {
			n++
		}
	}
	return c.Op == faulty.Commit && n > 1
}

// onExchange gives a fault to so many commits of exchanges.
func onExchange(f faulty.Fault, times int) faulty.Plan {
	return func(c *faulty.Call) faulty.Fault {
		if times == 0 || !exchanges(c) {
			return faulty.Fault{}
		}
		times--
		return f
	}
}

func lockLost(w *world) {
	a, b, c := w.server("a", nil), w.server("b", nil), w.server("c", nil)
	w.load(a, "x")
	w.load(b, "y")
	a.f.Use(onExchange(faulty.Fault{Hold: true}, 1))
	done := later(func() error { return trade.Do(w.ctx, a.Server, []string{"x", "y"}, pay(30), long) })
	if n := len(a.f.Waiting()); n != 1 {
		w.Fatalf("%d commits wait, want that of the exchange", n)
	}
	y, err := c.Open(w.ctx, "y", &profile.OpenOptions{Steal: "an operator's act"})
	if err != nil {
		w.Fatalf("steal: %v", err)
	}
	w.has(y, 100)
	a.f.ReleaseAll()
	if err := <-done; err != nil {
		w.Errorf("Do = %v, want nil in a further try", err)
	}
	synctest.Wait()
	w.has(y, 130)
	w.stored(c, "x", 70)
	w.stored(c, "y", 130)
}

// sell gives an item of the first to the second.
func sell(item string) func([]*profile.Tx) error {
	return func(txs []*profile.Tx) error {
		if !bag.Has(txs[0], item) {
			return errSold
		}
		if err := bag.Delete(txs[0], item); err != nil {
			return err
		}
		return bag.Add(txs[1], item)
	}
}

var errSold = errors.New("not there any more")

func offeredTwice(w *world) {
	a, b, c := w.server("a", nil), w.server("b", nil), w.server("c", nil)
	x, y, z := w.load(a, "x"), w.load(b, "y"), w.load(c, "z")
	w.update(x, func(tx *profile.Tx) error { return bag.Add(tx, "sword") })
	first := make(chan error, 1)
	go func() { first <- trade.Do(w.ctx, b.Server, []string{"x", "y"}, sell("sword"), nil) }()
	second := trade.Do(w.ctx, c.Server, []string{"x", "z"}, sell("sword"), nil)
	errs := []error{<-first, second}
	time.Sleep(time.Second)
	got := fmt.Sprint(bag.Has(x, "sword"), bag.Has(y, "sword"), bag.Has(z, "sword"))
	switch {
	case errs[0] == nil && errs[1] == errSold && got == "false true false":
	case errs[1] == nil && errs[0] == errSold && got == "false false true":
	default:
		w.Errorf("Do = %v and %v, the sword is at x, y, z: %s; want it sold once", errs[0], errs[1], got)
	}
}

func testPartners(t *testing.T) {
	t.Run("Offline", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			x := w.load(a, "x")
			if err := w.load(a, "y").Close(w.ctx); err != nil {
				w.Fatal(err)
			}
			w.trade(a, 30, "x", "y")
			w.has(x, 70)
			time.Sleep(time.Second)
			if _, ok := a.Profile("y"); ok {
				w.Error("y is still open after the trade")
			}
			w.stored(a, "y", 130)
		})
	})
	t.Run("OfflineAndJoiningMeanwhile", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.load(a, "x")
			w.load(b, "z")
			if err := w.load(a, "y").Close(w.ctx); err != nil {
				w.Fatal(err)
			}
			a.f.Use(onExchange(faulty.Fault{Hold: true}, 1))
			done := later(func() error { return trade.Do(w.ctx, a.Server, []string{"x", "y", "z"}, pay(10), nil) })
			y := w.load(a, "y")
			a.f.ReleaseAll()
			if err := <-done; err != nil {
				w.Errorf("Do = %v", err)
			}
			time.Sleep(time.Second)
			w.has(y, 110)
			w.update(y, func(tx *profile.Tx) error { return coins.Add(tx, 1) })
		})
	})
	t.Run("OfflineAndJoiningElsewhereMeanwhile", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.load(a, "x")
			if err := w.load(a, "y").Close(w.ctx); err != nil {
				w.Fatal(err)
			}
			reads := 0
			a.f.Use(func(c *faulty.Call) faulty.Fault {
				if c.Op == faulty.Read && slices.Contains(c.Keys, "player/y") {
					reads++
				}
				return faulty.Fault{Hold: reads == 2} // the first has seen nobody there
			})
			done := later(func() error { return trade.Do(w.ctx, a.Server, []string{"x", "y"}, pay(30), nil) })
			y := w.load(b, "y")
			a.heal()
			if err := <-done; err != nil {
				w.Errorf("Do = %v", err)
			}
			synctest.Wait()
			if _, over := y.Ended(); over {
				w.Error("the trade took the player from the server that he had joined")
			}
			w.has(y, 130)
		})
	})
	t.Run("OfflineInTwoTradesAtOnce", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			w.load(a, "x")
			w.load(a, "z")
			if err := w.load(a, "y").Close(w.ctx); err != nil {
				w.Fatal(err)
			}
			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() {
					ids := []string{"x", "y"}
					if i%2 == 0 {
						ids[0] = "z"
					}
					if err := trade.Do(w.ctx, a.Server, ids, pay(1), nil); err != nil {
						w.Errorf("Do = %v", err)
					}
				})
			}
			all.Wait()
			w.stored(a, "y", 120)
		})
	})
	t.Run("Loading", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.load(a, "x")
			if err := w.load(b, "y").Close(w.ctx); err != nil {
				w.Fatal(err)
			}
			b.f.Use(faulty.Naming("player/y", faulty.Fault{HoldAnswer: true}))
			opened := later(func() error { _, err := b.Open(w.ctx, "y", nil); return err })
			done := later(func() error { return trade.Do(w.ctx, a.Server, []string{"x", "y"}, pay(30), nil) })
			time.Sleep(time.Second)
			b.f.Use()
			b.f.ReleaseAll()
			if err := <-opened; err != nil {
				w.Errorf("Open = %v", err)
			}
			if err := <-done; err != nil {
				w.Errorf("Do = %v", err)
			}
			w.stored(a, "y", 130)
		})
	})
	t.Run("Leaving", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.load(a, "x")
			y := w.load(b, "y")
			w.update(y, func(tx *profile.Tx) error { return coins.Add(tx, 1) })
			b.f.Use(faulty.Naming("player/y", faulty.Fault{HoldAnswer: true}))
			left := later(func() error { return y.Close(w.ctx) })
			done := later(func() error { return trade.Do(w.ctx, a.Server, []string{"x", "y"}, pay(30), nil) })
			time.Sleep(time.Second)
			b.f.Use()
			b.f.ReleaseAll()
			if err := <-left; err != nil {
				w.Errorf("Close = %v", err)
			}
			if err := <-done; err != nil {
				w.Errorf("Do = %v", err)
			}
			w.stored(a, "x", 70)
			w.stored(a, "y", 131)
		})
	})
	t.Run("LeavingWhileFrozen", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.load(a, "x")
			y := w.load(b, "y")
			a.f.Use(onExchange(faulty.Fault{Hold: true}, 1))
			done := later(func() error { return trade.Do(w.ctx, a.Server, []string{"x", "y"}, pay(30), nil) })
			left := later(func() error { return y.Close(w.ctx) })
			a.f.ReleaseAll()
			if err := <-done; err != nil {
				w.Errorf("Do = %v", err)
			}
			if err := <-left; err != nil {
				w.Errorf("Close = %v", err)
			}
			w.has(w.load(a, "y"), 130)
		})
	})
	t.Run("HandedOverWhileFrozen", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b, c := w.server("a", nil), w.server("b", nil), w.server("c", nil)
			w.load(a, "x")
			w.load(b, "y")
			a.f.Use(onExchange(faulty.Fault{Hold: true}, 1))
			done := later(func() error { return trade.Do(w.ctx, a.Server, []string{"x", "y"}, pay(30), nil) })
			opened := make(chan *profile.Profile, 1)
			go func() { opened <- w.load(c, "y") }()
			time.Sleep(time.Second)
			a.f.ReleaseAll()
			if err := <-done; err != nil {
				w.Errorf("Do = %v", err)
			}
			w.has(<-opened, 130)
		})
	})
	t.Run("WhoDoesNotExist", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			w.load(a, "x")
			w.refuses(a, session.ErrNotFound, "x", "nobody")
			if _, err := a.Peek(w.ctx, "nobody"); !errors.Is(err, session.ErrNotFound) {
				w.Errorf("Peek of who was traded with in vain = %v, want ErrNotFound", err)
			}
		})
	})
	t.Run("NamedTwice", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			w.load(a, "x")
			err := w.refuses(a, driver.ErrInvalid, "x", "y", "x")
			if !strings.Contains(fmt.Sprint(err), "player/x is named twice") {
				w.Errorf("Do = %v, want it to say who is named twice", err)
			}
		})
	})
	t.Run("Damaged", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			w.load(a, "x")
			w.plant("player/y", `"data":{"coins":"many"}`)
			w.refuses(a, profile.ErrErrored, "x", "y")
		})
	})
	t.Run("Erased", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			w.load(a, "x")
			w.plant("player/y", `"erased":true`)
			w.refuses(a, session.ErrErased, "x", "y")
		})
	})
}

// refuses wants a trade to fail with an error, and nothing to happen.
func (w *world) refuses(h *host, want error, ids ...string) error {
	w.Helper()
	err := trade.Do(w.ctx, h.Server, ids, pay(30), nil)
	if !errors.Is(err, want) {
		w.Errorf("Do(%q) = %v, want %v", ids, err, want)
	}
	w.stored(h, ids[0], 100)
	return err
}

// plant writes a root behind the servers' backs.
func (w *world) plant(key, members string) {
	w.Helper()
	id, err := driver.NewVersion(time.Now(), strings.NewReader("0123456789"))
	if err != nil {
		w.Fatal(err)
	}
	_, err = w.db.Commit(w.ctx, driver.Group{Batches: []driver.Batch{{
		ID: id, Writes: []driver.Write{{Key: key, Mode: driver.Always, Value: fmt.Appendf(nil, `{"format":1,"birth":%q,"revision":1,%s}`, id, members)}},
	}}})
	if err != nil {
		w.Fatalf("write %q: %v", key, err)
	}
}

func testAnswerLost(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault faulty.Fault
		times int
		happy bool // the trade happens all the same
	}{
		{"Once", faulty.Fault{Lost: true}, 1, true},
		{"ThatWasNotMade", faulty.Fault{Err: faulty.ErrDown}, 2, true},
		{"ForEver", faulty.Fault{Lost: true}, -1, true},
		{"ForEverThatWasNotMade", faulty.Fault{Err: faulty.ErrDown}, -1, false},
	} {
		for kind, ids := range map[string][]string{"WithOneHere": {"x", "y"}, "AllElsewhere": {"z", "y"}} {
			t.Run(test.name+kind, func(t *testing.T) {
				bubble(t, func(w *world) {
					a, b, c := w.server("a", nil), w.server("b", nil), w.server("c", nil)
					x, y, z := w.load(a, "x"), w.load(b, "y"), w.load(c, "z")
					a.f.Use(onExchange(test.fault, test.times))
					err := trade.Do(w.ctx, a.Server, ids, pay(30), nil)
					w.outcome(a, err, test.happy)
					time.Sleep(time.Minute)
					sum := coins.Get(x) + coins.Get(y) + coins.Get(z)
					if sum != 300 {
						w.Errorf("there are %d coins, want 300", sum)
					}
					if test.happy {
						w.has(y, 130)
					} else {
						w.has(y, 100)
					}
					for _, p := range []*profile.Profile{x, y, z} {
						w.update(p, func(tx *profile.Tx) error { return coins.Add(tx, 1) }, profile.Durable(w.ctx))
						if err := p.Save(w.ctx); err != nil {
							w.Errorf("Save of %v after it: %v", p.Key(), err)
						}
					}
				})
			})
		}
	}
}

// outcome wants what a trade returned to be true.
func (w *world) outcome(h *host, err error, happened bool) {
	w.Helper()
	var unknown *profile.OutcomeError
	switch {
	case err == nil && happened:
	case errors.As(err, &unknown):
		got, err := unknown.Find(w.ctx, h.Server)
		if err != nil || got != happened {
			w.Errorf("Find = %v, %v, want %v", got, err, happened)
		}
	case err == nil || happened || !errors.Is(err, trade.ErrTime):
		w.Errorf("Do = %v, want a trade that has happened: %v", err, happened)
	}
}

// soak says that there is time for everything.
var soak = os.Getenv("HOLDFAST_SOAK") != ""

func testTotals(t *testing.T) {
	t.Run("WithCrashesAndLostMessages", func(t *testing.T) {
		want := int64(1500)
		if soak {
			want = 1_000_000
		}
		for traded, i := int64(0), 1; traded < want && !t.Failed(); i++ {
			seed := rand.Uint64()
			t.Run(fmt.Sprintf("Round%d", i), func(t *testing.T) {
				t.Logf("seed %d", seed)
				bubble(t, func(w *world) { traded += storm(w, seed) })
				t.Logf("%d of %d", traded, want)
			})
		}
	})
}

// storm makes some hundred trades among few traders of three servers, of which each
// crashes now and then, while calls to the database and messages fail. It returns how
// many pairs have traded.
func storm(w *world, seed uint64) int64 {
	const traders, hands, each = 8, 4, 40
	m := market.New(traders, 1000)
	first := w.market("stock")
	if err := m.Stock(w.ctx, first.Server); err != nil {
		w.Fatalf("Stock: %v", err)
	}
	dice := rand.New(rand.NewPCG(seed, 0))
	var all sync.WaitGroup
	for s := range 3 {
		h := w.market(fmt.Sprint("s", s))
		w.weather(h, dice.Uint64())
		all.Go(func() { w.life(h, m, rand.New(rand.NewPCG(seed, uint64(s+1))), hands, each) })
	}
	all.Wait()
	if err := m.Settle(w.ctx, first.Server); err != nil {
		w.Errorf("seed %d: Settle: %v", seed, err)
	}
	if err := m.Check(w.ctx, first.Server); err != nil {
		w.Errorf("seed %d: %v", seed, err)
	}
	done, unknown := m.Count()
	w.Logf("%d pairs have traded, of %d nobody knew", done, unknown)
	if done < 10 {
		w.Errorf("seed %d: only %d pairs have traded", seed, done)
	}
	return done
}

// weather has calls and messages of a server fail by chance.
func (w *world) weather(h *host, seed uint64) {
	h.f.Use(faulty.Random(seed, 0.02, 0.02))
	dice := rand.New(rand.NewPCG(seed, 1))
	h.line.use(func([]byte) fate {
		switch x := dice.Float64(); {
		case x < 0.03:
			return lost
		case x < 0.06:
			return doubled
		case x < 0.08:
			return held
		}
		return sent
	})
}

// life is what happens on one server: some of the traders are open there, a few
// hands trade, it crashes now and then, and another one takes its place.
func (w *world) life(h *host, m *market.Market, dice *rand.Rand, hands, each int) {
	for range 3 {
		ctx, cancel := context.WithCancel(w.ctx)
		var all sync.WaitGroup
		for range hands {
			mine := rand.New(rand.NewPCG(dice.Uint64(), 0))
			all.Go(func() {
				for range each / 3 {
					if ctx.Err() != nil {
						return
					}
					if mine.IntN(3) == 0 {
						w.visit(ctx, h, market.ID(mine.IntN(8)))
					}
					m.Trade(ctx, h.Server, mine, &trade.Options{Wait: 10 * time.Second})
				}
			})
		}
		time.Sleep(time.Duration(dice.Int64N(int64(20 * time.Second))))
		if dice.IntN(2) == 0 {
			h.crash()
			cancel()
		}
		h.line.release()
		all.Wait()
		cancel()
		if h.dead {
			h = w.market("again")
			w.weather(h, dice.Uint64())
		}
	}
	h.heal()
}

// visit opens a trader, as a player who joins.
func (w *world) visit(ctx context.Context, h *host, id string) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, _ = h.Open(ctx, id, nil)
}
