package profile

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/go-json-experiment/json"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

// Draft is the stored fields of one profile, as a Migration changes them: a copy,
// without types. Values go in and out as Go values or as json.RawMessage, encoded
// as Value fields are. It holds all stored fields, those included that no schema
// knows, but not Holdfast's own, whose names begin with "~"; and where there are save
// slots, only those of the account or only those of the slot: see Migration.PerSlot.
// What is not stored has no default here.
//
// A write that is refused fails the migration, even if its Run returns nil; further
// writes are not tried. A Draft belongs to the goroutine of the Run that it was
// given to, and is of no use afterwards.
type Draft struct {
	key     session.Key
	doc     *document.Document
	current *Migration        // whose Run is running; nil: the import
	before  map[string][]byte // of each field that was written, its value before all
	by      map[string]string // and the migration that wrote it last
	err     error
	over    atomic.Bool // its time is up

	slots func(field string) ownership // whose a field is; nil: there are no save slots
}

// ownership says whose a field is where there are save slots.
type ownership uint8

const (
	ofNobody  ownership = iota // it is not known: it was stored before there were slots
	ofAccount                  // it is account-wide
	ofSlot                     // it belongs to the loaded slot
)

// ownership returns whose the fields of a document are; nil if the schema has no save
// slots.
func (s *Schema) ownership(d *document.Document) (func(field string) ownership, error) {
	x, err := readSlots(d, s)
	if x == nil || err != nil {
		return nil, err
	}
	return func(name string) ownership {
		f := s.Field(name)
		switch _, listed := slices.BinarySearch(x.rules.Fields, name); {
		case listed || f != nil && f.common().PerSlot():
			return ofSlot
		case f == nil && !x.stored:
			return ofNobody
		}
		return ofAccount
	}, nil
}

// sees reports whether the migration that is running may see and write a field.
func (d *Draft) sees(field string) bool {
	if reserved(field) {
		return false
	}
	if d.slots == nil || d.current == nil {
		return true
	}
	switch d.slots(field) {
	case ofSlot:
		return d.current.PerSlot
	case ofAccount:
		return !d.current.PerSlot
	}
	return true
}

func newDraft(key session.Key, d *document.Document) *Draft {
	return &Draft{key: key, doc: d, before: make(map[string][]byte), by: make(map[string]string)}
}

// begin ends the goroutine if the migration's time is up, so that one that goes
// round in a circle does not do so for ever.
func (d *Draft) begin() {
	if d.over.Load() {
		runtime.Goexit()
	}
}

// Key returns the kind and id of the profile.
func (d *Draft) Key() session.Key { return d.key }

// Fields iterates over the names and values of the stored fields as they are when
// Fields is called, in the order in which they are stored.
func (d *Draft) Fields() iter.Seq2[string, stdjson.RawMessage] {
	d.begin()
	var names []string
	var values []stdjson.RawMessage
	for name, value := range d.doc.Fields() {
		if d.sees(name) {
			names, values = append(names, name), append(values, bytes.Clone(value))
		}
	}
	return func(yield func(string, stdjson.RawMessage) bool) {
		for i, name := range names {
			if !yield(name, values[i]) {
				return
			}
		}
	}
}

// Has reports whether a field is stored.
func (d *Draft) Has(field string) bool {
	_, ok := d.get(field)
	return ok
}

// Raw returns a field's value as JSON, or nil if it is not stored.
func (d *Draft) Raw(field string) stdjson.RawMessage {
	value, _ := d.get(field)
	return bytes.Clone(value)
}

// Get decodes a field's value into what into points to, and reports whether it is
// stored. Numbers in an "any" decode as float64; see Edit.
func (d *Draft) Get(field string, into any) (bool, error) {
	value, ok := d.get(field)
	if !ok {
		return false, nil
	}
	_, err := guarded(func() ([]byte, error) { return nil, json.Unmarshal(value, into, encoding) })
	if err != nil {
		return true, fmt.Errorf("field %q holds %.60q: %w", field, value, err)
	}
	return true, nil
}

func (d *Draft) get(field string) ([]byte, bool) {
	d.begin()
	if !d.sees(field) {
		return nil, false
	}
	return d.doc.Get(document.Field(field))
}

// Set writes a field, whether it is stored or not.
func (d *Draft) Set(field string, v any) error {
	if err := d.writable(field); err != nil {
		return err
	}
	limits := d.doc.Limits()
	value, err := encode(&v, &limits)
	if err != nil {
		return d.refuse(field, err)
	}
	return d.put(field, value)
}

// Delete removes a field. If it is not stored, nothing happens.
func (d *Draft) Delete(field string) error {
	if err := d.writable(field); err != nil {
		return err
	}
	d.note(field)
	d.doc.Delete(document.Field(field))
	return nil
}

// Rename gives a field another name. If it is not stored, nothing happens; a
// field of the new name that is stored already is refused.
func (d *Draft) Rename(from, to string) error {
	if err := d.writable(from); err != nil {
		return err
	}
	if err := d.writable(to); err != nil {
		return err
	}
	value, ok := d.get(from)
	switch {
	case !ok || from == to:
		return nil
	case d.Has(to):
		return d.refuse(to, fmt.Errorf("field %q cannot have this name: it is stored too", from))
	}
	d.note(from)
	d.doc.Delete(document.Field(from))
	return d.put(to, value)
}

// Edit calls fn with a field's value, decoded, and writes what it returns. Objects
// are map[string]any, arrays []any and numbers json.Number, so that no digit is
// lost; what is inside may be changed in place. If the field is not stored, fn
// is not called and nothing happens. An error of fn fails the migration.
func (d *Draft) Edit(field string, fn func(v any) (any, error)) error {
	if err := d.writable(field); err != nil {
		return err
	}
	value, ok := d.get(field)
	if !ok {
		return nil
	}
	v, err := decodeDigits(value)
	if err == nil {
		v, err = fn(v)
	}
	if err != nil {
		return d.refuse(field, err)
	}
	return d.Set(field, v)
}

// decodeDigits decodes JSON with all digits of its numbers.
func decodeDigits(value []byte) (v any, err error) {
	dec := stdjson.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	err = dec.Decode(&v)
	return v, err
}

func (d *Draft) writable(field string) error {
	d.begin()
	if d.err != nil {
		return d.err
	}
	if reserved(field) {
		return d.refuse(field, fmt.Errorf("%w: names that begin with %q are Holdfast's own", document.ErrInvalid, reservedPrefix))
	}
	if err := document.Field(field).Check(); err != nil {
		return d.refuse(field, err)
	}
	if !d.sees(field) {
		return d.refuse(field, errOtherOwner)
	}
	return nil
}

// errOtherOwner refuses what belongs to the account to a migration of save slots, and
// the reverse.
var errOtherOwner = errors.New("it is PerSlot and the migration is not, or the reverse")

// refuse fails the migration, and returns the error that it fails with.
func (d *Draft) refuse(field string, reason error) error {
	if d.err == nil {
		d.err = fmt.Errorf("field %q: %w", field, reason)
	}
	return d.err
}

// put writes compact JSON.
func (d *Draft) put(field string, value []byte) error {
	d.note(field)
	if _, err := d.doc.Set(document.Field(field), value); err != nil {
		return d.refuse(field, err)
	}
	return nil
}

// note keeps what a field was before it is written for the first time.
func (d *Draft) note(field string) {
	if _, ok := d.before[field]; !ok {
		value, _ := d.doc.Get(document.Field(field))
		d.before[field] = value
	}
	if d.current != nil {
		d.by[field] = d.current.Name
	}
}

// delta returns what has changed, field by field: first what makes room, then
// the rest, so that no limit is exceeded on the way.
func (d *Draft) delta() document.Delta {
	var delta document.Delta
	growth := make(map[string]int)
	for field, old := range d.before {
		value, _ := d.doc.Get(document.Field(field))
		if !bytes.Equal(old, value) || (old == nil) != (value == nil) {
			delta = append(delta, document.Change{Path: document.Field(field), Value: value})
			growth[field] = len(value) - len(old)
		}
	}
	slices.SortFunc(delta, func(a, b document.Change) int {
		if (a.Value == nil) != (b.Value == nil) {
			if a.Value == nil {
				return -1
			}
			return 1
		}
		if g := growth[a.Path.Field] - growth[b.Path.Field]; g != 0 {
			return g
		}
		return a.Path.Compare(b.Path)
	})
	return delta
}
