package profile_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
)

// groupsOf is a database that wants groups of a size.
type groupsOf struct {
	*faults
	size int
}

func (g groupsOf) Info() driver.Info {
	i := g.faults.Info()
	i.Group = g.size
	return i
}

func newMem(t *testing.T) *mem.DB {
	db := mem.Open()
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestAutosave(t *testing.T) {
	t.Run("CommitsPerCycleAreDirtyProfilesPerGroup", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			srv := w.serverOn("a", groupsOf{db, 10}, player, &profile.Options{Autosave: time.Minute})
			var ps []*profile.Profile
			for i := range 100 {
				ps = append(ps, w.load(srv, fmt.Sprint(i)))
			}
			time.Sleep(time.Minute) // the first cycle, which began with nobody
			for i := range 40 {
				w.update(ps[i*2], func(tx *profile.Tx) { _ = coins.Add(tx, 1) })
			}
			time.Sleep(time.Second) // appended
			base := db.saves()
			for i, want := range []int{0, 1, 2, 3, 4, 4, 4, 4} {
				if i > 0 {
					time.Sleep(12 * time.Second) // in which 20 profiles are looked at
				}
				synctest.Wait()
				if got := db.saves() - base; got != want {
					t.Errorf("after %d s of the cycle there were %d commits, want %d", i*12, got, want)
				}
			}
		})
	})
	t.Run("StepsAreEven", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			// A driver that refuses keeps the profiles dirty up to the cycle's start.
			srv := w.serverOn("a", groupsOf{db, 10}, player, &profile.Options{Autosave: time.Minute})
			var ps []*profile.Profile
			for i := range 40 {
				ps = append(ps, w.load(srv, fmt.Sprint(i)))
			}
			refuse := func(err error) {
				db.set(func() {
					clear(db.refuse)
					for i := range ps {
						if err != nil {
							db.refuse[fmt.Sprint("player/", i)] = err
						}
					}
				})
			}
			refuse(driver.ErrInvalid)
			for _, p := range ps {
				w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 1) })
			}
			time.Sleep(61 * time.Second) // the second cycle begins with 40 dirty profiles
			synctest.Wait()
			refuse(nil)
			left := func() (n int) {
				for _, p := range ps {
					if p.Dirty() {
						n++
					}
				}
				return n
			}
			for _, want := range []int{40, 30, 20, 10, 0} {
				if got := left(); got != want {
					t.Errorf("%d profiles are dirty, want %d", got, want)
				}
				time.Sleep(15 * time.Second)
				synctest.Wait()
			}
		})
	})
	t.Run("SkipsCleanProfilesAndForcesLazyOnes", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			srv := w.serverOn("a", db, player, &profile.Options{Autosave: time.Minute, ForceEvery: 3})
			p := w.load(srv, "1")
			w.load(srv, "2")
			time.Sleep(time.Second)
			base := db.saves()
			w.update(p, func(tx *profile.Tx) { _ = lazy.Set(tx, 5) })
			if p.Dirty() {
				t.Error("a Lazy field makes a profile dirty")
			}
			time.Sleep(2*time.Minute + 30*time.Second)
			if got := db.saves() - base; got != 0 || lazy.Saved(p) != 0 {
				t.Errorf("%d saves in two cycles that force nothing, want none", got)
			}
			time.Sleep(time.Minute)
			if got := db.saves() - base; got != 1 || lazy.Saved(p) != 5 {
				t.Errorf("%d saves and lazy value %d after the forced cycle, want 1 and 5", got, lazy.Saved(p))
			}
		})
	})
	t.Run("CanBeDisabled", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", &profile.Options{Autosave: -1})
			p := w.load(srv, "1")
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 1) })
			time.Sleep(20 * time.Minute)
			if !p.Dirty() {
				t.Error("a profile was saved though autosaves are disabled")
			}
		})
	})
	t.Run("SavesProfilesThatWereLoadedDuringTheCycle", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", &profile.Options{Autosave: time.Minute})
			w.load(srv, "1")
			time.Sleep(30 * time.Second)
			p := w.load(srv, "2")
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 1) })
			time.Sleep(31 * time.Second)
			if p.Dirty() {
				t.Error("a profile that was loaded in the middle of a cycle was not saved at its end")
			}
		})
	})
}
