package profile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
)

// The index of a player's save slots is the reserved field ~slots. It has an element
// for each slot, under its id, and three more, so that each change is small. It says
// all that a tool needs that knows no schema.
const (
	slotsField    = "~slots"
	loadedElement = "~loaded" // the id of the loaded slot; empty: none
	nextElement   = "~next"   // the number of the next slot
	rulesElement  = "~rules"
)

const slotFormat = 1

// slotIndex is the index in decoded form.
type slotIndex struct {
	stored bool // it is in the document; else it is what that means
	loaded string
	next   uint64
	rules  storedRules
	slots  []*storedSlot // in the order of their numbers
}

// storedRules says which fields are per slot, and what the game's schema wants
// besides.
type storedRules struct {
	Format   int      `json:"format"`
	Fields   []string `json:"fields"`
	Summary  []string `json:"summary,omitempty"`
	PlayTime string   `json:"play_time,omitempty"`
	Max      int      `json:"max"`
	Keep     int64    `json:"keep"` // seconds
}

// storedSlot is one slot.
type storedSlot struct {
	ID       string                     `json:"-"`
	Name     string                     `json:"name"`
	Created  time.Time                  `json:"created"`
	Played   time.Time                  `json:"played,omitzero"`
	PlayTime int64                      `json:"play_time,omitempty"` // milliseconds
	Deleted  time.Time                  `json:"deleted,omitzero"`
	Until    time.Time                  `json:"until,omitzero"`
	Stamp    uint64                     `json:"stamp,omitempty"` // of its entry; 0: it is not parked
	Summary  map[string]json.RawMessage `json:"summary,omitempty"`
}

func (s *storedSlot) deleted() bool { return !s.Deleted.IsZero() }

// rulesOf returns the rules of a schema, with the defaults filled in.
func (s *Schema) rulesOf() storedRules {
	r := storedRules{Format: slotFormat, Max: s.slotRules.Max, Keep: int64(s.slotRules.Keep / time.Second)}
	if r.Max == 0 {
		r.Max = DefaultSlots
	}
	if s.slotRules.Keep == 0 {
		r.Keep = int64(DefaultSlotsKeep / time.Second)
	}
	for _, f := range s.fields {
		if f.common().PerSlot() {
			r.Fields = append(r.Fields, f.Name())
		}
	}
	for _, f := range s.slotRules.Summary {
		r.Summary = append(r.Summary, f.Name())
	}
	if f := s.slotRules.PlayTime; f != nil {
		r.PlayTime = f.Name()
	}
	slices.Sort(r.Fields)
	return r
}

// with returns the rules with those of a schema: a field that was ever per slot
// stays so, as nobody can tell which of two schemas is the newer one.
func (r storedRules) with(s *Schema) storedRules {
	own := s.rulesOf()
	if len(own.Fields) == 0 {
		return r // a tool's schema, or one that is older than its slots
	}
	own.Fields = slices.Compact(slices.Sorted(slices.Values(append(own.Fields, r.Fields...))))
	return own
}

// readSlots returns the index in a document, or nil if there is none and the schema
// has none to begin with. A profile that has none yet has its first slot loaded: what
// is stored of fields that are per slot is that one's.
func readSlots(d *document.Document, s *Schema) (*slotIndex, error) {
	if !d.Has(document.Field(slotsField)) {
		if s == nil || !s.hasSlots() {
			return nil, nil
		}
		first := &storedSlot{ID: FirstSlot, Name: FirstSlotName}
		return &slotIndex{loaded: FirstSlot, next: 2, rules: s.rulesOf(), slots: []*storedSlot{first}}, nil
	}
	x := &slotIndex{stored: true}
	for name, value := range d.Elements(slotsField) {
		if err := x.read(name, value); err != nil {
			return nil, fmt.Errorf("%w: field %q, element %.40q: %w", driver.ErrCorrupt, slotsField, name, err)
		}
	}
	if err := x.check(); err != nil {
		return nil, err
	}
	slices.SortFunc(x.slots, func(a, b *storedSlot) int {
		m, _ := slotNumber(a.ID)
		n, _ := slotNumber(b.ID)
		return int(int64(m) - int64(n))
	})
	return x, nil
}

func (x *slotIndex) read(name string, value []byte) error {
	switch name {
	case loadedElement:
		return json.Unmarshal(value, &x.loaded)
	case nextElement:
		return json.Unmarshal(value, &x.next)
	case rulesElement:
		return json.Unmarshal(value, &x.rules)
	}
	if _, err := slotNumber(name); err != nil {
		return err
	}
	s := &storedSlot{ID: name}
	x.slots = append(x.slots, s)
	return json.Unmarshal(value, s)
}

// slotNumber returns the number that an id stands for.
func slotNumber(id string) (uint64, error) {
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != id {
		return 0, fmt.Errorf("%.40q is no save slot's id", id)
	}
	return n, nil
}

// check refuses an index that contradicts itself, or is a newer program's.
func (x *slotIndex) check() error {
	fail := func(why string) error {
		return fmt.Errorf("%w: field %q: %s", driver.ErrCorrupt, slotsField, why)
	}
	switch {
	case x.rules.Format > slotFormat:
		return fmt.Errorf("%w: field %q has format %d, this program reads up to %d", driver.ErrFormat, slotsField, x.rules.Format, slotFormat)
	case x.rules.Format != slotFormat:
		return fail("it has no rules of a known format")
	case slices.ContainsFunc(x.rules.Fields, func(name string) bool { return strings.HasPrefix(name, "~") }):
		return fail("it counts a field among the slots' that is no game's")
	case x.next == 0:
		return fail("it does not say which slot is next")
	}
	slices.Sort(x.rules.Fields)
	for _, s := range x.slots {
		if n, _ := slotNumber(s.ID); n >= x.next {
			return fail("a slot has a number that comes later")
		}
		if s.ID == x.loaded && (s.deleted() || s.Stamp != 0) {
			return fail("the loaded slot is deleted or parked")
		}
	}
	if x.loaded != "" && x.slot(x.loaded) == nil {
		return fail("the loaded slot is not there")
	}
	return nil
}

// slot returns the slot of an id, or nil.
func (x *slotIndex) slot(id string) *storedSlot {
	for _, s := range x.slots {
		if s.ID == id {
			return s
		}
	}
	return nil
}

// find returns the slot of an id, or why there is none.
func (x *slotIndex) find(id string) (*storedSlot, error) {
	s := x.slot(id)
	switch {
	case s == nil:
		return nil, ErrUnknownSlot
	case s.deleted():
		return s, ErrSlotDeleted
	}
	return s, nil
}

// adopt makes a first index what was found to hold without one.
func (x *slotIndex) adopt(now time.Time) {
	if x.stored {
		return
	}
	for _, s := range x.slots {
		s.Created = now
	}
}

// living returns how many slots there are that are not deleted.
func (x *slotIndex) living() (n int) {
	for _, s := range x.slots {
		if !s.deleted() {
			n++
		}
	}
	return n
}

// changes returns what is to be written into the document for it to hold this index.
func (x *slotIndex) changes(d *document.Document, limits *document.Limits) (document.Delta, error) {
	var delta document.Delta
	left := maps.Collect(d.Elements(slotsField))
	put := func(name string, v any) error {
		value, err := encode(&v, limits)
		if err != nil {
			return fmt.Errorf("encode the index of save slots: %w", err)
		}
		if !bytes.Equal(left[name], value) {
			delta = append(delta, document.Change{Path: document.Element(slotsField, name), Value: value})
		}
		delete(left, name)
		return nil
	}
	err := firstError(put(rulesElement, x.rules), firstError(put(nextElement, x.next), put(loadedElement, x.loaded)))
	for _, s := range x.slots {
		err = firstError(err, put(s.ID, s))
	}
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		delta = append(delta, document.Change{Path: document.Element(slotsField, name)})
	}
	return delta, nil
}

// public returns the list of the slots, with what the document has of the loaded
// one.
func (x *slotIndex) public(d *document.Document) []SaveSlot {
	list := make([]SaveSlot, len(x.slots))
	for i, s := range x.slots {
		shown := *s
		if s.ID == x.loaded {
			shown.Summary, shown.PlayTime = x.rules.summary(d)
		}
		list[i] = SaveSlot{
			ID: s.ID, Name: s.Name, Loaded: s.ID == x.loaded, Created: s.Created, Played: s.Played,
			PlayTime: time.Duration(shown.PlayTime) * time.Millisecond, Deleted: s.Deleted, Until: s.Until,
			Summary: maps.Clone(shown.Summary),
		}
	}
	return list
}

// summary returns what the list shows of the slot whose fields a document holds.
func (r *storedRules) summary(d *document.Document) (values map[string]json.RawMessage, playTime int64) {
	for _, name := range r.Summary {
		value, ok := d.Get(document.Field(name))
		if !ok || len(value) > MaxSummaryValue {
			continue
		}
		if values == nil {
			values = make(map[string]json.RawMessage)
		}
		values[name] = bytes.Clone(value)
	}
	if value, ok := d.Get(document.Field(r.PlayTime)); ok && r.PlayTime != "" {
		playTime = min(max(count(value), 0), int64(math.MaxInt64/time.Millisecond))
	}
	return values, playTime
}

// ReadSaveSlots returns the list of the save slots that a document's index names, in
// the order in which they were created. It is for who has no schema, such as a tool:
// see Profile.SaveSlots and Copy.SaveSlots. Nil means that there is no index. The
// error matches driver.ErrCorrupt or driver.ErrFormat.
func ReadSaveSlots(d *document.Document) ([]SaveSlot, error) {
	x, err := readSlots(d, nil)
	if x == nil || err != nil {
		return nil, err
	}
	return x.public(d), nil
}
