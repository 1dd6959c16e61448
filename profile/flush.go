package profile

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Flush has everything that was ever changed of the profile of an id, up to now,
// saved in its root, wherever it is open, and returns when that is on disk. A
// profile that nobody has open is there already.
//
// It is session.ErrNotFound or session.ErrErased if there is no such profile, and
// ErrErrored if it is open here and errored. If ctx ends first, it is saved all the
// same; the error is store.ErrUncertain if it is open here, and else a
// *PendingError.
func (srv *Server) Flush(ctx context.Context, id string) error {
	key := srv.key(id)
	fail := func(err error) error { return fmt.Errorf("flush %v: %w", key, err) }
	if p, ok := srv.Profile(id); ok {
		if err := p.Save(ctx); !passing(err) {
			return err
		}
	}
	v, err := srv.ss.Peek(ctx, key)
	switch {
	case err != nil:
		return fail(err)
	case v.Holder == nil:
		return nil
	}
	m, err := srv.nextID()
	if err != nil {
		return fail(err)
	}
	message := m.String()
	_, err = srv.sendAndDeliver(ctx, id, Message{ID: message, Topic: topicFlush, Until: srv.ss.Now().Add(DefaultChangeLife)}, false)
	if err == nil {
		err = srv.landed(ctx, id, message)
	}
	if err != nil {
		return fail(err)
	}
	return nil
}

// handleFlush does nothing: the note that the message was handled goes to disk
// with the root, and all that came before it does too.
func handleFlush(*Tx, *Message) (json.RawMessage, error) { return nil, nil }

// landed waits until the outcome of a message that was handled is in the database.
func (srv *Server) landed(ctx context.Context, id, message string) error {
	for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
		_, known, err := srv.outcome(ctx, srv.key(id), message)
		if known {
			return err
		}
		pause(ctx, wait)
		if ctx.Err() != nil {
			return &PendingError{srv.key(id), message, context.Cause(ctx)}
		}
	}
}
