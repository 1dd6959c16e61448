package profile

import (
	"bytes"
	"fmt"
	"reflect"
)

// checkZeros fails the field for each member of its default that is not zero and would
// read as the default's after it was set to zero, because zero is not stored: nobody
// would ever see it become zero. v is a part of whole, which is a default that nobody
// else has, and is left as it was.
func (f *ValueField[T]) checkZeros(v reflect.Value, whole *T, path string) {
	if v.Kind() == reflect.Struct && !marshals(v.Type()) && !unmarshals(v.Type()) {
		for i := range v.NumField() {
			if t := v.Type().Field(i); v.Field(i).CanSet() || t.Anonymous {
				f.checkZeros(v.Field(i), whole, path+"."+t.Name)
			}
		}
		return
	}
	if path == "" || !v.CanSet() || v.IsZero() {
		return
	}
	if v.Kind() == reflect.Pointer {
		f.checkZeros(v.Elem(), whole, path)
	}
	kept := reflect.ValueOf(v.Interface())
	v.SetZero()
	comesBack := f.comesBack(whole)
	v.Set(kept)
	if comesBack {
		f.fail(fmt.Errorf("%w: default of field %q: %s has omitempty and a default other than zero, so it could not be set to zero",
			ErrSchema, f.name, path[1:]))
	}
}

// comesBack reports whether a value is not what is read after it was stored.
func (f *ValueField[T]) comesBack(v *T) bool {
	stored, err := encode(v, nil)
	if err != nil {
		return false // a zero that the type cannot have
	}
	read, err := f.parse(stored)
	if err != nil {
		return false
	}
	again, err := encode(&read, nil)
	return err == nil && !bytes.Equal(again, stored)
}
