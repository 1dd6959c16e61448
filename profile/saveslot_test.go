package profile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// A hero has gems for all his save slots, and the rest in each.
var (
	gems    = profile.Int("gems", 0, profile.Min(0))
	level   = profile.Int("level", 1, profile.PerSlot())
	chest   = profile.Map[Item]("chest", profile.PerSlot())
	place   = profile.String("place", "home", profile.PerSlot(), profile.Lazy())
	seconds = profile.Int("seconds", 0, profile.PerSlot())
	hero    = profile.NewSchema("hero", gems, level, chest, place, seconds).
		WithSlots(profile.SlotRules{Max: 3, Summary: []profile.Field{level, place}})
)

// Some know how long each slot was played.
var (
	hours  = profile.PlayTime("hours")
	inSlot = profile.PlayTime("slot hours", profile.PerSlot())
	timed  = profile.NewSchema("hero", level, hours, inSlot).WithSlots(profile.SlotRules{PlayTime: inSlot})
)

func TestPlayTimeOfSaveSlots(t *testing.T) {
	t.Run("GrowsInTheLoadedOneAlone", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.serverOn("a", open{w.db}, timed, nil)
			p := w.load(a, "1")
			w.update(p, func(tx *profile.Tx) { level.Set(tx, 2) })
			time.Sleep(time.Minute)
			second, err := p.CreateSlot(w.ctx, "second", true)
			w.ok(err)
			time.Sleep(2 * time.Minute)
			w.ok(p.SwitchSlot(w.ctx, profile.NoSlot))
			time.Sleep(4 * time.Minute)
			w.ok(p.SwitchSlot(w.ctx, profile.FirstSlot))
			time.Sleep(8 * time.Minute)
			for _, s := range p.SaveSlots() {
				want := 9 * time.Minute
				if s.ID == second {
					want = 2 * time.Minute
				}
				if (s.PlayTime - want).Abs() > time.Second {
					t.Errorf("save slot %s was played for %v, want %v", s.ID, s.PlayTime, want)
				}
			}
			w.close(p)
			c, err := a.Peek(w.ctx, "1")
			w.ok(err)
			if got := hours.Get(c); (got - 15*time.Minute).Abs() > time.Second {
				t.Errorf("the account was played for %v, want 15m", got)
			}
			if got := c.SaveSlots()[0].PlayTime; (got - 9*time.Minute).Abs() > time.Second {
				t.Errorf("the stored list says %v of the first slot, want 9m", got)
			}
		})
	})
}

// TestMigrationsOfSaveSlots: what belongs to a slot is migrated once, also if it is
// parked meanwhile.
func TestMigrationsOfSaveSlots(t *testing.T) {
	power := profile.Int("power", 0, profile.PerSlot())
	rich := profile.Int("rich", 0)
	runs := make(map[string]int)
	double := profile.Migration{Name: "power is level doubled", PerSlot: true, Run: func(d *profile.Draft) error {
		runs["slot"]++
		var n int64
		if _, err := d.Get("level", &n); err != nil {
			return err
		}
		if d.Has("gems") {
			return errors.New("a migration of slots sees the account")
		}
		return errors.Join(d.Set("power", 2*n), d.Delete("level"))
	}}
	wealth := profile.Migration{Name: "gems are riches", Run: func(d *profile.Draft) error {
		runs["account"]++
		if d.Has("level") || d.Has("power") {
			return errors.New("a migration of the account sees a slot")
		}
		return d.Rename("gems", "rich")
	}}
	later := profile.NewSchema("hero", rich, power).Migrate(double, wealth)
	prepare := func(w *world) (second string) {
		a := w.serverOn("old", open{w.db}, profile.NewSchema("hero", gems, level), nil)
		p := w.load(a, "1")
		w.update(p, func(tx *profile.Tx) { level.Set(tx, 3); gems.Set(tx, 10) })
		second, err := p.CreateSlot(w.ctx, "second", true)
		w.ok(err)
		w.update(p, func(tx *profile.Tx) { level.Set(tx, 5) })
		w.close(p)
		_, err = a.Close(w.ctx)
		w.ok(err)
		clear(runs)
		return second
	}
	t.Run("AreAppliedOnceToEach", func(t *testing.T) {
		bubble(t, func(w *world) {
			second := prepare(w)
			for range 2 {
				a := w.serverOn("new", open{w.db}, later, nil)
				p := w.with(a, "1", second)
				if power.Get(p) != 10 || rich.Get(p) != 10 {
					t.Errorf("the loaded slot has power %d and the account %d, want 10 and 10", power.Get(p), rich.Get(p))
				}
				w.ok(p.SwitchSlot(w.ctx, profile.FirstSlot))
				if power.Get(p) != 6 {
					t.Errorf("the parked slot has power %d, want 6", power.Get(p))
				}
				third, err := p.CreateSlot(w.ctx, "third", true)
				w.ok(err)
				if power.IsSet(p) {
					t.Error("a slot that began in the newest form was migrated")
				}
				w.ok(p.DeleteSlot(w.ctx, third))
				w.ok(p.SwitchSlot(w.ctx, second))
				w.close(p)
				_, err = a.Close(w.ctx)
				w.ok(err)
			}
			if runs["slot"] != 2 || runs["account"] != 1 {
				t.Errorf("migrations ran %v times, want twice for slots and once for the account", runs)
			}
		})
	})
	t.Run("ThatWriteWhatIsNotTheirsFail", func(t *testing.T) {
		bubble(t, func(w *world) {
			second := prepare(w)
			bad := later.Migrate(profile.Migration{Name: "bad", PerSlot: true, Run: func(d *profile.Draft) error { return d.Set("rich", 1) }})
			p, err := w.serverOn("new", open{w.db}, bad, nil).Open(w.ctx, "1", &profile.OpenOptions{Slot: second})
			if err != nil || !errors.Is(p.Err(), profile.ErrMigration) {
				t.Errorf("Open = %v, a profile with error %v; want ErrMigration", err, p.Err())
			}
		})
	})
	t.Run("NeedSlots", func(t *testing.T) {
		if err := profile.NewSchema("hero", gems).Migrate(double).Err(); !errors.Is(err, profile.ErrSchema) {
			t.Errorf("Err() = %v, want ErrSchema", err)
		}
	})
}

func (w *world) heroes(name string) *profile.Server { return w.serverOn(name, open{w.db}, hero, nil) }

func (w *world) with(srv *profile.Server, id, slot string) *profile.Profile {
	w.Helper()
	p, err := srv.Open(w.ctx, id, &profile.OpenOptions{Slot: slot})
	if err != nil || p.Err() != nil {
		w.Fatalf("Open(%q, slot %q) = %v, %v", id, slot, p, err)
	}
	return p
}

// ok checks an operation on slots.
func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Errorf("= %v", err)
	}
}

func (w *world) create(p *profile.Profile, name string, load bool) string {
	w.Helper()
	id, err := p.CreateSlot(w.ctx, name, load)
	if err != nil {
		w.Fatalf("CreateSlot(%q): %v", name, err)
	}
	return id
}

func (w *world) setLevel(p *profile.Profile, n int64) {
	w.Helper()
	w.update(p, func(tx *profile.Tx) { _ = level.Set(tx, n) })
}

// entries returns the keys that lie beside a hero's root.
func (w *world) entries(id, folder string) (keys []string) {
	page, err := w.db.List(w.ctx, driver.Query{Prefix: "hero/" + id + "/" + folder + "/", Limit: 1000})
	if err != nil {
		w.Fatal(err)
	}
	for i := range page.Entries {
		keys = append(keys, strings.TrimPrefix(page.Entries[i].Key, "hero/"+id+"/"+folder+"/"))
	}
	return keys
}

// parked returns the slots of a hero that are parked: the entry of one that is loaded
// has no fields.
func (w *world) parked(id string) []string {
	return slices.DeleteFunc(w.entries(id, "slot"), func(slot string) bool {
		snap := got(w.db.Read(w.ctx, "hero/"+id+"/slot/"+slot))
		return !strings.Contains(string(snap.Entries[0].Value), `"fields"`)
	})
}

func names(list []profile.SaveSlot) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%s=%s", s.ID, s.Name)
		if s.Loaded {
			b.WriteByte('*')
		}
		if !s.Deleted.IsZero() {
			b.WriteByte('-')
		}
		b.WriteByte(' ')
	}
	return strings.TrimSpace(b.String())
}

func (w *world) lists(p *profile.Profile, want string) {
	w.Helper()
	if got := names(p.SaveSlots()); got != want {
		w.Errorf("SaveSlots() = %q, want %q", got, want)
	}
}

func TestSaveSlots(t *testing.T) {
	t.Run("AFirstSlotIsMadeByItself", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.heroes("a")
			p := w.load(a, "1")
			w.lists(p, "1=Slot 1*")
			w.setLevel(p, 7)
			w.close(p)
			w.lists(w.load(a, "1"), "1=Slot 1*")
			if got := w.parked("1"); got != nil {
				t.Errorf("entries of slots = %v, want none: nothing is parked", got)
			}
		})
	})
	t.Run("AnUpdateThatFailsMakesNone", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.heroes("a"), "1")
			bad := errors.New("bad")
			if err := p.Update(func(tx *profile.Tx) error { _ = level.Set(tx, 2); return bad }); !errors.Is(err, bad) || dump(p) != "{}" {
				t.Errorf("Update = %v, left %s", err, dump(p))
			}
			if w.setLevel(p, 2); !strings.Contains(dump(p), `"~slots"`) {
				t.Errorf("the index is not stored: %s", dump(p))
			}
		})
	})
	t.Run("WhatAPlayerHasFromBeforeSlotsIsHisFirst", func(t *testing.T) {
		bubble(t, func(w *world) {
			before := profile.Int("level", 1)
			old := w.serverOn("old", open{w.db}, profile.NewSchema("hero", before), nil)
			p := w.load(old, "1")
			w.update(p, func(tx *profile.Tx) { _ = before.Set(tx, 9) })
			w.close(p)
			q := w.load(w.heroes("new"), "1")
			two := w.create(q, "Two", true)
			if level.Get(q) != 1 || two != "2" {
				t.Errorf("a new slot %q has level %d, want slot 2 and the default", two, level.Get(q))
			}
			w.ok(q.SwitchSlot(w.ctx, "1"))
			if level.Get(q) != 9 {
				t.Errorf("level of the first slot = %d, want 9", level.Get(q))
			}
		})
	})
	t.Run("ASwitchTakesAllFieldsOfTheSlotAndNoneOfTheAccount", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.heroes("a")
			p := w.load(a, "1")
			w.update(p, func(tx *profile.Tx) {
				_ = gems.Set(tx, 5)
				_ = level.Set(tx, 3)
				_ = chest.Put(tx, "sword", Item{Name: "Sword"})
				_ = place.Set(tx, "cave")
			})
			two := w.create(p, "Two", true)
			if level.Get(p) != 1 || chest.Len(p) != 0 || place.Get(p) != "home" || gems.Get(p) != 5 {
				t.Errorf("in a new slot: %s", dump(p))
			}
			w.update(p, func(tx *profile.Tx) { _ = level.Set(tx, 8); _ = gems.Add(tx, 1) })
			w.ok(p.SwitchSlot(w.ctx, "1"))
			item, _ := chest.Get(p, "sword")
			if level.Get(p) != 3 || item.Name != "Sword" || place.Get(p) != "cave" || gems.Get(p) != 6 {
				t.Errorf("back in the first: %s", dump(p))
			}
			if got := w.parked("1"); !slices.Equal(got, []string{two}) {
				t.Errorf("entries of slots = %v, want the one of %s alone", got, two)
			}
			w.close(p)
			p = w.with(w.heroes("b"), "1", two)
			if level.Get(p) != 8 || p.LoadedSlot() != two {
				t.Errorf("on another server: slot %q, level %d", p.LoadedSlot(), level.Get(p))
			}
		})
	})
	t.Run("ASwitchIsOnDiskWhenItReturns", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.heroes("a")
			p := w.load(a, "1")
			w.setLevel(p, 3)
			two := w.create(p, "Two", true)
			if c, err := a.Peek(w.ctx, "1"); err != nil || level.Get(c) != 1 || c.LoadedSlot() != two || c.Version() != p.Session().Version() {
				t.Errorf("in the root: %s, %v", w.stored(a, "1"), err)
			}
			if p.Dirty() {
				t.Error("the profile is dirty after the switch")
			}
		})
	})
	t.Run("TheListTellsWithoutLoading", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.heroes("a")
			p := w.load(a, "1")
			w.update(p, func(tx *profile.Tx) {
				_ = level.Set(tx, 3)
				_ = seconds.Set(tx, 60)
				_ = place.Set(tx, strings.Repeat("x", 300))
			})
			created := a.Session().Now()
			time.Sleep(time.Hour)
			w.create(p, "Two", true)
			parked := a.Session().Now()
			time.Sleep(time.Hour)
			w.update(p, func(tx *profile.Tx) { _ = level.Set(tx, 4) })
			w.ok(p.Save(w.ctx))
			c, err := a.Peek(w.ctx, "1")
			if err != nil {
				t.Fatal(err)
			}
			tool, err := profile.ReadSaveSlots(viewOf(w, a, "1"))
			if err != nil {
				t.Fatal(err)
			}
			for what, list := range map[string][]profile.SaveSlot{"memory": p.SaveSlots(), "a copy": c.SaveSlots(), "a tool": tool} {
				one, two := list[0], list[1]
				if one.Name != profile.FirstSlotName || string(one.Summary["level"]) != "3" || one.Summary["place"] != nil ||
					one.Created.Sub(created).Abs() > time.Second || one.Played.Sub(parked).Abs() > time.Second {
					t.Errorf("from %s: the first slot is %+v", what, one)
				}
				if !two.Loaded || string(two.Summary["level"]) != "4" || what != "a tool" && a.Session().Now().Sub(two.Played) > time.Second {
					t.Errorf("from %s: the second slot is %+v", what, two)
				}
			}
		})
	})
	t.Run("WithoutASlotTheAccountWorks", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.heroes("a")
			p := w.load(a, "1")
			w.setLevel(p, 3)
			w.ok(p.SwitchSlot(w.ctx, profile.NoSlot))
			if level.Get(p) != 1 || p.LoadedSlot() != "" {
				t.Errorf("without a slot: level %d, slot %q", level.Get(p), p.LoadedSlot())
			}
			for what, write := range map[string]func(*profile.Tx){
				"Set": func(tx *profile.Tx) { _ = level.Set(tx, 2) }, "Add": func(tx *profile.Tx) { _ = level.Add(tx, 2) },
				"Put": func(tx *profile.Tx) { _ = chest.Put(tx, "x", Item{}) }, "Reset": func(tx *profile.Tx) { _ = level.Reset(tx) },
				"Delete": func(tx *profile.Tx) { _ = chest.Delete(tx, "x") }, "Apply": func(tx *profile.Tx) { _, _ = tx.Apply(place.SetOp("x")) },
			} {
				t.Run(what, func(*testing.T) { w.refuses(p, profile.ErrNoSlot, write) })
			}
			w.update(p, func(tx *profile.Tx) { _ = gems.Add(tx, 5) })
			w.close(p)
			p = w.with(a, "1", profile.NoSlot)
			w.lists(p, "1=Slot 1")
			w.close(p)
			p = w.load(a, "1") // without a wish: what was played last
			if w.lists(p, "1=Slot 1*"); level.Get(p) != 3 || gems.Get(p) != 5 {
				t.Errorf("loaded again: %s", dump(p))
			}
		})
	})
	t.Run("ANewPlayerInTheMenuHasNone", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.heroes("a")
			p := w.with(a, "1", profile.NoSlot)
			w.lists(p, "")
			w.refuses(p, profile.ErrNoSlot, func(tx *profile.Tx) { _ = level.Set(tx, 2) })
			w.close(p)
			w.lists(w.load(a, "1"), "1=Slot 1*")
		})
	})
	t.Run("CopyRenameDeleteAndUndelete", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.heroes("a")
			p := w.load(a, "1")
			w.setLevel(p, 5)
			two, err := p.CopySlot(w.ctx, "1", "Copy")
			w.ok(err)
			three, err := p.CopySlot(w.ctx, two, "Copy") // of a parked one; names may be the same
			w.ok(err)
			w.ok(p.RenameSlot(w.ctx, three, "Третий"))
			w.lists(p, "1=Slot 1* 2=Copy 3=Третий")
			w.setLevel(p, 6)
			w.ok(p.DeleteSlot(w.ctx, "1")) // the loaded one
			if p.LoadedSlot() != "" || level.Get(p) != 1 {
				t.Errorf("after the loaded slot was deleted: slot %q, level %d", p.LoadedSlot(), level.Get(p))
			}
			for what, err := range map[string]error{
				"Switch": p.SwitchSlot(w.ctx, "1"), "Rename": p.RenameSlot(w.ctx, "1", "x"), "Delete": p.DeleteSlot(w.ctx, "1"), "Copy": second(p.CopySlot(w.ctx, "1", "x")),
			} {
				if missing, ok := errors.AsType[*profile.SlotError](err); !errors.Is(err, profile.ErrSlotDeleted) || !ok || missing.Slot != "1" {
					t.Errorf("%s of a deleted slot = %v", what, err)
				}
			}
			w.ok(p.SwitchSlot(w.ctx, three))
			if level.Get(p) != 5 {
				t.Errorf("level of a copy of a copy = %d, want 5", level.Get(p))
			}
			w.ok(p.UndeleteSlot(w.ctx, "1"))
			w.ok(p.UndeleteSlot(w.ctx, "1"))
			w.ok(p.SwitchSlot(w.ctx, "1"))
			if level.Get(p) != 6 {
				t.Errorf("level of the undeleted slot = %d, want 6", level.Get(p))
			}
		})
	})
	t.Run("ADeletedSlotIsGoneAfterItsTime", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.serverOn("a", open{w.db}, hero.WithSlots(profile.SlotRules{Keep: 10 * time.Minute}), nil)
			p := w.load(a, "1")
			two := w.create(p, "Two", true)
			w.setLevel(p, 5)
			w.ok(p.DeleteSlot(w.ctx, two))
			w.ok(p.SwitchSlot(w.ctx, "1"))
			if got := w.parked("1"); !slices.Equal(got, []string{two}) {
				t.Errorf("entries = %v, want the deleted slot's", got)
			}
			w.close(p)
			time.Sleep(10*time.Minute + time.Second)
			p = w.load(a, "1")
			w.ok(p.Save(w.ctx))
			if got := w.entries("1", "slot"); slices.Contains(got, two) {
				t.Errorf("entries = %v, want none of the deleted slot: its time is over", got)
			}
			if err := p.UndeleteSlot(w.ctx, two); !errors.Is(err, profile.ErrUnknownSlot) {
				t.Errorf("UndeleteSlot of a slot that is gone = %v", err)
			}
			if three := w.create(p, "Three", false); three != "3" {
				t.Errorf("the next slot is %s: an id was used again", three)
			}
		})
	})
	t.Run("ThereAreNoMoreThanMayBe", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.heroes("a"), "1")
			w.create(p, "2", false)
			three := w.create(p, "3", false)
			_, full := p.CreateSlot(w.ctx, "4", true)
			_, fullToo := p.CopySlot(w.ctx, "1", "4")
			w.ok(p.DeleteSlot(w.ctx, three))
			w.create(p, "4", false)
			for _, err := range []error{full, fullToo, p.UndeleteSlot(w.ctx, three)} {
				if !errors.Is(err, profile.ErrSlotsFull) {
					t.Errorf("one slot too many = %v, want ErrSlotsFull", err)
				}
			}
			for n := range profile.MaxDeletedSlots {
				id := "4"
				if n > 0 {
					var err error
					if id, err = p.CreateSlot(w.ctx, "x", false); err != nil {
						break
					}
				}
				w.ok(p.DeleteSlot(w.ctx, id))
			}
			if _, err := p.CreateSlot(w.ctx, "x", false); !errors.Is(err, profile.ErrSlotsFull) || !strings.Contains(err.Error(), "undeleted") {
				t.Errorf("with %d deleted slots: CreateSlot = %v", profile.MaxDeletedSlots, err)
			}
		})
	})
	t.Run("BadNamesAndIDs", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.heroes("a")
			p := w.load(a, "1")
			before := dump(p)
			for _, name := range []string{"", strings.Repeat("x", 51), "a\nb", "a\x00", "\x7f", "\u0085", "a\xff"} {
				_, created := p.CreateSlot(w.ctx, name, true)
				_, copied := p.CopySlot(w.ctx, "1", name)
				for _, err := range []error{created, copied, p.RenameSlot(w.ctx, "1", name)} {
					if !errors.Is(err, driver.ErrInvalid) {
						t.Errorf("a slot named %q = %v, want ErrInvalid", name, err)
					}
				}
			}
			for _, id := range []string{"", "0", "2", "-1", "01", "1/2", "~loaded", "~rules", "99999999999999999999"} {
				if err := p.SwitchSlot(w.ctx, id); !errors.Is(err, profile.ErrUnknownSlot) {
					t.Errorf("SwitchSlot(%q) = %v, want ErrUnknownSlot", id, err)
				}
				if err := p.UndeleteSlot(w.ctx, id); !errors.Is(err, profile.ErrUnknownSlot) {
					t.Errorf("UndeleteSlot(%q) = %v, want ErrUnknownSlot", id, err)
				}
			}
			if got := dump(p); got != before {
				t.Errorf("refused operations left %s, want %s", got, before)
			}
			w.close(p)
			if _, err := a.Open(w.ctx, "1", &profile.OpenOptions{Slot: "~x"}); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Open with slot ~x = %v", err)
			}
			if _, err := a.Open(w.ctx, "1", &profile.OpenOptions{Slot: "7"}); !errors.Is(err, profile.ErrUnknownSlot) {
				t.Errorf("Open with slot 7 = %v", err)
			}
			if got := a.Profiles(); len(got) != 0 {
				t.Errorf("profiles that are open after a refused Open = %v", got)
			}
		})
	})
	t.Run("MistakesInASchema", func(t *testing.T) {
		for name, s := range map[string]*profile.Schema{
			"NoFieldIsPerSlot":  profile.NewSchema("hero", gems).WithSlots(profile.SlotRules{}),
			"TooMany":           profile.NewSchema("hero", level).WithSlots(profile.SlotRules{Max: 101}),
			"Negative":          profile.NewSchema("hero", level).WithSlots(profile.SlotRules{Max: -1}),
			"KeptForTooLong":    profile.NewSchema("hero", level).WithSlots(profile.SlotRules{Keep: 10000 * time.Hour}),
			"KeptForNegative":   profile.NewSchema("hero", level).WithSlots(profile.SlotRules{Keep: -1}),
			"SummaryOfAccount":  profile.NewSchema("hero", level, gems).WithSlots(profile.SlotRules{Summary: []profile.Field{gems}}),
			"SummaryOfStranger": profile.NewSchema("hero", level).WithSlots(profile.SlotRules{Summary: []profile.Field{place}}),
			"SummaryOfNil":      profile.NewSchema("hero", level).WithSlots(profile.SlotRules{Summary: []profile.Field{nil}}),
			"PlayTimeOfAccount": profile.NewSchema("hero", level, hours).WithSlots(profile.SlotRules{PlayTime: hours}),
			"VolatilePerSlot":   profile.NewSchema("hero", profile.Int("mood", 0, profile.PerSlot(), profile.Volatile())),
		} {
			if err := s.Err(); !errors.Is(err, profile.ErrSchema) {
				t.Errorf("%s: Err() = %v, want ErrSchema", name, err)
			}
		}
		if hero.Err() != nil {
			t.Errorf("hero: %v", hero.Err())
		}
	})
	t.Run("WithoutPerSlotThereAreNone", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			p := w.load(a, "1")
			if err := p.SwitchSlot(w.ctx, "1"); !errors.Is(err, profile.ErrNoSlots) || p.SaveSlots() != nil || p.LoadedSlot() != "" {
				t.Errorf("SwitchSlot = %v; %v, %q", err, p.SaveSlots(), p.LoadedSlot())
			}
			w.close(p)
			if _, err := a.Open(w.ctx, "1", &profile.OpenOptions{Slot: "1"}); !errors.Is(err, profile.ErrNoSlots) {
				t.Errorf("Open with a slot = %v", err)
			}
		})
	})
}

func second(_ string, err error) error { return err }

func viewOf(w *world, srv *profile.Server, id string) *document.Document {
	v, err := srv.Session().Peek(w.ctx, srv.Schema().Key(id))
	if err != nil {
		w.Fatal(err)
	}
	return v.Document
}

// An operator's change and its entry in the audit log are one update.
func TestSaveSlotsAudited(t *testing.T) {
	act := profile.Audited(audit.Act{By: "ann", What: "slots", Reason: "ticket 7"})
	acts := func(w *world, srv *profile.Server) (got []string) {
		w.Helper()
		for a, err := range audit.Log(w.ctx, srv.Session().DB(), &audit.LogOptions{}) {
			w.ok(err)
			got = append(got, fmt.Sprint(a.Key, " by ", a.By, " for ", a.Reason, ": ", a.Result))
		}
		return got
	}
	t.Run("IsInTheLogWithTheChange", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.heroes("a")
			p := w.with(srv, "1", "1")
			two, err := p.CreateSlot(w.ctx, "Two", false, act)
			w.ok(err)
			w.ok(p.SwitchSlot(w.ctx, two, act))
			want := []string{"hero/1 by ann for ticket 7: save slot 2", "hero/1 by ann for ticket 7: done"}
			if got := acts(w, srv); !cmp.Equal(want, got) {
				t.Errorf("the audit log has %q, want %q", got, want)
			}
		})
	})
	t.Run("IsNotInTheLogWithoutTheChange", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.heroes("a")
			p := w.with(srv, "1", "1")
			if err := p.SwitchSlot(w.ctx, "7", act); !errors.Is(err, profile.ErrUnknownSlot) {
				t.Errorf("SwitchSlot = %v, want ErrUnknownSlot", err)
			}
			if err := p.RenameSlot(w.ctx, "1", "x", profile.Audited(audit.Act{What: "slots"})); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("RenameSlot of an act without a reason = %v, want ErrInvalid", err)
			}
			if list := p.SaveSlots(); list[0].Name == "x" {
				t.Error("the slot has the name")
			}
			if got := acts(w, srv); len(got) > 0 {
				t.Errorf("the audit log has %q", got)
			}
		})
	})
}

func TestSaveSlotsThatAreLoadedElsewhere(t *testing.T) {
	t.Run("NobodysSlotIsSwitchedUnderHisFeet", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.heroes("a")
			p := w.load(a, "1")
			two := w.create(p, "Two", false)
			_, err := a.Open(w.ctx, "1", &profile.OpenOptions{Slot: two})
			_, menu := a.Open(w.ctx, "1", &profile.OpenOptions{Slot: profile.NoSlot})
			if !errors.Is(err, profile.ErrOtherSlot) || !errors.Is(menu, profile.ErrOtherSlot) || p.LoadedSlot() != "1" || p.CanSave() == false {
				t.Errorf("Open with another slot = %v, %v; %q is loaded", err, menu, p.LoadedSlot())
			}
			if q := w.with(a, "1", "1"); q != p {
				t.Error("Open with the loaded slot gave another profile")
			}
		})
	})
	t.Run("OfTwoWhoOpenAtOnceOneIsRefused", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.heroes("a")
			p := w.load(a, "1")
			two := w.create(p, "Two", false)
			w.close(p)
			slots := []string{"1", two, "77"}
			errs := make(chan error, len(slots))
			for _, slot := range slots {
				go func() {
					q, err := a.Open(w.ctx, "1", &profile.OpenOptions{Slot: slot})
					if err == nil && q.LoadedSlot() != slot {
						err = fmt.Errorf("opened with %q, wanted %q", q.LoadedSlot(), slot)
					}
					errs <- err
				}()
			}
			var fine, other, unknown int
			for range slots {
				switch err := <-errs; {
				case err == nil:
					fine++
				case errors.Is(err, profile.ErrOtherSlot):
					other++
				case errors.Is(err, profile.ErrUnknownSlot):
					unknown++
				default:
					t.Error(err)
				}
			}
			if fine != 1 || fine+other+unknown != 3 || other < 1 {
				t.Errorf("%d opened, %d found another slot, %d none", fine, other, unknown)
			}
		})
	})
	t.Run("AProfileThatWasOnlyBorrowedIsSwitchedForTheGame", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.heroes("a")
			p := w.load(a, "1")
			two := w.create(p, "Two", false)
			w.close(p)
			in, out := make(chan struct{}), make(chan struct{})
			w.ok(a.HandlePrepared("slow", func(context.Context, *profile.Profile, *profile.Message) (any, error) {
				close(in)
				<-out
				return nil, nil
			},
				func(*profile.Tx, *profile.Message) (json.RawMessage, error) { return nil, nil }))
			id, err := a.Send(w.ctx, "1", profile.Message{Topic: "slow"}, nil)
			w.ok(err)
			go func() { _, _ = a.Deliver(w.ctx, "1", id) }()
			<-in
			opened := make(chan *profile.Profile, 1)
			go func() { opened <- w.with(a, "1", two) }()
			synctest.Wait()
			close(out)
			if q := <-opened; q.LoadedSlot() != two {
				t.Errorf("opened with slot %q", q.LoadedSlot())
			}
		})
	})
	t.Run("AnotherServerTakesOverWithTheSlotThatItWants", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.heroes("a"), w.heroes("b")
			p := w.load(a, "1")
			w.setLevel(p, 3)
			two := w.create(p, "Two", true)
			w.setLevel(p, 8)
			q := w.with(b, "1", "1")
			if level.Get(q) != 3 || q.LoadedSlot() != "1" {
				t.Errorf("handed over: slot %q, level %d", q.LoadedSlot(), level.Get(q))
			}
			w.ok(q.SwitchSlot(w.ctx, two))
			if level.Get(q) != 8 {
				t.Errorf("level of the other slot = %d, want 8", level.Get(q))
			}
			if err := p.SwitchSlot(w.ctx, "1"); !errors.Is(err, session.ErrClosed) {
				t.Errorf("SwitchSlot of a profile that has left = %v", err)
			}
		})
	})
}

func TestSaveSlotsOfServersWithOtherSchemas(t *testing.T) {
	mana := profile.Int("mana", 10, profile.PerSlot())
	newer := profile.NewSchema("hero", gems, level, chest, place, seconds, mana).WithSlots(profile.SlotRules{Max: 5})
	t.Run("AnOldServerParksANewField", func(t *testing.T) {
		bubble(t, func(w *world) {
			b := w.serverOn("new", open{w.db}, newer, nil)
			p := w.load(b, "1")
			w.setLevel(p, 2)
			w.update(p, func(tx *profile.Tx) { _ = mana.Set(tx, 55) })
			w.close(p)
			q := w.load(w.heroes("old"), "1")
			two := w.create(q, "Two", true)
			if strings.Contains(dump(q), `"mana":`) {
				t.Errorf("the new field stayed behind: %s", dump(q))
			}
			w.close(q)
			p = w.with(b, "1", two)
			if mana.Get(p) != 10 {
				t.Errorf("mana of the new slot = %d, want the default", mana.Get(p))
			}
			w.ok(p.SwitchSlot(w.ctx, "1"))
			if mana.Get(p) != 55 {
				t.Errorf("mana of the first slot = %d, want 55", mana.Get(p))
			}
		})
	})
	t.Run("AnOldServerParksWhatANewOneHasMigrated", func(t *testing.T) {
		for name, before := range map[string]func(w *world, p *profile.Profile){
			"WithoutAnIndex": func(*world, *profile.Profile) {},
			"WithAnIndex":    func(w *world, p *profile.Profile) { w.create(p, "Two", false) },
		} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(w *world) {
					old := w.heroes("old")
					p := w.load(old, "1")
					before(w, p)
					w.close(p)
					b := w.serverOn("new", open{w.db}, newer.Migrate(profile.Migration{Name: "mana", Compatible: true, PerSlot: true, Run: func(d *profile.Draft) error {
						return d.Set("mana", 55)
					}}), nil)
					w.close(w.load(b, "1"))
					q := w.load(old, "1")
					two := w.create(q, "Another", true)
					if strings.Contains(dump(q), `"mana":`) {
						t.Errorf("what was migrated stayed behind: %s", dump(q))
					}
					w.close(q)
					p = w.with(b, "1", two)
					w.ok(p.SwitchSlot(w.ctx, "1"))
					if mana.Get(p) != 55 {
						t.Errorf("mana of the first slot = %d, want 55", mana.Get(p))
					}
				})
			})
		}
	})
	t.Run("AFieldThatIsPerSlotElsewhereIsSoHere", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.with(w.heroes("a"), "1", "1")
			w.setLevel(p, 2)
			w.ok(p.SwitchSlot(w.ctx, profile.NoSlot))
			w.close(p)
			plain := profile.Int("level", 1)
			q := w.load(w.serverOn("plain", open{w.db}, profile.NewSchema("hero", plain), nil), "1")
			if q.LoadedSlot() == "" { // it was loaded for who asked for nothing
				t.Fatal("no slot is loaded")
			}
			w.ok(q.SwitchSlot(w.ctx, profile.NoSlot))
			w.refuses(q, profile.ErrNoSlot, func(tx *profile.Tx) { _ = plain.Set(tx, 5) })
		})
	})
}

func TestSaveSlotsTooLargeToBeParked(t *testing.T) {
	big := profile.Bytes("big", nil, profile.PerSlot())
	bulk := profile.Bytes("bulk", nil)
	schema := profile.NewSchema("hero", big, bulk)
	fill := func(w *world, p *profile.Profile, f *profile.BytesField, n int) {
		w.Helper()
		w.update(p, func(tx *profile.Tx) { _ = f.Set(tx, make([]byte, n)) })
	}
	t.Run("ByTheOutbox", func(t *testing.T) {
		bubble(t, func(w *world) {
			opts := &profile.Options{}
			opts.Session.Limits.Size = 16 << 20
			p := w.load(w.serverOn("a", open{w.db}, schema, opts), "1")
			fill(w, p, big, 4<<20)
			before := dump(p)
			for what, err := range map[string]error{
				"SwitchSlot": p.SwitchSlot(w.ctx, profile.NoSlot), "CreateSlot": second(p.CreateSlot(w.ctx, "x", true)),
				"DeleteSlot": p.DeleteSlot(w.ctx, "1"), "CopySlot": second(p.CopySlot(w.ctx, "1", "x")),
			} {
				if !errors.Is(err, document.ErrTooLarge) || !strings.Contains(err.Error(), `"1"`) {
					t.Errorf("%s = %.200v, want ErrTooLarge with the slot's name", what, err)
				}
			}
			if dump(p) != before || p.LoadedSlot() != "1" {
				t.Error("something has changed")
			}
		})
	})
	t.Run("ByTheAccountBesideIt", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.serverOn("a", open{w.db}, schema, nil), "1")
			fill(w, p, big, 2<<20)
			two := w.create(p, "Two", true)
			fill(w, p, bulk, 2<<20)
			if err := p.SwitchSlot(w.ctx, "1"); !errors.Is(err, document.ErrTooLarge) || p.LoadedSlot() != two {
				t.Errorf("SwitchSlot = %v, slot %s", err, p.LoadedSlot())
			}
			fill(w, p, bulk, 1)
			w.ok(p.SwitchSlot(w.ctx, "1"))
			if len(big.Get(p)) != 2<<20 {
				t.Errorf("the slot has %d bytes", len(big.Get(p)))
			}
		})
	})
	t.Run("ManyAtOnceWaitForRoom", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.serverOn("a", open{w.db}, schema, nil), "1")
			fill(w, p, big, 1<<20)
			for range 6 {
				_, err := p.CopySlot(w.ctx, "1", "copy")
				w.ok(err)
			}
		})
	})
}

func TestSaveSlotsThatCannotBeRead(t *testing.T) {
	entry := func(w *world, change func(string) string) *profile.Server {
		a := w.heroes("a")
		p := w.load(a, "1")
		w.setLevel(p, 3)
		w.create(p, "Two", true)
		w.close(p)
		snap, err := w.db.Read(w.ctx, "hero/1/slot/1")
		if err != nil {
			w.Fatal(err)
		}
		value := change(string(snap.Entries[0].Value))
		b := driver.Batch{ID: driver.Version{1}, Writes: []driver.Write{{Key: "hero/1/slot/1", Mode: driver.Always, Value: []byte(value), Delete: value == ""}}}
		if value == "" {
			b.Writes[0].Value = nil
		}
		if _, err := w.db.Commit(w.ctx, driver.Group{Batches: []driver.Batch{b}}); err != nil {
			w.Fatal(err)
		}
		return a
	}
	replace := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	for name, c := range map[string]struct {
		change func(string) string
		want   error
	}{
		"Gone":          {func(string) string { return "" }, driver.ErrCorrupt},
		"Damaged":       {func(s string) string { return s[:len(s)-3] }, driver.ErrCorrupt},
		"OfAnotherTime": {replace(`"stamp":`, `"stamp":9`), driver.ErrCorrupt},
		"OfAnotherSlot": {replace(`"slot":"1"`, `"slot":"2"`), driver.ErrCorrupt},
		"NewerFormat":   {replace(`"format":1`, `"format":2`), driver.ErrFormat},
		"WrongType":     {replace(`"level":3`, `"level":"x"`), profile.ErrWrongType},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a := entry(w, c.change)
				p := w.load(a, "1")
				before := dump(p)
				if err := p.SwitchSlot(w.ctx, "1"); !errors.Is(err, c.want) || dump(p) != before {
					t.Errorf("SwitchSlot = %v, want %v and nothing changed", err, c.want)
				}
				if _, err := p.CopySlot(w.ctx, "1", "x"); !errors.Is(err, c.want) {
					t.Errorf("CopySlot = %v, want %v", err, c.want)
				}
				w.setLevel(p, 4) // the others go on
				w.close(p)
				q, err := a.Open(w.ctx, "1", &profile.OpenOptions{Slot: "1"})
				if err != nil || !errors.Is(q.Err(), c.want) {
					t.Errorf("Open = %v, want a profile that is errored by %v", err, c.want)
				}
			})
		})
	}
	t.Run("AnIndexThatIsNone", func(t *testing.T) {
		for _, index := range []string{
			`5`, `{}`, `{"~loaded":"1","~next":2,"~rules":{"format":1,"fields":["level"]}}`, `{"~next":2,"~rules":{"format":2}}`,
			`{"~loaded":"1","~next":1,"~rules":{"format":1},"1":{}}`, `{"~next":1,"~rules":{"format":1,"fields":["~slots"]}}`,
			`{"~next":2,"~rules":{"format":1},"x":{}}`, `{"~next":2,"~rules":{"format":1},"1":5}`,
		} {
			bubble(t, func(w *world) {
				b := w.serverOn("b", open{w.db}, profile.NewSchema("hero"), nil)
				p := w.load(b, "1")
				w.update(p, func(tx *profile.Tx) { profile.PutField(tx, "~slots", []byte(index)) })
				w.close(p)
				q := w.loadAny(w.heroes("a"), "1")
				if err := q.Err(); !errors.Is(err, driver.ErrCorrupt) && !errors.Is(err, driver.ErrFormat) {
					t.Errorf("with the index %s: Err() = %v", index, err)
				}
				if got := q.SaveSlots(); len(got) != 1 {
					t.Errorf("an errored profile has slots %v", got)
				}
			})
		}
	})
}

func TestSaveSlotsOfWhatCannotBeChanged(t *testing.T) {
	every := func(w *world, p *profile.Profile) map[string]error {
		return map[string]error{
			"SwitchSlot": p.SwitchSlot(w.ctx, "1"), "CreateSlot": second(p.CreateSlot(w.ctx, "x", true)), "CopySlot": second(p.CopySlot(w.ctx, "1", "x")),
			"RenameSlot": p.RenameSlot(w.ctx, "1", "x"), "DeleteSlot": p.DeleteSlot(w.ctx, "1"), "UndeleteSlot": p.UndeleteSlot(w.ctx, "1"),
		}
	}
	all := func(w *world, p *profile.Profile, want error) {
		w.Helper()
		for what, err := range every(w, p) {
			if !errors.Is(err, want) {
				w.Errorf("%s = %v, want %v", what, err, want)
			}
		}
	}
	t.Run("Copy", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.heroes("a")
			w.close(w.load(a, "1"))
			c, err := a.Peek(w.ctx, "1")
			w.ok(err)
			all(w, c.Profile(), profile.ErrCopy)
		})
	})
	t.Run("Errored", func(t *testing.T) {
		bubble(t, func(w *world) {
			wrong := profile.String("level", "")
			b := w.serverOn("b", open{w.db}, profile.NewSchema("hero", wrong), nil)
			p := w.load(b, "1")
			w.update(p, func(tx *profile.Tx) { _ = wrong.Set(tx, "x") })
			w.close(p)
			q := w.loadAny(w.heroes("a"), "1")
			all(w, q, profile.ErrErrored)
			w.setLevel(q, 5) // in memory, as all of it
		})
	})
	t.Run("SuspendedAndEnded", func(t *testing.T) {
		bubble(t, func(w *world) {
			f := faulty.New(open{w.db})
			a := w.serverOn("a", f, hero, nil)
			p := w.load(a, "1")
			f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}))
			time.Sleep(20 * time.Second)
			if !a.Suspended() {
				t.Fatal("not suspended")
			}
			before := dump(p)
			if all(w, p, session.ErrSuspended); dump(p) != before {
				t.Error("something has changed")
			}
			f.Use()
			time.Sleep(5 * time.Second)
			w.ok(p.RenameSlot(w.ctx, "1", "back"))
			w.close(p)
			all(w, p, session.ErrClosed)
		})
	})
	t.Run("HeldStill", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.heroes("a")
			p := w.load(a, "1")
			v, err := a.Session().Announce()
			w.ok(err)
			frozen, err := p.Session().Freeze(w.ctx, v)
			w.ok(err)
			all(w, p, profile.ErrBusy)
			frozen.Release()
			w.ok(p.RenameSlot(w.ctx, "1", "free"))
		})
	})
	t.Run("TheDatabaseRefusesTheSave", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			p := w.load(w.serverOn("a", db, hero, nil), "1")
			db.set(func() { db.refuse["hero/1"] = driver.ErrReadOnly })
			if _, err := p.CreateSlot(w.ctx, "Two", true); !errors.Is(err, profile.ErrNotDurable) || p.LoadedSlot() != "2" {
				t.Errorf("CreateSlot = %v; slot %q", err, p.LoadedSlot())
			}
			db.set(func() { clear(db.refuse) })
			w.close(p)
		})
	})
	t.Run("OnesContextEnds", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			p := w.load(w.serverOn("a", db, hero, nil), "1")
			hold := make(chan struct{})
			db.set(func() { db.hold["hero/1"] = hold })
			if _, err := p.CreateSlot(w.within(time.Second), "Two", true); !errors.Is(err, profile.ErrNotDurable) {
				t.Errorf("CreateSlot = %v", err)
			}
			close(hold)
			w.close(p)
		})
	})
}

func TestSaveSlotEvents(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.load(w.heroes("a"), "1")
		w.update(p, func(tx *profile.Tx) {
			_ = level.Set(tx, 3)
			_ = seconds.Set(tx, 5)
			_ = chest.Put(tx, "a", Item{Level: 1})
		})
		two, err := p.CopySlot(w.ctx, "1", "Two")
		w.ok(err)
		w.ok(p.SwitchSlot(w.ctx, two))
		w.update(p, func(tx *profile.Tx) { _ = level.Set(tx, 4); _ = chest.Put(tx, "b", Item{Level: 2}) })
		var got []string
		note := func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) }
		level.OnChange(p, func(old, new int64) { note("level %d→%d", old, new) })
		seconds.OnChange(p, func(old, new int64) { note("seconds %d→%d", old, new) })
		chest.OnChange(p, func(name string, old, new *Item) { note("chest %s %v→%v", name, old != nil, new != nil) })
		cancel := p.OnSlot(func(s profile.SlotSwitch) { note("slot %s→%s", s.From, s.To) })
		w.ok(p.SwitchSlot(w.ctx, "1"))
		w.ok(p.RenameSlot(w.ctx, "1", "x"))
		w.ok(p.SwitchSlot(w.ctx, profile.NoSlot))
		cancel()
		w.ok(p.SwitchSlot(w.ctx, "1"))
		want := []string{
			"chest b true→false", "level 4→3", "slot 2→1",
			"chest a true→false", "level 3→1", "seconds 5→0", "slot 1→",
			"chest a false→true", "level 1→3", "seconds 0→5",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("events (-want +got):\n%s", d)
		}
	})
}

// deafReads is a database that does not answer who reads one entry, as if the
// connection hung, until a time.
type deafReads struct {
	driver.DB
	key   string
	until time.Time
}

func (d deafReads) Read(ctx context.Context, keys ...string) (driver.Snapshot, error) {
	if slices.Contains(keys, d.key) && time.Now().Before(d.until) {
		<-ctx.Done()
		return driver.Snapshot{}, fmt.Errorf("%w: %w", driver.ErrUnavailable, context.Cause(ctx))
	}
	return d.DB.Read(ctx, keys...)
}

func TestOpenEndsWithItsContextWhileAParkedSlotIsRead(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.load(w.heroes("a"), "1")
		w.create(p, "Two", true)
		w.close(p)
		b := w.serverOn("b", deafReads{open{w.db}, "hero/1/slot/1", time.Now().Add(time.Minute)}, hero, nil)
		ctx, cancel := context.WithTimeout(w.ctx, time.Second)
		defer cancel()
		began := time.Now()
		_, err := b.Open(ctx, "1", &profile.OpenOptions{Slot: "1"})
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("Open = %v after %v, want its context's end", err, took)
		}
		if p := w.with(b, "1", "2"); p.LoadedSlot() != "2" {
			t.Errorf("then Open has slot %s", p.LoadedSlot())
		}
	})
}

// A restore writes a parked slot anew while the switch to it reads it.
func TestSwitchSlotDuringARestore(t *testing.T) {
	slots := profile.NewSchema("player", coins, restoredLevel).WithSlots(profile.SlotRules{Keep: time.Minute})
	bubble(t, func(w *world) {
		f := faulty.New(open{w.db})
		a := w.serverOn("a", f, slots, nil)
		p := w.load(a, "alice")
		w.update(p, func(tx *profile.Tx) { restoredLevel.Set(tx, 1) })
		second, err := p.CreateSlot(w.ctx, "second", true)
		w.ok(err)
		w.update(p, func(tx *profile.Tx) { restoredLevel.Set(tx, 2) })
		w.save(p)
		old := w.newest(a, "alice").Version // second is loaded; the first is parked with 1
		time.Sleep(time.Second)
		w.ok(p.SwitchSlot(w.ctx, profile.FirstSlot))
		w.update(p, func(tx *profile.Tx) { restoredLevel.Set(tx, 77) })
		w.ok(p.SwitchSlot(w.ctx, second))
		w.save(p)
		settle()
		f.Use(first(func(c *faulty.Call) faulty.Fault {
			return faulty.Fault{Hold: c.Op == faulty.Read && slices.ContainsFunc(c.Keys, func(k string) bool { return strings.HasSuffix(k, "/slot/"+profile.FirstSlot) })}
		}))
		switched := make(chan error, 1)
		go func() { switched <- p.SwitchSlot(w.ctx, profile.FirstSlot) }()
		time.Sleep(10 * time.Millisecond)
		if len(f.Waiting()) != 1 {
			t.Fatalf("%d calls wait, want the read of the parked slot", len(f.Waiting()))
		}
		w.restore(a, "alice", old, ticket)
		w.save(p)
		f.ReleaseAll()
		if err := <-switched; errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("SwitchSlot = %v, of a slot that is in order", err)
		} else if err != nil && !errors.Is(err, profile.ErrBusy) {
			t.Errorf("SwitchSlot = %v", err)
		}
	})
}
