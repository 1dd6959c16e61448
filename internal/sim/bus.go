package sim

import (
	"context"
	"slices"
)

// simBus carries messages between servers, some of them late, twice or not at
// all.
type simBus struct {
	subs []*subscription
}

type subscription struct {
	in    *instance
	topic string
	fn    func([]byte)
}

// message is on its way over the bus.
type message struct {
	from  *instance
	topic string
	text  string
}

// busEnd is one server's end of the bus.
type busEnd struct{ in *instance }

// Publish implements session.Bus.
func (b *busEnd) Publish(_ context.Context, topic string, msg []byte) error {
	w := b.in.w
	w.mu.Lock()
	w.inbox.messages = append(w.inbox.messages, message{b.in, topic, string(msg)})
	w.mu.Unlock()
	w.signal()
	return nil
}

// Subscribe implements session.Bus.
func (b *busEnd) Subscribe(topic string, fn func([]byte)) (func(), error) {
	w := b.in.w
	s := &subscription{b.in, topic, fn}
	w.mu.Lock()
	w.bus.subs = append(w.bus.subs, s)
	w.mu.Unlock()
	return func() {
		w.mu.Lock()
		w.bus.subs = slices.DeleteFunc(w.bus.subs, func(o *subscription) bool { return o == s })
		w.mu.Unlock()
	}, nil
}

// post sends a message on its way.
func (w *world) post(m message) {
	w.trace.add("%s tells %s", m.from.name, m.text)
	copies := 1
	if !w.calm && w.chance(0.2) {
		copies = w.rng.IntN(3)
	}
	for range copies {
		d := w.latency()
		if w.chance(0.1) {
			d += w.upTo(w.shape.lease)
		}
		w.after(d, nil, func() { w.ring(m) })
	}
}

// ring delivers a message to whoever listens.
func (w *world) ring(m message) {
	w.mu.Lock()
	subs := slices.Clone(w.bus.subs)
	w.mu.Unlock()
	for _, s := range subs {
		if s.topic != m.topic || s.in.dead {
			continue
		}
		w.trace.add("%s hears %s", s.in.name, m.text)
		if s.in.paused {
			s.in.held = append(s.in.held, func() { s.fn([]byte(m.text)) })
			continue
		}
		s.fn([]byte(m.text))
	}
}
