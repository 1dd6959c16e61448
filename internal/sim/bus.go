package sim

import (
	"context"
	"encoding/base64"
	"regexp"
	"slices"

	"github.com/holdfast-games/holdfast/bus"
)

// simBus carries messages between servers, some of them late, twice or not at
// all.
type simBus struct {
	subs []*subscription
}

type subscription struct {
	in    *instance
	topic string
	fn    func(bus.Message)
}

// message is on its way over the bus.
type message struct {
	from  *instance
	topic string
	text  string
	shown string // the text, as the trace shows it
	// It was lost, and the receivers are told so.
	missed bool
}

// busEnd is one server's end of the bus.
type busEnd struct{ in *instance }

// PublishSystem implements session.Bus.
func (b *busEnd) PublishSystem(_ context.Context, topic string, msg []byte) error {
	w := b.in.w
	w.mu.Lock()
	w.inbox.messages = append(w.inbox.messages, message{from: b.in, topic: topic, text: string(msg), shown: show(msg)})
	w.mu.Unlock()
	w.signal()
	return nil
}

// callID is the number of a question. Which of two questions of one moment gets
// which number is left to chance.
var callID = regexp.MustCompile(`"call":{"id":\d+,`)

// callBody is what a question says, in base64. The trace shows the text, in which it
// knows the ids.
var callBody = regexp.MustCompile(`"body":"[A-Za-z0-9+/=]*"`)

// closedBy is why a server that closes refuses a question. Several things may end its wait
// at one time, as with errText.
var closedBy = regexp.MustCompile(`"refused":"[^"]*: closed"`)

func show(msg []byte) string {
	text := callID.ReplaceAllString(string(msg), `"call":{`)
	return callBody.ReplaceAllStringFunc(text, func(member string) string {
		body, err := base64.StdEncoding.DecodeString(member[len(`"body":"`) : len(member)-1])
		if err != nil {
			return member
		}
		return `"body":` + closedBy.ReplaceAllString(string(body), `"refused":"closed"`)
	})
}

// SubscribeSystem implements session.Bus.
func (b *busEnd) SubscribeSystem(topic string, fn func(bus.Message)) (func(), error) {
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

// post sends a message on its way. If it is lost, the receivers may be told that
// they missed something.
func (w *world) post(m message) {
	m = w.plant.trade.heard(m, w.plant.what == StaleThaw)
	w.trace.add("%s tells %s", m.from.name, m.shown)
	copies := 1
	if !w.calm && w.chance(0.2) {
		copies = w.rng.IntN(3)
	}
	if copies == 0 && w.chance(0.5) {
		m.missed, copies = true, 1
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
		msg := bus.Message{Topic: m.topic, Missed: m.missed}
		if m.missed {
			w.trace.add("%s misses a message", s.in.name)
		} else {
			w.trace.add("%s hears %s", s.in.name, m.shown)
			msg.Data = []byte(m.text)
		}
		if s.in.paused {
			s.in.held = append(s.in.held, func() { s.fn(msg) })
			continue
		}
		s.fn(msg)
	}
}
