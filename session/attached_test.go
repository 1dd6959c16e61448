package session_test

import (
	"testing"

	"github.com/holdfast-games/holdfast/internal/faulty"
)

func TestAttached(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", nil)
		s := w.open(a, alice)
		check := func(when, want string) {
			t.Helper()
			got, ok := s.Attached(receipt)
			if ok != (want != "") || string(got.Value) != want {
				t.Errorf("Attached(%q) %s = %s, %v, want %q", receipt, when, got.Value, ok, want)
			}
		}
		check("before anything was attached", "")
		a.f.Use(every(faulty.Fault{Hold: true}, alice.String()))
		w.attach(s, "1", put(receipt, "one"))
		check("before the append", "one")
		if err := s.Sync(w.ctx); err != nil {
			t.Fatal(err)
		}
		check("with the save under way", "one")
		w.attach(s, "2", put(receipt, "two"), put("receipt/8", "other"))
		check("attached again meanwhile", "two")
		if err := s.Sync(w.ctx); err != nil {
			t.Fatal(err)
		}
		check("with one save under way and one to come", "two")
		w.attach(s, "3", deletion(receipt))
		if got, ok := s.Attached(receipt); !ok || !got.Delete {
			t.Errorf("Attached after a deletion = %+v, %v, want the deletion", got, ok)
		}
		a.wake()
		if err := s.Save(w.ctx); err != nil {
			t.Fatal(err)
		}
		check("after the save", "")
	})
}
