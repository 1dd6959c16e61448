package mem

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The chunks split and vanish as keys come and go; the set must not show it.
func TestKeySetIsASortedSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s keySet
		model := make(map[string]bool)
		key := rapid.Custom(func(t *rapid.T) string { return fmt.Sprint(rapid.IntRange(0, 4000).Draw(t, "n")) })
		// A start with enough keys for several chunks.
		for i := range rapid.IntRange(0, 3000).Draw(t, "filled") {
			k := fmt.Sprint(i * 7 % 4001)
			s.insert(k)
			model[k] = true
		}
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) {
				k := key.Draw(t, "key")
				s.insert(k)
				model[k] = true
			},
			"remove": func(t *rapid.T) {
				k := key.Draw(t, "key")
				s.remove(k)
				delete(model, k)
			},
			"empty": func(t *rapid.T) {
				for k := range model {
					s.remove(k)
				}
				clear(model)
			},
			"": func(t *rapid.T) {
				from := key.Draw(t, "from")
				var want []string
				for k := range model {
					if k >= from {
						want = append(want, k)
					}
				}
				slices.Sort(want)
				if got := slices.Collect(s.from(from)); !slices.Equal(got, want) {
					t.Fatalf("from(%q) = %q, want %q", from, got, want)
				}
			},
		})
	})
}

// BenchmarkListUnderChange lists a hundred keys of many while others come and
// go, as looking for requests does.
func BenchmarkListUnderChange(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var s keySet
			for i := range n {
				s.insert(fmt.Sprintf("player/%08d", i*7919%n))
			}
			i := 0
			for b.Loop() {
				i++
				s.insert(fmt.Sprintf("request/%08d", i*31%n))
				s.remove(fmt.Sprintf("request/%08d", i*17%n))
				left := 100
				for range s.from("player/000005") {
					if left--; left == 0 {
						break
					}
				}
			}
		})
	}
}
