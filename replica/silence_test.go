package replica

import (
	"testing"
	"time"
)

func TestSilenceIsTwoAndAHalfPingsWithinBounds(t *testing.T) {
	for ping, want := range map[float64]time.Duration{
		0.5: 250 * time.Millisecond, 100: 250 * time.Millisecond, 1000: 2500 * time.Millisecond, 600_000: 25 * time.Minute, 1e300: 25 * time.Minute,
	} {
		if got := silence(ping); got != want {
			t.Errorf("silence(%v) = %v, want %v", ping, got, want)
		}
	}
}
