package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/store"
)

// crowd is a fed ranking of many members, whose i-th has the score n-i and so the
// rank i+1.
type crowd struct {
	*env
	r     *store.Ranking
	score map[string]int64
}

func (e *env) crowd(n int) *crowd {
	e.Helper()
	c := &crowd{env: e, score: make(map[string]int64, n)}
	var err error
	c.r, err = e.db.FedRanking("player", "wins", nil, func(_ context.Context, member string) (int64, error) { return c.score[member], nil })
	if err != nil {
		e.Fatal(err)
	}
	for i := 0; i < n; i += 1000 {
		var rows []driver.Write
		for j := i; j < min(i+1000, n); j++ {
			rows = append(rows, c.row(fmt.Sprint("p", j), int64(n-j)))
		}
		c.write(rows)
	}
	return c
}

// row returns a member's row, and notes his score.
func (c *crowd) row(member string, score int64) driver.Write {
	c.score[member] = score
	return driver.Write{Key: store.RankedRow("player", "wins", false, score, member), Mode: driver.Always, Value: []byte{}}
}

func (c *crowd) write(rows []driver.Write) {
	c.Helper()
	if _, err := c.mem.Commit(c.ctx, driver.Group{Batches: []driver.Batch{{ID: c.id(), Writes: rows}}}); err != nil {
		c.Fatal(err)
	}
}

// rank returns a member's rank, which is counted within a share of the true one.
func (c *crowd) rank(member string, want int, off float64) store.Standing {
	c.Helper()
	st, err := c.r.Rank(c.ctx, member)
	if err != nil {
		c.Fatalf("Rank(%q): %v", member, err)
	}
	if d := math.Abs(float64(st.Rank-want)) / float64(want); d > off || st.Exact && st.Rank != want {
		c.Errorf("Rank(%q) = %d, exact %v, want %d (off by %.2f%%, at most %.2f%%)", member, st.Rank, st.Exact, want, 100*d, 100*off)
	}
	return st
}

// counts counts the calls of Count, and holds them if hold is set.
type counts struct {
	calls int
	hold  bool
}

func (n *counts) plan(c *faulty.Call) faulty.Fault {
	if c.Op != faulty.Count {
		return faulty.Fault{}
	}
	n.calls++
	return faulty.Fault{Hold: n.hold}
}

func TestRankOfMany(t *testing.T) {
	const many = 100_000
	for _, c := range []struct {
		name string
		test func(e *env, c *crowd)
	}{
		{"IsExactForTheFirst", func(e *env, c *crowd) {
			for _, i := range []int{0, 1, 99, 5000, 9_999, 19_999} {
				if st := c.rank(fmt.Sprint("p", i), i+1, 0); !st.Exact {
					e.Errorf("rank %d is not exact", i+1)
				}
			}
		}},
		{"IsExactEverywhereWhileNobodyMoves", func(e *env, c *crowd) {
			for i := 20_000; i < many; i += 7919 {
				c.rank(fmt.Sprint("p", i), i+1, 0)
			}
			c.rank(fmt.Sprint("p", many-1), many, 0)
			if n, err := c.r.Len(e.ctx); n != many || err != nil {
				e.Errorf("Len = %d, %v, want %d", n, err, many)
			}
		}},
		{"CostsFewCountsOnceItIsKnown", func(e *env, c *crowd) {
			c.rank("p90000", 90_001, 0)
			var n counts
			e.drv.Use(n.plan)
			for range 10 {
				c.rank("p90000", 90_001, 0)
			}
			if n.calls != 10 {
				e.Errorf("10 ranks took %d counts, want one each", n.calls)
			}
		}},
		{"StaysWithinOnePercentWhileMembersCome", func(e *env, c *crowd) {
			// In each of 120 seconds 0.2% more come to the top: each mark's rank
			// grows, by up to 1% a second at first.
			came := 0
			c.rank("p30000", 30_001, 0)
			for second := range 120 {
				var rows []driver.Write
				for range 200 {
					rows = append(rows, c.row(fmt.Sprint("new", came), int64(2*many+came)))
					came++
				}
				c.write(rows)
				e.sleep(time.Second)
				if second%3 == 0 || second < 5 {
					c.rank("p30000", 30_001+came, 0.01)
					c.rank("p99000", 99_001+came, 0.01)
				}
			}
		}},
		{"StaysWithinOnePercentWhileMembersLeave", func(e *env, c *crowd) {
			gone := 0
			c.rank("p60000", 60_001, 0)
			for second := range 60 {
				var rows []driver.Write
				for range 150 {
					w := c.row(fmt.Sprint("p", gone), int64(many-gone))
					w.Value, w.Delete = nil, true
					rows = append(rows, w)
					gone++
				}
				c.write(rows)
				e.sleep(time.Second)
				if second%2 == 0 {
					c.rank("p60000", 60_001-gone, 0.01)
				}
			}
		}},
		{"NobodyWaitsForAFreshCountWhileTheOldIsGood", func(e *env, c *crowd) {
			c.rank("p50000", 50_001, 0)
			e.sleep(2 * time.Second) // no longer fresh
			c.rank("p50000", 50_001, 0)
			synctest.Wait()
			n := counts{}
			e.drv.Use(n.plan)
			c.rank("p50000", 50_001, 0)
			if n.calls != 1 {
				e.Errorf("a rank took %d counts after the one in the background, want one", n.calls)
			}
		}},
		{"ManyWhoAskShareOneCount", func(e *env, c *crowd) {
			n := counts{hold: true}
			e.drv.Use(n.plan)
			done := make(chan store.Standing)
			for range 20 {
				go func() {
					st, err := c.r.Rank(e.ctx, "p50000")
					if err != nil {
						e.Error(err)
					}
					done <- st
				}()
			}
			synctest.Wait()
			n.hold = false
			e.drv.ReleaseAll()
			for range 20 {
				if st := <-done; st.Rank != 50_001 {
					e.Errorf("Rank = %+v, want 50001", st)
				}
			}
			if most := 2*20 + many/4000; n.calls > most {
				e.Errorf("20 ranks at once took %d counts, want at most %d", n.calls, most)
			}
		}},
		{"ADatabaseThatDoesNotAnswerEndsWithTheContext", func(e *env, c *crowd) {
			e.drv.Use(func(c *faulty.Call) faulty.Fault {
				if c.Op == faulty.Count {
					return down
				}
				return faulty.Fault{}
			})
			ctx, cancel := context.WithTimeout(e.ctx, time.Second)
			defer cancel()
			if _, err := c.r.Rank(ctx, "p50000"); !errors.Is(err, context.DeadlineExceeded) {
				e.Errorf("Rank = %v, want the deadline", err)
			}
			e.drv.Use()
			c.rank("p50000", 50_001, 0)
		}},
		{"ACountUnderWayEndsWithTheDB", func(e *env, c *crowd) {
			n := counts{hold: true}
			c.rank("p50000", 50_001, 0)
			e.sleep(2 * time.Second)
			e.drv.Use(n.plan)
			ctx, cancel := context.WithTimeout(e.ctx, time.Second)
			defer cancel()
			if _, err := c.r.Rank(ctx, "p50000"); err == nil {
				e.Error("Rank with all counts held: no error")
			}
			// The bubble's end closes the DB, and finds no goroutine left.
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, func(e *env) { c.test(e, e.crowd(many)) })
		})
	}
}

// TestRankWhileEverybodyMoves lets members take random steps, and holds all ranks
// beyond the first to 1%.
func TestRankWhileEverybodyMoves(t *testing.T) {
	const many = 60_000
	bubble(t, nil, func(e *env) {
		c := e.crowd(many)
		rng := rand.New(rand.NewPCG(7, 7))
		for range 30 {
			var rows []driver.Write
			moved := make(map[string]bool)
			for range 400 {
				member := fmt.Sprint("p", rng.IntN(many))
				if moved[member] {
					continue
				}
				moved[member] = true
				was := c.row(member, c.score[member])
				was.Value, was.Delete = nil, true
				if now := c.row(member, c.score[member]+rng.Int64N(10_000)-5_000); now.Key != was.Key {
					rows = append(rows, was, now)
				}
			}
			c.write(rows)
			e.sleep(time.Second)
			member := fmt.Sprint("p", 20_000+rng.IntN(40_000))
			own, want := store.RankedRow("player", "wins", false, c.score[member], member), 1
			for other, score := range c.score {
				if store.RankedRow("player", "wins", false, score, other) < own {
					want++
				}
			}
			c.rank(member, want, 0.01)
		}
	})
}
