package store_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/store"
)

// closing closes a DB in the background.
func (e *env) closing(d time.Duration) <-chan error {
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		defer cancel()
		done <- e.db.Close(ctx)
	}()
	return done
}

// closable is a bubble whose test closes the DB itself.
func closable(t *testing.T, o *store.Options, test func(e *env)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := &env{T: t, ctx: t.Context(), mem: mem.Open()}
		e.drv = faulty.New(e.mem)
		var err error
		if e.db, err = store.New(e.drv, o); err != nil {
			t.Fatalf("New: %v", err)
		}
		test(e)
	})
}

func TestClose(t *testing.T) {
	hold := faulty.All(faulty.Fault{Hold: true}, faulty.Commit)
	t.Run("WaitsForAttemptsAndTheirDone", func(t *testing.T) {
		closable(t, nil, func(e *env) {
			e.drv.Use(hold)
			release := make(chan struct{})
			at := e.put(store.Waited, "a")
			at.Done = func(driver.Moment, error) { <-release }
			e.db.Go(at)
			closed := e.closing(time.Hour)
			e.open(closed)
			e.step()
			e.open(closed)
			close(release)
			if err := e.ended(closed); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	})
	t.Run("RefusesWhatComesAfterwards", func(t *testing.T) {
		closable(t, nil, func(e *env) {
			e.drv.Use(hold)
			first := e.start(e.put(store.Waited, "a"))
			closed := e.closing(time.Hour)
			synctest.Wait()
			if err := e.ended(e.start(e.put(store.Waited, "b"))); !errors.Is(err, driver.ErrClosed) {
				t.Errorf("attempt while closing: %v, want ErrClosed", err)
			}
			e.step()
			if err := e.ended(first); err != nil {
				t.Errorf("attempt from before: %v, want applied", err)
			}
			if err := e.ended(closed); err != nil {
				t.Errorf("Close: %v", err)
			}
			if err := e.db.Close(e.ctx); !errors.Is(err, driver.ErrClosed) {
				t.Errorf("second Close: %v, want ErrClosed", err)
			}
			if _, err := e.db.Read(e.ctx, "a"); !errors.Is(err, driver.ErrClosed) {
				t.Errorf("Read after Close: %v, want ErrClosed", err)
			}
		})
	})
	t.Run("FailsTheRestWhenItsContextEnds", func(t *testing.T) {
		closable(t, nil, func(e *env) {
			e.drv.Use(hold)
			flying := e.start(e.put(store.Waited, "a"))
			synctest.Wait()
			behind, queued := e.start(e.put(store.Waited, "a")), e.start(e.put(store.Background, "b"))
			closed := e.closing(time.Second)
			e.sleep(2 * time.Second)
			if err := e.ended(closed); err != nil {
				t.Errorf("Close: %v", err)
			}
			if err := e.ended(flying); !errors.Is(err, driver.ErrClosed) || !errors.Is(err, store.ErrUncertain) {
				t.Errorf("attempt in flight: %v, want ErrClosed and ErrUncertain", err)
			}
			for name, done := range map[string]<-chan error{"behind it": behind, "queued": queued} {
				if err := e.ended(done); !errors.Is(err, driver.ErrClosed) || errors.Is(err, store.ErrUncertain) {
					t.Errorf("attempt %s: %v, want ErrClosed for certain", name, err)
				}
			}
		})
	})
	t.Run("EndsPauses", func(t *testing.T) {
		closable(t, &store.Options{Pause: time.Hour, MaxPause: time.Hour}, func(e *env) {
			e.drv.Use(faulty.All(down, faulty.Commit))
			paused := e.start(e.put(store.Waited, "a"))
			synctest.Wait()
			if err := e.ended(e.closing(0)); err != nil {
				t.Errorf("Close: %v", err)
			}
			if err := e.ended(paused); !errors.Is(err, driver.ErrClosed) || !errors.Is(err, store.ErrUncertain) {
				t.Errorf("paused attempt: %v, want ErrClosed and ErrUncertain", err)
			}
		})
	})
	t.Run("EndsWaitsForTheBudget", func(t *testing.T) {
		closable(t, &store.Options{Rate: 0.001, Burst: 1}, func(e *env) {
			e.db.Go(e.put(store.Waited, "a"))
			waits := e.start(e.put(store.Waited, "b"))
			read := make(chan error, 1)
			go func() {
				_, err := e.db.Read(context.Background(), "a")
				read <- err
			}()
			synctest.Wait()
			if err := e.ended(e.closing(0)); err != nil {
				t.Errorf("Close: %v", err)
			}
			if err := e.ended(waits); !errors.Is(err, driver.ErrClosed) || errors.Is(err, store.ErrUncertain) {
				t.Errorf("attempt that waits: %v, want ErrClosed for certain", err)
			}
			if err := e.ended(read); !errors.Is(err, driver.ErrClosed) {
				t.Errorf("Read that waits: %v, want ErrClosed", err)
			}
		})
	})
	t.Run("EndsReads", func(t *testing.T) {
		for _, fault := range []faulty.Fault{down, {Hold: true}} {
			closable(t, &store.Options{Pause: time.Hour, MaxPause: time.Hour, Timeout: time.Hour}, func(e *env) {
				e.drv.Use(faulty.All(fault, faulty.Read))
				read := make(chan error, 1)
				go func() {
					_, err := e.db.Read(context.Background(), "a")
					read <- err
				}()
				synctest.Wait()
				if err := e.ended(e.closing(0)); err != nil {
					t.Errorf("Close: %v", err)
				}
				if err := e.ended(read); !errors.Is(err, driver.ErrClosed) {
					t.Errorf("Read: %v, want ErrClosed", err)
				}
			})
		}
	})
	t.Run("WaitsForTheCommitThatConfirms", func(t *testing.T) {
		closable(t, nil, func(e *env) {
			e.drv.Use(faulty.Nth(faulty.Commit, faulty.Fault{Lost: true}, 1), faulty.Nth(faulty.Commit, faulty.Fault{Hold: true}, 3))
			done := e.start(e.create("a"))
			closed := e.closing(time.Hour)
			e.sleep(time.Second)
			e.open(closed)
			e.step()
			if err := e.ended(done); err != nil {
				t.Errorf("attempt: %v, want applied", err)
			}
			if err := e.ended(closed); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	})
}

func TestCommitEndsWithItsContextAndTheAttemptGoesOn(t *testing.T) {
	bubble(t, nil, func(e *env) {
		e.drv.Use(faulty.All(faulty.Fault{Hold: true}, faulty.Commit))
		ctx, cancel := context.WithTimeout(e.ctx, time.Second)
		defer cancel()
		if _, err := e.db.Commit(ctx, e.put(store.Waited, "a")); !errors.Is(err, store.ErrUncertain) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Commit: %v, want ErrUncertain and the deadline", err)
		}
		e.step()
		synctest.Wait()
		if e.at("a").IsZero() {
			t.Error("the attempt did not go on")
		}
	})
}

func TestGoRefusesWhatBreaksALimit(t *testing.T) {
	bubble(t, nil, func(e *env) {
		made := e.record()
		noWrite := store.Attempt{Batch: driver.Batch{ID: e.id()}}
		noLane := e.put(store.Lane(3), "a")
		for _, at := range []store.Attempt{noWrite, noLane, e.put(store.Waited, "")} {
			if err := e.ended(e.start(at)); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Go(%v): %v, want ErrInvalid", at, err)
			}
		}
		e.db.Go(noWrite, e.put(store.Waited, "b")) // nobody asks
		e.db.Go()
		synctest.Wait()
		if len(made.keys) != 1 {
			t.Errorf("commits %v, want that of b", made.keys)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	good := driver.Info{Name: "mem", Writers: 1, Group: 1}
	for _, test := range []struct {
		name string
		info driver.Info
		opts store.Options
	}{
		{"NegativePause", good, store.Options{Pause: -1}},
		{"NegativeMaxPause", good, store.Options{MaxPause: -1}},
		{"NegativeTimeout", good, store.Options{Timeout: -1}},
		{"NegativeRate", good, store.Options{Rate: -1}},
		{"RateThatIsNoNumber", good, store.Options{Rate: math.NaN()}},
		{"NegativeBurst", good, store.Options{Rate: 1, Burst: -1}},
		{"NegativeGroupBytes", good, store.Options{GroupBytes: -1}},
		{"NegativeMaxValue", good, store.Options{MaxValue: -1}},
		{"MaxValueOverTheDriversLimit", good, store.Options{MaxValue: driver.MaxValue}},
		{"NegativeCriticalErrors", good, store.Options{CriticalErrors: -1}},
		{"TooManyCriticalErrors", good, store.Options{CriticalErrors: 1e6}},
		{"NegativeCriticalWindow", good, store.Options{CriticalWindow: -1}},
		{"DatabaseWithoutWriters", driver.Info{Group: 1}, store.Options{}},
		{"DatabaseWithoutGroups", driver.Info{Writers: 1}, store.Options{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := store.New(shape{mem.Open(), test.info}, &test.opts); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("New: %v, want ErrInvalid", err)
			}
		})
	}
	t.Run("EntropyThatRunsDry", func(t *testing.T) {
		if _, err := store.New(mem.Open(), &store.Options{Entropy: bytes.NewReader(make([]byte, 31))}); err == nil {
			t.Error("New with 31 bytes of entropy: nil, want an error")
		}
	})
	t.Run("SecondDBOnOneRegistry", func(t *testing.T) {
		r := prometheus.NewRegistry()
		if _, err := store.New(mem.Open(), &store.Options{Metrics: r}); err != nil {
			t.Fatalf("New: %v", err)
		}
		if _, err := store.New(mem.Open(), &store.Options{Metrics: r}); err == nil {
			t.Error("second New: nil, want an error")
		}
	})
}

func TestCloseGivesTheMetricsBack(t *testing.T) {
	t.Parallel()
	o := &store.Options{Metrics: prometheus.NewRegistry()}
	for range 2 {
		db, err := store.New(mem.Open(), o)
		if err != nil {
			t.Fatalf("New with the same registry: %v", err)
		}
		if err := db.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
