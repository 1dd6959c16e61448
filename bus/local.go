package bus

import (
	"context"
	"slices"
	"sync"
)

// Local connects the servers within one process: for tests, for tools, and for a
// game that runs several servers in one program. Each server opens a Bus of its
// own on it. Its methods are safe for concurrent use.
type Local struct {
	mu        sync.RWMutex
	listeners map[string][]*listener // by subject
}

// listener is one who listens to a subject.
type listener struct {
	line *localLine
	fn   func(packet []byte)
}

// NewLocal returns a Local that connects nobody yet. It needs no closing.
func NewLocal() *Local { return &Local{listeners: make(map[string][]*listener)} }

// Open returns a Bus that is connected to all others of this Local and of the
// same fleet. The error is ErrOptions, or one of registering its metrics.
func (l *Local) Open(o *Options) (*Bus, error) { return Open(l.Transport(), o) }

// Transport returns the line of one server.
func (l *Local) Transport() Transport { return &localLine{hub: l} }

// localLine is one server's end of a Local. The hub's mu guards closed.
type localLine struct {
	hub    *Local
	closed bool
}

// Send implements Transport: whoever listens has the packets when it returns.
func (t *localLine) Send(_ context.Context, packets []Packet) error {
	for _, p := range packets {
		t.hub.mu.RLock()
		heard, closed := t.hub.listeners[p.Subject], t.closed
		t.hub.mu.RUnlock()
		if closed {
			return ErrClosed
		}
		for _, ln := range heard {
			ln.fn(p.Data)
		}
	}
	return nil
}

// Listen implements Transport.
func (t *localLine) Listen(subject string, fn func(packet []byte)) (func(), error) {
	h := t.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.closed {
		return nil, ErrClosed
	}
	ln := &listener{t, fn}
	h.listeners[subject] = append(slices.Clone(h.listeners[subject]), ln)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.removeLocked(subject, func(o *listener) bool { return o == ln })
	}, nil
}

// removeLocked leaves the slice that Send may be going through as it is.
func (l *Local) removeLocked(subject string, is func(*listener) bool) {
	left := slices.DeleteFunc(slices.Clone(l.listeners[subject]), is)
	if len(left) == 0 {
		delete(l.listeners, subject)
		return
	}
	l.listeners[subject] = left
}

// Watch implements Transport: a line within a process is never lost.
func (t *localLine) Watch(func(up bool)) {}

// Limit implements Transport.
func (t *localLine) Limit() int { return sentPacket }

// Close implements Transport.
func (t *localLine) Close() error {
	h := t.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	t.closed = true
	for subject := range h.listeners {
		h.removeLocked(subject, func(o *listener) bool { return o.line == t })
	}
	return nil
}
