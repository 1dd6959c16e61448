package faulty_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/driver/drivertest"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestKeepsTheContractWithoutAPlan(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{
		Open:    func(t *testing.T) driver.DB { return faulty.New(mem.Open()) },
		Advance: func(t *testing.T, db driver.DB, d time.Duration) { time.Sleep(d) },
		Bubble:  synctest.Test,
	})
}

func group(id byte, key string) driver.Group {
	return driver.Group{Batches: []driver.Batch{{ID: driver.Version{id}, Writes: []driver.Write{{Key: key, Value: []byte{id}}}}}}
}

func holds(t *testing.T, db driver.DB, key string, want bool) {
	t.Helper()
	db.(*faulty.DB).Use()
	s, err := db.Read(context.Background(), key)
	if err != nil || s.Entries[0].Found() != want {
		t.Errorf("Read(%q) = %v, %v, want found %v", key, s.Entries, err, want)
	}
}

func TestFault(t *testing.T) {
	for _, test := range []struct {
		name    string
		fault   faulty.Fault
		applied bool
	}{
		{"ErrIsReturnedWithoutTheCall", faulty.Fault{Err: faulty.ErrDown}, false},
		{"LostAnswerIsApplied", faulty.Fault{Lost: true}, true},
		{"LateCallIsNotAppliedYet", faulty.Fault{Late: true}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := faulty.New(mem.Open())
			db.Use(faulty.Nth(faulty.Commit, test.fault, 1))
			if _, err := db.Commit(t.Context(), group(1, "a")); !errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("Commit: %v, want ErrUnavailable", err)
			}
			holds(t, db, "a", test.applied)
		})
	}
}

func TestLateCallIsMadeWhenReleased(t *testing.T) {
	db := faulty.New(mem.Open())
	db.Use(faulty.All(faulty.Fault{Late: true}, faulty.Commit))
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := db.Commit(ctx, group(1, "a")); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Commit: %v, want ErrUnavailable", err)
	}
	cancel()
	db.ReleaseAll()
	holds(t, db, "a", true)
}

func TestHold(t *testing.T) {
	for _, test := range []struct {
		name   string
		fault  faulty.Fault
		before bool // applied while it is held
	}{
		{"CallWaitsForItsRelease", faulty.Fault{Hold: true}, false},
		{"AnswerWaitsForItsRelease", faulty.Fault{HoldAnswer: true}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := faulty.New(mem.Open())
				db.Use(faulty.All(test.fault))
				done := make(chan error, 1)
				go func() {
					_, err := db.Commit(t.Context(), group(1, "a"))
					done <- err
				}()
				synctest.Wait()
				holds(t, db, "a", test.before)
				waiting := db.Waiting()
				if len(waiting) != 1 || waiting[0].N != 1 || waiting[0].Keys[0] != "a" {
					t.Fatalf("Waiting() = %+v, want the first commit, of a", waiting)
				}
				db.Release(waiting[0])
				db.Release(waiting[0])
				if err := <-done; err != nil {
					t.Errorf("Commit: %v, want nil", err)
				}
				holds(t, db, "a", true)
			})
		})
	}
}

func TestHeldCallEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := faulty.New(mem.Open())
		db.Use(faulty.All(faulty.Fault{Hold: true}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := db.Commit(ctx, group(1, "a"))
		if !errors.Is(err, driver.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Commit: %v, want ErrUnavailable and the deadline", err)
		}
		if n := len(db.Waiting()); n != 0 {
			t.Errorf("Waiting() has %d calls, want none", n)
		}
		holds(t, db, "a", false)
	})
}

func TestRefuseStandsForTheWholeGroup(t *testing.T) {
	db := faulty.New(mem.Open())
	db.Use(faulty.Refuse("b"))
	g := group(1, "a")
	g.Batches = append(g.Batches, group(2, "b").Batches...)
	if _, err := db.Commit(t.Context(), g); !faulty.Refused(err) || errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Commit: %v, want refused for good", err)
	}
	holds(t, db, "a", false)
}

func TestRandomFaultsRepeatWithTheirSeed(t *testing.T) {
	var counts [3]int
	one, two := faulty.Random(7, 0.2, 0.3), faulty.Random(7, 0.2, 0.3)
	for i := range 1000 {
		f, again := one(&faulty.Call{N: i}), two(&faulty.Call{N: i})
		if f != again {
			t.Fatalf("call %d: faults %+v and %+v with one seed", i, f, again)
		}
		switch {
		case f.Err != nil:
			counts[0]++
		case f.Lost:
			counts[1]++
		default:
			counts[2]++
		}
	}
	for i, want := range []int{200, 300, 500} {
		if counts[i] < want-60 || counts[i] > want+60 {
			t.Errorf("counts of down, lost, fine = %v, want about 200, 300, 500", counts)
		}
	}
}
