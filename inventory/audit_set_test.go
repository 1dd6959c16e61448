package inventory

import (
	"math/rand/v2"
	"testing"
)

func TestIDSet(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	var s idSet
	want := make(map[uint64]bool)
	for range 200_000 {
		v := dice.Uint64N(150_000) * 0x9e3779b97f4a7c15
		if got := s.add(v); got == want[v] {
			t.Fatalf("add(%d) = %v, but it was there: %v", v, got, want[v])
		}
		want[v] = true
	}
	if used := float64(8*len(s.slots)) / float64(len(want)); used > 22 {
		t.Errorf("%.1f bytes for each number", used)
	}
}
