package sqlite_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/sqlite"
	"github.com/holdfast-games/holdfast/store"
)

// TestRankOfAMillion holds ranks among a million members of a file to what they
// promise, while members come to the top.
func TestRankOfAMillion(t *testing.T) {
	many := 40_000
	if os.Getenv("HOLDFAST_SOAK") != "" {
		many = 1_000_000
	}
	drv, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rank.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.New(drv, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	r, err := db.FedRanking("player", "wins", nil, func(_ context.Context, member string) (int64, error) {
		i, err := strconv.Atoi(member)
		return int64(-i), err
	})
	if err != nil {
		t.Fatal(err)
	}
	// Members below zero are those who come later, and stand before all others.
	add := func(from, to int) {
		for from < to {
			id, err := db.NewVersion()
			if err != nil {
				t.Fatal(err)
			}
			b := driver.Batch{ID: id}
			for ; from < to && len(b.Writes) < driver.MaxBatch; from++ {
				b.Writes = append(b.Writes, driver.Write{
					Key: store.RankedRow("player", "wins", false, int64(-from), fmt.Sprint(from)), Mode: driver.Always, Value: []byte{},
				})
			}
			if _, err := db.Commit(t.Context(), store.Attempt{Batch: b, Lane: store.Waited}); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(0, many)
	rng := rand.New(rand.NewPCG(3, 4))
	worst, longest := 0.0, time.Duration(0)
	for came, i := 0, 0; i < 300; i++ {
		add(-came-3, -came)
		came += 3
		member := rng.IntN(many)
		began := time.Now()
		st, err := r.Rank(t.Context(), fmt.Sprint(member))
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 { // the first counts them all
			longest = max(longest, time.Since(began))
		}
		want := member + 1 + came
		off := math.Abs(float64(st.Rank-want)) / float64(want)
		worst = max(worst, off)
		if off > 0.01 || st.Exact && st.Rank != want || want <= 10_000 && !st.Exact {
			t.Errorf("Rank(%d) = %+v, want %d, exactly up to 10,000 and within 1%% beyond", member, st, want)
		}
	}
	t.Logf("%d members: off by %.3f%% at most, the longest took %v", many, 100*worst, longest)
}
