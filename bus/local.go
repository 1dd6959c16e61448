package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Errors of a bus.
var (
	// ErrClosed means that the bus was closed.
	ErrClosed = errors.New("bus closed")
	// ErrTooLarge means that a message is over MaxMessage.
	ErrTooLarge = errors.New("message too large")
	// ErrTopic means that a topic is not 1 to MaxTopic bytes.
	ErrTopic = errors.New("invalid topic")
)

// Limits of a message and a topic, in bytes.
const (
	MaxMessage = 64 << 10
	MaxTopic   = 200
)

// backlog is how many messages wait for one subscriber; what comes beyond that
// is lost, as any message may be.
const backlog = 1024

// Local is a bus within one process. Its methods are safe for concurrent use.
type Local struct {
	mu     sync.Mutex
	topics map[string][]*subscriber
	closed bool
	jobs   sync.WaitGroup
}

type subscriber struct {
	messages chan []byte
	ended    atomic.Bool // what still waits is dropped
}

// end makes the subscription's goroutine return. The mutex of the bus is held.
func (s *subscriber) end() {
	s.ended.Store(true)
	close(s.messages)
}

// NewLocal returns a bus that is ready to use.
func NewLocal() *Local { return &Local{topics: make(map[string][]*subscriber)} }

// Publish sends a message to all who are subscribed to a topic. It does not
// wait for them: a subscriber that is far behind misses it. The message is
// copied. It is ErrTopic, ErrTooLarge or ErrClosed.
func (b *Local) Publish(_ context.Context, topic string, msg []byte) error {
	if err := check(topic); err != nil {
		return err
	}
	if len(msg) > MaxMessage {
		return fmt.Errorf("publish to %q: %w: %d bytes, at most %d", topic, ErrTooLarge, len(msg), MaxMessage)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	for _, s := range b.topics[topic] {
		select {
		case s.messages <- append([]byte(nil), msg...):
		default:
		}
	}
	return nil
}

// Subscribe calls fn for each message of a topic, one after another, on a
// goroutine of its own, until cancel is called; each msg is fn's own. Messages
// that wait when cancel is called are dropped. Cancel does not wait for a call
// of fn that is under way, so fn may call it; calling it again does nothing. The
// error is ErrTopic or ErrClosed.
func (b *Local) Subscribe(topic string, fn func(msg []byte)) (cancel func(), err error) {
	if err := check(topic); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	s := &subscriber{messages: make(chan []byte, backlog)}
	b.topics[topic] = append(b.topics[topic], s)
	b.jobs.Go(func() {
		for msg := range s.messages {
			if !s.ended.Load() {
				fn(msg)
			}
		}
	})
	return sync.OnceFunc(func() { b.cancel(topic, s) }), nil
}

func (b *Local) cancel(topic string, s *subscriber) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.topics[topic]
	for i := range list {
		if list[i] == s {
			b.topics[topic] = append(list[:i:i], list[i+1:]...)
			s.end()
			break
		}
	}
	if len(b.topics[topic]) == 0 {
		delete(b.topics, topic)
	}
}

// Close ends all subscriptions, drops the messages that wait, and returns when
// the calls that are under way have. It must not be called by a subscriber's
// function. Closing twice is ErrClosed.
func (b *Local) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrClosed
	}
	b.closed = true
	for _, list := range b.topics {
		for _, s := range list {
			s.end()
		}
	}
	b.topics = nil
	b.mu.Unlock()
	b.jobs.Wait()
	return nil
}

func check(topic string) error {
	if topic == "" || len(topic) > MaxTopic {
		return fmt.Errorf("%w: %d bytes, 1 to %d allowed", ErrTopic, len(topic), MaxTopic)
	}
	return nil
}
