package profile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	strict "github.com/go-json-experiment/json"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// refusal is the error of a handler that has changed nothing and says so to the
// sender: the message is handled, and its result is this one.
type refusal struct {
	cause  error
	result json.RawMessage
}

func (r *refusal) Error() string { return r.cause.Error() }
func (r *refusal) Unwrap() error { return r.cause }

// refusalOf returns a refusal that tells of an error of Tx.Apply; or the error
// itself, if it cannot be told.
func refusalOf(err error) error {
	result, failed := strict.Marshal(changeResult{Refused: refuse(err)})
	if failed != nil {
		return errors.Join(err, failed)
	}
	return &refusal{err, result}
}

// refuse ends a message whose handler has changed nothing and says so: the sender
// is told, and there is no dead letter.
func (b *inbox) refuse(ctx context.Context, t *task, done *letter, no *refusal) (bool, error) {
	done.outcome.Result, done.outcome.Revision, done.outcome.refused = no.result, 0, no.Error()
	if err := b.update(ctx, func(tx *Tx) error { return t.end(tx, &done.outcome) }); err != nil {
		return false, err
	}
	b.p.srv.log.Debug("a change was refused", "key", b.p.key.String(), "message", t.m.ID, "err", no)
	b.p.srv.mx.mail("refused")
	b.keep(t.m.ID, done)
	return true, nil
}

// changeResult is the result of a message that asked for a change. Servers of
// several versions read it: what is defined keeps its meaning.
type changeResult struct {
	Results []json.RawMessage `json:"results,omitempty"` // null for none
	Refused *refusedChange    `json:"refused,omitempty"`
}

// refusedChange is why nothing was changed.
type refusedChange struct {
	// Of a condition that does not hold.
	Condition string          `json:"condition,omitempty"`
	Want      json.RawMessage `json:"want,omitempty"`
	Got       json.RawMessage `json:"got,omitempty"`
	Cut       bool            `json:"cut,omitempty"`
	// Of a condition, and of a write to a field.
	Field   string `json:"field,omitempty"`
	Element string `json:"element,omitempty"`
	// Of everything but a condition: what the error says, and the names of the
	// errors that it matches.
	Reason string   `json:"reason,omitempty"`
	Is     []string `json:"is,omitempty"`
}

// namedError is an error that a refusal may match, with the name that stands for
// it between servers.
type namedError struct {
	name string
	err  error
}

var named = []namedError{
	{"range", ErrRange},
	{"too long", ErrTooLong},
	{"missing", ErrMissing},
	{"unknown field", ErrUnknownField},
	{"wrong type", ErrWrongType},
	{"invalid", document.ErrInvalid},
	{"too large", document.ErrTooLarge},
	{"too deep", document.ErrTooDeep},
	{"no object", document.ErrNotObject},
	{"bad argument", driver.ErrInvalid},
	{"not found", driver.ErrNotFound},
	{"corrupt", driver.ErrCorrupt},
	{"format", driver.ErrFormat},
	{"erased", session.ErrErased},
	{"other birth", ErrOtherBirth},
	{"volatile", ErrVolatile},
	{"computed", ErrComputed},
	{"no slot", ErrNoSlot},
	{"unknown slot", ErrUnknownSlot},
	{"other slot", ErrOtherSlot},
}

const (
	maxToldValue  = 16 << 10 // bytes of a value that a refusal tells
	maxToldReason = 4 << 10  // bytes of its text
)

// refuse returns how an error of Tx.Apply is told.
func refuse(err error) *refusedChange {
	var failed *ConditionError
	if errors.As(err, &failed) {
		r := &refusedChange{Condition: failed.Condition, Field: failed.Field, Element: failed.Element}
		r.Want, r.Got = r.told(failed.Want), r.told(failed.Got)
		return r
	}
	r, reason := &refusedChange{}, err
	var refused *RefusedError
	if errors.As(err, &refused) {
		r.Field, r.Element, reason = refused.Field, refused.Element, refused.Reason
	}
	text := reason.Error()
	r.Reason = strings.ToValidUTF8(text[:min(len(text), maxToldReason)], "?")
	for _, n := range named {
		if errors.Is(err, n.err) {
			r.Is = append(r.Is, n.name)
		}
	}
	return r
}

// told returns a value, or nil if it is too large to be told.
func (r *refusedChange) told(value json.RawMessage) json.RawMessage {
	if len(value) <= maxToldValue {
		return value
	}
	r.Cut = true
	return nil
}

// decodeChanged reads the outcome of a message that asked for a change.
func decodeChanged(key session.Key, out Outcome) (Changed, error) {
	var result changeResult
	if err := strict.Unmarshal(out.Result, &result); err != nil {
		return Changed{}, fmt.Errorf("its outcome is not that of a change: %w: %w", document.ErrInvalid, err)
	}
	if result.Refused != nil {
		return Changed{}, result.Refused.err(key)
	}
	for i, r := range result.Results {
		if string(r) == "null" {
			result.Results[i] = nil
		}
	}
	return Changed{result.Results, out.Revision}, nil
}

// err returns the error that was told.
func (r *refusedChange) err(key session.Key) error {
	if r.Condition != "" {
		return &ConditionError{
			Key: key, Field: r.Field, Element: r.Element, Condition: r.Condition, Want: r.Want, Got: r.Got, Cut: r.Cut,
		}
	}
	reason := &toldError{text: r.Reason}
	for _, n := range named {
		if slices.Contains(r.Is, n.name) {
			reason.is = append(reason.is, n.err)
		}
	}
	if r.Field == "" {
		return reason
	}
	return &RefusedError{Key: key, Field: r.Field, Element: r.Element, Reason: reason}
}

// toldError is an error that another server told: its text, and what it matches
// of the errors that have a name.
type toldError struct {
	text string
	is   []error
}

func (e *toldError) Error() string   { return e.text }
func (e *toldError) Unwrap() []error { return e.is }
