package demo

import (
	"math"
	"time"
)

// compress shortens a time span of the real world, in seconds, to units of a
// run. Spans of seconds and of weeks must both be seen within half a minute, so
// the fourth root is taken: what is longer stays longer.
func compress(seconds float64) float64 { return math.Pow(max(seconds, 0), 0.25) }

// typicalVisit is how long the median session takes in a run whose times are
// made by chance.
const typicalVisit = time.Second

// compressed returns the time that a span of the real world, in seconds, takes
// in such a run.
func compressed(seconds float64) time.Duration {
	unit := typicalVisit.Seconds() / compress(sessionSeconds.at(0.5))
	return time.Duration(unit * compress(seconds) * float64(time.Second))
}
