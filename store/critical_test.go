package store_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/store"
)

// gauge returns the value of a metric, with a label or "".
func gauge(t *testing.T, r *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatalf("Gather: %v", err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("there is no %s{%s}", name, label)
	return 0
}

func TestCritical(t *testing.T) {
	type change struct {
		On bool
		At time.Duration
	}
	setup := func(t *testing.T, o store.Options, test func(e *env, r *prometheus.Registry, changes *[]change)) {
		var changes []change
		var began time.Time
		r := prometheus.NewRegistry()
		o.Metrics = r
		o.Critical = func(on bool) { changes = append(changes, change{on, time.Since(began)}) }
		bubble(t, &o, func(e *env) {
			began = time.Now()
			test(e, r, &changes)
		})
	}
	// fail makes n commits fail, d apart.
	fail := func(e *env, n int, d time.Duration) {
		e.drv.Use(faulty.All(faulty.Fault{Err: driver.ErrReadOnly}))
		for range n {
			e.db.Commit(e.ctx, e.put(store.Waited, "a"))
			e.sleep(d)
		}
		e.drv.Use()
	}
	t.Run("ComesWithTheFifthErrorInAMinuteAndGoesAfterAMinuteWithout", func(t *testing.T) {
		setup(t, store.Options{}, func(e *env, r *prometheus.Registry, changes *[]change) {
			fail(e, 4, time.Second)
			if got := gauge(t, r, "holdfast_store_critical", ""); got != 0 {
				t.Errorf("gauge after 4 errors = %v, want 0", got)
			}
			fail(e, 3, time.Second)
			if got := gauge(t, r, "holdfast_store_critical", ""); got != 1 {
				t.Errorf("gauge after 7 errors = %v, want 1", got)
			}
			e.sleep(time.Hour)
			if diff := cmp.Diff([]change{{true, 4 * time.Second}, {false, 66 * time.Second}}, *changes); diff != "" {
				t.Errorf("Critical called (-want +got):\n%s", diff)
			}
			if got := gauge(t, r, "holdfast_store_critical", ""); got != 0 {
				t.Errorf("gauge at the end = %v, want 0", got)
			}
		})
	})
	t.Run("StaysAwayWhileErrorsAreRare", func(t *testing.T) {
		setup(t, store.Options{CriticalErrors: 3, CriticalWindow: 10 * time.Second}, func(e *env, _ *prometheus.Registry, changes *[]change) {
			fail(e, 20, 6*time.Second)
			if len(*changes) != 0 {
				t.Errorf("Critical called: %v, want never", *changes)
			}
		})
	})
	t.Run("LastsAsLongAsErrorsCome", func(t *testing.T) {
		setup(t, store.Options{CriticalErrors: 1, CriticalWindow: 10 * time.Second}, func(e *env, _ *prometheus.Registry, changes *[]change) {
			fail(e, 20, 9*time.Second)
			e.sleep(time.Minute)
			if diff := cmp.Diff([]change{{true, 0}, {false, 181 * time.Second}}, *changes); diff != "" {
				t.Errorf("Critical called (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("CountsUnansweredReads", func(t *testing.T) {
		setup(t, store.Options{}, func(e *env, _ *prometheus.Registry, changes *[]change) {
			e.drv.Use(faulty.Nth(faulty.Read, down, 1, 2, 3, 4, 5))
			e.db.Read(e.ctx, "a")
			synctest.Wait()
			if len(*changes) != 1 {
				t.Errorf("Critical called: %v, want once", *changes)
			}
		})
	})
	t.Run("DoesNotCountWrongRequestsAndReadersWhoLeft", func(t *testing.T) {
		setup(t, store.Options{CriticalErrors: 1}, func(e *env, _ *prometheus.Registry, changes *[]change) {
			ctx, cancel := context.WithCancel(e.ctx)
			cancel()
			e.db.Read(ctx, "a")
			e.db.Read(e.ctx, "")
			e.db.ReadVersion(e.ctx, "a", driver.Version{1})
			e.db.Commit(e.ctx, e.put(store.Waited, ""))
			e.db.Commit(e.ctx, e.replace("a", driver.Version{1}))
			synctest.Wait()
			if len(*changes) != 0 {
				t.Errorf("Critical called: %v, want never", *changes)
			}
		})
	})
	t.Run("IsNotSignalledAfterClose", func(t *testing.T) {
		calls := 0
		closable(t, &store.Options{CriticalErrors: 1, Critical: func(bool) { calls++ }}, func(e *env) {
			fail(e, 1, 0)
			synctest.Wait()
			if err := e.db.Close(e.ctx); err != nil {
				t.Errorf("Close: %v", err)
			}
			e.sleep(time.Hour)
			if calls != 1 {
				t.Errorf("Critical called %d times, want once, before Close", calls)
			}
		})
	})
}

func TestMetrics(t *testing.T) {
	t.Run("QueueCountsAttemptsThatHaveNotEnded", func(t *testing.T) {
		r := prometheus.NewRegistry()
		bubble(t, &store.Options{Metrics: r}, func(e *env) {
			e.drv.Use(faulty.All(faulty.Fault{Hold: true}))
			e.db.Go(e.put(store.Waited, "a"), e.put(store.Waited, "a"), e.put(store.Urgent, "b"), e.put(store.Background, ""))
			synctest.Wait()
			queue := func() [3]float64 {
				name := "holdfast_store_queue"
				return [3]float64{gauge(t, r, name, "urgent"), gauge(t, r, name, "waited"), gauge(t, r, name, "background")}
			}
			if got, want := queue(), [3]float64{1, 2, 0}; got != want {
				t.Errorf("queue by lane = %v, want %v", got, want)
			}
			e.drv.Use()
			e.drv.ReleaseAll()
			synctest.Wait()
			if got, want := queue(), [3]float64{}; got != want {
				t.Errorf("queue by lane at the end = %v, want %v", got, want)
			}
		})
	})
	t.Run("Lint", func(t *testing.T) {
		r := prometheus.NewRegistry()
		bubble(t, &store.Options{Metrics: r}, func(e *env) {
			e.db.Commit(e.ctx, e.put(store.Waited, "a"))
			problems, err := testutil.GatherAndLint(r)
			if err != nil || len(problems) != 0 {
				t.Errorf("GatherAndLint = %v, %v, want no problems", problems, err)
			}
		})
	})
}
