package main

import (
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/postgres"
	"github.com/holdfast-games/holdfast/session"
)

// openServer opens a database on a PostgreSQL server until the test ends.
func openServer(t *testing.T, url string) driver.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestCopyToPostgres(t *testing.T) {
	t.Run("AndBackIsTheSame", func(t *testing.T) {
		w, _ := onShelf(t)
		dir, server := t.TempDir(), pgtest.URL(t)
		a, b := filepath.Join(dir, "a.db"), filepath.Join(dir, "b.db")
		from := openFile(t, a)
		stock(t, from, 3000)
		there := w.copies(fileURL(a), server)
		same(t, from, openServer(t, server))
		back := w.copies(server, fileURL(b))
		same(t, from, openFile(t, b))
		if there.From.Checksum != back.To.Checksum {
			t.Errorf("the checksum %s became %s on the way", there.From.Checksum, back.To.Checksum)
		}
		if u, err := url.Parse(server); err != nil || there.To.Database != "postgres://"+u.Host+u.Path {
			t.Errorf("the report names %q (%v), want the server and database of %s alone", there.To.Database, err, server)
		}
	})
	t.Run("GoesOnWhereItStopped", func(t *testing.T) {
		w, s := onShelf(t)
		server := pgtest.URL(t)
		stock(t, s.db("a"), 2*runKeys)
		n := 0
		s.read = func(q driver.RecordQuery) error {
			if n++; n > 5 {
				return driver.ErrCorrupt
			}
			return nil
		}
		w.run("copy", "shelf:a", server).is(exitError)
		s.read = nil
		w.url = server
		w.run("import", "-").is(exitError, "unfinished", "from shelf:a")
		w.url = ""
		w.run("copy", "shelf:other", server).is(exitError, "unfinished copy of shelf:a")
		puts(t, s.db("a"), always("player/000000", "changed"), driver.Write{Key: "player/000002", Mode: driver.Always, Delete: true})
		if got := w.copies("shelf:a", server); got.Moved == 0 || got.Moved >= int(got.From.Entries) {
			t.Errorf("the second run moved %d of %d entries, want a part", got.Moved, got.From.Entries)
		}
		same(t, s.db("a"), openServer(t, server))
		w.run("copy", "shelf:a", server).is(exitError, "holds data")
	})
	t.Run("KeepsWhatACrashedServerLeft", func(t *testing.T) {
		// Its machine has died: there its lease has ended. A server of PostgreSQL
		// knows of no boots, and waits as long as the lease is.
		path := filepath.Join(t.TempDir(), "a.db")
		w, _ := onShelf(t)
		live := openFile(t, filepath.Join(t.TempDir(), "live.db"))
		g := w.game(kept{live}, session.Options{Name: "crashed", Lease: session.MinLease})
		defer g.close(closed())
		s := g.open(t, "player/1")
		set(t, s, "coins", "77")
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := live.Backup(t.Context(), path, nil); err != nil {
			t.Fatal(err)
		}
		execSQL(t, path, "UPDATE boots SET name = 'another'")
		server := pgtest.URL(t)
		w.copies(fileURL(path), server)
		next := w.game(kept{openServer(t, server)}, session.Options{Name: "next", Lease: session.MinLease})
		defer next.close(t.Context())
		if got := encoded(snapshot(next.open(t, "player/1"))).String(); got != `{"coins":77}` {
			t.Errorf("the player on the copy has %s, want what the journal held", got)
		}
	})
	t.Run("TakesTimesAsTheyAre", func(t *testing.T) {
		w, s := onShelf(t)
		at := time.Date(2020, 1, 2, 3, 4, 5, 6789, time.UTC)
		v := driver.RecordVersion{Version: newVersion(), Value: []byte("x"), Updated: driver.Moment{Wall: at, Boot: "here", Tick: 5}, Marked: true}
		v.Sum = driver.Sum("k", v.Version, v.Value)
		r := driver.Record{Key: "k", Created: at.AddDate(-1900, 0, 0), Recent: []driver.Version{v.Version}, Present: v}
		if _, err := s.db("a").WriteRecords(t.Context(), driver.Transfer{Records: []driver.Record{r}}); err != nil {
			t.Fatal(err)
		}
		server := pgtest.URL(t)
		w.copies("shelf:a", server)
		got := contents(t, openServer(t, server))
		if diff := cmp.Diff([]driver.Record{r}, got, toMicro); diff != "" {
			t.Errorf("the copy holds (-want +got):\n%s", diff)
		}
		if m := got[0].Present.Updated; m.Boot != "" || m.Tick != time.Duration(m.Wall.UnixNano()) {
			t.Errorf("the copy was written at %+v, want a moment of its own clock", m)
		}
	})
}
