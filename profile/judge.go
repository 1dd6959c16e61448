package profile

import (
	"fmt"

	"github.com/holdfast-games/holdfast/document"
)

// judge is a field that can say whether it would write a value that is stored. Its
// load has accepted the value.
type judge interface {
	judge(value []byte, l *document.Limits) error
}

func (f *IntField) judge(value []byte, _ *document.Limits) error {
	n, err := f.parse(value)
	if err != nil {
		return err
	}
	return f.check(n)
}

func (f *FloatField) judge(value []byte, _ *document.Limits) error {
	x, err := f.parse(value)
	if err != nil {
		return err
	}
	return f.check(x)
}

func (f *boxed[T]) judge(value []byte, l *document.Limits) error {
	v, err := f.parse(value)
	if err == nil {
		_, err = f.format(&v, l)
	}
	return err
}

func (f *object) judge(value []byte, l *document.Limits) error {
	return f.checkLen(elementsOf(value, l).ElementCount(membersField))
}

// elementsOf is members for a stored value under other limits than the default.
func elementsOf(value []byte, l *document.Limits) *document.Document {
	d, err := document.Parse([]byte("{}"), l)
	if err == nil {
		_, err = d.Set(document.Field(membersField), value)
	}
	if err != nil {
		return new(document.Document) // limits so tight that not even what is stored fits
	}
	return d
}

func (f *SetField) judge(value []byte, l *document.Limits) error {
	if err := f.object.judge(value, l); err != nil || f.validate == nil {
		return err
	}
	for name := range elementsOf(value, l).Elements(membersField) {
		if err := f.validate(name); err != nil {
			return fmt.Errorf("element %q: %w", name, err)
		}
	}
	return nil
}

func (f *MapField[T]) judge(value []byte, l *document.Limits) error {
	if err := f.object.judge(value, l); err != nil || f.validate == nil {
		return err
	}
	for name, element := range elementsOf(value, l).Elements(membersField) {
		if err := f.validate(f.parse(element)); err != nil {
			return fmt.Errorf("element %q: %w", name, err)
		}
	}
	return nil
}

func (f *CountersField) judge(value []byte, l *document.Limits) error {
	if err := f.object.judge(value, l); err != nil {
		return err
	}
	for name, element := range elementsOf(value, l).Elements(membersField) {
		n := count(element)
		err := checkWhole(n, f.least, f.most)
		if err == nil && f.validate != nil {
			err = f.validate(n)
		}
		if err != nil {
			return fmt.Errorf("element %q: %w", name, err)
		}
	}
	return nil
}

// judged is what a field says of a stored value; a check of the game's that panics
// is an error too.
func judged(f Field, value []byte, l *document.Limits) error {
	j, ok := f.(judge)
	if !ok {
		return nil
	}
	_, err := guarded(func() ([]byte, error) { return nil, j.judge(value, l) })
	return err
}
