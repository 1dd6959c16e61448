package sim

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// TestSeeds simulates worlds, each twice. HOLDFAST_SEEDS says how many seeds,
// and HOLDFAST_SEED names the only one, whose whole trace is then printed if it
// fails.
func TestSeeds(t *testing.T) {
	if only := fromEnv(t, "HOLDFAST_SEED", 0); only != 0 {
		tryTwice(t, only, wholeTrace)
		return
	}
	most := fromEnv(t, "HOLDFAST_SEEDS", defaultSeeds)
	var last atomic.Uint64
	var failed atomic.Bool
	for n := range runtime.GOMAXPROCS(0) {
		t.Run("Worker"+strconv.Itoa(n+1), func(t *testing.T) {
			t.Parallel()
			for seed := last.Add(1); seed <= most && !failed.Load(); seed = last.Add(1) {
				tryTwice(t, seed, 80)
				if t.Failed() {
					failed.Store(true)
				}
			}
		})
	}
}

// wholeTrace is more lines than any trace has.
const wholeTrace = 1 << 30

// tryTwice runs a world twice and reports a broken promise, or a difference between the
// two runs. One commit of several batches wakes several goroutines at once, of which the
// Go scheduler says who goes first, and very rarely that can be seen: then a third run
// must repeat one of the two.
func tryTwice(t *testing.T, seed uint64, tail int) {
	t.Helper()
	a, b := Run(t, Config{Seed: seed}), Run(t, Config{Seed: seed})
	if d := a.Trace.Diff(b.Trace); d != "" {
		c := Run(t, Config{Seed: seed})
		t.Logf("seed %d: two runs differ:\n%s", seed, d)
		if a.Trace.Diff(c.Trace) != "" && b.Trace.Diff(c.Trace) != "" {
			t.Errorf("seed %d: no two of three runs are the same", seed)
		}
		for _, r := range []Report{b, c} {
			if a.Err == nil {
				a = r
			}
		}
	}
	if a.Err != nil {
		t.Errorf("seed %d: %v\nreplay it with: HOLDFAST_SEED=%d go test -count=1 -run TestSeeds ./internal/sim\n%s",
			seed, a.Err, seed, a.Trace.Tail(tail))
	}
}

func TestSameSeedSameTrace(t *testing.T) {
	const seed = 7
	a, b := Run(t, Config{Seed: seed}), Run(t, Config{Seed: seed})
	if len(a.Trace.Lines) < 1000 {
		t.Errorf("Run(%d): a trace of %d lines, want at least 1000", seed, len(a.Trace.Lines))
	}
	if d := a.Trace.Diff(b.Trace); d != "" {
		t.Errorf("Run(%d) twice: the traces differ:\n%s", seed, d)
	}
	if d := a.Trace.Diff(Run(t, Config{Seed: seed + 1}).Trace); d == "" {
		t.Errorf("Run(%d) and Run(%d): the traces are the same", seed, seed+1)
	}
}

// TestEveryFaultHappens checks that the worlds are not all peaceful ones.
func TestEveryFaultHappens(t *testing.T) {
	missing := map[string]bool{
		"is killed": true, "is paused": true, "is cut off": true, "the power fails": true,
		"the database is away": true, "takes no writes": true, "clock jumps": true, "machine boots": true,
		"(its answer is lost)": true, "(nobody listens)": true, "is late": true, "dropped": true,
		"unreachable": true, "refused by": true, "session lost": true, "sealed by": true,
		"revoked by": true, "changed together": true, "suspended": true, "hears": true,
		"has finished with": true, "shut down": true, "rolls a change": true, "writes lazy": true,
		"accepts g": true, "leaves for later": true, "refuses g": true, "panics at": true,
		"deliver g": true, "finds nobody": true, "wall clock jumps": true, "was told of a dead letter": true,
		"trades across servers": true, "happened: true": true, "happened: false": true, "is held still": true,
		"grant b": true, "refund b": true, "another player's": true, "the purchase was refunded": true, "not processed yet": true,
		"switch to slot": true, "undelete slot": true, "no save slot is loaded": true, "the save slot was deleted": true, "another save slot is loaded": true,
		"restores p": true, "purchases or trades since": true, "the older store is away": true, "migrated by a newer program": true,
		"change 0 of": true, "condition failed": true, "not handled yet": true,
	}
	const first, most = 159, 300 // from there on it takes few
	for seed := uint64(first); seed < first+most && len(missing) > 0; seed++ {
		for _, line := range Run(t, Config{Seed: seed}).Trace.Lines {
			for what := range missing {
				if strings.Contains(line, what) {
					delete(missing, what)
				}
			}
		}
	}
	for what := range missing {
		t.Errorf("no world of %d seeds had %q in its trace", most, what)
	}
}

func fromEnv(t *testing.T, name string, unset uint64) uint64 {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return unset
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q: %v", name, s, err)
	}
	return n
}
