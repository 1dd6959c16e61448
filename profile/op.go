package profile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

// Op is one checked operation on a profile: a write to a field, or a condition
// that must hold. A function cannot travel to the server that owns a profile; a
// list of Ops can, and is applied there in one update by Tx.Apply, whole or not
// at all.
//
// Fields make them. Each method that makes one is named for the write that it
// stands for, with Op after it: Coins.AddOp(5) is what Coins.Add(tx, 5) does,
// whenever and wherever it is applied. Those that begin with Expect are
// conditions: Coins.ExpectAtLeastOp(80). ExpectRevisionOp is one on the whole
// profile.
//
//	ops := []profile.Op{
//		Coins.ExpectAtLeastOp(80),
//		Coins.AddOp(-80),
//		Bag.PutOp("sword", sword),
//	}
//
// An Op names its field by name and holds its value as JSON. Whether field,
// type and bounds fit is for the schema of the server that applies it, which may
// be older or newer than that of the sender. A value that cannot be encoded
// makes an Op that nobody encodes or applies. Ops are immutable and safe for
// concurrent use; the zero value is none.
type Op struct {
	action action
	path   document.Path // zero if the op is on the whole profile
	value  []byte        // compact JSON; nil if the action takes none
	err    error         // why it is of no use
}

// action is what an Op does.
type action uint8

const (
	opNone action = iota
	opSet
	opAdd
	opAppend
	opReset
	opExpect
	opExpectAtLeast
	opExpectUnset
	opPut
	opSetElement
	opAddElement
	opAddMember
	opDelete
	opExpectElement
	opExpectElementAtLeast
	opExpectPresent
	opExpectAbsent
	opExpectRevision
	opDo
)

// newOp makes an operation of a value that was encoded, or could not be.
func newOp(a action, path document.Path, value []byte, err error) Op {
	return Op{action: a, path: path, value: value, err: firstError(path.Check(), err)}
}

// wholeOp makes an operation with an integer.
func wholeOp(a action, path document.Path, n int64) Op { return newOp(a, path, wholeText(n), nil) }

func wholeText(n int64) json.RawMessage { return strconv.AppendInt(nil, n, 10) }

// ExpectRevisionOp makes the condition that the profile is at a revision, as
// Copy.Revision tells: no update has changed it since, Lazy fields aside.
func ExpectRevisionOp(revision uint64) Op {
	return Op{action: opExpectRevision, value: strconv.AppendUint(nil, revision, 10)}
}

// ResetOp is the operation of Reset.
func (f *field) ResetOp() Op { return newOp(opReset, f.path, nil, nil) }

// ExpectUnsetOp makes the condition that IsSet is false: nothing is stored.
func (f *field) ExpectUnsetOp() Op { return newOp(opExpectUnset, f.path, nil, nil) }

// Apply makes operations in order. It returns one result for each: the new
// number of an AddOp that adds to a number, the new length of an AppendOp, both
// as JSON, and else nil.
//
// If one cannot be applied, the update fails as with any write that was refused,
// and nothing of it remains. A condition that does not hold is a
// *ConditionError. All else is a *RefusedError because of what the write itself
// returns, ErrUnknownField, or ErrWrongType for an operation or a value that does
// not fit the field, members of a struct that its type does not have included.
func (tx *Tx) Apply(ops ...Op) ([]json.RawMessage, error) {
	results := make([]json.RawMessage, len(ops))
	for i := range ops {
		var err error
		if results[i], err = tx.applyOp(&ops[i]); err != nil {
			return nil, fmt.Errorf("apply operation %d of %d: %w", i+1, len(ops), err)
		}
	}
	return results, nil
}

func (tx *Tx) applyOp(op *Op) (json.RawMessage, error) {
	switch {
	case tx.over:
		return nil, fmt.Errorf("update %v: %w", tx.p.key, ErrTxEnded)
	case tx.err != nil:
		return nil, tx.err
	case op.action == opNone:
		return nil, tx.fail(fmt.Errorf("%v: %w: an empty operation", tx.p.key, document.ErrInvalid))
	case op.err != nil:
		return nil, tx.refuseOp(op, op.err)
	case op.action == opExpectRevision:
		return nil, tx.expectRevision(op)
	}
	f := tx.p.schema.Field(op.path.Field)
	if f == nil {
		return nil, tx.refuseOp(op, ErrUnknownField)
	}
	if err := tx.unkept(f.common(), op); err != nil {
		return nil, tx.refuseOp(op, err)
	}
	return f.apply(tx, op)
}

// fail fails the update, and returns the error that it fails with.
func (tx *Tx) fail(err error) error {
	tx.err = firstError(tx.err, err)
	return tx.err
}

func (tx *Tx) refuseOp(op *Op, reason error) error {
	return tx.fail(&RefusedError{Key: tx.p.key, Field: op.path.Field, Element: op.path.Element, Reason: reason})
}

// misfit refuses an operation that is not for fields of this kind, or has a
// value that is not of the field's type.
func (tx *Tx) misfit(op *Op, kind string, cause error) error {
	if cause == nil {
		return tx.refuseOp(op, fmt.Errorf("%w: no %v on a field of kind %s", ErrWrongType, op.action, kind))
	}
	return tx.refuseOp(op, fmt.Errorf("%w: %v %.60q on a field of kind %s: %w", ErrWrongType, op.action, op.value, kind, cause))
}

// expect fails the update unless a condition holds. What is there instead is
// JSON, nil for nothing.
func (tx *Tx) expect(op *Op, holds bool, got []byte) error {
	if holds {
		return nil
	}
	return tx.fail(&ConditionError{
		Key: tx.p.key, Field: op.path.Field, Element: op.path.Element,
		Condition: op.action.String(), Want: bytes.Clone(op.value), Got: bytes.Clone(got),
	})
}

// expectSame expects a value that means the same as what is there; have and
// want are encodings of one type.
func (tx *Tx) expectSame(op *Op, have, want []byte, err error) error {
	if err != nil {
		return tx.refuseOp(op, err)
	}
	return tx.expect(op, document.Equal(have, want), have)
}

func (tx *Tx) expectRevision(op *Op) error {
	want, err := strconv.ParseUint(string(op.value), 10, 64)
	if err != nil {
		return tx.fail(fmt.Errorf("%v: %w: revision %.60q is not a number from 0 up", tx.p.key, document.ErrInvalid, op.value))
	}
	n, ok := tx.revision()
	if !ok {
		return tx.fail(tx.p.erroredErr("expect a revision of"))
	}
	return tx.expect(op, n == want, strconv.AppendUint(nil, n, 10))
}

// revision returns the revision of the profile before the update, and false if
// it has none: it is errored.
func (tx *Tx) revision() (uint64, bool) {
	if w, ok := tx.w.(*session.Tx); ok {
		return w.Revision() - 1, true // it tells the one that comes of the update
	}
	return tx.p.failed.revision, tx.p.failed.err == ErrCopy
}

// applyAny applies what operations fields of all kinds have in common.
func (f *field) applyAny(tx *Tx, op *Op, kind string) error {
	switch op.action {
	case opReset:
		return f.Reset(tx)
	case opExpectUnset:
		value, stored := f.raw(tx, f.path)
		return tx.expect(op, !stored, value)
	}
	return tx.misfit(op, kind, nil)
}
