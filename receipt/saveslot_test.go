package receipt_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
)

// A saver has gold in each of his save slots.
var (
	gold  = profile.Int("gold", 0, profile.Min(0), profile.PerSlot())
	saver = profile.NewSchema("player", coins, got, took, bag, slots, gold).WithSlots(profile.SlotRules{Keep: time.Minute})
)

func grantGold(tx *profile.Tx, a *receipt.Award) error {
	return errors.Join(gold.Add(tx, 10), got.Add(tx, a.ID, 1))
}

func takeGold(tx *profile.Tx, a *receipt.Award) error {
	return errors.Join(gold.Add(tx, -10), took.Add(tx, a.ID, 1))
}

func (w *world) savers(name string) *host {
	w.Helper()
	h := w.serverOf(name, saver)
	var err error
	h.book, err = receipt.New(h.Server, []receipt.Product{{Name: "gold", Grant: grantGold, Refund: takeGold}}, &receipt.Options{Wait: 2 * time.Second})
	if err != nil {
		w.Fatal(err)
	}
	return h
}

func TestPurchasesForASaveSlot(t *testing.T) {
	buy := func(h *host, id, slot string) error {
		_, err := h.book.Grant(h.w.ctx, receipt.Purchase{ID: id, Product: "gold", Player: "alice", Slot: slot})
		return err
	}
	waits := func(w *world, what string, err error, why error, recorded bool) {
		w.Helper()
		var not *receipt.NotProcessedError
		if !errors.As(err, &not) || !errors.Is(err, why) || not.Recorded != recorded {
			w.Errorf("%s = %v, want not processed yet because of %v, recorded %v", what, err, why, recorded)
		}
	}
	ok := func(w *world, err error) {
		w.Helper()
		if err != nil {
			w.Error(err)
		}
	}
	t.Run("PSaveSlots", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.savers("a"), w.savers("b")
			p := a.load("alice")
			two, err := p.CreateSlot(w.ctx, "Two", false)
			ok(w, err)
			ok(w, buy(a, "shop:1", "1"))
			ok(w, buy(a, "shop:2", ""))
			waits(w, "Grant for a parked slot", buy(a, "shop:3", two), profile.ErrOtherSlot, true)
			ok(w, p.Close(w.ctx))
			waits(w, "Grant from another server, to who is offline", buy(b, "shop:3", two), profile.ErrOtherSlot, true)
			p = a.load("alice")
			if gold.Get(p) != 20 {
				t.Errorf("gold in the first slot = %d, want 20", gold.Get(p))
			}
			ok(w, p.SwitchSlot(w.ctx, two))
			time.Sleep(time.Second)
			synctest.Wait()
			if gold.Get(p) != 10 || got.Get(p, "shop:3") != 1 {
				t.Errorf("gold in the second slot = %d, granted %d times; want 10, once", gold.Get(p), got.Get(p, "shop:3"))
			}
			ok(w, buy(b, "shop:3", two))
			ok(w, buy(b, "shop:3", "")) // the store itself does not know of slots
			refund := func() error {
				_, err := a.book.Refund(w.ctx, receipt.Purchase{ID: "shop:1", Product: "gold"}, "test")
				return err
			}
			waits(w, "Refund in a parked slot", refund(), profile.ErrOtherSlot, true)
			ok(w, p.SwitchSlot(w.ctx, "1"))
			ok(w, refund())
			if gold.Get(p) != 10 {
				t.Errorf("gold in the first slot after a refund = %d, want 10", gold.Get(p))
			}
		})
	})
	t.Run("ADeletedSlotWaitsAndOneThatIsGoneRefuses", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.excused = map[string]bool{"alice": true} // nothing is taken from a slot that is gone
			a := w.savers("a")
			p := a.load("alice")
			two, err := p.CreateSlot(w.ctx, "Two", true)
			ok(w, err)
			ok(w, buy(a, "shop:1", two))
			ok(w, p.DeleteSlot(w.ctx, two))
			ok(w, p.SwitchSlot(w.ctx, "1"))
			waits(w, "Grant for a deleted slot", buy(a, "shop:2", two), profile.ErrSlotDeleted, true)
			time.Sleep(2 * time.Minute)
			ok(w, p.RenameSlot(w.ctx, "1", "One")) // which purges
			waits(w, "Grant for a slot that is gone", buy(a, "shop:2", two), profile.ErrUnknownSlot, true)
			waits(w, "Grant for a slot that is gone, unclaimed", buy(a, "shop:3", two), profile.ErrUnknownSlot, false)
			if _, err := a.book.Refund(context.Background(), receipt.Purchase{ID: "shop:1", Product: "gold"}, "test"); err != nil || took.Get(p, "shop:1") != 0 {
				t.Errorf("Refund of what a slot had that is gone = %v; taken %d times", err, took.Get(p, "shop:1"))
			}
			if _, err := a.book.Release(w.ctx, "shop:2", "its slot is gone"); err != nil {
				t.Errorf("Release = %v", err)
			}
			ok(w, buy(a, "shop:2", "1"))
			if gold.Get(p) != 10 {
				t.Errorf("gold = %d, want 10", gold.Get(p))
			}
			if err := buy(a, "shop:4", "x"); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Grant for slot x = %v", err)
			}
		})
	})
}
