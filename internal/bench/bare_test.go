package bench

import (
	"path/filepath"
	"testing"

	"github.com/holdfast-games/holdfast/sqlite"
)

func newTestBare(t *testing.T, n int) (*bare, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bare.db")
	b, err := newBare(t.Context(), path, n)
	if err != nil {
		t.Fatal(err)
	}
	return b, path
}

// TestBare looks whether the yardstick really writes what it claims to.
func TestBare(t *testing.T) {
	t.Run("SavesEachPlayerOnce", func(t *testing.T) {
		b, path := newTestBare(t, 300)
		if err := b.save(300, record, false); err != nil {
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
		for i, key := range b.keys {
			s, err := db.Read(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			if e := s.Entries[0]; e.Version != b.version[i] || len(e.Recent) != 2 || e.Recent[1] != bareVersion(i, 0) {
				t.Fatalf("%s is at %v with %d recent versions, want %v and 2", key, e.Version, len(e.Recent), b.version[i])
			}
		}
	})
	t.Run("KeepsEachReplacedVersion", func(t *testing.T) {
		b, path := newTestBare(t, 10)
		for range 3 {
			if err := b.save(10, record, true); err != nil {
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
		if vs, err := db.Versions(t.Context(), b.keys[3]); err != nil || len(vs) != 4 {
			t.Errorf("Versions(%q) = %d, %v, want 4", b.keys[3], len(vs), err)
		}
	})
	t.Run("LoadsAndLocks", func(t *testing.T) {
		b, _ := newTestBare(t, 20)
		if err := b.load(20); err != nil {
			t.Error(err)
		}
		if err := b.close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("IsConditional", func(t *testing.T) {
		b, _ := newTestBare(t, 5)
		b.version[b.order[0]] = bareVersion(9, 9)
		if err := b.save(1, record, false); err == nil {
			t.Error("a save that names another version is applied")
		}
		if err := b.close(); err != nil {
			t.Error(err)
		}
	})
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
