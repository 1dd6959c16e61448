package profile

import (
	"encoding/json"

	"github.com/holdfast-games/holdfast/document"
)

// SetField is a field that holds a set of texts, stored as a JSON object whose
// members are true. Each is UTF-8 of up to 256 bytes.
type SetField struct {
	object
	validate func(string) error
}

// Set declares a field of a set, empty at first. Options: MaxLen,
// Validate[string] (of each text that is added), Private, Lazy.
func Set(name string, opts ...FieldOption) *SetField {
	f := &SetField{object: object{newField(name, opts)}}
	f.restrict(lengths | checks)
	f.validate = validator[string](&f.field)
	return f
}

func (f *SetField) load(_ *slot, value []byte) error {
	if value != nil && !isObject(value) {
		return f.notObject("set", value)
	}
	return nil
}

func (f *SetField) verify(*slot, *document.Document) error { return nil }

// Add adds a text. If it is there, nothing happens.
func (f *SetField) Add(tx *Tx, text string) error {
	if _, err := f.writable(tx, text); err != nil {
		return err
	}
	if f.validate != nil {
		if err := f.validate(text); err != nil {
			return tx.refuse(&f.field, text, err)
		}
	}
	path := f.element(text)
	if tx.documentOf(&f.field).Has(path) {
		return nil
	}
	return tx.set(&f.field, path, []byte("true"))
}

// AddOp is the operation of Add. DeleteOp, ExpectPresentOp and ExpectAbsentOp
// are the others of a set.
func (f *SetField) AddOp(text string) Op { return newOp(opAddMember, f.element(text), nil, nil) }

func (f *SetField) apply(tx *Tx, op *Op) (json.RawMessage, error) {
	if op.action != opAddMember {
		return nil, f.applyElement(tx, op, "set")
	}
	return nil, f.Add(tx, op.path.Element)
}

// Saved reports whether a text was in the set that was last saved to the
// player's root.
func (f *SetField) Saved(p *Profile, text string) bool {
	return p.saved(&f.field, f.element(text)) != nil
}

// OnChange calls fn for each text that an update of p added or removed. It
// returns a function that ends this.
func (f *SetField) OnChange(p *Profile, fn func(text string, added bool)) (cancel func()) {
	return f.onElements(p, func(text string, old, new []byte) {
		if (old == nil) != (new == nil) {
			fn(text, new != nil)
		}
	})
}
