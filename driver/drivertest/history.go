package drivertest

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
)

// save replaces the present version of key under a schedule.
func (e *env) save(key string, r *driver.Retention) driver.Version {
	e.Helper()
	return e.apply(e.saving(key, r))
}

// mark replaces the present version of key and marks the new one.
func (e *env) mark(key string, r *driver.Retention) driver.Version {
	e.Helper()
	w := e.saving(key, r)
	w.Mark = true
	return e.apply(w)
}

func (e *env) saving(key string, r *driver.Retention) driver.Write {
	e.Helper()
	v := e.read(key).Version
	return driver.Write{Key: key, Version: v, Value: fmt.Appendf(nil, "after %v", v), Retain: r}
}

var (
	everyVersion = &driver.Retention{}
	onlyMarked   = &driver.Retention{Every: -1}
	hourly       = &driver.Retention{Every: time.Hour}
)

var historyFacts = []fact{
	{"AKeyThatNeverWasHasNone", 0, func(e *env) {
		if got := e.versions("k"); got != nil {
			e.Errorf("Versions = %v, want none", got)
		}
	}},
	{"WithoutAScheduleOnlyThePresentStays", 0, func(e *env) {
		e.save("k", nil)
		e.retains("k", e.save("k", nil))
	}},
	{"ZeroEveryKeepsAllOldestFirst", 0, func(e *env) {
		var want []driver.Version
		for range 5 {
			want = append(want, e.save("k", everyVersion))
		}
		e.retains("k", want...)
	}},
	{"VersionsTellTimesAndNoValues", 0, func(e *env) {
		first := e.read("k")
		var updated []driver.Moment
		for range 3 {
			w := e.saving("k", everyVersion)
			w.Mark = len(updated) == 1
			updated = append(updated, e.applied(batch(w)))
		}
		entries, err := e.db.Versions(e.ctx, "k")
		if err != nil || len(entries) != 3 || first.Found() {
			e.Fatalf("Versions = %v, %v, want three", entries, err)
		}
		for i, got := range entries {
			want := driver.Entry{
				Key: "k", Version: got.Version, Created: updated[0].Wall, Updated: updated[i], Marked: i == 1,
			}
			if i == 2 {
				want.Recent = e.read("k").Recent
			}
			if diff := cmp.Diff(want, got); diff != "" {
				e.Errorf("version %d (-want +got):\n%s", i, diff)
			}
		}
	}},
	{"ReadVersionReturnsOldAndPresent", 0, func(e *env) {
		a := e.apply(driver.Write{Key: "k", Value: []byte("a")})
		b := e.apply(driver.Write{Key: "k", Version: a, Value: []byte("b"), Retain: everyVersion})
		for v, want := range map[driver.Version]string{a: "a", b: "b"} {
			got, err := e.db.ReadVersion(e.ctx, "k", v)
			if err != nil || string(got.Value) != want || got.Version != v || got.Key != "k" || got.Damaged != nil {
				e.Errorf("ReadVersion(%v) = %+v, %v, want value %q", v, got, err, want)
			}
			if old := v == a; old != (got.Recent == nil) {
				e.Errorf("ReadVersion(%v) has recent ids %v", v, got.Recent)
			}
		}
	}},
	{"ReadVersionOfNoneIsNotFound", 0, func(e *env) {
		a := e.save("k", nil)
		e.save("k", nil)
		for key, v := range map[string]driver.Version{"k": a, "absent": a, "k2": {}} {
			if got, err := e.db.ReadVersion(e.ctx, key, v); !errors.Is(err, driver.ErrNotFound) {
				e.Errorf("ReadVersion(%q, %v) = %+v, %v, want ErrNotFound", key, v, got, err)
			}
		}
		if got, err := e.db.ReadVersion(e.ctx, "k", driver.Version{}); !errors.Is(err, driver.ErrNotFound) {
			e.Errorf("ReadVersion of the zero version = %+v, %v, want ErrNotFound", got, err)
		}
	}},
	{"ARefusedWriteRetainsNothing", 0, func(e *env) {
		v := e.save("k", everyVersion)
		e.refused(batch(driver.Write{Key: "k", Version: newID(), Retain: everyVersion}), "k")
		e.retains("k", v)
	}},
	{"OnceRetainsNothingOfWhatIsThere", 0, func(e *env) {
		v := e.save("k", everyVersion)
		e.apply(driver.Write{Key: "k", Mode: driver.Once, Retain: everyVersion})
		e.retains("k", v)
	}},
	{"AlwaysRetainsByItsSchedule", 0, func(e *env) {
		a := e.save("k", everyVersion)
		b := e.apply(driver.Write{Key: "k", Mode: driver.Always, Retain: everyVersion})
		e.retains("k", a, b)
	}},
	{"AnAlwaysThatIsRepeatedRetainsItselfOnce", 0, func(e *env) {
		a := e.save("k", everyVersion)
		b := batch(driver.Write{Key: "k", Mode: driver.Always, Retain: everyVersion})
		e.applied(b)
		e.applied(b)
		e.retains("k", a, b.ID)
		c := e.save("k", everyVersion)
		e.retains("k", a, b.ID, c)
		e.applied(b)
		e.retains("k", a, c, b.ID)
		d := e.save("k", everyVersion)
		e.retains("k", a, c, b.ID, d)
	}},
	{"NegativeEveryKeepsOnlyMarked", 0, func(e *env) {
		e.save("k", onlyMarked)
		e.save("k", onlyMarked)
		m := e.mark("k", onlyMarked)
		e.save("k", onlyMarked)
		last := e.save("k", onlyMarked)
		entries, err := e.db.Versions(e.ctx, "k")
		if err != nil {
			e.Fatalf("Versions: %v", err)
		}
		// The marked one and the one that it replaced.
		if len(entries) != 3 || entries[1].Version != m || entries[2].Version != last {
			e.Errorf("Versions = %v, want one, the marked %v and the present %v", entries, m, last)
		}
		for i, marked := range []bool{false, true, false} {
			if i < len(entries) && entries[i].Marked != marked {
				e.Errorf("version %d marked %v, want %v", i, entries[i].Marked, marked)
			}
		}
	}},
	{"MaxDropsTheOldestFirst", 0, func(e *env) {
		three := &driver.Retention{Max: 3}
		var all []driver.Version
		for range 7 {
			all = append(all, e.save("k", three))
		}
		e.retains("k", all[3:]...)
	}},
	{"MaxDropsMarkedLast", 0, func(e *env) {
		two := &driver.Retention{Max: 2}
		a := e.mark("k", two)
		b := e.save("k", two)
		c := e.save("k", two)
		e.retains("k", a, b, c)
		d := e.save("k", two)
		e.retains("k", a, c, d)
		m := e.mark("k", two) // marks d too, so c is the only one that is not
		e.retains("k", a, d, m)
		last := e.save("k", two)
		e.retains("k", d, m, last)
	}},
	{"ASmallerMaxTakesEffectWithTheNextWrite", 0, func(e *env) {
		for range 5 {
			e.save("k", everyVersion)
		}
		before := e.versions("k")
		last := e.save("k", &driver.Retention{Every: -1, Max: 2})
		e.retains("k", before[2], before[3], last)
	}},
	{"KeysHaveHistoriesOfTheirOwn", 0, func(e *env) {
		a, b := e.save("a", everyVersion), e.save("a/b", everyVersion)
		a2 := e.save("a", &driver.Retention{Max: 1})
		e.retains("a", a, a2)
		e.retains("a/b", b)
		e.apply(driver.Write{Key: "a", Mode: driver.Always, Delete: true})
		b2 := e.save("a/b", everyVersion)
		e.retains("a/b", b, b2)
	}},
	{"ForgetLeavesThePresentVersion", 0, func(e *env) {
		for range 3 {
			e.save("k", everyVersion)
		}
		present := e.read("k")
		b := batch(always("other", "x"))
		b.Forget = []string{"k", "absent"}
		e.applied(b)
		e.retains("k", present.Version)
		if diff := cmp.Diff(present, e.read("k")); diff != "" {
			e.Errorf("Forget changed the entry (-want +got):\n%s", diff)
		}
		next := e.save("k", everyVersion)
		e.retains("k", present.Version, next)
	}},
	{"ForgetTakesWhatItsBatchRetained", 0, func(e *env) {
		e.save("k", everyVersion)
		w := e.saving("k", everyVersion)
		w.Mark = true
		b := batch(w)
		b.Forget = []string{"k"}
		e.applied(b)
		e.retains("k", b.ID)
	}},
	{"ForgetOfARefusedBatchForgetsNothing", 0, func(e *env) {
		a, c := e.save("k", everyVersion), e.save("k", everyVersion)
		b := batch(expect("other", newID(), "x"))
		b.Forget = []string{"k"}
		e.refused(b, "other")
		e.retains("k", a, c)
	}},
	{"DeleteRemovesTheHistory", 0, func(e *env) {
		for _, mode := range []driver.Mode{driver.Expect, driver.Always} {
			v := e.save("k", everyVersion)
			w := e.save("k", everyVersion)
			del := driver.Write{Key: "k", Mode: mode, Delete: true}
			if mode == driver.Expect {
				del.Version = w
			}
			e.apply(del)
			if got := e.versions("k"); got != nil {
				e.Errorf("Versions after Delete = %v, want none", got)
			}
			e.save("k", nil)
			if _, err := e.db.ReadVersion(e.ctx, "k", v); !errors.Is(err, driver.ErrNotFound) {
				e.Errorf("ReadVersion of what was deleted: %v, want ErrNotFound", err)
			}
			e.apply(driver.Write{Key: "k", Mode: driver.Always, Delete: true})
		}
	}},
	{"DeleteRangeTakesWhatLiesWithin", 0, func(e *env) {
		e.fill()
		e.save("a/1", everyVersion)
		n, err := e.db.DeleteRange(e.ctx, "a/", "a0")
		if err != nil || n != 7 {
			e.Errorf("DeleteRange = %d, %v, want 7", n, err)
		}
		var want []string
		for _, key := range sorted {
			if key < "a/" || key >= "a0" {
				want = append(want, key)
			}
		}
		if diff := cmp.Diff(want, e.keys(driver.Query{})); diff != "" {
			e.Errorf("List after DeleteRange (-want +got):\n%s", diff)
		}
		if got := e.versions("a/1"); got != nil {
			e.Errorf("Versions after DeleteRange = %v, want none", got)
		}
	}},
	{"DeleteRangeOfNothingIsNothing", 0, func(e *env) {
		e.fill()
		for _, r := range [][2]string{{"b/2", "b/3"}, {"b", "a"}, {"b", "b"}, {"a", ""}, {"", ""}} {
			if n, err := e.db.DeleteRange(e.ctx, r[0], r[1]); n != 0 || err != nil {
				e.Errorf("DeleteRange(%q, %q) = %d, %v, want 0", r[0], r[1], n, err)
			}
		}
		if n, err := e.db.DeleteRange(e.ctx, "", "b"); n != 10 || err != nil {
			e.Errorf("DeleteRange from the first = %d, %v, want 10", n, err)
		}
	}},
	{"SurvivesReopening", needsReopen, func(e *env) {
		a, b := e.save("k", everyVersion), e.save("k", everyVersion)
		e.reopen()
		e.retains("k", a, b)
		c := e.save("k", &driver.Retention{Max: 1})
		e.retains("k", b, c)
	}},
}
