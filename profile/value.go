package profile

import (
	"fmt"
	"reflect"

	"github.com/holdfast-games/holdfast/document"
)

// ValueField is a field that holds a Go value of any type that can be encoded
// as JSON.
type ValueField[T any] struct {
	boxed[T]
	reconciles bool // a stored value is completed by members of the default
}

// Value declares a field of type T. Each profile gets a default of its own: def
// is encoded once and decoded for each, so the default is what JSON keeps of it.
// If T is a struct, a stored value that lacks some of its members has the
// default's there; a member whose zero is not stored, as it has omitempty, and whose
// default is another is a mistake, as it could not be zero. Of values of other types
// the option Reconcile says the same. Options: Validate[T], Reconcile, Private, Lazy.
func Value[T any](name string, def T, opts ...FieldOption) *ValueField[T] {
	f := &ValueField[T]{boxed: boxed[T]{
		field: newField(name, opts), kind: reflect.TypeFor[T]().String(), text: encode[T], sent: decodeSent[T],
	}}
	f.restrict(checks | deep)
	f.checkReconcile(reflect.TypeFor[T]())
	f.layout = layoutOf(reflect.TypeFor[T]())
	validate := validator[T](&f.field)
	f.format = func(v *T, l *document.Limits) ([]byte, error) {
		return checked(&f.field, 0, *v, validate, func() ([]byte, error) { return encode(v, l) })
	}
	text := f.encodeDefault(def)
	f.fresh = func() T {
		var v T
		if text != nil && decode(text, &v) != nil {
			var zero T // cannot be: it was read back when it was declared
			return zero
		}
		return v
	}
	// What was decoded has no cycles, which def might have.
	decoded := f.fresh()
	over, maps := reflect.TypeFor[T]().Kind() == reflect.Struct, hasMaps(reflect.ValueOf(&decoded).Elem())
	f.parse = func(value []byte) (T, error) { return f.decodeOver(value, over, over && maps) }
	if f.settings.reconcile {
		f.parse = func(value []byte) (T, error) { return f.decodeOver(overDefault(value, text), false, false) }
	}
	f.reconciles = f.settings.reconcile || over && !maps
	if over && f.err == nil {
		f.checkZeros(reflect.ValueOf(&decoded).Elem(), &decoded, "")
	}
	return f
}

// encodeDefault returns the default's encoding, which must be readable.
func (f *ValueField[T]) encodeDefault(def T) []byte {
	text, err := f.format(&def, nil)
	if err == nil {
		var v T
		err = decode(text, &v)
	}
	if err != nil {
		f.fail(fmt.Errorf("%w: default of field %q: %w", ErrSchema, f.name, err))
		return nil
	}
	return text
}

// decodeOver decodes a stored value, over a default or over nothing.
func (f *ValueField[T]) decodeOver(value []byte, over, maps bool) (T, error) {
	var alone T
	if !over || maps {
		if err := decode(value, &alone); err != nil || !over {
			return alone, err
		}
	}
	v := f.fresh()
	if err := decode(value, &v); err != nil {
		return v, err
	}
	if maps {
		takeMaps(reflect.ValueOf(&v).Elem(), reflect.ValueOf(&alone).Elem())
	}
	return v, nil
}

// Edit calls fn with a copy of the value and writes what it has become. An
// error of fn refuses the write. Members of the stored value that a struct of the Go
// type does not know stay.
func (f *ValueField[T]) Edit(tx *Tx, fn func(*T) error) error { return f.edit(tx, fn) }
