package drivertest

import (
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
)

var commitFacts = []fact{
	{"CreatesWhatIsAbsent", 0, func(e *env) {
		id := e.apply(expect("k", driver.Version{}, "one"))
		got := e.read("k")
		if got.Version != id || string(got.Value) != "one" || got.Damaged != nil {
			e.Errorf("Read = %+v, want version %v and value %q", got, id, "one")
		}
	}},
	{"ReplacesTheVersionThatItNames", 0, func(e *env) {
		v := e.apply(expect("k", driver.Version{}, "one"))
		v2 := e.apply(expect("k", v, "two"))
		if got := e.read("k"); got.Version != v2 || string(got.Value) != "two" {
			e.Errorf("Read = %+v, want version %v and value %q", got, v2, "two")
		}
	}},
	{"RefusesAStaleVersion", 0, func(e *env) {
		v := e.apply(expect("k", driver.Version{}, "one"))
		e.apply(expect("k", v, "two"))
		e.refused(batch(expect("k", v, "three")), "k")
		e.holds("k", "two")
	}},
	{"RefusesToCreateWhatIsThere", 0, func(e *env) {
		e.apply(expect("k", driver.Version{}, "one"))
		e.refused(batch(expect("k", driver.Version{}, "two")), "k")
		e.holds("k", "one")
	}},
	{"RefusesToReplaceWhatIsAbsent", 0, func(e *env) {
		if s := e.refused(batch(expect("k", newID(), "one")), "k"); len(s[0].Recent) != 0 {
			e.Errorf("Recent of an absent entry = %v, want none", s[0].Recent)
		}
		e.holds("k", "-")
	}},
	{"WritesAnEqualValueAsANewVersion", 0, func(e *env) {
		a := e.apply(expect("k", driver.Version{}, "100"))
		b := e.apply(expect("k", a, "0"))
		c := e.apply(expect("k", b, "100"))
		e.refused(batch(expect("k", a, "stale")), "k")
		if got := e.read("k"); got.Version != c {
			e.Errorf("Read version = %v, want %v", got.Version, c)
		}
	}},
	{"AppliesAllWritesOfABatch", 0, func(e *env) {
		v := e.apply(expect("a", driver.Version{}, "1"), expect("b", driver.Version{}, "1"))
		e.apply(expect("a", v, "2"), expect("b", v, "2"), expect("c", driver.Version{}, "2"))
		for _, key := range []string{"a", "b", "c"} {
			e.holds(key, "2")
		}
	}},
	{"OneStaleWriteChangesNothing", 0, func(e *env) {
		v := e.apply(expect("a", driver.Version{}, "1"), expect("b", driver.Version{}, "1"))
		e.refused(batch(expect("a", v, "2"), expect("b", newID(), "2"), always("c", "2"),
			driver.Write{Key: "d", Mode: driver.Always, Delete: true}), "b")
		e.holds("a", "1")
		e.holds("b", "1")
		e.holds("c", "-")
	}},
	{"OneStaleCheckChangesNothing", 0, func(e *env) {
		v := e.apply(expect("a", driver.Version{}, "1"), expect("b", driver.Version{}, "1"))
		b := batch(expect("a", v, "2"))
		b.Checks = []driver.Check{{Key: "b", Version: newID()}}
		e.refused(b, "b")
		e.holds("a", "1")
	}},
	{"RefusalListsChecksThenWritesInTheirOrder", 0, func(e *env) {
		stale := newID()
		b := batch(expect("z", stale, ""), always("ok", ""), expect("y", stale, ""))
		b.Checks = []driver.Check{{Key: "c", Version: stale}, {Key: "fine"}, {Key: "b", Version: stale}}
		e.refused(b, "c", "b", "z", "y")
	}},
	{"CheckHoldsAtTheNamedVersion", 0, func(e *env) {
		v := e.apply(always("lease", "1"))
		b := batch(always("journal", "1"))
		b.Checks = []driver.Check{{Key: "lease", Version: v}}
		e.applied(b)
		if got := e.read("lease"); got.Version != v {
			e.Errorf("a check moved the entry to %v, want %v", got.Version, v)
		}
	}},
	{"CheckOfAbsenceHoldsWhileAbsent", 0, func(e *env) {
		b := batch(always("a", "1"))
		b.Checks = []driver.Check{{Key: "gone"}}
		e.applied(b)
		e.apply(always("gone", "here"))
		b.ID = newID()
		e.refused(b, "gone")
	}},
	{"AlwaysReplacesWhateverIsThere", 0, func(e *env) {
		e.apply(always("k", "1"))
		v := e.apply(always("k", "2"))
		if got := e.read("k"); string(got.Value) != "2" || got.Version != v {
			e.Errorf("Read = %+v, want value 2 at %v", got, v)
		}
	}},
	{"OnceLeavesWhatIsThere", 0, func(e *env) {
		v := e.apply(once("k", "1"))
		e.apply(once("k", "2"))
		if got := e.read("k"); string(got.Value) != "1" || got.Version != v {
			e.Errorf("Read = %+v, want value 1 at %v", got, v)
		}
	}},
	{"OnceNeverRefusesItsBatch", 0, func(e *env) {
		e.apply(once("k", "1"))
		e.apply(once("k", "2"), always("other", "2"))
		e.holds("k", "1")
		e.holds("other", "2")
	}},
	{"DeleteRemovesTheEntry", 0, func(e *env) {
		v := e.apply(always("k", "1"))
		e.apply(driver.Write{Key: "k", Version: v, Delete: true})
		e.holds("k", "-")
		if got := e.keys(driver.Query{}); got != nil {
			e.Errorf("List after Delete = %q, want none", got)
		}
	}},
	{"DeleteRefusesAStaleVersion", 0, func(e *env) {
		e.apply(always("k", "1"))
		e.refused(batch(driver.Write{Key: "k", Version: newID(), Delete: true}), "k")
		e.refused(batch(driver.Write{Key: "k", Delete: true}), "k")
		e.refused(batch(driver.Write{Key: "absent", Version: newID(), Delete: true}), "absent")
		e.holds("k", "1")
	}},
	{"DeleteOfWhatIsAbsentIsNoError", 0, func(e *env) {
		e.apply(driver.Write{Key: "k", Delete: true})
		e.apply(driver.Write{Key: "k", Mode: driver.Always, Delete: true})
		e.apply(driver.Write{Key: "k", Mode: driver.Always, Delete: true}, always("other", "1"))
		e.holds("other", "1")
	}},
	{"CreatedAgainAfterDeleteStartsAnew", 0, func(e *env) {
		e.apply(always("k", "1"))
		e.apply(driver.Write{Key: "k", Mode: driver.Always, Delete: true})
		v := e.apply(expect("k", driver.Version{}, "2"))
		if diff := cmp.Diff([]driver.Version{v}, e.read("k").Recent); diff != "" {
			e.Errorf("Recent (-want +got):\n%s", diff)
		}
	}},
	{"KeepsEmptyAndBinaryValues", 0, func(e *env) {
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		e.apply(driver.Write{Key: "nil", Mode: driver.Always}, always("empty", ""), always("all", string(all)))
		e.holds("nil", "")
		e.holds("empty", "")
		e.holds("all", string(all))
	}},
	{"KeepsAValueOfAnySize", 0, func(e *env) {
		for _, n := range []int{1, 4095, 8192, 70_000, 1 << 20} {
			want := strings.Repeat("x", n-1) + "y"
			e.apply(always("k", want))
			if got := string(e.read("k").Value); got != want {
				e.Errorf("value of %d bytes read back as %d other ones", n, len(got))
			}
		}
	}},
	{"RetainsNoBytesOfTheCaller", 0, func(e *env) {
		value := []byte("before")
		e.apply(driver.Write{Key: "k", Mode: driver.Always, Value: value})
		copy(value, "AFTER!")
		e.holds("k", "before")
	}},
	{"UrgentGroupsAreCommitsToo", 0, func(e *env) {
		b := batch(expect("k", driver.Version{}, "1"))
		out, err := e.db.Commit(e.ctx, driver.Group{Batches: []driver.Batch{b}, Urgent: true})
		if err != nil || len(out) != 1 || len(out[0].Refused) != 0 {
			e.Fatalf("Commit of an urgent group = %v, %v, want applied", out, err)
		}
		e.holds("k", "1")
	}},
	{"SecondSeesWhatWasCommitted", needsSecond, func(e *env) {
		other := e.second()
		for i := range 5 {
			want := fmt.Sprint(i)
			e.apply(always("k", want))
			if got := e.readFrom(other, "k"); string(got.Value) != want {
				e.Errorf("second Read = %q, want %q", got.Value, want)
			}
		}
	}},
}

var groupFacts = []fact{
	{"EachBatchHasItsOwnOutcome", 0, func(e *env) {
		v := e.apply(always("a", "1"), always("b", "1"), always("c", "1"))
		stale := newID()
		out := e.commit(
			batch(expect("a", v, "2")),
			batch(expect("b", stale, "2"), expect("new", driver.Version{}, "2")),
			batch(expect("c", v, "2"), expect("d", driver.Version{}, "2")),
		)
		for i, refused := range []bool{false, true, false} {
			if got := len(out[i].Refused) != 0; got != refused {
				e.Errorf("batch %d refused = %v, want %v", i, got, refused)
			}
			if got := out[i].Updated.Wall.IsZero(); got != refused {
				e.Errorf("batch %d has no time = %v, want %v", i, got, refused)
			}
		}
		for key, want := range map[string]string{"a": "2", "b": "1", "new": "-", "c": "2", "d": "2"} {
			e.holds(key, want)
		}
	}},
	{"BatchesMayCheckTheSameEntry", 0, func(e *env) {
		v := e.apply(always("lease", "1"))
		var group []driver.Batch
		for i := range 3 {
			b := batch(always(fmt.Sprintf("j/%d", i), "x"))
			b.Checks = []driver.Check{{Key: "lease", Version: v}}
			group = append(group, b)
		}
		for i, out := range e.commit(group...) {
			if len(out.Refused) != 0 {
				e.Errorf("batch %d refused: %v", i, out.Refused)
			}
		}
	}},
	{"AllRefusedChangesNothing", 0, func(e *env) {
		e.apply(always("a", "1"))
		for _, out := range e.commit(batch(expect("a", newID(), "2")), batch(expect("b", newID(), "2"))) {
			if len(out.Refused) != 1 {
				e.Errorf("refused %v, want one entry", out.Refused)
			}
		}
		e.holds("a", "1")
		e.holds("b", "-")
	}},
	{"TheLargestGroupIsApplied", 0, func(e *env) {
		group := make([]driver.Batch, driver.MaxGroup)
		for i := range group {
			group[i] = batch(expect(fmt.Sprintf("k/%04d", i), driver.Version{}, "x"))
		}
		for i, out := range e.commit(group...) {
			if len(out.Refused) != 0 {
				e.Fatalf("batch %d refused: %v", i, out.Refused)
			}
		}
		if got := len(e.keys(driver.Query{})); got != driver.MaxGroup {
			e.Errorf("List has %d keys, want %d", got, driver.MaxGroup)
		}
	}},
	{"TheLargestBatchIsApplied", 0, func(e *env) {
		b := batch()
		for i := range driver.MaxBatch {
			b.Writes = append(b.Writes, expect(fmt.Sprintf("k/%04d", i), driver.Version{}, "x"))
		}
		e.applied(b)
		if got := len(e.keys(driver.Query{})); got != driver.MaxBatch {
			e.Errorf("List has %d keys, want %d", got, driver.MaxBatch)
		}
	}},
	{"BatchesThatTouchEachOtherAreInvalid", 0, func(e *env) {
		check := batch(always("b", "2"))
		check.Checks = []driver.Check{{Key: "a"}}
		forget := batch(always("b", "2"))
		forget.Forget = []string{"a"}
		for _, other := range []driver.Batch{batch(always("a", "2")), check, forget} {
			e.invalid(driver.Group{Batches: []driver.Batch{batch(always("a", "1")), other}})
			e.invalid(driver.Group{Batches: []driver.Batch{other, batch(always("a", "1"))}})
		}
		if got := e.keys(driver.Query{}); got != nil {
			e.Errorf("invalid groups left %q", got)
		}
	}},
}
