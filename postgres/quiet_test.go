package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
)

// yearly keeps one version a year, for an hour, and five at most: all that these
// tests write lies in one span.
var yearly = &driver.Retention{Every: 365 * 24 * time.Hour, For: time.Hour, Max: 5}

// saved is an entry that a test saves again and again.
type saved struct {
	*testing.T
	key string
	at  driver.Version
}

// save replaces the entry and returns what it replaced.
func (s *saved) save(db driver.DB, mark bool) (before driver.Version) {
	s.Helper()
	before = s.at
	b := driver.Batch{ID: newID(), Writes: []driver.Write{{Key: s.key, Version: before, Value: []byte("x"), Retain: yearly, Mark: mark}}}
	out, err := db.Commit(s.Context(), driver.Group{Batches: []driver.Batch{b}})
	if err != nil || len(out[0].Refused) > 0 {
		s.Fatalf("Commit of %q = %v, %v", s.key, out, err)
	}
	s.at = b.ID
	return before
}

// retained returns which versions the entry has beside the present one.
func (s *saved) retained(db driver.DB) map[driver.Version]bool {
	s.Helper()
	entries, err := db.Versions(s.Context(), s.key)
	if err != nil {
		s.Fatalf("Versions(%q): %v", s.key, err)
	}
	is := make(map[driver.Version]bool)
	for _, e := range entries {
		is[e.Version] = e.Version != s.at
	}
	delete(is, s.at)
	return is
}

// TestSuppositions shows that saves which suppose that their schedule asks for
// nothing find out when it does.
func TestSuppositions(t *testing.T) {
	url := pgtest.URL(t)
	db, other, tool := open(t, url, nil), open(t, url, nil), connect(t, url)
	n := 0
	entry := func(t *testing.T) *saved {
		n++
		s := &saved{T: t, key: fmt.Sprintf("k/%d", n)}
		s.save(db, false)
		return s
	}
	t.Run("OneSpanKeepsNone", func(t *testing.T) {
		s := entry(t)
		for range 3 {
			s.save(db, false)
		}
		if got := s.retained(db); len(got) != 0 {
			t.Errorf("retained = %v, want none", got)
		}
	})
	t.Run("AMarkedVersionIsKept", func(t *testing.T) {
		s := entry(t)
		s.save(db, true)
		marked := s.save(db, false)
		s.save(db, false)
		if got := s.retained(db); !got[marked] || len(got) != 2 {
			t.Errorf("retained = %v, want the marked one, %v, and the one before", got, marked)
		}
	})
	t.Run("AVersionThatAnotherMarkedIsKept", func(t *testing.T) {
		s := entry(t)
		s.save(other, true)
		marked := s.save(db, false)
		s.save(db, false)
		if got := s.retained(db); !got[marked] || len(got) != 2 {
			t.Errorf("retained = %v, want the marked one, %v, and the one before", got, marked)
		}
	})
	t.Run("AVersionOfAnotherSpanThanItsIDSaysIsKept", func(t *testing.T) {
		s := entry(t)
		execute(t, tool, "UPDATE holdfast.entries SET updated = updated - interval '400 days' WHERE key = '"+s.key+"'")
		old := s.save(db, false)
		if got := s.retained(db); !got[old] || len(got) != 1 {
			t.Errorf("retained = %v, want %v", got, old)
		}
	})
	t.Run("WhatIsExpiredGoes", func(t *testing.T) {
		s := entry(t)
		execute(t, tool, "UPDATE holdfast.entries SET updated = updated - interval '400 days' WHERE key = '"+s.key+"'")
		s.save(db, false)
		execute(t, tool,
			"UPDATE holdfast.entries SET oldest = oldest - interval '2 hours' WHERE key = '"+s.key+"'",
			"UPDATE holdfast.history SET replaced = replaced - interval '2 hours' WHERE key = '"+s.key+"'")
		s.save(db, false)
		if got := s.retained(db); len(got) != 0 {
			t.Errorf("retained = %v, want none", got)
		}
	})
	t.Run("WhatIsTooManyGoes", func(t *testing.T) {
		s := entry(t)
		for range 4 {
			s.save(db, true)
		}
		s.save(db, false)
		execute(t, tool, "UPDATE holdfast.entries SET retained = 9 WHERE key = '"+s.key+"'") // as after a thinning that failed
		execute(t, tool, `INSERT INTO holdfast.history SELECT key, kept, replaced - interval '1 minute', number + 100, version, format, sum, updated, marked, size, packed, value
			FROM holdfast.history WHERE key = '`+s.key+`' LIMIT 4`)
		s.save(db, false)
		var count int
		if err := tool.QueryRow(t.Context(), "SELECT count(*) FROM holdfast.history WHERE key = $1", []byte(s.key)).Scan(&count); err != nil || count != 5 {
			t.Errorf("%d retained, %v, want 5", count, err)
		}
	})
	t.Run("WithinASpanTheHistoryIsNotTouched", func(t *testing.T) {
		s := entry(t)
		execute(t, tool, "BEGIN", "LOCK TABLE holdfast.history IN ACCESS EXCLUSIVE MODE")
		defer execute(t, tool, "ROLLBACK")
		s.save(db, false)
	})
}
