package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/sqlite"
)

// shelf has databases in memory, by name, that outlive the commands which use
// them. "shelf:a" names one.
type shelf struct {
	dbs map[string]*mem.DB
	// read and write, unless nil, stand before calls: of the database that is
	// copied, and of the one that is copied into.
	read  func(q driver.RecordQuery) error
	write func(call func() error) error
}

// onShelf returns a world whose engines have a shelf.
func onShelf(t *testing.T) (*world, *shelf) {
	w, s := newWorld(t), &shelf{dbs: make(map[string]*mem.DB)}
	w.url = ""
	w.engines = append(w.engines, engine{"shelf", "shelf:a", func(_ context.Context, u *url.URL, a access) (driver.DB, error) {
		if a == reading {
			return shelfSource{readOnly{kept{s.db(u.Opaque)}, t}, s, u.Opaque}, nil
		}
		return shelfTarget{kept{s.db(u.Opaque)}, s, u.Opaque}, nil
	}})
	return w, s
}

func (s *shelf) db(name string) *mem.DB {
	if s.dbs[name] == nil {
		s.dbs[name] = mem.Open()
	}
	return s.dbs[name]
}

// shelfSource is a database on a shelf that may only be read.
type shelfSource struct {
	driver.DB
	shelf *shelf
	name  string
}

func (s shelfSource) ReadRecords(ctx context.Context, q driver.RecordQuery) (driver.RecordPage, error) {
	if s.shelf.read != nil {
		if err := s.shelf.read(q); err != nil {
			return driver.RecordPage{}, err
		}
	}
	return s.shelf.db(s.name).ReadRecords(ctx, q)
}

func (s shelfSource) WriteRecords(context.Context, driver.Transfer) ([]driver.State, error) {
	return nil, errors.New("a source was written to")
}

// shelfTarget is a database on a shelf that may be written to.
type shelfTarget struct {
	driver.DB
	shelf *shelf
	name  string
}

func (t shelfTarget) ReadRecords(ctx context.Context, q driver.RecordQuery) (driver.RecordPage, error) {
	return t.shelf.db(t.name).ReadRecords(ctx, q)
}

func (t shelfTarget) WriteRecords(ctx context.Context, records driver.Transfer) (refused []driver.State, err error) {
	return refused, t.before(func() (err error) {
		refused, err = t.shelf.db(t.name).WriteRecords(ctx, records)
		return err
	})
}

func (t shelfTarget) Commit(ctx context.Context, g driver.Group) (out []driver.Outcome, err error) {
	return out, t.before(func() (err error) {
		out, err = t.DB.Commit(ctx, g)
		return err
	})
}

func (t shelfTarget) before(call func() error) error {
	if t.shelf.write == nil {
		return call()
	}
	return t.shelf.write(call)
}

// lastVersion makes ids that differ from each other.
var lastVersion atomic.Uint64

func newVersion() driver.Version {
	n := lastVersion.Add(1)
	return driver.Version{1, 2, 3, 4, 5, 6, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
}

// puts commits writes, which must be applied.
func puts(t testing.TB, db driver.DB, writes ...driver.Write) {
	t.Helper()
	for part := range slices.Chunk(writes, 256) {
		out, err := db.Commit(t.Context(), driver.Group{Batches: []driver.Batch{{ID: newVersion(), Writes: part}}})
		if err != nil || out[0].Refused != nil {
			t.Fatalf("Commit = %v, %v, want applied", out, err)
		}
	}
}

func always(key, value string) driver.Write {
	return driver.Write{Key: key, Mode: driver.Always, Value: []byte(value)}
}

// stock fills a database with n players and everything that is hard to copy.
func stock(t testing.TB, db driver.DB, n int) {
	t.Helper()
	every := &driver.Retention{}
	var writes []driver.Write
	for i := range n {
		writes = append(writes, always(fmt.Sprintf("player/%06d", i), fmt.Sprintf(`{"format":1,"data":{"n":%d}}`, i)))
	}
	puts(t, db, writes...)
	for i := range 20 {
		w := always("player/000001", fmt.Sprint(i))
		w.Retain, w.Mark = every, i%5 == 0
		long := always(strings.Repeat("k", driver.MaxKey-2)+"é", fmt.Sprint(i))
		long.Retain = &driver.Retention{Every: time.Hour, For: time.Hour, Max: 5}
		puts(t, db, w, long)
	}
	big := always("big", strings.Repeat("\x00\xff", 3<<19))
	big.Retain = every
	for range 4 {
		puts(t, db, big)
	}
	puts(t, db, always("empty", ""), always("日本/%2F", "'\"\\\x00\xfe"), always("\x01\x7f", "control"))
}

// contents returns everything in a database, entries whole, as far as every
// database keeps it.
func contents(t testing.TB, db driver.DB) (all []driver.Record) {
	t.Helper()
	s := &side{database: &database{patience: time.Minute}, raw: db.(driver.Transferer)}
	for r, err := range s.records(t.Context(), false) {
		if err != nil {
			t.Fatalf("read records: %v", err)
		}
		r.More = false
		if r.Skipped == 0 {
			all = append(all, *r)
			continue
		}
		last := &all[len(all)-1]
		last.Retained = append(last.Retained, r.Retained...)
	}
	return all
}

// toMicro compares what every database keeps of a time.
var toMicro = cmp.Options{
	cmp.Comparer(sameTime),
	cmp.Comparer(func(a, b driver.Moment) bool { return sameTime(a.Wall, b.Wall) }),
	cmp.Comparer(bytes.Equal),
	cmp.Comparer(func(a, b error) bool { return (a == nil) == (b == nil) }),
}

// same fails the test unless two databases hold the same.
func same(t testing.TB, from, to driver.DB) {
	t.Helper()
	want, got := contents(t, from), contents(t, to)
	if len(got) != len(want) {
		t.Errorf("the copy has %d entries, want %d", len(got), len(want))
	}
	for i := range min(len(want), len(got)) {
		if diff := cmp.Diff(want[i], got[i], toMicro); diff != "" {
			t.Fatalf("the copy of %.40q differs (-from +to):\n%.4000s", want[i].Key, diff)
		}
	}
}

// openFile opens a SQLite file until the test ends.
func openFile(t *testing.T, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// copies runs holdfast copy, which must succeed, and returns its report.
func (w *world) copies(from, to string, flags ...string) copyJSON {
	w.Helper()
	out := w.ok(append([]string{"copy", from, to, "--json"}, flags...)...)
	got := lines[copyJSON](w.T, out)[0]
	if got.From.Checksum != got.To.Checksum || len(got.To.Checksum) != 64 || got.From.Entries != got.To.Entries ||
		got.From.Versions != got.To.Versions || got.From.Bytes != got.To.Bytes {
		w.Fatalf("copy reports %+v, want two sides that are the same", got)
	}
	return got
}

func TestCopy(t *testing.T) {
	t.Run("MovesEverythingBetweenFiles", func(t *testing.T) {
		w, _ := onShelf(t)
		dir := t.TempDir()
		a, b := filepath.Join(dir, "a.db"), filepath.Join(dir, "b.db")
		from := openFile(t, a)
		stock(t, from, 5000)
		got := w.copies(fileURL(a), fileURL(b))
		all := contents(t, from)
		if int(got.From.Entries) != len(all) || got.Moved != len(all) || got.Deleted != 0 || got.From.Versions <= got.From.Entries {
			t.Errorf("copy reports %+v of %d entries", got, len(all))
		}
		to := openFile(t, b)
		same(t, from, to)
		// One machine's clock is the same for both files.
		for i, r := range contents(t, to) {
			if r.Present.Updated != all[i].Present.Updated {
				t.Fatalf("the copy of %q was written at %v, want %v", r.Key, r.Present.Updated, all[i].Present.Updated)
			}
		}
	})
	t.Run("MovesEverythingThroughMemoryAndBack", func(t *testing.T) {
		w, s := onShelf(t)
		dir := t.TempDir()
		a, b := filepath.Join(dir, "a.db"), filepath.Join(dir, "b.db")
		from := openFile(t, a)
		stock(t, from, 1000)
		there := w.copies(fileURL(a), "shelf:m")
		same(t, from, s.db("m"))
		back := w.copies("shelf:m", fileURL(b))
		same(t, from, openFile(t, b))
		if there.From.Checksum != back.To.Checksum {
			t.Errorf("the checksum of %s became %s on the way", there.From.Checksum, back.To.Checksum)
		}
	})
	t.Run("IsOfUseToOtherCommands", func(t *testing.T) {
		w, _ := onShelf(t)
		dir := t.TempDir()
		w.url = fileURL(filepath.Join(dir, "a.db"))
		w.add("player/1", `{"coins":5}`)
		w.ok("set", "player/1", "coins", "6")
		ids := w.ok("versions", "player/1", "--json")
		to := fileURL(filepath.Join(dir, "b.db"))
		w.run("copy", w.url, to).is(exitOK, "CHECKSUM", "sqlite:"+filepath.Join(dir, "a.db"), "Both are the same")
		w.url = to
		w.run("get", "player/1").is(exitOK, `"coins": 6`)
		if got := w.ok("versions", "player/1", "--json"); got != ids {
			t.Errorf("versions of the copy = %s, want %s", got, ids)
		}
		w.run("set", "player/1", "coins", "7").is(exitOK)
	})
	t.Run("OfAnEmptyDatabaseIsEmpty", func(t *testing.T) {
		w, s := onShelf(t)
		w.copies("shelf:a", "shelf:b")
		if got := contents(t, s.db("b")); got != nil {
			t.Errorf("the copy holds %v, want nothing", got)
		}
		if snap, err := s.db("b").Read(t.Context(), session.UnfinishedKey()); err != nil || snap.Entries[0].Found() {
			t.Errorf("the mark of an unfinished copy = %v, %v, want none", snap.Entries, err)
		}
	})
}

// A copy of a copy is the same, whatever the first holds.
func TestCopyOfACopy(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, s := onShelf(t)
		if rs := anyRecords(rt); len(rs) > 0 {
			if _, err := s.db("a").WriteRecords(t.Context(), driver.Transfer{Records: rs}); err != nil {
				rt.Fatalf("WriteRecords: %v", err)
			}
		}
		first := w.copies("shelf:a", "shelf:b", "--keep-damaged")
		second := w.copies("shelf:b", "shelf:c", "--keep-damaged")
		same(t, s.db("a"), s.db("c"))
		if first.From.Checksum != second.To.Checksum {
			rt.Errorf("the checksum %s became %s", first.From.Checksum, second.To.Checksum)
		}
	})
}

// anyRecords draws entries with histories.
func anyRecords(t *rapid.T) []driver.Record {
	keys := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-c/%~é]{1,6}`), 0, 12, rapid.ID[string]).Draw(t, "keys")
	slices.Sort(keys)
	at := rapid.Custom(func(t *rapid.T) time.Time {
		return time.UnixMicro(rapid.Int64Range(-1e15, 4e15).Draw(t, "time")).UTC()
	})
	var rs []driver.Record
	for _, key := range keys {
		version := func() driver.RecordVersion {
			v := driver.RecordVersion{
				Version: newVersion(), Value: rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "value"),
				Updated: driver.Moment{Wall: at.Draw(t, "updated"), Boot: rapid.StringMatching(`[a-z]{0,3}`).Draw(t, "boot"), Tick: time.Duration(rapid.Int64().Draw(t, "tick"))},
				Marked:  rapid.Bool().Draw(t, "marked"),
			}
			if v.Sum = driver.Sum(key, v.Version, v.Value); rapid.IntRange(0, 9).Draw(t, "damage") == 0 {
				v.Sum++
				v.Damaged = driver.ErrCorrupt
			}
			return v
		}
		r := driver.Record{Key: key, Created: at.Draw(t, "created"), Present: version()}
		r.Recent = []driver.Version{r.Present.Version}
		for range rapid.IntRange(0, driver.RecentVersions-1).Draw(t, "recent") {
			r.Recent = append(r.Recent, newVersion())
		}
		for range rapid.IntRange(0, 4).Draw(t, "retained") {
			v := version()
			v.Kept, v.Replaced = rapid.Bool().Draw(t, "kept"), at.Draw(t, "replaced")
			r.Retained = append(r.Retained, v)
		}
		rs = append(rs, r)
	}
	return rs
}

// TestCopyGoesOn stops a copy at each of its writes in turn, and runs it again.
func TestCopyGoesOn(t *testing.T) {
	for name, applied := range map[string]bool{"BeforeIt": false, "AfterIt": true} {
		t.Run("WhereItStopped"+name, func(t *testing.T) {
			w, s := onShelf(t)
			stock(t, s.db("a"), runKeys+100)
			stops := 0
			for nth := 1; ; nth++ {
				s.dbs["b"] = mem.Open()
				n := 0
				s.write = func(call func() error) error {
					if n++; n < nth {
						return call()
					}
					if n == nth && applied {
						return errors.Join(driver.ErrFull, call())
					}
					return driver.ErrFull
				}
				if w.run("copy", "shelf:a", "shelf:b").code == exitOK {
					break
				}
				stops++
				s.write = nil
				before := len(contents(t, s.db("b")))
				if snap, _ := s.db("b").Read(t.Context(), session.UnfinishedKey()); snap.Entries[0].Found() {
					w.url = "shelf:b"
					w.run("set", "player/000001", "n", "1").is(exitError, "unfinished", "holdfast copy")
					w.run("locks").is(exitOK, "unfinished copy of shelf:a")
					w.url = ""
				} else if before > 0 {
					// Only its last answer was lost: the copy is whole.
					same(t, s.db("a"), s.db("b"))
					w.run("copy", "shelf:a", "shelf:b").is(exitError, "holds data", "servers can use it")
					continue
				}
				got := w.copies("shelf:a", "shelf:b")
				// One of those that were there may have lacked a part of its versions.
				if want := int(got.To.Entries) - before; got.Moved < want || got.Moved > want+1 {
					t.Errorf("stopped at write %d, %d entries were there; the second run moved %d, want the other %d", nth, before, got.Moved, want)
				}
				same(t, s.db("a"), s.db("b"))
			}
			if stops < 4 {
				t.Errorf("a copy made %d writes, want several", stops)
			}
		})
	}
	t.Run("AfterAnInterrupt", func(t *testing.T) {
		w, s := onShelf(t)
		stock(t, s.db("a"), 2*runKeys)
		ctx, cancel := context.WithCancel(t.Context())
		s.write = func(call func() error) error {
			err := call()
			if len(contents(t, s.db("b"))) > 0 {
				cancel()
			}
			return err
		}
		var out, errs bytes.Buffer
		e := &env{out: &out, err: &errs, engines: w.engines}
		if code := e.run(ctx, []string{"copy", "shelf:a", "shelf:b"}); code != exitError || !strings.Contains(errs.String(), "interrupted: ") {
			t.Fatalf("an interrupted copy = exit code %d, want %d and to say so; it wrote %s%s", code, exitError, &out, &errs)
		}
		s.write = nil
		if got := w.copies("shelf:a", "shelf:b"); got.Moved == 0 || got.Moved >= int(got.From.Entries) {
			t.Errorf("the second run moved %d of %d entries, want a part", got.Moved, got.From.Entries)
		}
		same(t, s.db("a"), s.db("b"))
	})
	t.Run("WhenAnswersAreLost", func(t *testing.T) {
		w, s := onShelf(t)
		stock(t, s.db("a"), 100)
		n := 0
		s.write = func(call func() error) error {
			if n++; n%2 == 1 {
				return errors.Join(driver.ErrUnavailable, call())
			}
			return call()
		}
		w.copies("shelf:a", "shelf:b")
		same(t, s.db("a"), s.db("b"))
	})
	t.Run("WithWhatWasChangedMeanwhile", func(t *testing.T) {
		w, s := onShelf(t)
		stock(t, s.db("a"), 1000)
		changed := false
		s.read = func(q driver.RecordQuery) error {
			if !q.Bare && q.Limit == 0 && !changed { // everything was moved, and is looked at once more
				changed = true
				puts(t, s.db("a"), always("player/000002", "new"), always("player/9", "new"), driver.Write{Key: "player/000003", Mode: driver.Always, Delete: true})
			}
			return nil
		}
		w.run("copy", "shelf:a", "shelf:b").is(exitError, "the source was changed while it was copied")
		s.read = nil
		got := w.copies("shelf:a", "shelf:b")
		if got.Moved != 2 || got.Deleted != 1 {
			t.Errorf("the second run moved %d entries and deleted %d, want the two that were written and the one that was deleted", got.Moved, got.Deleted)
		}
		same(t, s.db("a"), s.db("b"))
	})
}
