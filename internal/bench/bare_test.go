package bench

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/sqlite"
)

func newTestBare(t *testing.T, n int) (*bareSQLite, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bare.db")
	b, err := newBareSQLite(t.Context(), path, n)
	if err != nil {
		t.Fatal(err)
	}
	return b, path
}

// TestBareSQLite looks whether the yardstick really writes what it claims to.
func TestBareSQLite(t *testing.T) {
	t.Run("SavesEachPlayerOnce", func(t *testing.T) {
		b, path := newTestBare(t, 300)
		if err := b.save(0, 300, false); err != nil {
			t.Fatal(err)
		}
		if err := b.close(); err != nil {
			t.Fatal(err)
		}
		db, err := sqlite.Open(t.Context(), path, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		checkSavedOnce(t, db, b.roster)
	})
	t.Run("KeepsEachReplacedVersion", func(t *testing.T) {
		b, path := newTestBare(t, 10)
		for range 3 {
			if err := b.save(0, 10, true); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.close(); err != nil {
			t.Fatal(err)
		}
		db, err := sqlite.Open(t.Context(), path, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		checkHistory(t, db, b.roster, 4)
	})
	t.Run("LoadsAndLocks", func(t *testing.T) {
		b, _ := newTestBare(t, 20)
		if err := b.load(0, 20); err != nil {
			t.Error(err)
		}
		if err := b.close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("IsConditional", func(t *testing.T) {
		b, _ := newTestBare(t, 5)
		b.roster.players[b.roster.order[0]].version = bareVersion(9, 9)
		if err := b.save(0, 1, false); !errors.Is(err, errBare) {
			t.Errorf("a save that names another version: %v, want errBare", err)
		}
		if err := b.close(); err != nil {
			t.Error(err)
		}
	})
}

// checkSavedOnce looks whether a database holds each player of a roster as the
// bare program believes: saved once since he was created.
func checkSavedOnce(t *testing.T, db driver.DB, r *roster) {
	t.Helper()
	for _, p := range r.players {
		s, err := db.Read(t.Context(), p.key)
		if err != nil {
			t.Fatal(err)
		}
		if e := s.Entries[0]; e.Version != p.version || len(e.Recent) != 2 || e.Recent[1] != bareVersion(p.number, 0) || len(e.Value) != len(p.value) {
			t.Fatalf("%s is at %v with %d recent versions and %d bytes, want %v, 2 and %d", p.key, e.Version, len(e.Recent), len(e.Value), p.version, len(p.value))
		}
	}
}

// checkHistory looks whether a database keeps so many versions of each player.
func checkHistory(t *testing.T, db driver.DB, r *roster, want int) {
	t.Helper()
	for _, p := range r.players {
		if vs, err := db.Versions(t.Context(), p.key); err != nil || len(vs) != want {
			t.Fatalf("Versions(%q) = %d, %v, want %d", p.key, len(vs), err, want)
		}
	}
}

func TestRoster(t *testing.T) {
	r := newRosters(3, 10)[1]
	var numbers []int
	for _, p := range r.players {
		numbers = append(numbers, p.number)
	}
	if diff := cmp.Diff([]int{1, 4, 7}, numbers); diff != "" {
		t.Errorf("the second of three workers has other players (-want +got):\n%s", diff)
	}
	p := r.take()
	before := string(p.value)
	v, w := r.next(p), r.next(p)
	if after := string(p.value); v == w || after == before || len(after) != len(before) || !json.Valid(p.value) {
		t.Errorf("next = %v, then %v, and the data went from %.20s to %.20s, want other ids and other data of the same length", v, w, before, after)
	}
}

func TestShuffled(t *testing.T) {
	a, b := shuffled(50), shuffled(50)
	seen := make(map[int]bool)
	sorted := true
	for i, n := range a {
		seen[n] = true
		sorted = sorted && n == i
		if n != b[i] {
			t.Fatalf("shuffled(50) = %v, then %v, want the same", a, b)
		}
	}
	if len(seen) != 50 || sorted {
		t.Errorf("shuffled(50) = %v, want each number below 50 once, out of order", a)
	}
}
