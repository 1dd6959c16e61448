package profile

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/holdfast-games/holdfast/document"
)

// ComputedField is a field whose value follows from other fields. It is read like
// any field and is never stored: nothing can write it.
type ComputedField[T any] struct {
	field
	fn func(Reader) T
}

// Computed declares a field that fn computes from other fields, the dependencies,
// of which there is at least one; a schema with the field must have them all. They
// may be of any kind, Computed and Volatile included, but must have been declared
// before: so no field can depend on itself.
//
// Fn must be quick, have no effects, and depend on nothing but what it reads of its
// dependencies through the Reader: what it returns is kept for the profile until one
// of them is written, and shared by all readers, so that a slice, map or pointer in
// it must not be changed. Only if a [PlayTime] is among the dependencies, whose value
// changes by itself, fn is called for each Get. Fn runs while the profile is locked
// for reading, or inside of an update that reads the field, and several goroutines
// may call it at a time. If it panics, the field reads as the zero value, and the log
// says so once per field.
//
// The field is shown to clients, unless Profile.SetPrivate hides it, also when it
// depends on private ones.
func Computed[T any](name string, fn func(r Reader) T, deps ...Field) *ComputedField[T] {
	f := &ComputedField[T]{newField(name, nil), fn}
	f.settings.computed = true
	if fn == nil {
		f.fail(fmt.Errorf("%w: field %q: there is no function to compute it", ErrSchema, name))
	}
	f.dependOn(deps)
	return f
}

// dependOn notes what a computed field depends on.
func (f *field) dependOn(deps []Field) {
	if len(deps) == 0 {
		f.fail(fmt.Errorf("%w: field %q is computed of no other field", ErrSchema, f.name))
	}
	for _, d := range deps {
		if d == nil {
			f.fail(fmt.Errorf("%w: field %q depends on a field that is nil", ErrSchema, f.name))
			continue
		}
		c := d.common()
		f.deps = append(f.deps, d)
		f.settings.ticks = f.settings.ticks || c.settings.grows || c.settings.ticks
	}
}

// Dependencies returns the fields that the value depends on, as they were declared.
func (f *ComputedField[T]) Dependencies() []Field { return slices.Clone(f.deps) }

// sources returns the fields that can be written and on which the field depends,
// directly or by others.
func (f *field) sources() map[*field]bool {
	all := make(map[*field]bool)
	for _, d := range f.deps {
		c := d.common()
		if !c.settings.computed {
			all[c] = true
		}
		for s := range c.sources() {
			all[s] = true
		}
	}
	return all
}

// derive notes which computed fields a write to each field makes anew, and finds
// dependencies that the schema lacks.
func (s *Schema) derive() (errs []error) {
	for i, f := range s.fields {
		c := f.common()
		for _, d := range c.deps {
			if s.position(d.common()) < 0 {
				errs = append(errs, fmt.Errorf("field %q depends on %q, which is not among the fields", c.name, d.Name()))
			}
		}
		if !c.settings.computed || c.settings.ticks {
			continue
		}
		if s.derived == nil {
			s.derived = make([][]int, len(s.fields))
		}
		for source := range c.sources() {
			if at := s.position(source); at >= 0 {
				s.derived[at] = append(s.derived[at], i)
			}
		}
	}
	return errs
}

// stale forgets what was computed of a field that has been written. The profile is
// locked for an update, and its schema has computed fields.
func (p *Profile) stale(f *field) {
	if at := p.schema.position(f); at >= 0 {
		for _, i := range p.schema.derived[at] {
			p.slots[i].ref.Store(nil)
		}
	}
}

// staleAll forgets all that was computed, likewise.
func (p *Profile) staleAll() {
	for _, is := range p.schema.derived {
		for _, i := range is {
			p.slots[i].ref.Store(nil)
		}
	}
}

func (f *ComputedField[T]) load(*slot, []byte) error               { return nil }
func (f *ComputedField[T]) verify(*slot, *document.Document) error { return nil }

// refuseWrite fails an update that writes the field.
func (f *ComputedField[T]) refuseWrite(tx *Tx) (err error) {
	if _, err = tx.position(&f.field, ""); err == nil {
		err = tx.refuse(&f.field, "", ErrComputed)
	}
	return err
}

// IsSet returns false: nothing is stored.
func (f *ComputedField[T]) IsSet(Reader) bool { return false }

// Reset is refused with ErrComputed, and with it the update.
func (f *ComputedField[T]) Reset(tx *Tx) error { return f.refuseWrite(tx) }

// ResetOp returns an operation of no use: it is ErrComputed.
func (f *ComputedField[T]) ResetOp() Op { return newOp(opReset, f.path, nil, ErrComputed) }

// ExpectUnsetOp returns an operation of no use: it is ErrComputed.
func (f *ComputedField[T]) ExpectUnsetOp() Op { return newOp(opExpectUnset, f.path, nil, ErrComputed) }

func (f *ComputedField[T]) apply(tx *Tx, op *Op) (json.RawMessage, error) {
	return nil, tx.refuseOp(op, fmt.Errorf("%w: no %v on it", ErrComputed, op.action))
}

// Get returns the value. It calls the field's function if need be; a value that is
// kept is returned without an allocation.
func (f *ComputedField[T]) Get(r Reader) T {
	p := r.begin()
	sl := slotOf(p, &f.field)
	if sl == nil {
		r.end()
		return *new(T)
	}
	if kept := sl.ref.Load(); kept != nil {
		r.end()
		return *(*kept).(*T)
	}
	defer r.end()
	v := f.compute(p, r)
	if !f.settings.ticks {
		sl.ref.Store(newBox(v))
	}
	return v
}

// computing is the Reader of a function that computes: it reads what r reads, which
// has begun, and knows for which fields, so that none waits for itself for ever.
type computing struct {
	r     Reader
	f     *field
	outer *computing
}

func (c *computing) Profile() *Profile                { return c.r.Profile() }
func (c *computing) begin() *Profile                  { return c.r.Profile() }
func (c *computing) end()                             {}
func (c *computing) openDocument() *document.Document { return c.r.openDocument() }
func (c *computing) closeDocument()                   { c.r.closeDocument() }

// errCircle is why a field is not computed whose function reads it, by whatever way.
var errCircle = errors.New("it is computed of itself, which no dependency says")

// compute calls the function.
func (f *ComputedField[T]) compute(p *Profile, r Reader) (v T) {
	outer, _ := r.(*computing)
	defer func() {
		if cause := recover(); cause != nil {
			v = *new(T)
			p.srv.notComputed(p, &f.field, cause)
		}
	}()
	for c := outer; c != nil; c = c.outer {
		if c.f == &f.field {
			panic(errCircle)
		}
	}
	return f.fn(&computing{r, &f.field, outer})
}

// notComputed logs that a field could not be computed, once per field.
func (c *common) notComputed(p *Profile, f *field, cause any) {
	c.mu.Lock()
	known := c.strangers[f]
	c.strangers[f] = true
	c.mu.Unlock()
	if !known {
		c.log.Error("field is not computed, as its function panicked: it reads as the zero value", "field", f.name, "key", p.key.String(), "cause", fmt.Sprint(cause))
	}
}

// JSON returns the value as clients get it, encoded as a Value is. The error matches
// document.ErrInvalid, document.ErrTooLarge or document.ErrTooDeep if it cannot be
// encoded, or is beyond the limits for what is stored.
func (f *ComputedField[T]) JSON(r Reader) (json.RawMessage, error) {
	v := f.Get(r)
	text, err := encode(&v, r.Profile().srv.limits())
	if err != nil {
		return nil, fmt.Errorf("encode field %q of %v: %w", f.name, r.Profile().key, err)
	}
	return text, nil
}

// OnChange calls fn after an update of p that has written a dependency, if the value
// is another one since. The values are those from before and at the time of the call:
// what further updates have made meanwhile is told at once and not again. What a
// PlayTime grows by is no change. It returns a function that ends this.
func (f *ComputedField[T]) OnChange(p *Profile, fn func(old, new T)) (cancel func()) {
	if p.schema.position(&f.field) < 0 {
		p.srv.stranger(p, &f.field)
	}
	sources := f.sources()
	var mu sync.Mutex // guards last, against an event that comes before OnChange returns
	var last T
	mu.Lock()
	defer mu.Unlock()
	cancel = p.listen(&listener{change: func(c *Change) {
		if !sources[c.Field.common()] {
			return
		}
		v := f.Get(p)
		mu.Lock()
		old := last
		last = v
		mu.Unlock()
		if !reflect.DeepEqual(old, v) {
			fn(old, v)
		}
	}})
	last = f.Get(p)
	return cancel
}
