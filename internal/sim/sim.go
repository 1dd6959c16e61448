package sim

import (
	"testing"
	"testing/synctest"
)

// Config says which world is simulated.
type Config struct {
	Seed  uint64
	Plant Plant // a bug that is planted; empty: none
}

// Report is what came of a world.
type Report struct {
	Err   error // the first promise that was broken; nil: none
	Trace *Trace
}

// steps is how many events a world lives through under faults.
const steps = 2000

// Run simulates one world, in a bubble of its own.
func Run(t *testing.T, c Config) Report {
	t.Helper()
	var r Report
	synctest.Test(t, func(*testing.T) {
		w := newWorld(c)
		w.run()
		r = Report{Err: w.err, Trace: w.trace}
	})
	return r
}
