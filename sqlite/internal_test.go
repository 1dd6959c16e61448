package sqlite

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
)

func TestTurn(t *testing.T) {
	t.Run("UrgentGoesFirstThenInOrder", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var turns turn
			var order []string
			if err := turns.take(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"a", "b", "urgent 1", "c", "urgent 2"} {
				go func() {
					if err := turns.take(t.Context(), name[0] == 'u'); err != nil {
						t.Errorf("take: %v", err)
					}
					order = append(order, name) // the turn guards it
					turns.pass()
				}()
				synctest.Wait()
			}
			turns.pass()
			synctest.Wait()
			want := []string{"urgent 1", "urgent 2", "a", "b", "c"}
			if diff := cmp.Diff(want, order); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
			if turns.taken {
				t.Error("the turn is still taken")
			}
		})
	})
	t.Run("WhoGivesUpLosesNoTurn", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var turns turn
			if err := turns.take(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			errs := make(chan error, 2)
			go func() { errs <- turns.take(ctx, true) }()
			synctest.Wait()
			cancel()
			if err := <-errs; !errors.Is(err, driver.ErrUnavailable) || !errors.Is(err, context.Canceled) {
				t.Errorf("take = %v, want ErrUnavailable and Canceled", err)
			}
			go func() { errs <- turns.take(t.Context(), false) }()
			synctest.Wait()
			turns.pass()
			if err := <-errs; err != nil {
				t.Errorf("take after another gave up: %v", err)
			}
		})
	})
	t.Run("YieldComesBackBeforeTheOthers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var turns turn
			var order []string
			if err := turns.take(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"other", "urgent"} {
				go func() {
					if err := turns.take(t.Context(), name == "urgent"); err != nil {
						t.Errorf("take: %v", err)
					}
					order = append(order, name)
					turns.pass()
				}()
				synctest.Wait()
			}
			if err := turns.yield(t.Context()); err != nil {
				t.Errorf("yield: %v", err)
			}
			order = append(order, "yielded")
			turns.pass()
			synctest.Wait()
			if diff := cmp.Diff([]string{"urgent", "yielded", "other"}, order); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	})
}

func TestShare(t *testing.T) {
	start := time.Now()
	s := share{since: start, left: start}
	s.observe(7, start)
	for _, c := range []struct {
		fact  string
		after time.Duration // since start
		want  time.Duration
	}{
		{"GoesOnAlone", busyAlone - time.Millisecond, 0},
		{"PausesAfterAWhileAlone", busyAlone, pause},
	} {
		t.Run(c.fact, func(t *testing.T) {
			now := start.Add(c.after)
			s.left = now
			if got := s.due(now); got != c.want {
				t.Errorf("due after %v = %v, want %v", c.after, got, c.want)
			}
		})
	}
	t.Run("GoesOnAfterThePause", func(t *testing.T) {
		now := start.Add(busyAlone + pause)
		s.left = now
		if got := s.due(now); got != 0 {
			t.Errorf("due right after a pause = %v, want 0", got)
		}
	})
	t.Run("ItsOwnCommitsAreNoOthers", func(t *testing.T) {
		s.observe(7, start)
		if !s.other.IsZero() {
			t.Errorf("another process was seen at %v", s.other)
		}
	})
	t.Run("PausesSoonerBesideAnother", func(t *testing.T) {
		now := start.Add(time.Second)
		s.observe(8, now)
		s.since, s.left = now, now.Add(busyShared)
		if got := s.due(now.Add(busyShared)); got != pause {
			t.Errorf("due beside another = %v, want %v", got, pause)
		}
	})
	t.Run("ManyShortAbsencesAreAPause", func(t *testing.T) {
		s := share{since: start, left: start}
		now := start
		for now.Sub(start) <= 2*busyAlone {
			if now = now.Add(time.Millisecond); s.due(now) != 0 {
				t.Fatalf("due %v after the start = a pause, want none: the file is open all the time", now.Sub(start))
			}
			s.left = now
		}
	})
	t.Run("ShortAbsencesThatAreTooFewAreNone", func(t *testing.T) {
		s := share{since: start, left: start}
		for i := range 3 {
			now := start.Add(time.Duration(i) * time.Millisecond)
			s.due(now.Add(time.Millisecond))
			s.left = now.Add(time.Millisecond)
		}
		s.left = start.Add(busyAlone)
		if got := s.due(start.Add(busyAlone)); got != pause {
			t.Errorf("due after 3 ms away = %v, want %v", got, pause)
		}
	})
	t.Run("TimeAwayIsAPause", func(t *testing.T) {
		now := s.left.Add(pause)
		if got := s.due(now); got != 0 || s.since != now {
			t.Errorf("due after time away = %v, since %v, want 0 and %v", got, s.since, now)
		}
	})
}

func TestExplain(t *testing.T) {
	if got := explain(errors.New("other")); got.Error() != "other" {
		t.Errorf("explain of another error = %v", got)
	}
	c, err := dial(t.TempDir()+"/x.db", "rwc", false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.run(schema[0], "PRAGMA max_page_count = 8"); err != nil {
		t.Fatal(err)
	}
	for fact, q := range map[string]struct {
		query string
		want  error
	}{
		"FullIsErrFull":          {"INSERT INTO entries SELECT 'k', zeroblob(16), x'', 1, 1, 1, 1, 1, 1, 1, 0, NULL, zeroblob(1000000)", driver.ErrFull},
		"FullIsUnavailableToo":   {"INSERT INTO entries SELECT 'k', zeroblob(16), x'', 1, 1, 1, 1, 1, 1, 1, 0, NULL, zeroblob(1000000)", driver.ErrUnavailable},
		"TooBigIsErrInvalid":     {"SELECT zeroblob(2000000000)", driver.ErrInvalid},
		"QueryOnlyIsErrReadOnly": {"DELETE FROM entries", driver.ErrReadOnly},
		"NoFileIsErrUnavailable": {"ATTACH '/no/such/folder/x.db' AS other", driver.ErrUnavailable},
	} {
		t.Run(fact, func(t *testing.T) {
			if q.want == driver.ErrReadOnly {
				if err := c.run("PRAGMA query_only = 1"); err != nil {
					t.Fatal(err)
				}
				defer c.run("PRAGMA query_only = 0")
			}
			if err := explain(c.run(q.query)); !errors.Is(err, q.want) {
				t.Errorf("%s: %v, want %v", q.query, err, q.want)
			}
		})
	}
}

func TestIdleForHoldsForNoEntryThatTheScheduleTouches(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 30, 0, 0, time.UTC)
	for _, s := range []*driver.Retention{nil, {}, {Every: -1}, {Every: time.Hour}, {Every: time.Hour, For: time.Hour, Max: 3}} {
		for _, written := range []time.Duration{0, -time.Microsecond, -30 * time.Minute, -30*time.Minute - time.Microsecond, 30 * time.Minute, -24 * time.Hour} {
			for _, marked := range []bool{false, true} {
				w := &driver.Write{Retain: s}
				at := now.Add(written)
				i, ok := idleFor(w, now)
				micro := at.UnixMicro()
				idle := ok && micro >= i.from && micro < i.to && flag(marked) <= i.marked
				if r := w.Retire(at, marked, now); idle && r.Keep || !idle && !r.Keep && r.To.IsZero() {
					t.Errorf("schedule %+v, written %v, marked %v: idle %v, keep %v", s, written, marked, idle, r.Keep)
				}
			}
		}
	}
}
