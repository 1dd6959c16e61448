package session_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/session"
)

// act commits a change with a reason and an origin.
func act(t *testing.T, s *session.Session, value int, origin, reason string) {
	t.Helper()
	tx, err := s.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Set(document.Field("coins"), fmt.Append(nil, value), false); err != nil {
		t.Fatal(err)
	}
	tx.Because(reason)
	tx.Origin(origin)
	if err := session.Commit(true, tx); err != nil {
		t.Fatal(err)
	}
}

// newest returns the newest version of alice's.
func (w *world) newest() *session.VersionView { return w.newestWith("") }

// newestWith returns the newest version of alice's with a reason; the newest of all, if
// there is none or no reason is named.
func (w *world) newestWith(reason string) (newest *session.VersionView) {
	w.t.Helper()
	rd := w.server("reader", nil).Reader()
	list, err := rd.Versions(w.ctx, alice)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := len(list) - 1; i >= 0; i-- {
		v, err := rd.ReadVersion(w.ctx, alice, list[i].Version)
		if err != nil {
			w.t.Fatal(err)
		}
		if newest == nil || v.Reason == reason {
			newest = v
		}
		if v.Reason == reason || reason == "" {
			break
		}
	}
	return newest
}

func (w *world) says(v *session.VersionView, reason string, origins ...string) {
	w.t.Helper()
	if v.Reason != reason || !cmp.Equal(v.Origins, origins) || v.Marked != (len(origins) > 0) {
		w.t.Errorf("the version says %q, %v, marked: %v, want %q, %v, marked because of that", v.Reason, v.Origins, v.Marked, reason, origins)
	}
}

func TestOrigin(t *testing.T) {
	t.Run("IsInTheVersionWithTheUpdate", func(t *testing.T) {
		bubble(t, func(w *world) {
			s := w.open(w.server("a", nil), alice)
			act(t, s, 1, session.OriginTrade, "swap")
			act(t, s, 2, session.OriginPurchase, "")
			if err := s.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			v := w.newest()
			w.says(v, "swap", "trade", "purchase")
			if v.By != "a" || v.Birth != s.Birth() || v.Revision != s.Revision() {
				t.Errorf("version by %q, of %v at %d, want a, %v, %d", v.By, v.Birth, v.Revision, s.Birth(), s.Revision())
			}
			act(t, s, 3, "", "plain")
			if err := s.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			w.says(w.newest(), "plain")
		})
	})
	t.Run("SurvivesACrashBeforeTheSave", func(t *testing.T) {
		for _, settled := range []bool{false, true} {
			bubble(t, func(w *world) {
				a, b := w.server("a", nil), w.server("b", nil)
				s := w.open(a, alice)
				a.f.Use(every(faulty.Fault{Err: faulty.ErrDown}, "player/"))
				act(t, s, 1, session.OriginTrade, "swap")
				if err := s.Sync(w.ctx); err != nil {
					t.Fatal(err)
				}
				a.kill()
				if settled {
					time.Sleep(time.Minute)
				} else {
					w.open(b, alice)
				}
				w.says(w.newestWith("swap"), "swap", "trade") // who opens her may have settled her first
			})
		}
	})
	t.Run("IsKeptBeyondTheReasonsThatFit", func(t *testing.T) {
		bubble(t, func(w *world) {
			s := w.open(w.server("a", nil), alice)
			for i := range 20 {
				act(t, s, i, "", fmt.Sprint("reason ", i))
			}
			act(t, s, 99, session.OriginTrade, "one too many")
			if err := s.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			if v := w.newest(); !cmp.Equal(v.Origins, []string{"trade"}) {
				t.Errorf("origins = %v, want the trade", v.Origins)
			}
		})
	})
	t.Run("CannotBeForgedByAReason", func(t *testing.T) {
		bubble(t, func(w *world) {
			s := w.open(w.server("a", nil), alice)
			act(t, s, 1, "", "trade\x1fnot")
			act(t, s, 2, "No Origin", "two")
			if err := s.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			w.says(w.newest(), "trade not; two")
		})
	})
	t.Run("OfARootThatAnOlderServerWroteIsFoundInItsReason", func(t *testing.T) {
		bubble(t, func(w *world) {
			s := w.open(w.server("a", nil), alice)
			if err := s.Close(w.ctx); err != nil {
				t.Fatal(err)
			}
			snap, err := w.db.Read(w.ctx, alice.String())
			if err != nil {
				t.Fatal(err)
			}
			id, _ := driver.NewVersion(time.Now(), zeros{})
			value := fmt.Appendf(nil, `{"format":1,"birth":%q,"revision":1,"reason":"trade\u001fswap; plain","data":{}}`, s.Birth())
			b := driver.Batch{ID: id, Writes: []driver.Write{{Key: alice.String(), Version: snap.Entries[0].Version, Value: value}}}
			if _, err := w.db.Commit(w.ctx, driver.Group{Batches: []driver.Batch{b}}); err != nil {
				t.Fatal(err)
			}
			v := w.newest()
			if v.Reason != "swap; plain" || !cmp.Equal(v.Origins, []string{"trade"}) {
				t.Errorf("the version says %q, %v", v.Reason, v.Origins)
			}
		})
	})
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestStealCreatesItsRecordInTheCommitThatTakesTheKey(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.server("a", nil), w.server("b", nil)
		w.open(a, alice)
		record := driver.Write{Key: "~audit/x", Mode: driver.Once, Value: []byte("{}")}
		var with []string
		b.f.Use(func(c *faulty.Call) faulty.Fault {
			if c.Op == faulty.Commit && writes("~audit/")(c) {
				with = c.Keys
			}
			return faulty.Fault{}
		})
		if _, err := b.Open(w.ctx, alice, &session.OpenOptions{Steal: "hangs", StealWith: []driver.Write{record}}); err != nil {
			t.Fatal(err)
		}
		if len(with) != 2 || with[0] != "~lease/"+a.LeaseID() {
			t.Errorf("the record was written with %q, want the lease of a", with)
		}
		record.Mode = driver.Always
		if _, err := b.Open(w.ctx, bob, &session.OpenOptions{Steal: "hangs", StealWith: []driver.Write{record}}); err == nil {
			t.Error("a record that is not created was taken")
		}
	})
}
