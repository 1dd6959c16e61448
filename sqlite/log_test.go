package sqlite_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/sqlite"
)

// Readers that overlap without end keep SQLite by itself from ever starting
// its log anew.
func TestLogStaysBoundedUnderConstantReaders(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a third of a gigabyte")
	}
	db := mustOpen(t, filepath.Join(t.TempDir(), "players.db"), nil)
	large := strings.Repeat("x", 4<<20)
	for _, key := range []string{"a", "b", "c", "d"} {
		put(t, db, key, large)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := db.List(t.Context(), driver.Query{}); err != nil {
					t.Errorf("List: %v", err)
					return
				}
			}
		})
	}
	var largest int64
	for range 80 {
		put(t, db, "a", large)
		largest = max(largest, db.LogSize())
	}
	cancel()
	wg.Wait()
	// The commit that goes beyond the limit is followed by emptying the log.
	if limit := int64(sqlite.LogLimit + 16<<20); largest > limit {
		t.Errorf("the log grew to %d bytes, want at most %d", largest, limit)
	}
}
