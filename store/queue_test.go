package store_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/store"
)

// queue starts one set of a key for each value, in their order, and returns
// where their outcomes will be.
func (e *env) queue(ctx context.Context, s *store.Store, key string, values ...string) []<-chan error {
	var all []<-chan error
	for _, value := range values {
		done := make(chan error, 1)
		all = append(all, done)
		go func() {
			_, err := s.Set(ctx, key, []byte(value), nil)
			done <- err
		}()
		synctest.Wait()
	}
	return all
}

func TestQueue(t *testing.T) {
	hold := faulty.All(faulty.Fault{Hold: true}, faulty.Commit)
	t.Run("RequestsOnOneKeyGoInTheirOrderAndOthersAtTheSameTime", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			e.drv.Use(faulty.All(faulty.Fault{Hold: true}, faulty.Read))
			var order []string
			for _, value := range []string{"1", "2", "3"} {
				go s.Update(e.ctx, "a", func(store.Entry) ([]byte, error) {
					order = append(order, value)
					return []byte(value), nil
				}, nil)
				synctest.Wait()
			}
			e.queue(e.ctx, s, "b", "1")
			if calls := e.drv.Waiting(); len(calls) != 2 {
				t.Fatalf("in flight: %s, want a read of a and one of b", describe(calls))
			}
			for range 4 {
				e.drv.ReleaseAll()
				synctest.Wait()
			}
			if diff := cmp.Diff([]string{"1", "2", "3"}, order); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("LengthCountsTheRunningRequest", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			e.drv.Use(hold)
			if n := s.QueueLen("a"); n != 0 {
				t.Errorf("QueueLen before = %d, want 0", n)
			}
			e.queue(e.ctx, s, "a", "1", "2", "3")
			if a, b, none := s.QueueLen("a"), s.QueueLen("b"), s.QueueLen(""); a != 3 || b != 0 || none != 0 {
				t.Errorf("QueueLen of a, b and a bad key = %d, %d, %d, want 3, 0, 0", a, b, none)
			}
			for want := 2; want >= 0; want-- {
				e.step()
				synctest.Wait()
				if n := s.QueueLen("a"); n != want {
					t.Errorf("QueueLen = %d, want %d", n, want)
				}
			}
		})
	})
	t.Run("IdleWaitsForAllQueues", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			if err := e.db.Idle(e.ctx); err != nil {
				t.Errorf("Idle at first: %v", err)
			}
			e.drv.Use(hold)
			e.queue(e.ctx, e.store("players"), "a", "1", "2")
			e.queue(e.ctx, e.store("guilds"), "b", "1")
			ctx, cancel := context.WithTimeout(e.ctx, time.Second)
			defer cancel()
			if err := e.db.Idle(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Idle: %v, want the deadline", err)
			}
			idle := make(chan error, 1)
			go func() { idle <- e.db.Idle(e.ctx) }()
			for range 3 {
				e.open(idle)
				e.step()
			}
			if err := e.ended(idle); err != nil {
				t.Errorf("Idle: %v", err)
			}
		})
	})
	t.Run("SkipToLastFailsAllThatWaitButTheLast", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s, other := e.store("players"), e.store("guilds")
			e.drv.Use(hold)
			a := e.queue(e.ctx, s, "a", "1", "2", "3", "4")
			b := e.queue(e.ctx, s, "b", "1", "2")
			c := e.queue(e.ctx, other, "a", "1", "2", "3")
			if n := s.SkipToLast(); n != 2 {
				t.Errorf("SkipToLast() = %d, want 2", n)
			}
			for i, done := range a[1:3] {
				if err := e.ended(done); !errors.Is(err, store.ErrSkipped) {
					t.Errorf("request %d on a: %v, want ErrSkipped", i+2, err)
				}
			}
			if n := s.SkipToLast(); n != 0 {
				t.Errorf("second SkipToLast() = %d, want 0", n)
			}
			e.drv.Use()
			e.drv.ReleaseAll()
			for _, done := range []<-chan error{a[0], a[3], b[0], b[1], c[0], c[1], c[2]} {
				if err := e.ended(done); err != nil {
					t.Errorf("request that was not skipped: %v", err)
				}
			}
			e.holds(s, "a", "4")
			e.holds(s, "b", "2")
			e.holds(other, "a", "3")
		})
	})
	t.Run("CallerWhoLeavesTheQueueIsNotServed", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			e.drv.Use(hold)
			ctx, cancel := context.WithCancelCause(e.ctx)
			first := e.queue(e.ctx, s, "a", "1")
			second := e.queue(ctx, s, "a", "2")
			third := e.queue(e.ctx, s, "a", "3")
			left := errors.New("player left")
			cancel(left)
			if err := e.ended(second[0]); !errors.Is(err, left) || errors.Is(err, store.ErrUncertain) {
				t.Errorf("second request: %v, want the context's cause, for certain", err)
			}
			made := e.record()
			e.drv.ReleaseAll()
			if err1, err3 := e.ended(first[0]), e.ended(third[0]); err1 != nil || err3 != nil {
				t.Errorf("first and third request: %v, %v", err1, err3)
			}
			if len(made.keys) != 1 {
				t.Errorf("%d commits after the first, want that of the third", len(made.keys))
			}
			e.holds(s, "a", "3")
		})
	})
}
