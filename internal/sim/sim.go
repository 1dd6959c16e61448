package sim

import (
	"testing"
	"testing/synctest"
)

// Config says which world is simulated.
type Config struct {
	Seed  uint64
	Steps int   // events until the faults end; 0 means 2,000
	Plant Plant // a bug that is planted; empty: none
}

// Report is what came of a world.
type Report struct {
	Seed  uint64
	Steps int
	Err   error // the first promise that was broken; nil: none
	Trace *Trace
}

// defaultSteps is how many events a world lives through under faults.
const defaultSteps = 2000

// Run simulates one world, in a bubble of its own.
func Run(t *testing.T, c Config) Report {
	t.Helper()
	if c.Steps == 0 {
		c.Steps = defaultSteps
	}
	var r Report
	synctest.Test(t, func(*testing.T) {
		w := newWorld(c)
		w.run(c.Steps)
		r = Report{Seed: c.Seed, Steps: w.steps, Err: w.err, Trace: w.trace}
	})
	return r
}
