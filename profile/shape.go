package profile

import (
	stdjson "encoding/json"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/holdfast-games/holdfast/document"
)

// A shape is what is known of a value, or of a collection's elements, without its
// Go type: the kind of JSON that the type is stored as. Null fits every shape, as
// package encoding/json reads it into every type.
const (
	shapeAny    = "any"
	shapeObject = "object"
	shapeArray  = "array"
	shapeString = "string"
	shapeNumber = "number"
	shapeInt    = "int"
	shapeBool   = "bool"
)

var shapes = []string{shapeAny, shapeObject, shapeArray, shapeString, shapeNumber, shapeInt, shapeBool}

// shapeOf returns the shape of a Go type.
func shapeOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[stdjson.Number]():
		return shapeNumber
	case marshals(t):
		return shapeAny
	case t.Implements(reflect.TypeFor[interface{ MarshalText() ([]byte, error) }]()):
		return shapeString
	}
	switch t.Kind() {
	case reflect.Pointer:
		return shapeOf(t.Elem())
	case reflect.Struct, reflect.Map:
		return shapeObject
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return shapeAny // text or numbers, as the type has it
		}
		return shapeArray
	case reflect.String:
		return shapeString
	case reflect.Bool:
		return shapeBool
	case reflect.Float32, reflect.Float64:
		return shapeNumber
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return shapeInt
	}
	return shapeAny
}

// marshals reports whether a type encodes itself, so that only it knows as what.
func marshals(t reflect.Type) bool {
	for _, own := range []reflect.Type{reflect.TypeFor[stdjson.Marshaler](), reflect.TypeFor[json.MarshalerTo]()} {
		if t.Implements(own) || t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(own) {
			return true
		}
	}
	return false
}

// fits returns an error if a value is not of the shape that the field declares.
func (f *field) fits(value []byte) error {
	want := f.settings.shape
	if want == "" || want == shapeAny || len(value) == 0 || value[0] == 'n' {
		return nil
	}
	got := shapeNumber
	switch value[0] {
	case '{':
		got = shapeObject
	case '[':
		got = shapeArray
	case '"':
		got = shapeString
	case 't', 'f':
		got = shapeBool
	}
	if got == shapeNumber && want == shapeInt && !strings.ContainsAny(string(value), ".eE") {
		got = shapeInt
	}
	if got != want {
		return fmt.Errorf("%w: a JSON %s, want %s", document.ErrInvalid, got, want)
	}
	return nil
}

// fitElements returns an error if an element of a stored object is not of the shape
// that the field declares.
func (f *field) fitElements(kind string, value []byte) error {
	if f.settings.shape == "" {
		return nil
	}
	var all map[string]stdjson.RawMessage
	if err := decode(value, &all); err != nil {
		return f.wrongType(kind, value, err)
	}
	for name, element := range all {
		if err := f.fits(element); err != nil {
			return f.wrongType(kind, value, fmt.Errorf("element %q: %w", name, err))
		}
	}
	return nil
}

// fitItems is fitElements for the items of a list.
func (f *field) fitItems(items iter.Seq2[int, stdjson.RawMessage]) error {
	for i, item := range items {
		if err := f.fits(item); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}

// withShape declares the shape of a field without a Go type.
func withShape(shape string) FieldOption { return func(s *settings) { s.shape = shape } }

// generic returns a field that holds JSON of the declared shapes, whose Go type is
// json.RawMessage. It keeps every digit of a number.
func generic(kind, name string, def stdjson.RawMessage, opts []FieldOption) Field {
	switch kind {
	case kindMap:
		return Map[stdjson.RawMessage](name, opts...)
	case kindList:
		f := List[stdjson.RawMessage](name, opts...)
		parse := f.parse
		f.parse = func(value []byte) ([]stdjson.RawMessage, error) {
			vs, err := parse(value)
			if err == nil {
				err = f.fitItems(slices.All(vs))
			}
			return vs, err
		}
		return f
	}
	f := Value(name, def, opts...)
	parse := f.parse
	f.parse = func(value []byte) (stdjson.RawMessage, error) {
		if err := f.fits(value); err != nil {
			return nil, err
		}
		return parse(value)
	}
	if err := f.fits(def); err != nil {
		f.fail(fmt.Errorf("%w: default of field %q: %w", ErrSchema, name, err))
	}
	return f
}
