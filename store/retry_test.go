package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/store"
)

func TestPause(t *testing.T) {
	for _, test := range []struct {
		name string
		lane store.Lane
		most []time.Duration // the longest pauses
	}{
		{"DoublesWithJitterUpToItsBound", store.Waited, []time.Duration{10, 20, 40, 80, 160, 320, 400, 400, 400}},
		{"OfUrgentAttemptsIsShort", store.Urgent, []time.Duration{10, 20, 40, 80, 160, 250, 250, 250, 250}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, &store.Options{Pause: 10 * time.Millisecond, MaxPause: 400 * time.Millisecond}, func(e *env) {
				made := e.record(faulty.Nth(faulty.Commit, down, 1, 2, 3, 4, 5, 6, 7, 8, 9))
				at := e.put(test.lane, "a")
				at.Tries = -1
				if _, err := e.db.Commit(e.ctx, at); err != nil {
					t.Fatalf("Commit: %v, want applied", err)
				}
				seen := make(map[time.Duration]bool)
				for i, most := range test.most {
					most *= time.Millisecond
					got := made.at[i+1].Sub(made.at[i])
					if got < most/2 || got > most {
						t.Errorf("pause %d is %v, want %v to %v", i+1, got, most/2, most)
					}
					seen[got] = true
				}
				if len(seen) != len(test.most) {
					t.Errorf("%d different pauses of %d, want jitter in each", len(seen), len(test.most))
				}
			})
		})
	}
	t.Run("AttemptsThatAreDueTogetherShareAGroup", func(t *testing.T) {
		bubble(t, &store.Options{Pause: 1, MaxPause: 1}, func(e *env) {
			made := e.record(faulty.Nth(faulty.Commit, down, 1))
			e.db.Go(e.put(store.Waited, "a"), e.put(store.Waited, "b"), e.put(store.Waited, "c"))
			e.sleep(time.Second)
			if diff := cmp.Diff([][]string{{"a", "b", "c"}, {"a", "b", "c"}}, made.keys); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
		})
	})
}

func TestRetry(t *testing.T) {
	t.Run("OnlyErrorsThatMayPassAreRepeated", func(t *testing.T) {
		for _, test := range []struct {
			err   error
			calls int
		}{
			{driver.ErrUnavailable, 2},
			{driver.ErrFull, 2},
			{driver.ErrReadOnly, 1},
			{driver.ErrCorrupt, 1},
			{driver.ErrInvalid, 1},
			{driver.ErrClosed, 1},
			{errors.New("something else"), 1},
		} {
			bubble(t, nil, func(e *env) {
				made := e.record(faulty.Nth(faulty.Commit, faulty.Fault{Err: fmt.Errorf("commit: %w", test.err)}, 1))
				_, err := e.db.Commit(e.ctx, e.put(store.Waited, "a"))
				if len(made.keys) != test.calls {
					t.Errorf("%v: %d calls, want %d", test.err, len(made.keys), test.calls)
				}
				if test.calls == 1 && (!errors.Is(err, test.err) || errors.Is(err, store.ErrUncertain)) || test.calls == 2 && err != nil {
					t.Errorf("%v: Commit = %v", test.err, err)
				}
			})
		}
	})
	t.Run("RepeatsAreByteForByteTheSame", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			var sent []driver.Batch
			e.drv.Use(func(c *faulty.Call) faulty.Fault {
				sent = append(sent, c.Group.Batches...)
				return faulty.Fault{Err: faulty.ErrDown}
			})
			at := e.put(store.Waited, "a")
			at.Tries = 4
			if _, err := e.db.Commit(e.ctx, at); !errors.Is(err, store.ErrUncertain) || !errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("Commit: %v, want ErrUncertain with the last cause", err)
			}
			if diff := cmp.Diff([]driver.Batch{at.Batch, at.Batch, at.Batch, at.Batch}, sent); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("CallThatDoesNotReturnIsRepeatedAfterItsTimeout", func(t *testing.T) {
		for lane, want := range map[store.Lane]time.Duration{store.Waited: 10 * time.Second, store.Urgent: 3 * time.Second} {
			bubble(t, &store.Options{Timeout: 10 * time.Second}, func(e *env) {
				made := e.record(faulty.Nth(faulty.Commit, faulty.Fault{Hold: true}, 1))
				if _, err := e.db.Commit(e.ctx, e.put(lane, "a")); err != nil {
					t.Errorf("Commit: %v, want applied", err)
				}
				if got := made.at[1].Sub(made.at[0]); got < want || got > want+time.Second {
					t.Errorf("%v attempt repeated after %v, want %v and a pause", lane, got, want)
				}
			})
		}
	})
	t.Run("ReadIsRepeatedUntilAnswered", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			e.drv.Use(faulty.Nth(faulty.Read, down, 1, 2, 3), faulty.Nth(faulty.List, down, 1), faulty.Nth(faulty.Versions, down, 1),
				faulty.Nth(faulty.ReadVersion, down, 1), faulty.Nth(faulty.DeleteRange, down, 1))
			_, err1 := e.db.Read(e.ctx, "a")
			_, err2 := e.db.List(e.ctx, driver.Query{})
			_, err3 := e.db.Versions(e.ctx, "a")
			_, err4 := e.db.ReadVersion(e.ctx, "a", driver.Version{1})
			err5 := e.db.DeleteRange(e.ctx, "a", "b")
			if err1 != nil || err2 != nil || err3 != nil || !errors.Is(err4, store.ErrNotFound) || err5 != nil {
				t.Errorf("reads: %v, %v, %v, %v, %v, want answers", err1, err2, err3, err4, err5)
			}
		})
	})
	t.Run("ReadEndsWithItsContext", func(t *testing.T) {
		for _, fault := range []faulty.Fault{down, {Hold: true}} {
			bubble(t, nil, func(e *env) {
				e.drv.Use(faulty.All(fault))
				ctx, cancel := context.WithTimeout(e.ctx, time.Minute)
				defer cancel()
				if _, err := e.db.Read(ctx, "a"); !errors.Is(err, driver.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Read: %v, want ErrUnavailable and the deadline", err)
				}
			})
		}
	})
	t.Run("WorstCaseBoundsARequest", func(t *testing.T) {
		o := &store.Options{Tries: 5, Timeout: time.Second, Pause: 10 * time.Millisecond, MaxPause: 30 * time.Millisecond}
		if got, want := o.WorstCase(), 5*time.Second+90*time.Millisecond; got != want {
			t.Errorf("WorstCase() = %v, want %v", got, want)
		}
		if got := (&store.Options{Tries: -1}).WorstCase(); got >= 0 {
			t.Errorf("WorstCase() without a bound = %v, want negative", got)
		}
		bubble(t, o, func(e *env) {
			e.drv.Use(faulty.All(faulty.Fault{Hold: true}))
			began := time.Now()
			if _, err := e.db.Commit(e.ctx, e.put(store.Waited, "a")); !errors.Is(err, store.ErrUncertain) {
				t.Errorf("Commit: %v, want ErrUncertain", err)
			}
			if took := time.Since(began); took > o.WorstCase() || took < 5*time.Second {
				t.Errorf("gave up after %v, want 5 s to %v", took, o.WorstCase())
			}
		})
	})
}

func TestBudget(t *testing.T) {
	t.Run("WaitsAndNeverDrops", func(t *testing.T) {
		bubbleOf(t, driver.Info{Writers: 2, Group: 64}, &store.Options{Rate: 10, Burst: 5}, func(e *env) {
			made := e.record()
			began := time.Now()
			var applied int
			for i := range 100 {
				at := e.put(store.Waited, fmt.Sprint(i))
				at.Done = func(_ driver.Moment, err error) {
					if err == nil {
						applied++
					}
				}
				e.db.Go(at)
			}
			e.sleep(time.Minute)
			if applied != 100 {
				t.Errorf("%d attempts applied, want 100", applied)
			}
			sent := 0
			for i, keys := range made.keys {
				sent += len(keys)
				if most := 5 + int(10*made.at[i].Sub(began).Seconds()+1e-6); sent > most {
					t.Errorf("%d batches sent within %v, want at most %d", sent, made.at[i].Sub(began), most)
				}
			}
			if took := made.at[len(made.at)-1].Sub(began); took > 10*time.Second {
				t.Errorf("the last was sent after %v, want the budget used: 9.5 s", took)
			}
		})
	})
	t.Run("ReadsWaitToo", func(t *testing.T) {
		bubble(t, &store.Options{Rate: 10, Burst: 1}, func(e *env) {
			began := time.Now()
			for range 11 {
				if _, err := e.db.Read(e.ctx, "a"); err != nil {
					t.Fatalf("Read: %v", err)
				}
			}
			if took := time.Since(began); took != time.Second {
				t.Errorf("11 reads took %v, want 1 s", took)
			}
		})
	})
	t.Run("ReaderWhoLeavesTakesNothing", func(t *testing.T) {
		bubble(t, &store.Options{Rate: 1, Burst: 1}, func(e *env) {
			ctx, cancel := context.WithTimeout(e.ctx, time.Millisecond)
			defer cancel()
			began := time.Now()
			for range 10 {
				e.db.Read(ctx, "a")
			}
			if _, err := e.db.Read(e.ctx, "a"); err != nil {
				t.Fatalf("Read: %v", err)
			}
			if took := time.Since(began); took > 1100*time.Millisecond {
				t.Errorf("a read after ten that left took %v, want about 1 s", took)
			}
		})
	})
	t.Run("UrgentDoesNotWait", func(t *testing.T) {
		bubble(t, &store.Options{Rate: 0.01, Burst: 1}, func(e *env) {
			e.start(e.put(store.Waited, "a"))
			waits := e.start(e.put(store.Waited, "b"))
			synctest.Wait()
			if err := e.ended(e.start(e.put(store.Urgent, "c"))); err != nil {
				t.Errorf("urgent attempt: %v, want applied at once", err)
			}
			e.open(waits)
		})
	})
}

func TestLostAnswer(t *testing.T) {
	lose := func(n ...int) faulty.Plan { return faulty.Nth(faulty.Commit, faulty.Fault{Lost: true}, n...) }
	t.Run("IsRecognisedByItsOwnIDAfterAFurtherCommit", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			made := e.record(lose(1), faulty.Nth(faulty.Commit, faulty.Fault{HoldAnswer: true}, 3))
			done := e.start(e.create("a"))
			second := e.start(e.put(store.Waited, "a"))
			e.sleep(time.Second)
			e.open(done)
			if len(made.keys) != 3 || made.keys[2][0] == "a" {
				t.Fatalf("commits %v, want two of a and a further one", made.keys)
			}
			e.open(second)
			e.step()
			if err := e.ended(done); err != nil {
				t.Errorf("outcome %v, want applied", err)
			}
			if err := e.ended(second); err != nil {
				t.Errorf("next attempt: %v, want applied", err)
			}
		})
	})
	t.Run("OfAGroupNeedsOneFurtherCommit", func(t *testing.T) {
		bubble(t, &store.Options{Pause: 1, MaxPause: 1}, func(e *env) {
			made := e.record(lose(1))
			var applied int
			var all []store.Attempt
			for i := range 50 {
				at := e.create(fmt.Sprint(i))
				at.Lane = store.Lane(1 + i%2)
				at.Done = func(_ driver.Moment, err error) {
					if err == nil {
						applied++
					}
				}
				all = append(all, at)
			}
			e.db.Go(all...)
			e.sleep(time.Second)
			if applied != 50 || len(made.keys) != 3 {
				t.Errorf("%d of 50 applied with %d calls, want all with 3", applied, len(made.keys))
			}
		})
	})
	t.Run("IsRecognisedWhenTheNextAnswersAreLostToo", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			e.drv.Use(lose(1, 2, 3, 4, 5))
			if _, err := e.db.Commit(e.ctx, e.create("a")); err != nil {
				t.Errorf("Commit: %v, want applied", err)
			}
		})
	})
	t.Run("IsUncertainIfTheFurtherCommitFails", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			e.drv.Use(lose(1), faulty.Nth(faulty.Commit, faulty.Fault{Err: driver.ErrReadOnly}, 3))
			if _, err := e.db.Commit(e.ctx, e.create("a")); !errors.Is(err, store.ErrUncertain) {
				t.Errorf("Commit: %v, want ErrUncertain", err)
			}
		})
	})
	t.Run("IsUncertainWhenARepeatFailsForGood", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			e.drv.Use(lose(1), faulty.Nth(faulty.Commit, faulty.Fault{Err: driver.ErrReadOnly}, 2))
			if _, err := e.db.Commit(e.ctx, e.create("a")); !errors.Is(err, store.ErrUncertain) || !errors.Is(err, driver.ErrReadOnly) {
				t.Errorf("Commit: %v, want ErrUncertain and ErrReadOnly", err)
			}
		})
	})
	// moved commits behind the DB's back while an attempt pauses after a try.
	moved := func(e *env, fault faulty.Fault, at store.Attempt, by int) error {
		e.drv.Use(faulty.All(fault, faulty.Commit))
		done := e.start(at)
		synctest.Wait()
		e.drv.Use()
		for range by {
			v := e.put(store.Waited, at.Batch.Writes[0].Key).Batch
			if _, err := e.mem.Commit(e.ctx, driver.Group{Batches: []driver.Batch{v}}); err != nil {
				e.Fatalf("Commit: %v", err)
			}
		}
		e.sleep(time.Minute)
		return e.ended(done)
	}
	for _, test := range []struct {
		name  string
		fault faulty.Fault
		by    int
		want  error
	}{
		{"IsRecognisedBehind15Versions", faulty.Fault{Lost: true}, 15, nil},
		{"IsUncertainBehind16Versions", faulty.Fault{Lost: true}, 16, store.ErrUncertain},
		{"ThatWasNotAppliedIsRefusedForCertainWithin15Versions", down, 15, store.ErrConflict},
		{"ThatWasNotAppliedIsUncertainBehind16Versions", down, 16, store.ErrUncertain},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, nil, func(e *env) {
				e.db.Commit(e.ctx, e.create("a"))
				err := moved(e, test.fault, e.replace("a", e.at("a")), test.by)
				if !errors.Is(err, test.want) || errors.Is(err, store.ErrUncertain) != (test.want == store.ErrUncertain) {
					t.Errorf("outcome %v, want %v", err, test.want)
				}
			})
		})
	}
	t.Run("FirstTryThatIsRefusedIsCertain", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			for range 20 {
				e.db.Commit(e.ctx, e.put(store.Waited, "a"))
			}
			_, err := e.db.Commit(e.ctx, e.replace("a", driver.Version{7}))
			if !errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUncertain) {
				t.Errorf("Commit: %v, want ErrConflict for certain", err)
			}
		})
	})
}

// Who of two readers draws first is the scheduler's choice, and must not matter.
func TestReadsThatFailedAtOnceGoOnAtOnce(t *testing.T) {
	t.Parallel()
	for range 20 {
		bubble(t, nil, func(e *env) {
			var mu sync.Mutex
			began, at := time.Now(), make(map[time.Duration]int)
			e.drv.Use(func(c *faulty.Call) faulty.Fault {
				mu.Lock()
				defer mu.Unlock()
				at[time.Since(began)]++
				if len(at) < 4 {
					return faulty.Fault{Err: faulty.ErrDown}
				}
				return faulty.Fault{}
			})
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					if _, err := e.db.Read(e.ctx, "player/1"); err != nil {
						e.Errorf("Read: %v", err)
					}
				})
			}
			all.Wait()
			if len(at) != 4 {
				e.Errorf("3 readers of one key called at %v, want 4 moments for all", at)
			}
		})
	}
}
