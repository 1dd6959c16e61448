package profile_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// TestLocks has the lines about locks that a profile answers for.
func TestLocks(t *testing.T) {
	t.Run("10RejoinToTheSameServerWhileTheFinalSaveRuns", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			srv := w.serverOn("a", db, player, nil)
			p := w.load(srv, "1")
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 7) })
			hold := make(chan struct{})
			db.set(func() { db.hold["player/1"] = hold })
			closed, opened := make(chan error, 1), make(chan *profile.Profile, 1)
			go func() { closed <- p.Close(w.ctx) }()
			synctest.Wait()
			go func() { opened <- w.load(srv, "1") }()
			synctest.Wait()
			select {
			case <-opened:
				t.Error("a load did not wait for the final save")
			default:
			}
			close(hold)
			if err := <-closed; err != nil {
				t.Errorf("Close() = %v", err)
			}
			q := <-opened
			if q == p || coins.Get(q) != 7 {
				t.Errorf("the new load gave the old profile: %v, with %d coins; want another, with 7", q == p, coins.Get(q))
			}
			w.update(q, func(tx *profile.Tx) { _ = coins.Add(tx, 1) })
		})
	})
	t.Run("11LeaveWhileTheLoadRunsBringsNothingBack", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			srv := w.serverOn("a", db, player, nil)
			hold := make(chan struct{})
			db.set(func() { db.hold["player/1"] = hold })
			opened, waited, left := make(chan error, 1), make(chan error, 1), make(chan error, 1)
			go func() { _, err := srv.Open(w.ctx, "1", nil); opened <- err }()
			synctest.Wait()
			if !srv.Loading("1") {
				t.Error("Loading() = false during a load")
			}
			go func() { _, err := srv.WaitLoaded(w.ctx, "1"); waited <- err }()
			synctest.Wait()
			go func() { left <- srv.Leave(w.ctx, "1") }()
			synctest.Wait()
			rejoined := make(chan *profile.Profile, 1)
			go func() { rejoined <- w.load(srv, "1") }()
			synctest.Wait()
			close(hold)
			if err := <-opened; !errors.Is(err, profile.ErrLeft) {
				t.Errorf("Open() = %v, want ErrLeft", err)
			}
			if err := <-waited; !errors.Is(err, profile.ErrLeft) {
				t.Errorf("WaitLoaded() = %v, want ErrLeft", err)
			}
			if err := <-left; err != nil {
				t.Errorf("Leave() = %v", err)
			}
			p := <-rejoined
			w.close(p)
			time.Sleep(time.Minute)
			if _, ok := srv.Profile("1"); ok || len(srv.Session().Sessions()) != 0 {
				t.Errorf("a profile (%v) or sessions %v came back to life", ok, srv.Session().Sessions())
			}
			w.load(w.server("b", nil), "1") // not locked
		})
	})
	t.Run("11TheWaitEndsAndTheLockIsReleased", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			srv := w.serverOn("a", db, player, nil)
			hold := make(chan struct{})
			db.set(func() { db.hold["player/1"] = hold })
			ctx, cancel := context.WithCancel(w.ctx)
			opened := make(chan error, 1)
			go func() { _, err := srv.Open(ctx, "1", nil); opened <- err }()
			synctest.Wait()
			cancel()
			synctest.Wait()
			close(hold)
			if err := <-opened; !errors.Is(err, context.Canceled) {
				t.Errorf("Open() = %v, want context.Canceled", err)
			}
			time.Sleep(time.Minute)
			if n := len(srv.Session().Sessions()); n != 0 {
				t.Errorf("%d sessions are open after a cancelled load", n)
			}
			w.load(w.server("b", nil), "1")
		})
	})
	t.Run("12LoadsDuringShutdownComeToNothing", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			srv := w.serverOn("a", db, player, nil)
			hold := make(chan struct{})
			db.set(func() { db.hold["player/1"] = hold })
			opened, closed := make(chan error, 1), make(chan error, 1)
			go func() { _, err := srv.Open(w.ctx, "1", nil); opened <- err }()
			synctest.Wait()
			go func() { _, err := srv.Close(w.ctx); closed <- err }()
			synctest.Wait()
			if _, err := srv.Open(w.ctx, "2", nil); !errors.Is(err, session.ErrClosed) {
				t.Errorf("Open during the shutdown = %v, want ErrClosed", err)
			}
			close(hold)
			if err := <-opened; !errors.Is(err, session.ErrClosed) {
				t.Errorf("Open before the shutdown = %v, want ErrClosed", err)
			}
			if err := <-closed; err != nil {
				t.Errorf("Close() = %v", err)
			}
			w.load(w.server("b", nil), "1")
		})
	})
}

// TestShutdown has the lines about shutdowns that a profile answers for.
func TestShutdown(t *testing.T) {
	t.Run("1FinalSavesInFlightDoNotCountAsDone", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			srv := w.serverOn("a", db, player, nil)
			p := w.load(srv, "1")
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 9) })
			hold := make(chan struct{})
			db.set(func() { db.hold["player/1"] = hold })
			closed := make(chan []session.Result, 1)
			go func() { r, _ := srv.Close(w.ctx); closed <- r }()
			time.Sleep(time.Minute)
			select {
			case r := <-closed:
				t.Errorf("Close() returned %v while a final save was in flight", r)
			default:
			}
			close(hold)
			if r := <-closed; len(r) != 1 || r[0].Err != nil || r[0].Key != p.Key() {
				t.Errorf("Close() = %v, want success for %v", r, p.Key())
			}
			if got := coins.Get(w.load(w.server("b", nil), "1")); got != 9 {
				t.Errorf("coins = %d, want 9", got)
			}
		})
	})
	t.Run("2OneThatHangsDoesNotEatTheTimeOfAll", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			forever := make(chan struct{})
			srv := w.serverOn("a", db, player, &profile.Options{
				OnRelease: func(ctx context.Context, p *profile.Profile) {
					if p.ID() == "1" {
						<-forever
					}
					_ = p.Update(func(tx *profile.Tx) error { return nick.Set(tx, "released") })
				},
			})
			for i := range 5 {
				w.update(w.load(srv, fmt.Sprint(i)), func(tx *profile.Tx) { _ = coins.Set(tx, int64(i)) })
			}
			db.set(func() { db.refuse["player/3"] = driver.ErrInvalid })
			ctx, cancel := context.WithTimeout(w.ctx, 3*time.Second)
			defer cancel()
			results, _ := srv.Close(ctx)
			failed := map[string]bool{}
			for _, r := range results {
				failed[r.Key.ID] = r.Err != nil
			}
			want := map[string]bool{"0": false, "1": false, "2": false, "3": true, "4": false}
			if diff := cmp.Diff(want, failed); diff != "" {
				t.Errorf("who was not saved (-want +got):\n%s", diff)
			}
			close(forever)
			db.set(func() { clear(db.refuse) })
			b := w.server("b", nil)
			for i := range 5 {
				if got := coins.Get(w.load(b, fmt.Sprint(i))); got != int64(i) {
					t.Errorf("coins of player %d = %d after the shutdown", i, got)
				}
			}
			if got := nick.Get(w.load(b, "0")); got != "released" {
				t.Errorf("nick = %q, want what OnRelease wrote", got)
			}
		})
	})
	t.Run("4ASecondCloseWaitsForTheFirst", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			srv := w.serverOn("a", db, player, nil)
			w.update(w.load(srv, "1"), func(tx *profile.Tx) { _ = coins.Set(tx, 9) })
			hold := make(chan struct{})
			db.set(func() { db.hold["player/1"] = hold })
			first, second := make(chan []session.Result, 1), make(chan []session.Result, 1)
			go func() { r, _ := srv.Close(w.ctx); first <- r }()
			synctest.Wait()
			go func() { r, _ := srv.Close(w.ctx); second <- r }()
			synctest.Wait()
			close(hold)
			if a, b := <-first, <-second; len(a) != 1 || len(b) != 1 || a[0].Err != nil || b[0].Err != nil {
				t.Errorf("two closes returned %v and %v, want the same success", a, b)
			}
		})
	})
}
