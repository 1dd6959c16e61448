package store

import (
	"context"
	"fmt"
	"iter"

	"github.com/holdfast-games/holdfast/driver"
)

// Standing is a member's place in a ranking.
type Standing struct {
	Member string
	Score  int64
	Rank   int  // 1 is the first; 0: it was not counted
	Exact  bool // the rank was counted, not estimated
}

// MaxStandings is how many members one call of Top or Around returns to each side.
const MaxStandings = driver.MaxRead

// Top returns the first n members, or fewer if there are not so many. It is
// driver.ErrInvalid unless n is 1 to MaxStandings.
func (r *Ranking) Top(ctx context.Context, n int) ([]Standing, error) {
	if err := r.checkCount("top", n); err != nil {
		return nil, err
	}
	list, _, err := r.list(ctx, driver.Query{Limit: n})
	for i := range list {
		list[i].Rank, list[i].Exact = i+1, true
	}
	return list, err
}

// Rank returns at which place a member stands, or ErrNotFound. The rank is exact
// for the first 10,000. Beyond, it is within 1% of the true one, unless so many
// members move that the ranks there change by more than that within the time of two
// counts, or suddenly several times as fast as before; a count takes about 0.2 seconds for each million members; see the
// package's comment. Usually it takes some milliseconds; the first call for a member
// beyond the first 20,000, or one after a pause, waits for such a count.
func (r *Ranking) Rank(ctx context.Context, member string) (Standing, error) {
	score, err := r.Get(ctx, member)
	if err != nil {
		return Standing{}, err
	}
	n, exact, err := r.db.sketches.of(r.db, r.rows).before(ctx, r.row(score, member))
	if err != nil {
		return Standing{}, r.wrap("rank", member, err)
	}
	return Standing{Member: member, Score: score, Rank: n + 1, Exact: exact}, nil
}

// Len returns how many members there are: exactly up to 10,000, and beyond that
// as exactly as Rank.
func (r *Ranking) Len(ctx context.Context) (int, error) {
	n, _, err := r.db.sketches.of(r.db, r.rows).before(ctx, driver.After(r.rows))
	if err != nil {
		return 0, fmt.Errorf("count ranking %q: %w", r.name, err)
	}
	return n, nil
}

// Around returns a member with up to n members before him and up to n after him,
// in their order. The ranks are as exact as his. It is ErrNotFound if he is not in
// the ranking, and driver.ErrInvalid unless n is 1 to MaxStandings.
func (r *Ranking) Around(ctx context.Context, member string, n int) ([]Standing, error) {
	if err := r.checkCount("around", n); err != nil {
		return nil, err
	}
	own, err := r.Rank(ctx, member)
	if err != nil {
		return nil, err
	}
	row := r.row(own.Score, own.Member)
	above, _, err := r.list(ctx, driver.Query{After: row, Limit: n, Reverse: true})
	if err != nil {
		return nil, err
	}
	below, _, err := r.list(ctx, driver.Query{After: row, Limit: n})
	if err != nil {
		return nil, err
	}
	all := make([]Standing, 0, len(above)+1+len(below))
	for i := len(above) - 1; i >= 0; i-- {
		above[i].Rank, above[i].Exact = max(own.Rank-i-1, 1), own.Exact
		all = append(all, above[i])
	}
	all = append(all, own)
	for i := range below {
		below[i].Rank, below[i].Exact = own.Rank+i+1, own.Exact
	}
	return append(all, below...), nil
}

// RangeOptions say which members Range yields. Nil is the same as the zero value:
// all of them, from the first.
type RangeOptions struct {
	Min, Max *int64 // only scores within these, which belong to them; nil: no bound
	// Reverse begins with the last.
	Reverse bool
	// After begins after a member that was yielded before, of which Member and
	// Score are looked at; nil: with the first. He need not be there any more.
	After *Standing
	// Page is how many are read at a time, 1 to MaxStandings. Zero means 256.
	Page int
}

// Range yields members in their order, without ranks. It reads a page at a time;
// who moves meanwhile may be seen twice or not. An error ends it.
func (r *Ranking) Range(ctx context.Context, o *RangeOptions) iter.Seq2[Standing, error] {
	return func(yield func(Standing, error) bool) {
		if o == nil {
			o = &RangeOptions{}
		}
		q, ends, err := r.rangeQuery(o)
		for err == nil {
			var page []Standing
			var more bool
			if page, more, err = r.list(ctx, q); err != nil {
				break
			}
			for _, st := range page {
				if ends(st) || !yield(st, nil) {
					return
				}
			}
			if !more {
				return
			}
			last := page[len(page)-1]
			q.After = r.row(last.Score, last.Member)
		}
		yield(Standing{}, err)
	}
}

// rangeQuery returns the first page's query, and what is beyond the range's end.
func (r *Ranking) rangeQuery(o *RangeOptions) (q driver.Query, ends func(Standing) bool, err error) {
	q = driver.Query{Limit: 256, Reverse: o.Reverse}
	if o.Page != 0 {
		if err := r.checkCount("range", o.Page); err != nil {
			return q, nil, err
		}
		q.Limit = o.Page
	}
	first, last := o.Max, o.Min
	if r.lowest {
		first, last = last, first
	}
	if o.Reverse {
		first, last = last, first
	}
	if first != nil {
		q.After = r.rows + encodeScore(*first, r.lowest) // sorts before the rows of the score
		if o.Reverse {
			q.After += "0" // and this after them
		}
	}
	if o.After != nil {
		after := r.row(o.After.Score, o.After.Member)
		if q.After == "" || (after > q.After) != o.Reverse {
			q.After = after
		}
	}
	return q, func(st Standing) bool {
		if last == nil {
			return false
		}
		at, end := encodeScore(st.Score, r.lowest), encodeScore(*last, r.lowest)
		return at != end && (at > end) != o.Reverse
	}, nil
}

// list reads rows.
func (r *Ranking) list(ctx context.Context, q driver.Query) (page []Standing, more bool, err error) {
	q.Prefix, q.KeysOnly = r.rows, true
	snap, err := r.db.List(ctx, q)
	if err != nil {
		return nil, false, fmt.Errorf("list ranking %q: %w", r.name, err)
	}
	page = make([]Standing, len(snap.Entries))
	for i := range snap.Entries {
		if page[i], err = r.standing(snap.Entries[i].Key); err != nil {
			return nil, false, fmt.Errorf("list ranking %q: %w", r.name, err)
		}
	}
	return page, snap.More, nil
}

func (r *Ranking) checkCount(what string, n int) error {
	if n < 1 || n > MaxStandings {
		return fmt.Errorf("%s of ranking %q: %w: %d members, 1 to %d allowed", what, r.name, driver.ErrInvalid, n, MaxStandings)
	}
	return nil
}
