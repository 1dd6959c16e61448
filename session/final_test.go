package session_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// A closing session's last changes go to disk with its final save or with their append,
// whichever comes first.
func TestFinalSaveHoldsTheLastChanges(t *testing.T) {
	journal := store.SystemKey("journal")
	record := driver.Write{Key: alice.String() + "/done/1", Mode: driver.Always, Value: []byte("1")}
	attach := func(t *testing.T, s *session.Session, value string) {
		t.Helper()
		tx, err := s.Begin()
		must(t, err)
		must(t, tx.Set(document.Field("coins"), []byte(value), false))
		must(t, tx.Attach(record))
		tx.Because("won")
		tx.Keep()
		must(t, session.Commit(false, tx))
	}
	t.Run("AloneInOneCommit", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			s := w.open(srv, alice)
			var told steps
			s.OnDurable(told.told)
			attach(t, s, "5")
			must(t, change(s, true, false, "clicks", "9"))
			appends := 0
			srv.f.Use(func(c *faulty.Call) faulty.Fault {
				if c.Op == faulty.Commit && writes(journal)(c) {
					appends++
				}
				return faulty.Fault{}
			})
			w.close(s)
			w.unlocked(alice, "coins", "5")
			if e := w.entry(record.Key); string(e.Value) != "1" {
				t.Errorf("what was attached is %q", e.Value)
			}
			time.Sleep(time.Second)
			if got := told.take(); !slices.Equal(got, []string{"0-1 coins=5", "1-1 clicks=9"}) || appends > 0 {
				t.Errorf("told %q, with %d appends; want each change once, with none", got, appends)
			}
			list, err := srv.Versions(w.ctx, alice)
			must(t, err)
			last := list[len(list)-1]
			v, err := srv.ReadVersion(w.ctx, alice, last.Version)
			if err != nil || !last.Marked || v.Reason != "won" {
				t.Errorf("the last version is marked: %v, with the reason %q, %v; want it marked, with the update's reason", last.Marked, v.Reason, err)
			}
		})
	})
	t.Run("RingsForMessages", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, rung := w.server("a", nil), make(chan error, 1)
			b := w.server("b", &session.Options{Rung: func(*session.Session) {
				select {
				case rung <- nil:
				default:
				}
			}})
			s := w.open(a, alice)
			w.open(b, bob)
			tx, err := s.Begin()
			must(t, err)
			must(t, tx.Attach(driver.Write{Key: bob.String() + "/mail/1", Mode: driver.Once, Value: []byte("gift")}))
			must(t, session.Commit(false, tx))
			w.close(s)
			must(t, within(w, time.Minute, "ring", rung))
		})
	})
	t.Run("OfAGroupAfterTheirAppend", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			s, other := w.open(srv, alice), w.open(srv, bob)
			w.setAll("coins", "5", s, other)
			srv.f.Use(every(faulty.Fault{Hold: true}, journal))
			closed := background(func() error { return s.Close(w.ctx) })
			time.Sleep(time.Second)
			pending(w, "Close", closed)
			if r := w.root(alice); r.Lock == nil || r.Data["coins"] != nil {
				t.Errorf("the root holds %s before the group is in the journal", r.Data)
			}
			srv.wake()
			must(t, within(w, time.Second, "Close", closed))
			w.unlocked(alice, "coins", "5")
		})
	})
	t.Run("AfterTheirAppendIfThereAreFollowers", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", &session.Options{Feed: time.Hour})
			s := w.open(srv, alice)
			w.set(s, "coins", "5")
			w.close(s)
			if keys := w.keys(store.SystemKey("feed") + "/"); len(keys) != 1 {
				t.Errorf("in the feed is %q, want the change", keys)
			}
		})
	})
	t.Run("WithTheirAppendIfTheSaveTakesLong", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			s := w.open(srv, alice)
			srv.f.Use(every(faulty.Fault{Hold: true}, alice.String()))
			attach(t, s, "5")
			closed := background(func() error { return s.Close(w.ctx) })
			time.Sleep(time.Second)
			pending(w, "Close", closed)
			must(t, within(w, time.Second, "Sync", background(func() error { return s.Sync(w.ctx) })))
			srv.kill()
			taken := w.open(w.server("b", nil), alice)
			w.want(taken, "coins", "5")
			if e := w.entry(record.Key); string(e.Value) != "1" {
				t.Errorf("what was attached is %q", e.Value)
			}
		})
	})
	for name, faults := range map[string]map[string]faulty.Fault{
		"BeforeTheirAppend": {alice.String(): {Err: driver.ErrReadOnly}, journal: {Hold: true}},
		"AfterTheirAppend":  {alice.String(): {Err: driver.ErrReadOnly, Hold: true}},
	} {
		t.Run("RefusedSaveGivesThemBack"+name, func(t *testing.T) {
			bubble(t, func(w *world) {
				srv := w.server("a", nil)
				s := w.open(srv, alice)
				attach(t, s, "5")
				var plans []faulty.Plan
				for prefix, fault := range faults {
					plans = append(plans, every(fault, prefix))
				}
				srv.f.Use(plans...)
				closed := background(func() error { return s.Close(w.ctx) })
				time.Sleep(time.Second)
				for _, c := range srv.f.Waiting() {
					if writes(alice.String())(c) {
						srv.f.Release(c)
					}
				}
				if err := within(w, time.Minute, "Close", closed); !errors.Is(err, driver.ErrReadOnly) {
					t.Fatalf("Close = %v, want ErrReadOnly", err)
				}
				w.set(s, "level", "6")
				srv.wake()
				w.close(s)
				w.unlocked(alice, "coins", "5")
				w.unlocked(alice, "level", "6")
				if e := w.entry(record.Key); string(e.Value) != "1" {
					t.Errorf("what was attached is %q", e.Value)
				}
			})
		})
	}
	t.Run("LostAnswer", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			s := w.open(srv, alice)
			attach(t, s, "5")
			srv.f.Use(once(faulty.Fault{Lost: true}, writes(alice.String())))
			w.close(s)
			w.unlocked(alice, "coins", "5")
			w.shut(srv)
			if keys := w.keys(journal); len(keys) > 0 {
				t.Errorf("in the journal is %q", keys)
			}
		})
	})
	t.Run("JournalIsNotPinnedByThem", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			s := w.open(srv, alice)
			srv.f.Use(every(faulty.Fault{HoldAnswer: true}, journal))
			w.set(s, "coins", "5")
			synced := background(func() error { return s.Sync(w.ctx) })
			synctest.Wait()
			w.close(s)
			must(t, within(w, time.Second, "Sync", synced))
			srv.wake()
			time.Sleep(2 * time.Second)
			other := w.open(srv, bob)
			w.set(other, "coins", "1")
			w.save(other)
			time.Sleep(2 * time.Second)
			if keys := w.keys(journal); len(keys) > 0 {
				t.Errorf("in the journal is %q", keys)
			}
		})
	})
}
