package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/store"
)

func TestReadsThatWaitTravelTogether(t *testing.T) {
	info := driver.Info{Name: "mem", Writers: 1, Readers: 1, Group: 64}
	// crowd starts a read that hangs, and n more behind it, one for each key.
	crowd := func(e *env, ctx context.Context, n int) []<-chan error {
		e.drv.Use(faulty.All(faulty.Fault{Hold: true}, faulty.Read))
		ends := make([]<-chan error, n+1)
		for i := range ends {
			end := make(chan error, 1)
			ends[i] = end
			key := fmt.Sprint(i)
			go func() {
				snap, err := e.db.Read(ctx, key, "none")
				if err == nil && (len(snap.Entries) != 2 || string(snap.Entries[0].Value) != "v"+key || snap.Entries[1].Key != "none") {
					err = fmt.Errorf("read of %q has %+v", key, snap.Entries)
				}
				end <- err
			}()
			synctest.Wait()
		}
		return ends
	}
	fill := func(e *env, n int) {
		for i := range n + 1 {
			at := e.put(store.Waited, fmt.Sprint(i))
			at.Batch.Writes[0].Value = []byte("v" + fmt.Sprint(i))
			if err := e.ended(e.start(at)); err != nil {
				e.Fatalf("write: %v", err)
			}
		}
	}
	t.Run("EachGetsWhatItAskedFor", func(t *testing.T) {
		bubbleOf(t, info, nil, func(e *env) {
			const n = 100
			fill(e, n)
			ends := crowd(e, e.ctx, n)
			calls := 0
			for ; len(e.drv.Waiting()) > 0; calls++ {
				for _, c := range e.drv.Waiting() {
					e.drv.Release(c)
				}
				synctest.Wait()
			}
			for i, end := range ends {
				if err := e.ended(end); err != nil {
					t.Errorf("read %d: %v", i, err)
				}
			}
			if want := 1 + (n+31)/32; calls != want { // 64 keys in a call, two of each read
				t.Errorf("%d reads took %d calls, want %d", n+1, calls, want)
			}
		})
	})
	t.Run("AFailureIsEverybodysToRepeat", func(t *testing.T) {
		bubbleOf(t, info, nil, func(e *env) {
			fill(e, 5)
			ends := crowd(e, e.ctx, 5)
			e.drv.Use(faulty.Nth(faulty.Read, faulty.Fault{Err: faulty.ErrDown}, 2))
			e.drv.ReleaseAll()
			time.Sleep(time.Minute)
			for i, end := range ends {
				if err := e.ended(end); err != nil {
					t.Errorf("read %d: %v", i, err)
				}
			}
		})
	})
	t.Run("WhoLeavesDoesNotWait", func(t *testing.T) {
		bubbleOf(t, info, nil, func(e *env) {
			fill(e, 2)
			ctx, cancel := context.WithCancel(e.ctx)
			ends := crowd(e, ctx, 2)
			cancel()
			for i, end := range ends {
				if err := e.ended(end); !errors.Is(err, context.Canceled) {
					t.Errorf("read %d: %v, want context.Canceled", i, err)
				}
			}
		})
	})
	t.Run("ABadKeySpoilsNobodysRead", func(t *testing.T) {
		bubbleOf(t, info, nil, func(e *env) {
			fill(e, 2)
			ends := crowd(e, e.ctx, 2)
			if _, err := e.db.Read(e.ctx, "a\x00b"); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Read of a key with NUL: %v, want ErrInvalid", err)
			}
			e.drv.ReleaseAll()
			e.drv.Use()
			e.drv.ReleaseAll()
			for i, end := range ends {
				if err := e.ended(end); err != nil {
					t.Errorf("read %d: %v", i, err)
				}
			}
		})
	})
}
