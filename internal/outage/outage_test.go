package outage_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/holdfast-games/holdfast/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	serversEach = 3
	actorsEach  = 4
	playersEach = 8
)

// seeds returns the seeds to run: the one that HOLDFAST_SEED names, many with
// HOLDFAST_SOAK, and else one by chance.
func seeds(t *testing.T) []uint64 {
	t.Helper()
	if text := os.Getenv("HOLDFAST_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("HOLDFAST_SEED: %v", err)
		}
		return []uint64{seed}
	}
	n := 1
	if os.Getenv("HOLDFAST_SOAK") != "" {
		n = 30
	}
	list := make([]uint64, n)
	for i := range list {
		list[i] = rand.Uint64N(1 << 32)
	}
	return list
}

func TestFleetKeepsItsPromisesThroughOutages(t *testing.T) {
	t.Parallel() // it waits more than it works
	for _, seed := range seeds(t) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { runFleet(t, seed) })
	}
}

func runFleet(t *testing.T, seed uint64) {
	f := newFleet(t, seed, playersEach)
	f.plan = ordinary
	for range serversEach {
		f.act(f.start(), actorsEach)
	}
	f.endure()
	f.audit()
	if err := f.check.result(); err != nil {
		t.Error(err)
	}
	t.Logf("%d updates, %d groups, %d acknowledgements, %d sessions lost",
		len(f.check.updates), len(f.check.groups), f.check.acknowledged(), f.check.losses)
	if f.check.losses == 0 {
		t.Error("no session was lost: nobody was taken over")
	}
	for _, fault := range commitFaults(1, 2) {
		if f.happened[fault.Do] == 0 {
			t.Errorf("%v never happened to a commit", fault.Do)
		}
	}
}
