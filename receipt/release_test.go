package receipt_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/store"
)

// waiting claims a sword for a player whose bag is full.
func (h *host) waiting(id, who string) *profile.Profile {
	h.w.Helper()
	p := h.load(who)
	if err := p.Update(func(tx *profile.Tx) error {
		return errors.Join(bag.Put(tx, "a", ""), bag.Put(tx, "b", ""))
	}); err != nil {
		h.w.Fatal(err)
	}
	h.refuses(buyOf("sword", id, who), receipt.ErrDeclined)
	return p
}

func (h *host) release(id string) receipt.Receipt {
	h.w.Helper()
	r, err := h.book.Release(h.w.ctx, id, "wrong player")
	if err != nil || r.State != receipt.Released || r.Released.Reason != "wrong player" || r.Released.At.IsZero() {
		h.w.Fatalf("Release(%q) = %+v, %v, want it released", id, r, err)
	}
	return r
}

func clearBag(tx *profile.Tx) error { return bag.Clear(tx) }

func TestRelease(t *testing.T) {
	t.Run("LetsAnotherPlayerClaim", func(t *testing.T) {
		onEach(t, func(w *world) {
			a, b := w.server("a"), w.server("b")
			p := a.waiting("shop:1", "alice")
			bob := b.load("bob")
			b.refuses(buyOf("sword", "shop:1", "bob"), receipt.ErrOtherPlayer)
			b.release("shop:1") // while alice is on elsewhere
			if r := b.grant(buyOf("sword", "shop:1", "bob")); r.Claim != 2 {
				w.Errorf("the record = %+v, want the second claim", r)
			}
			if !bag.Has(bob, "shop:1") {
				w.Error("bob has no sword")
			}
			if err := p.Update(clearBag); err != nil {
				w.Fatal(err)
			}
			if err := p.HandleMessages(w.ctx); err != nil {
				w.Fatal(err)
			}
			if bag.Len(p) != 0 {
				w.Error("alice was given what was released")
			}
			a.refuses(buyOf("sword", "shop:1", "alice"), receipt.ErrOtherPlayer)
		})
	})
	t.Run("IsSeenByWhoeverClaimsNext", func(t *testing.T) {
		onEach(t, func(w *world) {
			w.hub = bus.NewLocal() // so that it is answered before it is saved
			a, b := w.server("a"), w.server("b")
			b.load("bob")
			for i, h := range []*host{a, b} {
				id := fmt.Sprint("shop:", i)
				a.waiting(id, "alice")
				h.release(id)
				if i == 0 {
					b.grant(buyOf("sword", id, "bob"))
					continue
				}
				h.refund(id)
			}
		})
	})
	t.Run("OfAPlayerWhoIsOfflineIsMadeForHim", func(t *testing.T) {
		onEach(t, func(w *world) {
			w.hub = bus.NewLocal()
			a := w.server("a")
			a.waiting("shop:1", "alice")
			a.shut()
			shop := w.serverSelling("shop", nil) // it needs no product
			shop.release("shop:1")
			b := w.server("b")
			if err := b.load("alice").Update(clearBag); err != nil {
				w.Fatal(err)
			}
			b.grant(buyOf("sword", "shop:1", "alice")) // she may claim it again
			b.grant(buyOf("sword", "shop:1", "alice"))
		})
	})
	t.Run("IsSeenByWhoReleasedAndCrashed", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a")
			a.waiting("shop:1", "alice")
			caught := a.trap(faulty.Fault{Hold: true}, saves)
			ctx, cancel := context.WithCancel(w.ctx)
			released := make(chan error, 1)
			go func() { released <- second(a.book.Release(ctx, "shop:1", "test")) }()
			w.await("the save", caught) // it is in the journal
			a.kill()
			cancel()
			var not *receipt.NotProcessedError
			if err := <-released; !errors.As(err, &not) || !not.Recorded {
				w.Errorf("Release = %v, want it recorded: nobody could claim the purchase yet", err)
			}
			b := w.server("b")
			b.load("alice")
			b.load("bob")
			b.grant(buyOf("sword", "shop:1", "bob"))
			a.wake() // what it still had to write comes late
			b.refuses(buyOf("sword", "shop:1", "alice"), receipt.ErrOtherPlayer)
		})
	})
	t.Run("CanBeDoneAgainAndAgain", func(t *testing.T) {
		bubble(t, func(w *world) {
			h := w.server("a")
			p := h.waiting("shop:1", "alice")
			for range 20 {
				h.release("shop:1")
				h.refuses(buyOf("sword", "shop:1", "alice"), receipt.ErrDeclined)
			}
			if err := p.Update(clearBag); err != nil {
				w.Fatal(err)
			}
			if r := h.grant(buyOf("sword", "shop:1", "alice")); r.Claim != 21 {
				w.Errorf("the record = %+v, want claim 21", r)
			}
			n := 0
			for r, err := range h.book.Reader().Receipts(w.ctx, p.Key()) {
				if n++; err != nil || r.ID != "shop:1" {
					w.Errorf("Receipts yielded %+v, %v", r, err)
				}
			}
			if n != 21 {
				w.Errorf("Receipts yielded %d records, want 21", n)
			}
		})
	})
	t.Run("RefundsWhatNobodyHasClaimedSince", func(t *testing.T) {
		bubble(t, func(w *world) {
			h := w.server("a")
			h.waiting("shop:1", "alice")
			h.release("shop:1")
			h.refund("shop:1")
			h.refuses(buyOf("sword", "shop:1", "alice"), receipt.ErrRefunded)
		})
	})
	t.Run("Refuses", func(t *testing.T) {
		bubble(t, func(w *world) {
			h := w.server("a")
			h.load("alice")
			h.waiting("claimed", "carol")
			h.grant(buy("granted", "alice"))
			h.refund("refunded")
			h.waiting("released", "dora")
			h.release("released")
			w.put("~receipt/spent", `{"format":1,"id":"spent","state":"spent","birth":""}`)
			for _, c := range []struct {
				id, reason string
				want       error
			}{
				{"", "why", driver.ErrInvalid},
				{strings.Repeat("x", receipt.MaxPurchaseID+1), "why", driver.ErrInvalid},
				{"claimed", "", driver.ErrInvalid},
				{"claimed", strings.Repeat("x", 201), driver.ErrInvalid},
				{"claimed", "\xff", driver.ErrInvalid},
				{"never seen", "why", store.ErrNotFound},
				{"granted", "why", receipt.ErrGranted},
				{"refunded", "why", receipt.ErrRefunded},
				{"released", "why", receipt.ErrReleased},
				{"spent", "why", receipt.ErrSpent},
			} {
				if r, err := h.book.Release(w.ctx, c.id, c.reason); !errors.Is(err, c.want) || errors.Is(err, receipt.ErrNotProcessed) {
					w.Errorf("Release(%.40q, %.40q) = %+v, %v, want %v", c.id, c.reason, r, err, c.want)
				}
			}
			if r, err := h.book.Reader().Receipt(w.ctx, "claimed"); err != nil || r.State != receipt.Claimed {
				w.Errorf("the claim = %+v, %v, want it still claimed", r, err)
			}
		})
	})
	t.Run("OfWhatIsGrantedAtTheSameTimeIsOneOfTheTwo", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a"), w.server("b")
			p := a.waiting("shop:1", "alice")
			if err := p.Update(clearBag); err != nil {
				w.Fatal(err)
			}
			granted := a.granting(w.ctx, buyOf("sword", "shop:1", "alice"))
			_, err := b.book.Release(w.ctx, "shop:1", "test")
			if err != nil && !errors.Is(err, receipt.ErrGranted) {
				w.Errorf("Release = %v, want none or ErrGranted", err)
			}
			if grant := <-granted; (grant == nil) != bag.Has(p, "shop:1") {
				w.Errorf("Grant = %v, Release = %v, and the sword is there: %v", grant, err, bag.Has(p, "shop:1"))
			}
		})
	})
}

// What a session that was lost had in memory is not granted, whoever has asked it
// before.
func TestGrantIsNotToldOfASessionThatWasLost(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.server("a"), w.server("b")
		p := a.waiting("shop:1", "alice")
		a.release("shop:1")
		if err := p.Save(w.ctx); err != nil {
			t.Fatal(err)
		}
		holdAppends := func(c *faulty.Call) faulty.Fault {
			return faulty.Fault{Hold: c.Op == faulty.Commit && (appends(c) || saves(c))}
		}
		holdRead := func(c *faulty.Call) faulty.Fault {
			return faulty.Fault{Hold: c.Op == faulty.Read && len(c.Keys) == 1 && c.Keys[0] == "~receipt/shop:1"}
		}
		if len(w.keys("~receipt/shop:1")) == 0 {
			t.Fatalf("records: %q", w.keys("~receipt/"))
		}
		a.f.Use(holdAppends)
		if err := p.Update(clearBag); err != nil {
			t.Fatal(err)
		}
		first := a.granting(w.ctx, buyOf("sword", "shop:1", "alice")) // in memory only
		time.Sleep(200 * time.Millisecond)
		if !bag.Has(p, "shop:1") {
			t.Fatal("alice has no sword in memory")
		}
		a.f.Use(holdAppends, holdRead)
		again := a.granting(w.ctx, buyOf("sword", "shop:1", "alice"))
		synctest.Wait()

		b.load("alice") // takes her over from a, which cannot renew
		a.f.Use(holdRead)
		for _, c := range a.f.Waiting() {
			if c.Op == faulty.Commit {
				a.f.Release(c)
			}
		}
		time.Sleep(time.Second)
		if p.Session().Err() == nil {
			t.Fatal("a's session is not lost")
		}
		a.wake()
		for _, done := range []<-chan error{first, again} {
			if err := <-done; err == nil {
				r, _ := b.book.Reader().Receipt(w.ctx, "shop:1")
				if r.State != receipt.Granted {
					t.Errorf("Grant says that it was granted, and it is %s", r.State)
				}
			}
		}
	})
}
