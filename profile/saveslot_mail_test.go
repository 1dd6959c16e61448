package profile_test

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
)

// levels has messages raise the level of the slot that is loaded.
func (w *world) levels(srv *profile.Server) *profile.Server {
	w.ok(srv.Handle("raise", func(tx *profile.Tx, m *profile.Message) (json.RawMessage, error) {
		return json.RawMessage(`"` + tx.LoadedSlot() + `"`), level.Add(tx, 10)
	}))
	return srv
}

func (w *world) sendTo(srv *profile.Server, slot string) string {
	w.Helper()
	id, err := srv.Send(w.ctx, "1", profile.Message{Topic: "raise", Slot: slot}, nil)
	w.ok(err)
	return id
}

func TestMessagesForASaveSlot(t *testing.T) {
	t.Run("WaitUntilItIsLoaded", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.levels(w.heroes("a"))
			p := w.load(a, "1")
			two := w.create(p, "Two", false)
			id := w.sendTo(a, two)
			var unhandled *profile.UnhandledError
			if _, err := a.Deliver(w.ctx, "1", id); !errors.As(err, &unhandled) || level.Get(p) != 1 {
				t.Errorf("Deliver = %v, level %d", err, level.Get(p))
			}
			w.ok(p.SwitchSlot(w.ctx, two))
			synctest.Wait()
			time.Sleep(time.Second)
			if level.Get(p) != 11 {
				t.Errorf("after the switch: level %d, want 11", level.Get(p))
			}
			w.sendTo(a, "1")
			w.close(p)
			p = w.with(w.levels(w.heroes("b")), "1", "1")
			if level.Get(p) != 11 {
				t.Errorf("loaded on another server: level %d, want 11", level.Get(p))
			}
			w.sendTo(a, "") // for whichever is loaded
			synctest.Wait()
			time.Sleep(time.Second)
			if level.Get(p) != 21 {
				t.Errorf("for any slot: level %d, want 21", level.Get(p))
			}
		})
	})
	t.Run("WaitWhileItCanBeUndeletedAndDieWithIt", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.levels(w.serverOn("a", open{w.db}, hero.WithSlots(profile.SlotRules{Keep: time.Minute}), nil))
			p := w.load(a, "1")
			two := w.create(p, "Two", false)
			w.ok(p.DeleteSlot(w.ctx, two))
			id := w.sendTo(a, two)
			var unhandled *profile.UnhandledError
			if _, err := a.Deliver(w.ctx, "1", id); !errors.As(err, &unhandled) {
				t.Errorf("Deliver = %v", err)
			}
			time.Sleep(2 * time.Minute)
			w.create(p, "Three", true) // purges, and has the mail looked at
			synctest.Wait()
			time.Sleep(time.Second)
			var dead *profile.DeadError
			if _, err := a.Deliver(w.ctx, "1", id); !errors.As(err, &dead) || level.Get(p) != 1 {
				t.Errorf("Deliver = %v, level %d, want a dead letter", err, level.Get(p))
			}
		})
	})
	t.Run("AreNotForAServerThatKnowsNoSlots", func(t *testing.T) {
		bubble(t, func(w *world) {
			plain := w.serverOn("plain", open{w.db}, profile.NewSchema("hero", gems), nil)
			w.ok(plain.Handle("raise", func(*profile.Tx, *profile.Message) (json.RawMessage, error) { return nil, nil }))
			p := w.load(plain, "1")
			var unhandled *profile.UnhandledError
			if _, err := plain.Deliver(w.ctx, "1", w.sendTo(plain, "1")); !errors.As(err, &unhandled) {
				t.Errorf("Deliver = %v", err)
			}
			w.close(p)
			if p = w.load(w.levels(w.heroes("a")), "1"); level.Get(p) != 11 {
				t.Errorf("level %d, want 11", level.Get(p))
			}
		})
	})
	t.Run("NameItRight", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.levels(w.heroes("a"))
			w.load(a, "1")
			for _, slot := range []string{"x", "0", profile.NoSlot, "1/2"} {
				if _, err := a.Send(w.ctx, "1", profile.Message{Topic: "raise", Slot: slot}, nil); !errors.Is(err, driver.ErrInvalid) {
					t.Errorf("Send to slot %q = %v, want ErrInvalid", slot, err)
				}
			}
			var dead *profile.DeadError
			if _, err := a.Deliver(w.ctx, "1", w.sendTo(a, "5")); !errors.As(err, &dead) {
				t.Errorf("Deliver to a slot that never was = %v", err)
			}
		})
	})
}

func TestChangesInASaveSlot(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.heroes("a"), w.heroes("b")
		p := w.load(a, "1")
		two := w.create(p, "Two", false)
		for name, srv := range map[string]*profile.Server{"here": a, "elsewhere": b} {
			before := level.Get(p)
			_, err := srv.Change(w.ctx, "1", []profile.Op{level.AddOp(1)}, &profile.ChangeOptions{Slot: "1"})
			if w.ok(err); level.Get(p) != before+1 {
				t.Errorf("%s: in the loaded slot: level %d", name, level.Get(p))
			}
			_, err = srv.Change(w.ctx, "1", []profile.Op{level.AddOp(1)}, &profile.ChangeOptions{Slot: "9"})
			if !errors.Is(err, profile.ErrUnknownSlot) {
				t.Errorf("%s: in a slot that never was = %v, want ErrUnknownSlot", name, err)
			}
			_, err = srv.Change(w.within(time.Second), "1", []profile.Op{level.AddOp(5)}, &profile.ChangeOptions{Slot: two})
			if !errors.Is(err, profile.ErrPending) {
				t.Errorf("%s: in a slot that is not loaded = %v, want ErrPending", name, err)
			}
		}
		w.ok(p.SwitchSlot(w.ctx, two))
		synctest.Wait()
		time.Sleep(time.Second)
		if level.Get(p) != 11 {
			t.Errorf("after the switch: level %d, want 11", level.Get(p))
		}
		w.ok(p.SwitchSlot(w.ctx, profile.NoSlot))
		if _, err := b.Change(w.ctx, "1", []profile.Op{level.AddOp(5)}, nil); !errors.Is(err, profile.ErrNoSlot) {
			t.Errorf("without a slot = %v, want ErrNoSlot", err)
		}
		w.ok(p.SwitchSlot(w.ctx, "1"))
		if level.Get(p) != 3 {
			t.Errorf("level of the first slot = %d, want 3", level.Get(p))
		}
	})
}
