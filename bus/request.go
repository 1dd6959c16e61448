package bus

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// DefaultWait is how long a request waits for its reply if its context has no
// deadline.
const DefaultWait = 5 * time.Second

// serveAtOnce is how many requests to one topic a Bus deals with at a time.
const serveAtOnce = 64

// maxReplyError bounds the text of a handler's error, in bytes.
const maxReplyError = 1 << 10

// answer is what became of a request.
type answer struct {
	data []byte
	err  error
}

// Request sends a message to whoever serves a topic and returns the first reply.
// It blocks until that is there or ctx ends; a context without a deadline gets
// DefaultWait. A request is sent once and may be lost, and so may its reply:
// who asks again must expect that it is dealt with twice.
//
// The error is a *ReplyError if the handler returned one, ErrNoReply with the
// context's error if no reply came in time, or one of Publish's.
func (b *Bus) Request(ctx context.Context, topic string, msg []byte) ([]byte, error) {
	if err := checkGameTopic(topic); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, DefaultWait)
		defer cancel()
	}
	began := time.Now()
	data, err := b.ask(ctx, topic, msg)
	b.mx.answered(began, err)
	if err != nil {
		return nil, fmt.Errorf("request to %q: %w", topic, err)
	}
	return data, nil
}

func (b *Bus) ask(ctx context.Context, topic string, msg []byte) ([]byte, error) {
	deadline, _ := ctx.Deadline()
	wait := time.Until(deadline)
	if wait <= 0 || ctx.Err() != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoReply, context.Cause(ctx))
	}
	id, waiting := b.nextID(), make(chan answer, 1)
	b.mu.Lock()
	b.calls[id] = waiting
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(b.calls, id)
		b.mu.Unlock()
	}()
	if err := b.post(topic, record{kind: request, id: id, arg: uint64(wait.Milliseconds()) + 1, data: msg}); err != nil {
		return nil, err
	}
	select {
	case a := <-waiting:
		return a.data, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrNoReply, context.Cause(ctx))
	case <-b.ctx.Done():
		return nil, ErrClosed
	}
}

// call returns where a request's reply is waited for, or nil.
func (b *Bus) call(id uint64) chan answer {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls[id]
}

// replied gives a reply to the request that waits for it. Later ones are
// dropped.
func (b *Bus) replied(it *item) {
	a := answer{data: append([]byte{}, it.data...)}
	if it.arg != outcomeReply {
		text := strings.ToValidUTF8(string(it.data[:min(len(it.data), maxReplyError)]), "?")
		a = answer{err: &ReplyError{text}}
	}
	select {
	case b.call(it.id) <- a: // never, if it is nil
	default:
	}
}

// repliedLater fetches a large reply, if somebody waits for it.
func (b *Bus) repliedLater(it *item, p *parcel) {
	if b.call(p.inner.id) == nil {
		return
	}
	p.then = func() {
		if p.err == nil {
			b.replied(&item{record: record{kind: reply, id: p.inner.id, arg: p.inner.arg, data: p.data}, from: it.from})
		}
	}
	b.fetching.start(p)
}

// Handler deals with a request and returns the reply, or an error whose text
// the other side is told. Its context ends when the other side waits no longer,
// or the Bus is closed.
type Handler func(ctx context.Context, m Message) ([]byte, error)

// Serve has fn deal with the requests to a topic until cancel is called, up to
// 64 at a time, each on a goroutine of its own; so it must be safe for
// concurrent use. If several servers serve a topic, all are asked, and the first
// reply counts. Serve blocks like Subscribe. Cancel does not wait for calls that
// are under way. The error is ErrTopic, ErrServed if this Bus serves the topic
// already, or ErrClosed, or the transport's.
func (b *Bus) Serve(topic string, fn Handler) (cancel func(), err error) {
	if err := checkGameTopic(topic); err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	s, turns := newSubscription(b, topic, request), make(chan struct{}, serveAtOnce)
	s.take = func(it *item) {
		if it.missed {
			return
		}
		// Its sender waits from now on at most: no clock of another machine is asked.
		end := time.Now().Add(time.Duration(min(it.arg, uint64(time.Hour.Milliseconds()))) * time.Millisecond)
		select {
		case turns <- struct{}{}:
		case <-s.ended:
			return
		}
		b.work(func() {
			defer func() { <-turns }()
			b.serve(s, it, end, fn)
		})
	}
	if cancel, err = b.attach(topic, s); err != nil {
		return nil, fmt.Errorf("serve %q: %w", topic, err)
	}
	return cancel, nil
}

// serve deals with one request.
func (b *Bus) serve(s *subscription, it *item, end time.Time, fn Handler) {
	ctx, cancel := context.WithDeadline(b.ctx, end)
	defer cancel()
	b.mx.received.Inc()
	data, err := fn(ctx, Message{Topic: s.topic, Data: append([]byte{}, it.data...), From: it.from, Own: it.own})
	if err == nil && len(data) > MaxMessage {
		err = fmt.Errorf("%w: reply of %d bytes, at most %d", ErrTooLarge, len(data), MaxMessage)
	}
	r := record{kind: reply, id: it.id, data: data}
	if err != nil {
		text := err.Error()
		r = record{kind: reply, id: it.id, arg: outcomeError, data: []byte(text[:min(len(text), maxReplyError)])}
	}
	if err := b.post(inboxTopic(it.from), r); err != nil {
		b.grumbles.add("reply not sent", 1, "topic", s.topic, "err", err)
	}
}
