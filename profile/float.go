package profile

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/holdfast-games/holdfast/document"
)

// FloatField is a field that holds a floating-point number, stored as a JSON
// number. NaN and the infinities are refused.
type FloatField struct {
	field
	def         float64
	least, most float64
	validate    func(float64) error
}

// Float declares a floating-point field. Options: Min, Max,
// Validate[float64], Private, Lazy.
func Float(name string, def float64, opts ...FieldOption) *FloatField {
	f := &FloatField{field: newField(name, opts), def: def, least: -math.MaxFloat64, most: math.MaxFloat64}
	f.restrict(bounds | checks)
	f.validate = validator[float64](&f.field)
	if b := f.settings.least; b != nil {
		f.least = b.float
	}
	if b := f.settings.most; b != nil {
		f.most = b.float
	}
	if err := f.check(def); err != nil {
		f.fail(fmt.Errorf("%w: default of field %q: %w", ErrSchema, name, err))
	}
	return f
}

func (f *FloatField) check(x float64) error {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return fmt.Errorf("%w: %v is not a number that can be stored", ErrRange, x)
	case !(x >= f.least):
		return fmt.Errorf("%w: %v, at least %v", ErrRange, x, f.least)
	case !(x <= f.most):
		return fmt.Errorf("%w: %v, at most %v", ErrRange, x, f.most)
	case f.validate != nil:
		return f.validate(x)
	}
	return nil
}

func (f *FloatField) load(sl *slot, value []byte) error {
	x, err := f.parse(value)
	if err != nil {
		return f.wrongType("float", value, err)
	}
	sl.n = int64(math.Float64bits(x))
	return nil
}

func (f *FloatField) parse(value []byte) (float64, error) {
	if value == nil {
		return f.def, nil
	}
	if c := value[0]; c != '-' && (c < '0' || c > '9') {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(string(value), 64)
}

func (f *FloatField) verify(*slot, *document.Document) error { return nil }

// Get returns the value. It allocates nothing.
func (f *FloatField) Get(r Reader) float64 {
	p := r.begin()
	x := f.def
	if sl := slotOf(p, &f.field); sl != nil {
		x = math.Float64frombits(uint64(sl.n))
	}
	r.end()
	return x
}

// JSON returns the value as clients get it.
func (f *FloatField) JSON(r Reader) (json.RawMessage, error) {
	return appendFloat(nil, f.Get(r)), nil
}

// Saved returns the value that was last saved to the player's root.
func (f *FloatField) Saved(p *Profile) float64 {
	x, err := f.parse(p.saved(&f.field, f.path))
	if err != nil {
		return f.def
	}
	return x
}

// Set writes the value.
func (f *FloatField) Set(tx *Tx, x float64) error {
	i, err := tx.position(&f.field, "")
	if err != nil {
		return err
	}
	if err := f.check(x); err != nil {
		return tx.refuse(&f.field, "", err)
	}
	bits := int64(math.Float64bits(x))
	tx.text = appendFloat(tx.text[:0], x)
	if tx.p.slots[i].n == bits && tx.holds(&f.field, f.path, tx.text) {
		return nil
	}
	tx.touch(i).n = bits
	return tx.set(&f.field, f.path, tx.text)
}

// Add adds delta, which may be negative, to the value.
func (f *FloatField) Add(tx *Tx, delta float64) error {
	i, err := tx.position(&f.field, "")
	if err != nil {
		return err
	}
	return f.Set(tx, math.Float64frombits(uint64(tx.p.slots[i].n))+delta)
}

// SetOp is the operation of Set.
func (f *FloatField) SetOp(x float64) Op { return f.op(opSet, x) }

// AddOp is the operation of Add. Its result is the new value.
func (f *FloatField) AddOp(delta float64) Op { return f.op(opAdd, delta) }

// ExpectOp makes the condition that the field reads as exactly x.
func (f *FloatField) ExpectOp(x float64) Op { return f.op(opExpect, x) }

// ExpectAtLeastOp makes the condition that the field reads as x or more.
func (f *FloatField) ExpectAtLeastOp(x float64) Op { return f.op(opExpectAtLeast, x) }

func (f *FloatField) op(a action, x float64) Op {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return newOp(a, f.path, nil, fmt.Errorf("%w: %v is not a number that can be stored", ErrRange, x))
	}
	return newOp(a, f.path, appendFloat(nil, x), nil)
}

func (f *FloatField) apply(tx *Tx, op *Op) (json.RawMessage, error) {
	switch op.action {
	case opSet, opAdd, opExpect, opExpectAtLeast:
	default:
		return nil, f.applyAny(tx, op, "float")
	}
	x, err := f.parse(op.value)
	if err != nil {
		return nil, tx.misfit(op, "float", err)
	}
	have := f.Get(tx)
	switch op.action {
	case opSet:
		return nil, f.Set(tx, x)
	case opExpect:
		return nil, tx.expect(op, have == x, appendFloat(nil, have))
	case opExpectAtLeast:
		return nil, tx.expect(op, have >= x, appendFloat(nil, have))
	}
	if err := f.Add(tx, x); err != nil {
		return nil, err
	}
	return appendFloat(nil, f.Get(tx)), nil
}

// OnChange calls fn after each update that changed the value of p. It returns
// a function that ends this.
func (f *FloatField) OnChange(p *Profile, fn func(old, new float64)) (cancel func()) {
	return f.onChange(p, func(c *Change) {
		before, _ := f.parse(c.Old)
		after, _ := f.parse(c.New)
		if before != after {
			fn(before, after)
		}
	})
}

// appendFloat writes the shortest JSON number that reads as x, with an
// exponent where package encoding/json writes one.
func appendFloat(dst []byte, x float64) []byte {
	format := byte('f')
	if abs := math.Abs(x); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, x, format, -1, 64)
}
