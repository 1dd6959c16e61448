package demo

import (
	"slices"
	"sync"
	"time"
)

// suspensions are the times at which servers could not trust their leases. Its
// methods are safe for concurrent use.
type suspensions struct {
	mu   sync.Mutex
	open map[*process]*suspension
	over []suspension
}

// suspension is one time at which a server could not trust its lease.
type suspension struct {
	began, ended time.Time
	held         int // sessions that the server had
	lost         int // of those, how many were taken from it
}

// begin notes that a server is suspended with so many sessions.
func (s *suspensions) begin(p *process, held int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[*process]*suspension)
	}
	s.open[p] = &suspension{began: time.Now(), held: held}
}

// took notes that a session was taken from a server, which may be suspended.
func (s *suspensions) took(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.open[p]; now != nil {
		now.lost++
	}
}

// end notes that a server is trusted again. It returns how it was, and false if
// it was not suspended.
func (s *suspensions) end(p *process) (suspension, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.open[p]
	if now == nil {
		return suspension{}, false
	}
	delete(s.open, p)
	now.ended = time.Now()
	s.over = append(s.over, *now)
	return *now, true
}

// inOutage adds up those that lie in a time at which the database was away, also
// those that last: a server may be closed before it is trusted again.
func (s *suspensions) inOutage(away *outages) (n int, sum suspension) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.over)
	for _, now := range s.open {
		last := *now
		last.ended = time.Now()
		all = append(all, last)
	}
	for _, one := range all {
		if away.within(one.began, one.ended) > 0 {
			n++
			sum.held, sum.lost = sum.held+one.held, sum.lost+one.lost
		}
	}
	return n, sum
}

// suspended notes that a server is suspended. One that is halted is not alone
// in that, and what becomes of it is told by who halted it.
func (d *director) suspended(p *process) {
	state, pulse, _ := p.status()
	if state != alive {
		return
	}
	d.suspensions.begin(p, pulse.Players)
	d.view.note("%s is suspended: it cannot renew its lease of %v; its %d players stay, and nothing of them changes", p.name, d.o.Lease, pulse.Players)
}

// trusted notes that a server goes on.
func (d *director) trusted(p *process) {
	s, ok := d.suspensions.end(p)
	if !ok {
		return
	}
	d.view.note("%s goes on after %s: %d of its %d sessions are there", p.name, seconds(s.ended.Sub(s.began)), s.held-s.lost, s.held)
}
