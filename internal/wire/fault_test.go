package wire_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/internal/wire"
)

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		at   wire.Point
		want int
	}{
		{wire.Before, 0}, {wire.Middle, 0}, {wire.BeforeCommit, 0},
		{wire.Answer, 1}, {wire.MidAnswer, 1},
	} {
		t.Run(fmt.Sprint(tt.at), func(t *testing.T) {
			b := newBench(t)
			c := b.connect(b.url)
			trap := b.proxy.Trap(1, wire.Commits, wire.Fault{At: tt.at, Do: wire.Cut})
			if err := b.add(b.ctx, c, 1); err == nil {
				t.Error("the client got its answer, want an error")
			}
			b.sprung(trap)
			b.wants(tt.want)
			if got := b.proxy.Happened(tt.at, wire.Cut); got != 1 {
				t.Errorf("Happened = %d, want 1", got)
			}
		})
	}
	t.Run("SentEndsBothEnds", func(t *testing.T) {
		b := newBench(t)
		c := b.connect(b.url)
		trap := b.proxy.Trap(1, wire.Commits, wire.Fault{At: wire.Sent, Do: wire.Cut})
		if err := b.add(b.ctx, c, 1); err == nil {
			t.Error("the client got its answer, want an error")
		}
		b.sprung(trap) // whether it was applied, nobody can say
	})
}

func TestLeave(t *testing.T) {
	for _, at := range []wire.Point{wire.Before, wire.Middle, wire.BeforeCommit, wire.Sent} {
		t.Run("IsAppliedWhenReleased/"+fmt.Sprint(at), func(t *testing.T) {
			b := newBench(t)
			c := b.connect(b.url)
			trap := b.proxy.Trap(1, wire.Commits, wire.Fault{At: at, Do: wire.Leave})
			if err := b.add(b.ctx, c, 1); err == nil {
				t.Error("the client got its answer, want an error")
			}
			b.sprung(trap)
			trap.Release()
			if code := b.outcome(trap); code != "" {
				t.Errorf("the server refused it with %s", code)
			}
			b.wants(1)
		})
	}
	t.Run("BeforeItsReleaseNothingIsApplied", func(t *testing.T) {
		b := newBench(t)
		c := b.connect(b.url)
		trap := b.proxy.Trap(1, wire.Commits, wire.Fault{At: wire.Before, Do: wire.Leave})
		_ = b.add(b.ctx, c, 1) // refused, as TestLeave shows
		b.sprung(trap)
		b.wants(0)
	})
	t.Run("ReleasesItselfInTime", func(t *testing.T) {
		b := newBench(t)
		c := b.connect(b.url)
		trap := b.proxy.Trap(1, wire.Commits, wire.Fault{At: wire.BeforeCommit, Do: wire.Leave, For: time.Millisecond})
		_ = b.add(b.ctx, c, 1)
		b.outcome(trap)
		b.wants(1)
	})
	t.Run("TellsTheServersRefusal", func(t *testing.T) {
		b := newBench(t)
		c := b.connect(b.url)
		trap := b.proxy.Trap(1, wire.Commits, wire.Fault{At: wire.Before, Do: wire.Leave})
		_, _ = c.Exec(b.ctx, "INSERT INTO entry VALUES ($1, 1)", b.row) // its answer is lost
		b.sprung(trap)
		trap.Release()
		if got, want := b.outcome(trap), "23505"; got != want {
			t.Errorf("Outcome = %q, want %q", got, want)
		}
	})
}

func TestHold(t *testing.T) {
	for _, at := range []wire.Point{wire.Before, wire.BeforeCommit, wire.Answer, wire.MidAnswer} {
		t.Run("GoesOnWhenReleased/"+fmt.Sprint(at), func(t *testing.T) {
			b := newBench(t)
			c := b.connect(b.url)
			trap := b.proxy.Trap(1, wire.Commits, wire.Fault{At: at, Do: wire.Hold})
			done := make(chan error, 1)
			go func() { done <- b.add(b.ctx, c, 1) }()
			b.sprung(trap)
			select {
			case err := <-done:
				t.Errorf("the client was answered (%v) while its request was held", err)
			default:
			}
			trap.Release()
			if err := <-done; err != nil {
				t.Errorf("after the release: %v", err)
			}
			b.wants(1)
		})
	}
}

func TestMute(t *testing.T) {
	t.Run("TellsNeitherEnd", func(t *testing.T) {
		b := newBench(t)
		c := b.connect(b.url)
		trap := b.proxy.Trap(1, wire.Commits, wire.Fault{At: wire.BeforeCommit, Do: wire.Mute})
		ctx, cancel := context.WithCancelCause(b.ctx)
		gaveUp := errors.New("gave up")
		go func() {
			_, _ = trap.Wait(b.ctx)
			cancel(gaveUp)
		}()
		if err := b.add(ctx, c, 1); err == nil || ctx.Err() == nil {
			t.Errorf("the client heard %v before it gave up, want nothing", err)
		}
		// The server gets to the first half in its own time, and stays there: in a
		// transaction, or after one if the client's request to cancel came in between.
		const halves = `SELECT count(*), pg_sleep(0.01)::text FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'`
		for had, slept := 0, ""; had == 0; {
			if err := b.direct.QueryRow(b.ctx, halves).Scan(&had, &slept); err != nil {
				t.Fatalf("the server is at no half of a transaction, it was told: %v", err)
			}
		}
		b.proxy.Cut()
		b.wants(0)
	})
}

func TestTrap(t *testing.T) {
	t.Run("SpringsAtTheNth", func(t *testing.T) {
		b := newBench(t)
		c := b.connect(b.url)
		b.proxy.Trap(3, wire.Commits, wire.Fault{At: wire.Answer, Do: wire.Cut})
		var got []bool
		for range 3 {
			got = append(got, b.add(b.ctx, c, 1) == nil)
		}
		if diff := cmp.Diff([]bool{true, true, false}, got); diff != "" {
			t.Errorf("answered (-want +got):\n%s", diff)
		}
		b.wants(3)
	})
	t.Run("SparesOtherRequests", func(t *testing.T) {
		b := newBench(t)
		c := b.connect(b.url)
		trap := b.proxy.Trap(1, wire.CommitOf("no such text"), wire.Fault{At: wire.Before, Do: wire.Cut})
		if err := b.add(b.ctx, c, 1); err != nil {
			t.Errorf("add: %v", err)
		}
		ctx, cancel := context.WithCancel(b.ctx)
		cancel()
		if r, err := trap.Wait(ctx); err == nil {
			t.Errorf("Wait = %v, want an error: the trap may not spring", r)
		}
	})
}

func TestRandomly(t *testing.T) {
	draw := func(seed uint64) (drawn []wire.Fault) {
		plan := wire.Randomly(seed, 0.5, wire.Commits,
			wire.Fault{At: wire.Before, Do: wire.Cut}, wire.Fault{At: wire.Answer, Do: wire.Cut})
		for range 64 {
			drawn = append(drawn, plan(&wire.Request{Commits: true}))
		}
		return drawn
	}
	t.Run("RepeatsWithItsSeed", func(t *testing.T) {
		if diff := cmp.Diff(draw(1), draw(1)); diff != "" {
			t.Errorf("two plans of one seed differ:\n%s", diff)
		}
		if cmp.Equal(draw(1), draw(2)) {
			t.Error("two seeds give the same faults")
		}
	})
	t.Run("DrawsEachFaultAndNone", func(t *testing.T) {
		seen := make(map[wire.Fault]bool)
		for _, f := range draw(3) {
			seen[f] = true
		}
		if len(seen) != 3 {
			t.Errorf("drew %v, want two faults and none", seen)
		}
	})
	t.Run("HappensToRequests", func(t *testing.T) {
		b := newBench(t)
		c := b.connect(b.url)
		b.proxy.Use(wire.Randomly(1, 1, wire.Commits, wire.Fault{At: wire.Before, Do: wire.Cut}))
		if err := b.add(b.ctx, c, 1); err == nil {
			t.Error("add was answered, want an error")
		}
		b.proxy.Use(nil)
		if err := b.add(b.ctx, b.connect(b.url), 1); err != nil {
			t.Errorf("add without a plan: %v", err)
		}
		b.wants(1)
	})
}
