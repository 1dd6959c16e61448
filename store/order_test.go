package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/store"
)

func TestOrder(t *testing.T) {
	t.Run("AttemptsOnOneKeyGoInTheirOrder", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			var want, got []int
			for i := range 50 {
				at := e.put(store.Lane(i%3), "a")
				at.Done = func(driver.Moment, error) { got = append(got, i) }
				want = append(want, i)
				e.db.Go(at)
			}
			synctest.Wait()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Done called in the order (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("RepeatedAttemptStaysAtTheHeadWhileOtherKeysGoOn", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			made := e.record(faulty.Naming("a", down))
			first := e.start(e.put(store.Waited, "a"))
			second := e.start(e.put(store.Waited, "a", "c"))
			synctest.Wait()
			other := e.start(e.put(store.Waited, "b"))
			if err := e.ended(other); err != nil {
				t.Errorf("attempt on another key: %v, want applied", err)
			}
			time.Sleep(100 * time.Millisecond)
			e.open(first)
			e.open(second)
			for _, keys := range made.keys {
				if slices.Contains(keys, "c") {
					t.Error("the second attempt was sent before the first had ended")
				}
			}
			e.drv.Use()
			time.Sleep(time.Minute)
			if err1, err2 := e.ended(first), e.ended(second); err1 != nil || err2 != nil {
				t.Errorf("outcomes %v and %v, want applied", err1, err2)
			}
		})
	})
	t.Run("AttemptIsSentOnlyAfterDoneOfTheOneBefore", func(t *testing.T) {
		bubbleOf(t, driver.Info{Writers: 4, Group: 64}, nil, func(e *env) {
			made := e.record()
			release := make(chan struct{})
			first := e.put(store.Waited, "a")
			first.Done = func(driver.Moment, error) { <-release }
			e.db.Go(first)
			second := e.start(e.put(store.Waited, "a"))
			other := e.start(e.put(store.Waited, "b"))
			if err := e.ended(other); err != nil {
				t.Errorf("attempt on another key: %v, want applied", err)
			}
			e.open(second)
			if len(made.keys) != 2 {
				t.Errorf("commits %v, want those of the first and the other", made.keys)
			}
			close(release)
			if err := e.ended(second); err != nil {
				t.Errorf("second attempt: %v, want applied", err)
			}
		})
	})
	t.Run("AttemptsOnCommonKeysNeverShareAGroup", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			made := e.record()
			e.db.Go(e.put(store.Waited, "a", "b"), e.put(store.Waited, "b", "c"), e.put(store.Waited, "c", "d"), e.put(store.Waited, "e"))
			synctest.Wait()
			want := [][]string{{"a", "b", "e"}, {"b", "c"}, {"c", "d"}}
			if diff := cmp.Diff(want, made.keys); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("CheckedAndForgottenKeysAreInTheLineToo", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			made := e.record()
			check, forget := e.put(store.Waited, "b"), e.put(store.Waited, "c")
			check.Batch.Checks = []driver.Check{{Key: "a"}}
			forget.Batch.Forget = []string{"a", "c", "a"}
			e.db.Go(e.put(store.Waited, "a"), check, forget)
			synctest.Wait()
			if diff := cmp.Diff([][]string{{"a"}, {"b"}, {"c"}}, made.keys); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("DoneMayStartAttemptsOnItsOwnKey", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			left := 100
			var next func(driver.Moment, error)
			next = func(driver.Moment, error) {
				if left--; left > 0 {
					at := e.put(store.Urgent, "a")
					at.Done = next
					e.db.Go(at)
				}
			}
			next(driver.Moment{}, nil)
			synctest.Wait()
			if left != 0 {
				t.Errorf("%d attempts did not end", left)
			}
		})
	})
}

func TestLanes(t *testing.T) {
	hold := faulty.All(faulty.Fault{Hold: true}, faulty.Commit)
	t.Run("UrgentGoesWhileOthersAreInFlight", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			e.drv.Use(hold)
			e.start(e.put(store.Waited, "a"))
			synctest.Wait()
			e.start(e.put(store.Background, "b"))
			e.start(e.put(store.Urgent, "c"))
			synctest.Wait()
			calls := e.drv.Waiting()
			if len(calls) != 2 || !calls[0].Group.Urgent || calls[1].Group.Urgent {
				t.Errorf("in flight: %s, want an urgent one and another", describe(calls))
			}
		})
	})
	t.Run("BackgroundGetsAnEighthOfEachGroup", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			e.drv.Use(hold)
			var all []store.Attempt
			for i := range 200 {
				all = append(all, e.put(store.Background, fmt.Sprint("b", i)), e.put(store.Waited, fmt.Sprint("w", i)))
			}
			e.db.Go(all...)
			for range 3 {
				lanes := map[byte]int{}
				for _, key := range e.step().Keys {
					lanes[key[0]]++
				}
				if lanes['b'] != 8 || lanes['w'] != 56 {
					t.Errorf("group has %d background of %d, want 8 of 64", lanes['b'], lanes['b']+lanes['w'])
				}
			}
		})
	})
	for _, test := range []struct {
		name  string
		group int
		bytes int
	}{
		{"BackgroundIsNotStuckWithSmallGroups", 1, 0},
		{"BackgroundIsNotStuckBehindLargeValues", 64, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubbleOf(t, driver.Info{Writers: 1, Group: test.group}, &store.Options{GroupBytes: test.bytes}, func(e *env) {
				made := e.record()
				var all []store.Attempt
				for i := range 100 {
					all = append(all, e.put(store.Background, fmt.Sprint("b", i)), e.put(store.Waited, fmt.Sprint("w", i)))
				}
				e.db.Go(all...)
				synctest.Wait()
				since := 0
				for i, keys := range made.keys[:80] {
					if since++; keys[0][0] == 'b' {
						since = 0
					}
					if since > 8 {
						t.Fatalf("the 8 groups before number %d had no background attempt: %v", i, made.keys[:i])
					}
				}
				if len(made.keys) != 200 {
					t.Errorf("%d groups, want 200", len(made.keys))
				}
			})
		})
	}
}

func TestGroup(t *testing.T) {
	t.Run("BytesAreBounded", func(t *testing.T) {
		bubble(t, &store.Options{GroupBytes: 1000}, func(e *env) {
			made := e.record()
			var all []store.Attempt
			for i, size := range []int{400, 400, 400, 2000, 100} {
				at := e.put(store.Waited, fmt.Sprint(i))
				at.Batch.Writes[0].Value = make([]byte, size)
				all = append(all, at)
			}
			e.db.Go(all...)
			synctest.Wait()
			if diff := cmp.Diff([][]string{{"0", "1"}, {"2"}, {"3"}, {"4"}}, made.keys); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("AsManyCallsAsTheDatabaseLikesAreInFlight", func(t *testing.T) {
		bubbleOf(t, driver.Info{Writers: 3, Group: 2}, nil, func(e *env) {
			e.drv.Use(faulty.All(faulty.Fault{Hold: true}))
			for i := range 10 {
				e.start(e.put(store.Waited, fmt.Sprint(i)))
			}
			synctest.Wait()
			if n := len(e.drv.Waiting()); n != 3 {
				t.Errorf("%d calls in flight, want 3", n)
			}
		})
	})
	t.Run("PermanentFailureIsIsolated", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			made := e.record(faulty.Refuse("bad"))
			bad := e.put(store.Waited, "bad")
			var all []store.Attempt
			var good atomic.Int32 // several calls are answered at one time
			for i := range 63 {
				if i == 20 {
					all = append(all, bad)
				}
				at := e.put(store.Waited, fmt.Sprint(i))
				at.Done = func(_ driver.Moment, err error) {
					if err == nil {
						good.Add(1)
					}
				}
				all = append(all, at)
			}
			var refused error
			all[20].Done = func(_ driver.Moment, err error) { refused = err }
			e.db.Go(all...)
			synctest.Wait()
			if n := good.Load(); n != 63 {
				t.Errorf("%d of the others were applied, want 63", n)
			}
			if !faulty.Refused(refused) || errors.Is(refused, store.ErrUncertain) {
				t.Errorf("the bad attempt: %v, want refused for good", refused)
			}
			if len(made.keys) > 13 {
				t.Errorf("%d calls to find one of 64, want at most 13", len(made.keys))
			}
		})
	})
	t.Run("OneBadOutcomeLeavesTheOthersAlone", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			stale, good := e.replace("a", driver.Version{9}), e.create("b")
			var errs []error
			stale.Done = func(_ driver.Moment, err error) { errs = append(errs, err) }
			good.Done = stale.Done
			e.db.Go(stale, good)
			synctest.Wait()
			var conflict *store.ConflictError
			if len(errs) != 2 || !errors.As(errs[0], &conflict) || errs[1] != nil {
				t.Fatalf("outcomes %v, want a ConflictError and nil", errs)
			}
			if s, ok := conflict.State("a"); !ok || len(s.Recent) != 0 {
				t.Errorf("State(a) = %v, %v, want an absent entry", s, ok)
			}
			if _, ok := conflict.State("b"); ok {
				t.Error("State(b) was found, want nothing of an entry that was not in the way")
			}
		})
	})
}
