package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/session"
)

// unused fails the test if a database holds anything.
func unused(t *testing.T, db driver.DB) {
	t.Helper()
	snap, err := db.List(t.Context(), driver.Query{})
	if err != nil || len(snap.Entries) != 0 {
		t.Errorf("the target holds %v (%v), want nothing", snap.Entries, err)
	}
}

// cut is a database from which a server is cut off when it is killed.
type cut struct {
	driver.DB
	killed *atomic.Bool
}

func (c cut) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	if c.killed.Load() {
		return nil, driver.ErrUnavailable
	}
	return c.DB.Commit(ctx, g)
}

// doomed is a server on a database that can be killed.
func (w *world) doomed(db driver.DB, name string) (g *gameServer, kill func()) {
	w.Helper()
	killed := new(atomic.Bool)
	g = w.game(cut{kept{db}, killed}, session.Options{Name: name})
	w.Cleanup(func() { g.close(closed()) })
	return g, func() { killed.Store(true) }
}

func TestCopyRefuses(t *testing.T) {
	t.Run("ASourceThatServersUse", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, s := onShelf(t)
			stock(t, s.db("a"), 10)
			w.game(kept{s.db("a")}, session.Options{Name: "zone-1"}).close(t.Context())
			_, kill := w.doomed(s.db("a"), "zone-2")
			time.Sleep(time.Millisecond) // leases are told in the order of their times
			other := w.game(kept{s.db("a")}, session.Options{Name: "zone-3", Lease: time.Minute})
			r := w.run("copy", "shelf:a", "shelf:b").is(exitLocked, `shelf:a is in use by "zone-2" (lease `, `, "zone-3" (lease `)
			if strings.Contains(r.err, "zone-1") {
				t.Errorf("copy names a server that was closed:\n%s", r.err)
			}
			if s.dbs["b"] != nil {
				t.Error("copy opened the target though the source is in use")
			}
			kill()
			other.close(t.Context())
			w.run("copy", "shelf:a", "shelf:b").is(exitLocked, "zone-2")
			time.Sleep(11 * time.Second)
			w.run("copy", "shelf:a", "shelf:b").is(exitOK, `The lease of "zone-2" ran out at`)
			same(t, s.db("a"), s.db("b"))
		})
	})
	t.Run("ASourceThatAServerBeginsToUse", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, s := onShelf(t)
			stock(t, s.db("a"), 10)
			var g *gameServer
			s.read = func(q driver.RecordQuery) error {
				if !q.Bare && g == nil {
					g = w.game(kept{s.db("a")}, session.Options{Name: "early"})
				}
				return nil
			}
			w.run("copy", "shelf:a", "shelf:b").is(exitError, "changed while it was copied")
			g.close(t.Context())
			w.copies("shelf:a", "shelf:b")
			same(t, s.db("a"), s.db("b"))
		})
	})
	t.Run("ALeaseThatCannotBeRead", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, s := onShelf(t)
			puts(t, s.db("a"), always("~lease/041061050O00002D0000000000", "{}"))
			w.run("copy", "shelf:a", "shelf:b").is(exitLocked, "cannot be read")
			time.Sleep(session.MaxLease + time.Second)
			w.copies("shelf:a", "shelf:b")
		})
	})
	t.Run("ATargetThatHoldsData", func(t *testing.T) {
		w, s := onShelf(t)
		stock(t, s.db("a"), 10)
		puts(t, s.db("b"), always("player/1", "mine"))
		w.run("copy", "shelf:a", "shelf:b").is(exitError, "holds data", `"player/1"`, "Nothing in it was changed")
		if got := contents(t, s.db("b")); len(got) != 1 || string(got[0].Present.Value) != "mine" {
			t.Errorf("the target holds %v, want what it held", got)
		}
		w.copies("shelf:a", "shelf:c")
		w.run("copy", "shelf:a", "shelf:c").is(exitError, "holds data")
	})
	t.Run("ATargetThatAServerBeginsToUse", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, s := onShelf(t)
			stock(t, s.db("a"), 10)
			var g *gameServer
			s.write = func(call func() error) error {
				if g == nil {
					g = w.game(kept{s.db("b")}, session.Options{Name: "early"})
				}
				return call()
			}
			w.run("copy", "shelf:a", "shelf:b").is(exitError, "holds data", "~lease/")
			w.url = "shelf:b"
			w.run("locks").is(exitOK, "early")
			g.close(t.Context())
			unused(t, s.db("b"))
		})
	})
	t.Run("ATargetThatIsACopyOfAnother", func(t *testing.T) {
		w, s := onShelf(t)
		stock(t, s.db("a"), 10)
		stock(t, s.db("other"), 10)
		s.interrupt()
		w.run("copy", "shelf:other", "shelf:b").is(exitError)
		s.write = nil
		w.run("copy", "shelf:a", "shelf:b").is(exitError, "unfinished copy of shelf:other")
		w.run("copy", "shelf:b", "shelf:c").is(exitError, "unfinished", "from shelf:other")
		if s.dbs["c"] != nil {
			t.Error("copy opened a target for a source that is unfinished")
		}
	})
	t.Run("ACopyThatAnotherTookThePlaceOf", func(t *testing.T) {
		w, s := onShelf(t)
		stock(t, s.db("a"), 10)
		n := 0
		s.write = func(call func() error) error {
			if n++; n == 2 { // the first has made its mark
				s.write = nil
				w.copies("shelf:a", "shelf:b")
				puts(t, s.db("b"), always("player/000000", "played on"))
			}
			return call()
		}
		w.run("copy", "shelf:a", "shelf:b").is(exitError, "another copy into it was begun")
		if snap, err := s.db("b").Read(t.Context(), "player/000000"); err != nil || string(snap.Entries[0].Value) != "played on" {
			t.Errorf("a copy that was late left %v (%v), want what was written since", snap.Entries, err)
		}
	})
	t.Run("TheSameDatabaseTwice", func(t *testing.T) {
		w, path := newFile(t)
		w.add("player/1", `{}`)
		file := fileURL(path)
		w.url = ""
		w.run("copy", file, file).is(exitUsage, "both databases are sqlite:"+path)
		link := filepath.Join(t.TempDir(), "link.db")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		w.run("copy", file, fileURL(link)).is(exitError, "holds data")
	})
	t.Run("ATargetThatAServerBeganToUseBeforeTheCopyDied", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, s := onShelf(t)
			stock(t, s.db("a"), 10)
			var g *gameServer
			n := 0
			s.write = func(call func() error) error {
				if n++; n > 1 {
					return driver.ErrFull // it dies before it can take its mark back
				}
				g = w.game(kept{s.db("b")}, session.Options{Name: "early"})
				return call()
			}
			w.run("copy", "shelf:a", "shelf:b").is(exitError, "holds data", "~lease/")
			s.write = nil
			before := contents(t, s.db("b"))
			w.run("copy", "shelf:a", "shelf:b").is(exitError, "holds data", "~lease/")
			if after := contents(t, s.db("b")); len(after) != 1 || len(before) != 1 {
				t.Errorf("the target had %d entries and has %d, want the server's lease", len(before), len(after))
			}
			if snap, err := s.db("b").Read(t.Context(), session.UnfinishedKey()); err != nil || snap.Entries[0].Found() {
				t.Errorf("the mark of the copy is still there (%v)", err)
			}
			g.close(closed())
			w.run("copy", "shelf:a", "shelf:b").is(exitError, "holds data")
		})
	})
	t.Run("ASourceThatDoesNotExist", func(t *testing.T) {
		w, path := newFile(t)
		dest := filepath.Join(t.TempDir(), "b.db")
		w.url = ""
		w.run("copy", fileURL(path), fileURL(dest)).is(exitNotFound, "no such database")
		if _, err := os.Stat(dest); err == nil {
			t.Error("copy made a target for a source that does not exist")
		}
	})
	t.Run("AnEngineThatCannotBeCopied", func(t *testing.T) {
		w := newWorld(t)
		w.url = ""
		w.run("copy", "shared:", "mem:").is(exitError, "cannot be copied")
	})
	t.Run("AWrongCommandLine", func(t *testing.T) {
		w, _ := onShelf(t)
		for _, args := range [][]string{{"shelf:a"}, {"a.db", "shelf:b"}, {"oracle:x", "shelf:b"}, {"shelf:a", "shelf:b", "--timeout", "0s"}, {"sqlite:100%.db", "shelf:b"}} {
			w.run(append([]string{"copy"}, args...)...).is(exitUsage)
		}
	})
}

// interrupt makes a copy stop after a first part.
func (s *shelf) interrupt() {
	n := 0
	s.write = func(call func() error) error {
		if n++; n > 3 {
			return driver.ErrFull
		}
		return call()
	}
}

func TestCopyOfDamage(t *testing.T) {
	bad := func(t *testing.T) (*world, *shelf) {
		w, s := onShelf(t)
		stock(t, s.db("a"), 100)
		for _, key := range []string{"player/000001", "player/000050"} {
			if err := s.db("a").Damage(key); err != nil {
				t.Fatal(err)
			}
		}
		return w, s
	}
	t.Run("IsReportedByKeyAndLeavesTheCopyUnfinished", func(t *testing.T) {
		w, s := bad(t)
		w.run("copy", "shelf:a", "shelf:b").is(exitError, "player/000001, version ", "player/000050, version ", "2 versions in the source do not verify", "--keep-damaged")
		w.url = "shelf:b"
		w.run("import", "-").is(exitError, "unfinished")
		w.url = ""
		// Put right in the source, they are all that is left to move.
		puts(t, s.db("a"), always("player/000001", "1"), always("player/000050", "1"))
		if got := w.copies("shelf:a", "shelf:b"); got.Moved != 2 || got.Damaged != 0 {
			t.Errorf("the second run reports %+v, want two entries moved", got)
		}
		same(t, s.db("a"), s.db("b"))
	})
	t.Run("IsKeptIfAskedFor", func(t *testing.T) {
		w, s := bad(t)
		w.run("copy", "shelf:a", "shelf:b").is(exitError)
		if got := w.copies("shelf:a", "shelf:b", "--keep-damaged"); got.Moved != 2 || got.Damaged != 2 {
			t.Errorf("copy --keep-damaged reports %+v, want the two entries moved", got)
		}
		same(t, s.db("a"), s.db("b"))
		w.url = "shelf:b"
		w.run("get", "player/000050").is(exitError, "damaged")
	})
	t.Run("ThatTheTargetMadeIsFound", func(t *testing.T) {
		w, s := onShelf(t)
		stock(t, s.db("a"), 100)
		s.write = func(call func() error) error {
			err := call()
			if len(contents(t, s.db("b"))) > 90 {
				s.write = nil
				return errors.Join(err, s.db("b").Damage("player/000050"))
			}
			return err
		}
		r := w.run("copy", "shelf:a", "shelf:b").is(exitError, "verify shelf:b", "player/000050")
		if r.out != "" {
			t.Errorf("copy wrote %s, want no report", r.out)
		}
		w.run("copy", "shelf:a", "shelf:b", "--keep-damaged").is(exitError, "not the same as its source")
	})
	t.Run("ThatNoOtherDatabaseCouldShowIsRefused", func(t *testing.T) {
		w, _ := onShelf(t)
		path := filepath.Join(t.TempDir(), "a.db")
		w.url = fileURL(path)
		w.add("player/1", `{"n":1}`)
		w.add("player/2", `{"n":1}`)
		execSQL(t, path, "UPDATE entries SET format = 99 WHERE key = 'player/1'", "UPDATE entries SET recent = x'00' WHERE key = 'player/2'")
		w.run("copy", w.url, "shelf:b", "--keep-damaged").is(exitError, "player/1, version ", "newer format", "player/2, version ", "2 versions")
	})
}

// TestCopyOfACrash copies what a server left that was killed. Another server
// settles it on the copy as it would have there.
func TestCopyOfACrash(t *testing.T) {
	key := session.Key{Kind: "player", ID: "1"}
	// played lets a server append changes, and returns when they are in its journal alone.
	played := func(t *testing.T, w *world, db driver.DB) (kill func()) {
		g, kill := w.doomed(db, "crashed")
		s := g.open(t, key.String())
		set(t, s, "coins", "77")
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		return kill
	}
	opened := func(t *testing.T, w *world, db driver.DB) time.Duration {
		g := w.game(kept{db}, session.Options{Name: "next"})
		defer g.close(t.Context())
		began := time.Now()
		s := g.open(t, key.String())
		took := time.Since(began)
		if got := encoded(snapshot(s)); !strings.Contains(string(got), `"coins":77`) {
			t.Errorf("the player on the copy has %s, want what the journal held", got)
		}
		return took
	}
	t.Run("IsSettledAfterALeaseOnTheSameClock", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, s := onShelf(t)
			kill := played(t, w, s.db("a"))
			kill()
			time.Sleep(11 * time.Second)
			w.copies("shelf:a", "shelf:b")
			if took := opened(t, w, s.db("b")); took < 9*time.Second || took > 12*time.Second {
				t.Errorf("the take-over on the copy took %v, want about the lease's 10 s", took)
			}
		})
	})
	t.Run("IsSettledAtOnceOnAnotherClock", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "a.db")
		func() {
			w, _ := onShelf(t)
			live := openFile(t, filepath.Join(t.TempDir(), "live.db"))
			played(t, w, live)
			if err := live.Backup(t.Context(), path, nil); err != nil {
				t.Fatal(err)
			}
		}()
		// Its machine has died, and with it the boot of its clock.
		execSQL(t, path, "UPDATE boots SET name = 'another'")
		for _, to := range []string{"shelf:b", fileURL(filepath.Join(t.TempDir(), "b.db"))} {
			w, s := onShelf(t)
			w.copies(fileURL(path), to)
			var db driver.DB = s.db("b")
			if p, ok := strings.CutPrefix(to, "sqlite:"); ok {
				u, _ := url.Parse("sqlite:" + p)
				db = openFile(t, u.Path)
			}
			if took := opened(t, w, db); took > 5*time.Second {
				t.Errorf("the take-over on %s took %v, want no wait for the lease's 10 s", to, took)
			}
		}
	})
	t.Run("IsSettledIfItWasSealed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, s := onShelf(t)
			g := w.game(kept{s.db("a")}, session.Options{Name: "hurried"})
			p := g.open(t, key.String())
			set(t, p, "coins", "77")
			if err := p.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			seal(t, s.db("a"))
			w.copies("shelf:a", "shelf:b")
			if took := opened(t, w, s.db("b")); took > time.Second {
				t.Errorf("the take-over on the copy took %v, want it at once", took)
			}
			g.close(closed())
		})
	})
}

// seal seals the one lease in a database.
func seal(t *testing.T, db *mem.DB) {
	t.Helper()
	snap, err := db.List(t.Context(), driver.Query{Prefix: "~lease/"})
	if err != nil || len(snap.Entries) != 1 {
		t.Fatalf("leases = %v, %v, want one", snap.Entries, err)
	}
	e := snap.Entries[0]
	sealed := strings.TrimSuffix(string(e.Value), "}") + `,"sealed":{"by":"test","reason":"test"}}`
	puts(t, db, driver.Write{Key: e.Key, Version: e.Version, Value: []byte(sealed)})
}

func TestDatabaseName(t *testing.T) {
	here, err := filepath.Abs("a b.db")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"sqlite:a%20b.db":    "sqlite:" + here,
		"sqlite:///srv/a.db": "sqlite:/srv/a.db",
		"sqlite:./x/../y.db": "sqlite:" + filepath.Join(filepath.Dir(here), "y.db"),
		"postgres://u:secret@db.example:5432/game?sslmode=require&password=secret&sslpassword=secret": "postgres://db.example:5432/game",
		"postgresql:///game?host=/run/pg&schema=x&user=secret&passfile=secret":                        "postgres:///game?host=%2Frun%2Fpg&schema=x",
	} {
		if got, err := databaseName(text); err != nil || got != want {
			t.Errorf("databaseName(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
	if got, err := databaseName("postgres://u:se cret@%zz"); err == nil || strings.Contains(err.Error(), "cret") {
		t.Errorf("databaseName of a URL that is none = %q, %v, want an error without its password", got, fmt.Sprint(err))
	}
}
