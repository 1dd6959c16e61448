package lineage_test

import (
	"bytes"
	"testing"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/lineage"
)

func TestColumnsThatCannotBeDecoded(t *testing.T) {
	for _, b := range [][]byte{nil, {1}, make([]byte, lineage.IDSize), make([]byte, lineage.IDSize+1)} {
		if v, err := lineage.ID(b); err == nil {
			t.Errorf("ID of %d bytes = %v, want an error", len(b), v)
		}
	}
	v := driver.Version{1}
	for _, n := range []int{1, lineage.IDSize + 1, lineage.Size + lineage.IDSize} {
		ids, err := lineage.Decode(v, make([]byte, n))
		if err == nil || len(ids) != 1 || ids[0] != v {
			t.Errorf("Decode of %d bytes = %v, %v, want the present one and an error", n, ids, err)
		}
	}
}

func FuzzLineage(f *testing.F) {
	f.Add([]byte{1}, []byte{})
	f.Add(bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 16*15))
	f.Add(bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 17))
	f.Add(bytes.Repeat([]byte{0}, 16), []byte{})
	f.Fuzz(func(t *testing.T, version, before []byte) {
		v, err := lineage.ID(version)
		if err != nil {
			if len(version) == lineage.IDSize && !bytes.Equal(version, make([]byte, lineage.IDSize)) {
				t.Errorf("lineage.ID(%x): %v", version, err)
			}
			return
		}
		ids, err := lineage.Decode(v, before)
		if len(ids) == 0 || len(ids) > driver.RecentVersions || ids[0] != v {
			t.Fatalf("lineage.Decode(%x) = %v, %v, want the present one first", before, ids, err)
		}
		if err != nil {
			return
		}
		var joined []byte
		for _, id := range ids[1:] {
			joined = append(joined, id[:]...)
		}
		if !bytes.Equal(joined, before) {
			t.Errorf("lineage.Decode(%x) = %v", before, ids)
		}
		next := driver.Version{0xff}
		want := append(append([]byte{}, v[:]...), before...)
		if got := lineage.Encode(next, ids); !bytes.Equal(got, want[:min(len(want), lineage.Size)]) {
			t.Errorf("lineage.Encode(%v) = %x, want %x", ids, got, want)
		}
	})
}
