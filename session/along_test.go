package session_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/session"
)

// alongside has a session's saves take a number along.
type alongside struct {
	n   int
	err error
}

func (w *world) alongside(s *session.Session) *alongside {
	a := new(alongside)
	s.Lock()
	defer s.Unlock()
	s.TakeAlong(func(put func(field string, value []byte) error) {
		a.err = put("grown", []byte(strconv.Itoa(a.n)))
	})
	return a
}

func TestTakeAlong(t *testing.T) {
	grown := func(w *world, want string) {
		w.t.Helper()
		if got := string(w.root(alice).Data["grown"]); got != want {
			w.t.Errorf("the root has grown = %q, want %q", got, want)
		}
	}
	t.Run("IsInEverySaveAndNoReasonForOne", func(t *testing.T) {
		bubble(t, func(w *world) {
			s := w.open(w.server("a", nil), alice)
			along := w.alongside(s)
			along.n = 1
			before := s.Version()
			s.SaveSoon(session.CauseAutosave)
			time.Sleep(time.Minute)
			if s.Version() != before || s.Dirty() || w.get(s, "grown") != "" {
				t.Errorf("a clean session was saved: %v, dirty %v", s.Version() != before, s.Dirty())
			}
			w.set(s, "coins", "5")
			w.sync(s)
			along.n = 2
			s.SaveSoon(session.CauseAutosave)
			time.Sleep(time.Minute)
			grown(w, "2")
			if s.Dirty() {
				t.Error("the session is dirty after a save")
			}
			along.n = 3
			w.save(s)
			grown(w, "3")
			before = s.Version()
			w.save(s)
			if s.Version() != before {
				t.Error("a Save was made although nothing had grown")
			}
			along.n = 4
			w.close(s)
			grown(w, "4")
		})
	})
	t.Run("IsInTheRootWhenTheSessionStandsStillAndNotAfter", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			s := w.open(a, alice)
			along := w.alongside(s)
			along.n = 1
			v, err := a.Announce()
			if err != nil {
				t.Fatal(err)
			}
			f, err := s.Freeze(w.ctx, v)
			if err != nil {
				t.Fatal(err)
			}
			grown(w, "1")
			along.n = 2
			ctx, cancel := context.WithTimeout(w.ctx, time.Second)
			defer cancel()
			if err := s.Save(ctx); err != nil || s.Version() != f.Version() || w.get(s, "grown") != "1" {
				t.Errorf("Save of a session that stands still = %v; grown = %s, want it as it was", err, w.get(s, "grown"))
			}
			f.Release()
			w.save(s)
			grown(w, "2")
		})
	})
	t.Run("SurvivesASaveThatFails", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			s := w.open(a, alice)
			along := w.alongside(s)
			along.n = 1
			a.f.Use(every(faulty.Fault{Err: errors.New("refused")}, alice.String()))
			if err := s.Save(w.ctx); err == nil {
				t.Fatal("Save = nil, want the refusal")
			}
			a.f.Use()
			along.n = 2
			w.close(s)
			grown(w, "2")
		})
	})
	t.Run("WithAChangeThatWaitsForTheJournalItGoesThereToo", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			s, other := w.open(a, alice), w.open(a, bob)
			along := w.alongside(s)
			along.n = 1
			w.set(s, "coins", "1")
			w.sync(s)
			a.f.Use(every(faulty.Fault{Hold: true}, alice.String()))
			s.SaveSoon(session.CauseAutosave)
			synctest.Wait()
			w.setAll("coins", "2", s, other) // puts the lazy change that is being saved into the journal
			s.SaveSoon(session.CauseAutosave)
			along.n = 2
			a.wake()
			synctest.Wait() // the second save began, and holds what is before the group
			w.sync(s)
			a.kill()
			s = w.open(w.server("b", nil), alice)
			w.want(s, "coins", "2")
			w.want(s, "grown", "2")
		})
	})
	t.Run("NoRoomIsToldAndChangesNothing", func(t *testing.T) {
		bubble(t, func(w *world) {
			o := &session.Options{Limits: document.Limits{Size: 40}}
			s := w.open(w.server("a", o), alice)
			w.set(s, "coins", `"xxxxxxxxxxxxxxxxxxxxxxxx"`)
			along := w.alongside(s)
			along.n = 1
			w.save(s)
			if !errors.Is(along.err, document.ErrTooLarge) {
				t.Errorf("put = %v, want ErrTooLarge", along.err)
			}
			grown(w, "")
		})
	})
}
