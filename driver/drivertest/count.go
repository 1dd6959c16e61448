package drivertest

import (
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/driver"
)

// counts fails the test unless Count says so.
func (e *env) counts(from, to string, limit, want int, wantNext string) {
	e.Helper()
	n, next, err := e.db.Count(e.ctx, from, to, limit)
	if err != nil || n != want || next != wantNext {
		e.Errorf("Count(%q, %q, %d) = %d, %q, %v, want %d and %q", from, to, limit, n, next, err, want, wantNext)
	}
}

var countFacts = []fact{
	{"CountsFromTheFirstBoundToBeforeTheSecond", 0, func(e *env) {
		e.fill()
		marks := append([]string{"", "0", "a/3", "b/", "c", "z", "\U0010ffff\U0010ffff"}, sorted...)
		for _, from := range marks {
			for _, to := range marks {
				var in []string
				for _, key := range sorted {
					if from <= key && key < to {
						in = append(in, key)
					}
				}
				for _, limit := range []int{1, 3, len(sorted), driver.MaxCount} {
					want, next := len(in), ""
					if want > limit {
						want, next = limit, in[limit]
					}
					e.counts(from, to, limit, want, next)
				}
			}
		}
	}},
	{"OfNothingIsZero", 0, func(e *env) {
		e.counts("a", "z", 10, 0, "")
		e.apply(always("k", ""))
		e.counts("", "", 10, 0, "")
		e.counts("z", "a", 10, 0, "")
		e.counts("k", "k", 10, 0, "")
	}},
	{"StepsCoverEveryKeyOnce", 0, func(e *env) {
		for page := range 3 {
			b := batch()
			for i := range 1000 {
				b.Writes = append(b.Writes, always(fmt.Sprintf("k/%04d", (page*1000+i)*7919%3000), ""))
			}
			e.applied(b)
		}
		total, steps, from := 0, 0, "k/"
		for from != "" {
			n, next, err := e.db.Count(e.ctx, from, "k0", 700)
			if err != nil {
				e.Fatalf("Count from %q: %v", from, err)
			}
			total, steps, from = total+n, steps+1, next
		}
		if total != 3000 || steps != 5 {
			e.Errorf("steps of 700 counted %d keys in %d steps, want 3000 in 5", total, steps)
		}
	}},
	{"FollowsEveryCreationAndDeletion", 0, func(e *env) {
		v := e.apply(always("k/1", "a"), always("k/2", "b"), always("k/3", "c"))
		e.counts("k/", "k0", 10, 3, "")
		v = e.apply(expect("k/2", v, "new"))
		e.counts("k/", "k0", 10, 3, "")
		e.apply(driver.Write{Key: "k/2", Version: v, Delete: true})
		e.counts("k/", "k0", 10, 2, "")
		e.apply(once("k/3", "there is one"), once("k/4", "there is none"))
		e.counts("k/", "k0", 2, 2, "k/4")
		if _, err := e.db.DeleteRange(e.ctx, "k/3", "k/9"); err != nil {
			e.Fatal(err)
		}
		e.counts("k/", "k0", 10, 1, "")
	}},
	{"ALimitOutOfRangeIsInvalid", 0, func(e *env) {
		for _, limit := range []int{-1, 0, driver.MaxCount + 1} {
			if _, _, err := e.db.Count(e.ctx, "a", "z", limit); !errors.Is(err, driver.ErrInvalid) {
				e.Errorf("Count with limit %d: %v, want ErrInvalid", limit, err)
			}
		}
	}},
}
