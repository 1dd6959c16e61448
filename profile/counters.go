package profile

import (
	"encoding/json"
	"iter"
	"strconv"

	"github.com/holdfast-games/holdfast/document"
)

// CountersField is a field that holds integers under names, each 0 until it is
// written. It is stored as a JSON object. Names are UTF-8 of up to 256 bytes.
type CountersField struct {
	object
	least, most int64
	validate    func(int64) error
}

// Counters declares a field of integers under names. Options: Min, Max and
// Validate[int64] (of each that is written), MaxLen, Private, Lazy.
func Counters(name string, opts ...FieldOption) *CountersField {
	f := &CountersField{object: object{newField(name, opts)}}
	f.restrict(bounds | lengths | checks)
	f.validate = validator[int64](&f.field)
	f.least, f.most = f.wholeBounds()
	return f
}

func (f *CountersField) load(_ *slot, value []byte) error {
	if value == nil {
		return nil
	}
	if !isObject(value) {
		return f.notObject("counters", value)
	}
	var all map[string]int64
	if err := decode(value, &all); err != nil {
		return f.wrongType("counters", value, err)
	}
	return nil
}

func (f *CountersField) verify(*slot, *document.Document) error { return nil }

// count returns the integer of an element, 0 if there is none.
func count(value []byte) int64 {
	if value == nil {
		return 0
	}
	n, err := parseInt(value)
	if err != nil {
		return 0
	}
	return n
}

// Get returns the integer under a name. It allocates nothing.
func (f *CountersField) Get(r Reader, name string) int64 {
	r.begin()
	value, _ := f.raw(r, f.element(name))
	r.end()
	return count(value)
}

// All iterates over names and integers as they are when All is called, in the
// order in which they came.
func (f *CountersField) All(r Reader) iter.Seq2[string, int64] {
	r.begin()
	d := f.openIn(r)
	var names []string
	var counts []int64
	for name, value := range d.Elements(f.name) {
		names, counts = append(names, name), append(counts, count(value))
	}
	f.closeIn(r)
	r.end()
	return func(yield func(string, int64) bool) {
		for i, name := range names {
			if !yield(name, counts[i]) {
				return
			}
		}
	}
}

// Saved returns the integer under a name that was last saved to the player's
// root.
func (f *CountersField) Saved(p *Profile, name string) int64 {
	return count(p.saved(&f.field, f.element(name)))
}

// Set writes the integer under a name.
func (f *CountersField) Set(tx *Tx, name string, n int64) error {
	if _, err := f.writable(tx, name); err != nil {
		return err
	}
	err := checkWhole(n, f.least, f.most)
	if err == nil && f.validate != nil {
		err = f.validate(n)
	}
	if err != nil {
		return tx.refuse(&f.field, name, err)
	}
	value := strconv.AppendInt(nil, n, 10)
	if tx.holds(&f.field, f.element(name), value) {
		return nil
	}
	return tx.set(&f.field, f.element(name), value)
}

// Add adds delta, which may be negative, to the integer under a name. If the
// sum is out of bounds or overflows, the write is refused.
func (f *CountersField) Add(tx *Tx, name string, delta int64) error {
	if _, err := tx.position(&f.field, name); err != nil {
		return err
	}
	value, _ := tx.documentOf(&f.field).Get(f.element(name))
	n, err := sum(count(value), delta)
	if err != nil {
		return tx.refuse(&f.field, name, err)
	}
	return f.Set(tx, name, n)
}

// SetOp is the operation of Set.
func (f *CountersField) SetOp(name string, n int64) Op {
	return wholeOp(opSetElement, f.element(name), n)
}

// AddOp is the operation of Add. Its result is the new integer.
func (f *CountersField) AddOp(name string, delta int64) Op {
	return wholeOp(opAddElement, f.element(name), delta)
}

// ExpectOp makes the condition that the integer under a name is n; one that was
// never written is 0.
func (f *CountersField) ExpectOp(name string, n int64) Op {
	return wholeOp(opExpectElement, f.element(name), n)
}

// ExpectAtLeastOp makes the condition that the integer under a name is n or
// more.
func (f *CountersField) ExpectAtLeastOp(name string, n int64) Op {
	return wholeOp(opExpectElementAtLeast, f.element(name), n)
}

func (f *CountersField) apply(tx *Tx, op *Op) (json.RawMessage, error) {
	switch op.action {
	case opSetElement, opAddElement, opExpectElement, opExpectElementAtLeast:
	default:
		return nil, f.applyElement(tx, op, "counters")
	}
	n, err := parseInt(op.value)
	if err != nil {
		return nil, tx.misfit(op, "counters", err)
	}
	name := op.path.Element
	have := f.Get(tx, name)
	switch op.action {
	case opSetElement:
		return nil, f.Set(tx, name, n)
	case opExpectElement:
		return nil, tx.expect(op, have == n, wholeText(have))
	case opExpectElementAtLeast:
		return nil, tx.expect(op, have >= n, wholeText(have))
	}
	if err := f.Add(tx, name, n); err != nil {
		return nil, err
	}
	return wholeText(f.Get(tx, name)), nil
}

// OnChange calls fn for each integer that an update of p changed. It returns a
// function that ends this.
func (f *CountersField) OnChange(p *Profile, fn func(name string, old, new int64)) (cancel func()) {
	return f.onElements(p, func(name string, old, new []byte) {
		if count(old) != count(new) {
			fn(name, count(old), count(new))
		}
	})
}
