package receipt_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/session"
)

func TestNewRefuses(t *testing.T) {
	good := receipt.Product{Name: "a", Grant: grantCoins}
	for name, c := range map[string]struct {
		list []receipt.Product
		o    *receipt.Options
	}{
		"AProductWithoutAName": {list: []receipt.Product{{Grant: grantCoins}}},
		"ALongName":            {list: []receipt.Product{{Name: strings.Repeat("x", receipt.MaxProduct+1), Grant: grantCoins}}},
		"ANameThatIsNoText":    {list: []receipt.Product{{Name: "a\xff", Grant: grantCoins}}},
		"AProductWithoutGrant": {list: []receipt.Product{{Name: "a"}}},
		"ASecondRegistration":  {list: []receipt.Product{good, good}},
		"ANegativeWait":        {list: []receipt.Product{good}, o: &receipt.Options{Wait: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				h := w.serverOf("a", player)
				if b, err := receipt.New(h.Server, c.list, c.o); !errors.Is(err, driver.ErrInvalid) {
					w.Errorf("New = %v, %v, want ErrInvalid", b, err)
				}
			})
		})
	}
	t.Run("ASecondBook", func(t *testing.T) {
		bubble(t, func(w *world) {
			if b, err := receipt.New(w.server("a").Server, nil, nil); !errors.Is(err, driver.ErrInvalid) {
				w.Errorf("New = %v, %v, want ErrInvalid", b, err)
			}
		})
	})
}

func TestGrantRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*receipt.Purchase)
		want   error
		reason string
	}{
		"NoID":              {func(p *receipt.Purchase) { p.ID = "" }, driver.ErrInvalid, "purchase id of 0 bytes"},
		"NoProduct":         {func(p *receipt.Purchase) { p.Product = "" }, driver.ErrInvalid, "product of 0 bytes"},
		"NegativeQuantity":  {func(p *receipt.Purchase) { p.Quantity = -1 }, driver.ErrInvalid, "quantity -1"},
		"TooMany":           {func(p *receipt.Purchase) { p.Quantity = receipt.MaxQuantity + 1 }, driver.ErrInvalid, "quantity"},
		"DetailsThatAreBad": {func(p *receipt.Purchase) { p.Details = []byte("{") }, driver.ErrInvalid, "details"},
		"NoPlayer":          {func(p *receipt.Purchase) { p.Player = "" }, receipt.ErrNoPlayer, "nobody says who receives"},
		"UnknownProduct":    {func(p *receipt.Purchase) { p.Product = "gems" }, receipt.ErrUnknownProduct, `unknown product: "gems"`},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				h := w.server("a")
				h.load("alice")
				p := buy("shop:1", "alice")
				c.change(&p)
				_, err := h.book.Grant(w.ctx, p)
				if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.reason) {
					w.Errorf("Grant(%+v) = %v, want %v with %q", p, err, c.want, c.reason)
				}
				if final := !errors.Is(err, receipt.ErrNotProcessed); final != errors.Is(err, driver.ErrInvalid) {
					w.Errorf("Grant(%+v) = %v, which is final: %v", p, err, final)
				}
				if keys := append(w.keys("~receipt/"), w.keys("player/alice/")...); len(keys) > 0 {
					w.Errorf("a refused purchase left %q", keys)
				}
			})
		})
	}
	t.Run("TheSameIDForSomethingElse", func(t *testing.T) {
		bubble(t, func(w *world) {
			h := w.server("a")
			h.load("alice")
			h.grant(buy("shop:1", "alice"))
			h.refuses(buyOf("sword", "shop:1", "alice"), receipt.ErrOtherPurchase)
			more := buy("shop:1", "alice")
			more.Quantity = 2
			h.refuses(more, receipt.ErrOtherPurchase)
			h.has("alice", 10)
		})
	})
	t.Run("AnotherKindsPurchase", func(t *testing.T) {
		bubble(t, func(w *world) {
			h := w.server("a")
			h.load("7")
			h.grant(buy("shop:1", "7"))
			gold := profile.Int("gold", 0)
			guilds, err := h.With(profile.NewSchema("guild", gold))
			if err != nil {
				w.Fatal(err)
			}
			book, err := receipt.New(guilds, []receipt.Product{{Name: "coins", Grant: func(tx *profile.Tx, a *receipt.Award) error {
				return gold.Add(tx, a.Quantity)
			}}}, nil)
			if err != nil {
				w.Fatal(err)
			}
			g, err := guilds.Open(w.ctx, "7", nil)
			if err != nil {
				w.Fatal(err)
			}
			if _, err := book.Grant(w.ctx, buy("shop:1", "7")); !errors.Is(err, receipt.ErrOtherPlayer) {
				w.Errorf("Grant of a player's purchase to a guild of the same id = %v, want ErrOtherPlayer", err)
			}
			if _, err := book.Refund(w.ctx, buy("shop:1", "7"), ""); !errors.Is(err, driver.ErrInvalid) {
				w.Errorf("Refund of a player's purchase by the guilds' book = %v, want ErrInvalid", err)
			}
			if _, err := book.Grant(w.ctx, buy("shop:2", "7")); err != nil || gold.Get(g) != 1 {
				w.Errorf("Grant to a guild = %v, and it has %d, want 1", err, gold.Get(g))
			}
		})
	})
}

func TestPurchaseIDs(t *testing.T) {
	long := strings.Repeat("x", receipt.MaxPurchaseID-1)
	ids := []string{
		"1", "shop:1", "a/b", "~x", "#x", "%2F", "a b\nc", "€uro-ünïcode-日本語", "mail", "..", " ",
		long, long + "a", long + "b", strings.Repeat("/", receipt.MaxPurchaseID), strings.Repeat("é", 200),
	}
	bubble(t, func(w *world) {
		const who = `p/l%a~y`
		w.excused = map[string]bool{who: true} // not all of these ids can be names of counters
		h := w.serverSelling("a", []receipt.Product{{Name: "coins", Grant: func(tx *profile.Tx, a *receipt.Award) error {
			return coins.Add(tx, 10)
		}}})
		p := h.load(who)
		for range 2 {
			for i, id := range ids {
				h.grant(buy(id, who))
				if coins.Get(p) < int64(10*(i+1)) {
					w.Errorf("%.60q was taken for another", id)
				}
				if r, err := h.book.Reader().Receipt(w.ctx, id); err != nil || r.ID != id || r.Player != who {
					w.Errorf("the record of %.60q = %+v, %v", id, r, err)
				}
			}
		}
		h.has(who, int64(10*len(ids)))
		listed := 0
		for r, err := range h.book.Reader().Receipts(w.ctx, p.Key()) {
			if listed++; err != nil {
				w.Errorf("Receipts yielded %+v, %v", r, err)
			}
		}
		if listed != len(ids) {
			w.Errorf("Receipts yielded %d records, want %d", listed, len(ids))
		}
	})
}

// TestClaimsThatWait are claims whose message ends before it can be handled.
func TestClaimsThatWait(t *testing.T) {
	t.Run("AreGrantedLongAfterTheirMessageHasExpired", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.known("alice")
			shop := w.serverSelling("shop", nil)
			shop.refuses(buy("shop:1", "alice"), receipt.ErrUnknownProduct)
			shop.shut()
			time.Sleep(2 * profile.MaxMessageLife)
			h := w.server("a")
			h.has("alice", 0) // the message has ended
			h.grant(buy("shop:1", "alice"))
			h.has("alice", 10)
		})
	})
	t.Run("AreNotThePlayersWhoComesUnderTheSameIDLater", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.known("alice")
			shop := w.serverSelling("shop", nil)
			shop.refuses(buy("shop:1", "alice"), receipt.ErrUnknownProduct)
			shop.shut()
			w.put("player/alice", "")
			w.excused = map[string]bool{"alice": true}
			h := w.server("a")
			h.has("alice", 0)
			h.refuses(buy("shop:1", "alice"), receipt.ErrSpent)
			h.has("alice", 0)
		})
	})
	t.Run("AreGrantedWhenTheContextOfTheFirstHasEnded", func(t *testing.T) {
		bubble(t, func(w *world) {
			h := w.server("a")
			h.load("alice")
			ctx, cancel := context.WithCancel(w.ctx)
			caught := h.trap(faulty.Fault{Hold: true}, claims)
			done := h.granting(ctx, buy("shop:1", "alice"))
			w.await("the claim", caught)
			cancel()
			err := <-done
			var not *receipt.NotProcessedError
			if !errors.As(err, &not) || not.Recorded || !errors.Is(err, context.Canceled) {
				w.Errorf("Grant = %v, want it not processed, nor known to be recorded", err)
			}
			h.wake()
			h.grant(buy("shop:1", "alice"))
			h.has("alice", 10)
		})
	})
	t.Run("AreNotGrantedAgainByAMessageThatIsCarriedOutMonthsLate", func(t *testing.T) {
		bubble(t, func(w *world) {
			h := w.server("a")
			h.load("alice")
			caught := h.trap(faulty.Fault{Hold: true}, saves)
			h.grant(buy("shop:1", "alice"))
			w.await("the save", caught)
			mail := w.keys("player/alice/mail/")
			if len(mail) != 1 {
				w.Fatalf("there are messages %q, want the one of the grant", mail)
			}
			late := string(w.entry(mail[0]).Value)
			h.wake()
			h.shut()
			for _, key := range w.keys("player/alice/done/") {
				w.put(key, "")
			}
			w.put(mail[0], late)
			b := w.server("b")
			b.has("alice", 10)
			synctest.Wait()
			if left := w.keys("player/alice/mail/"); len(left) > 0 {
				w.Errorf("there are messages %q, want it handled", left)
			}
		})
	})
	t.Run("AreClaimedOnceWhateverComesLate", func(t *testing.T) {
		bubble(t, func(w *world) {
			h := w.server("a")
			h.load("alice")
			h.once(faulty.Fault{Late: true}, claims) // and it is sent again meanwhile
			h.grant(buy("shop:1", "alice"))
			h.refund("shop:1")
			h.wake()
			if p, ok := h.Profile("alice"); !ok || p.HandleMessages(w.ctx) != nil {
				w.Error("HandleMessages failed")
			}
			h.has("alice", 0)
			h.refuses(buy("shop:1", "alice"), receipt.ErrRefunded)
		})
	})
}

func TestMessagesThatNobodySends(t *testing.T) {
	for name, body := range map[string]string{
		"AboutAnothersPurchase": `{"do":"grant","id":"shop:1","claim":1}`,
		"NotUnderstood":         `{"do":7}`,
		"AboutNoPurchase":       `{"do":"grant","id":"shop:2","claim":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.known("bob")
				shop := w.serverSelling("shop", nil)
				shop.refuses(buy("shop:1", "bob"), receipt.ErrUnknownProduct)
				h := w.server("a")
				h.load("alice")
				id, err := h.Send(w.ctx, "alice", profile.Message{Topic: "~receipt", Body: []byte(body)}, nil)
				if err != nil {
					w.Fatalf("Send: %v", err)
				}
				if out, err := h.Server.Deliver(w.ctx, "alice", id); err == nil {
					w.Errorf("Deliver = %+v, want an error", out)
				}
				h.has("alice", 0)
				h.grant(buy("shop:1", "bob"))
				h.has("bob", 10)
			})
		})
	}
}

// TestRecordsThatCannotBeRead are never overwritten.
func TestRecordsThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		value string
		want  error
	}{
		"NoJSON":            {`{"format":`, driver.ErrCorrupt},
		"ANewerFormat":      {`{"format":3,"id":"shop:1"}`, driver.ErrFormat},
		"AnUnknownState":    {`{"format":1,"id":"shop:1","state":"lent","owner":"player/alice"}`, driver.ErrFormat},
		"AnotherPurchases":  {`{"format":1,"id":"shop:2","state":"spent"}`, driver.ErrCorrupt},
		"GrantedAndNotWhen": {`{"format":1,"id":"shop:1","state":"granted","owner":"player/alice"}`, driver.ErrCorrupt},
		"ClaimedByNobody":   {`{"format":1,"id":"shop:1","state":"claimed","claimed":{"at":"2020-01-02T03:04:05Z"}}`, driver.ErrCorrupt},
		"OwnerThatIsNoKey":  {`{"format":1,"id":"shop:1","state":"refunded","owner":"x","refunded":{"at":"2020-01-02T03:04:05Z"}}`, driver.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				h := w.server("a")
				h.load("alice")
				w.put("~receipt/shop:1", c.value)
				w.put("player/alice/~receipt/shop:1", `{"format":1}`)
				h.refuses(buy("shop:1", "alice"), receipt.ErrNotProcessed, c.want)
				if _, err := h.book.Refund(w.ctx, buy("shop:1", "alice"), ""); !errors.Is(err, c.want) {
					w.Errorf("Refund = %v, want %v", err, c.want)
				}
				if _, err := h.book.Release(w.ctx, "shop:1", "test"); !errors.Is(err, c.want) {
					w.Errorf("Release = %v, want %v", err, c.want)
				}
				for r, err := range h.book.Reader().Receipts(w.ctx, player.Key("alice")) {
					if r.ID != "shop:1" || !errors.Is(err, c.want) {
						w.Errorf("Receipts yielded %+v, %v, want %v", r, err, c.want)
					}
				}
				if e := w.entry("~receipt/shop:1"); string(e.Value) != c.value {
					w.Errorf("the record was overwritten with %s", e.Value)
				}
				h.has("alice", 0)
				w.put("player/alice/~receipt/shop:1", "") // for the audit
			})
		})
	}
	t.Run("WhileTheMessageWaitsKeepItWaiting", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.known("alice")
			shop := w.serverSelling("shop", nil)
			shop.refuses(buy("shop:1", "alice"), receipt.ErrUnknownProduct)
			good := w.entry("~receipt/shop:1")
			w.put("~receipt/shop:1", `{"format":9}`)
			h := w.server("a")
			h.has("alice", 0)
			w.put("~receipt/shop:1", string(good.Value))
			h.grant(buy("shop:1", "alice"))
			h.has("alice", 10)
		})
	})
}

// TestRandomFaults has two servers sell while their databases fail in all ways at
// random, and players come and go. The world's audit looks for what was granted
// twice or not at all.
func TestRandomFaults(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.server("a"), w.server("b")
				a.load("alice")
				b.load("bob")
				for i, h := range []*host{a, b} {
					h.f.Use(faulty.Random(seed*2+uint64(i), 0.05, 0.1))
				}
				done := make(chan error, 60)
				for i := range cap(done) {
					h, who := []*host{a, b}[i%2], []string{"alice", "bob"}[i/2%2]
					go func() { done <- haggle(w.ctx, h, fmt.Sprint("shop:", i/3), who, i) }()
				}
				for range cap(done) {
					if err := <-done; err != nil {
						w.Error(err)
					}
				}
			})
		})
	}
}

// haggle delivers one purchase, or its refund, until it is done or refused for good.
func haggle(ctx context.Context, h *host, id, who string, i int) (err error) {
	for range 100 {
		if i%7 == 6 {
			_, err = h.book.Refund(ctx, buy(id, who), "random")
		} else {
			_, err = h.book.Grant(ctx, buy(id, who))
		}
		if i%5 == 0 {
			_ = h.Leave(ctx, who)
		}
		if !errors.Is(err, receipt.ErrNotProcessed) {
			break
		}
	}
	if err != nil && !errors.Is(err, receipt.ErrOtherPlayer) && !errors.Is(err, receipt.ErrRefunded) && !errors.Is(err, session.ErrClosed) {
		return fmt.Errorf("purchase %q for %q: %w", id, who, err)
	}
	return nil
}
