package profile_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// freeze holds a profile still, as a trade with another server does.
func (w *world) freeze(p *profile.Profile) *session.Frozen {
	w.Helper()
	announced, err := p.Server().Session().Announce()
	if err != nil {
		w.Fatalf("Announce: %v", err)
	}
	f, err := p.Session().Freeze(w.ctx, announced)
	if err != nil {
		w.Fatalf("Freeze: %v", err)
	}
	return f
}

func TestUpdateOfAProfileThatIsHeldStill(t *testing.T) {
	t.Run("WaitsWithoutItsLock", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("s", nil), "a")
			f := w.freeze(p)
			done := make(chan error, 1)
			go func() { done <- p.Update(func(tx *profile.Tx) error { return coins.Add(tx, 1) }) }()
			synctest.Wait()
			if got := coins.Get(p); got != 500 {
				t.Errorf("coins = %d, want 500", got)
			}
			f.Release()
			if err := <-done; err != nil {
				t.Errorf("Update = %v, want nil after the release", err)
			}
		})
	})
	t.Run("IsBusyAfterTheLimit", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("s", nil), "a")
			defer w.freeze(p).Release()
			began := time.Now()
			err := p.Update(func(*profile.Tx) error { t.Error("the update was made"); return nil })
			if took := time.Since(began); !errors.Is(err, profile.ErrBusy) || !errors.Is(err, session.ErrFrozen) || took != 100*time.Millisecond {
				t.Errorf("Update = %v after %v, want ErrBusy and ErrFrozen after 100ms", err, took)
			}
		})
	})
	t.Run("IsMadeOnceHoweverManyFreezesComeBefore", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("s", nil), "a")
			f, calls := w.freeze(p), 0
			done := make(chan error, 1)
			go func() { done <- p.Update(func(*profile.Tx) error { calls++; return nil }) }()
			for range 3 {
				time.Sleep(10 * time.Millisecond)
				next := make(chan *session.Frozen, 1)
				go func() { next <- w.freeze(p) }()
				synctest.Wait()
				f.Release()
				f = <-next
			}
			f.Release()
			if err := <-done; err != nil || calls != 1 {
				t.Errorf("Update = %v after %d calls, want one", err, calls)
			}
		})
	})
	t.Run("FunctionThatFailsLikeThatIsNotCalledAgain", func(t *testing.T) {
		bubble(t, func(w *world) {
			p, calls := w.load(w.server("s", nil), "a"), 0
			err := p.Update(func(*profile.Tx) error { calls++; return session.ErrFrozen })
			if err != session.ErrFrozen || calls != 1 {
				t.Errorf("Update = %v after %d calls, want its own error after one", err, calls)
			}
		})
	})
}

func TestUpdateAllWaitsForTheOneThatIsHeldStill(t *testing.T) {
	bubble(t, func(w *world) {
		srv := w.server("s", nil)
		p, q := w.load(srv, "a"), w.load(srv, "b")
		f := w.freeze(q)
		done := make(chan error, 1)
		go func() {
			done <- profile.UpdateAll([]*profile.Profile{p, q}, func(txs []*profile.Tx) error {
				return errors.Join(coins.Add(txs[0], -1), coins.Add(txs[1], 1))
			})
		}()
		synctest.Wait()
		w.update(p, func(tx *profile.Tx) { _ = coins.Add(tx, 10) }) // the other one is not locked meanwhile
		f.Release()
		if err := <-done; err != nil {
			t.Errorf("UpdateAll = %v", err)
		}
		if a, b := coins.Get(p), coins.Get(q); a != 509 || b != 501 {
			t.Errorf("coins = %d and %d, want 509 and 501", a, b)
		}
	})
}
