package wire

import (
	"math/rand/v2"
	"slices"
)

// Plan decides what goes wrong with a request that springs no trap. It is called
// by one goroutine at a time, and must not block or use the proxy.
type Plan func(*Request) Fault

// Use sets the plan; nil makes nothing go wrong.
func (p *Proxy) Use(plan Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = plan
}

// Randomly is a plan by which one of the faults happens to requests that match,
// each fault equally likely, with a probability of 0 to 1. Which requests come
// in which order depends on the clients; the choices depend on the seed alone.
func Randomly(seed uint64, probability float64, match Match, faults ...Fault) Plan {
	dice := rand.New(rand.NewPCG(seed, 0))
	return func(r *Request) Fault {
		if !match(r) || dice.Float64() >= probability {
			return Fault{}
		}
		return faults[dice.IntN(len(faults))]
	}
}

// choose returns what goes wrong with a request, or nil.
func (p *Proxy) choose(r *Request) *Trap {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, t := range p.traps {
		if !t.match(r) {
			continue
		}
		if t.left--; t.left <= 0 {
			p.traps = slices.Delete(p.traps, i, i+1)
			return t.of(r)
		}
	}
	if p.plan == nil {
		return nil
	}
	f := p.plan(r)
	if f.Do == Pass {
		return nil
	}
	return newTrap(0, nil, f).of(r)
}

// of gives a trap its request.
func (t *Trap) of(r *Request) *Trap {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.request = r
	return t
}

// count notes that a fault happens.
func (p *Proxy) count(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.happened[Fault{At: f.At, Do: f.Do}]++
}
