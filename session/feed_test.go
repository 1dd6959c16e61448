package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// reader reads the world's database without a server.
func (w *world) reader() *session.Reader {
	w.t.Helper()
	db, err := store.New(open{w.db}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = db.Close(context.Background()) })
	return session.NewReader(db, document.Limits{})
}

// streams returns the streams of the feed.
func (w *world) streams() *session.Streams {
	w.t.Helper()
	s, err := w.reader().Streams(w.ctx)
	if err != nil {
		w.t.Fatalf("Streams: %v", err)
	}
	return s
}

// changes sets a field so often, each time in an append of its own.
func (w *world) changes(s *session.Session, times int) {
	w.t.Helper()
	for i := range times {
		if err := change(s, false, true, "n", fmt.Sprint(i+1)); err != nil {
			w.t.Fatalf("change %v: %v", s.Key(), err)
		}
		w.sync(s)
	}
}

func TestFeedIsWrittenWithTheJournal(t *testing.T) {
	t.Run("AndOnlyIfAskedFor", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			w.changes(w.open(a, alice), 3)
			if keys := w.keys("~feed"); len(keys) > 0 {
				t.Errorf("without Options.Feed there are %q, want nothing", keys)
			}
		})
	})
	t.Run("AndStaysWhenThatIsTrimmed", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", &session.Options{Feed: time.Hour})
			s := w.open(a, alice)
			w.changes(s, 3)
			lease := a.LeaseID()
			w.close(s)
			w.shut(a)
			if keys := w.keys("~journal/"); len(keys) > 0 {
				t.Errorf("journal %q, want none after a clean end", keys)
			}
			if keys := w.keys("~feed/" + lease + "/"); len(keys) != 3 {
				t.Errorf("feed %q, want 3 entries", keys)
			}
		})
	})
	t.Run("InOneCommit", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", &session.Options{Feed: time.Hour})
			s := w.open(a, alice)
			a.f.Use(func(c *faulty.Call) faulty.Fault {
				if c.Op == faulty.Commit && writes("~journal/")(c) != writes("~feed/")(c) {
					t.Errorf("a commit writes %q, want journal and feed together", c.Keys)
				}
				return faulty.Fault{}
			})
			w.changes(s, 3)
			w.save(s)
		})
	})
	t.Run("WithTheBirthOfEachPlayer", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", &session.Options{Feed: time.Hour})
			s, p := w.open(a, alice), w.open(a, bob)
			w.setAll("n", "1", s, p)
			w.sync(s)
			lease, err := driver.ParseVersion(a.LeaseID())
			if err != nil {
				t.Fatal(err)
			}
			entries, more, err := w.reader().Feed(w.ctx, session.FeedQuery{Lease: lease, Limit: 10})
			if err != nil || more || len(entries) != 1 || len(entries[0].Records) != 2 {
				t.Fatalf("Feed = %+v, more %v, error %v, want one entry of two records", entries, more, err)
			}
			for i, s := range []*session.Session{s, p} {
				r := entries[0].Records[i]
				if r.Key != s.Key() || r.Birth != s.Birth() || r.Session.String() != s.ID() || r.Revision != 1 || r.Whole || len(r.Delta) != 1 {
					t.Errorf("record %d = %+v, want that of %v", i, r, s.Key())
				}
			}
		})
	})
	t.Run("ByToolsIfTheServersDo", func(t *testing.T) {
		bubble(t, func(w *world) {
			tool := w.server("tool", &session.Options{Feed: session.FeedIfKept})
			w.changes(w.open(tool, alice), 1)
			if keys := w.keys("~feed"); len(keys) > 0 {
				t.Errorf("where no feed is kept there are %q, want nothing", keys)
			}
			w.shut(tool)
			w.server("a", &session.Options{Feed: time.Hour})
			tool = w.server("tool", &session.Options{Feed: session.FeedIfKept})
			w.changes(w.open(tool, alice), 1)
			if keys := w.keys("~feed/" + tool.LeaseID()); len(keys) != 1 {
				t.Errorf("where a feed is kept there are %q of the tool, want one entry", keys)
			}
			i := slices.IndexFunc(w.streams().List, func(s session.Stream) bool { return s.Server == "tool" })
			if i < 0 || w.streams().List[i].Keep != time.Hour {
				t.Errorf("streams %+v, want the tool's to be kept for as long as the others'", w.streams().List)
			}
		})
	})
	t.Run("WithinBounds", func(t *testing.T) {
		bubble(t, func(w *world) {
			db, err := store.New(open{w.db}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close(w.ctx)
			for _, d := range []time.Duration{-2, session.MinFeed - 1, session.MaxFeed + 1} {
				if _, err := session.Open(w.ctx, db, &session.Options{Feed: d}); !errors.Is(err, driver.ErrInvalid) {
					t.Errorf("Open with a feed of %v = %v, want ErrInvalid", d, err)
				}
			}
		})
	})
}

func TestFeedIsPruned(t *testing.T) {
	const keep = 10 * time.Second
	t.Run("WhenItIsOld", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", &session.Options{Feed: keep})
			s := w.open(a, alice)
			w.changes(s, 600) // more than are deleted at once
			time.Sleep(keep / 2)
			w.changes(s, 2)
			if keys := w.keys("~feed/"); len(keys) != 602 {
				t.Fatalf("%d entries after half their time, want 602", len(keys))
			}
			time.Sleep(keep*3/4 + keep/16)
			keys, streams := w.keys("~feed/"), w.streams()
			if len(keys) != 2 {
				t.Fatalf("%d entries, want the 2 that are young", len(keys))
			}
			if len(streams.List) != 1 || streams.List[0].Pruned != 600 || streams.List[0].Ended {
				t.Errorf("streams %+v, want one that says that it was pruned up to 600", streams.List)
			}
		})
	})
	t.Run("AfterThatWasNoted", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", &session.Options{Feed: keep})
			w.changes(w.open(a, alice), 3)
			a.f.Use(func(c *faulty.Call) faulty.Fault {
				if c.Op == faulty.DeleteRange && strings.HasPrefix(c.Keys[0], "~feed/") {
					if s := w.streams().List; s[0].Pruned != 3 {
						t.Errorf("entries are deleted while the stream says %d, want 3", s[0].Pruned)
					}
					return faulty.Fault{Err: driver.ErrReadOnly} // and it dies of that
				}
				return faulty.Fault{}
			})
			time.Sleep(2 * keep)
			a.f.Use()
			w.changes(w.open(a, alice), 1)
			time.Sleep(2 * keep)
			if keys := w.keys("~feed/"); len(keys) > 0 {
				t.Errorf("entries %q are left, want none: the next time deletes them too", keys)
			}
		})
	})
	t.Run("ByOthersWhenItsServerIsGone", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", &session.Options{Feed: keep})
			w.changes(w.open(a, alice), 3)
			idle := w.server("idle", &session.Options{Feed: keep})
			w.server("b", &session.Options{Feed: keep})
			w.shut(a)
			w.shut(idle)
			time.Sleep(keep / 2)
			for _, s := range w.streams().List {
				if s.Ended != (s.Server != "b") {
					t.Errorf("stream of %q: ended %v after its server's end", s.Server, s.Ended)
				}
			}
			if got := len(w.keys("~feed/")); got != 3 {
				t.Errorf("%d entries of a server that is gone, want 3 for their time", got)
			}
			time.Sleep(5 * keep)
			s := w.streams()
			if len(s.List) != 1 || s.Removed != 2 || len(w.keys("~feed/")) > 0 {
				t.Errorf("streams %+v, %d removed, entries %q; want one, 2 and none", s.List, s.Removed, w.keys("~feed/"))
			}
		})
	})
	t.Run("NotWhileAnotherServerLives", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", &session.Options{Feed: time.Hour})
			w.server("b", &session.Options{Feed: session.MinFeed})
			w.changes(w.open(a, alice), 3)
			time.Sleep(keep)
			if got := len(w.keys("~feed/")); got != 3 {
				t.Errorf("%d entries of a server that lives, want 3", got)
			}
		})
	})
	t.Run("BySeveralAtOnce", func(t *testing.T) {
		bubble(t, func(w *world) {
			for i := range 3 {
				a := w.server("gone", &session.Options{Feed: keep})
				w.changes(w.open(a, alice), i)
				w.shut(a)
			}
			for range 4 {
				w.server("b", &session.Options{Feed: keep})
			}
			time.Sleep(10 * keep)
			if s := w.streams(); len(s.List) != 4 || s.Removed != 3 {
				t.Errorf("%d streams, %d removed; want 4 and 3", len(s.List), s.Removed)
			}
		})
	})
}

func TestStreamsThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		key, value string
		want       error
	}{
		"NewerFormat":   {"~feeds/041061050O00002D0000000000", `{"format":2,"keep_ms":1000}`, driver.ErrFormat},
		"NewerCount":    {"~feeds", `{"format":2,"removed":1}`, driver.ErrFormat},
		"NoJSON":        {"~feeds/041061050O00002D0000000000", `{`, driver.ErrCorrupt},
		"NoLease":       {"~feeds/x", `{"format":1,"keep_ms":1000}`, driver.ErrInvalid},
		"KeptForNoTime": {"~feeds/041061050O00002D0000000000", `{"format":1}`, driver.ErrCorrupt},
	} {
		t.Run(name+"IsToldByName", func(t *testing.T) {
			bubble(t, func(w *world) {
				w.put(c.key, c.value)
				_, err := w.reader().Streams(w.ctx)
				if !errors.Is(err, c.want) || !strings.Contains(err.Error(), strings.TrimPrefix(c.key, "~feeds/")) {
					t.Errorf("Streams = %v, want %v that names %q", err, c.want, c.key)
				}
			})
		})
	}
	t.Run("ADamagedOneIsToldByName", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", &session.Options{Feed: time.Hour})
			key := "~feeds/" + a.LeaseID()
			if err := w.db.Damage(key); err != nil {
				t.Fatal(err)
			}
			if _, err := w.reader().Streams(w.ctx); !errors.Is(err, driver.ErrCorrupt) || !strings.Contains(err.Error(), key) {
				t.Errorf("Streams = %v, want ErrCorrupt that names %q", err, key)
			}
			synctest.Wait()
		})
	})
}
