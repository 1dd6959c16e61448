package profile

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/holdfast-games/holdfast/document"
)

// IntField is a field that holds an integer, stored as a JSON number without
// fraction and exponent.
type IntField struct {
	field
	def         int64
	least, most int64
	validate    func(int64) error
}

// Int declares an integer field. Options: Min, Max, Validate[int64], Private,
// Lazy, Ranked, RankedLowest.
func Int(name string, def int64, opts ...FieldOption) *IntField {
	f := &IntField{field: newField(name, opts), def: def}
	f.restrict(bounds | checks | ranks)
	f.validate = validator[int64](&f.field)
	f.least, f.most = f.wholeBounds()
	if err := f.check(def); err != nil {
		f.fail(fmt.Errorf("%w: default of field %q: %w", ErrSchema, name, err))
	}
	return f
}

// wholeBounds returns the bounds of integers.
func (f *field) wholeBounds() (least, most int64) {
	least, most = math.MinInt64, math.MaxInt64
	for _, b := range []*bound{f.settings.least, f.settings.most} {
		if b != nil && b.isFloat {
			f.fail(fmt.Errorf("%w: field %q: bound %v is not an integer", ErrSchema, f.name, b.float))
		}
	}
	if b := f.settings.least; b != nil {
		least = b.whole
	}
	if b := f.settings.most; b != nil {
		most = b.whole
	}
	return least, most
}

// checkWhole refuses an integer out of bounds.
func checkWhole(n, least, most int64) error {
	switch {
	case n < least:
		return fmt.Errorf("%w: %d, at least %d", ErrRange, n, least)
	case n > most:
		return fmt.Errorf("%w: %d, at most %d", ErrRange, n, most)
	}
	return nil
}

// sum adds two integers, or returns ErrRange if that overflows.
func sum(a, b int64) (int64, error) {
	if b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b {
		return 0, fmt.Errorf("%w: %d%+d overflows", ErrRange, a, b)
	}
	return a + b, nil
}

func (f *IntField) check(n int64) error {
	if err := checkWhole(n, f.least, f.most); err != nil {
		return err
	}
	if f.validate != nil {
		return f.validate(n)
	}
	return nil
}

func (f *IntField) load(sl *slot, value []byte) error {
	n, err := f.parse(value)
	if err != nil {
		return f.wrongType("int", value, err)
	}
	sl.n = n
	return nil
}

// parse returns the integer that a stored value is, or the default for nil.
func (f *IntField) parse(value []byte) (int64, error) {
	if value == nil {
		return f.def, nil
	}
	return parseInt(value)
}

func parseInt(value []byte) (int64, error) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if num, ok := errors.AsType[*strconv.NumError](err); ok {
		return 0, num.Err
	}
	return n, err
}

func (f *IntField) verify(*slot, *document.Document) error { return nil }

// Get returns the value. It allocates nothing.
func (f *IntField) Get(r Reader) int64 {
	p := r.begin()
	n := f.def
	if sl := slotOf(p, &f.field); sl != nil {
		n = sl.n
	}
	r.end()
	return n
}

// JSON returns the value as clients get it.
func (f *IntField) JSON(r Reader) (json.RawMessage, error) { return wholeText(f.Get(r)), nil }

// Saved returns the value that was last saved to the player's root.
func (f *IntField) Saved(p *Profile) int64 {
	n, err := f.parse(p.saved(&f.field, f.path))
	if err != nil {
		return f.def
	}
	return n
}

// Set writes the value.
func (f *IntField) Set(tx *Tx, n int64) error {
	i, err := tx.position(&f.field, "")
	if err != nil {
		return err
	}
	if err := f.check(n); err != nil {
		return tx.refuse(&f.field, "", err)
	}
	tx.text = strconv.AppendInt(tx.text[:0], n, 10)
	if tx.p.slots[i].n == n && tx.holds(&f.field, f.path, tx.text) {
		return nil
	}
	tx.touch(i).n = n
	return tx.set(&f.field, f.path, tx.text)
}

// Add adds delta, which may be negative, to the value. If the sum is out of
// bounds or overflows, the write is refused.
func (f *IntField) Add(tx *Tx, delta int64) error {
	i, err := tx.position(&f.field, "")
	if err != nil {
		return err
	}
	n, err := sum(tx.p.slots[i].n, delta)
	if err != nil {
		return tx.refuse(&f.field, "", err)
	}
	return f.Set(tx, n)
}

// SetOp is the operation of Set.
func (f *IntField) SetOp(n int64) Op { return wholeOp(opSet, f.path, n) }

// AddOp is the operation of Add. Its result is the new value.
func (f *IntField) AddOp(delta int64) Op { return wholeOp(opAdd, f.path, delta) }

// ExpectOp makes the condition that the field reads as n.
func (f *IntField) ExpectOp(n int64) Op { return wholeOp(opExpect, f.path, n) }

// ExpectAtLeastOp makes the condition that the field reads as n or more.
func (f *IntField) ExpectAtLeastOp(n int64) Op { return wholeOp(opExpectAtLeast, f.path, n) }

func (f *IntField) apply(tx *Tx, op *Op) (json.RawMessage, error) {
	switch op.action {
	case opSet, opAdd, opExpect, opExpectAtLeast:
	default:
		return nil, f.applyAny(tx, op, "int")
	}
	n, err := parseInt(op.value)
	if err != nil {
		return nil, tx.misfit(op, "int", err)
	}
	have := f.Get(tx)
	switch op.action {
	case opSet:
		return nil, f.Set(tx, n)
	case opExpect:
		return nil, tx.expect(op, have == n, wholeText(have))
	case opExpectAtLeast:
		return nil, tx.expect(op, have >= n, wholeText(have))
	}
	if err := f.Add(tx, n); err != nil {
		return nil, err
	}
	return wholeText(f.Get(tx)), nil
}

// OnChange calls fn after each update that changed the value of p. It returns
// a function that ends this.
func (f *IntField) OnChange(p *Profile, fn func(old, new int64)) (cancel func()) {
	return f.onChange(p, func(c *Change) {
		before, _ := f.parse(c.Old)
		after, _ := f.parse(c.New)
		if before != after {
			fn(before, after)
		}
	})
}
