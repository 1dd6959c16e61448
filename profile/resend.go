package profile

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// What becomes of a dead letter is up to who has its profile. So he is sent a
// message, of one of these topics, which every server handles.
const (
	topicResend  = "~resend"
	topicDiscard = "~discard"
)

// deadOrder is the body of such a message.
type deadOrder struct {
	Letter string `json:"letter"` // the dead letter's id
}

// deadResult is its result.
type deadResult struct {
	Gone  bool   `json:"gone,omitempty"`  // there is no such dead letter
	Error string `json:"error,omitempty"` // it cannot be read
	ID    string `json:"id,omitempty"`    // of the message that was sent again
}

// ownHandlers returns the handler of a topic of the package's own.
func ownHandlers(topic string) (handler, bool) {
	switch topic {
	case topicResend:
		return handler{readDead, resendDead}, true
	case topicDiscard:
		return handler{readDead, discardDead}, true
	case topicChange:
		return handler{handle: handleChange}, true
	case topicRestore:
		return handler{prepareRestore, handleRestore}, true
	case topicFlush:
		return handler{handle: handleFlush}, true
	}
	return handler{}, false
}

// Resend sends a dead letter again, under a new id, and takes it from the dead
// letters: both or neither. The message lives as long from now as it was to live at
// first. Resend returns its id, when it has been sent; whether it is handled then is
// another matter. A dead letter that is not there is ErrGone.
//
// It is done by whoever has the player, as the message is: Resend waits for that, and
// if ctx ends first the error is ErrPending. Nobody is asked to give the player up.
func (srv *Server) Resend(ctx context.Context, id, letter, reason string) (string, error) {
	r, err := srv.orderDead(ctx, id, topicResend, letter, reason)
	if err != nil {
		return "", fmt.Errorf("send %q to %v again: %w", letter, srv.key(id), err)
	}
	return r.ID, nil
}

// Discard deletes a dead letter for good, for a reason of 1 to session.MaxReason
// bytes, which the player's history keeps. It is done as Resend is, with the same
// errors.
func (srv *Server) Discard(ctx context.Context, id, letter, reason string) error {
	err := fmt.Errorf("%w: no reason is given", driver.ErrInvalid)
	if reason != "" {
		_, err = srv.orderDead(ctx, id, topicDiscard, letter, reason)
	}
	if err != nil {
		return fmt.Errorf("discard dead letter %q of %v: %w", letter, srv.key(id), err)
	}
	return nil
}

func (srv *Server) orderDead(ctx context.Context, id, topic, letter, reason string) (r deadResult, err error) {
	if err := checkText("id", letter, MaxMessageID); err != nil {
		return r, err
	}
	body, err := json.Marshal(deadOrder{letter})
	if err != nil {
		return r, err
	}
	act := srv.actOf(topic[1:]+" dead letter", body)
	order, err := srv.Send(ctx, id, Message{Topic: topic, Body: body, Reason: reason, Audit: act}, nil)
	if err != nil {
		return r, err
	}
	out, err := srv.Deliver(ctx, id, order)
	if err == nil {
		err = srv.landed(ctx, id, order) // whoever looks now finds what was done
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(out.Result, &r); err != nil {
		return r, fmt.Errorf("result not understood: %w", err)
	}
	switch {
	case r.Gone:
		return r, ErrGone
	case r.Error != "":
		return r, fmt.Errorf("%w: %s", driver.ErrCorrupt, r.Error)
	}
	return r, nil
}

// deadFound is a dead letter that was read for an order.
type deadFound struct {
	entry   string
	message *Message
	died    time.Time
	err     error // why it cannot be read
}

// readDead reads the dead letter that an order names; nil if there is none.
func readDead(ctx context.Context, p *Profile, m *Message) (any, error) {
	var o deadOrder
	if err := json.Unmarshal(m.Body, &o); err != nil {
		return nil, fmt.Errorf("order not understood: %w", err)
	}
	key := entryKey(p.key, deadFolder, o.Letter)
	var e driver.Entry
	switch w, ok := p.s.Attached(key); {
	case ok && w.Delete:
		return nil, nil // by an order before, which has not landed yet
	case ok: // it has just died, and has not landed either
		e = driver.Entry{Key: key, Value: w.Value}
	default:
		snap, err := p.srv.ss.DB().Read(ctx, key)
		if err != nil || !snap.Entries[0].Found() {
			return nil, err
		}
		e = snap.Entries[0]
	}
	p.s.Mark(cmp.Or(m.Reason, "dead letter sent again")) // an operator's act, which the history keeps
	found := &deadFound{entry: key}
	letter, st, err := decodeMessage(&e)
	if found.err = err; err == nil {
		found.message, found.died = letter, st.Died
	}
	return found, nil
}

// resendDead sends a dead letter again. The new id follows from the letter, so that
// two orders which both still see it send one message.
func resendDead(tx *Tx, m *Message) (json.RawMessage, error) {
	found, ok := m.Prepared().(*deadFound)
	switch {
	case !ok:
		return json.Marshal(deadResult{Gone: true})
	case found.err != nil:
		return json.Marshal(deadResult{Error: found.err.Error()})
	}
	old := found.message
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", old.ID, found.died.UnixNano()))
	life := min(max(old.Until.Sub(old.Sent), 2*MinMessageLife), MaxMessageLife-time.Second)
	again := Message{
		ID: "again-" + hex.EncodeToString(sum[:16]), Topic: old.Topic, Body: old.Body, For: old.For, Slot: old.Slot, Reason: old.Reason,
		Until: tx.p.srv.ss.Now().Add(life),
	}
	id, err := tx.send(tx.p.key, again, old.Giver)
	if err != nil {
		return nil, err
	}
	if err := attachAll(tx, deletion(found.entry)); err != nil {
		return nil, err
	}
	return json.Marshal(deadResult{ID: id})
}

// discardDead deletes a dead letter, one that is corrupt included, but none that a
// newer program wrote.
func discardDead(tx *Tx, m *Message) (json.RawMessage, error) {
	found, ok := m.Prepared().(*deadFound)
	switch {
	case !ok:
		return json.Marshal(deadResult{Gone: true})
	case errors.Is(found.err, driver.ErrFormat):
		return json.Marshal(deadResult{Error: found.err.Error()})
	}
	if err := attachAll(tx, deletion(found.entry)); err != nil {
		return nil, err
	}
	return json.Marshal(deadResult{})
}
