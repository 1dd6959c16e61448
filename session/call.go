package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/holdfast-games/holdfast/driver"
)

// Limits of calls between servers.
const (
	MaxCall     = 128 << 10 // bytes of a question and of an answer
	MaxVerb     = 100       // bytes of what is asked
	callsAtOnce = 256       // questions that a server deals with at a time
)

// call is a question from one server to another, or its answer.
type call struct {
	ID    uint64         `json:"id"` // counted by the asker
	From  driver.Version `json:"from,omitempty"`
	Verb  string         `json:"verb,omitempty"` // empty: it is an answer
	Body  []byte         `json:"body,omitempty"`
	Error string         `json:"error,omitempty"`
}

// calls are the questions that this server has asked and not heard of yet.
type calls struct {
	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan call
	served  int // questions of others being dealt with
}

// AnswerError is the error with which another server answered.
type AnswerError struct{ Text string }

func (e *AnswerError) Error() string { return e.Text }

// Ask puts a question to the server that holds a lease, over the bus, and
// returns its answer: what its Options.Answer returned, whose error comes as an
// *AnswerError. It blocks until that is here or ctx ends; then, and if there is
// no bus, the error is ErrNoAnswer. The question may be lost, and may be dealt
// with twice.
func (srv *Server) Ask(ctx context.Context, lease, verb string, body []byte) ([]byte, error) {
	to, err := driver.ParseVersion(lease)
	if err != nil {
		return nil, fmt.Errorf("ask %q: %w", verb, err)
	}
	switch {
	case verb == "" || len(verb) > MaxVerb:
		return nil, fmt.Errorf("ask %.100q: %w: a verb of %d bytes, 1 to %d allowed", verb, driver.ErrInvalid, len(verb), MaxVerb)
	case len(body) > MaxCall:
		return nil, fmt.Errorf("ask %q: %w: %d bytes, at most %d", verb, driver.ErrInvalid, len(body), MaxCall)
	}
	answer := make(chan call, 1)
	c := &srv.calls
	c.mu.Lock()
	c.last++
	id := c.last
	c.waiting[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiting, id)
	}()
	srv.mu.Lock()
	from := srv.lease.id
	srv.mu.Unlock()
	if !srv.publish(to, message{Call: &call{ID: id, From: from, Verb: verb, Body: body}}) {
		return nil, fmt.Errorf("ask %q: %w: there is no bus, or it takes no messages", verb, ErrNoAnswer)
	}
	select {
	case a := <-answer:
		if a.Error != "" {
			return nil, fmt.Errorf("ask %q: %w", verb, &AnswerError{a.Error})
		}
		return a.Body, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("ask %q: %w: %w", verb, ErrNoAnswer, context.Cause(ctx))
	case <-srv.ctx.Done():
		return nil, fmt.Errorf("ask %q: %w", verb, ErrClosed)
	}
}

// called deals with a question of another server, or with an answer.
func (srv *Server) called(m *call) {
	c := &srv.calls
	c.mu.Lock()
	if m.Verb == "" {
		defer c.mu.Unlock()
		select {
		case c.waiting[m.ID] <- *m: // never, if nobody waits
		default:
		}
		return
	}
	busy := c.served >= callsAtOnce
	if !busy {
		c.served++
	}
	c.mu.Unlock()
	answer := call{ID: m.ID}
	switch {
	case busy:
		answer.Error = "too many questions at one time"
	case srv.opts.Answer == nil:
		answer.Error = "this server answers no questions"
	default:
		srv.work(func() {
			srv.answerCall(m, answer)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.served--
		})
		return
	}
	srv.publish(m.From, message{Call: &answer})
}

func (srv *Server) answerCall(m *call, answer call) {
	body, err := srv.opts.Answer(srv.ctx, m.Verb, m.Body)
	if err == nil && len(body) > MaxCall {
		err = errors.New("the answer is too large")
	}
	if err != nil {
		text := cmp.Or(err.Error(), "an error without a text")
		answer.Error = strings.ToValidUTF8(text[:min(len(text), 1<<10)], "?")
	} else {
		answer.Body = body
	}
	srv.publish(m.From, message{Call: &answer})
}
