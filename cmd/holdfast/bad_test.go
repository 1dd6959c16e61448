package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// everyCommand is one line for each command that opens a database.
var everyCommand = [][]string{
	{"get", "player/1"}, {"list"}, {"versions", "player/1"}, {"diff", "player/1", "0"}, {"locks"}, {"export"}, {"audit", "items"},
	{"set", "player/1", "n", "1"}, {"restore", "player/1", "0"},
}

// TestForeignFile runs every command on files that are not for it.
func TestForeignFile(t *testing.T) {
	for _, c := range []struct {
		name, want string
		make       func(w *world, path string)
	}{
		{"Text", "not a Holdfast database", func(w *world, path string) {
			w.write(filepath.Dir(path), filepath.Base(path), "these are my notes, and no database; they must not be touched, however short they are")
		}},
		{"Empty", "not a Holdfast database", func(w *world, path string) { w.write(filepath.Dir(path), filepath.Base(path), "") }},
		{"SQLiteOfSomebodyElse", "not a Holdfast database", func(w *world, path string) {
			execSQL(w.T, path, "CREATE TABLE notes (t TEXT)", "INSERT INTO notes VALUES ('mine')")
		}},
		{"NewerFormat", "newer format", func(w *world, path string) {
			w.add("player/1", `{"n":1}`)
			execSQL(w.T, path, "PRAGMA user_version = 99")
		}},
		{"Cut", "", func(w *world, path string) {
			w.add("player/1", `{"n":1}`)
			if err := os.Truncate(path, 5000); err != nil {
				w.Fatal(err)
			}
		}},
	} {
		for _, args := range everyCommand {
			if c.name == "Empty" && (args[0] == "set" || args[0] == "restore") {
				continue // an empty file may become a database
			}
			t.Run(c.name+"IsLeftBy"+args[0], func(t *testing.T) {
				w, path := newFile(t)
				c.make(w, path)
				before, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				w.run(args...).is(exitError, c.want, path)
				if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
					t.Errorf("holdfast %q changed the file (%v)", args, err)
				}
			})
		}
	}
	t.Run("FolderIsRefused", func(t *testing.T) {
		w := newWorld(t)
		w.url = fileURL(t.TempDir())
		w.run("list").is(exitError, "no regular file")
		w.with(`{"key":"player/1","data":{}}`, "import", "-").is(exitError, "no regular file")
	})
	t.Run("FolderThatIsMissingIsNamed", func(t *testing.T) {
		w := newWorld(t)
		w.url = fileURL(filepath.Join(t.TempDir(), "missing", "players.db"))
		w.with(`{"key":"player/1","data":{}}`, "import", "-").is(exitError, "missing")
	})
}

// execSQL changes a SQLite file behind Holdfast's back.
func execSQL(t *testing.T, path string, queries ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range queries {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

func TestReadOnlyFolder(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t)
	w.url = fileURL(filepath.Join(dir, "players.db"))
	w.add("player/1", `{"n":1}`)
	w.add("player/2", `{"n":2}`)
	protect(t, dir)
	for _, args := range everyCommand[:7] {
		t.Run(args[0]+"Reads", func(t *testing.T) { w.in(t).ok(args...) })
	}
	for _, args := range everyCommand[7:] {
		t.Run(args[0]+"SaysSo", func(t *testing.T) { w.in(t).run(args...).is(exitError, "read-only", "Nothing was written") })
	}
	t.Run("importSaysSo", func(t *testing.T) {
		w.in(t).with(`{"key":"player/3","data":{}}`, "import", "-").is(exitError, "read-only")
	})
}

// TestFullDisk fills the disk under a database.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, 4<<20)
	w := newWorld(t)
	w.url = fileURL(filepath.Join(dir, "players.db"))
	w.add("player/1", `{"n":1}`)
	filler := filepath.Join(dir, "filler")
	fill := func(room int64) {
		f, err := os.Create(filler)
		if err != nil {
			t.Fatal(err)
		}
		for block := make([]byte, 64<<10); err == nil; {
			_, err = f.Write(block)
		}
		size, _ := f.Seek(0, io.SeekCurrent)
		if err := errors.Join(f.Truncate(size-room), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	fill(1 << 20)
	w.run("set", "player/1", "n", fmt.Sprintf(`"%02000000d"`, 7)).is(exitError, "no space left", "Free space on the disk")
	w.run("get", "player/1").is(exitOK, `"n"`)
	fill(0)
	w.run("set", "player/1", "n", "2", "--steal").is(exitError, "What had been saved before is kept")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	w.run("set", "player/1", "m", "2", "--steal").is(exitOK)
	w.run("get", "player/1").is(exitOK, `"n"`, `"m": 2`)
}

// failing is a database whose commits fail when they are told to.
type failing struct {
	driver.DB
	fail func(g driver.Group) error
}

func (f *failing) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	if err := f.fail(g); err != nil {
		return nil, err
	}
	return f.DB.Commit(ctx, g)
}

// TestFailures lets the database fail at each commit of an edit in turn.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want []string
	}{
		{"Full", fmt.Errorf("write: %w", driver.ErrFull), []string{"no space left", "Free space"}},
		{"Silent", driver.ErrUnavailable, []string{"no answer for 5s"}},
		{"ReadOnly", driver.ErrReadOnly, []string{"read-only"}},
	} {
		for nth := int64(1); nth <= 4; nth++ {
			t.Run(fmt.Sprintf("%sFromCommit%dOn", c.name, nth), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.add("player/1", `{"n":1}`)
					var n atomic.Int64
					w.wrap = func(db driver.DB) driver.DB {
						return &failing{db, func(driver.Group) error {
							if n.Add(1) >= nth {
								return c.err
							}
							return nil
						}}
					}
					r := w.run("set", "player/1", "n", "2", "--timeout", "5s")
					w.wrap = nil
					if r.code == exitOK {
						t.Fatalf("set = exit code 0 though commits failed from the %d. on:\n%s", nth, r.out)
					}
					r.is(exitError, c.want...)
					// Nothing is lost, and the player can be changed again.
					w.run("set", "player/1", "m", "3", "--wait", "30s").is(exitOK)
					w.run("get", "player/1").is(exitOK, `"n": `, `"m": 3`)
				})
			})
		}
	}
	t.Run("FullDuringAnImportNamesWhatIsMissing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, dir := newWorld(t), t.TempDir()
			for i := range 20 {
				w.write(dir, fmt.Sprintf("%d.json", i), `{"n":1}`)
			}
			var n atomic.Int64
			w.wrap = func(db driver.DB) driver.DB {
				return &failing{db, func(driver.Group) error {
					if n.Add(1) > 4 {
						return driver.ErrFull
					}
					return nil
				}}
			}
			r := w.run("import", dir, "--json").is(exitError, "no space left")
			w.wrap = nil
			got := lines[importJSON](t, r.out)[0]
			tried := 20
			if _, rest, ok := strings.Cut(r.err, "stopped before "+dir+"/"); ok {
				if _, err := fmt.Sscanf(rest, "%d.json", &tried); err != nil {
					t.Fatalf("the import stopped before %q: %v", rest, err)
				}
			}
			if n := got.Imported + got.Unchanged + len(got.Refused); n != tried {
				t.Errorf("import accounts for %d documents, want the %d before it stopped; it said\n%s", n, tried, r.err)
			}
			time.Sleep(time.Minute) // until the lease of the first has ended
			w.run("import", dir, "--replace").is(exitOK)
			if list := lines[rootJSON](t, w.ok("list", "--json")); len(list) != 20 {
				t.Errorf("after a second import there are %d players, want 20", len(list))
			}
		})
	})
}

func TestExitCode(t *testing.T) {
	for err, want := range map[error]int{
		nil:                                    exitOK,
		errors.New("x"):                        exitError,
		usageError{errRefused}:                 exitUsage,
		heldError{}:                            exitLocked,
		&session.LockedError{}:                 exitLocked,
		session.ErrNotFound:                    exitNotFound,
		driver.ErrNotFound:                     exitNotFound,
		errNoDatabase:                          exitNotFound,
		errors.Join(errRefused):                exitError,
		fmt.Errorf("a: %w", driver.ErrCorrupt): exitError,
	} {
		if got := exitCode(err); got != want {
			t.Errorf("exitCode(%v) = %d, want %d", err, got, want)
		}
	}
}
