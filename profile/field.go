package profile

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"reflect"
	"sync/atomic"

	"github.com/holdfast-games/holdfast/document"
)

// Field is a typed handle of one field: an *IntField, *MapField and so on.
// Fields are immutable, may be part of several schemas, and are safe for
// concurrent use. A mistake in a field's declaration is reported by the schema.
type Field interface {
	// Name returns the name under which the field is stored.
	Name() string
	// Private reports whether the field was declared with the option Private.
	// Profile.Private says what holds for one profile.
	Private() bool
	// Lazy reports whether the field was declared with the option Lazy.
	Lazy() bool
	// Volatile reports whether the field was declared with the option Volatile.
	Volatile() bool
	// Stored reports whether a value of the field can be stored: it is neither
	// Volatile nor Computed.
	Stored() bool
	// IsSet reports whether a value is stored. If not, the field reads as its
	// default.
	IsSet(Reader) bool
	// JSON returns what the field reads as, as clients get it: encoded as it is
	// stored, with the default if nothing is, and a PlayTime in milliseconds. It may
	// be shared and must not be changed. An error matches document.ErrInvalid,
	// document.ErrTooLarge or document.ErrTooDeep: only what a type of the game's own
	// encodes, or a Computed field returns, can be one.
	JSON(Reader) (json.RawMessage, error)
	// ElementJSON returns what is stored of one element, and false if there is none.
	// It is shared and must not be changed.
	ElementJSON(r Reader, name string) (json.RawMessage, bool)
	// Reset removes the stored value, so that the field reads as its default.
	Reset(*Tx) error
	// ResetOp is the operation of Reset.
	ResetOp() Op
	// ExpectUnsetOp makes the condition that IsSet is false.
	ExpectUnsetOp() Op

	common() *field
	// load fills a slot from the stored value, which is nil if there is none.
	// It returns an error if the value is of another type.
	load(sl *slot, value []byte) error
	// verify returns an error if what the slot has decoded is not what the
	// stored value says.
	verify(sl *slot, d *document.Document) error
	// apply makes an operation that names the field, and returns its result,
	// if it has one. If it cannot, it has failed the update.
	apply(tx *Tx, op *Op) (json.RawMessage, error)
}

// field is what fields of all kinds have in common.
type field struct {
	name     string
	path     document.Path
	hash     uint32
	settings settings
	deps     []Field        // of a computed field
	elements *ElementsField // the field itself, if it is one
	err      error          // a mistake in the declaration
}

func newField(name string, opts []FieldOption) field {
	h := fnv.New32a()
	h.Write([]byte(name))
	f := field{name: name, path: document.Field(name), hash: h.Sum32()}
	for _, o := range opts {
		o(&f.settings)
	}
	f.err = f.path.Check()
	if f.settings.lazy && f.settings.volatile {
		f.fail(fmt.Errorf("%w: field %q: Lazy says when it is stored, Volatile that it never is", ErrSchema, name))
	}
	if f.settings.perSlot && f.settings.volatile {
		f.fail(fmt.Errorf("%w: field %q: PerSlot says where it is stored, Volatile that it never is", ErrSchema, name))
	}
	return f
}

func (f *field) Name() string   { return f.name }
func (f *field) Private() bool  { return f.settings.private }
func (f *field) Lazy() bool     { return f.settings.lazy }
func (f *field) common() *field { return f }
func (f *field) fail(err error) { f.err = firstError(f.err, err) }
func (f *field) element(name string) document.Path {
	return document.Element(f.name, name)
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (f *field) IsSet(r Reader) bool {
	r.begin()
	ok := f.openIn(r).Has(f.path)
	f.closeIn(r)
	r.end()
	return ok
}

func (f *field) ElementJSON(r Reader, name string) (json.RawMessage, bool) {
	r.begin()
	value, ok := f.raw(r, f.element(name))
	r.end()
	return value, ok
}

func (f *field) Reset(tx *Tx) error {
	i, err := tx.position(f, "")
	if err != nil {
		return err
	}
	if !tx.documentOf(f).Has(f.path) {
		return nil
	}
	sl := tx.touch(i)
	sl.ref.Store(nil)
	if err := tx.p.schema.fields[i].load(sl, nil); err != nil {
		return tx.refuse(f, "", err)
	}
	return tx.delete(f, f.path)
}

// slot is what one profile has of one field in decoded form. It is guarded by
// the profile's lock; ref is atomic because readers fill it.
type slot struct {
	n   int64               // value of an Int, bits of a Float, 1 for a true Bool
	ref atomic.Pointer[any] // what else was decoded; nil until it is asked for
}

// forget drops what was decoded of a field that is about to be loaded anew. The clock
// of a play time is no such thing: it goes on.
func (sl *slot) forget(f Field) {
	if !f.common().settings.grows {
		sl.ref.Store(nil)
	}
}

// FieldOption says something of a field when it is declared. Private, Lazy and
// Volatile go with every kind; the comment of each kind names its others.
type FieldOption func(*settings)

type settings struct {
	private, lazy bool
	volatile      bool
	computed      bool // by Computed; no option
	grows         bool // by PlayTime; no option
	ticks         bool // it depends on one that grows; no option
	perSlot       bool
	least, most   *bound
	maxLen        *int
	reconcile     bool
	validate      any    // func(T) error
	shape         string // of a value without a Go type, or of its elements: see shape.go
	ranked        *ranking
}

// bound is a bound as it was given.
type bound struct {
	whole   int64
	float   float64
	isFloat bool
}

func newBound[N int | int64 | float64](n N) *bound {
	b := &bound{whole: int64(n), float: float64(n)}
	_, b.isFloat = any(n).(float64)
	return b
}

// Private marks a field that clients must never see.
func Private() FieldOption { return func(s *settings) { s.private = true } }

// Lazy marks a field that is neither journalled nor a reason for a save: it
// travels with the next save that has another reason, or with a durable update.
// A crash may lose what changed since.
func Lazy() FieldOption { return func(s *settings) { s.lazy = true } }

// Min refuses smaller values of an Int or Float, and of each of Counters.
func Min[N int | int64 | float64](least N) FieldOption {
	return func(s *settings) { s.least = newBound(least) }
}

// Max refuses larger values of an Int or Float, and of each of Counters.
func Max[N int | int64 | float64](most N) FieldOption {
	return func(s *settings) { s.most = newBound(most) }
}

// MaxLen bounds a String or Bytes in bytes, and a List, Set, Map or Counters in
// elements. It must be positive.
func MaxLen(n int) FieldOption { return func(s *settings) { s.maxLen = &n } }

// Validate calls check with each value that is written, and refuses the write
// with its error. T is the type that the field holds: int64, float64, string and
// so on; for a Map or a List it is the type of the elements, and check is called
// with each element that is written. Check runs inside of the update: it must be
// quick and must not use the profile.
func Validate[T any](check func(T) error) FieldOption {
	return func(s *settings) { s.validate = check }
}

// which are the options that a kind of field understands, besides Private, Lazy
// and Volatile.
type which uint8

const (
	bounds which = 1 << iota
	lengths
	checks
	ranks
	deep
)

// restrict fails the field if it was declared with an option that its kind
// does not understand.
func (f *field) restrict(allowed which) {
	s := &f.settings
	if allowed&bounds == 0 && (s.least != nil || s.most != nil) {
		f.fail(fmt.Errorf("%w: field %q: Min and Max are for numbers", ErrSchema, f.name))
	}
	if allowed&lengths == 0 && s.maxLen != nil {
		f.fail(fmt.Errorf("%w: field %q: MaxLen is for texts, bytes and collections", ErrSchema, f.name))
	}
	if s.maxLen != nil && *s.maxLen <= 0 {
		f.fail(fmt.Errorf("%w: field %q: MaxLen of %d", ErrSchema, f.name, *s.maxLen))
	}
	if allowed&ranks == 0 && s.ranked != nil {
		f.fail(fmt.Errorf("%w: field %q: Ranked is for Int", ErrSchema, f.name))
	}
	if allowed&deep == 0 && s.reconcile {
		f.fail(fmt.Errorf("%w: field %q: Reconcile is for Value", ErrSchema, f.name))
	}
	if allowed&checks == 0 && s.validate != nil {
		f.fail(fmt.Errorf("%w: field %q: Validate does not apply", ErrSchema, f.name))
	}
}

// validator returns the function that Validate was given, or nil.
func validator[T any](f *field) func(T) error {
	if f.settings.validate == nil {
		return nil
	}
	fn, ok := f.settings.validate.(func(T) error)
	if !ok || fn == nil {
		f.fail(fmt.Errorf("%w: field %q: Validate has a %T, the field needs a func(%v) error",
			ErrSchema, f.name, f.settings.validate, reflect.TypeFor[T]()))
		return nil
	}
	return fn
}

func (f *field) checkLen(n int) error {
	if m := f.settings.maxLen; m != nil && n > *m {
		return fmt.Errorf("%w: %d, at most %d", ErrTooLong, n, *m)
	}
	return nil
}

// wrongType says that a stored value is of another type than its field.
func (f *field) wrongType(kind string, value []byte, cause error) error {
	err := fmt.Errorf("%w: field %q is of kind %s and holds %.60q", ErrWrongType, f.name, kind, value)
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return err
}
