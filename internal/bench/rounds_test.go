package bench

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAlternate(t *testing.T) {
	t.Run("TakesTurnsAndLeavesOutTheFirstRound", func(t *testing.T) {
		var turns string
		subject, yardstick := 0.0, 0.0
		got, err := alternate(3,
			func() (float64, error) { turns += "s"; subject += 10; return subject, nil },
			func() (float64, error) { turns += "y"; yardstick++; return yardstick * yardstick, nil })
		// Rounds: 20/4, 30/9, 40/16.
		if want := (pair{30, 9, 30.0 / 9}); err != nil || got != want {
			t.Errorf("alternate = %v, %v, want %v", got, err, want)
		}
		if want := "syyssyys"; turns != want {
			t.Errorf("alternate took the turns %q, want %q", turns, want)
		}
	})
	t.Run("NeedsNoYardstick", func(t *testing.T) {
		got, err := alternate(1, func() (float64, error) { return 7, nil }, nil)
		if want := (pair{subject: 7}); err != nil || got != want {
			t.Errorf("alternate = %v, %v, want %v", got, err, want)
		}
	})
	t.Run("StopsAtAnError", func(t *testing.T) {
		broken := errors.New("broken")
		_, err := alternate(2, func() (float64, error) { return 0, broken }, func() (float64, error) {
			t.Error("alternate goes on after an error")
			return 0, nil
		})
		if !errors.Is(err, broken) {
			t.Errorf("alternate: %v, want %v", err, broken)
		}
	})
}

func TestQuantile(t *testing.T) {
	values := make([]int, 1000)
	for i := range values {
		values[i] = 999 - i
	}
	var got []int
	for _, q := range []float64{0, 0.5, 0.99, 0.999, 1} {
		got = append(got, quantile(values, q))
	}
	if diff := cmp.Diff([]int{0, 500, 990, 999, 999}, got); diff != "" {
		t.Errorf("quantiles of 0..999 differ (-want +got):\n%s", diff)
	}
	if got := quantile([]float64(nil), 0.5); got != 0 {
		t.Errorf("quantile of nothing = %v, want 0", got)
	}
}

func TestPerOp(t *testing.T) {
	slow := func(n int) error {
		for end := time.Now().Add(time.Duration(n) * time.Microsecond); time.Now().Before(end); {
		}
		return nil
	}
	broken := errors.New("broken")
	t.Run("DividesByWhatWasDone", func(t *testing.T) {
		if got, err := perOp(50, slow); err != nil || got < 1000 {
			t.Errorf("perOp of something that takes a microsecond or more = %v ns, %v", got, err)
		}
		if _, err := perOp(1, func(int) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("perOp: %v, want %v", err, broken)
		}
	})
	t.Run("BatchTakesNoMoreThanItsTime", func(t *testing.T) {
		if n, err := batch(100*time.Microsecond, slow); err != nil || n < 1 || n > 100 {
			t.Errorf("batch of 100 µs of something that takes a microsecond or more = %d, %v", n, err)
		}
		if _, err := batch(time.Second, func(int) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("batch: %v, want %v", err, broken)
		}
	})
}

var kept [][]byte

func TestAllocations(t *testing.T) {
	kept = make([][]byte, 10_000)
	got, err := allocations(len(kept), func(n int) error {
		for i := range n {
			kept[i] = make([]byte, 16)
		}
		return nil
	})
	if err != nil || got < 1 {
		t.Errorf("allocations of one each = %v, %v", got, err)
	}
}

func TestFigure(t *testing.T) {
	f := Figure{Name: "save", Unit: "saves/s"}.beside("bare", pair{60, 100, 0.6})
	for _, c := range []struct {
		f      Figure
		limit  string
		missed bool
	}{
		{f, "", false},
		{f.ratioAtLeast(0.6), "at least 60%", false},
		{f.ratioAtLeast(0.61), "at least 61%", true},
		{f.ratioAtMost(0.6), "at most 0.6 times", false},
		{f.ratioAtMost(0.5), "at most 0.5 times", true},
		{f.atMost(60), "at most 60 saves/s", false},
		{f.atMost(59), "at most 59 saves/s", true},
		{f.atMost(59).ratioAtMost(2), "at most 59 saves/s, at most 2 times", true},
		{f.atMost(60).limited("none", false), "at most 60 saves/s, none", true},
	} {
		if c.f.Limit != c.limit || c.f.Missed() != c.missed {
			t.Errorf("Figure = %+v, want the limit %q, missed %v", c.f, c.limit, c.missed)
		}
	}
}
