package demo

import (
	"slices"
	"time"
)

// percentile returns the value below which a share p of all lies, 0 to 1, or
// zero if there are none.
func percentile(all []time.Duration, p float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}
