package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/store"
)

func TestBefore(t *testing.T) {
	// behind starts an attempt that must be sent within a second, while another
	// on the same key has been on its way for a time.
	behind := func(e *env, hold time.Duration) (late, next <-chan error) {
		e.drv.Use(faulty.All(faulty.Fault{Hold: true}, faulty.Commit))
		first := e.start(e.put(store.Waited, "a"))
		at := e.put(store.Waited, "a")
		at.Before = time.Now().Add(time.Second)
		late, next = e.start(at), e.start(e.put(store.Waited, "a"))
		time.Sleep(hold)
		e.drv.Use()
		e.drv.ReleaseAll()
		if err := e.ended(first); err != nil {
			e.Errorf("first attempt: %v", err)
		}
		return late, next
	}
	t.Run("WaitsForItsTurnUntilThen", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			late, next := behind(e, 900*time.Millisecond)
			if err := errors.Join(e.ended(late), e.ended(next)); err != nil {
				t.Errorf("attempts behind: %v", err)
			}
		})
	})
	t.Run("IsNotSentLater", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			late, next := behind(e, time.Second)
			if err := e.ended(late); !errors.Is(err, store.ErrLate) {
				t.Errorf("attempt whose time is over: %v, want ErrLate", err)
			}
			if err := e.ended(next); err != nil {
				t.Errorf("attempt behind it: %v", err)
			}
		})
	})
	t.Run("OnceSentItIsRepeated", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			e.drv.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}, faulty.Commit))
			at := e.put(store.Waited, "a")
			at.Before, at.Tries = time.Now().Add(time.Second), -1
			done := e.start(at)
			time.Sleep(10 * time.Second)
			e.drv.Use()
			time.Sleep(time.Minute)
			if err := e.ended(done); err != nil {
				t.Errorf("attempt that was sent in time: %v", err)
			}
		})
	})
}
