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
// that are written, times the appends to the journal, and notices when there is
// no answer.
type meter struct {
	driver.DB
	tell    func(answer) // told when an append begins and was answered, and when the database is away and back
	contact contact

	mu      sync.Mutex // guards what follows
	commits int64
	saves   int64
	appends int64
	slowest time.Duration
	pending time.Time // when the append that is not answered yet was first tried; zero: there is none
}

var journal = store.SystemKey("journal") + "/"

// Commit implements driver.DB.
func (m *meter) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	appends := hasAppend(g.Batches)
	if appends {
		m.beginAppend()
	}
	outcomes, err := m.attempt(ctx, g)
	if err == nil {
		m.mu.Lock()
		m.commits++
		m.saves += rootsWritten(g.Batches, outcomes)
		m.mu.Unlock()
		if appends {
			m.endAppend()
		}
	}
	return outcomes, err
}

// beginAppend notes that an append is tried. An append is tried until its
// outcome is known, so what was not answered is the same one.
func (m *meter) beginAppend() {
	m.mu.Lock()
	if m.pending.IsZero() {
		m.pending = time.Now()
	}
	began := m.pending
	m.mu.Unlock()
	m.tell(answer{News: newsAppend, Made: began.UnixMicro()})
}

func (m *meter) endAppend() {
	m.mu.Lock()
	began, took := m.pending, time.Since(m.pending)
	m.pending = time.Time{}
	m.appends++
	m.slowest = max(m.slowest, took)
	m.mu.Unlock()
	m.tell(answer{News: newsAppended, Made: began.UnixMicro(), Took: took.Microseconds()})
}

// attempt makes a commit, and tells if it is the first one that is answered
// after the database was away.
func (m *meter) attempt(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	id := m.contact.begin()
	outcomes, err := m.DB.Commit(ctx, g)
	if context.Cause(ctx) == context.Canceled {
		m.contact.forget(id) // the caller has left; that says nothing of the database
		return outcomes, err
	}
	if since, back := m.contact.end(id, err); back {
		m.tell(answer{News: newsBack, Made: since.UnixMicro(), Took: time.Since(since).Microseconds()})
	}
	return outcomes, err
}

// look tells if the database has come to be away.
func (m *meter) look() {
	since, why, away := m.contact.look()
	if !away {
		return
	}
	a := answer{News: newsAway, Made: since.UnixMicro()}
	if why != nil {
		a.Error = why.Error()
	}
	m.tell(a)
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
