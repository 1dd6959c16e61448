package profile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// Outcome is what came of a message.
type Outcome struct {
	Result   json.RawMessage // of its handler
	Revision uint64          // of the profile, with what the handler changed
}

// UnhandledError means that a message stays where it is: where the player is, no
// handler takes its topic, or its handler leaves it for later. It matches
// ErrUnhandled.
type UnhandledError struct{ Reason string }

func (e *UnhandledError) Error() string { return ErrUnhandled.Error() + ": " + e.Reason }

// Is reports that the error is an ErrUnhandled.
func (e *UnhandledError) Is(target error) bool { return target == ErrUnhandled }

// DeadError means that a message's handler failed: it is among the dead letters.
type DeadError struct{ Reason string }

func (e *DeadError) Error() string { return "the message could not be handled: " + e.Reason }

// deliverWait is how long the owner's server is given to answer by the bus, before
// it is told by the database as well.
const deliverWait = 200 * time.Millisecond

// Deliver has a message handled that was sent to the profile of an id, and returns
// what came of it, when that is on disk: here, by the server that has the player,
// or, if nobody has, by opening the profile for a moment. It blocks until then.
// If ctx ends first, the error is ErrPending: the message will still be handled.
//
// It is a *DeadError if the handler failed, an *UnhandledError if nobody there
// handles the message's topic yet or its handler leaves it for later (which another
// server tells by the bus only), or if there is no such profile yet, and ErrGone if it
// ended unhandled: it came too late, or was meant for another profile. One that was
// sent with an update is there when the update is saved; before that it is ErrGone.
//
// What was sent to the player before is handled before, as always.
func (srv *Server) Deliver(ctx context.Context, id, message string) (Outcome, error) {
	return srv.deliver(ctx, id, message, false)
}

// DeliverAlone is Deliver for a message whose place among the others that wait does
// not matter: where the player is, it need not wait for those that were sent before
// it, and nobody looks for any.
func (srv *Server) DeliverAlone(ctx context.Context, id, message string) (Outcome, error) {
	return srv.deliver(ctx, id, message, true)
}

func (srv *Server) deliver(ctx context.Context, id, message string, alone bool) (Outcome, error) {
	key := srv.key(id)
	if err := errors.Join(key.Check(), checkText("id", message, MaxMessageID)); err != nil {
		return Outcome{}, fmt.Errorf("deliver: %w", err)
	}
	pause := 5 * time.Millisecond
	for {
		out, known, err := srv.tryDeliver(ctx, id, message, alone)
		if known || err != nil && ctx.Err() == nil {
			return out, err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
			pause = min(2*pause, time.Second)
		case <-ctx.Done():
			t.Stop()
			return Outcome{}, fmt.Errorf("deliver message %q to %v: %w: %w", message, key, ErrPending, context.Cause(ctx))
		}
	}
}

// tryDeliver looks what came of a message, and if that is not known yet goes once to
// where the player is.
func (srv *Server) tryDeliver(ctx context.Context, id, message string, alone bool) (out Outcome, known bool, err error) {
	key := srv.key(id)
	if p, ok := srv.Profile(id); ok && p.failed == nil {
		if out, known, err = p.deliver(ctx, message, alone); known {
			return out, known, err
		}
		return srv.outcome(ctx, key, message)
	}
	if out, known, err = srv.outcome(ctx, key, message); known || err != nil {
		return out, known, err
	}
	owner, err := srv.ss.Owner(ctx, key)
	switch {
	case err != nil:
		return out, false, err
	case owner.Erased:
		return out, true, fmt.Errorf("deliver message %q to %v: %w", message, key, session.ErrErased)
	case !owner.Exists:
		return out, true, &UnhandledError{"there is no such profile yet"}
	case owner.Holder == nil:
		return srv.deliverHere(ctx, id, message)
	case owner.Here:
		return out, false, nil // it is being loaded or closed
	}
	if out, known, err = srv.askToDeliver(ctx, owner.Holder.Lease, delivery{Kind: key.Kind, ID: id, Message: message, Alone: alone}); known {
		return out, known, err
	}
	srv.ss.Ring(true, key)
	return out, false, nil
}

// deliverHere opens a profile that nobody has for the time that it takes.
func (srv *Server) deliverHere(ctx context.Context, id, message string) (out Outcome, known bool, err error) {
	p, done, err := srv.borrow(ctx, id, &OpenOptions{MustExist: true, NoAsk: true})
	switch {
	case errors.Is(err, session.ErrLocked):
		return out, false, nil // somebody was faster
	case err != nil:
		return out, false, err
	}
	defer done()
	if err := p.Err(); err != nil {
		return out, false, fmt.Errorf("deliver message %q to %v: %w: %w", message, p.key, ErrErrored, err)
	}
	return p.deliver(ctx, message, false) // the load looks at all of them anyway
}

// outcome reads what came of a message, if anything has.
func (srv *Server) outcome(ctx context.Context, key session.Key, message string) (out Outcome, known bool, err error) {
	snap, err := srv.ss.DB().Read(ctx, entryKey(key, mailFolder, message), entryKey(key, doneFolder, message))
	if err != nil {
		return out, false, err
	}
	mail, done := &snap.Entries[0], &snap.Entries[1]
	switch {
	case done.Found():
		o, err := decodeOutcome(done)
		if err != nil {
			return out, true, err
		}
		return o.public()
	case !mail.Found():
		return out, true, fmt.Errorf("message %q to %v: %w", message, key, ErrGone)
	}
	return out, false, nil
}

func (o *storedOutcome) public() (Outcome, bool, error) {
	if o.Error != "" {
		return Outcome{}, true, &DeadError{o.Error}
	}
	return Outcome{o.Result, o.Revision}, true, nil
}

// deliver handles what waits for a profile that is open here, or one of the messages
// alone, and returns what came of that one, if it is known in this session.
func (p *Profile) deliver(ctx context.Context, message string, alone bool) (out Outcome, known bool, err error) {
	b := p.mail()
	done := b.letter(message)
	if done == nil {
		var only []string
		if alone {
			only = []string{message}
		}
		if err := b.wait(ctx, only...); err != nil {
			return out, false, nil // the caller looks again
		}
		done = b.letter(message)
	}
	if done == nil {
		return p.undelivered(ctx, message)
	}
	if err := p.s.Sync(ctx); err != nil {
		return out, false, nil // likewise
	}
	return done.outcome.public()
}

// undelivered says why a message that was looked for is still there.
func (p *Profile) undelivered(ctx context.Context, message string) (out Outcome, known bool, err error) {
	out, known, err = p.srv.outcome(ctx, p.key, message)
	if known || err != nil {
		return out, known, err
	}
	why := p.mail().why(message)
	if why == "" {
		return out, false, nil // it came when the look was over
	}
	return out, true, &UnhandledError{why}
}

// delivery is the question whether a message was handled, and its answer.
type delivery struct {
	Kind    string `json:"kind,omitempty"`
	ID      string `json:"id,omitempty"`
	Message string `json:"message,omitempty"`
	Alone   bool   `json:"alone,omitempty"`

	Known     bool            `json:"known,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Revision  uint64          `json:"revision,omitempty"`
	Dead      string          `json:"dead,omitempty"`
	Unhandled string          `json:"unhandled,omitempty"`
}

const verbDeliver = "deliver"

// askToDeliver asks the server that has the player.
func (srv *Server) askToDeliver(ctx context.Context, lease string, q delivery) (out Outcome, known bool, err error) {
	question, err := json.Marshal(q)
	if err != nil {
		return out, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, deliverWait)
	defer cancel()
	body, err := srv.ss.Ask(ctx, lease, verbDeliver, question)
	var a delivery
	if err != nil || json.Unmarshal(body, &a) != nil || !a.Known {
		return out, false, nil // the database tells
	}
	switch {
	case a.Dead != "":
		return out, true, &DeadError{a.Dead}
	case a.Unhandled != "":
		return out, true, &UnhandledError{a.Unhandled}
	}
	return Outcome{a.Result, a.Revision}, true, nil
}

// answerDelivery deals with that question.
func (c *common) answerDelivery(ctx context.Context, body []byte) ([]byte, error) {
	var q delivery
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, fmt.Errorf("question not understood: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*deliverWait)
	defer cancel()
	c.mu.Lock()
	p := c.profiles[session.Key{Kind: q.Kind, ID: q.ID}]
	c.mu.Unlock()
	if p == nil || p.failed != nil {
		return json.Marshal(delivery{})
	}
	out, known, err := p.deliver(ctx, q.Message, q.Alone)
	var dead *DeadError
	var unhandled *UnhandledError
	switch {
	case errors.As(err, &dead):
		return json.Marshal(delivery{Known: true, Dead: dead.Reason})
	case errors.As(err, &unhandled):
		return json.Marshal(delivery{Known: true, Unhandled: "it stays: " + unhandled.Reason})
	case err != nil || !known:
		return json.Marshal(delivery{})
	}
	return json.Marshal(delivery{Known: true, Result: out.Result, Revision: out.Revision})
}

// storeOnce creates entries, each unless it is there, if all checks hold.
func (c *common) storeOnce(ctx context.Context, checks []driver.Check, ws ...driver.Write) error {
	version, err := c.ss.DB().NewVersion()
	if err != nil {
		return err
	}
	_, err = c.ss.DB().Commit(ctx, store.Attempt{Batch: driver.Batch{ID: version, Checks: checks, Writes: ws}, Lane: store.Waited})
	return err
}
