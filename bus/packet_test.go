package bus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// example is a packet with a record of every size of number.
func example() (h head, records []record) {
	h = head{fleet: "f", topic: "t", from: ID{1, 2, 3}, number: 300, before: 299}
	for _, n := range []uint64{0, 1, 127, 128, 1 << 20, math.MaxUint64} {
		records = append(records, record{plain, n, n, bytes.Repeat([]byte("x"), int(n%1000))})
	}
	return h, append(records, record{kind: 200, data: []byte("of a kind that nobody knows")})
}

func encode(h head, records ...record) []byte {
	b := h.append(nil)
	for i := range records {
		b = records[i].append(b)
	}
	return seal(b)
}

func TestPacket(t *testing.T) {
	t.Run("IsReadAsItWasWritten", func(t *testing.T) {
		h, want := example()
		p, err := read(encode(h, want...), "f", "t")
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		opts := cmp.AllowUnexported(head{}, record{})
		if diff := cmp.Diff(h, p.head, opts); diff != "" {
			t.Errorf("head (-want +got):\n%s", diff)
		}
		got := slices.Collect(p.records())
		for i := range got {
			got[i].data = slices.Clone(got[i].data)
			want[i].data = slices.Clone(want[i].data)
		}
		if diff := cmp.Diff(want, got, opts); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
	})
	t.Run("SizesAreExact", func(t *testing.T) {
		h, records := example()
		for _, r := range records {
			if got, want := len(r.append(nil)), r.size(); got != want {
				t.Errorf("record %d/%d/%d has %d bytes, size says %d", r.id, r.arg, len(r.data), got, want)
			}
		}
		h.number = math.MaxUint64
		if got, most := len(encode(h)), h.overhead(); got > most {
			t.Errorf("an empty packet has %d bytes, overhead says %d", got, most)
		}
	})
	t.Run("RefusalsAllocateNothing", func(t *testing.T) {
		h, records := example()
		good := encode(h, records...)
		huge := append(slices.Clone(good), make([]byte, 100<<20)...)
		lying := h.append(nil)
		lying = seal(binary.AppendUvarint(append(lying, byte(plain)), 100<<30))
		newer := slices.Clone(good)
		newer[3]++
		for _, test := range []struct {
			name   string
			packet []byte
			want   error
		}{
			{"of 100 MB", huge, errOversized},
			{"that says 100 GB", lying, errMalformed},
			{"of a newer format", newer, errNewer},
			{"cut", good[:len(good)/2], errMalformed},
			{"numbered 0", encode(head{fleet: "f", topic: "t"}), errMalformed},
			{"before itself", encode(head{fleet: "f", topic: "t", number: 3, before: 3}), errMalformed},
			{"of another fleet", encode(head{fleet: "g", topic: "t", number: 1}), errForeign},
			{"of another topic", encode(head{fleet: "f", topic: "u", number: 1}), errForeign},
		} {
			allocs := testing.AllocsPerRun(10, func() {
				if _, err := read(test.packet, "f", "t"); !errors.Is(err, test.want) {
					t.Errorf("read of a packet %s: %v, want %v", test.name, err, test.want)
				}
			})
			if allocs > 0 {
				t.Errorf("read of a packet %s allocates %v times", test.name, allocs)
			}
		}
	})
	t.Run("AnnouncementsAreLimited", func(t *testing.T) {
		for _, size := range []uint64{0, MaxMessage + 1, 100 << 30, math.MaxUint64} {
			if _, ok := newParcel(&item{record: record{kind: large, arg: size, data: make([]byte, 7)}}); ok {
				t.Errorf("an announcement of %d bytes was accepted", size)
			}
		}
		for n := range 7 {
			if _, ok := newParcel(&item{record: record{kind: large, arg: 10, data: make([]byte, n)}}); ok {
				t.Errorf("an announcement with %d bytes was accepted", n)
			}
		}
	})
}

func FuzzRead(f *testing.F) {
	h, records := example()
	f.Add(encode(h, records...))
	f.Add(encode(h))
	f.Add([]byte(strings.Repeat("HfB\x01", 10)))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, packet := range [][]byte{b, seal(b), seal(h.append(nil)), seal(append(h.append(nil), b...))} {
			p, err := read(packet, "f", "t")
			if err != nil {
				continue
			}
			again, err := read(encode(p.head, slices.Collect(p.records())...), "f", "t")
			if err != nil {
				t.Fatalf("what was read cannot be written and read again: %v", err)
			}
			first, second := slices.Collect(p.records()), slices.Collect(again.records())
			same := func(a, b record) bool {
				return a.kind == b.kind && a.id == b.id && a.arg == b.arg && bytes.Equal(a.data, b.data)
			}
			if !slices.EqualFunc(first, second, same) {
				t.Errorf("read %v, written and read again %v", first, second)
			}
			for r := range p.records() {
				if r.kind == large {
					newParcel(&item{record: r})
				}
			}
		}
	})
}
