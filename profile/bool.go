package profile

import (
	"encoding/json"
	"errors"
	"strconv"

	"github.com/holdfast-games/holdfast/document"
)

// errNotBool is the reason why a value of another kind is neither true nor
// false.
var errNotBool = errors.New("not a JSON boolean")

// BoolField is a field that holds true or false.
type BoolField struct {
	field
	def bool
}

// Bool declares a field of true or false. Options: Private, Lazy.
func Bool(name string, def bool, opts ...FieldOption) *BoolField {
	f := &BoolField{field: newField(name, opts), def: def}
	f.restrict(0)
	return f
}

func (f *BoolField) load(sl *slot, value []byte) error {
	b, ok := f.parse(value)
	if !ok {
		return f.wrongType("bool", value, nil)
	}
	sl.n = 0
	if b {
		sl.n = 1
	}
	return nil
}

func (f *BoolField) parse(value []byte) (b, ok bool) {
	if value == nil {
		return f.def, true
	}
	text := string(value)
	return text == "true", text == "true" || text == "false"
}

func (f *BoolField) verify(*slot, *document.Document) error { return nil }

// Get returns the value. It allocates nothing.
func (f *BoolField) Get(r Reader) bool {
	p := r.begin()
	b := f.def
	if sl := slotOf(p, &f.field); sl != nil {
		b = sl.n != 0
	}
	r.end()
	return b
}

// JSON returns the value as clients get it.
func (f *BoolField) JSON(r Reader) (json.RawMessage, error) { return boolText(f.Get(r)), nil }

// Saved returns the value that was last saved to the player's root.
func (f *BoolField) Saved(p *Profile) bool {
	if b, ok := f.parse(p.saved(&f.field, f.path)); ok {
		return b
	}
	return f.def
}

// Set writes the value.
func (f *BoolField) Set(tx *Tx, b bool) error {
	i, err := tx.position(&f.field, "")
	if err != nil {
		return err
	}
	n, value := int64(0), []byte("false")
	if b {
		n, value = 1, []byte("true")
	}
	if tx.p.slots[i].n == n && tx.holds(&f.field, f.path, value) {
		return nil
	}
	tx.touch(i).n = n
	return tx.set(&f.field, f.path, value)
}

// SetOp is the operation of Set.
func (f *BoolField) SetOp(b bool) Op { return newOp(opSet, f.path, boolText(b), nil) }

// ExpectOp makes the condition that the field reads as b.
func (f *BoolField) ExpectOp(b bool) Op { return newOp(opExpect, f.path, boolText(b), nil) }

func boolText(b bool) []byte { return strconv.AppendBool(nil, b) }

func (f *BoolField) apply(tx *Tx, op *Op) (json.RawMessage, error) {
	if op.action != opSet && op.action != opExpect {
		return nil, f.applyAny(tx, op, "bool")
	}
	b, ok := f.parse(op.value)
	switch {
	case !ok:
		return nil, tx.misfit(op, "bool", errNotBool)
	case op.action == opSet:
		return nil, f.Set(tx, b)
	}
	have := f.Get(tx)
	return nil, tx.expect(op, have == b, boolText(have))
}

// OnChange calls fn after each update that changed the value of p. It returns
// a function that ends this.
func (f *BoolField) OnChange(p *Profile, fn func(old, new bool)) (cancel func()) {
	return f.onChange(p, func(c *Change) {
		before, _ := f.parse(c.Old)
		after, _ := f.parse(c.New)
		if before != after {
			fn(before, after)
		}
	})
}
