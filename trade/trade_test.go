package trade_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/trade"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestDo(t *testing.T) {
	t.Run("AmongPlayersOfThisServerIsOneAppend", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			x, y := w.load(a, "x"), w.load(a, "y")
			var keys []string
			a.f.Use(func(c *faulty.Call) faulty.Fault {
				keys = append(keys, c.Keys...)
				return faulty.Fault{}
			})
			w.trade(a, 30, "x", "y")
			a.f.Use()
			if len(keys) != 1 || !strings.HasPrefix(keys[0], "~journal/") {
				w.Errorf("the trade used the keys %q, want one append", keys)
			}
			w.has(x, 70)
			w.has(y, 130)
			a.crash()
			b := w.server("b", nil)
			w.has(w.load(b, "x"), 70)
			w.has(w.load(b, "y"), 130)
		})
	})
	t.Run("AmongPlayersOfThreeServers", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b, c := w.server("a", nil), w.server("b", nil), w.server("c", nil)
			x, y, z := w.load(a, "x"), w.load(b, "y"), w.load(c, "z")
			w.trade(a, 30, "x", "y", "z")
			w.stored(a, "x", 40)
			w.stored(a, "y", 130)
			w.stored(a, "z", 130)
			w.has(x, 40)
			w.trade(c, 5, "x", "y", "z")
			synctest.Wait() // until the news have reached the others
			w.has(x, 30)
			w.has(y, 135)
			w.has(z, 135)
		})
	})
	t.Run("OfOnePlayer", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.load(a, "x")
			w.load(b, "y")
			for _, id := range []string{"x", "y"} {
				err := trade.Do(w.ctx, a.Server, []string{id}, func(txs []*profile.Tx) error { return coins.Add(txs[0], 1) }, nil)
				if err != nil {
					w.Errorf("Do(%q) = %v", id, err)
				}
				w.stored(a, id, 101)
			}
		})
	})
	t.Run("AmongSeveralKinds", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.load(a, "x")
			guilds, err := b.With(guild)
			if err != nil {
				w.Fatal(err)
			}
			if _, err := guilds.Open(w.ctx, "x", nil); err != nil {
				w.Fatal(err)
			}
			here, err := a.With(guild)
			if err != nil {
				w.Fatal(err)
			}
			err = trade.Between(w.ctx, []profile.Party{{Server: a.Server, ID: "x"}, {Server: here, ID: "x"}}, func(txs []*profile.Tx) error {
				return errors.Join(coins.Add(txs[0], -40), gold.Add(txs[1], 40))
			}, nil)
			if err != nil {
				w.Fatalf("Between = %v", err)
			}
			w.stored(a, "x", 60)
			c, err := here.Peek(w.ctx, "x")
			if err != nil || gold.Get(c) != 40 {
				w.Errorf("Peek of the guild = %v, %v, want 40 gold", c, err)
			}
		})
	})
	t.Run("ThatChangesNothingWritesNothing", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.load(a, "x")
			y := w.load(b, "y")
			var had int64
			err := trade.Do(w.ctx, a.Server, []string{"x", "y"}, func(txs []*profile.Tx) error { had = coins.Get(txs[1]); return nil }, nil)
			if err != nil || had != 100 {
				w.Errorf("Do = %v, it read %d coins, want 100", err, had)
			}
			synctest.Wait()
			w.update(y, award)
		})
	})
	t.Run("LeavesTheReasonInTheHistory", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.load(a, "x")
			w.load(b, "y")
			if err := trade.Do(w.ctx, a.Server, []string{"x", "y"}, pay(1), &trade.Options{Reason: "a sword"}); err != nil {
				w.Fatal(err)
			}
			for _, id := range []string{"x", "y"} {
				vs, err := a.Session().Versions(w.ctx, player.Key(id))
				if err != nil {
					w.Fatal(err)
				}
				var reasons []string
				for _, v := range vs {
					view, err := a.Session().ReadVersion(w.ctx, player.Key(id), v.Version)
					if err != nil {
						w.Fatal(err)
					}
					reasons = append(reasons, view.Reason)
				}
				if !strings.Contains(strings.Join(reasons, ","), "a sword") {
					w.Errorf("the history of %q has the reasons %q, want the trade's", id, reasons)
				}
			}
		})
	})
	t.Run("CountsTrades", func(t *testing.T) {
		bubble(t, func(w *world) {
			r := prometheus.NewRegistry()
			m, err := trade.NewMetrics(r)
			if err != nil {
				w.Fatal(err)
			}
			if _, err := trade.NewMetrics(r); err == nil {
				w.Error("a second NewMetrics on one registry = nil error")
			}
			a := w.server("a", nil)
			w.load(a, "x")
			w.load(a, "y")
			o := &trade.Options{Metrics: m}
			_ = trade.Do(w.ctx, a.Server, []string{"x", "y"}, pay(1), o)
			_ = trade.Do(w.ctx, a.Server, []string{"x", "y"}, pay(1000), o)
			_ = trade.Do(w.ctx, a.Server, []string{"x", "nobody"}, pay(1), o)
			if n := testutil.CollectAndCount(r, "holdfast_trade_seconds"); n != 3 {
				w.Errorf("%d outcomes were counted, want done, refused and failed", n)
			}
		})
	})
}

func TestRefusals(t *testing.T) {
	sides := map[string][]string{"Here": {"x", "z"}, "Across": {"x", "y"}}
	for where, ids := range sides {
		for _, test := range []struct {
			name string
			fn   func([]*profile.Tx) error
			want error
		}{
			{"OwnError", func(txs []*profile.Tx) error { _ = coins.Add(txs[0], 1); return errSold }, errSold},
			{"RefusedWrite", func(txs []*profile.Tx) error { _ = coins.Add(txs[0], -1000); return nil }, profile.ErrRefused},
			{"OwnErrorThatLooksLikeOneOfOurs", func([]*profile.Tx) error { return profile.ErrBusy }, profile.ErrBusy},
		} {
			t.Run(test.name+where, func(t *testing.T) {
				bubble(t, func(w *world) {
					a, b := w.server("a", nil), w.server("b", nil)
					x := w.load(a, "x")
					w.load(a, "z")
					y := w.load(b, "y")
					calls := 0
					err := trade.Do(w.ctx, a.Server, ids, func(txs []*profile.Tx) error { calls++; return test.fn(txs) }, nil)
					if !errors.Is(err, test.want) || calls != 1 {
						w.Errorf("Do = %v after %d calls, want %v after one", err, calls, test.want)
					}
					synctest.Wait()
					w.has(x, 100)
					w.update(x, award)
					w.update(y, award)
				})
			})
		}
	}
	t.Run("SendingAcross", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.load(a, "x")
			w.load(b, "y")
			err := trade.Do(w.ctx, a.Server, []string{"x", "y"}, func(txs []*profile.Tx) error {
				_, _ = txs[1].Send(player.Key("x"), profile.Message{Topic: "gift"})
				return coins.Add(txs[0], 1)
			}, nil)
			if !errors.Is(err, profile.ErrNoOutbox) {
				w.Errorf("Do with a message = %v, want ErrNoOutbox", err)
			}
			w.stored(a, "x", 100)
		})
	})
	t.Run("PanicLetsGo", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			x, y := w.load(a, "x"), w.load(b, "y")
			func() {
				defer func() {
					if r := recover(); r != "oh" {
						w.Errorf("recovered %v, want the function's panic", r)
					}
				}()
				_ = trade.Do(w.ctx, a.Server, []string{"x", "y"}, func([]*profile.Tx) error { panic("oh") }, nil)
			}()
			synctest.Wait()
			w.update(x, award)
			w.update(y, award)
		})
	})
	t.Run("NoBus", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.load(b, "y")
			alone := w.serverWithoutBus("alone")
			w.load(a, "x")
			began := time.Now()
			err := trade.Do(w.ctx, alone, []string{"x", "y"}, pay(1), nil)
			if !errors.Is(err, profile.ErrElsewhere) || !errors.Is(err, profile.ErrNoBus) || time.Since(began) > 0 {
				w.Errorf("Do without a bus = %v after %v, want ErrElsewhere and ErrNoBus at once", err, time.Since(began))
			}
		})
	})
	t.Run("SilentServer", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			x := w.load(a, "x")
			w.load(b, "y")
			b.line.use(func([]byte) fate { return lost })
			began := time.Now()
			done := later(func() error { return trade.Do(w.ctx, a.Server, []string{"x", "y"}, pay(1), nil) })
			time.Sleep(1500 * time.Millisecond)
			w.update(x, award) // who is not held still for who does not answer
			err := <-done
			if !errors.Is(err, profile.ErrElsewhere) || !errors.Is(err, trade.ErrTime) || time.Since(began) > 6*time.Second {
				w.Errorf("Do = %v after %v, want ErrElsewhere and ErrTime after 5s", err, time.Since(began))
			}
			b.line.use(nil)
			w.trade(a, 1, "x", "y")
		})
	})
	t.Run("SuspendedServer", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			w.load(a, "x")
			w.load(a, "y")
			a.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}))
			time.Sleep(time.Minute)
			if err := trade.Do(w.ctx, a.Server, []string{"x", "y"}, pay(1), nil); !errors.Is(err, session.ErrSuspended) {
				w.Errorf("Do = %v, want ErrSuspended", err)
			}
		})
	})
	t.Run("ClosedServer", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			w.load(a, "x")
			w.load(a, "y")
			if _, err := a.Close(w.ctx); err != nil {
				w.Fatal(err)
			}
			if err := trade.Do(w.ctx, a.Server, []string{"x", "y"}, pay(1), nil); !errors.Is(err, session.ErrClosed) {
				w.Errorf("Do = %v, want ErrClosed", err)
			}
		})
	})
	t.Run("CancelledCaller", func(t *testing.T) {
		frozen(t, nil, func(w *world, _, b *host, _, _ *profile.Profile) {
			ctx, cancel := context.WithTimeout(w.ctx, time.Second)
			defer cancel()
			err := trade.Do(ctx, b.Server, []string{"x", "y"}, pay(1), nil)
			if !errors.Is(err, profile.ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
				w.Errorf("Do = %v, want ErrBusy and the caller's deadline", err)
			}
		})
	})
	t.Run("NotDurable", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			x, y := w.load(a, "x"), w.load(a, "y")
			a.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}))
			err := trade.Do(w.ctx, a.Server, []string{"x", "y"}, pay(1), nil)
			if !errors.Is(err, profile.ErrNotDurable) {
				w.Errorf("Do = %v, want ErrNotDurable", err)
			}
			a.heal()
			time.Sleep(time.Minute)
			w.has(x, 99)
			w.has(y, 101)
			w.stored(a, "y", 101)
		})
	})
	t.Run("InvalidOptions", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			b := w.server("b", nil)
			for name, call := range map[string]func() error{
				"Wait":         func() error { return trade.Do(w.ctx, a.Server, []string{"x"}, pay(1), &trade.Options{Wait: time.Hour}) },
				"NegativeWait": func() error { return trade.Do(w.ctx, a.Server, []string{"x"}, pay(1), &trade.Options{Wait: -1}) },
				"Nobody":       func() error { return trade.Do(w.ctx, a.Server, nil, pay(1), nil) },
				"TooMany":      func() error { return trade.Do(w.ctx, a.Server, make([]string, profile.MaxParties+1), pay(1), nil) },
				"EmptyID":      func() error { return trade.Do(w.ctx, a.Server, []string{""}, pay(1), nil) },
				"NoServer":     func() error { return trade.Do(w.ctx, nil, []string{"x"}, pay(1), nil) },
				"TwoServers": func() error {
					return trade.Between(w.ctx, []profile.Party{{Server: a.Server, ID: "x"}, {Server: b.Server, ID: "y"}}, pay(1), nil)
				},
			} {
				if err := call(); !errors.Is(err, driver.ErrInvalid) {
					w.Errorf("%s: %v, want ErrInvalid", name, err)
				}
			}
		})
	})
}

// TestCrossingTrades lets trades of all servers meet at the same players.
func TestCrossingTrades(t *testing.T) {
	for _, servers := range []int{2, 3} {
		t.Run(fmt.Sprintf("OfServers%d", servers), func(t *testing.T) {
			bubble(t, func(w *world) {
				var hosts []*host
				var ids []string
				var ps []*profile.Profile
				for i := range servers {
					id := string(rune('x' + i))
					h := w.server(id, nil)
					hosts, ids, ps = append(hosts, h), append(ids, id), append(ps, w.load(h, id))
				}
				began := time.Now()
				var all sync.WaitGroup
				for i, h := range hosts {
					turned := append(append([]string(nil), ids[i:]...), ids[:i]...)
					for range 10 {
						all.Go(func() {
							if err := trade.Do(w.ctx, h.Server, turned, pay(1), nil); err != nil {
								w.Errorf("Do(%q) = %v", turned, err)
							}
						})
					}
				}
				all.Wait()
				if took := time.Since(began); took > 2*time.Second {
					w.Errorf("%d crossing trades took %v", 10*servers, took)
				}
				time.Sleep(time.Second)
				for _, p := range ps {
					w.has(p, 100)
				}
			})
		})
	}
}

// TestManyCrossingTradesKeepTheirOrder would hang for as long as the trades wait if
// they froze the players in the order in which they name them.
func TestTradesThatNamePlayersTheOtherWayRound(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.server("a", nil), w.server("b", nil)
		w.load(a, "x")
		w.load(b, "y")
		a.line.use(all("freeze", held))
		one := later(func() error { return trade.Do(w.ctx, a.Server, []string{"x", "y"}, pay(1), nil) })
		began := time.Now()
		two := later(func() error { return trade.Do(w.ctx, b.Server, []string{"y", "x"}, pay(1), nil) })
		a.line.use(nil)
		a.line.release()
		for _, done := range []<-chan error{one, two} {
			if err := <-done; err != nil {
				w.Errorf("Do = %v", err)
			}
		}
		if took := time.Since(began); took > time.Second {
			w.Errorf("two crossing trades took %v, want them one after the other", took)
		}
	})
}
