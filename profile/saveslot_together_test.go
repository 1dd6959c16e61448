package profile_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/profile"
)

// linked starts a server of heroes on a bus.
func (w *world) linked(hub *bus.Local, name string) *profile.Server {
	line, err := hub.Open(nil)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = line.Close() })
	opts := &profile.Options{}
	opts.Session.Bus = line
	return w.serverOn(name, open{w.db}, hero, opts)
}

func TestSaveSlotsAndOthers(t *testing.T) {
	t.Run("FollowersSeeASwitch", func(t *testing.T) {
		bubble(t, func(w *world) {
			hub := bus.NewLocal()
			a, b := w.linked(hub, "a"), w.linked(hub, "b")
			p := w.load(a, "1")
			w.setLevel(p, 3)
			w.ok(p.Save(w.ctx))
			f, err := b.Follow(w.ctx, "1", func(profile.Followed) {}, nil)
			w.ok(err)
			defer f.Close()
			two := w.create(p, "Two", true)
			w.setLevel(p, 8)
			time.Sleep(time.Second)
			synctest.Wait()
			if level.Get(f) != 8 || f.Profile().LoadedSlot() != two || names(f.Profile().SaveSlots()) != "1=Slot 1 2=Two*" {
				t.Errorf("followed: level %d, slot %q, %s", level.Get(f), f.Profile().LoadedSlot(), names(f.Profile().SaveSlots()))
			}
			w.ok(p.SwitchSlot(w.ctx, "1"))
			time.Sleep(time.Second)
			if level.Get(f) != 3 || f.Profile().LoadedSlot() != "1" {
				t.Errorf("followed: level %d, slot %q", level.Get(f), f.Profile().LoadedSlot())
			}
		})
	})
	t.Run("TradesSeeTheLoadedSlot", func(t *testing.T) {
		bubble(t, func(w *world) {
			hub := bus.NewLocal()
			a, b := w.linked(hub, "a"), w.linked(hub, "b")
			p, q := w.load(a, "1"), w.load(b, "2")
			move := func() error {
				return profile.Exchange(w.within(5*time.Second), []profile.Party{{Server: a, ID: "1"}, {Server: a, ID: "2"}}, "", func(txs []*profile.Tx) error {
					_ = level.Add(txs[0], -1)
					return level.Add(txs[1], 1)
				})
			}
			adopted := func() { time.Sleep(time.Second); synctest.Wait() }
			synctest.Wait()
			w.ok(move()) // which makes the first slots of both stored
			adopted()
			if level.Get(p) != 0 || level.Get(q) != 2 || q.LoadedSlot() != "1" {
				t.Errorf("after a trade: %d, %d", level.Get(p), level.Get(q))
			}
			two := w.create(q, "Two", true)
			w.ok(move())
			adopted()
			if level.Get(p) != -1 || level.Get(q) != 2 {
				t.Errorf("after a trade with the second slot: %d, %d", level.Get(p), level.Get(q))
			}
			w.ok(q.SwitchSlot(w.ctx, profile.NoSlot))
			if err := move(); !errors.Is(err, profile.ErrNoSlot) || level.Get(p) != -1 {
				t.Errorf("a trade with who has no slot loaded = %v; %d", err, level.Get(p))
			}
			w.ok(q.SwitchSlot(w.ctx, two))
			if level.Get(q) != 2 {
				t.Errorf("the second slot has level %d, want 2", level.Get(q))
			}
			w.ok(q.SwitchSlot(w.ctx, "1"))
			if level.Get(q) != 2 {
				t.Errorf("the first slot has level %d, want 2", level.Get(q))
			}
		})
	})
	t.Run("OneOperationAtATime", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.serverOn("a", open{w.db}, roomy, nil), "1")
			done := make(chan error)
			for n := range 20 {
				go func() {
					switch n % 4 {
					case 0:
						done <- second(p.CreateSlot(w.ctx, "x", true))
					case 1:
						done <- second(p.CopySlot(w.ctx, "1", "x"))
					case 2:
						done <- p.SwitchSlot(w.ctx, "1")
					default:
						done <- p.Update(func(tx *profile.Tx) error { return gems.Add(tx, 1) })
					}
				}()
			}
			for range 20 {
				w.ok(<-done)
			}
			if got := w.readSlots(p); len(got.names) != 11 || got.gems != 5 {
				t.Errorf("after all: %v", got)
			}
		})
	})
}
