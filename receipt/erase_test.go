package receipt_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/session"
)

// erased erases a player, to the end.
func (w *world) erased(h *host, id string) {
	w.Helper()
	done, err := h.Erase(w.ctx, id, &session.EraseOptions{Reason: "asked for"})
	if err != nil || !done.Swept {
		w.Fatalf("Erase(%q) = %+v, %v", id, done, err)
	}
}

// anonymous wants a record to name nobody.
func (w *world) anonymous(key string, want string) {
	w.Helper()
	text := string(w.entry(key).Value)
	if !strings.Contains(text, want) {
		w.Errorf("%s is %s, want it %s", key, text, want)
	}
	for _, word := range []string{"alice", "owner", "product", "gems", "payer"} {
		if strings.Contains(text, word) {
			w.Errorf("%s still has %q: %s", key, word, text)
		}
	}
}

// TestErasedPurchases shows what becomes of the purchases of a player who is erased.
func TestErasedPurchases(t *testing.T) {
	t.Run("KeepTheirIDs", func(t *testing.T) {
		onEach(t, func(w *world) {
			w.known("alice", "bob")
			h := w.server("a")
			long := strings.Repeat("long", 60)
			h.grant(buy("granted", "alice"))
			h.grant(buy(long, "alice"))
			h.grant(buy("refunded", "alice"))
			h.refund("refunded")
			w.put("player/alice/mail/x", "no message")
			nobody := w.serverOf("shop", player)
			book, err := receipt.New(nobody.Server, nil, &receipt.Options{Wait: time.Second})
			if err != nil {
				w.Fatal(err)
			}
			h.load("alice")
			if _, err := book.Grant(w.ctx, buyOf("unknown", "claimed", "alice")); !errors.Is(err, receipt.ErrNotProcessed) {
				w.Fatalf("Grant of what nobody sells = %v", err)
			}
			if _, err := book.Grant(w.ctx, buyOf("unknown", "released", "alice")); !errors.Is(err, receipt.ErrNotProcessed) {
				w.Fatalf("Grant of what nobody sells = %v", err)
			}
			if _, err := h.book.Release(w.ctx, "released", "wrong player"); err != nil {
				w.Fatal(err)
			}
			h.grant(buy("released", "bob"))
			w.erased(h, "alice")
			for _, id := range []string{"granted", "refunded", "claimed"} {
				w.anonymous("~receipt/"+id, `"state":"spent"`)
			}
			w.anonymous("~receipt/released", `"state":"released"`)
			if left := w.keys("player/alice/"); left != nil {
				w.Errorf("beside alice there is %q", left)
			}
			h.load("alice") // a new one
			for _, id := range []string{"granted", "refunded", "claimed", long} {
				h.refuses(buy(id, "alice"), receipt.ErrSpent)
				h.refuses(buy(id, "bob"), receipt.ErrSpent)
			}
			h.grant(buy("released", "bob"))
			h.has("alice", 0)
			h.grant(buy("new", "alice"))
		})
	})
	t.Run("AreNeverGrantedWhenUnderWay", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.known("alice")
			a, b := w.server("a"), w.server("b")
			p := a.load("alice")
			caught := a.trap(faulty.Fault{Hold: true}, appends)
			granting := b.granting(w.ctx, buy("shop:1", "alice"))
			w.await("the append with the award", caught)
			w.erased(b, "alice")
			if err := <-granting; !errors.Is(err, session.ErrErased) && !errors.Is(err, receipt.ErrSpent) {
				w.Errorf("Grant under way = %v, want a final answer", err)
			}
			a.wake()
			<-p.Done()
			if end, _ := p.Ended(); end.Reason != profile.Erased && end.Reason != profile.Lost {
				w.Errorf("the profile ended as %+v", end)
			}
			time.Sleep(time.Minute)
			w.anonymous("~receipt/shop:1", `"state":"spent"`)
			b.load("alice")
			b.refuses(buy("shop:1", "alice"), receipt.ErrSpent)
			b.has("alice", 0)
		})
	})
	t.Run("AreFinalWhenTheClaimComesAfterTheSweep", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.known("alice")
			a, b := w.server("a"), w.server("b")
			a.once(faulty.Fault{Late: true}, claims)
			granting := a.granting(w.ctx, buy("shop:1", "alice"))
			time.Sleep(time.Millisecond)
			a.f.Use(faulty.All(faulty.Fault{Hold: true}, faulty.Commit))
			w.erased(b, "alice")
			b.load("alice")
			a.wake()
			if err := <-granting; !errors.Is(err, receipt.ErrSpent) && !errors.Is(err, receipt.ErrNotProcessed) {
				w.Errorf("Grant of the late claim = %v", err)
			}
			b.has("alice", 0)
			b.refuses(buy("shop:1", "alice"), receipt.ErrSpent)
		})
	})
	t.Run("AreSpentEvenIfTheirIndexIsDamaged", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.known("alice")
			h := w.server("a")
			h.grant(buy("shop:1", "alice"))
			w.put("player/alice/~receipt/shop:1", "{")
			w.erased(h, "alice")
			w.anonymous("~receipt/shop:1", `"state":"spent"`)
			h.load("alice")
			h.refuses(buy("shop:1", "alice"), receipt.ErrSpent)
		})
	})
}
