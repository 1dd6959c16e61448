package bench

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// meter counts what reaches a database.
type meter struct {
	driver.DB
	urgent  atomic.Int64 // calls of Commit that carry a lease
	carried atomic.Int64 // batches in those
	flying  atomic.Int64 // nanoseconds that those took, all together
	slowest atomic.Int64 // nanoseconds of the slowest of them
	commits atomic.Int64 // the other calls of Commit
	batches atomic.Int64 // in those
	other   atomic.Int64 // deletions of ranges
}

// Commit counts and passes on.
func (m *meter) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	if !g.Urgent {
		m.commits.Add(1)
		m.batches.Add(int64(len(g.Batches)))
		return m.DB.Commit(ctx, g)
	}
	m.urgent.Add(1)
	m.carried.Add(int64(len(g.Batches)))
	began := time.Now()
	outcomes, err := m.DB.Commit(ctx, g)
	took := time.Since(began).Nanoseconds()
	m.flying.Add(took)
	for was := m.slowest.Load(); took > was && !m.slowest.CompareAndSwap(was, took); was = m.slowest.Load() {
	}
	return outcomes, err
}

// DeleteRange counts and passes on.
func (m *meter) DeleteRange(ctx context.Context, from, to string) (int, error) {
	m.other.Add(1)
	return m.DB.DeleteRange(ctx, from, to)
}
