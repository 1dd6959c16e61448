package store

import (
	"testing"

	"pgregory.net/rapid"
)

// TestTurns compares turns with what they mean: a turn is ready when it is
// first in each of its lines. Turns leave from any place.
func TestTurns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q turns
		var all []*turn
		ready := make(map[*turn]bool)
		first := func(want *turn) bool {
			for _, key := range want.keys {
				for _, other := range all {
					if other == want {
						break
					}
					for _, k := range other.keys {
						if k == key {
							return false
						}
					}
				}
			}
			return true
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if len(all) > 0 && rapid.Bool().Draw(t, "leave") {
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				gone := all[i]
				all = append(all[:i:i], all[i+1:]...)
				q.leave(gone, func(next *turn) {
					if ready[next] {
						t.Fatalf("turn on %q was made ready twice", next.keys)
					}
					ready[next] = true
				})
			} else {
				next := &turn{keys: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID).Draw(t, "keys")}
				all = append(all, next)
				ready[next] = q.join(next)
			}
			for _, one := range all {
				if ready[one] != first(one) {
					t.Fatalf("turn on %q: ready %v, want %v", one.keys, ready[one], first(one))
				}
			}
		}
		for _, one := range all {
			q.leave(one, func(*turn) {})
		}
		if len(q.lines) != 0 || q.length("a") != 0 {
			t.Fatalf("lines %v are left when all have gone", q.lines)
		}
	})
}
