package profile

import (
	"fmt"
	"math"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/holdfast-games/holdfast/document"
)

// What operations may weigh that travel together.
const (
	MaxOps     = 100      // operations in one encoding
	MaxOpsSize = 64 << 10 // bytes of the encoding
)

// opLimits bound the value of an operation. How deep and how large a stored
// value may be is for the server that applies it.
var opLimits = document.Limits{Size: MaxOpsSize, Depth: math.MaxInt}

// form is how an operation is written: under which name, and with which of the
// members field, element and value.
type form struct {
	name                   string
	field, element, valued bool
}

// forms has the form of each action.
var forms = [...]form{
	opNone:                 {"none", false, false, false},
	opSet:                  {"set", true, false, true},
	opAdd:                  {"add", true, false, true},
	opAppend:               {"append", true, false, true},
	opReset:                {"reset", true, false, false},
	opExpect:               {"expect", true, false, true},
	opExpectAtLeast:        {"expectAtLeast", true, false, true},
	opExpectUnset:          {"expectUnset", true, false, false},
	opPut:                  {"put", true, true, true},
	opSetElement:           {"set", true, true, true},
	opAddElement:           {"add", true, true, true},
	opAddMember:            {"add", true, true, false},
	opDelete:               {"delete", true, true, false},
	opExpectElement:        {"expect", true, true, true},
	opExpectElementAtLeast: {"expectAtLeast", true, true, true},
	opExpectPresent:        {"expectPresent", true, true, false},
	opExpectAbsent:         {"expectAbsent", true, true, false},
	opExpectRevision:       {"expectRevision", false, false, true},
	opDo:                   {"do", true, false, true},
}

// actions finds the action of a form.
var actions = func() map[form]action {
	m := make(map[form]action)
	for a := opNone + 1; int(a) < len(forms); a++ {
		m[forms[a]] = a
	}
	return m
}()

// String returns the name under which the action is written, which several have
// in common that take different members.
func (a action) String() string { return forms[a].name }

// expects reports whether the action is a condition, and changes nothing.
func (a action) expects() bool { return strings.HasPrefix(forms[a].name, "expect") }

// members names the members that a form has.
func (f form) members() string {
	names := make([]string, 0, 3)
	for _, m := range []struct {
		has  bool
		name string
	}{{f.field, "field"}, {f.element, "element"}, {f.valued, "value"}} {
		if m.has {
			names = append(names, m.name)
		}
	}
	return strings.Join(names, "+")
}

// wireOp is an Op as it is written. Servers of several versions read it: what
// is defined keeps its meaning, and who meets what is new to him refuses it.
type wireOp struct {
	Op      string         `json:"op"`
	Field   *string        `json:"field,omitzero"`
	Element *string        `json:"element,omitzero"`
	Value   jsontext.Value `json:"value,omitzero"`
}

// EncodeOps returns operations as a JSON array, to be sent to the server that
// owns the profile:
//
//	[{"op":"add","field":"coins","value":-80},
//	 {"op":"put","field":"bag","element":"sword","value":{"damage":5}}]
//
// The error matches document.ErrTooLarge for more than MaxOps or MaxOpsSize, and
// else says which value could not be encoded, and why.
func EncodeOps(ops []Op) ([]byte, error) {
	if err := checkOps(len(ops), 0); err != nil {
		return nil, fmt.Errorf("encode operations: %w", err)
	}
	wires := make([]wireOp, len(ops))
	for i := range ops {
		var err error
		if wires[i], err = ops[i].wire(); err != nil {
			return nil, fmt.Errorf("encode operation %d of %d: %w", i+1, len(ops), err)
		}
	}
	text, err := json.Marshal(wires)
	if err == nil {
		err = checkOps(len(ops), len(text))
	}
	if err != nil {
		return nil, fmt.Errorf("encode operations: %w", err)
	}
	return text, nil
}

// decodeOps reads what EncodeOps wrote and checks all of it. The error matches
// document.ErrInvalid, document.ErrTooDeep or document.ErrTooLarge.
func decodeOps(text []byte) ([]Op, error) {
	if err := checkOps(0, len(text)); err != nil {
		return nil, fmt.Errorf("decode operations: %w", err)
	}
	var wires []wireOp
	if err := json.Unmarshal(text, &wires, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("decode operations: %w: %w", document.ErrInvalid, err)
	}
	if err := checkOps(len(wires), 0); err != nil {
		return nil, fmt.Errorf("decode operations: %w", err)
	}
	ops := make([]Op, len(wires))
	for i := range wires {
		var err error
		if ops[i], err = wires[i].op(); err != nil {
			return nil, fmt.Errorf("decode operation %d of %d: %w", i+1, len(wires), err)
		}
	}
	return ops, nil
}

func checkOps(n, size int) error {
	switch {
	case n > MaxOps:
		return fmt.Errorf("%w: %d operations, at most %d", document.ErrTooLarge, n, MaxOps)
	case size > MaxOpsSize:
		return fmt.Errorf("%w: operations of %d bytes, at most %d", document.ErrTooLarge, size, MaxOpsSize)
	}
	return nil
}

// MarshalJSON returns the operation as a JSON object, as EncodeOps writes it.
func (o Op) MarshalJSON() ([]byte, error) {
	w, err := o.wire()
	if err != nil {
		return nil, fmt.Errorf("encode operation: %w", err)
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads and checks what MarshalJSON wrote.
func (o *Op) UnmarshalJSON(text []byte) error {
	var w wireOp
	err := checkOps(1, len(text))
	if err == nil {
		if err = json.Unmarshal(text, &w, json.RejectUnknownMembers(true)); err != nil {
			err = fmt.Errorf("%w: %w", document.ErrInvalid, err)
		}
	}
	if err == nil {
		*o, err = w.op()
	}
	if err != nil {
		return fmt.Errorf("decode operation: %w", err)
	}
	return nil
}

// String returns the operation as JSON, for logs; or why it has none.
func (o Op) String() string {
	text, err := o.MarshalJSON()
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (o *Op) wire() (wireOp, error) {
	f := forms[o.action]
	w := wireOp{Op: f.name, Value: o.value}
	switch {
	case o.action == opNone:
		return w, fmt.Errorf("%w: an empty operation", document.ErrInvalid)
	case o.err != nil:
		return w, fmt.Errorf("%s %s: %w", f.name, o.path, o.err)
	}
	if f.field {
		w.Field = &o.path.Field
	}
	if f.element {
		w.Element = &o.path.Element
	}
	return w, nil
}

// op returns the operation that is written, if there is one of that form.
func (w *wireOp) op() (Op, error) {
	has := form{w.Op, w.Field != nil, w.Element != nil, w.Value != nil}
	a, ok := actions[has]
	if !ok {
		return Op{}, has.unknown()
	}
	op := Op{action: a}
	if has.field {
		op.path = document.Path{Field: *w.Field, Deep: has.element}
		if has.element {
			op.path.Element = *w.Element
		}
		if err := op.path.Check(); err != nil {
			return Op{}, fmt.Errorf("%s: %w", w.Op, err)
		}
	}
	if has.valued {
		var err error
		if op.value, err = document.Compact(w.Value, &opLimits); err != nil {
			return Op{}, fmt.Errorf("%s %s: %w", w.Op, op.path, err)
		}
	}
	return op, nil
}

// unknown says why a form is that of no operation.
func (f form) unknown() error {
	var takes []string
	for _, known := range forms[opNone+1:] {
		if known.name == f.name {
			takes = append(takes, known.members())
		}
	}
	if takes == nil {
		return fmt.Errorf("%w: no operation is named %.60q", document.ErrInvalid, f.name)
	}
	return fmt.Errorf("%w: operation %q takes %s, not %q", document.ErrInvalid, f.name, strings.Join(takes, " or "), f.members())
}

// decodeSent reads a value that was sent. Unlike one that is stored it may
// have no members that the type does not know: they would be lost without a word.
func decodeSent[T any](value []byte) (v T, err error) {
	_, err = guarded(func() ([]byte, error) {
		return nil, json.Unmarshal(value, &v, encoding, json.RejectUnknownMembers(true))
	})
	return v, err
}
