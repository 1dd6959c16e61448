package drivertest

import (
	"fmt"
	"sync"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
)

// race settles batches at one time, alternately through the database and a
// second view of it, and returns which were applied.
func (e *env) race(other driver.DB, batches []driver.Batch) []bool {
	e.Helper()
	applied := make([]bool, len(batches))
	errs := make([]error, len(batches))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i, b := range batches {
		db := e.db
		if i%2 == 1 {
			db = other
		}
		wg.Go(func() {
			<-start
			applied[i], errs[i] = settle(e.ctx, db, b)
		})
	}
	close(start)
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			e.Fatalf("Commit of batch %d: %v", i, err)
		}
	}
	return applied
}

func count(applied []bool) (n int) {
	for _, a := range applied {
		if a {
			n++
		}
	}
	return n
}

var raceFacts = []fact{
	{"OneOfManyTakesAVersion", 0, func(e *env) {
		other := e.second()
		v := e.apply(always("k", "0"))
		for round := range 20 {
			batches := make([]driver.Batch, 8)
			for i := range batches {
				batches[i] = batch(expect("k", v, fmt.Sprintf("%d by %d", round, i)))
			}
			applied := e.race(other, batches)
			if n := count(applied); n != 1 {
				e.Fatalf("round %d: %d of %d commits for one version applied, want 1", round, n, len(batches))
			}
			for i, ok := range applied {
				if ok {
					v = batches[i].ID
				}
			}
			if got := e.read("k"); got.Version != v {
				e.Fatalf("round %d: Read version = %v, want the winner's %v", round, got.Version, v)
			}
		}
	}},
	{"OneOfManyCreates", 0, func(e *env) {
		other := e.second()
		for round := range 20 {
			key := fmt.Sprintf("k/%d", round)
			batches := make([]driver.Batch, 8)
			for i := range batches {
				batches[i] = batch(expect(key, driver.Version{}, fmt.Sprint(i)))
			}
			if n := count(e.race(other, batches)); n != 1 {
				e.Fatalf("round %d: %d creations applied, want 1", round, n)
			}
		}
	}},
	{"ACheckExcludesAMove", 0, func(e *env) {
		// Each checks what the other writes. Whichever came second found its
		// check moved, so exactly one is applied in any order.
		other := e.second()
		x := e.apply(always("x", "0"))
		y := e.apply(always("y", "0"))
		for round := range 40 {
			a, b := batch(expect("y", y, "a")), batch(expect("x", x, "b"))
			a.Checks = []driver.Check{{Key: "x", Version: x}}
			b.Checks = []driver.Check{{Key: "y", Version: y}}
			applied := e.race(other, []driver.Batch{a, b})
			if n := count(applied); n != 1 {
				e.Fatalf("round %d: %d of two batches that check each other's entries applied, want 1", round, n)
			}
			if applied[0] {
				y = a.ID
			} else {
				x = b.ID
			}
		}
	}},
	{"ACheckOfAbsenceExcludesACreation", 0, func(e *env) {
		other := e.second()
		for round := range 40 {
			x, y := fmt.Sprintf("x/%d", round), fmt.Sprintf("y/%d", round)
			a, b := batch(expect(y, driver.Version{}, "a")), batch(expect(x, driver.Version{}, "b"))
			a.Checks = []driver.Check{{Key: x}}
			b.Checks = []driver.Check{{Key: y}}
			if n := count(e.race(other, []driver.Batch{a, b})); n != 1 {
				e.Fatalf("round %d: %d of two batches that check each other's absence applied, want 1", round, n)
			}
		}
	}},
	{"NoIncrementIsLost", 0, func(e *env) {
		const writers, each = 4, 15
		other := e.second()
		e.apply(always("n", ""))
		var wg sync.WaitGroup
		for i := range writers {
			db := e.db
			if i%2 == 1 {
				db = other
			}
			wg.Go(func() {
				for n := 0; n < each; {
					s, err := db.Read(e.ctx, "n")
					if err != nil {
						e.Errorf("Read: %v", err)
						return
					}
					entry := s.Entries[0]
					ok, err := settle(e.ctx, db, batch(expect("n", entry.Version, string(entry.Value)+"x")))
					if err != nil {
						e.Errorf("Commit: %v", err)
						return
					}
					if ok {
						n++
					}
				}
			})
		}
		wg.Wait()
		if got := len(e.read("n").Value); got != writers*each {
			e.Errorf("%d increments left %d, want all", writers*each, got)
		}
	}},
	{"ReadsSeeBatchesWhole", 0, func(e *env) {
		other := e.second()
		e.apply(always("a", "0"), always("b", "0"))
		done := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			defer close(done)
			for i := range 100 {
				if _, err := settle(e.ctx, e.db, batch(always("a", fmt.Sprint(i)), always("b", fmt.Sprint(i)))); err != nil {
					e.Errorf("Commit: %v", err)
					return
				}
			}
		})
		same := func(what string, s driver.Snapshot, err error) bool {
			if err != nil {
				e.Errorf("%s: %v", what, err)
				return false
			}
			if diff := cmp.Diff(string(s.Entries[0].Value), string(s.Entries[1].Value)); diff != "" {
				e.Errorf("%s saw half a batch:\n%s", what, diff)
				return false
			}
			return true
		}
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			s, err := other.Read(e.ctx, "a", "b")
			running = same("Read", s, err) && running
			s, err = other.List(e.ctx, driver.Query{})
			running = same("List", s, err) && running
		}
		wg.Wait()
	}},
}

var recentFacts = []fact{
	{"NewestFirstAndAtMostSixteen", 0, func(e *env) {
		var want []driver.Version
		var v driver.Version
		for range driver.RecentVersions + 4 {
			v = e.apply(expect("k", v, "x"))
			want = append([]driver.Version{v}, want...)
			want = want[:min(len(want), driver.RecentVersions)]
			if diff := cmp.Diff(want, e.read("k").Recent); diff != "" {
				e.Fatalf("Recent (-want +got):\n%s", diff)
			}
		}
	}},
	{"ARepeatedBatchFindsItself", 0, func(e *env) {
		v := e.apply(always("k", "1"))
		b := batch(expect("k", v, "2"))
		e.applied(b)
		s := e.refused(b, "k")
		if diff := cmp.Diff([]driver.Version{b.ID, v}, s[0].Recent); diff != "" {
			e.Errorf("Recent of the refusal (-want +got):\n%s", diff)
		}
	}},
	{"ARepeatedBatchFindsItselfUnderLaterVersions", 0, func(e *env) {
		b := batch(expect("k", driver.Version{}, "1"))
		e.applied(b)
		v := b.ID
		for range driver.RecentVersions - 1 {
			v = e.apply(expect("k", v, "x"))
		}
		s := e.refused(b, "k")
		if got := s[0].Recent; len(got) != driver.RecentVersions || got[len(got)-1] != b.ID {
			e.Errorf("Recent = %v, want %v as the last of %d", got, b.ID, driver.RecentVersions)
		}
		e.apply(expect("k", v, "x"))
		for _, id := range e.refused(b, "k")[0].Recent {
			if id == b.ID {
				e.Errorf("the id of the 17th version back is still listed")
			}
		}
	}},
	{"AlwaysKeepsTheIdsToo", 0, func(e *env) {
		a := e.apply(always("k", "1"))
		b := e.apply(always("k", "2"))
		if diff := cmp.Diff([]driver.Version{b, a}, e.read("k").Recent); diff != "" {
			e.Errorf("Recent (-want +got):\n%s", diff)
		}
	}},
	{"AnAlwaysThatIsRepeatedIsListedOnce", 0, func(e *env) {
		first := e.apply(always("k", "1"))
		b := batch(always("k", "2"))
		e.applied(b)
		e.applied(b)
		if diff := cmp.Diff([]driver.Version{b.ID, first}, e.read("k").Recent); diff != "" {
			e.Errorf("Recent after a repeat (-want +got):\n%s", diff)
		}
		c := e.apply(always("k", "3"))
		e.applied(b)
		if diff := cmp.Diff([]driver.Version{b.ID, c, first}, e.read("k").Recent); diff != "" {
			e.Errorf("Recent after a repeat under a later version (-want +got):\n%s", diff)
		}
	}},
	{"ListedAsRead", 0, func(e *env) {
		v := e.apply(always("k", "1"))
		e.apply(expect("k", v, "2"))
		want := e.read("k").Recent
		for _, keysOnly := range []bool{false, true} {
			got := e.list(driver.Query{KeysOnly: keysOnly}).Entries[0].Recent
			if diff := cmp.Diff(want, got); diff != "" {
				e.Errorf("Recent of List, KeysOnly %v (-read +list):\n%s", keysOnly, diff)
			}
		}
	}},
	{"SurvivesReopening", needsReopen, func(e *env) {
		v := e.apply(always("k", "1"))
		b := batch(expect("k", v, "2"))
		e.applied(b)
		e.reopen()
		s := e.refused(b, "k")
		if diff := cmp.Diff([]driver.Version{b.ID, v}, s[0].Recent); diff != "" {
			e.Errorf("Recent (-want +got):\n%s", diff)
		}
	}},
}
