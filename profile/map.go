package profile

import (
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"sync"

	"github.com/holdfast-games/holdfast/document"
)

// MapField is a field that holds values under names, as a JSON object. Each
// element is read, written, journalled and sent by itself, whatever the number
// of the others. Names are UTF-8 of up to 256 bytes.
type MapField[T any] struct {
	object
	validate func(T) error
	layout   *layout // of an element
}

// Map declares a field of values under names, empty at first. Options: MaxLen,
// Validate[T] (of each element that is written), Private, Lazy.
func Map[T any](name string, opts ...FieldOption) *MapField[T] {
	f := &MapField[T]{object: object{newField(name, opts)}, layout: layoutOf(reflect.TypeFor[T]())}
	f.restrict(lengths | checks)
	f.validate = validator[T](&f.field)
	return f
}

// elements are the elements of one profile's field that have been decoded.
type elements[T any] struct {
	mu sync.Mutex // guards m against other readers
	m  map[string]T
}

func (e *elements[T]) get(name string) (v T, ok bool) {
	e.mu.Lock()
	v, ok = e.m[name]
	e.mu.Unlock()
	return v, ok
}

func (e *elements[T]) put(name string, v T) {
	e.mu.Lock()
	if e.m == nil {
		e.m = make(map[string]T)
	}
	e.m[name] = v
	e.mu.Unlock()
}

func (e *elements[T]) forget(name string) {
	e.mu.Lock()
	delete(e.m, name)
	e.mu.Unlock()
}

// decodedOf returns a slot's decoded elements.
func decodedOf[T any](sl *slot) *elements[T] {
	if held := sl.ref.Load(); held != nil {
		return (*held).(*elements[T])
	}
	var held any = &elements[T]{}
	if !sl.ref.CompareAndSwap(nil, &held) {
		return (*sl.ref.Load()).(*elements[T]) // another reader was faster
	}
	return held.(*elements[T])
}

func (f *MapField[T]) load(_ *slot, value []byte) error {
	if value == nil {
		return nil
	}
	if !isObject(value) {
		return f.notObject("map", value)
	}
	var all map[string]T
	if err := decode(value, &all); err != nil {
		return f.wrongType("map", value, err)
	}
	return f.fitElements("map", value)
}

// parse decodes an element, which was checked when it was loaded or written.
func (f *MapField[T]) parse(value []byte) (v T) {
	if err := decode(value, &v); err != nil {
		var zero T
		return zero
	}
	return v
}

// Get returns the value under a name, and false if there is none. Slices, maps
// and pointers in it are shared: they must not be changed. Only the first Get of
// an element decodes it.
func (f *MapField[T]) Get(r Reader, name string) (v T, ok bool) {
	p := r.begin()
	defer r.end()
	sl := slotOf(p, &f.field)
	if sl == nil {
		return v, false
	}
	kept := decodedOf[T](sl)
	if v, ok = kept.get(name); ok {
		return v, true
	}
	value, ok := f.raw(r, f.element(name))
	if !ok {
		return v, false
	}
	v = f.parse(value)
	kept.put(name, v)
	return v, true
}

// All iterates over names and values as they are when All is called, in the
// order in which they came. It decodes all elements. The loop may change the
// profile.
func (f *MapField[T]) All(r Reader) iter.Seq2[string, T] {
	names, values := f.all(r)
	return func(yield func(string, T) bool) {
		for i, name := range names {
			if !yield(name, values[i]) {
				return
			}
		}
	}
}

func (f *MapField[T]) all(r Reader) (names []string, values []T) {
	p := r.begin()
	defer r.end()
	sl := slotOf(p, &f.field)
	if sl == nil {
		return nil, nil
	}
	kept := decodedOf[T](sl)
	d := f.openIn(r)
	defer f.closeIn(r)
	for name, value := range d.Elements(f.name) {
		v, ok := kept.get(name)
		if !ok {
			v = f.parse(value)
			kept.put(name, v)
		}
		names, values = append(names, name), append(values, v)
	}
	return names, values
}

// Saved returns the value under a name that was last saved to the player's
// root, and false if there was none.
func (f *MapField[T]) Saved(p *Profile, name string) (v T, ok bool) {
	value := p.saved(&f.field, f.element(name))
	if value == nil {
		return v, false
	}
	return f.parse(value), true
}

// Put writes a value under a name, whether there is one or not. It keeps
// nothing of v but its encoding. Members of the stored value that a struct of the Go
// type does not know stay; to be rid of them, delete the element first.
func (f *MapField[T]) Put(tx *Tx, name string, v T) error {
	i, err := f.writable(tx, name)
	if err != nil {
		return err
	}
	if f.validate != nil {
		if err := f.validate(v); err != nil {
			return tx.refuse(&f.field, name, err)
		}
	}
	value, err := encode(&v, tx.p.srv.limits())
	if err != nil {
		return tx.refuse(&f.field, name, err)
	}
	if err := f.fits(value); err != nil {
		return tx.refuse(&f.field, name, err)
	}
	path := f.element(name)
	old, _ := tx.documentOf(&f.field).Get(path)
	value = f.layout.carry(old, value)
	var read T
	if err := decode(value, &read); err != nil {
		return tx.refuse(&f.field, name, fmt.Errorf("%w: cannot be read back: %w", document.ErrInvalid, err))
	}
	if tx.holds(&f.field, path, value) {
		return nil
	}
	sl := tx.touchElements(i)
	if err := tx.set(&f.field, path, value); err != nil {
		return err
	}
	if sl.ref.Load() != nil {
		decodedOf[T](sl).put(name, read)
	}
	return nil
}

// Edit calls fn with a copy of the value under a name and writes what it has
// become. If there is none, the write is refused with ErrMissing; an error of fn
// refuses it too. It costs what the element costs, whatever the number of the
// others.
func (f *MapField[T]) Edit(tx *Tx, name string, fn func(*T) error) error {
	if _, err := tx.position(&f.field, name); err != nil {
		return err
	}
	value, ok := tx.documentOf(&f.field).Get(f.element(name))
	if !ok {
		return tx.refuse(&f.field, name, ErrMissing)
	}
	v := f.parse(value)
	if err := fn(&v); err != nil {
		return tx.refuse(&f.field, name, err)
	}
	return f.Put(tx, name, v)
}

// PutOp is the operation of Put.
func (f *MapField[T]) PutOp(name string, v T) Op { return f.op(opPut, name, &v) }

// ExpectOp makes the condition that there is an element of a name whose value
// is encoded as v is.
func (f *MapField[T]) ExpectOp(name string, v T) Op { return f.op(opExpectElement, name, &v) }

func (f *MapField[T]) op(a action, name string, v *T) Op {
	value, err := encode(v, &opLimits)
	return newOp(a, f.element(name), value, err)
}

func (f *MapField[T]) apply(tx *Tx, op *Op) (json.RawMessage, error) {
	if op.action != opPut && op.action != opExpectElement {
		return nil, f.applyElement(tx, op, "map")
	}
	v, err := decodeSent[T](op.value)
	switch {
	case err != nil:
		return nil, tx.misfit(op, "map", err)
	case op.action == opPut:
		return nil, f.Put(tx, op.path.Element, v)
	}
	kept, ok := f.Get(tx, op.path.Element)
	if !ok {
		return nil, tx.expect(op, false, nil)
	}
	have, err := encode(&kept, tx.p.srv.limits())
	want, wantErr := encode(&v, tx.p.srv.limits())
	return nil, tx.expectSame(op, have, want, firstError(err, wantErr))
}

// OnChange calls fn for each element that an update of p changed, with its
// values before and after, nil if there was or is none. It returns a function
// that ends this.
func (f *MapField[T]) OnChange(p *Profile, fn func(name string, old, new *T)) (cancel func()) {
	return f.onElements(p, func(name string, old, new []byte) { fn(name, f.pointer(old), f.pointer(new)) })
}

func (f *MapField[T]) pointer(value []byte) *T {
	if value == nil {
		return nil
	}
	v := f.parse(value)
	return &v
}

func (f *MapField[T]) verify(sl *slot, d *document.Document) error {
	if sl.ref.Load() == nil {
		return nil
	}
	kept := decodedOf[T](sl)
	kept.mu.Lock()
	defer kept.mu.Unlock()
	for name, v := range kept.m {
		value, ok := d.Get(f.element(name))
		if !ok {
			return fmt.Errorf("%w: field %q, element %q is not stored", ErrChanged, f.name, name)
		}
		stored := f.parse(value)
		if err := sameEncoding(&f.field, name, &v, &stored); err != nil {
			return err
		}
	}
	return nil
}
