package bench

import (
	"cmp"
	"runtime"
	"slices"
	"time"
)

// pair is what a subject and its yardstick came to.
type pair struct{ subject, yardstick, ratio float64 }

// alternate lets a subject and its yardstick take turns and returns the medians
// of what they return, after one round of each that does not count. A yardstick
// that is nil is left out.
func alternate(rounds int, subject, yardstick func() (float64, error)) (pair, error) {
	var subjects, yardsticks, ratios []float64
	for i := range rounds + 1 {
		var a, b float64
		turns := []func() error{
			func() (err error) { a, err = subject(); return err },
			func() (err error) { b, err = yardstick(); return err },
		}
		switch {
		case yardstick == nil:
			turns = turns[:1]
		case i%2 == 1: // what one leaves behind must not always meet the other
			slices.Reverse(turns)
		}
		for _, turn := range turns {
			if err := turn(); err != nil {
				return pair{}, err
			}
		}
		if i == 0 {
			continue
		}
		subjects, yardsticks = append(subjects, a), append(yardsticks, b)
		if b != 0 {
			ratios = append(ratios, a/b)
		}
	}
	return pair{median(subjects), median(yardsticks), median(ratios)}, nil
}

// median returns the middle one of several values, or zero of none.
func median[T cmp.Ordered](values []T) T { return quantile(values, 0.5) }

// quantile returns the value below which the share q of the values lies. It
// sorts them.
func quantile[T cmp.Ordered](values []T, q float64) T {
	var none T
	if len(values) == 0 {
		return none
	}
	slices.Sort(values)
	return values[min(int(q*float64(len(values))), len(values)-1)]
}

// batch returns of how many operations fn must be told so that it takes about d.
func batch(d time.Duration, fn func(n int) error) (int, error) {
	for n := 16; ; {
		began := time.Now()
		if err := fn(n); err != nil {
			return 0, err
		}
		took := max(time.Since(began), 1)
		if took >= d/2 {
			return max(1, int(float64(n)*float64(d)/float64(took))), nil
		}
		n *= 2
	}
}

// perOp returns how many nanoseconds one of the operations takes of which fn
// does n.
func perOp(n int, fn func(n int) error) (float64, error) {
	began := time.Now()
	err := fn(n)
	return float64(time.Since(began).Nanoseconds()) / float64(n), err
}

// allocations returns how many allocations each of n operations makes. What
// other goroutines allocate meanwhile is counted too, so n should be large.
func allocations(n int, fn func(n int) error) (float64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := fn(n); err != nil {
		return 0, err
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n), nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
