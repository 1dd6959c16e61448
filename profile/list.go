package profile

import (
	stdjson "encoding/json"
	"fmt"
	"iter"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/holdfast-games/holdfast/document"
)

// ListField is a field that holds values in an order, as a JSON array. A change
// encodes what it adds, and rewrites the array: for what is long and often
// changed, a Map is cheaper.
type ListField[T any] struct {
	boxed[[]T]
	validate func(T) error
}

// List declares a field of a list, empty at first. Options: MaxLen,
// Validate[T] (of each element that is written), Private, Lazy.
func List[T any](name string, opts ...FieldOption) *ListField[T] {
	f := &ListField[T]{boxed: boxed[[]T]{field: newField(name, opts), kind: "list", sent: decodeSent[[]T]}}
	f.restrict(lengths | checks)
	f.validate = validator[T](&f.field)
	f.parse = func(value []byte) ([]T, error) {
		var vs []T
		return vs, decode(value, &vs)
	}
	f.text = func(vs *[]T, l *document.Limits) ([]byte, error) {
		texts, err := encodeAll(*vs, l, nil)
		return joinArray(texts), err
	}
	f.format = func(vs *[]T, l *document.Limits) ([]byte, error) {
		if err := f.checkLen(len(*vs)); err != nil {
			return nil, err
		}
		texts, err := encodeAll(*vs, l, f.validate)
		return joinArray(texts), err
	}
	f.fresh = func() []T { return nil }
	f.layout = layoutOf(reflect.TypeFor[T]())
	return f
}

// encodeAll returns the encodings of the elements, one by one, if they pass the
// check.
func encodeAll[T any](vs []T, l *document.Limits, validate func(T) error) ([]jsontext.Value, error) {
	texts := make([]jsontext.Value, len(vs))
	for i := range vs {
		if validate != nil {
			if err := validate(vs[i]); err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
		}
		text, err := encode(&vs[i], l)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		texts[i] = text
	}
	return texts, nil
}

func joinArray(texts []jsontext.Value) []byte {
	size := 2 + max(0, len(texts)-1)
	for _, t := range texts {
		size += len(t)
	}
	value := append(make([]byte, 0, size), '[')
	for i, t := range texts {
		if i > 0 {
			value = append(value, ',')
		}
		value = append(value, t...)
	}
	return append(value, ']')
}

// Len returns the number of elements.
func (f *ListField[T]) Len(r Reader) int { return len(f.Get(r)) }

// At returns the element at i, and false if there is none.
func (f *ListField[T]) At(r Reader, i int) (v T, ok bool) {
	vs := f.Get(r)
	if i < 0 || i >= len(vs) {
		return v, false
	}
	return vs[i], true
}

// All iterates over the elements as they are when All is called.
func (f *ListField[T]) All(r Reader) iter.Seq2[int, T] { return slices.All(f.Get(r)) }

// Append adds elements at the end.
func (f *ListField[T]) Append(tx *Tx, vs ...T) error {
	return f.splice(tx, func(n int) (int, int) { return n, n }, vs, nil)
}

// Insert adds elements before the one at i, or at the end if i is the length.
func (f *ListField[T]) Insert(tx *Tx, i int, vs ...T) error {
	return f.splice(tx, func(int) (int, int) { return i, i }, vs, nil)
}

// Replace gives the element at i a new value.
func (f *ListField[T]) Replace(tx *Tx, i int, v T) error {
	return f.splice(tx, func(int) (int, int) { return i, i + 1 }, []T{v}, nil)
}

// Remove removes the element at i.
func (f *ListField[T]) Remove(tx *Tx, i int) error {
	return f.splice(tx, func(int) (int, int) { return i, i + 1 }, nil, nil)
}

// Edit calls fn with a copy of the element at i and writes what it has become.
// An error of fn refuses the write. Members of the stored element that a struct of the
// Go type does not know stay, as the element is the same; Set and Replace bring others.
func (f *ListField[T]) Edit(tx *Tx, i int, fn func(*T) error) error {
	if _, err := tx.position(&f.field, ""); err != nil {
		return err
	}
	value, _ := tx.documentOf(&f.field).Get(f.path)
	vs := f.value(value) // a copy, as what is kept is shared
	if i < 0 || i >= len(vs) {
		return tx.refuse(&f.field, "", fmt.Errorf("%w: index %d of %d", ErrMissing, i, len(vs)))
	}
	if err := fn(&vs[i]); err != nil {
		return tx.refuse(&f.field, "", err)
	}
	return f.splice(tx, func(int) (int, int) { return i, i + 1 }, vs[i:i+1], f.layout)
}

// AppendOp is the operation of Append. Its result is the new length.
func (f *ListField[T]) AppendOp(vs ...T) Op { return f.op(opAppend, &vs) }

func (f *ListField[T]) apply(tx *Tx, op *Op) (stdjson.RawMessage, error) {
	if op.action != opAppend {
		return f.boxed.apply(tx, op)
	}
	vs, err := f.sent(op.value)
	if err != nil {
		return nil, tx.misfit(op, f.kind, err)
	}
	if err := f.Append(tx, vs...); err != nil {
		return nil, err
	}
	return wholeText(int64(f.Len(tx))), nil
}

// splice replaces the elements from one index up to another, which span
// returns for a length. With a layout, the elements that come are those that go, and
// have their members that the Go type does not know.
func (f *ListField[T]) splice(tx *Tx, span func(n int) (from, to int), vs []T, same *layout) error {
	at, err := tx.position(&f.field, "")
	if err != nil {
		return err
	}
	kept := *f.decoded(tx, &tx.p.slots[at])
	from, to := span(len(kept))
	if from < 0 || from > to || to > len(kept) {
		return tx.refuse(&f.field, "", fmt.Errorf("%w: index %d of %d", ErrMissing, from, len(kept)))
	}
	if err := f.checkLen(len(kept) - (to - from) + len(vs)); err != nil {
		return tx.refuse(&f.field, "", err)
	}
	texts, err := encodeAll(vs, tx.p.srv.limits(), f.validate)
	if err != nil {
		return tx.refuse(&f.field, "", err)
	}
	old, _ := tx.documentOf(&f.field).Get(f.path)
	if same != nil {
		if err := same.carryAll(old, from, texts); err != nil {
			return tx.refuse(&f.field, "", err)
		}
	}
	read, err := f.parse(joinArray(texts))
	if err != nil {
		return tx.refuse(&f.field, "", fmt.Errorf("%w: cannot be read back: %w", document.ErrInvalid, err))
	}
	value, err := spliceArray(old, len(kept), from, to, texts)
	if err != nil {
		return tx.refuse(&f.field, "", err)
	}
	next := make([]T, 0, len(kept)-(to-from)+len(read))
	next = append(append(append(next, kept[:from]...), read...), kept[to:]...)
	tx.touch(at).ref.Store(newBox(next))
	return tx.set(&f.field, f.path, value)
}

// spliceArray replaces elements of the text of an array of n elements; those
// that stay keep their bytes. Adding at the end does not look at the others.
func spliceArray(old []byte, n, from, to int, texts []jsontext.Value) ([]byte, error) {
	if n == 0 {
		return joinArray(texts), nil
	}
	if from == n {
		if len(texts) == 0 {
			return slices.Clone(old), nil
		}
		added := joinArray(texts)
		value := make([]byte, 0, len(old)+len(added)-1)
		value = append(append(value, old[:len(old)-1]...), ',')
		return append(value, added[1:]...), nil
	}
	var all []jsontext.Value
	if err := json.Unmarshal(old, &all); err != nil {
		return nil, err
	}
	return joinArray(slices.Replace(all, from, to, texts...)), nil
}
