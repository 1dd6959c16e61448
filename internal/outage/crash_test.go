package outage_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/store"
)

// TestAcknowledgedCommitsSurviveSIGKILL kills all of PostgreSQL's processes
// again and again in the middle of load, and looks for everything that was
// acknowledged before each kill as soon as the database is back.
func TestAcknowledgedCommitsSurviveSIGKILL(t *testing.T) {
	t.Parallel() // it waits more than it works
	kills, writers := 3, 8
	if os.Getenv("HOLDFAST_SOAK") != "" {
		kills = 60
	}
	cluster := pgtest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(kills+2)*time.Minute)
	defer cancel()
	db, err := store.New(mustOpen(t, ctx, cluster.URL(), isolations[0]), &store.Options{Timeout: 2 * time.Second, MaxPause: 100 * time.Millisecond})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	run := &load{t: t, db: db, acked: make([][]driver.Version, writers), more: make(chan struct{}, 1)}
	stop, halt := context.WithCancel(ctx)
	var all sync.WaitGroup
	for n := range writers {
		all.Go(func() { run.write(ctx, stop, n) })
	}
	for range kills {
		run.await(ctx, 100)
		cluster.Kill()
		acked := run.snapshot()
		restart(ctx, t, cluster)
		run.check(ctx, cluster.URL(), acked)
	}
	run.await(ctx, 100)
	halt()
	all.Wait()
	if err := db.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	run.check(ctx, cluster.URL(), run.snapshot())
}

// load is writers that each commit version after version under a key of their
// own.
type load struct {
	t  *testing.T
	db *store.DB

	mu    sync.Mutex
	acked [][]driver.Version // by writer, in order
	total int
	more  chan struct{} // a level: total has grown
}

func loadKey(n int) string { return fmt.Sprintf("player/%d", n) }

// write commits one version after another until stop ends.
func (r *load) write(ctx, stop context.Context, n int) {
	var last driver.Version
	for stop.Err() == nil {
		v, err := r.db.NewVersion()
		if err == nil {
			_, err = r.db.Commit(ctx, write(loadKey(n), last, v))
		}
		if err != nil {
			r.t.Errorf("Commit by writer %d: %v", n, err)
			return
		}
		last = v
		r.mu.Lock()
		r.acked[n] = append(r.acked[n], v)
		r.total++
		r.mu.Unlock()
		select {
		case r.more <- struct{}{}:
		default:
		}
	}
}

// await returns when so many commits more have been acknowledged.
func (r *load) await(ctx context.Context, commits int) {
	r.t.Helper()
	r.mu.Lock()
	goal := r.total + commits
	r.mu.Unlock()
	for {
		select {
		case <-r.more:
		case <-ctx.Done():
			r.t.Fatal("the load came to a standstill")
		}
		r.mu.Lock()
		done := r.total >= goal
		r.mu.Unlock()
		if done {
			return
		}
	}
}

// snapshot returns what has been acknowledged so far.
func (r *load) snapshot() [][]driver.Version {
	r.mu.Lock()
	defer r.mu.Unlock()
	acked := make([][]driver.Version, len(r.acked))
	for n := range acked {
		acked[n] = slices.Clone(r.acked[n])
	}
	return acked
}

// check looks for what was acknowledged, by a connection of its own. Each
// writer's versions must be there in their order and without a gap; after them
// there may be one that was not acknowledged in time, or more by now.
func (r *load) check(ctx context.Context, url string, acked [][]driver.Version) {
	r.t.Helper()
	direct := mustOpen(r.t, ctx, url, isolations[0])
	defer func() {
		if err := direct.Close(); err != nil {
			r.t.Errorf("Close: %v", err)
		}
	}()
	for n, want := range acked {
		entries, err := direct.Versions(ctx, loadKey(n))
		if err != nil {
			r.t.Errorf("Versions: %v", err)
			continue
		}
		for i, v := range want {
			if i >= len(entries) || entries[i].Version != v {
				r.t.Errorf("writer %d: acknowledged version %d of %d is not where it was", n, i+1, len(want))
				break
			}
		}
	}
}
