package feed_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/feed"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/session"
)

func TestFollow(t *testing.T) {
	t.Run("TellsWhoChangedWhatWhy", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", session.Options{})
			s := w.open(a, alice)
			w.set(s, "coins", "5", "a quest")
			changes, _ := w.drain(feed.Position{})
			w.want(changes, "alice 1 coins=5")
			c := changes[0]
			if c.Server != "a" || c.Session.String() != s.ID() || c.Birth != s.Birth() || !cmp.Equal(c.Reasons, []string{"a quest"}) || c.At.IsZero() || c.Position.IsZero() {
				t.Errorf("change = %+v, want it to tell server, session, birth, reason, time and position", c)
			}
		})
	})
	t.Run("TellsNothingThatIsOnlyInMemory", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", session.Options{AppendEvery: 10 * time.Second})
			s := w.open(a, alice)
			tx, err := s.Begin()
			if err != nil {
				t.Fatal(err)
			}
			if err := tx.Set(document.Field("coins"), []byte("1"), false); err != nil {
				t.Fatal(err)
			}
			if err := session.Commit(false, tx); err != nil {
				t.Fatal(err)
			}
			changes, _ := w.drain(feed.Position{})
			w.want(changes)
			a.kill()
			b := w.server("b", session.Options{})
			s = w.open(b, alice)
			w.set(s, "gems", "2", "")
			changes, _ = w.drain(feed.Position{})
			w.want(changes, "alice 1 gems=2")
		})
	})
	t.Run("WaitsForMoreUntilItsContextEnds", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", session.Options{})
			s := w.open(a, alice)
			ctx, cancel := context.WithCancel(w.ctx)
			came := make(chan feed.Change)
			end := make(chan error, 1)
			go func() {
				for c, err := range feed.Follow(ctx, w.db, feed.Position{}, nil) {
					if err != nil {
						end <- err
						return
					}
					came <- c
				}
				end <- nil
			}()
			for i := range 3 {
				time.Sleep(time.Minute)
				w.set(s, "coins", string('1'+rune(i)), "")
				began := time.Now()
				c := <-came
				if took := time.Since(began); c.Revision != uint64(i+1) || took > 200*time.Millisecond {
					t.Errorf("revision %d came after %v, want %d within 200ms", c.Revision, took, i+1)
				}
			}
			cancel()
			if err := <-end; !errors.Is(err, context.Canceled) {
				t.Errorf("Follow ended with %v, want context.Canceled", err)
			}
		})
	})
	t.Run("GoesOnFromAStoredPosition", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", session.Options{})
			s := w.open(a, alice)
			v := newView(t)
			var at feed.Position
			for i := range 40 {
				w.set(s, "n", strings.Repeat("1", i+1), "")
				if i%3 != 0 {
					continue
				}
				// It breaks off after one change, and goes on from what it stored.
				for c, err := range feed.Follow(w.ctx, w.db, at, nil) {
					if err != nil {
						t.Fatal(err)
					}
					v.take(c)
					stored, err := c.Position.MarshalText()
					if err == nil {
						err = at.UnmarshalText(stored)
					}
					if err != nil {
						t.Fatalf("position %q: %v", stored, err)
					}
					break
				}
			}
			rest, end := w.drain(at)
			for _, c := range rest {
				v.take(c)
			}
			v.like(w, alice)
			if again, _ := w.drain(end); len(again) != 0 {
				t.Errorf("from the end the feed tells %q, want nothing", texts(again))
			}
		})
	})
	t.Run("ToldTwiceRatherThanNever", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", session.Options{})
			w.set(w.open(a, alice), "coins", "1", "")
			w.set(w.open(a, bob), "coins", "2", "")
			// Both are told at once; whoever stops at the first gets it again.
			for c, err := range feed.Follow(w.ctx, w.db, feed.Position{}, nil) {
				if err != nil {
					t.Fatal(err)
				}
				changes, _ := w.drain(c.Position)
				w.want(changes, "alice 1 coins=1", "bob 1 coins=2")
				break
			}
		})
	})
	t.Run("BeginsAtTheEndIfAsked", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", session.Options{})
			s := w.open(a, alice)
			w.set(s, "coins", "1", "")
			end, err := feed.End(w.ctx, w.db)
			if err != nil {
				t.Fatal(err)
			}
			w.set(s, "coins", "2", "")
			changes, _ := w.drain(end)
			w.want(changes, "alice 2 coins=2")
		})
	})
	t.Run("OfADatabaseWithoutOneIsEmpty", func(t *testing.T) {
		bubble(t, func(w *world) {
			changes, at := w.drain(feed.Position{})
			w.want(changes)
			w.set(w.open(w.server("a", session.Options{}), alice), "coins", "1", "")
			changes, _ = w.drain(at)
			w.want(changes, "alice 1 coins=1")
		})
	})
	t.Run("RefusesOptionsOutOfBounds", func(t *testing.T) {
		bubble(t, func(w *world) {
			for _, poll := range []time.Duration{-1, time.Microsecond, 2 * time.Hour} {
				for _, err := range feed.Follow(w.ctx, w.db, feed.Position{}, &feed.Options{Poll: poll}) {
					if !errors.Is(err, driver.ErrInvalid) {
						t.Errorf("Follow with Poll %v = %v, want ErrInvalid", poll, err)
					}
				}
			}
		})
	})
}

func TestOrder(t *testing.T) {
	t.Run("HoldsAcrossHandOvers", func(t *testing.T) {
		bubble(t, func(w *world) {
			hosts := []host{w.server("a", session.Options{}), w.server("b", session.Options{}), w.server("c", session.Options{})}
			got := w.following(func() {
				for i := range 30 {
					s := w.open(hosts[i%3], alice)
					w.set(s, "n", string('0'+rune(i%10)), "")
					w.set(s, "n", string('1'+rune(i%7)), "")
				}
			})
			ordered(t, got)
			if len(got) < 30 || got[len(got)-1].Revision != 60 {
				t.Errorf("%d changes, the last with revision %d, want all up to 60", len(got), got[len(got)-1].Revision)
			}
		})
	})
	t.Run("HoldsAcrossATakeOver", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", session.Options{}), w.server("b", session.Options{})
			got := w.following(func() {
				s := w.open(a, alice)
				w.set(s, "coins", "1", "")
				w.set(s, "coins", "2", "")
				a.kill()
				w.set(w.open(b, alice), "coins", "3", "")
			})
			ordered(t, got)
			w.want(got, "alice 1 coins=1", "alice 2 coins=2", "alice 3 coins=3")
			if got[0].Server != "a" || got[2].Server != "b" {
				t.Errorf("servers %q and %q, want a and b", got[0].Server, got[2].Server)
			}
		})
	})
}

// following returns what a follower is told while fn runs and until it has come to
// the end.
func (w *world) following(fn func()) []feed.Change {
	w.Helper()
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	var got []feed.Change
	done := make(chan error, 1)
	go func() {
		for c, err := range feed.Follow(ctx, w.db, feed.Position{}, &feed.Options{Poll: 7 * time.Millisecond}) {
			if err != nil {
				done <- err
				return
			}
			got = append(got, c)
		}
	}()
	fn()
	time.Sleep(time.Second)
	synctest.Wait()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		w.Fatalf("Follow ended with %v, want context.Canceled", err)
	}
	return got
}

func TestExpiry(t *testing.T) {
	const keep = 10 * time.Second
	t.Run("OfWhatAServerThatLivesWrote", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", session.Options{Feed: keep})
			s := w.open(a, alice)
			w.set(s, "coins", "1", "")
			_, at := w.drain(feed.Position{})
			w.set(s, "coins", "2", "")
			time.Sleep(keep / 2)
			w.set(s, "coins", "3", "")
			time.Sleep(keep/2 + keep/4)
			w.expired(at)
			changes, _ := w.drain(feed.Position{})
			w.want(changes, "alice 3 coins=3")
		})
	})
	t.Run("BetweenLearningThatAServerHasLeftAndReadingItsLast", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", session.Options{Feed: time.Minute}), w.server("b", session.Options{Feed: time.Minute})
			s := w.open(a, alice)
			w.set(s, "coins", "1", "")
			f := faulty.New(open{readOnly{w.drv}})
			db := w.store(f)
			ctx, cancel := context.WithCancel(w.ctx)
			defer cancel()
			var told []string
			ended := make(chan error, 1)
			go func() {
				for c, err := range feed.Follow(ctx, db, feed.Position{}, nil) {
					if err != nil {
						ended <- err
						return
					}
					for _, d := range c.Delta {
						told = append(told, c.Key.ID+" "+d.Path.Field+" "+string(d.Value))
					}
				}
				ended <- nil
			}()
			time.Sleep(5 * time.Second)
			f.Use(func(c *faulty.Call) faulty.Fault { // it stops before each of its reads
				return faulty.Fault{Hold: c.Op == faulty.List && strings.HasPrefix(c.Keys[0], "~feed")}
			})
			time.Sleep(time.Second)
			w.set(s, "coins", "2", "")
			w.close(s)
			w.shut(a)
			time.Sleep(40 * time.Second) // b notes that a has left
			f.ReleaseAll()               // it learns of that
			time.Sleep(10 * time.Minute) // what a wrote is deleted, and then its stream
			f.Use()
			f.ReleaseAll()
			w.set(w.open(b, bob), "coins", "9", "")
			time.Sleep(5 * time.Second)
			cancel()
			if err := <-ended; !errors.Is(err, feed.ErrExpired) {
				t.Errorf("it was told %q and ended with %v, want ErrExpired: alice's 2 coins are gone", told, err)
			}
		})
	})
	t.Run("OfAServerThatCameAndWent", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", session.Options{Feed: keep})
			_, at := w.drain(feed.Position{})
			b := w.server("b", session.Options{Feed: keep})
			s := w.open(b, bob)
			w.set(s, "coins", "1", "")
			w.shut(b)
			changes, _ := w.drain(at)
			w.want(changes, "bob 1 coins=1")
			time.Sleep(5 * keep)
			w.set(w.open(a, alice), "coins", "2", "")
			w.expired(at)
		})
	})
	t.Run("IsNotForWhoHasSeenEverything", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", session.Options{Feed: keep})
			b := w.server("b", session.Options{Feed: keep})
			w.set(w.open(b, bob), "coins", "1", "")
			got := w.following(func() {
				w.shut(b)
				time.Sleep(20 * keep) // until nothing of b is left
				w.set(w.open(a, bob), "coins", "2", "")
			})
			w.want(got, "bob 1 coins=1", "bob 2 coins=2")
			snap, err := w.drv.List(w.ctx, driver.Query{Prefix: "~feeds/"})
			if err != nil || len(snap.Entries) != 1 {
				t.Errorf("%d streams are left (error %v), want that of a", len(snap.Entries), err)
			}
		})
	})
	t.Run("IdleKeepsAPositionYoung", func(t *testing.T) {
		bubble(t, func(w *world) {
			var at feed.Position
			ctx, cancel := context.WithCancel(w.ctx)
			defer cancel()
			end := make(chan struct{})
			go func() {
				defer close(end)
				for _, err := range feed.Follow(ctx, w.db, at, &feed.Options{Idle: func(p feed.Position) { at = p }}) {
					if !errors.Is(err, context.Canceled) {
						t.Errorf("Follow = %v, want nothing but context.Canceled", err)
					}
				}
			}()
			w.server("a", session.Options{Feed: keep})
			for range 5 { // servers come and go, and nobody plays
				b := w.server("b", session.Options{Feed: keep})
				time.Sleep(keep)
				w.shut(b)
			}
			time.Sleep(10 * keep)
			cancel()
			<-end
			w.drain(at)
		})
	})
	t.Run("IsNotForWhoBeginsWithTheOldest", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", session.Options{Feed: keep})
			s := w.open(a, alice)
			w.set(s, "coins", "1", "")
			time.Sleep(keep / 2)
			w.set(s, "coins", "2", "")
			slept := false
			w.db = w.store(open{between{readOnly{w.drv}, func(q driver.Query) {
				if q.Prefix == "~feeds" && !slept {
					slept = true
					time.Sleep(keep * 3 / 4) // what he has just learnt is old now
				}
			}}})
			changes, _ := w.drain(feed.Position{})
			w.want(changes, "alice 2 coins=2")
		})
	})
	t.Run("OfAPositionInAnotherDatabase", func(t *testing.T) {
		var at feed.Position
		bubble(t, func(w *world) {
			w.set(w.open(w.server("a", session.Options{}), alice), "coins", "1", "")
			_, at = w.drain(feed.Position{})
		})
		bubble(t, func(w *world) {
			w.server("a", session.Options{})
			w.expired(at)
		})
	})
}

func TestDamagedEntry(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", session.Options{})
		s := w.open(a, alice)
		w.set(s, "coins", "1", "")
		w.set(s, "coins", "2", "")
		w.set(s, "coins", "3", "")
		key := "~feed/" + a.LeaseID() + "/0000000000000002"
		if err := w.drv.(*mem.DB).Damage(key); err != nil {
			t.Fatal(err)
		}
		var got []feed.Change
		var bad []error
		for c, err := range feed.Follow(w.ctx, w.db, feed.Position{}, &feed.Options{Drain: true}) {
			if err != nil {
				bad = append(bad, err)
				continue
			}
			got = append(got, c)
		}
		w.want(got, "alice 1 coins=1", "alice 3 coins=3")
		var damaged *feed.DamagedError
		if len(bad) != 1 || !errors.As(bad[0], &damaged) || damaged.Key != key || !errors.Is(bad[0], driver.ErrCorrupt) || !strings.Contains(bad[0].Error(), key) {
			t.Errorf("errors %v, want one *DamagedError that names %q", bad, key)
		}
	})
}
