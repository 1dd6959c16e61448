package session

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
)

func feedRecordsOf(n int) (births []driver.Version, journal []byte, want []record) {
	journal = []byte{journalFormat}
	for i := range n {
		r := record{
			session: testVersion(byte(1 + i)), birth: testVersion(byte(100 + i)), key: "player/alice", kind: recordDelta,
			revision: uint64(i), body: []byte("body"), reasons: reasons{"why"},
		}
		births, journal, want = append(births, r.birth), appendRecord(journal, &r), append(want, r)
	}
	return births, journal, want
}

func TestFeedValue(t *testing.T) {
	t.Run("ComesBack", func(t *testing.T) {
		for _, n := range []int{0, 1, 200} {
			births, journal, want := feedRecordsOf(n)
			got, err := decodeFeed(feedValue(births, journal))
			if err != nil || !cmp.Equal(got, want, cmp.AllowUnexported(record{}, driver.Write{})) {
				t.Errorf("decodeFeed of %d records = %v, error %v, want %v", n, got, err, want)
			}
		}
	})
	t.Run("RefusesWhatIsCutOrOfAnotherForm", func(t *testing.T) {
		births, journal, _ := feedRecordsOf(2)
		good := feedValue(births, journal)
		for n := range len(good) {
			if _, err := decodeFeed(good[:n]); !errors.Is(err, driver.ErrCorrupt) {
				t.Errorf("decodeFeed of %d of %d bytes = %v, want ErrCorrupt", n, len(good), err)
			}
		}
		if _, err := decodeFeed(feedValue(births[:1], journal)); !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("decodeFeed of two records with one birth = %v, want ErrCorrupt", err)
		}
		newer := append([]byte{feedFormat + 1}, good[1:]...)
		if _, err := decodeFeed(newer); !errors.Is(err, driver.ErrFormat) {
			t.Errorf("decodeFeed of a newer form = %v, want ErrFormat", err)
		}
	})
}

func FuzzDecodeFeed(f *testing.F) {
	births, journal, _ := feedRecordsOf(2)
	f.Add(feedValue(births, journal))
	f.Add([]byte{feedFormat, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := decodeFeed(b)
		if err != nil && !errors.Is(err, driver.ErrCorrupt) && !errors.Is(err, driver.ErrFormat) {
			t.Errorf("decodeFeed = %v, want ErrCorrupt or ErrFormat", err)
		}
		if len(records) > len(b) {
			t.Errorf("%d records of %d bytes", len(records), len(b))
		}
	})
}
