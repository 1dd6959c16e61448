package profile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	strict "github.com/go-json-experiment/json"
	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// DefaultChangeLife is how long a change may wait for a server that can make it,
// if ChangeOptions say nothing else.
const DefaultChangeLife = 10 * time.Minute

// ChangeOptions say how Server.Change makes a change. Nil is the same as the zero
// value.
type ChangeOptions struct {
	// ID names the change among the messages to the profile, 1 to MaxMessageID
	// bytes of text: as long as the first one's outcome is kept, an hour longer
	// than its Life, another one of the same id is the same change, whatever its
	// operations, and has the same outcome. Empty gives it an id of its own.
	ID string
	// Life is how long it may wait: what was not made by then never is.
	// MinMessageLife to MaxMessageLife. Zero means DefaultChangeLife.
	Life time.Duration
	// Reason says why, for the journal and the history: at most
	// session.MaxReason bytes of text. Empty: none is told.
	Reason string
	// Whoever allows an id under which nothing is kept: a new profile begins with
	// the change.
	Whoever bool
	// Slot is the id of the save slot in which it is to be made: it waits until that
	// is loaded, for Life at most, and is refused (ErrUnknownSlot) once that slot is
	// gone for good. Empty: in whichever slot is loaded.
	Slot string
}

func (o *ChangeOptions) withDefaults() ChangeOptions {
	var c ChangeOptions
	if o != nil {
		c = *o
	}
	if c.Life == 0 {
		c.Life = DefaultChangeLife
	}
	return c
}

// Changed is what came of a change.
type Changed struct {
	// Results has one result for each operation, as Tx.Apply returns them.
	Results []json.RawMessage
	// Revision is that of the profile right after the change.
	Revision uint64
}

// PendingError means that it is not known yet what came of a change or a flush: it
// may be on disk as a message, which is dealt with once, by whoever has the player
// by then, unless its life ends before. Server.Changed tells, and to ask again for
// the same with the same id does no harm. It matches ErrPending and its cause.
type PendingError struct {
	Key     session.Key
	Message string // its id
	Cause   error
}

func (e *PendingError) Error() string {
	return fmt.Sprintf("%v: message %q: %v: %v", e.Key, e.Message, ErrPending, e.Cause)
}

// Is reports that the error is an ErrPending.
func (e *PendingError) Is(target error) bool { return target == ErrPending }

// Unwrap returns why the wait has ended.
func (e *PendingError) Unwrap() error { return e.Cause }

// Change makes operations on the profile of an id, all of them in one update or
// none, whether it is open here, open on another server, or nowhere. They are
// checked by the schema of the server that makes them. It blocks until the outcome
// is on disk.
//
// The error is a *ConditionError for a condition that does not hold, a
// *RefusedError for a write that is refused, session.ErrNotFound or
// session.ErrErased if there is no such profile and not Whoever, ErrFull if too
// many messages wait for it, and document.ErrTooLarge, document.ErrInvalid or
// driver.ErrInvalid if a limit is broken: nothing was changed then, nor will be. A
// *PendingError means that it may yet be, as when ctx
// ended before the owner's server answered. ErrNotDurable, without an id only,
// means that it was changed here and the disk has not answered. A write of a Volatile
// field is refused with ErrVolatile while no game has the profile open.
//
// A profile that is open here is updated at once, unless there is an id to
// remember. Any other change is a message, of which each counts as an update of
// the profile, also one that is refused.
func (srv *Server) Change(ctx context.Context, id string, ops []Op, o *ChangeOptions) (Changed, error) {
	began, opts := time.Now(), o.withDefaults()
	done, err := srv.change(ctx, id, ops, &opts)
	if err != nil {
		err = fmt.Errorf("change %v: %w", srv.key(id), err)
	}
	srv.mx.byID.changedIn(time.Since(began), err)
	return done, err
}

func (srv *Server) change(ctx context.Context, id string, ops []Op, o *ChangeOptions) (Changed, error) {
	key := srv.key(id)
	if err := key.Check(); err != nil {
		return Changed{}, err
	}
	text, err := EncodeOps(ops)
	if err != nil {
		return Changed{}, err
	}
	by := srv.follows.idFor(key)
	done, made := Changed{}, false
	if p, ok := srv.Profile(id); ok && o.ID == "" {
		done, err = p.changeHere(ctx, ops, o, by, srv.actOf("change", text))
		made = !passing(err)
	}
	if !made {
		done, err = srv.changeByMessage(ctx, id, changeBody{Ops: text, By: by}, o)
	}
	if err != nil {
		return Changed{}, err
	}
	srv.follows.changed(key, done.Revision)
	return done, nil
}

// changeByMessage makes a change of a profile, wherever that is.
func (srv *Server) changeByMessage(ctx context.Context, id string, b changeBody, o *ChangeOptions) (Changed, error) {
	body, err := strict.Marshal(b)
	if err != nil {
		return Changed{}, err
	}
	m := Message{ID: o.ID, Topic: topicChange, Body: body, Slot: o.Slot, Reason: o.Reason, Until: srv.ss.Now().Add(o.Life)}
	m.Audit = srv.actOf("change", b.Ops)
	out, err := srv.sendAndDeliver(ctx, id, m, o.Whoever)
	if err != nil {
		return Changed{}, err
	}
	return decodeChanged(srv.key(id), out)
}

// passing reports whether nothing became of what was done with an open profile, only
// because that is on its way to somebody else, is held still, or has another save slot
// loaded.
func passing(err error) bool {
	if errors.Is(err, ErrNotDurable) {
		return false // it was done, and may be found by whoever has the profile next
	}
	if missing, ok := errors.AsType[*SlotError](err); ok {
		return !errors.Is(missing, ErrUnknownSlot) // it waits for the slot
	}
	return errors.Is(err, ErrBusy) || errors.Is(err, session.ErrClosed) || errors.Is(err, session.ErrLost)
}

// changeHere makes a change of a profile that is open here.
func (p *Profile) changeHere(ctx context.Context, ops []Op, o *ChangeOptions, by driver.Version, act *audit.Act) (done Changed, err error) {
	from := &origin{by: by}
	err = p.Update(func(tx *Tx) error {
		if err := tx.InSlot(o.Slot); err != nil {
			return err
		}
		if o.Reason != "" {
			tx.Because(o.Reason)
		}
		tx.origin = from
		if act != nil {
			act.Reason = o.Reason
			if err := tx.Audit(*act); err != nil {
				return err
			}
		}
		done.Results, err = tx.Apply(ops...)
		return err
	}, Durable(ctx))
	if err != nil {
		return Changed{}, err
	}
	done.Revision = from.revision
	return done, nil
}

// sendAndDeliver sends a message and waits for its outcome. Once it may be on
// disk, an error that does not tell what came of it is a *PendingError.
func (srv *Server) sendAndDeliver(ctx context.Context, id string, m Message, whoever bool, checks ...driver.Check) (Outcome, error) {
	if m.ID == "" {
		own, err := srv.nextID()
		if err != nil {
			return Outcome{}, err
		}
		m.ID = own.String()
	}
	_, err := srv.put(ctx, id, m, &SendOptions{Whoever: whoever, checks: checks})
	if errors.Is(err, store.ErrUncertain) {
		return Outcome{}, &PendingError{srv.key(id), m.ID, err}
	}
	if err != nil {
		return Outcome{}, err
	}
	out, err := srv.delivered(ctx, id, m.ID)
	if whoever && errors.Is(err, ErrUnhandled) {
		out, err = srv.deliverNew(ctx, id, m.ID)
	}
	if errors.Is(err, ErrPending) {
		srv.ss.Ring(false, srv.key(id)) // so that it is made nevertheless
	}
	return out, err
}

// deliverNew is delivered for a profile that does not exist yet: it begins.
func (srv *Server) deliverNew(ctx context.Context, id, message string) (Outcome, error) {
	_, done, err := srv.borrow(ctx, id, &OpenOptions{NoAsk: true})
	switch {
	case err == nil:
		defer done()
	case !errors.Is(err, session.ErrLocked): // else somebody was faster
		return Outcome{}, &PendingError{srv.key(id), message, err}
	}
	return srv.delivered(ctx, id, message)
}

// delivered is Deliver with a *PendingError in place of every error that does not
// tell what came of the message.
func (srv *Server) delivered(ctx context.Context, id, message string) (Outcome, error) {
	out, err := srv.Deliver(ctx, id, message)
	var dead *DeadError
	if err == nil || errors.Is(err, ErrGone) || errors.As(err, &dead) {
		return out, err
	}
	return out, &PendingError{srv.key(id), message, err}
}

// Changed returns what came of a change that was asked for under an id, of which
// Change has returned a *PendingError. It has it made if it still waits, and
// returns what Change would; ErrGone means that it was never made and never will
// be, or that its outcome is not kept any more.
func (srv *Server) Changed(ctx context.Context, id, message string) (Changed, error) {
	key := srv.key(id)
	fail := func(err error) (Changed, error) { return Changed{}, fmt.Errorf("change %v: %w", key, err) }
	if err := errors.Join(key.Check(), checkText("id", message, MaxMessageID)); err != nil {
		return fail(err)
	}
	out, err := srv.delivered(ctx, id, message)
	if err != nil {
		return fail(err)
	}
	done, err := decodeChanged(key, out)
	if err != nil {
		return fail(err)
	}
	return done, nil
}

// Topics of messages that every server handles for every schema.
const (
	topicChange = "~change"
	topicFlush  = "~flush"
)

// changeBody is the body of a message that asks for a change.
type changeBody struct {
	Ops json.RawMessage `json:"ops"`
	// By is the id of the sender's follows, if it follows the profile.
	By driver.Version `json:"by,omitzero"`
}

// handleChange makes the change that a message asks for. A refusal is a result
// like any other, which the sender is told.
func handleChange(tx *Tx, m *Message) (json.RawMessage, error) {
	results, err := tx.applyBody(m.Body)
	if err != nil {
		return nil, refusalOf(err)
	}
	return strict.Marshal(changeResult{Results: results})
}

func (tx *Tx) applyBody(text []byte) ([]json.RawMessage, error) {
	var body changeBody
	if err := strict.Unmarshal(text, &body); err != nil {
		return nil, fmt.Errorf("%w: %w", document.ErrInvalid, err)
	}
	ops, err := decodeOps(body.Ops)
	if err != nil {
		return nil, err
	}
	if !body.By.IsZero() {
		tx.origin = &origin{by: body.By}
	}
	return tx.Apply(ops...)
}
