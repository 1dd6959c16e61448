package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
)

func TestBackup(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, filepath.Join(dir, "players.db"), nil)
	large := strings.Repeat("x", 1<<20)
	for i := range 8 {
		put(t, db, fmt.Sprintf("large/%d", i), large)
	}
	put(t, db, "k", "before")

	t.Run("CopiesTheMomentAtWhichItBegan", func(t *testing.T) {
		to := filepath.Join(t.TempDir(), "copy.db")
		var last, total int64
		calls := 0
		err := db.Backup(t.Context(), to, func(done, all int64) {
			if done < last {
				t.Errorf("progress went from %d back to %d", last, done)
			}
			last, total = done, all
			calls++
			put(t, db, "k", fmt.Sprintf("during %d", calls)) // commits go on
		})
		if err != nil {
			t.Fatalf("Backup: %v", err)
		}
		if calls < 2 || last != total || total < 8<<20 {
			t.Errorf("progress was called %d times, last with %d of %d bytes", calls, last, total)
		}
		got := mustOpen(t, to, nil)
		if value := get(t, got, "k"); value != "before" {
			t.Errorf("Read of the copy = %q, want %q", value, "before")
		}
		if value := get(t, got, "large/7"); value != large {
			t.Errorf("a large value of the copy has %d bytes", len(value))
		}
		put(t, got, "k", "the copy is a database of its own")
	})
	t.Run("RefusesAPathThatExists", func(t *testing.T) {
		to := filepath.Join(t.TempDir(), "there")
		if err := os.WriteFile(to, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := db.Backup(t.Context(), to, nil)
		if !errors.Is(err, fs.ErrExist) || !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("Backup over a file: %v, want ErrExist and ErrInvalid", err)
		}
		if got, err := os.ReadFile(to); string(got) != "precious" {
			t.Errorf("the file is now %q, %v", got, err)
		}
	})
	t.Run("LeavesNothingWhenItIsStopped", func(t *testing.T) {
		folder := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := db.Backup(ctx, filepath.Join(folder, "copy.db"), func(done, total int64) { cancel() })
		if !errors.Is(err, context.Canceled) || !errors.Is(err, driver.ErrUnavailable) {
			t.Errorf("Backup: %v, want Canceled and ErrUnavailable", err)
		}
		if diff := cmp.Diff(map[string]string{}, files(t, folder)); diff != "" {
			t.Errorf("files that are left (-want +got):\n%s", diff)
		}
	})
}
