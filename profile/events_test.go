package profile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

func TestChanges(t *testing.T) {
	t.Run("HaveOldAndNewInOrder", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			var got []string
			cancel := p.OnChange(func(c profile.Change) {
				if c.Profile != p || c.Field.Name() != c.Path.Field {
					t.Errorf("change of %v, field %q, path %v", c.Profile.Key(), c.Field.Name(), c.Path)
				}
				got = append(got, fmt.Sprintf("%v %s>%s", c.Path, c.Old, c.New))
			})
			w.update(p, func(tx *profile.Tx) {
				_ = coins.Add(tx, -100)
				_ = nick.Set(tx, "x")
				_ = coins.Add(tx, -100) // one change per path and update
				_ = veteran.Set(tx, true)
				_ = veteran.Reset(tx) // no change at all
				_ = bag.Put(tx, "a", Item{Level: 1})
				_ = bag.Put(tx, "b", Item{Level: 1})
				_ = bag.Clear(tx)
				_ = bag.Put(tx, "a", Item{Level: 2})
			})
			_ = p.Update(func(tx *profile.Tx) error { _ = coins.Set(tx, 1); return errors.New("no") })
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 7) })
			cancel()
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 8) })
			want := []string{
				"coins >300", `nick >"x"`,
				`bag/a >{"name":"","level":1}`, `bag/b >{"name":"","level":1}`,
				`bag {"a":{"name":"","level":1},"b":{"name":"","level":1}}>`,
				`bag/a >{"name":"","level":2}`,
				"coins 300>7",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("OfOneField", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			var got []string
			note := func(name string, values ...any) { got = append(got, name+" "+words(values...)) }
			coins.OnChange(p, func(old, new int64) { note("coins", old, new) })
			luck.OnChange(p, func(old, new float64) { note("luck", old, new) })
			veteran.OnChange(p, func(old, new bool) { note("veteran", old, new) })
			nick.OnChange(p, func(old, new string) { note("nick", old, new) })
			settings.OnChange(p, func(old, new Settings) { note("settings", old.Volume, new.Volume) })
			quests.OnChange(p, func(old, new []Item) { note("quests", len(old), len(new)) })
			friends.OnChange(p, func(text string, added bool) { note("friends", text, added) })
			kills.OnChange(p, func(name string, old, new int64) { note("kills", name, old, new) })
			bag.OnChange(p, func(name string, old, new *Item) {
				level := func(i *Item) int {
					if i == nil {
						return -1
					}
					return i.Level
				}
				note("bag", name, level(old), level(new))
			})
			w.update(p, func(tx *profile.Tx) {
				_ = coins.Set(tx, 1)
				_ = luck.Set(tx, 2)
				_ = veteran.Set(tx, true)
				_ = nick.Set(tx, "me")
				_ = settings.Edit(tx, func(s *Settings) error { s.Volume = 9; return nil })
				_ = quests.Append(tx, Item{}, Item{})
				_ = friends.Add(tx, "bob")
				_ = kills.Add(tx, "bears", 2)
				_ = bag.Put(tx, "a", Item{Level: 1})
			})
			w.update(p, func(tx *profile.Tx) {
				_ = bag.Edit(tx, "a", func(i *Item) error { i.Level++; return nil })
				_ = bag.Put(tx, "b", Item{Level: 5})
				_ = friends.Clear(tx)
				_ = kills.Delete(tx, "bears")
			})
			w.update(p, func(tx *profile.Tx) { _ = bag.Clear(tx); _ = coins.Reset(tx) })
			want := []string{
				"coins 500 1", "luck 0.5 2", "veteran false true", "nick nobody me", "settings 7 9", "quests 0 2",
				"friends bob true", "kills bears 0 2", "bag a -1 1",
				"bag a 1 2", "bag b -1 5", "friends bob false", "kills bears 2 0",
				"bag a 2 -1", "bag b 5 -1", "coins 1 500",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("AreToldOutsideOfTheLockAndInOrderWhenAListenerUpdates", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			var got []int64
			coins.OnChange(p, func(old, new int64) {
				got = append(got, new)
				if new < 5 {
					w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, new+1) })
				}
			})
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 1) })
			if want := []int64{1, 2, 3, 4, 5}; !slices.Equal(got, want) {
				t.Errorf("listener was told %v, want %v", got, want)
			}
		})
	})
	t.Run("AreToldInOrderWhenManyUpdate", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			last, told := int64(500), 0
			coins.OnChange(p, func(old, new int64) {
				if old != last {
					t.Errorf("told of a change from %d after one to %d", old, last)
				}
				last = new
				told++
			})
			done := make(chan struct{})
			for range 8 {
				go func() {
					defer func() { done <- struct{}{} }()
					for range 100 {
						_ = p.Update(func(tx *profile.Tx) error { return coins.Add(tx, 1) })
					}
				}()
			}
			for range 8 {
				<-done
			}
			if told != 800 || last != 1300 {
				t.Errorf("told of %d changes up to %d, want 800 up to 1300", told, last)
			}
		})
	})
	t.Run("StayQueuedWhenAListenerPanics", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			var got []string
			p.OnChange(func(c profile.Change) {
				got = append(got, c.Path.Field)
				if c.Path.Field == "coins" {
					panic("boom")
				}
			})
			func() {
				defer func() {
					if r := recover(); r != "boom" {
						t.Errorf("recovered %v, want boom", r)
					}
				}()
				_ = p.Update(func(tx *profile.Tx) error { _ = coins.Set(tx, 1); return nick.Set(tx, "x") })
			}()
			w.update(p, func(tx *profile.Tx) { _ = veteran.Set(tx, true) })
			if want := []string{"coins", "nick", "veteran"}; !slices.Equal(got, want) || coins.Get(p) != 1 {
				t.Errorf("told of %v, %d coins; want %v and 1", got, coins.Get(p), want)
			}
		})
	})
	t.Run("OfOthersStayQueuedWhenAListenerPanics", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			p, q := w.load(srv, "1"), w.load(srv, "2")
			var got []int64
			coins.OnChange(p, func(old, new int64) { panic("boom") })
			coins.OnChange(q, func(old, new int64) { got = append(got, new) })
			func() {
				defer func() { _ = recover() }()
				_ = profile.UpdateAll([]*profile.Profile{p, q}, func(txs []*profile.Tx) error {
					_ = coins.Set(txs[0], 1)
					return coins.Set(txs[1], 1)
				})
			}()
			w.update(q, func(tx *profile.Tx) { _ = coins.Set(tx, 2) })
			if !slices.Equal(got, []int64{1, 2}) {
				t.Errorf("the other profile's listener was told %v, want [1 2]", got)
			}
		})
	})
	t.Run("WaitForTheGameWithManualEvents", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", &profile.Options{ManualEvents: true}), "1")
			var got []int64
			coins.OnChange(p, func(old, new int64) { got = append(got, new) })
			saves := 0
			p.OnSaved(func(session.Saved) { saves++ })
			for i := range 3 {
				w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, int64(i)) })
			}
			if err := p.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if len(got) > 0 || saves > 0 {
				t.Errorf("told of %v and %d saves before DrainEvents", got, saves)
			}
			if n := p.DrainEvents(); n != 4 || !slices.Equal(got, []int64{0, 1, 2}) || saves != 1 {
				t.Errorf("DrainEvents() = %d, told of %v and %d saves; want 4, [0 1 2] and 1", n, got, saves)
			}
			if n := p.DrainEvents(); n != 0 {
				t.Errorf("second DrainEvents() = %d, want 0", n)
			}
		})
	})
	t.Run("AreNeverDroppedButUpdatesAreRefused", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", &profile.Options{ManualEvents: true}), "1")
			told := 0
			coins.OnChange(p, func(old, new int64) { told++ })
			add := func(tx *profile.Tx) error { return coins.Add(tx, 1) }
			for i := range profile.MaxQueuedEvents {
				if err := p.Update(add); err != nil {
					t.Fatalf("update %d = %v", i, err)
				}
			}
			if err := p.Update(add); !errors.Is(err, profile.ErrEventsFull) {
				t.Errorf("one more update = %v, want ErrEventsFull", err)
			}
			if n := p.DrainEvents(); n != profile.MaxQueuedEvents || told != n {
				t.Errorf("DrainEvents() = %d, told of %d; want %d", n, told, profile.MaxQueuedEvents)
			}
			if err := p.Update(add); err != nil {
				t.Errorf("update after the delivery = %v", err)
			}
		})
	})
}

func TestManyChangesInOneUpdate(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.load(w.server("a", nil), "1")
		var got []string
		p.OnChange(func(c profile.Change) { got = append(got, fmt.Sprintf("%v %s>%s", c.Path, c.Old, c.New)) })
		var want []string
		w.update(p, func(tx *profile.Tx) {
			for range 2 { // the second time continues the changes of the first
				for i := range 40 {
					_ = kills.Add(tx, fmt.Sprint(i), 1)
				}
			}
			_ = kills.Clear(tx)
			_ = kills.Set(tx, "0", 9)
		})
		for i := range 40 {
			want = append(want, fmt.Sprintf("kills/%d >2", i))
		}
		if len(got) != 42 || !slices.Equal(got[:40], want) || got[41] != "kills/0 >9" {
			t.Errorf("changes = %v\nwant 40 of elements, one of the field, and then kills/0", got)
		}
	})
}

func TestSavesAndEnds(t *testing.T) {
	t.Run("AreTold", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			var got []string
			srv := w.serverOn("a", db, player, &profile.Options{OnOpen: func(p *profile.Profile) {
				p.OnSaved(func(s session.Saved) { got = append(got, words(s.Cause, s.Err != nil)) })
				p.OnEnded(func(e profile.End) { got = append(got, words("end", e.Reason, e.Err)) })
			}})
			p := w.load(srv, "1")
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 1) })
			db.set(func() { db.refuse["player/1"] = driver.ErrInvalid })
			if err := p.Save(w.ctx); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Save() = %v, want the database's error", err)
			}
			db.set(func() { clear(db.refuse) })
			if err := p.Save(w.ctx); err != nil {
				t.Errorf("Save() = %v", err)
			}
			w.close(p)
			synctest.Wait()
			want := []string{"asked true", "asked false", "close false", "end closed <nil>"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if end, ok := p.Ended(); !ok || end.Reason != profile.Closed {
				t.Errorf("Ended() = %v, %v", end, ok)
			}
			if err := p.Close(w.ctx); err != nil {
				t.Errorf("second Close() = %v", err)
			}
			if err := p.Update(func(*profile.Tx) error { return nil }); !errors.Is(err, session.ErrClosed) {
				t.Errorf("Update() after the end = %v, want ErrClosed", err)
			}
		})
	})
	t.Run("OfALostProfile", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			p := w.load(a, "1")
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 1) })
			ended := make(chan profile.End, 1)
			p.OnEnded(func(e profile.End) { ended <- e })
			q, err := b.Open(w.ctx, "1", &profile.OpenOptions{Steal: "test"})
			if err != nil {
				t.Fatalf("Open() to steal = %v", err)
			}
			if e := <-ended; e.Reason != profile.Lost || !errors.Is(e.Err, session.ErrLost) {
				t.Errorf("told of %v, want that it was lost", e)
			}
			if err := p.Update(func(tx *profile.Tx) error { return coins.Set(tx, 9) }); !errors.Is(err, session.ErrLost) || p.CanSave() {
				t.Errorf("Update() of a lost profile = %v, CanSave %v; want ErrLost and false", err, p.CanSave())
			}
			if _, ok := a.Profile("1"); ok {
				t.Error("a lost profile is still known to its server")
			}
			if got := coins.Get(q); got != 1 && got != 500 {
				t.Errorf("the thief has %d coins", got)
			}
		})
	})
	t.Run("OfAHandOver", func(t *testing.T) {
		bubble(t, func(w *world) {
			var order []string
			a := w.server("a", &profile.Options{
				HandOver: func(ctx context.Context, p *profile.Profile) {
					order = append(order, "hand over")
					w.update(p, func(tx *profile.Tx) { _ = coins.Add(tx, 1) })
				},
				OnRelease: func(ctx context.Context, p *profile.Profile) {
					order = append(order, "release")
					w.update(p, func(tx *profile.Tx) { _ = coins.Add(tx, 1) })
				},
			})
			b := w.server("b", nil)
			p := w.load(a, "1")
			ended := make(chan profile.End, 1)
			p.OnEnded(func(e profile.End) { order = append(order, "ended"); ended <- e })
			q := w.load(b, "1")
			if e := <-ended; e.Reason != profile.HandedOver || e.Err != nil {
				t.Errorf("told of %v, want that it was handed over", e)
			}
			if got := coins.Get(q); got != 502 {
				t.Errorf("coins on the other server = %d, want 502", got)
			}
			if want := []string{"hand over", "release", "ended"}; !slices.Equal(order, want) {
				t.Errorf("order = %v, want %v", order, want)
			}
		})
	})
}
