package postgres

import (
	"encoding/binary"
	"testing"

	"github.com/holdfast-games/holdfast/driver"
)

func TestMarks(t *testing.T) {
	id := func(n int) (v driver.Version) {
		binary.BigEndian.PutUint64(v[8:], uint64(n)+1)
		return v
	}
	var m marks
	if m.has(id(0)) {
		t.Errorf("has(%v) of none = true", id(0))
	}
	const more = 10
	for n := range mostMarks + more {
		m.add(id(n))
	}
	for n, want := range map[int]bool{0: false, more - 1: false, more: true, mostMarks + more - 1: true, mostMarks + more: false} {
		if got := m.has(id(n)); got != want {
			t.Errorf("has(number %d of %d) = %v, want %v", n, mostMarks+more, got, want)
		}
	}
	if len(m.is) != mostMarks {
		t.Errorf("%d are remembered, want %d", len(m.is), mostMarks)
	}
}
