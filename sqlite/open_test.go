package sqlite_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/sqlite"
)

// put commits one value under one key.
func put(t testing.TB, db driver.DB, key, value string) driver.Version {
	t.Helper()
	id := newID()
	out, err := db.Commit(context.Background(), driver.Group{Batches: []driver.Batch{{
		ID:     id,
		Writes: []driver.Write{{Key: key, Mode: driver.Always, Value: []byte(value)}},
	}}})
	if err != nil || len(out[0].Refused) != 0 {
		t.Fatalf("Commit of %q = %v, %v", key, out, err)
	}
	return id
}

// get returns the value under a key.
func get(t testing.TB, db driver.DB, key string) string {
	t.Helper()
	s, err := db.Read(context.Background(), key)
	if err != nil || s.Entries[0].Damaged != nil {
		t.Fatalf("Read(%q) = %v, %v", key, s.Entries, err)
	}
	return string(s.Entries[0].Value)
}

func mustOpen(t testing.TB, path string, o *sqlite.Options) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(context.Background(), path, o)
	if err != nil {
		t.Fatalf("Open(%q): %v", path, err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil && !errors.Is(err, driver.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, bytes.Repeat([]byte("not a database\n"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "foreign.db")
	execute(t, foreign, "CREATE TABLE entries (key TEXT)")
	claimed := filepath.Join(dir, "claimed.db")
	execute(t, claimed, "PRAGMA application_id = 7")
	newer := filepath.Join(dir, "newer.db")
	mustOpen(t, newer, nil).Close()
	execute(t, newer, "PRAGMA user_version = 2")
	empty := filepath.Join(dir, "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	readOnly := &sqlite.Options{ReadOnly: true}

	for _, c := range []struct {
		fact, path string
		o          *sqlite.Options
		want       error
	}{
		{"AnEmptyPathIsInvalid", "", nil, driver.ErrInvalid},
		{"AFolderIsForeign", dir, nil, driver.ErrForeign},
		{"AMissingFolderDoesNotExist", filepath.Join(dir, "no", "x.db"), nil, fs.ErrNotExist},
		{"AMissingFileIsNotCreatedForReading", filepath.Join(dir, "no.db"), readOnly, fs.ErrNotExist},
		{"ATextFileIsForeign", text, nil, driver.ErrForeign},
		{"AnotherProgramsTablesAreForeign", foreign, nil, driver.ErrForeign},
		{"AnotherProgramsIdIsForeign", claimed, nil, driver.ErrForeign},
		{"ANewerFileIsErrFormat", newer, nil, driver.ErrFormat},
		{"ANewerFileIsErrFormatForReadingToo", newer, readOnly, driver.ErrFormat},
		{"AnEmptyFileIsNothingToRead", empty, readOnly, driver.ErrForeign},
	} {
		t.Run(c.fact, func(t *testing.T) {
			before := files(t, dir)
			db, err := sqlite.Open(t.Context(), c.path, c.o)
			if !errors.Is(err, c.want) {
				t.Errorf("Open(%q) = %v, want %v", c.path, err, c.want)
			}
			if err == nil {
				db.Close()
			} else if c.path != "" && !strings.Contains(err.Error(), filepath.Base(c.path)) && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Open(%q): message %q does not name the file", c.path, err)
			}
			if diff := cmp.Diff(before, files(t, dir)); diff != "" {
				t.Errorf("Open(%q) changed files (-before +after):\n%s", c.path, diff)
			}
		})
	}
	t.Run("AnEmptyFileIsFilled", func(t *testing.T) {
		db := mustOpen(t, empty, nil)
		put(t, db, "k", "v")
	})
	t.Run("OddNamesAreFine", func(t *testing.T) {
		for _, name := range []string{"a b?mode=memory&x=%41#y.db", ":memory:", "file:x.db", "ключ.db"} {
			path := filepath.Join(dir, name)
			db := mustOpen(t, path, nil)
			put(t, db, "k", name)
			if _, err := os.Stat(path); err != nil {
				t.Errorf("Open(%q) made no such file: %v", path, err)
			}
			if got := get(t, db, "k"); got != name {
				t.Errorf("Read from %q = %q", name, got)
			}
		}
	})
	t.Run("ManyMayCreateItAtOnce", func(t *testing.T) {
		path := filepath.Join(dir, "many.db")
		errs := make(chan error)
		for range 8 {
			go func() {
				db, err := sqlite.Open(t.Context(), path, nil)
				if err == nil {
					err = db.Close()
				}
				errs <- err
			}()
		}
		for range 8 {
			if err := <-errs; err != nil {
				t.Errorf("Open by one of many: %v", err)
			}
		}
	})
	t.Run("AnEndedContextOpensNothing", func(t *testing.T) {
		path := filepath.Join(dir, "locked.db")
		mustOpen(t, path, nil).Close()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		lock := tool(t, path)
		if _, err := lock.Exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE"); err != nil {
			t.Fatal(err)
		}
		if db, err := sqlite.Open(ctx, path, nil); !errors.Is(err, driver.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("Open of a locked file = %v, %v, want ErrUnavailable and Canceled", db, err)
		}
	})
}

// files returns what a folder holds, but for SQLite's files beside a database.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			content = []byte("a folder")
		}
		// A reader may leave them; what matters is the file.
		if base := filepath.Base(name); !strings.HasSuffix(base, "-wal") && !strings.HasSuffix(base, "-shm") {
			all[base] = fmt.Sprintf("%d bytes, sum %x", len(content), sha256.Sum256(content))
		}
	}
	return all
}

func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "players.db")
	writer := mustOpen(t, path, nil)
	put(t, writer, "k", "1")
	db := mustOpen(t, path, &sqlite.Options{ReadOnly: true})
	t.Run("ReadsWhatOthersCommit", func(t *testing.T) {
		if got := get(t, db, "k"); got != "1" {
			t.Errorf("Read = %q, want 1", got)
		}
		put(t, writer, "k", "2")
		if got := get(t, db, "k"); got != "2" {
			t.Errorf("Read = %q, want 2", got)
		}
	})
	t.Run("RefusesToWrite", func(t *testing.T) {
		out, err := db.Commit(t.Context(), driver.Group{Batches: []driver.Batch{{
			ID: newID(), Writes: []driver.Write{{Key: "k", Mode: driver.Always}},
		}}})
		if !errors.Is(err, driver.ErrReadOnly) {
			t.Errorf("Commit = %v, %v, want ErrReadOnly", out, err)
		}
		if n, err := db.DeleteRange(t.Context(), "a", "z"); !errors.Is(err, driver.ErrReadOnly) {
			t.Errorf("DeleteRange = %d, %v, want ErrReadOnly", n, err)
		}
	})
	t.Run("BacksUp", func(t *testing.T) {
		to := filepath.Join(t.TempDir(), "copy.db")
		if err := db.Backup(t.Context(), to, nil); err != nil {
			t.Fatalf("Backup: %v", err)
		}
		if got := get(t, mustOpen(t, to, nil), "k"); got != "2" {
			t.Errorf("Read of the copy = %q, want 2", got)
		}
	})
	t.Run("LeavesTheFileAsItIs", func(t *testing.T) {
		alone := filepath.Join(t.TempDir(), "alone.db")
		w := mustOpen(t, alone, nil)
		put(t, w, "k", "1")
		w.Close()
		before, err := os.ReadFile(alone)
		if err != nil {
			t.Fatal(err)
		}
		r := mustOpen(t, alone, &sqlite.Options{ReadOnly: true})
		if got := get(t, r, "k"); got != "1" {
			t.Errorf("Read = %q, want 1", got)
		}
		r.Close()
		if after, err := os.ReadFile(alone); err != nil || !bytes.Equal(before, after) {
			t.Errorf("reading changed the file (%v)", err)
		}
	})
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "players.db")
	clock := new(sqlite.Clock)
	db := openAt(t, path, clock)
	put(t, db, "player/1", `{"coins":9007199254740993}`)
	clock.Reboot("another boot")
	put(t, db, "player/2", "{}")
	t.Run("IsReadByAnyTool", func(t *testing.T) {
		var value, updated string
		err := tool(t, path).QueryRow(`SELECT CAST(value AS TEXT), datetime(updated / 1000000, 'unixepoch')
			FROM entries WHERE key = 'player/1'`).Scan(&value, &updated)
		if err != nil || value != `{"coins":9007199254740993}` {
			t.Errorf("value = %s, %v", value, err)
		}
		if at, err := time.Parse(time.DateTime, updated); err != nil || time.Since(at) > time.Hour {
			t.Errorf("updated = %q, %v, want about now", updated, err)
		}
	})
	t.Run("KeepsBootsApart", func(t *testing.T) {
		s, err := db.Read(t.Context(), "player/1", "player/2")
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := s.Entries[1].Updated.Since(s.Entries[0].Updated); ok {
			t.Errorf("ticks of two boots compare: %v", d)
		}
		if got := s.Entries[1].Updated.Boot; got != "another boot" {
			t.Errorf("Boot = %q", got)
		}
	})
	t.Run("PassesItsOwnCheck", func(t *testing.T) {
		var result string
		if err := tool(t, path).QueryRow("PRAGMA integrity_check").Scan(&result); err != nil || result != "ok" {
			t.Errorf("integrity_check = %q, %v", result, err)
		}
	})
	t.Run("ARowWithoutAVersionIsNeverAbsent", func(t *testing.T) {
		execute(t, path, "PRAGMA ignore_check_constraints = 1; UPDATE entries SET version = x'00' WHERE key = 'player/2'")
		if s, err := db.Read(t.Context(), "player/2"); !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("Read = %v, %v, want ErrCorrupt", s.Entries, err)
		}
		out, err := db.Commit(t.Context(), driver.Group{Batches: []driver.Batch{{
			ID: newID(), Writes: []driver.Write{{Key: "player/2", Mode: driver.Always}},
		}}})
		if !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("Commit = %v, %v, want ErrCorrupt", out, err)
		}
		if got := get(t, db, "player/1"); got == "" {
			t.Errorf("the other entry is gone")
		}
	})
	t.Run("IdsThatCannotBeDecodedAreDamage", func(t *testing.T) {
		execute(t, path, "UPDATE entries SET recent = x'0102' WHERE key = 'player/1'")
		s, err := db.Read(t.Context(), "player/1")
		if err != nil || !errors.Is(s.Entries[0].Damaged, driver.ErrCorrupt) || len(s.Entries[0].Value) == 0 {
			t.Errorf("Read = %+v, %v, want Damaged and the bytes", s.Entries, err)
		}
	})
	if err := db.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestAFileWithoutPermissionToWrite(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("the superuser may write to any file")
	}
	for fact, mode := range map[string]struct{ file, folder fs.FileMode }{
		"AReadOnlyFile":   {0o400, 0o700},
		"AReadOnlyFolder": {0o600, 0o500},
		"BothReadOnly":    {0o400, 0o500},
	} {
		t.Run(fact, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "players.db")
			db := mustOpen(t, path, nil)
			put(t, db, "k", "1")
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			for name, mode := range map[string]fs.FileMode{path: mode.file, dir: mode.folder} {
				if err := os.Chmod(name, mode); err != nil {
					t.Fatal(err)
				}
			}
			t.Cleanup(func() { os.Chmod(dir, 0o700) })
			if db, err := sqlite.Open(t.Context(), path, nil); !errors.Is(err, driver.ErrReadOnly) {
				t.Errorf("Open = %v, %v, want ErrReadOnly", db, err)
			}
			reader := mustOpen(t, path, &sqlite.Options{ReadOnly: true})
			if got := get(t, reader, "k"); got != "1" {
				t.Errorf("Read = %q, want 1", got)
			}
			reader.Close()
		})
	}
}
