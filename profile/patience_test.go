package profile_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// Two who open one player have contexts of their own: the one who gives up first
// decides nothing for the other.
func TestImpatientOpenerDoesNotSpoilTheLoadOfAPatientOne(t *testing.T) {
	bubble(t, func(w *world) {
		f := faulty.New(open{w.db})
		a := w.serverOn("a", f, player, nil)
		w.update(w.load(a, "alice"), func(tx *profile.Tx) { coins.Set(tx, 7) })
		if err := a.Profiles()[0].Save(w.ctx); err != nil {
			t.Fatal(err)
		}
		f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}))
		b := w.server("b", nil)
		patient := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
			defer cancel()
			p, err := b.Open(ctx, "alice", nil)
			if err == nil {
				err = p.Err()
			}
			if err == nil && coins.Get(p) != 7 {
				err = errors.New("other coins")
			}
			patient <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(w.ctx, time.Second)
		defer cancel()
		if p, err := b.Open(ctx, "alice", nil); !errors.Is(err, session.ErrLocked) || p != nil {
			t.Errorf("Open of the impatient one = %v, %v, want none and ErrLocked", p, err)
		}
		if err := <-patient; err != nil {
			t.Errorf("the patient one got %v, want the player", err)
		}
		if got, want := b.Session().Len(), len(b.Profiles()); got != want {
			t.Errorf("%d sessions and %d profiles", got, want)
		}
	})
}
