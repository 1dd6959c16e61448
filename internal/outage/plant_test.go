package outage_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/driver"
)

// planted is a database with a bug between it and its store.
type planted struct {
	driver.DB
	before func(*driver.Group)                                                   // nil: nothing
	after  func(driver.Group, []driver.Outcome, error) ([]driver.Outcome, error) // nil: nothing
}

func (p planted) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	if p.before != nil {
		p.before(&g)
	}
	outcomes, err := p.DB.Commit(ctx, g)
	if p.after != nil {
		return p.after(g, outcomes, err)
	}
	return outcomes, err
}

// plants are bugs that a driver could have.
var plants = map[string]planted{
	"ALostSaveCountsAsApplied":   {after: appliedIf(func(g *driver.Group) bool { return !g.Urgent })},
	"ALostAppendCountsAsApplied": {after: appliedIf(appends)},
	"ALostSaveCountsAsRefused": {after: func(g driver.Group, outcomes []driver.Outcome, err error) ([]driver.Outcome, error) {
		if g.Urgent || !errors.Is(err, driver.ErrUnavailable) {
			return outcomes, err
		}
		outcomes = make([]driver.Outcome, len(g.Batches))
		for i := range outcomes {
			outcomes[i].Refused = []driver.State{{Key: g.Batches[i].Writes[0].Key, Recent: []driver.Version{{1}}}}
		}
		return outcomes, nil
	}},
	"NoVersionOfAPlayerIsChecked": {before: func(g *driver.Group) {
		batches := slices.Clone(g.Batches)
		for i := range batches {
			batches[i].Writes = slices.Clone(batches[i].Writes)
			for j := range batches[i].Writes {
				if w := &batches[i].Writes[j]; strings.HasPrefix(w.Key, "player/") {
					w.Mode, w.Version = driver.Always, driver.Version{}
				}
			}
		}
		g.Batches = batches
	}},
	"NoLeaseIsChecked": {before: func(g *driver.Group) {
		batches := slices.Clone(g.Batches)
		for i := range batches {
			batches[i].Checks = nil
		}
		g.Batches = batches
	}},
}

// appliedIf takes a lost answer to some groups for a good one.
func appliedIf(some func(*driver.Group) bool) func(driver.Group, []driver.Outcome, error) ([]driver.Outcome, error) {
	return func(g driver.Group, outcomes []driver.Outcome, err error) ([]driver.Outcome, error) {
		if some(&g) && errors.Is(err, driver.ErrUnavailable) {
			return make([]driver.Outcome, len(g.Batches)), nil
		}
		return outcomes, err
	}
}

// appends reports whether a group creates journal entries and renews no lease.
func appends(g *driver.Group) bool {
	for i := range g.Batches {
		for _, w := range g.Batches[i].Writes {
			if !strings.HasPrefix(w.Key, "~journal/") {
				return false
			}
		}
	}
	return true
}

// quick are the plants that are found within seconds.
var quick = []string{"ALostAppendCountsAsApplied", "NoVersionOfAPlayerIsChecked"}

// TestPlantedBugsAreFound shows that a fleet over a driver with a bug does not
// pass for one that is right.
func TestPlantedBugsAreFound(t *testing.T) {
	t.Parallel() // it waits more than it works
	for name, plant := range plants {
		t.Run(name, func(t *testing.T) {
			if os.Getenv("HOLDFAST_SOAK") == "" && !slices.Contains(quick, name) {
				t.Skip("it takes longer: set HOLDFAST_SOAK=1")
			}
			for range fleetsPerPlant { // a bug may have no occasion in one fleet's weather
				if err := endureWith(t, plant); err != nil {
					t.Logf("found: %v", err)
					return
				}
			}
			t.Errorf("nothing was found in %d fleets", fleetsPerPlant)
		})
	}
}

const fleetsPerPlant = 6

// endureWith runs a fleet over a driver with a bug, and returns what was found.
func endureWith(t *testing.T, plant planted) error {
	f := newFleet(t, rand.Uint64N(1<<32), playersEach)
	f.plan = ordinary
	f.wrap = func(db driver.DB) driver.DB { plant.DB = db; return plant }
	for range serversEach {
		f.act(f.start(), actorsEach)
	}
	f.endure()
	if f.check.result() == nil {
		f.audit()
	}
	for len(f.servers) > 0 {
		f.vanish(f.servers[0])
	}
	return f.check.result()
}
