package profile

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/holdfast-games/holdfast/document"
)

// boxed is what fields have in common whose value is decoded as a whole when
// it is first read, and then kept in the slot.
type boxed[T any] struct {
	field
	kind   string
	parse  func(value []byte) (T, error)                  // of a stored value
	text   func(v *T, l *document.Limits) ([]byte, error) // the stored value
	format func(v *T, l *document.Limits) ([]byte, error) // likewise; refuses what is out of bounds
	sent   func(value []byte) (T, error)                  // of a value that was sent
	fresh  func() T                                       // a default that nobody else has
	same   *any                                           // a default that all may share; nil if it has inner parts
	layout *layout                                        // of a value, or of a list's elements
}

func newBox[T any](v T) *any {
	var held any = &v
	return &held
}

func (f *boxed[T]) load(sl *slot, value []byte) error {
	if value == nil {
		sl.ref.Store(f.same)
		return nil
	}
	if _, err := f.parse(value); err != nil {
		return f.wrongType(f.kind, value, err)
	}
	return nil
}

// value returns what a stored value decodes to, or the default for nil.
func (f *boxed[T]) value(value []byte) T {
	if value == nil {
		return f.fresh()
	}
	v, err := f.parse(value)
	if err != nil {
		return f.fresh() // a value is checked when it is loaded or written
	}
	return v
}

// Get returns the value. Slices, maps and pointers in it are shared: they must
// not be changed. The first Get decodes, others allocate nothing.
func (f *boxed[T]) Get(r Reader) T {
	p := r.begin()
	sl := slotOf(p, &f.field)
	if sl == nil {
		r.end()
		return f.fresh()
	}
	v := f.decoded(r, sl)
	r.end()
	return *v
}

// decoded returns the slot's decoded value, and decodes it if need be. The
// reader has begun.
func (f *boxed[T]) decoded(r Reader, sl *slot) *T {
	box := sl.ref.Load()
	if box == nil {
		value, _ := f.raw(r, f.path)
		box = newBox(f.value(value))
		if !sl.ref.CompareAndSwap(nil, box) {
			box = sl.ref.Load() // another reader was faster
		}
	}
	return (*box).(*T)
}

// JSON returns the value as clients get it: what Get returns, encoded, so that members
// which an older form of the value lacks are there with their defaults.
func (f *boxed[T]) JSON(r Reader) (json.RawMessage, error) {
	v := f.Get(r)
	text, err := f.text(&v, r.Profile().srv.limits())
	if err != nil {
		return nil, fmt.Errorf("encode field %q of %v: %w", f.name, r.Profile().key, err)
	}
	return text, nil
}

// Saved returns the value that was last saved to the player's root.
func (f *boxed[T]) Saved(p *Profile) T { return f.value(p.saved(&f.field, f.path)) }

// Set writes the value. It keeps nothing of v but its encoding. Members of the stored
// value that a struct of the Go type does not know stay.
func (f *boxed[T]) Set(tx *Tx, v T) error {
	i, err := tx.position(&f.field, "")
	if err != nil {
		return err
	}
	return f.write(tx, i, &v)
}

func (f *boxed[T]) write(tx *Tx, i int, v *T) error {
	value, err := f.format(v, tx.p.srv.limits())
	if err != nil {
		return tx.refuse(&f.field, "", err)
	}
	old, _ := tx.documentOf(&f.field).Get(f.path)
	return f.writeText(tx, i, f.layout.carry(old, value))
}

// writeText writes an encoded value, if it can be read back.
func (f *boxed[T]) writeText(tx *Tx, i int, value []byte) error {
	read, err := f.parse(value)
	if err != nil {
		return tx.refuse(&f.field, "", fmt.Errorf("%w: cannot be read back: %w", document.ErrInvalid, err))
	}
	if tx.holds(&f.field, f.path, value) {
		return nil
	}
	tx.touch(i).ref.Store(newBox(read))
	return tx.set(&f.field, f.path, value)
}

// edit calls fn with a copy of the value and writes what it has become.
func (f *boxed[T]) edit(tx *Tx, fn func(*T) error) error {
	i, err := tx.position(&f.field, "")
	if err != nil {
		return err
	}
	value, _ := tx.documentOf(&f.field).Get(f.path)
	v := f.value(value)
	if err := fn(&v); err != nil {
		return tx.refuse(&f.field, "", err)
	}
	return f.write(tx, i, &v)
}

// SetOp is the operation of Set.
func (f *boxed[T]) SetOp(v T) Op { return f.op(opSet, &v) }

// ExpectOp makes the condition that the field reads as a value that is encoded
// as v is.
func (f *boxed[T]) ExpectOp(v T) Op { return f.op(opExpect, &v) }

func (f *boxed[T]) op(a action, v *T) Op {
	text, err := f.text(v, &opLimits)
	return newOp(a, f.path, text, err)
}

func (f *boxed[T]) apply(tx *Tx, op *Op) (json.RawMessage, error) {
	if op.action != opSet && op.action != opExpect {
		return nil, f.applyAny(tx, op, f.kind)
	}
	v, err := f.sent(op.value)
	switch {
	case err != nil:
		return nil, tx.misfit(op, f.kind, err)
	case op.action == opSet:
		return nil, f.Set(tx, v)
	}
	kept := f.Get(tx)
	have, err := f.text(&kept, tx.p.srv.limits())
	want, wantErr := f.text(&v, tx.p.srv.limits())
	return nil, tx.expectSame(op, have, want, firstError(err, wantErr))
}

// OnChange calls fn after each update that changed the value of p. It returns
// a function that ends this.
func (f *boxed[T]) OnChange(p *Profile, fn func(old, new T)) (cancel func()) {
	return f.onChange(p, func(c *Change) { fn(f.value(c.Old), f.value(c.New)) })
}

func (f *boxed[T]) verify(sl *slot, d *document.Document) error {
	box := sl.ref.Load()
	if box == nil {
		return nil
	}
	value, _ := d.Get(f.path)
	v := f.value(value)
	return sameEncoding(&f.field, "", (*box).(*T), &v)
}

// sameEncoding returns ErrChanged unless what is in memory encodes as what was
// stored.
func sameEncoding[T any](f *field, element string, kept, stored *T) error {
	want, err := encode(stored, nil)
	if err != nil {
		return fmt.Errorf("encode field %q again: %w", f.name, err)
	}
	got, err := encode(kept, nil)
	if err != nil || !bytes.Equal(got, want) {
		place := fmt.Sprintf("field %q", f.name)
		if element != "" {
			place += fmt.Sprintf(", element %q", element)
		}
		return fmt.Errorf("%w: %s: have %.200s, stored %.200s", ErrChanged, place, got, want)
	}
	return nil
}
