package profile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"github.com/holdfast-games/holdfast/document"
)

// object is what fields have in common that are stored as a JSON object, with
// an element for each of its members.
type object struct{ field }

func isObject(value []byte) bool { return len(value) > 0 && value[0] == '{' }

// Len returns the number of elements.
func (f *object) Len(r Reader) int {
	r.begin()
	n := f.openIn(r).ElementCount(f.name)
	f.closeIn(r)
	r.end()
	return n
}

// JSON returns all elements, as clients get them: a JSON object.
func (f *object) JSON(r Reader) (json.RawMessage, error) {
	r.begin()
	defer r.end()
	if value, ok := f.raw(r, f.path); ok {
		return value, nil
	}
	return json.RawMessage("{}"), nil
}

// Has reports whether there is an element of a name. It allocates nothing.
func (f *object) Has(r Reader, name string) bool {
	r.begin()
	ok := f.openIn(r).Has(f.element(name))
	f.closeIn(r)
	r.end()
	return ok
}

// Keys iterates over the names of the elements as they are when Keys is
// called, in the order in which they came.
func (f *object) Keys(r Reader) iter.Seq[string] {
	r.begin()
	d := f.openIn(r)
	keys := make([]string, 0, d.ElementCount(f.name))
	for name := range d.Elements(f.name) {
		keys = append(keys, name)
	}
	f.closeIn(r)
	r.end()
	return slices.Values(keys)
}

// Delete removes an element. If there is none, nothing happens.
func (f *object) Delete(tx *Tx, name string) error {
	i, err := tx.position(&f.field, name)
	if err != nil {
		return err
	}
	if !tx.documentOf(&f.field).Has(f.element(name)) {
		return nil
	}
	if kept := tx.touchElements(i).ref.Load(); kept != nil {
		(*kept).(forgetter).forget(name)
	}
	return tx.delete(&f.field, f.element(name))
}

// DeleteOp is the operation of Delete.
func (f *object) DeleteOp(name string) Op { return newOp(opDelete, f.element(name), nil, nil) }

// ExpectPresentOp makes the condition that there is an element of a name.
func (f *object) ExpectPresentOp(name string) Op {
	return newOp(opExpectPresent, f.element(name), nil, nil)
}

// ExpectAbsentOp makes the condition that there is no element of a name.
func (f *object) ExpectAbsentOp(name string) Op {
	return newOp(opExpectAbsent, f.element(name), nil, nil)
}

// applyElement applies what operations fields with elements have in common.
func (f *object) applyElement(tx *Tx, op *Op, kind string) error {
	switch op.action {
	case opDelete:
		return f.Delete(tx, op.path.Element)
	case opExpectPresent:
		return tx.expect(op, f.Has(tx, op.path.Element), nil)
	case opExpectAbsent:
		value, there := f.raw(tx, op.path)
		return tx.expect(op, !there, value)
	}
	return f.applyAny(tx, op, kind)
}

// forgetter is a slot's decoded elements, of any type.
type forgetter interface{ forget(name string) }

// Clear removes all elements.
func (f *object) Clear(tx *Tx) error { return f.Reset(tx) }

// writable returns the position of the field, and refuses a new element when
// there are as many as MaxLen allows.
func (f *object) writable(tx *Tx, name string) (int, error) {
	i, err := tx.position(&f.field, name)
	if err != nil || f.settings.maxLen == nil {
		return i, err
	}
	d := tx.documentOf(&f.field)
	if d.Has(f.element(name)) {
		return i, nil
	}
	if err := f.checkLen(d.ElementCount(f.name) + 1); err != nil {
		return i, tx.refuse(&f.field, name, err)
	}
	return i, nil
}

// onElements calls fn for each element that an update changed, with its stored
// values before and after, nil if there was or is none. A change of the whole
// field is told element by element.
func (f *object) onElements(p *Profile, fn func(name string, old, new []byte)) (cancel func()) {
	return f.onChange(p, func(c *Change) {
		if c.Path.Deep {
			fn(c.Path.Element, c.Old, c.New)
			return
		}
		before, after := members(c.Old), members(c.New)
		for name, old := range before.Elements(membersField) {
			if now, ok := after.Get(document.Element(membersField, name)); !ok {
				fn(name, old, nil)
			} else if !bytes.Equal(old, now) {
				fn(name, old, now)
			}
		}
		for name, now := range after.Elements(membersField) {
			if _, ok := before.Get(document.Element(membersField, name)); !ok {
				fn(name, nil, now)
			}
		}
	})
}

const membersField = "m"

// members returns a document whose only field is the stored value.
func members(value []byte) *document.Document {
	d := new(document.Document)
	if value != nil {
		// It was part of a document, so it fits into one.
		_, _ = d.Set(document.Field(membersField), value)
	}
	return d
}

func (f *object) notObject(kind string, value []byte) error {
	return f.wrongType(kind, value, fmt.Errorf("not a JSON object"))
}
