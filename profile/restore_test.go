package profile_test

import (
	"context"
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
	"github.com/holdfast-games/holdfast/store"
)

// newest returns the newest version of a player, and what it says.
func (w *world) newest(srv *profile.Server, id string) *session.VersionView {
	w.Helper()
	key := srv.Schema().Key(id)
	list, err := srv.Session().Versions(w.ctx, key)
	if err != nil || len(list) == 0 {
		w.Fatalf("Versions of %v: %v, %v", key, list, err)
	}
	v, err := srv.Session().ReadVersion(w.ctx, key, list[len(list)-1].Version)
	if err != nil {
		w.Fatal(err)
	}
	return v
}

// acts returns what the audit log says of a player.
func (w *world) acts(srv *profile.Server, id string) (acts []audit.Act) {
	w.Helper()
	for a, err := range audit.Log(w.ctx, srv.Session().DB(), &audit.LogOptions{Key: srv.Schema().Key(id)}) {
		if err != nil {
			w.Fatal(err)
		}
		acts = append(acts, a)
	}
	return acts
}

// says fails the test unless the audit log tells these results of a player's restores.
func (w *world) says(srv *profile.Server, id string, results ...string) {
	w.Helper()
	settle() // attached entries are there with the next save
	var got []string
	for _, a := range w.acts(srv, id) {
		got = append(got, a.Result)
	}
	for i, want := range results {
		if i >= len(got) || !strings.HasPrefix(got[i], want) {
			w.Fatalf("the audit log says %q of %q, want %q", got, id, results)
		}
	}
	if len(got) != len(results) {
		w.Errorf("the audit log says %q of %q, want %q", got, id, results)
	}
}

// ticket is why a player is restored.
var ticket = &profile.RestoreOptions{Reason: "ticket 7"}

func (w *world) restore(srv *profile.Server, id string, v driver.Version, o *profile.RestoreOptions) profile.Restored {
	w.Helper()
	done, err := srv.Restore(w.within(time.Minute), id, v, o)
	if err != nil {
		w.Fatalf("Restore(%q, %v) by %v = %v", id, v, srv.Session().Name(), err)
	}
	return done
}

// refusesRestore fails the test unless a restore is refused for a reason, and changes
// nothing.
func (w *world) refusesRestore(srv *profile.Server, id string, v driver.Version, o *profile.RestoreOptions, want error) error {
	w.Helper()
	before := w.stored(srv, id)
	_, err := srv.Restore(w.within(time.Minute), id, v, o)
	if !errors.Is(err, want) {
		w.Errorf("Restore(%q, %v) = %v, want %v", id, v, err, want)
	}
	if after := w.stored(srv, id); !document.Equal([]byte(before), []byte(after)) {
		w.Errorf("a refused restore left\n%s, want\n%s", after, before)
	}
	return err
}

// scene is a player with an old version, somewhere.
type scene struct {
	*world
	srv *profile.Server // that restores
	old driver.Version
	was string // the data of that version
}

// restored runs fn with alice, who has something else by now than in her old version,
// wherever she is.
func restored(t *testing.T, fn func(s scene)) {
	placed(t, func(w *world, srv *profile.Server) {
		s := scene{world: w, srv: srv}
		for _, op := range [][]profile.Op{
			{coins.SetOp(10), nick.SetOp("old"), bag.PutOp("sword", Item{Name: "sword"}), lazy.SetOp(1)},
			{coins.SetOp(99), nick.ResetOp(), bag.DeleteOp("sword"), bag.PutOp("bow", Item{Name: "bow"}), kills.AddOp("bears", 3), lazy.SetOp(2)},
		} {
			w.change(srv, "alice", nil, op...)
			if s.old.IsZero() {
				s.flush()
				v := w.newest(srv, "alice")
				s.old, s.was = v.Version, string(v.Document.AppendJSON(nil))
			}
		}
		fn(s)
	})
}

func (s scene) flush() {
	s.Helper()
	if err := s.srv.Flush(s.within(time.Minute), "alice"); err != nil {
		s.Fatal(err)
	}
	settle()
}

func (s scene) isOld() {
	s.Helper()
	if now := s.stored(s.srv, "alice"); !document.Equal([]byte(now), []byte(s.was)) {
		s.Errorf("alice has\n%s, want\n%s", now, s.was)
	}
}

func TestRestore(t *testing.T) {
	t.Run("PutsTheDataOfTheVersionInPlace", func(t *testing.T) {
		restored(t, func(s scene) {
			before := s.stored(s.srv, "alice")
			birth, revision := s.peek(s.srv, "alice").Birth(), s.peek(s.srv, "alice").Revision()
			done := s.restore(s.srv.As("ann@desk"), "alice", s.old, ticket)
			s.isOld()
			if done.Changed != 6 || done.Revision <= revision || len(done.Deeds) > 0 || s.peek(s.srv, "alice").Birth() != birth {
				s.Errorf("Restore = %+v of revision %d, want 6 changes and the same birth", done, revision)
			}
			settle()
			acts := s.acts(s.srv, "alice")
			if len(acts) != 1 || acts[0].By != "ann@desk" || acts[0].What != "restore" || acts[0].Reason != "ticket 7" || acts[0].Result != audit.Done {
				s.Errorf("the audit log says %+v", acts)
			}
			v, err := s.srv.Session().ReadVersion(s.ctx, player.Key("alice"), done.Before)
			if err != nil || !document.Equal(v.Document.AppendJSON(nil), []byte(before)) {
				s.Errorf("the version before is %v, want what she had: %v", v, err)
			}
			s.restore(s.srv, "alice", done.Before, ticket)
			if now := s.stored(s.srv, "alice"); !document.Equal([]byte(now), []byte(before)) {
				s.Errorf("after the restore was taken back alice has\n%s, want\n%s", now, before)
			}
		})
	})
	t.Run("IsToldInTheHistoryAndKept", func(t *testing.T) {
		restored(t, func(s scene) {
			s.restore(s.srv, "alice", s.old, ticket)
			s.flush()
			var found bool
			for _, info := range got(s.srv.Session().Versions(s.ctx, player.Key("alice"))) {
				v := got(s.srv.Session().ReadVersion(s.ctx, player.Key("alice"), info.Version))
				if slices.Contains(v.Origins, session.OriginRestore) && v.Marked && strings.Contains(v.Reason, "ticket 7") {
					found = true
				}
			}
			if !found {
				s.Error("no version is marked as a restore for the ticket")
			}
		})
	})
	t.Run("OfOneIDHappensOnce", func(t *testing.T) {
		restored(t, func(s scene) {
			o := &profile.RestoreOptions{Reason: "ticket 7", ID: "r1"}
			first := s.restore(s.srv, "alice", s.old, o)
			s.change(s.srv, "alice", nil, coins.SetOp(77))
			again := s.restore(s.srv, "alice", s.old, o)
			if d := cmp.Diff(first, again); d != "" {
				s.Errorf("the same restore again: %s", d)
			}
			later, err := s.srv.Restored(s.within(time.Minute), "alice", "r1")
			if d := cmp.Diff(first, later); d != "" || err != nil {
				s.Errorf("Restored: %v, %s", err, d)
			}
			if got := coins.Get(s.peek(s.srv, "alice")); got != 77 {
				s.Errorf("alice has %d coins, want the 77 of after the restore", got)
			}
			s.says(s.srv, "alice", "done")
		})
	})
	t.Run("OfThePresentDataChangesNothing", func(t *testing.T) {
		restored(t, func(s scene) {
			s.restore(s.srv, "alice", s.old, ticket)
			s.flush()
			at := s.newest(s.srv, "alice")
			if done := s.restore(s.srv, "alice", at.Version, ticket); done.Changed != 0 {
				s.Errorf("Restore of what is there = %+v, want no change", done)
			}
			s.isOld()
			s.says(s.srv, "alice", "done", "nothing to change")
		})
	})
	t.Run("TwoAtOnceEndWithOneOfThem", func(t *testing.T) {
		restored(t, func(s scene) {
			s.flush()
			other := s.newest(s.srv, "alice")
			errs := make(chan error, 2)
			for _, v := range []driver.Version{s.old, other.Version} {
				go func() {
					_, err := s.srv.Restore(s.within(time.Minute), "alice", v, ticket)
					errs <- err
				}()
			}
			if err := errors.Join(<-errs, <-errs); err != nil {
				s.Fatal(err)
			}
			now := []byte(s.stored(s.srv, "alice"))
			if !document.Equal(now, []byte(s.was)) && !document.Equal(now, other.Document.AppendJSON(nil)) {
				s.Errorf("alice has %s, want one of the two versions", now)
			}
		})
	})
	t.Run("KeepsFieldsThatNoSchemaKnows", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.plant("alice", func(tx *profile.Tx) { foreignExtra.Set(tx, "then") })
			srv := w.server("a", nil)
			old := w.newest(srv, "alice")
			w.plant("alice", func(tx *profile.Tx) { foreignExtra.Reset(tx) })
			w.restore(srv, "alice", old.Version, ticket)
			if now := w.stored(srv, "alice"); !strings.Contains(now, `"extra":"then"`) {
				w.Errorf("alice has %s, want the extra field", now)
			}
		})
	})
	t.Run("OfASlotThatIsParkedNow", func(t *testing.T) {
		slots := profile.NewSchema("player", coins, restoredLevel).WithSlots(profile.SlotRules{Keep: time.Minute})
		every := new(driver.Retention) // keeps every version
		begin := func(w *world, retention *driver.Retention) (a *profile.Server, p *profile.Profile, old driver.Version, second string) {
			a = w.serverOn("a", open{w.db}, slots, &profile.Options{Session: session.Options{Retention: retention}})
			p = w.load(a, "alice")
			w.update(p, func(tx *profile.Tx) { coins.Set(tx, 1); restoredLevel.Set(tx, 1) })
			w.save(p)
			old = w.newest(a, "alice").Version
			time.Sleep(retention.Every + time.Minute) // else the schedule lets go of it
			w.update(p, func(tx *profile.Tx) { coins.Set(tx, 2); restoredLevel.Set(tx, 2) })
			second, err := p.CreateSlot(w.ctx, "second", true)
			if err != nil {
				w.Fatal(err)
			}
			w.update(p, func(tx *profile.Tx) { restoredLevel.Set(tx, 9) })
			return a, p, old, second
		}
		has := func(w *world, p *profile.Profile, slot string, c, l int64) {
			w.Helper()
			if err := p.SwitchSlot(w.ctx, slot); err != nil {
				w.Fatal(err)
			}
			if coins.Get(p) != c || restoredLevel.Get(p) != l {
				w.Errorf("in slot %s alice has %s, want %d coins and level %d", slot, dump(p), c, l)
			}
		}
		t.Run("StaysApart", func(t *testing.T) {
			bubble(t, func(w *world) {
				a, p, old, second := begin(w, every)
				if done := w.restore(a, "alice", old, ticket); done.Changed != 2 {
					w.Errorf("Restore = %+v, want 2 changes", done)
				}
				if coins.Get(p) != 1 || restoredLevel.Get(p) != 9 || p.LoadedSlot() != second {
					w.Errorf("alice has %s, want 1 coin, and level 9 of the slot that is loaded", dump(p))
				}
				if done := w.restore(a, "alice", old, ticket); done.Changed != 0 {
					w.Errorf("Restore again = %+v, want no change", done)
				}
				has(w, p, profile.FirstSlot, 1, 1)
				has(w, p, second, 1, 9)
			})
		})
		t.Run("OfAPlayerWhoIsAway", func(t *testing.T) {
			bubble(t, func(w *world) {
				a, p, old, second := begin(w, every)
				w.close(p)
				w.restore(a, "alice", old, ticket)
				p = w.load(a, "alice")
				has(w, p, second, 1, 9)
				has(w, p, profile.FirstSlot, 1, 1)
			})
		})
		t.Run("DeletedMeanwhile", func(t *testing.T) {
			bubble(t, func(w *world) {
				a, p, old, _ := begin(w, every)
				if err := p.DeleteSlot(w.ctx, profile.FirstSlot); err != nil {
					w.Fatal(err)
				}
				w.restore(a, "alice", old, ticket)
				if coins.Get(p) != 1 || restoredLevel.Get(p) != 9 {
					w.Errorf("alice has %s, want 1 coin and level 9", dump(p))
				}
				if err := p.UndeleteSlot(w.ctx, profile.FirstSlot); err != nil {
					w.Fatal(err)
				}
				has(w, p, profile.FirstSlot, 1, 1)
			})
		})
		t.Run("GoneMeanwhile", func(t *testing.T) {
			bubble(t, func(w *world) {
				a, p, old, second := begin(w, every)
				if err := p.DeleteSlot(w.ctx, profile.FirstSlot); err != nil {
					w.Fatal(err)
				}
				time.Sleep(2 * time.Minute)
				if err := p.RenameSlot(w.ctx, second, "only"); err != nil {
					w.Fatal(err)
				}
				w.restore(a, "alice", old, ticket)
				if coins.Get(p) != 1 || restoredLevel.Get(p) != 9 || len(p.SaveSlots()) != 1 {
					w.Errorf("alice has %s and %d slots, want 1 coin, level 9 and one slot", dump(p), len(p.SaveSlots()))
				}
			})
		})
		t.Run("AndTheOthersThatWereParked", func(t *testing.T) {
			for _, now := range []string{profile.FirstSlot, "2", profile.NoSlot} {
				for _, away := range []bool{false, true} {
					if away && now != profile.FirstSlot {
						continue
					}
					t.Run(fmt.Sprintf("Now%sAway%v", now, away), func(t *testing.T) {
						bubble(t, func(w *world) {
							a, p, _, second := begin(w, every)
							w.save(p)
							old := w.newest(a, "alice").Version // the second is loaded, and the first is parked with level 2
							time.Sleep(time.Second)
							for _, slot := range []string{profile.FirstSlot, second} {
								w.ok(p.SwitchSlot(w.ctx, slot))
								w.update(p, func(tx *profile.Tx) { restoredLevel.Set(tx, 77) })
								time.Sleep(time.Second)
							}
							third, err := p.CreateSlot(w.ctx, "third", true)
							w.ok(err)
							w.update(p, func(tx *profile.Tx) { coins.Set(tx, 50); restoredLevel.Set(tx, 33) })
							w.ok(p.SwitchSlot(w.ctx, now))
							if away {
								w.close(p)
							}
							view, then := got(a.Session().Peek(w.ctx, player.Key("alice"))), got(a.Session().ReadVersion(w.ctx, player.Key("alice"), old))
							plan, err := a.PlanRestore(w.ctx, view, then)
							if err != nil || plan.Changed != 3 || len(plan.Slots)+len(plan.Delta) != 3 {
								w.Errorf("PlanRestore = %+v, %v, want three changes", plan, err)
							}
							if done := w.restore(a, "alice", old, ticket); done.Changed != 3 || done.Lost != nil {
								w.Errorf("Restore = %+v, want three changes", done)
							}
							if done := w.restore(a, "alice", old, ticket); done.Changed != 0 {
								w.Errorf("Restore again = %+v, want no change", done)
							}
							if away {
								p = w.load(a, "alice")
							}
							if !away && p.LoadedSlot() != strings.TrimPrefix(now, profile.NoSlot) {
								w.Errorf("slot %q is loaded, want %q as before", p.LoadedSlot(), now)
							}
							has(w, p, profile.FirstSlot, 2, 2)
							has(w, p, second, 2, 9)
							has(w, p, third, 2, 33) // it was made since
						})
					})
				}
			}
		})
		t.Run("OneThatWasNeverLoadedThen", func(t *testing.T) {
			bubble(t, func(w *world) {
				a, p, _, second := begin(w, every)
				third, err := p.CreateSlot(w.ctx, "third", false)
				w.ok(err)
				w.save(p)
				old := w.newest(a, "alice").Version
				time.Sleep(time.Second)
				w.ok(p.SwitchSlot(w.ctx, third))
				w.update(p, func(tx *profile.Tx) { restoredLevel.Set(tx, 33) })
				w.restore(a, "alice", old, ticket)
				if restoredLevel.Get(p) != 0 || p.LoadedSlot() != third {
					w.Errorf("alice has %s, want level 0 in the third slot", dump(p))
				}
				w.update(p, func(tx *profile.Tx) { restoredLevel.Set(tx, 34) })
				has(w, p, second, 2, 9)
				if done := w.restore(a, "alice", old, ticket); done.Changed != 1 {
					w.Errorf("Restore = %+v, want one change", done)
				}
				w.save(p)
				snap := got(w.db.Read(w.ctx, "player/alice/slot/"+third))
				if got := string(snap.Entries[0].Value); strings.Contains(got, "34") {
					w.Errorf("the third slot has the entry %s, want it without fields", got)
				}
				has(w, p, third, 2, 0)
			})
		})
		t.Run("OfWhichNothingIsKept", func(t *testing.T) {
			bubble(t, func(w *world) {
				a, p, first, second := begin(w, &store.DefaultRetention)
				w.restore(a, "alice", first, ticket)
				w.ok(p.SwitchSlot(w.ctx, profile.FirstSlot))
				w.ok(p.SwitchSlot(w.ctx, second)) // parks the first one, with level 1
				w.update(p, func(tx *profile.Tx) { coins.Set(tx, 3) })
				w.restore(a, "alice", first, ticket) // changes the coins alone, and is kept whatever the schedule says
				w.save(p)
				old := w.newest(a, "alice").Version
				w.ok(p.SwitchSlot(w.ctx, profile.FirstSlot)) // within the same hour
				w.update(p, func(tx *profile.Tx) { coins.Set(tx, 4); restoredLevel.Set(tx, 77) })
				w.ok(p.SwitchSlot(w.ctx, second))
				w.update(p, func(tx *profile.Tx) { restoredLevel.Set(tx, 78) })
				view, then := got(a.Session().Peek(w.ctx, player.Key("alice"))), got(a.Session().ReadVersion(w.ctx, player.Key("alice"), old))
				if plan, err := a.PlanRestore(w.ctx, view, then); err != nil || !slices.Equal(plan.Lost, []string{profile.FirstSlot}) || plan.Slots != nil {
					w.Errorf("PlanRestore = %+v, %v, want the first slot left as it is", plan, err)
				}
				if done := w.restore(a, "alice", old, ticket); !slices.Equal(done.Lost, []string{profile.FirstSlot}) || done.Changed != 2 {
					w.Errorf("Restore = %+v, want the first slot left as it is", done)
				}
				has(w, p, second, 1, 9)
				has(w, p, profile.FirstSlot, 1, 77)
			})
		})
		t.Run("AndIsTakenBack", func(t *testing.T) {
			bubble(t, func(w *world) {
				a, p, old, second := begin(w, &store.DefaultRetention)
				done := w.restore(a, "alice", old, ticket)
				w.save(p)
				w.restore(a, "alice", done.Before, ticket) // within the same hour
				has(w, p, second, 2, 9)
				has(w, p, profile.FirstSlot, 2, 2)
			})
		})
		t.Run("ThatCannotBeRead", func(t *testing.T) {
			for _, loaded := range []bool{false, true} { // by the version's time
				bubble(t, func(w *world) {
					a, p, _, second := begin(w, every)
					third, err := p.CreateSlot(w.ctx, "third", loaded)
					w.ok(err)
					w.ok(p.SwitchSlot(w.ctx, second))
					w.save(p)
					old := w.newest(a, "alice").Version
					time.Sleep(time.Second)
					w.ok(p.SwitchSlot(w.ctx, third))
					w.update(p, func(tx *profile.Tx) { restoredLevel.Set(tx, 33) })
					w.ok(p.SwitchSlot(w.ctx, second))
					w.close(p)
					w.put("player/alice/slot/"+third, "{") // without a version of what was parked before
					view, then := got(a.Session().Peek(w.ctx, player.Key("alice"))), got(a.Session().ReadVersion(w.ctx, player.Key("alice"), old))
					plan, err := a.PlanRestore(w.ctx, view, then)
					if err != nil || plan.Changed != 1 || !slices.Equal(plan.Slots, []string{third}) {
						w.Errorf("PlanRestore = %+v, %v, want the third slot changed", plan, err)
					}
					if done := w.restore(a, "alice", old, ticket); done.Changed != 1 || done.Lost != nil {
						w.Errorf("Restore = %+v, want the third slot changed", done)
					}
					p = w.load(a, "alice")
					has(w, p, third, 2, 0)
				})
			}
		})
		t.Run("ThatAreTooLargeTogether", func(t *testing.T) {
			bubble(t, func(w *world) {
				novel := profile.String("novel", "", profile.PerSlot())
				a := w.serverOn("a", open{w.db}, profile.NewSchema("player", coins, novel).WithSlots(profile.SlotRules{}), nil)
				p := w.load(a, "alice")
				write := func(letter string) {
					w.update(p, func(tx *profile.Tx) { coins.Add(tx, 1); novel.Set(tx, strings.Repeat(letter, 1_500_000)) })
				}
				write("a")
				slots := []string{profile.FirstSlot}
				for range 3 {
					id, err := p.CreateSlot(w.ctx, "next", true)
					w.ok(err)
					write("a")
					slots = append(slots, id)
				}
				w.save(p)
				old := w.newest(a, "alice").Version
				for _, id := range slots {
					time.Sleep(time.Second)
					w.ok(p.SwitchSlot(w.ctx, id))
					write("b")
				}
				w.save(p)
				before := w.stored(a, "alice")
				view, then := got(a.Session().Peek(w.ctx, player.Key("alice"))), got(a.Session().ReadVersion(w.ctx, player.Key("alice"), old))
				if _, err := a.PlanRestore(w.ctx, view, then); !errors.Is(err, document.ErrTooLarge) {
					w.Errorf("PlanRestore = %v, want ErrTooLarge", err)
				}
				if _, err := a.Restore(w.ctx, "alice", old, ticket); !errors.Is(err, document.ErrTooLarge) {
					w.Errorf("Restore = %v, want ErrTooLarge", err)
				}
				if now := w.stored(a, "alice"); now != before {
					w.Errorf("a restore that was refused has changed something")
				}
			})
		})
		t.Run("SwitchedInThatVeryMoment", func(t *testing.T) {
			for _, to := range []string{profile.FirstSlot, profile.NoSlot} {
				bubble(t, func(w *world) {
					a, p, old, second := begin(w, every)
					w.save(p)
					switched := false
					a.TellDeeds(func(ctx context.Context, _ session.Key, _ uint64) ([]profile.Deed, error) {
						if !switched { // after the slots were read
							switched = true
							w.ok(p.SwitchSlot(ctx, to))
						}
						return nil, nil
					})
					o := &profile.RestoreOptions{Reason: "ticket 7", ID: "r1"}
					if _, err := a.Restore(w.ctx, "alice", old, o); err != nil {
						var pending *profile.PendingError
						if !errors.As(err, &pending) {
							w.Errorf("Restore = %v, want it done, or a *PendingError", err)
						}
					}
					if done, err := a.Restored(w.within(time.Minute), "alice", "r1"); err != nil || done.Changed != 2 {
						w.Errorf("Restored = %+v, %v, want two changes", done, err)
					}
					if !switched {
						w.Error("no slot was switched")
					}
					has(w, p, second, 1, 9)
					has(w, p, profile.FirstSlot, 1, 1)
				})
			}
		})
		// later has a server of a newer schema, which converts the level of each slot.
		later := func(w *world, newer *profile.Schema, convert func(level int64) any) (b *profile.Server, p *profile.Profile, old driver.Version, second string) {
			a, p, _, second := begin(w, every)
			w.save(p)
			old = w.newest(a, "alice").Version
			time.Sleep(time.Second)
			w.close(p)
			b = w.serverOn("b", open{w.db}, newer.Migrate(profile.Migration{Name: "levels", PerSlot: true, Run: func(d *profile.Draft) error {
				var l int64
				if _, err := d.Get("level", &l); err != nil {
					return err
				}
				return d.Set("level", convert(l))
			}}), nil)
			return b, w.load(b, "alice"), old, second
		}
		t.Run("IsMigratedIfItIsLoadedNow", func(t *testing.T) {
			bubble(t, func(w *world) {
				b, p, old, second := later(w, slots, func(l int64) any { return 10 * l })
				w.ok(p.SwitchSlot(w.ctx, profile.FirstSlot))
				w.update(p, func(tx *profile.Tx) { restoredLevel.Set(tx, 77) })
				w.restore(b, "alice", old, ticket)
				if restoredLevel.Get(p) != 20 {
					w.Errorf("alice has %s, want level 2 of then, tenfold", dump(p))
				}
				has(w, p, second, 2, 90)
				has(w, p, profile.FirstSlot, 2, 20)
			})
		})
		t.Run("IsMigratedIfATypeHasChanged", func(t *testing.T) {
			bubble(t, func(w *world) {
				title := profile.String("level", "", profile.PerSlot())
				titled := profile.NewSchema("player", coins, title).WithSlots(profile.SlotRules{Keep: time.Minute})
				b, p, old, second := later(w, titled, func(l int64) any { return fmt.Sprint("of level ", l) })
				is := func(slot, want string) {
					w.Helper()
					w.ok(p.SwitchSlot(w.ctx, slot))
					if got := title.Get(p); got != want {
						w.Errorf("in slot %s alice has the title %q, want %q", slot, got, want)
					}
				}
				is(profile.FirstSlot, "of level 2")
				w.update(p, func(tx *profile.Tx) { title.Set(tx, "changed") })
				is(second, "of level 9")
				w.update(p, func(tx *profile.Tx) { title.Set(tx, "changed") })
				w.restore(b, "alice", old, ticket)
				is(profile.FirstSlot, "of level 2")
				is(second, "of level 9")
			})
		})
		t.Run("WhenNoneIsLoaded", func(t *testing.T) {
			bubble(t, func(w *world) {
				a, p, old, second := begin(w, every)
				if err := p.SwitchSlot(w.ctx, profile.NoSlot); err != nil {
					w.Fatal(err)
				}
				w.save(p)
				none := w.newest(a, "alice").Version
				w.restore(a, "alice", old, ticket)
				has(w, p, profile.FirstSlot, 1, 1)
				w.restore(a, "alice", none, ticket)
				if coins.Get(p) != 2 || restoredLevel.Get(p) != 2 {
					w.Errorf("alice has %s, want 2 coins and level 2 of then", dump(p))
				}
				has(w, p, second, 2, 9)
			})
		})
	})
	t.Run("MigratesWhatIsOlder", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(schema1, "alice", func(tx *profile.Tx) { oldCoins.Set(tx, 101) })
			a := w.serverOn("a", open{w.db}, schema3, nil)
			old := w.newest(a, "alice")
			p := w.load(a, "alice")
			w.update(p, func(tx *profile.Tx) { gold.Set(tx, 7) })
			w.restore(a, "alice", old.Version, ticket)
			if gold.Get(p) != 51 || bank.Get(p) != 50 || strings.Contains(dump(p), "coins\":") {
				w.Errorf("alice has %s, want gold 51 and bank 50 and no coins", dump(p))
			}
			w.close(p)
			if p = w.load(a, "alice"); gold.Get(p) != 51 {
				w.Errorf("migrated again: %s", dump(p))
			}
		})
	})
	t.Run("TellsListenersAndFollowers", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			p := w.load(a, "alice")
			w.update(p, func(tx *profile.Tx) { coins.Set(tx, 1) })
			if err := p.Save(w.ctx); err != nil {
				w.Fatal(err)
			}
			old := w.newest(a, "alice")
			w.update(p, func(tx *profile.Tx) { coins.Set(tx, 2) })
			var told []string
			defer p.OnChange(func(c profile.Change) { told = append(told, c.Path.String()+string(c.Old)+string(c.New)) })()
			w.restore(a, "alice", old.Version, ticket)
			if !slices.Equal(told, []string{"coins21"}) {
				w.Errorf("listeners were told %q", told)
			}
		})
	})
	t.Run("WithMailThatWaitsHandlesIt", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.posts(true)
			p := w.load(a.Server, "alice")
			old := w.newest(a.Server, "alice").Version
			a.full.Store(true)
			b.send("alice", letter("give", "1"))
			b.send("alice", letter("later", "2"))
			settle()
			w.has(p, "1")
			w.restore(b.Server, "alice", old, ticket)
			w.has(p)
			a.full.Store(false)
			if err := p.HandleMessages(w.ctx); err != nil {
				w.Fatal(err)
			}
			w.has(p, "2") // what was handled before is not handled again, what waits is
			b.send("alice", letter("give", "1"))
			settle()
			w.has(p, "2")
		})
	})
	t.Run("ByAToolLeavesTheFieldsThatItDoesNotKnow", func(t *testing.T) {
		restored(t, func(s scene) {
			if s.srv.Session().Name() == "b" {
				tool := s.serverOn("tool", open{s.db}, profile.NewSchema("player"), &profile.Options{Tool: true, OnLoadError: profile.RefusePlayer})
				s.restore(tool, "alice", s.old, ticket)
				s.isOld()
			}
		})
	})
}

func got[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestRestoreRefuses(t *testing.T) {
	unknown := got(driver.NewVersion(time.Unix(1, 0), zeros{}))
	t.Run("AVersionThatIsNotThere", func(t *testing.T) {
		restored(t, func(s scene) { s.refusesRestore(s.srv, "alice", unknown, ticket, store.ErrNotFound) })
	})
	t.Run("AVersionOfAnotherPlayer", func(t *testing.T) {
		restored(t, func(s scene) {
			bob := s.load(s.srv, "bob")
			s.durable(bob, func(tx *profile.Tx) { coins.Set(tx, 7) })
			s.refusesRestore(s.srv, "bob", s.old, ticket, store.ErrNotFound)
		})
	})
	t.Run("WithoutAReason", func(t *testing.T) {
		restored(t, func(s scene) {
			for _, reason := range []string{"", strings.Repeat("x", audit.MaxReason+1), "a\nb", "\xff"} {
				s.refusesRestore(s.srv, "alice", s.old, &profile.RestoreOptions{Reason: reason}, driver.ErrInvalid)
			}
			s.refusesRestore(s.srv, "alice", s.old, nil, driver.ErrInvalid)
			s.refusesRestore(s.srv, "alice", driver.Version{}, ticket, driver.ErrInvalid)
			s.refusesRestore(s.srv.As("a\x00b"), "alice", s.old, ticket, driver.ErrInvalid)
		})
	})
	t.Run("APlayerWhoIsNotThere", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			if _, err := a.Restore(w.ctx, "nobody", unknown, ticket); !errors.Is(err, session.ErrNotFound) {
				w.Errorf("Restore of nobody = %v", err)
			}
			p := w.load(a, "alice")
			w.close(p)
			old := w.newest(a, "alice").Version
			w.erase("alice")
			if _, err := a.Restore(w.ctx, "alice", old, ticket); !errors.Is(err, session.ErrErased) {
				w.Errorf("Restore of who was erased = %v", err)
			}
		})
	})
	t.Run("AVersionOfBeforeAnErasure", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", &profile.Options{Session: session.Options{Retention: &driver.Retention{}}})
			w.close(w.load(a, "alice"))
			old := w.newest(a, "alice")
			w.put(player.Key("alice").String(), strings.ReplaceAll(`{"format":1,"birth":"BIRTH","revision":0,"data":{}}`, "BIRTH", unknown.String()))
			if v, err := a.Session().ReadVersion(w.ctx, player.Key("alice"), old.Version); err != nil {
				w.Skipf("the history went with the version: %v, %v", v, err)
			}
			w.refusesRestore(a, "alice", old.Version, ticket, profile.ErrOtherBirth)
			w.says(a, "alice", "refused: ")
		})
	})
	t.Run("DataOfAnotherType", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.plant("alice", func(tx *profile.Tx) { foreignCoins.Set(tx, "many"); foreignExtra.Set(tx, "x") })
			w.plant("alice", func(tx *profile.Tx) { foreignCoins.Reset(tx); foreignExtra.Reset(tx) })
			a := w.server("a", nil)
			var wrong driver.Version
			for _, info := range got(a.Session().Versions(w.ctx, player.Key("alice"))) {
				v := got(a.Session().ReadVersion(w.ctx, player.Key("alice"), info.Version))
				if _, ok := v.Document.Get(document.Field("extra")); ok {
					wrong = info.Version
				}
			}
			p := w.load(a, "alice")
			err := w.refusesRestore(a, "alice", wrong, ticket, profile.ErrWrongType)
			if err == nil || !strings.Contains(err.Error(), "coins") {
				w.Errorf("the refusal does not name the field: %v", err)
			}
			if p.Ended(); p.Err() != nil || p.Session().Err() != nil {
				w.Error("a refused restore has ended the profile")
			}
			w.says(a, "alice", "refused: ")
		})
	})
	t.Run("DataOverTheLimitsOfToday", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			p := w.load(a, "alice")
			w.update(p, func(tx *profile.Tx) { secret.Set(tx, strings.Repeat("x", 5000)) })
			if err := p.Save(w.ctx); err != nil {
				w.Fatal(err)
			}
			old := w.newest(a, "alice").Version
			w.update(p, func(tx *profile.Tx) { secret.Reset(tx) })
			w.close(p)
			small := w.server("small", &profile.Options{Session: session.Options{Limits: document.Limits{Size: 1000}}})
			w.refusesRestore(small, "alice", old, ticket, document.ErrTooLarge)
		})
	})
	t.Run("AVersionThatIsDamaged", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			w.put("player/alice", `{"format":1,"birth":"`+unknown.String()+`","revision":0,"data":`)
			broken := got(w.db.Read(w.ctx, "player/alice")).Entries[0].Version
			id := got(driver.NewVersion(time.Now(), zeros{}))
			text := strings.ReplaceAll(`{"format":1,"birth":"BIRTH","revision":1,"data":{"coins":3}}`, "BIRTH", unknown.String())
			b := driver.Batch{ID: id, Writes: []driver.Write{{Key: "player/alice", Version: broken, Value: []byte(text), Retain: &driver.Retention{}, Mark: true}}}
			if _, err := w.db.Commit(w.ctx, driver.Group{Batches: []driver.Batch{b}}); err != nil {
				w.Fatal(err)
			}
			w.refusesRestore(a, "alice", broken, ticket, driver.ErrCorrupt)
		})
	})
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// TestRestoreAndDeeds has what a restore does not undo.
func TestRestoreAndDeeds(t *testing.T) {
	swap := func(w *world, srv *profile.Server) {
		w.Helper()
		parties := []profile.Party{{Server: srv, ID: "alice"}, {Server: srv, ID: "bob"}}
		err := profile.Exchange(w.within(time.Minute), parties, "a swap", func(txs []*profile.Tx) error {
			return errors.Join(coins.Add(txs[0], -1), coins.Add(txs[1], 1))
		})
		if errors.Is(err, profile.ErrNoBus) {
			w.Skip(err)
		}
		if err != nil {
			w.Fatalf("Exchange: %v", err)
		}
	}
	t.Run("AreToldAndRefused", func(t *testing.T) {
		restored(t, func(s scene) {
			s.close(s.load(s.srv, "bob"))
			swap(s.world, s.srv)
			err := s.refusesRestore(s.srv, "alice", s.old, ticket, profile.ErrDeeds)
			var deeds *profile.DeedsError
			if !errors.As(err, &deeds) || len(deeds.Deeds) != 1 || deeds.Deeds[0].What != session.OriginTrade || deeds.Deeds[0].Reason != "a swap" || deeds.Version != s.old {
				s.Fatalf("the refusal tells %+v", deeds)
			}
			s.says(s.srv, "alice", "refused: ")
			if told, more, err := s.srv.Deeds(s.ctx, "alice", s.old); cmp.Diff(told, deeds.Deeds) != "" || more || err != nil {
				s.Errorf("Deeds = %+v, %v, %v", told, more, err)
			}
			done := s.restore(s.srv, "alice", s.old, &profile.RestoreOptions{Reason: "ticket 7", Despite: true})
			if s.isOld(); cmp.Diff(done.Deeds, deeds.Deeds) != "" {
				s.Errorf("Restore despite them tells %+v", done.Deeds)
			}
			if got := coins.Get(s.peek(s.srv, "bob")); got != 501 {
				s.Errorf("bob has %d coins, want what he was given", got)
			}
		})
	})
	t.Run("OfBeforeTheVersionAreNone", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			p := w.load(a, "alice")
			w.load(a, "bob")
			swap(w, a)
			if err := p.Save(w.ctx); err != nil {
				w.Fatal(err)
			}
			old := w.newest(a, "alice").Version
			w.update(p, func(tx *profile.Tx) { coins.Set(tx, 0) })
			w.restore(a, "alice", old, ticket)
			if coins.Get(p) != 499 {
				w.Errorf("alice has %d coins, want 499", coins.Get(p))
			}
		})
	})
	t.Run("OfATellerCount", func(t *testing.T) {
		restored(t, func(s scene) {
			var after []uint64
			teller := func(_ context.Context, _ session.Key, revision uint64) ([]profile.Deed, error) {
				after = append(after, revision)
				return []profile.Deed{{What: session.OriginPurchase, ID: "shop:1", Revision: revision + 1}}, nil
			}
			holder := s.srv
			if p, ok := s.srv.Profile("alice"); !ok || p == nil {
				return // who holds her is asked
			}
			holder.TellDeeds(teller)
			s.refusesRestore(s.srv, "alice", s.old, ticket, profile.ErrDeeds)
			want := got(s.srv.Session().ReadVersion(s.ctx, player.Key("alice"), s.old)).Revision
			if len(after) == 0 || slices.ContainsFunc(after, func(n uint64) bool { return n != want }) {
				s.Errorf("the teller was asked after %v, want %d", after, want)
			}
		})
	})
	t.Run("ThatComeBetweenAreSeen", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			p := w.load(a, "alice")
			w.load(a, "bob")
			if err := p.Save(w.ctx); err != nil {
				w.Fatal(err)
			}
			old := w.newest(a, "alice").Version
			w.update(p, func(tx *profile.Tx) { coins.Set(tx, 100) })
			a.TellDeeds(func(context.Context, session.Key, uint64) ([]profile.Deed, error) {
				swap(w, a) // after the history was read
				return nil, nil
			})
			err := w.refusesRestoreOnly(a, "alice", old)
			if !errors.Is(err, profile.ErrDeeds) || coins.Get(p) != 99 {
				w.Errorf("Restore = %v, alice has %d coins, want a refusal and 99", err, coins.Get(p))
			}
		})
	})
	t.Run("AreCutToWhatAnAnswerHolds", func(t *testing.T) {
		restored(t, func(s scene) {
			p, ok := s.srv.Profile("alice")
			if !ok || p == nil {
				return
			}
			s.srv.TellDeeds(func(context.Context, session.Key, uint64) (deeds []profile.Deed, err error) {
				for range 3 * profile.MaxDeeds {
					deeds = append(deeds, profile.Deed{What: "purchase", ID: strings.Repeat("\x01", 500)})
				}
				return deeds, nil
			})
			err := s.refusesRestore(s.srv, "alice", s.old, ticket, profile.ErrDeeds)
			var deeds *profile.DeedsError
			if !errors.As(err, &deeds) || !deeds.More || len(deeds.Deeds) == 0 {
				s.Errorf("the refusal tells %+v", deeds)
			}
		})
	})
}

// refusesRestoreOnly is refusesRestore for data that change meanwhile.
func (w *world) refusesRestoreOnly(srv *profile.Server, id string, v driver.Version) error {
	_, err := srv.Restore(w.within(time.Minute), id, v, ticket)
	return err
}

// TestRestoreHappensOnce has what may go wrong with a restore of alice, who is on server a.
func TestRestoreHappensOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(w *world, a, b *post, restore func(context.Context) error)
	}{
		{"ThoughTheOwnerCrashesBeforeTheAppend", func(w *world, a, b *post, restore func(context.Context) error) {
			a.f.Use(naming("~journal/", faulty.Fault{Err: faulty.ErrDown}))
			w.crashing(a, restore)
		}},
		{"ThoughTheOwnerCrashesBetweenAppendAndSave", func(w *world, a, b *post, restore func(context.Context) error) {
			done := false
			a.f.Use(func(c *faulty.Call) faulty.Fault {
				if c.Op == faulty.Commit && slices.ContainsFunc(c.Keys, func(k string) bool { return strings.HasPrefix(k, "~audit") }) {
					done = true
				}
				if done {
					return faulty.Fault{Err: faulty.ErrDown}
				}
				return faulty.Fault{}
			})
			w.crashing(a, restore)
		}},
		{"ThoughTheAnswerOfItsSaveIsLost", func(w *world, a, b *post, restore func(context.Context) error) {
			a.f.Use(first(naming("~audit", faulty.Fault{Lost: true})))
			if err := restore(w.within(5 * time.Minute)); err != nil {
				w.Fatal(err)
			}
		}},
		{"ThoughTheAnswerOfItsSendingIsLost", func(w *world, a, b *post, restore func(context.Context) error) {
			b.f.Use(first(naming("person/alice/mail", faulty.Fault{Lost: true})))
			if err := restore(w.within(5 * time.Minute)); err != nil {
				w.Fatal(err)
			}
		}},
		{"ThoughTheWaitForItWasGivenUp", func(w *world, a, b *post, restore func(context.Context) error) {
			b.deaf.Store(true)
			if err := restore(w.within(time.Nanosecond)); err == nil {
				w.Error("a restore was done in no time")
			}
			if err := restore(w.within(5 * time.Minute)); err != nil {
				w.Fatal(err)
			}
		}},
		{"ThoughThePlayerIsHandedOverMeanwhile", func(w *world, a, b *post, restore func(context.Context) error) {
			go func() { _, _ = b.Open(w.ctx, "alice", nil) }()
			if err := restore(w.within(5 * time.Minute)); err != nil {
				w.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.posts(true)
				p := w.load(a.Server, "alice")
				w.update(p, func(tx *profile.Tx) { given.Set(tx, 5) })
				if err := p.Save(w.ctx); err != nil {
					w.Fatal(err)
				}
				old := w.newest(a.Server, "alice").Version
				w.update(p, func(tx *profile.Tx) { given.Set(tx, 50) })
				if err := p.Session().Sync(w.ctx); err != nil {
					w.Fatal(err)
				}
				restore := func(ctx context.Context) error {
					_, err := b.Restore(ctx, "alice", old, &profile.RestoreOptions{Reason: "ticket 7", ID: "r"})
					return err
				}
				c.run(w, a, b, restore)
				settle()
				q := w.load(b.Server, "alice")
				if given.Get(q) != 5 {
					w.Fatalf("alice was given %d, want the 5 of the version", given.Get(q))
				}
				w.update(q, func(tx *profile.Tx) { given.Set(tx, 6) })
				b.f.Use()
				if err := restore(w.within(5 * time.Minute)); err != nil {
					w.Fatalf("the same restore again = %v", err)
				}
				if given.Get(q) != 6 {
					w.Errorf("alice was given %d after the same restore again, want 6", given.Get(q))
				}
				if err := q.HandleMessages(w.ctx); err != nil {
					w.Fatal(err)
				}
				settle()
				if left := w.left("alice", "mail"); len(left) > 0 {
					w.Errorf("mail = %q, want none", left)
				}
				done := 0
				for _, act := range w.acts(b.Server, "alice") {
					if act.Result == audit.Done {
						done++
					}
				}
				if done != 1 {
					w.Errorf("the audit log tells %d restores that were done, want 1: %+v", done, w.acts(b.Server, "alice"))
				}
			})
		})
	}
}

// crashing restores while the owner dies of his faults, and has come back to life as
// nothing.
func (w *world) crashing(a *post, restore func(context.Context) error) {
	w.Helper()
	time.AfterFunc(3*time.Second, a.crash)
	if err := restore(w.within(5 * time.Minute)); err != nil {
		w.Fatal(err)
	}
}

var restoredLevel = profile.Int("level", 0, profile.PerSlot())

func (w *world) save(p *profile.Profile) {
	w.Helper()
	if err := p.Save(w.ctx); err != nil {
		w.Fatal(err)
	}
}

// The version that a restore names as the one before it is there to go back to, also if
// the player was saved once more while the restore was prepared.
func TestRestoreOfAPlayerWhoIsSavedMeanwhile(t *testing.T) {
	bubble(t, func(w *world) {
		f := faulty.New(open{w.db})
		o := &profile.Options{Session: session.Options{Retention: &driver.Retention{Every: time.Hour, For: 720 * time.Hour, Max: 1000}}}
		a := w.serverOn("a", f, player, o)
		p := w.load(a, "alice")
		w.update(p, func(tx *profile.Tx) { tx.Keep(); coins.Set(tx, 10) })
		w.save(p)
		old := w.newest(a, "alice").Version
		time.Sleep(time.Second)
		w.update(p, func(tx *profile.Tx) { coins.Set(tx, 99) })
		w.save(p)
		f.Use(func(c *faulty.Call) faulty.Fault { // the history is long, and read slowly
			return faulty.Fault{Hold: c.Op == faulty.Versions}
		})
		type result struct {
			done profile.Restored
			err  error
		}
		got := make(chan result, 1)
		go func() {
			done, err := a.Restore(w.within(time.Minute), "alice", old, ticket)
			got <- result{done, err}
		}()
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if len(f.Waiting()) == 0 {
			t.Fatal("the restore does not read the history")
		}
		w.update(p, func(tx *profile.Tx) { coins.Set(tx, 100) })
		w.save(p) // as an autosave does
		f.Use()
		f.ReleaseAll()
		r := <-got
		if r.err != nil || coins.Get(p) != 10 {
			t.Fatalf("Restore = %+v, %v", r.done, r.err)
		}
		w.save(p)
		w.restore(a, "alice", r.done.Before, &profile.RestoreOptions{Reason: "undo"})
		if coins.Get(p) != 100 {
			t.Errorf("after the restore was taken back there are %d coins, want 100", coins.Get(p))
		}
	})
}
