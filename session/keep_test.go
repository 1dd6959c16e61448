package session_test

import (
	"testing"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

func TestKeptUpdateMarksTheVersionThatHasIt(t *testing.T) {
	bubble(t, func(w *world) {
		s := w.open(w.server("a", nil), alice)
		for i, keep := range []bool{false, true, false} {
			tx, err := s.Begin()
			if err != nil {
				t.Fatal(err)
			}
			if err := tx.Set(document.Field("coins"), []byte{'0' + byte(i)}, false); err != nil {
				t.Fatal(err)
			}
			if keep {
				tx.Keep()
			}
			if err := session.Commit(false, tx); err != nil {
				t.Fatal(err)
			}
			if err := s.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			list, err := w.server("reader", nil).Versions(w.ctx, alice)
			if err != nil || list[len(list)-1].Marked != keep {
				t.Errorf("save %d: the version is marked: %v, %v, want %v", i, list[len(list)-1].Marked, err, keep)
			}
		}
	})
}
