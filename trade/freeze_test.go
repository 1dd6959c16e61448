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

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/trade"
)

// frozen has x on a and y on b, which are held still while a trade of a's waits for
// the database, and calls fn meanwhile. Then the trade goes on.
func frozen(t *testing.T, o *profile.Options, fn func(w *world, a, b *host, x, y *profile.Profile)) {
	t.Helper()
	bubble(t, func(w *world) {
		a, b := w.server("a", o), w.server("b", o)
		x, y := w.load(a, "x"), w.load(b, "y")
		a.f.Use(onExchange(faulty.Fault{Hold: true}, 1))
		done := later(func() error { return trade.Do(w.ctx, a.Server, []string{"x", "y"}, pay(30), nil) })
		fn(w, a, b, x, y)
		a.heal()
		if err := <-done; err != nil {
			w.Errorf("Do = %v", err)
		}
		synctest.Wait()
		w.has(x, 70)
		w.has(y, 130)
	})
}

func award(tx *profile.Tx) error { return idle.Add(tx, 1) }

func TestFrozenPlayers(t *testing.T) {
	t.Run("AreRead", func(t *testing.T) {
		frozen(t, nil, func(w *world, _, _ *host, x, y *profile.Profile) {
			w.has(x, 100)
			w.has(y, 100)
			y.View(func(r profile.Reader) { _ = coins.Get(r) })
		})
	})
	t.Run("AreUpdatedAfterTheTrade", func(t *testing.T) {
		o := &profile.Options{FreezeLimit: time.Second}
		frozen(t, o, func(w *world, a, _ *host, x, y *profile.Profile) {
			began := time.Now()
			one := later(func() error { return y.Update(award) })
			two := later(func() error {
				return profile.UpdateAll([]*profile.Profile{x}, func([]*profile.Tx) error { return nil })
			})
			time.Sleep(300 * time.Millisecond)
			a.heal()
			for _, done := range []<-chan error{one, two} {
				if err := <-done; err != nil {
					w.Errorf("update of a frozen player = %v, want it to wait", err)
				}
			}
			if took := time.Since(began); took < 300*time.Millisecond {
				w.Errorf("the updates took %v, want them to wait for the trade", took)
			}
		})
	})
	for _, test := range []struct{ limit, want time.Duration }{
		{0, 100 * time.Millisecond}, {20 * time.Millisecond, 20 * time.Millisecond}, {-1, 0},
	} {
		t.Run(fmt.Sprintf("StallUpdatesFor%vAtMost", test.want), func(t *testing.T) {
			o := &profile.Options{FreezeLimit: test.limit}
			frozen(t, o, func(w *world, _, _ *host, x, y *profile.Profile) {
				for _, p := range []*profile.Profile{x, y} {
					began := time.Now()
					err := p.Update(func(*profile.Tx) error { w.Error("the update was made"); return nil })
					if took := time.Since(began); !errors.Is(err, profile.ErrBusy) || took != test.want {
						w.Errorf("Update = %v after %v, want ErrBusy after %v", err, took, test.want)
					}
				}
				began := time.Now()
				err := profile.UpdateAll([]*profile.Profile{x}, func([]*profile.Tx) error { return nil })
				if took := time.Since(began); !errors.Is(err, profile.ErrBusy) || took != test.want {
					w.Errorf("UpdateAll = %v after %v, want ErrBusy after %v", err, took, test.want)
				}
			})
		})
	}
	t.Run("AreNotLockedWhileAnUpdateWaits", func(t *testing.T) {
		frozen(t, nil, func(w *world, _, _ *host, _, y *profile.Profile) {
			done := later(func() error { return y.Update(award) })
			w.has(y, 100) // else the bubble ends in a deadlock
			if err := <-done; !errors.Is(err, profile.ErrBusy) {
				w.Errorf("Update = %v, want ErrBusy", err)
			}
		})
	})
	t.Run("LetTheGameHaveItsLastWord", func(t *testing.T) {
		var last error
		o := &profile.Options{OnRelease: func(_ context.Context, p *profile.Profile) { last = p.Update(award) }}
		frozen(t, o, func(w *world, a, _ *host, _, y *profile.Profile) {
			left := later(func() error { return y.Close(w.ctx) })
			time.Sleep(time.Second)
			a.heal()
			if err := <-left; err != nil || last != nil {
				w.Errorf("Close = %v, Update in OnRelease = %v", err, last)
			}
			c, err := a.Peek(w.ctx, "y")
			if err != nil || idle.Get(c) != 1 {
				w.Errorf("Peek = %v, %v, want what OnRelease did", c, err)
			}
		})
	})
}

func TestLimitsAreChecked(t *testing.T) {
	bubble(t, func(w *world) {
		st := w.server("a", nil).Session().DB()
		for _, o := range []profile.Options{
			{FreezeLimit: time.Minute}, {FreezePatience: time.Millisecond}, {FreezePatience: time.Hour},
		} {
			if _, err := profile.Open(w.ctx, st, player, &o); !errors.Is(err, driver.ErrInvalid) {
				w.Errorf("Open(%+v) = %v, want ErrInvalid", o, err)
			}
		}
	})
}

// TestTheOwner looks at what a trade does on the server that has a player.
func TestTheOwner(t *testing.T) {
	t.Run("TellsListenersAndCountsTheRevision", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.load(a, "x")
			y := w.load(b, "y")
			w.update(y, func(tx *profile.Tx) error { return bag.Add(tx, "shield") })
			var told []string
			y.OnChange(func(c profile.Change) { told = append(told, fmt.Sprintf("%v %s→%s", c.Path, c.Old, c.New)) })
			before := y.Revision()
			err := trade.Do(w.ctx, a.Server, []string{"y", "x"}, func(txs []*profile.Tx) error {
				return errors.Join(sell("shield")(txs), bag.Add(txs[0], "sword"), coins.Add(txs[0], 5))
			}, nil)
			if err != nil {
				w.Fatalf("Do = %v", err)
			}
			synctest.Wait()
			if got, want := fmt.Sprint(told), "[bag/shield true→ bag/sword →true coins →105]"; got != want {
				w.Errorf("listeners were told %s, want %s", got, want)
			}
			if got := y.Revision(); got != before+1 {
				w.Errorf("Revision = %d, want %d", got, before+1)
			}
			if !bag.Has(y, "sword") || bag.Has(y, "shield") || coins.Get(y) != 105 {
				w.Error("the fields are not what the trade made of them")
			}
			if err := profile.VerifyUnchanged(y); err != nil {
				w.Error(err)
			}
			c, err := a.Peek(w.ctx, "y")
			if err != nil || c.Revision() != before+1 {
				w.Errorf("Peek: %v, revision %d, want %d", err, c.Revision(), before+1)
			}
		})
	})
	t.Run("GoesOnIfItHearsNothing", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", &profile.Options{FreezePatience: 300 * time.Millisecond})
			w.load(a, "x")
			y := w.load(b, "y")
			a.line.use(all("thaw", lost))
			err := trade.Do(w.ctx, a.Server, []string{"x", "y"}, func([]*profile.Tx) error { return errSold }, nil)
			if err != errSold {
				w.Fatalf("Do = %v, want its own error", err)
			}
			if err := y.Update(award); !errors.Is(err, profile.ErrBusy) {
				w.Errorf("Update = %v, want ErrBusy until the patience ends", err)
			}
			time.Sleep(300 * time.Millisecond)
			w.update(y, award)
			a.line.use(nil)
			w.trade(a, 30, "x", "y")
		})
	})
	t.Run("FindsOutIfTheNewsAreLost", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.load(a, "x")
			y := w.load(b, "y")
			a.line.use(all("thaw", lost))
			w.trade(a, 30, "x", "y")
			w.has(y, 100)
			time.Sleep(6 * time.Second)
			w.has(y, 130)
			w.update(y, award)
		})
	})
	t.Run("DoesNotTrustStaleNews", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.load(a, "x")
			y := w.load(b, "y")
			a.line.use(all("thaw", held))
			w.trade(a, 30, "x", "y") // whose news will come late
			time.Sleep(6 * time.Second)
			w.has(y, 130)
			a.f.Use(onExchange(faulty.Fault{Hold: true}, 1))
			done := later(func() error { return trade.Do(w.ctx, a.Server, []string{"x", "y"}, pay(1), nil) })
			a.line.use(nil)
			a.line.release()
			synctest.Wait()
			if err := y.Update(award); !errors.Is(err, profile.ErrBusy) {
				w.Errorf("Update = %v, want ErrBusy: news of an older trade let the player go", err)
			}
			a.heal()
			if err := <-done; err != nil {
				w.Errorf("Do = %v", err)
			}
		})
	})
	t.Run("StaysStillWhileTheOutcomeIsUnknown", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.load(a, "x")
			y := w.load(b, "y")
			a.line.use(all("thaw", lost))
			b.f.Use(faulty.Naming("player/y", faulty.Fault{Err: faulty.ErrDown}))
			if err := trade.Do(w.ctx, a.Server, []string{"x", "y"}, func([]*profile.Tx) error { return errSold }, nil); err != errSold {
				w.Fatalf("Do = %v, want its own error", err)
			}
			time.Sleep(time.Minute)
			if err := y.Update(award); !errors.Is(err, profile.ErrBusy) {
				w.Errorf("Update = %v, want ErrBusy", err)
			}
			b.heal()
			time.Sleep(time.Minute)
			w.update(y, award)
		})
	})
	t.Run("KeepsWhatItDidBeforeAndAfter", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.load(a, "x")
			y := w.load(b, "y")
			w.update(y, func(tx *profile.Tx) error { return idle.Add(tx, 7) })
			w.trade(a, 30, "x", "y")
			synctest.Wait()
			w.update(y, func(tx *profile.Tx) error { return coins.Add(tx, 1) }, profile.Durable(w.ctx))
			b.crash()
			y = w.load(a, "y")
			w.has(y, 131)
			if got := idle.Get(y); got != 7 {
				w.Errorf("idle = %d, want 7: a freeze saves lazy fields", got)
			}
		})
	})
}

// Fields of another generation of the game: one has a field under another type, one
// has two texts that fill a document.
var (
	oldCoins = profile.String("coins", "")
	oldKind  = profile.NewSchema("player", oldCoins)

	left  = profile.String("left", "")
	right = profile.String("right", "")
	texts = profile.NewSchema("texts", left, right)
)

func TestTheOwnerAdopts(t *testing.T) {
	t.Run("ChangesThatFitOnlyTogether", func(t *testing.T) {
		bubble(t, func(w *world) {
			o := &profile.Options{Session: session.Options{Limits: document.Limits{Size: 100}}}
			a, b := w.serverOf(texts, "a", o), w.serverOf(texts, "b", o)
			y := w.load(b, "y")
			long, short := strings.Repeat("l", 60), strings.Repeat("s", 5)
			set := func(l, r string) func(tx *profile.Tx) error {
				return func(tx *profile.Tx) error { return errors.Join(right.Set(tx, r), left.Set(tx, l)) }
			}
			w.update(y, set(short, long))
			err := trade.Do(w.ctx, a.Server, []string{"y"}, func(txs []*profile.Tx) error { return set(long, short)(txs[0]) }, nil)
			if err != nil {
				w.Fatalf("Do = %v", err)
			}
			synctest.Wait()
			if left.Get(y) != long || right.Get(y) != short {
				w.Errorf("y has %q and %q, want %q and %q", left.Get(y), right.Get(y), long, short)
			}
			if err := y.Save(w.ctx); err != nil {
				w.Errorf("Save = %v", err)
			}
		})
	})
	t.Run("NothingOfAnotherType", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.serverOf(oldKind, "a", nil), w.server("b", nil)
			y := w.load(b, "y")
			err := trade.Do(w.ctx, a.Server, []string{"y"}, func(txs []*profile.Tx) error { return oldCoins.Set(txs[0], "many") }, nil)
			if err != nil {
				w.Fatalf("Do = %v", err)
			}
			time.Sleep(time.Second)
			if end, over := y.Ended(); !over || end.Reason != profile.Closed {
				w.Errorf("Ended = %+v, %v, want the profile closed", end, over)
			}
			c, err := a.Peek(w.ctx, "y")
			if err != nil || oldCoins.Get(c) != "many" {
				w.Errorf("Peek = %v, %v, want what the trade wrote", c, err)
			}
		})
	})
}

func TestMessages(t *testing.T) {
	for _, test := range []struct {
		name    string
		ofMaker bool
		plan    func() func([]byte) fate
	}{
		{"QuestionsAreDoubled", true, func() func([]byte) fate { return all("freeze", doubled) }},
		{"NewsAreDoubled", true, func() func([]byte) fate { return all("thaw", doubled) }},
		{"AnswersAreDoubled", false, func() func([]byte) fate { return all("", doubled) }},
		{"NewsAreLost", true, func() func([]byte) fate { return all("thaw", lost) }},
		{"FirstQuestionsAreLost", true, func() func([]byte) fate { return first(2, lost) }},
		{"FirstQuestionsComeLate", true, func() func([]byte) fate { return first(2, held) }},
		{"FirstAnswersAreLost", false, func() func([]byte) fate { return first(2, lost) }},
		{"FirstAnswersComeLate", false, func() func([]byte) fate { return first(2, held) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.server("a", nil), w.server("b", nil)
				x, y := w.load(a, "x"), w.load(b, "y")
				h := b
				if test.ofMaker {
					h = a
				}
				h.line.use(test.plan())
				w.trade(a, 30, "x", "y")
				synctest.Wait()
				h.line.use(nil)
				h.line.release() // what comes now is of an exchange that is over
				synctest.Wait()
				if test.name != "NewsAreLost" {
					w.update(y, award)
				}
				time.Sleep(6 * time.Second)
				w.has(x, 70)
				w.has(y, 130)
				w.update(y, award)
				w.trade(b, 30, "y", "x")
				w.has(y, 100)
			})
		})
	}
	t.Run("AreNotUnderstood", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			y := w.load(b, "y")
			id, lease := y.Session().ID(), b.Session().LeaseID()
			for _, m := range [][2]string{
				{"freeze", "what?"},
				{"freeze", `{}`},
				{"freeze", `{"key":"player","session":"` + id + `","announced":"` + id + `","patience":1000000000}`},
				{"freeze", `{"key":"player/y","session":"` + id + `","announced":"","patience":1000000000}`},
				{"freeze", `{"key":"player/y","session":"` + id + `","announced":"` + id + `","patience":-1}`},
				{"thaw", `[]`},
				{"thaw", `{}`},
			} {
				ctx, cancel := context.WithTimeout(w.ctx, time.Second)
				var said *session.AnswerError
				if _, err := a.Session().Ask(ctx, lease, m[0], []byte(m[1])); !errors.As(err, &said) {
					w.Errorf("Ask(%q, %q) = %v, want an error of the other server's", m[0], m[1], err)
				}
				cancel()
			}
			w.update(y, award)
		})
	})
	t.Run("OfAStrangerAreRefused", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.load(b, "y")
			other := a.Session().LeaseID()
			body := `{"key":"player/y","session":"` + other + `","announced":"` + other + `","patience":1000000000}`
			answer, err := a.Session().Ask(w.ctx, b.Session().LeaseID(), "freeze", []byte(body))
			if err != nil || !asksRefused(answer) {
				w.Errorf("Ask to freeze another session = %s, %v, want it refused", answer, err)
			}
		})
	})
}

func asksRefused(answer []byte) bool {
	d, err := document.Parse(answer, nil)
	return err == nil && d.Has(document.Field("refused"))
}

// first gives a fate to the first messages of questions and answers.
func first(n int, f fate) func([]byte) fate {
	var mu sync.Mutex
	return func(msg []byte) fate {
		mu.Lock()
		defer mu.Unlock()
		if n > 0 && (asks(msg, "freeze") || asks(msg, "")) {
			n--
			return f
		}
		return sent
	}
}
