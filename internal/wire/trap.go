package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Trap is one fault that waits for its request. All its methods are safe for
// concurrent use.
type Trap struct {
	match Match
	left  int // requests that match until it springs; the proxy's mu guards it
	fault Fault

	sprung   chan struct{} // closed when the fault's point was reached
	released chan struct{}
	over     chan struct{} // closed when the server has answered, or never will
	once     struct{ sprung, released, over sync.Once }

	mu      sync.Mutex
	request *Request
	code    string // SQLSTATE of the first error in the answer
	whole   bool   // the answer came to its end
}

func newTrap(n int, match Match, f Fault) *Trap {
	return &Trap{
		match: match, left: n, fault: f,
		sprung: make(chan struct{}), released: make(chan struct{}), over: make(chan struct{}),
	}
}

// Trap makes a fault happen to the nth request from now that matches, counted
// from 1. A request springs one trap at most, the oldest that waits for it.
func (p *Proxy) Trap(n int, match Match, f Fault) *Trap {
	t := newTrap(n, match, f)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traps = append(p.traps, t)
	return t
}

// Wait returns when the fault has happened, with the request that it happened
// to, or with an error when ctx ends.
func (t *Trap) Wait(ctx context.Context) (*Request, error) {
	select {
	case <-t.sprung:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for %v at %q: %w", t.fault.Do, t.fault.At, context.Cause(ctx))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.request, nil
}

// Release lets a fault end that holds something. Before it has happened, this
// makes it pass at once when it does.
func (t *Trap) Release() { t.once.released.Do(func() { close(t.released) }) }

// Outcome returns when the server has answered the request: with the SQLSTATE of
// its first error, or none. It is ErrEnded if the connection ended first, and
// another error if ctx did.
func (t *Trap) Outcome(ctx context.Context) (sqlstate string, err error) {
	select {
	case <-t.over:
	case <-ctx.Done():
		return "", fmt.Errorf("wait for the answer: %w", context.Cause(ctx))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.whole {
		return t.code, ErrEnded
	}
	return t.code, nil
}

// ErrEnded means that a connection ended before the server's answer.
var ErrEnded = errors.New("the connection ended before the answer")

func (t *Trap) spring() { t.once.sprung.Do(func() { close(t.sprung) }) }

// end notes that nothing more is heard of the request.
func (t *Trap) end(whole bool) {
	t.once.over.Do(func() {
		t.mu.Lock()
		t.whole = whole
		t.mu.Unlock()
		close(t.over)
	})
}

// noteError notes the SQLSTATE of an error in the answer.
func (t *Trap) noteError(code string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.code == "" {
		t.code = code
	}
}

// await waits until the trap is released, by itself after fault.For. It returns
// false if done is closed first.
func (t *Trap) await(done <-chan struct{}) bool {
	var alarm <-chan time.Time
	if t.fault.For > 0 {
		timer := time.NewTimer(t.fault.For)
		defer timer.Stop()
		alarm = timer.C
	}
	select {
	case <-t.released:
	case <-alarm:
	case <-done:
		return false
	}
	return true
}
