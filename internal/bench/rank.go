package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

const (
	topMost  = 5.0  // ms that the first hundred should take at most
	rankMost = 10.0 // ms that a rank should take at most
	offMost  = 0.01 // share by which a rank may be off
	// rankingName is the ranking that is measured with.
	rankingName = "wins"
)

// board is a ranking whose i-th member has the rank i+1.
type board struct {
	r       *run
	db      *database
	ranking *store.Ranking
	members int
}

// ranks measures how long the first hundred of a ranking take, and the rank of any
// member.
func (r *run) ranks() (figures []Figure, err error) {
	db, err := r.open("rank")
	if err != nil {
		return nil, err
	}
	b := &board{r: r, db: db, members: r.sizes.members}
	defer func() { err = errors.Join(err, b.empty(context.WithoutCancel(r.ctx)), r.finish(db)) }()
	if err := errors.Join(b.open(), b.empty(r.ctx)); err != nil { // of a measurement that was cut short
		return nil, err
	}
	if err := b.fill(); err != nil {
		return nil, err
	}
	top, err := b.top()
	if err != nil {
		return nil, err
	}
	rank, err := b.rank()
	return []Figure{top, rank}, err
}

func (b *board) open() (err error) {
	b.ranking, err = b.db.FedRanking(kind, rankingName, nil, func(_ context.Context, member string) (int64, error) {
		i, err := strconv.Atoi(member)
		return b.score(i), err
	})
	return err
}

func (b *board) score(i int) int64 { return int64(b.members - i) }

// empty deletes the rows, some at a time.
func (b *board) empty(ctx context.Context) error {
	prefix := store.SystemKey("ranked", kind) + "/"
	for from, end := prefix, driver.After(prefix); from != ""; {
		_, next, err := b.db.Count(ctx, from, end, 10_000)
		to := next
		if to == "" {
			to = end
		}
		if err == nil {
			err = b.db.DeleteRange(ctx, from, to)
		}
		if err != nil {
			return err
		}
		from = next
	}
	return nil
}

// fill writes the rows, in their order.
func (b *board) fill() error {
	for i := 0; i < b.members; i += driver.MaxBatch {
		id, err := b.db.NewVersion()
		if err != nil {
			return err
		}
		batch := driver.Batch{ID: id}
		for j := i; j < min(i+driver.MaxBatch, b.members); j++ {
			key := store.RankedRow(kind, rankingName, false, b.score(j), playerID(j))
			batch.Writes = append(batch.Writes, driver.Write{Key: key, Mode: driver.Always, Value: []byte{}})
		}
		if _, err := b.db.Commit(b.r.ctx, store.Attempt{Batch: batch, Lane: store.Waited}); err != nil {
			return err
		}
	}
	return nil
}

// top measures the first hundred.
func (b *board) top() (Figure, error) {
	took := make([]time.Duration, b.r.sizes.samples)
	for i := range took {
		began := time.Now()
		if _, err := b.ranking.Top(b.r.ctx, 100); err != nil {
			return Figure{}, err
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return Figure{Name: "rank.top", Value: milliseconds(median(took)), Unit: "ms"}.atMost(topMost).
		noted("the first 100 of %d; p99 %.2f ms", b.members, milliseconds(quantile(took, 0.99))), nil
}

// rank measures ranks at any depth, once the ranking was counted.
func (b *board) rank() (Figure, error) {
	took := make([]time.Duration, b.r.sizes.samples)
	rng := rand.New(rand.NewPCG(1, 2))
	began := time.Now()
	if _, err := b.ranking.Rank(b.r.ctx, playerID(b.members-1)); err != nil {
		return Figure{}, err
	}
	first, off := time.Since(began), 0.0
	for i := range took {
		member := rng.IntN(b.members)
		began := time.Now()
		st, err := b.ranking.Rank(b.r.ctx, playerID(member))
		if err != nil {
			return Figure{}, err
		}
		took[i] = time.Since(began)
		d := math.Abs(float64(st.Rank-member-1)) / float64(member+1)
		if off = max(off, d); st.Exact && d > 0 {
			return Figure{}, fmt.Errorf("rank of member %d is said to be exactly %d", member, st.Rank)
		}
	}
	slices.Sort(took)
	f := Figure{Name: "rank.rank", Value: milliseconds(median(took)), Unit: "ms"}.atMost(rankMost)
	return f.limited(fmt.Sprintf("off by at most %g%%", 100*offMost), off <= offMost).
		noted("of %d members; p99 %.2f ms, off by %.2f%% at most; the first, which counts them all, %.0f ms",
			b.members, milliseconds(quantile(took, 0.99)), 100*off, milliseconds(first)), nil
}
