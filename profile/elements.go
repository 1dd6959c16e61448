package profile

import (
	"encoding/json"
	"fmt"
	"iter"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
)

// ElementsField is a field of values under names, for a layer above this package
// that has a form and rules of its own for them, as package inventory does. It
// stores what it is given and decodes nothing; each element is read, written,
// journalled and sent by itself, as those of a Map are. A layer's own field embeds
// the Field and keeps the rest to itself.
type ElementsField struct {
	object
	form ElementsForm
}

// ElementsForm is what a layer says of its field.
type ElementsForm struct {
	// Kind names the kind of the field to people.
	Kind string
	// Check returns an error for a stored element that is not of the layer's form.
	// The profile's load then fails as with any value of another type. Name and value
	// are shared and must not be changed. Nil checks nothing.
	Check func(name, value []byte) error
	// Do makes an operation that DoOp has made, in an update, and returns its
	// result, or nil. An error refuses the write. Nil refuses all.
	Do func(tx *Tx, value json.RawMessage) (json.RawMessage, error)
	// Mistake is nil, or what is wrong with the layer's declaration. The schema
	// reports it.
	Mistake error
}

// Elements declares a field of a layer's values under names, empty at first.
// Options: Private. Lazy and Volatile are refused: values that move between two fields, of which
// only one is journalled, would be in both or in none after a crash.
func Elements(name string, form *ElementsForm, opts ...FieldOption) *ElementsField {
	f := &ElementsField{object: object{newField(name, opts)}, form: *form}
	f.field.elements = f
	f.restrict(0)
	if f.Lazy() || f.Volatile() {
		f.fail(fmt.Errorf("%w: field %q: a field of kind %s cannot be Lazy or Volatile", ErrSchema, name, form.Kind))
	}
	if form.Mistake != nil {
		f.fail(fmt.Errorf("%w: field %q: %w", ErrSchema, name, form.Mistake))
	}
	return f
}

func (f *ElementsField) load(_ *slot, value []byte) error {
	if value == nil {
		return nil
	}
	if !isObject(value) {
		return f.notObject(f.form.Kind, value)
	}
	for name, element := range document.Members(value) {
		if err := f.check([]byte(name), element); err != nil {
			return err
		}
	}
	return nil
}

// loadFrom is load of the document's value, which is an object: its elements are told
// apart once, for the check and for whatever is done with them later.
func (f *ElementsField) loadFrom(d *document.Document) error {
	for name, element := range d.RawElements(f.name) {
		if err := f.check(name, element); err != nil {
			return err
		}
	}
	return nil
}

func (f *ElementsField) check(name, element []byte) error {
	if f.form.Check == nil {
		return nil
	}
	if err := f.form.Check(name, element); err != nil {
		return f.wrongType(f.form.Kind, element, fmt.Errorf("element %q: %w", name, err))
	}
	return nil
}

func (f *ElementsField) verify(*slot, *document.Document) error { return nil }

// Get returns the stored value under a name, and false if there is none. It is
// shared and must not be changed.
func (f *ElementsField) Get(r Reader, name string) (json.RawMessage, bool) {
	r.begin()
	value, ok := f.raw(r, f.element(name))
	r.end()
	return value, ok
}

// All iterates over names and stored values as they are when All is called, in the
// order in which they came. The loop may change the profile.
func (f *ElementsField) All(r Reader) iter.Seq2[string, json.RawMessage] {
	r.begin()
	d := f.openIn(r)
	all := make([]document.Member, 0, d.ElementCount(f.name))
	for name, value := range d.Elements(f.name) {
		all = append(all, document.Member{Name: name, Value: value})
	}
	f.closeIn(r)
	r.end()
	return func(yield func(string, json.RawMessage) bool) {
		for _, m := range all {
			if !yield(m.Name, m.Value) {
				return
			}
		}
	}
}

// AppendFamily appends to dst the elements that belong to a name, as
// document.Document.AppendFamily does, and returns the extended slice.
func (f *ElementsField) AppendFamily(dst []document.Member, r Reader, name string, sep byte) []document.Member {
	r.begin()
	dst = f.openIn(r).AppendFamily(dst, f.name, name, sep)
	f.closeIn(r)
	r.end()
	return dst
}

// Put writes a value under a name, whether there is one or not. The value must be
// compact JSON, as document.Compact returns it, and is copied.
func (f *ElementsField) Put(tx *Tx, name string, value []byte) error {
	if _, err := tx.position(&f.field, name); err != nil {
		return err
	}
	if tx.holds(&f.field, f.element(name), value) {
		return nil
	}
	return tx.set(&f.field, f.element(name), value)
}

// Refuse fails the update because of what was asked of an element, or of the field
// if name is empty, and returns the error that it fails with: a *RefusedError.
func (f *ElementsField) Refuse(tx *Tx, name string, reason error) error {
	if _, err := tx.position(&f.field, name); err != nil {
		return err
	}
	return tx.refuse(&f.field, name, reason)
}

// DoOp makes an operation that the layer defines: the Do of the server that applies
// it gets the value, as JSON.
func (f *ElementsField) DoOp(value any) Op {
	text, err := encode(&value, &opLimits)
	return newOp(opDo, f.path, text, err)
}

func (f *ElementsField) apply(tx *Tx, op *Op) (json.RawMessage, error) {
	if op.action != opDo || f.form.Do == nil {
		return nil, f.applyElement(tx, op, f.form.Kind)
	}
	result, err := f.form.Do(tx, op.value)
	if err != nil {
		return nil, f.Refuse(tx, "", err)
	}
	return result, nil
}

// OnChange calls fn for each element that an update of p changed, with its stored
// values before and after, nil if there was or is none. It returns a function that
// ends this.
func (f *ElementsField) OnChange(p *Profile, fn func(name string, old, new []byte)) (cancel func()) {
	return f.onElements(p, fn)
}

// NewID returns a new id, unique in the world and ordered by time, for something
// that an update makes. It is an error only if the source of randomness fails.
func (tx *Tx) NewID() (driver.Version, error) { return tx.p.srv.ss.DB().NewVersion() }
