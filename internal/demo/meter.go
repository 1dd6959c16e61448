package demo

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// meter is a database that measures what its server does: it counts the roots
// that are written, and times the appends to the journal.
type meter struct {
	driver.DB
	appending func(answer) // told when an append begins and when it was answered

	mu      sync.Mutex // guards what follows
	commits int64
	saves   int64
	appends int64
	slowest time.Duration
}

var journal = store.SystemKey("journal") + "/"

// Commit implements driver.DB.
func (m *meter) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	appends := hasAppend(g.Batches)
	began := time.Now()
	if appends {
		m.appending(answer{News: newsAppend, Made: began.UnixMicro()})
	}
	outcomes, err := m.DB.Commit(ctx, g)
	took := time.Since(began)
	m.mu.Lock()
	if appends {
		m.appends++
		m.slowest = max(m.slowest, took)
	}
	if err == nil {
		m.commits++
		m.saves += rootsWritten(g.Batches, outcomes)
	}
	m.mu.Unlock()
	if appends {
		m.appending(answer{News: newsAppended, Made: began.UnixMicro(), Took: took.Microseconds()})
	}
	return outcomes, err
}

func hasAppend(batches []driver.Batch) bool {
	for i := range batches {
		for j := range batches[i].Writes {
			if w := &batches[i].Writes[j]; !w.Delete && strings.HasPrefix(w.Key, journal) {
				return true
			}
		}
	}
	return false
}

// rootsWritten counts the players' roots that a group has written. All other
// keys are the system's, and begin with '~'.
func rootsWritten(batches []driver.Batch, outcomes []driver.Outcome) (n int64) {
	for i := range outcomes {
		if len(outcomes[i].Refused) > 0 {
			continue
		}
		for j := range batches[i].Writes {
			if !strings.HasPrefix(batches[i].Writes[j].Key, "~") {
				n++
			}
		}
	}
	return n
}

// fill completes a pulse.
func (m *meter) fill(p *pulse) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.Commits, p.Saves, p.Appends, p.Slowest = m.commits, m.saves, m.appends, m.slowest.Microseconds()
}

// stalls measures for how long a machine keeps a process from running: what
// no program can do anything about, and what times that were measured must be
// read with.
type stalls struct {
	mu      sync.Mutex // guards longest
	longest time.Duration
}

const stallEvery = 10 * time.Millisecond

// watch measures until ctx ends.
func (s *stalls) watch(ctx context.Context) {
	t := time.NewTicker(stallEvery)
	defer t.Stop()
	last := time.Now()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		now := time.Now()
		s.mu.Lock()
		s.longest = max(s.longest, now.Sub(last)-stallEvery)
		s.mu.Unlock()
		last = now
	}
}

func (s *stalls) max() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.longest
}
