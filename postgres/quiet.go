package postgres

import (
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// quieten supposes of replaced versions that their schedule does not keep them:
// of those that were written in the present span of time, as their ids say, and
// are not known as marked. The statement that replaces them makes sure of that,
// and refuses the group where it is not so. So a save pays for its schedule once
// in a span, and not each time.
//
// One schedule is supposed of all; versions with another are looked at. A commit
// that is thorough supposes nothing.
func (p *plan) quieten(now time.Time, t *commit) {
	for _, c := range p.replaces {
		s := c.scheduled()
		c.quiet = s != nil && !t.thorough && c.seemsQuiet(s, now) && !t.marks.has(c.expected)
		if c.quiet && p.quiet == nil {
			p.quiet = s
		}
		c.quiet = c.quiet && *s == *p.quiet
	}
}

// seemsQuiet reports whether a write and the version that it replaces lie in one
// span and are not marked, as far as the write tells.
func (c *change) seemsQuiet(s *schedule, now time.Time) bool {
	return s.every > 0 && !c.Mark && !c.again() && sameSpan(s.every, now, c.expected.Time())
}

// sameSpan reports whether two times lie in one span of so many nanoseconds.
func sameSpan(every int64, a, b time.Time) bool { return a.UnixNano()/every == b.UnixNano()/every }

// mostMarks is how many marked versions are remembered.
const mostMarks = 4096

// marks remembers versions that were written with Mark, the last so many of
// them, because a schedule always keeps them. What it does not know costs a
// refusal and nothing else. Its methods are safe for concurrent use.
type marks struct {
	mu   sync.Mutex // guards what follows
	is   map[driver.Version]bool
	ring [mostMarks]driver.Version
	next int // place in ring of the oldest, which the next one takes
}

func (m *marks) add(v driver.Version) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.is == nil {
		m.is = make(map[driver.Version]bool)
	}
	delete(m.is, m.ring[m.next])
	m.ring[m.next], m.is[v] = v, true
	m.next = (m.next + 1) % mostMarks
}

func (m *marks) has(v driver.Version) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.is[v]
}
