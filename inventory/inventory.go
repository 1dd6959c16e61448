package inventory

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
)

// Inventory is a field of a profile's schema that holds a game's items. It is
// immutable, may be part of several schemas, and is safe for concurrent use.
type Inventory struct {
	profile.Field
	elements  *profile.ElementsField
	catalogue *Catalogue
	capacity  int
	places    []string // of an inventory of places; else nil
}

// Options say more of an inventory. Nil stands for the zero value.
type Options struct {
	// Capacity is how many entries the inventory holds: stacks and instances. Zero
	// means as many as a document may have fields and elements, which is 10,000 in
	// all unless session.Options.Limits says otherwise. It must not be negative.
	Capacity int
}

// New declares an inventory, empty at first, whose items are those of a catalogue.
// Options of the field: Private. A mistake is reported by the schema.
func New(name string, c *Catalogue, o *Options, opts ...profile.FieldOption) *Inventory {
	if o == nil {
		o = &Options{}
	}
	return declare(name, c, o.Capacity, nil, opts)
}

func declare(name string, c *Catalogue, capacity int, places []string, opts []profile.FieldOption) *Inventory {
	b := &Inventory{catalogue: c, capacity: capacity, places: places}
	form := &profile.ElementsForm{Kind: "inventory", Check: checkStored, Do: b.do}
	switch {
	case c == nil:
		form.Mistake = fmt.Errorf("%w: there is none", ErrCatalogue)
	case c.err != nil:
		form.Mistake = c.err
	case capacity < 0:
		form.Mistake = fmt.Errorf("capacity of %d", capacity)
	default:
		form.Mistake = checkPlaces(places)
	}
	b.elements = profile.Elements(name, form, opts...)
	b.Field = b.elements
	return b
}

// Catalogue returns the rules of the inventory's items.
func (b *Inventory) Catalogue() *Catalogue { return b.catalogue }

// Capacity returns how many entries the inventory holds, zero if nothing but the
// document's limits says that.
func (b *Inventory) Capacity() int { return b.capacity }

// Entry is one stack, or one instance.
type Entry struct {
	// Key names the entry within its inventory, and stays the same while it is there.
	// The key of an instance is the same in every inventory; that of a stack may be
	// used again by another of the same item when the stack has gone.
	Key    string
	Item   string // name of the item
	Amount int64  // of a stack; 1 for an instance
	// Properties are a JSON object, or nil for none. They are shared and must not be
	// changed.
	Properties json.RawMessage
	ID         driver.Version // of an instance; zero for a stack
	Place      string         // in an inventory of places; else empty

	history []byte
}

// Unique reports whether the entry is an instance.
func (e *Entry) Unique() bool { return !e.ID.IsZero() }

// Decode decodes the properties into what v points to, as package encoding/json
// does. Without properties it does nothing.
func (e *Entry) Decode(v any) error {
	if e.Properties == nil {
		return nil
	}
	return profile.DecodeValue(e.Properties, v)
}

// Property decodes one property into what v points to. It returns false if there is
// none of that name.
func (e *Entry) Property(name string, v any) (bool, error) {
	value, ok := property(e.Properties, name)
	if !ok {
		return false, nil
	}
	return true, profile.DecodeValue(value, v)
}

func property(props []byte, name string) ([]byte, bool) {
	for n, value := range document.Members(props) {
		if n == name {
			return value, true
		}
	}
	return nil, false
}

// entryOf returns the entry that is stored, and false if it is not of the stored
// form: then it was not loaded, but written past this package.
func entryOf(key string, value []byte) (Entry, bool) {
	k, err := splitKey(key)
	if err != nil {
		return Entry{}, false
	}
	s, err := parseStored(value)
	if err != nil {
		return Entry{}, false
	}
	e := Entry{Key: key, Item: k.item, Amount: s.n, Properties: s.props, ID: k.id, Place: s.at, history: s.history}
	if e.Unique() {
		e.Amount = 1
	}
	return e, true
}

// Len returns the number of entries.
func (b *Inventory) Len(r profile.Reader) int { return b.elements.Len(r) }

// Get returns the entry of a key, and false if there is none.
func (b *Inventory) Get(r profile.Reader, key string) (Entry, bool) {
	value, ok := b.elements.Get(r, key)
	if !ok {
		return Entry{}, false
	}
	return entryOf(key, value)
}

// Count returns how much there is of an item: the sum of its stacks, or the number of
// its instances. It costs what the item's entries cost, whatever the number of the
// others.
func (b *Inventory) Count(r profile.Reader, item string) int64 {
	var room [roomFor]stack
	_, total := b.holdings(room[:0], r, item)
	return total
}

// Has reports whether there are n of an item, or more.
func (b *Inventory) Has(r profile.Reader, item string, n int64) bool { return b.Count(r, item) >= n }

// Find iterates over the entries of an item as they are when Find is called: stacks
// in the order of their numbers, then instances, the oldest first. It looks at no
// others. The loop may change the profile.
func (b *Inventory) Find(r profile.Reader, item string) iter.Seq[Entry] {
	stacks, _ := b.holdings(nil, r, item)
	return func(yield func(Entry) bool) {
		for i := range stacks {
			if e, ok := entryOf(stacks[i].key, stacks[i].value); ok && !yield(e) {
				return
			}
		}
	}
}

// All iterates over all entries as they are when All is called, in the order in
// which they came. The loop may change the profile.
func (b *Inventory) All(r profile.Reader) iter.Seq[Entry] {
	all := b.elements.All(r)
	return func(yield func(Entry) bool) {
		for key, value := range all {
			if e, ok := entryOf(key, value); ok && !yield(e) {
				return
			}
		}
	}
}

// OnChange calls fn for each entry that an update of p changed, with what it was
// before and after, nil if it was or is not there. It returns a function that ends
// this.
func (b *Inventory) OnChange(p *profile.Profile, fn func(key string, old, new *Entry)) (cancel func()) {
	return b.elements.OnChange(p, func(key string, old, new []byte) { fn(key, pointer(key, old), pointer(key, new)) })
}

func pointer(key string, value []byte) *Entry {
	if value == nil {
		return nil
	}
	if e, ok := entryOf(key, value); ok {
		return &e
	}
	return nil
}

// stack is an entry of an item, as operations look at it.
type stack struct {
	keyParts
	stored
	key   string
	value []byte
}

// unique reports whether it is an instance.
func (s *stack) unique() bool { return s.number == 0 }

func (s *stack) amount() int64 {
	if s.unique() {
		return 1
	}
	return s.n
}

// roomFor is how many entries of one item are mostly looked at without allocation.
const roomFor = 4

// holdings appends the entries of an item to dst, stacks in the order of their
// numbers and then instances in that of their ids, and returns how much they are
// together, MaxAmount if it is more.
func (b *Inventory) holdings(dst []stack, r profile.Reader, item string) (all []stack, total int64) {
	var room [roomFor]document.Member
	for _, m := range b.elements.AppendFamily(room[:0], r, item, sep) {
		k, err := splitKey(m.Name)
		if err != nil || k.item != item {
			continue
		}
		s, err := parseStored(m.Value)
		if err != nil {
			continue
		}
		dst = append(dst, stack{keyParts: k, stored: s, key: m.Name, value: m.Value})
		total = min(total+dst[len(dst)-1].amount(), MaxAmount)
	}
	if !slices.IsSortedFunc(dst, inOrder) {
		slices.SortFunc(dst, inOrder)
	}
	return dst, total
}

func inOrder(a, b stack) int {
	if a.unique() != b.unique() {
		return cmp.Compare(b.number, a.number)
	}
	return cmp.Or(cmp.Compare(a.number, b.number), bytes.Compare(a.id[:], b.id[:]))
}

// entry returns the entry of a key for an operation, or refuses the update because
// there is none.
func (b *Inventory) entry(tx *profile.Tx, key string) (stack, error) {
	value, ok := b.elements.Get(tx, key)
	if !ok {
		return stack{}, b.refuse(tx, key, profile.ErrMissing)
	}
	k, err := splitKey(key)
	if err != nil {
		return stack{}, b.refuse(tx, key, err)
	}
	s, err := parseStored(value)
	if err != nil {
		return stack{}, b.refuse(tx, key, err)
	}
	return stack{keyParts: k, stored: s, key: key, value: value}, nil
}

func (b *Inventory) refuse(tx *profile.Tx, key string, reason error) error {
	return b.elements.Refuse(tx, key, reason)
}

// write stores an entry.
func (b *Inventory) write(tx *profile.Tx, key string, s *stored) error {
	var room [160]byte
	return b.elements.Put(tx, key, s.append(room[:0]))
}
