package receipt_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/session"
)

// saved saves a player and returns the version that he has then.
func (h *host) saved(p *profile.Profile) driver.Version {
	h.w.Helper()
	p.Session().Mark("for a test") // so that it is kept
	if err := p.Save(h.w.ctx); err != nil {
		h.w.Fatal(err)
	}
	return p.Session().Version()
}

// log returns what an operator did, as "what result purchase".
func (w *world) log(h *host, key session.Key) (log []string) {
	w.Helper()
	for a, err := range audit.Log(w.ctx, h.Session().DB(), &audit.LogOptions{Key: key}) {
		if err != nil {
			w.Fatal(err)
		}
		log = append(log, a.By+" "+a.What+" "+a.Result+": "+a.Reason)
	}
	return log
}

// TestRestoreAndPurchases restores a player to before a purchase, on each engine.
func TestRestoreAndPurchases(t *testing.T) {
	onEach(t, func(w *world) {
		w.hub = bus.NewLocal()
		w.excused = map[string]bool{"alice": true} // she loses what she has paid for
		a, b := w.server("a"), w.server("b")
		p := a.load("alice")
		a.grant(buy("shop:0", "alice"))
		old := a.saved(p)
		a.grant(buy("shop:1", "alice"))
		a.grant(buy("shop:2", "alice"))
		a.refund("shop:2")

		_, err := b.Restore(w.ctx, "alice", old, &profile.RestoreOptions{Reason: "ticket 7"})
		var deeds *profile.DeedsError
		if !errors.As(err, &deeds) {
			w.Fatalf("Restore to before a purchase = %v", err)
		}
		var told []string
		for _, d := range deeds.Deeds {
			told = append(told, d.What+" "+d.ID)
		}
		if d := cmp.Diff([]string{"purchase shop:1", "purchase shop:2", "refund shop:2"}, told); d != "" {
			w.Errorf("the refusal tells: %s", d)
		}
		a.has("alice", 20)

		done, err := b.Restore(w.ctx, "alice", old, &profile.RestoreOptions{Reason: "ticket 7", Despite: true})
		if err != nil || len(done.Deeds) != 3 {
			w.Fatalf("Restore despite that = %+v, %v", done, err)
		}
		a.has("alice", 10)
		for _, h := range []*host{a, b} { // the store delivers them again
			h.grant(buy("shop:1", "alice"))
			h.refuses(buy("shop:2", "alice"), receipt.ErrRefunded)
		}
		a.has("alice", 10)
		if _, err := b.Restore(w.ctx, "alice", done.Before, &profile.RestoreOptions{Reason: "taken back"}); err != nil {
			w.Errorf("Restore to before the restore = %v", err)
		}
		a.has("alice", 20)
	})
}

func TestOperatorsActsAreInTheAuditLog(t *testing.T) {
	t.Run("ARelease", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a"), w.server("b")
			p := a.waiting("shop:1", "alice")
			if _, err := b.book.As("ann").Release(w.ctx, "shop:1", "wrong player"); err != nil {
				w.Fatal(err)
			}
			if d := cmp.Diff([]string{"ann release done: wrong player"}, w.log(a, p.Key())); d != "" {
				w.Error(d)
			}
		})
	})
	t.Run("ARefundOnce", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a")
			p := a.load("alice")
			a.grant(buy("shop:1", "alice"))
			for range 3 {
				if _, err := a.book.As("ann").Refund(w.ctx, buy("shop:1", "alice"), "asked for"); err != nil {
					w.Fatal(err)
				}
			}
			a.saved(p)
			if d := cmp.Diff([]string{"ann refund done: asked for"}, w.log(a, p.Key())); d != "" {
				w.Error(d)
			}
		})
	})
	t.Run("ARefundOfWhatNobodyHasClaimed", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a")
			p := a.load("alice")
			if _, err := a.book.As("ann").Refund(w.ctx, buy("shop:1", "alice"), "asked for"); err != nil {
				w.Fatal(err)
			}
			if d := cmp.Diff([]string{"ann refund done: asked for"}, w.log(a, p.Key())); d != "" {
				w.Error(d)
			}
		})
	})
	t.Run("ButNotWhatAStoreTells", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a")
			p := a.load("alice")
			a.grant(buy("shop:1", "alice"))
			a.refund("shop:1")
			a.saved(p)
			if log := w.log(a, p.Key()); len(log) > 0 {
				w.Errorf("the audit log says %q", log)
			}
		})
	})
}
