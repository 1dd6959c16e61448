package bench

import (
	"testing"
	"time"
)

func TestWatchFigures(t *testing.T) {
	commits := []time.Duration{time.Millisecond}
	for seen, missed := range map[time.Duration]bool{20 * time.Millisecond: false, 21 * time.Millisecond: true} {
		got := watchFigures([]time.Duration{time.Millisecond, seen}, []time.Duration{time.Second}, commits, "a bus")
		if len(got) != 2 || got[0].Missed() != missed || got[1].OK != nil {
			t.Errorf("watchFigures of %v = %+v, want the first missed %v, and no limit of the second", seen, got, missed)
		}
	}
}
