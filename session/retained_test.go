package session_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// slotEntry is an entry of alice's that has versions.
const slotEntry = "player/alice/slot/1"

// attachRetained sets coins in an update, and attaches a write of the entry's.
func (w *world) attachRetained(s *session.Session, value string) {
	w.t.Helper()
	tx, err := s.Begin()
	if err == nil {
		err = tx.Set(document.Field("coins"), []byte("1"), false)
	}
	if err == nil {
		err = tx.AttachRetained(put(slotEntry, value))
	}
	if err == nil {
		err = session.Commit(false, tx)
	}
	if err != nil {
		w.t.Fatalf("attach to %v: %v", s.Key(), err)
	}
}

// values returns the values of all versions of the entry.
func (w *world) values() (all []string) {
	w.t.Helper()
	list, err := w.db.Versions(w.ctx, slotEntry)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, v := range list {
		e, err := w.db.ReadVersion(w.ctx, slotEntry, v.Version)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, string(e.Value))
	}
	return all
}

// TestVersionsOfAnAttachedEntry replaces an attached entry twice: by a save, and by each
// way that brings what was attached to disk.
func TestVersionsOfAnAttachedEntry(t *testing.T) {
	every, none := &driver.Retention{}, &driver.Retention{Every: -1}
	for _, c := range []struct {
		name  string
		third func(w *world, a, b host, s *session.Session)
	}{
		{"ByASave", func(w *world, _, _ host, s *session.Session) { w.save(s) }},
		{"ByAFinalSave", func(w *world, _, _ host, s *session.Session) { w.close(s) }},
		{"ByWhoTakesOver", func(w *world, a, b host, s *session.Session) {
			w.sync(s)
			a.kill()
			w.takeOver(b, alice)
		}},
		{"ByWhoSettles", func(w *world, a, _ host, s *session.Session) {
			w.sync(s)
			a.kill()
			time.Sleep(time.Minute)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for retention, want := range map[*driver.Retention][]string{every: {"one", "two", "three"}, none: {"three"}} {
				bubble(t, func(w *world) {
					o := &session.Options{Retention: retention}
					a, b := w.server("a", o), w.server("b", o)
					s := w.open(a, alice)
					for _, value := range []string{"one", "two"} {
						w.attachRetained(s, value)
						w.save(s)
					}
					unsaved(a)
					w.attachRetained(s, "three")
					if c.name == "ByASave" || c.name == "ByAFinalSave" {
						a.f.Use()
					}
					c.third(w, a, b, s)
					if got := w.values(); !slices.Equal(got, want) {
						t.Errorf("with the schedule %+v the versions are %q, want %q", *retention, got, want)
					}
				})
			}
		})
	}
	t.Run("GoWithADeletion", func(t *testing.T) {
		bubble(t, func(w *world) {
			s := w.open(w.server("a", &session.Options{Retention: every}), alice)
			for _, value := range []string{"one", "two"} {
				w.attachRetained(s, value)
				w.save(s)
			}
			w.attach(s, "2", deletion(slotEntry))
			w.save(s)
			if got := w.values(); got != nil {
				t.Errorf("the versions are %q, want none", got)
			}
		})
	})
	t.Run("AreOfWhatIsWrittenOnly", func(t *testing.T) {
		bubble(t, func(w *world) {
			s := w.open(w.server("a", nil), alice)
			for _, bad := range []driver.Write{deletion(slotEntry), message(letter, "hello"), {Key: slotEntry, Mode: driver.Always, Retain: every}} {
				tx, err := s.Begin()
				if err != nil {
					t.Fatal(err)
				}
				if err := tx.AttachRetained(bad); !errors.Is(err, driver.ErrInvalid) {
					t.Errorf("AttachRetained(%+v) = %v, want ErrInvalid", bad, err)
				}
				session.Rollback(tx)
			}
		})
	})
}
