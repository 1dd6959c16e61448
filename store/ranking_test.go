package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/store"
)

func (e *env) ranking(name string, o *store.RankingOptions) *store.Ranking {
	e.Helper()
	r, err := e.db.Ranking(name, o)
	if err != nil {
		e.Fatalf("Ranking(%q): %v", name, err)
	}
	return r
}

func (e *env) place(r *store.Ranking, member string, score int64) {
	e.Helper()
	if err := r.Set(e.ctx, member, score); err != nil {
		e.Fatalf("Set(%q, %d): %v", member, score, err)
	}
}

// shown is a list of standings as "rank member score".
func shown(list []store.Standing) []string {
	var lines []string
	for _, st := range list {
		lines = append(lines, fmt.Sprintf("%d %s %d", st.Rank, st.Member, st.Score))
	}
	return lines
}

func (e *env) standings(what string, list []store.Standing, err error, want ...string) {
	e.Helper()
	if err != nil {
		e.Fatalf("%s: %v", what, err)
	}
	if diff := cmp.Diff(want, shown(list)); diff != "" {
		e.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// entries returns the keys with a prefix in the database.
func (e *env) entries(prefix string) []string {
	e.Helper()
	s, err := e.mem.List(e.ctx, driver.Query{Prefix: prefix, KeysOnly: true})
	if err != nil {
		e.Fatal(err)
	}
	var keys []string
	for _, entry := range s.Entries {
		keys = append(keys, entry.Key)
	}
	return keys
}

func TestRanking(t *testing.T) {
	for _, c := range []struct {
		name string
		test func(e *env, r *store.Ranking)
	}{
		{"TopIsInTheOrderOfScoresThenNames", func(e *env, r *store.Ranking) {
			for member, score := range map[string]int64{"ann": 5, "bob": -3, "cat": 70, "dan": 5, "eve": 0, "a/b": 5} {
				e.place(r, member, score)
			}
			list, err := r.Top(e.ctx, 5)
			e.standings("Top(5)", list, err, "1 cat 70", "2 a/b 5", "3 ann 5", "4 dan 5", "5 eve 0")
			list, err = r.Top(e.ctx, 100)
			if err != nil || len(list) != 6 || !list[5].Exact {
				e.Errorf("Top(100) = %v, %v, want all six, exactly", list, err)
			}
		}},
		{"AMemberHasOneRowWhateverHisScoreWas", func(e *env, r *store.Ranking) {
			for _, score := range []int64{1, 9, 9, -4, math.MaxInt64, math.MinInt64, 3} {
				e.place(r, "ann", score)
			}
			if n, err := r.Add(e.ctx, "ann", 4); n != 7 || err != nil {
				e.Errorf("Add = %d, %v, want 7", n, err)
			}
			list, err := r.Top(e.ctx, 10)
			e.standings("Top", list, err, "1 ann 7")
			if got := e.entries("~rank/"); len(got) != 1 {
				e.Errorf("rows %q, want one", got)
			}
		}},
		{"RankCountsThoseBefore", func(e *env, r *store.Ranking) {
			for i := range 20 {
				e.place(r, fmt.Sprintf("p%02d", i), int64(i/2))
			}
			st, err := r.Rank(e.ctx, "p10")
			if want := (store.Standing{Member: "p10", Score: 5, Rank: 9, Exact: true}); st != want || err != nil {
				e.Errorf("Rank(p10) = %+v, %v, want %+v", st, err, want)
			}
			if n, err := r.Len(e.ctx); n != 20 || err != nil {
				e.Errorf("Len = %d, %v, want 20", n, err)
			}
		}},
		{"AroundEndsWithTheRanking", func(e *env, r *store.Ranking) {
			for i := range 6 {
				e.place(r, fmt.Sprintf("p%d", i), int64(-i))
			}
			list, err := r.Around(e.ctx, "p1", 2)
			e.standings("Around(p1, 2)", list, err, "1 p0 0", "2 p1 -1", "3 p2 -2", "4 p3 -3")
			list, err = r.Around(e.ctx, "p5", 1)
			e.standings("Around(p5, 1)", list, err, "5 p4 -4", "6 p5 -5")
		}},
		{"DeletedIsGoneUntilItIsSetAgain", func(e *env, r *store.Ranking) {
			e.place(r, "ann", 5)
			e.place(r, "bob", 4)
			if err := r.Delete(e.ctx, "ann"); err != nil {
				e.Fatal(err)
			}
			list, err := r.Top(e.ctx, 9)
			e.standings("Top after Delete", list, err, "1 bob 4")
			for what, err := range map[string]error{
				"Delete": r.Delete(e.ctx, "ann"),
				"Get":    second(r.Get(e.ctx, "ann")),
				"Rank":   second(r.Rank(e.ctx, "ann")),
				"Around": second(r.Around(e.ctx, "ann", 2)),
			} {
				if !errors.Is(err, store.ErrNotFound) {
					e.Errorf("%s of a deleted member: %v, want ErrNotFound", what, err)
				}
			}
			if n, err := r.Add(e.ctx, "ann", 2); n != 2 || err != nil {
				e.Errorf("Add to a deleted member = %d, %v, want 2", n, err)
			}
		}},
		{"UpdateSkipsAndFails", func(e *env, r *store.Ranking) {
			best := func(score int64) func(int64, bool) (int64, error) {
				return func(was int64, found bool) (int64, error) {
					if found && was >= score {
						return 0, store.ErrSkip
					}
					return score, nil
				}
			}
			for _, c := range []struct{ score, want int64 }{{5, 5}, {3, 5}, {8, 8}} {
				if n, err := r.Update(e.ctx, "ann", best(c.score)); n != c.want || err != nil {
					e.Errorf("Update with %d = %d, %v, want %d", c.score, n, err, c.want)
				}
			}
			own := errors.New("own")
			if _, err := r.Update(e.ctx, "bob", func(int64, bool) (int64, error) { return 0, own }); !errors.Is(err, own) {
				e.Errorf("Update = %v, want its function's error", err)
			}
			if n, err := r.Len(e.ctx); n != 1 || err != nil {
				e.Errorf("Len = %d, %v, want 1", n, err)
			}
		}},
		{"ClearRemovesAllAndNothingElse", func(e *env, r *store.Ranking) {
			other := e.ranking("wins2", nil)
			low := e.ranking("wins", &store.RankingOptions{LowestFirst: true})
			e.place(other, "ann", 1)
			e.place(low, "ann", 1)
			for i := range 5000 {
				e.place(r, fmt.Sprint(i), int64(i))
			}
			if err := r.Clear(e.ctx); err != nil {
				e.Fatal(err)
			}
			if got := append(e.entries("~rank/high/wins/"), e.entries("~score/high/wins/")...); len(got) != 0 {
				e.Errorf("%d entries are left", len(got))
			}
			for _, r := range []*store.Ranking{other, low} {
				if n, err := r.Len(e.ctx); n != 1 || err != nil {
					e.Errorf("Len of another = %d, %v, want 1", n, err)
				}
			}
			e.place(r, "ann", 3)
		}},
		{"LowestFirst", func(e *env, _ *store.Ranking) {
			r := e.ranking("laps", &store.RankingOptions{LowestFirst: true})
			for i, score := range []int64{71, 65, -1, 90} {
				e.place(r, fmt.Sprintf("p%d", i), score)
			}
			list, err := r.Top(e.ctx, 3)
			e.standings("Top(3)", list, err, "1 p2 -1", "2 p1 65", "3 p0 71")
		}},
		{"RefusesBadInput", func(e *env, r *store.Ranking) {
			for what, err := range map[string]error{
				"Set of nobody":        r.Set(e.ctx, "", 1),
				"Set of a long name":   r.Set(e.ctx, strings.Repeat("x", store.MaxMember+1), 1),
				"Set of no text":       r.Set(e.ctx, "\xff", 1),
				"Get with a NUL":       second(r.Get(e.ctx, "a\x00")),
				"a ranking of no name": second(e.db.Ranking("", nil)),
				"one of a long name":   second(e.db.Ranking(strings.Repeat("x", 51), nil)),
			} {
				if !errors.Is(err, store.ErrName) {
					e.Errorf("%s: %v, want ErrName", what, err)
				}
			}
			for what, err := range map[string]error{
				"Top(0)":      second(r.Top(e.ctx, 0)),
				"Top(5000)":   second(r.Top(e.ctx, 5000)),
				"Around(-1)":  second(r.Around(e.ctx, "ann", -1)),
				"Page of -1":  rangeErr(e.ctx, r, &store.RangeOptions{Page: -1}),
				"Page of 1e6": rangeErr(e.ctx, r, &store.RangeOptions{Page: 1e6}),
			} {
				if !errors.Is(err, driver.ErrInvalid) {
					e.Errorf("%s: %v, want ErrInvalid", what, err)
				}
			}
			e.place(r, "ann", math.MaxInt64)
			if _, err := r.Add(e.ctx, "ann", 1); !errors.Is(err, store.ErrNotInteger) {
				e.Errorf("Add beyond int64: %v, want ErrNotInteger", err)
			}
			if n, err := r.Get(e.ctx, "ann"); n != math.MaxInt64 || err != nil {
				e.Errorf("Get = %d, %v, want it unchanged", n, err)
			}
		}},
		{"AFedOneIsReadAlone", func(e *env, _ *store.Ranking) {
			r, err := e.db.FedRanking("player", "wins", nil, func(_ context.Context, member string) (int64, error) {
				if member != "ann" {
					return 0, store.ErrNotFound
				}
				return 5, nil
			})
			if err != nil {
				e.Fatal(err)
			}
			e.end(e.put(store.Waited, store.RankedRow("player", "wins", false, 5, "ann"), store.RankedRow("player", "wins", false, 9, "bob")))
			st, err := r.Rank(e.ctx, "ann")
			if st.Rank != 2 || err != nil {
				e.Errorf("Rank = %+v, %v, want 2", st, err)
			}
			for what, err := range map[string]error{"Set": r.Set(e.ctx, "ann", 1), "Delete": r.Delete(e.ctx, "ann"), "Clear": r.Clear(e.ctx)} {
				if !errors.Is(err, store.ErrRanked) {
					e.Errorf("%s: %v, want ErrRanked", what, err)
				}
			}
		}},
		{"ScoreAndRowMoveTogether", func(e *env, r *store.Ranking) {
			e.place(r, "ann", 5)
			e.drv.Use(faulty.Random(1, 0.2, 0.3))
			for i := range 50 {
				err := r.Set(e.ctx, "ann", int64(i))
				if err != nil && !errors.Is(err, store.ErrUncertain) {
					e.Fatalf("Set: %v", err)
				}
				rows, score := e.entries("~rank/"), e.value("~score/high/wins/ann")
				if len(rows) != 1 || !strings.HasSuffix(rows[0], "/ann") {
					e.Fatalf("rows %q beside the score %s", rows, score)
				}
			}
			e.drv.Use()
			list, err := r.Top(e.ctx, 2)
			if score, err2 := r.Get(e.ctx, "ann"); err != nil || err2 != nil || len(list) != 1 || list[0].Score != score {
				e.Errorf("Top = %v, Get = %d (%v, %v), want one row of that score", list, score, err, err2)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, func(e *env) { c.test(e, e.ranking("wins", nil)) })
		})
	}
}

func second[T any](_ T, err error) error { return err }

func rangeErr(ctx context.Context, r *store.Ranking, o *store.RangeOptions) error {
	for _, err := range r.Range(ctx, o) {
		return err
	}
	return nil
}

// end wants an attempt to be applied.
func (e *env) end(at store.Attempt) {
	e.Helper()
	if err := e.ended(e.start(at)); err != nil {
		e.Fatal(err)
	}
}

func (e *env) value(key string) string {
	e.Helper()
	s, err := e.mem.Read(e.ctx, key)
	if err != nil {
		e.Fatal(err)
	}
	return string(s.Entries[0].Value)
}

func TestAddsToOneMemberAreNotLost(t *testing.T) {
	bubble(t, nil, func(e *env) {
		r := e.ranking("wins", nil)
		done := make(chan error)
		for range 40 {
			go func() {
				_, err := r.Add(e.ctx, "ann", 1)
				done <- err
			}()
		}
		for range 40 {
			if err := <-done; err != nil {
				t.Errorf("Add: %v", err)
			}
		}
		if n, err := r.Get(e.ctx, "ann"); n != 40 || err != nil {
			t.Errorf("Get = %d, %v, want 40", n, err)
		}
	})
}

// TestRowsSortAsScoresDo compares the order of the rows' keys with that of the
// scores, for any scores and members.
func TestRowsSortAsScoresDo(t *testing.T) {
	scores := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-3, 3), rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, math.MaxInt64 - 1, math.MaxInt64}))
	rapid.Check(t, func(t *rapid.T) {
		a, b := scores.Draw(t, "a"), scores.Draw(t, "b")
		ma, mb := rapid.String().Draw(t, "member a"), rapid.String().Draw(t, "member b")
		high := strings.Compare(store.RankedRow("player", "wins", false, a, ma), store.RankedRow("player", "wins", false, b, mb))
		low := strings.Compare(store.RankedRow("player", "wins", true, a, ma), store.RankedRow("player", "wins", true, b, mb))
		switch {
		case a > b && (high >= 0 || low <= 0):
			t.Errorf("of %d and %d the higher does not come first (%d), or not last (%d)", a, b, high, low)
		case a == b && (high != low || (ma == mb) != (high == 0)):
			t.Errorf("of one score, %q and %q are %d and %d apart", ma, mb, high, low)
		}
	})
}

// TestRangeYieldsWhatIsInIt compares Range with a sorted list, for any bounds.
func TestRangeYieldsWhatIsInIt(t *testing.T) {
	bubble(t, nil, func(e *env) {
		for _, lowest := range []bool{false, true} {
			r := e.ranking("wins", &store.RankingOptions{LowestFirst: lowest})
			var all []store.Standing
			for i := range 60 {
				st := store.Standing{Member: fmt.Sprintf("p%02d", i), Score: int64(i*7%13 - 6)}
				e.place(r, st.Member, st.Score)
				all = append(all, st)
			}
			slices.SortFunc(all, func(a, b store.Standing) int {
				by := int(b.Score - a.Score)
				if lowest {
					by = -by
				}
				if by == 0 {
					by = strings.Compare(a.Member, b.Member)
				}
				return by
			})
			e.ranges(r, all)
		}
	})
}

// ranges tries Range with many bounds.
func (e *env) ranges(r *store.Ranking, all []store.Standing) {
	e.Helper()
	var bounds []*int64
	for _, n := range []int64{-9, -6, -2, 0, 3, 6, 20} {
		bounds = append(bounds, &n)
	}
	bounds = append(bounds, nil)
	for _, low := range bounds {
		for _, high := range bounds {
			for i, reverse := range []bool{false, true, false, true} {
				o := &store.RangeOptions{Min: low, Max: high, Reverse: reverse, Page: 1 + i*5}
				want := slices.Clone(all)
				if reverse {
					slices.Reverse(want)
				}
				if i >= 2 {
					after := want[17]
					o.After, want = &after, want[18:]
				}
				want = slices.DeleteFunc(want, func(st store.Standing) bool {
					return low != nil && st.Score < *low || high != nil && st.Score > *high
				})
				got := make([]store.Standing, 0, len(want))
				for st, err := range r.Range(e.ctx, o) {
					if err != nil {
						e.Fatal(err)
					}
					got = append(got, st)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					e.Fatalf("Range(%v to %v, reverse %v, page %d, after %v) (-want +got):\n%s", deref(low), deref(high), reverse, o.Page, o.After, diff)
				}
			}
		}
	}
}

func deref(n *int64) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}
