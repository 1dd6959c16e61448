package inventory

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/profile"
)

const (
	// MaxName is how many bytes the name of an item may have.
	MaxName = 50
	// MaxAmount is the largest amount of anything, of one stack and of all stacks of
	// an item in an inventory: 2^53-1, the largest integer up to which programs in
	// JavaScript, Lua and others with floating-point numbers are exact.
	MaxAmount = 1<<53 - 1
)

// Item is the rules of one item.
type Item struct {
	// Name is 1 to MaxName bytes of UTF-8 without control characters and without '#'.
	Name string
	// Unique says that each piece is an instance with an id and a history. Else
	// pieces are alike, and lie in stacks.
	Unique bool
	// Stack is how much one stack holds at most, up to MaxAmount. Zero means
	// MaxAmount. It must be zero for a unique item.
	Stack int64
	// Most is how much of the item one inventory holds at most, up to MaxAmount. Zero
	// means MaxAmount.
	Most int64
	// Properties are what new pieces have for properties that they are not given: nil,
	// or a value that encodes as a JSON object.
	Properties any
	// Validate, unless nil, is called with the properties that an entry is about to
	// have, nil for none, and refuses them with its error. It runs inside of the
	// update: it must be quick and must not use the profile.
	Validate func(properties json.RawMessage) error
}

// Catalogue is a game's items by their names. It is immutable and safe for
// concurrent use.
type Catalogue struct {
	items map[string]*rule
	err   error
}

// rule is an item as it is applied.
type rule struct {
	Item
	defaults []byte // compact JSON object, or nil
}

// NewCatalogue returns a catalogue. A mistake in it does not panic: Err reports it,
// and so does the schema of an inventory that uses it.
func NewCatalogue(items ...Item) *Catalogue {
	c := &Catalogue{items: make(map[string]*rule, len(items))}
	var errs []error
	for _, it := range items {
		r, err := newRule(it)
		if err == nil && c.items[it.Name] != nil {
			err = fmt.Errorf("item %q: there are two of that name", it.Name)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.items[it.Name] = r
	}
	if len(errs) > 0 {
		c.err = fmt.Errorf("%w: %w", ErrCatalogue, errors.Join(errs...))
	}
	return c
}

func newRule(it Item) (*rule, error) {
	r := &rule{Item: it}
	if err := checkName(it.Name); err != nil {
		return nil, fmt.Errorf("item: %w", err)
	}
	for _, n := range []int64{it.Stack, it.Most} {
		if n < 0 || n > MaxAmount {
			return nil, fmt.Errorf("item %q: %w: %d, from 0 to %d", it.Name, ErrAmount, n, int64(MaxAmount))
		}
	}
	if it.Unique && it.Stack > 0 {
		return nil, fmt.Errorf("item %q: what is unique has no stacks", it.Name)
	}
	var err error
	if r.defaults, err = encodeProperties(it.Properties); err == nil {
		err = r.validate(r.defaults)
	}
	if err != nil {
		return nil, fmt.Errorf("item %q: %w", it.Name, err)
	}
	if r.Stack == 0 {
		r.Stack = MaxAmount
	}
	if r.Most == 0 {
		r.Most = MaxAmount
	}
	return r, nil
}

// Err returns nil, or an error that matches ErrCatalogue and names every mistake.
func (c *Catalogue) Err() error { return c.err }

// Len returns the number of items.
func (c *Catalogue) Len() int { return len(c.items) }

// Item returns the rules of an item, with the limits that stand for zero filled in,
// and false if there is none of that name.
func (c *Catalogue) Item(name string) (Item, bool) {
	r := c.items[name]
	if r == nil {
		return Item{}, false
	}
	return r.Item, true
}

// Items iterates over the items in the order of their names.
func (c *Catalogue) Items() iter.Seq[Item] {
	return func(yield func(Item) bool) {
		for _, name := range slices.Sorted(maps.Keys(c.items)) {
			if !yield(c.items[name].Item) {
				return
			}
		}
	}
}

// known returns the rules of an item of which more is to be made.
func (c *Catalogue) known(name string, unique bool) (*rule, error) {
	r := c.items[name]
	switch {
	case r == nil:
		if err := checkName(name); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %q", ErrUnknownItem, name)
	case r.Unique != unique && r.Unique:
		return nil, fmt.Errorf("%w: each %q is unique, and is made by Create", ErrKind, name)
	case r.Unique != unique:
		return nil, fmt.Errorf("%w: %q is not unique, and is made by Add", ErrKind, name)
	}
	return r, nil
}

// foreign are the rules for what is here already of an item that the catalogue does
// not know, or knows as another kind.
var foreign = &rule{Item: Item{Stack: MaxAmount, Most: MaxAmount}}

// carried returns the rules by which existing pieces of an item are moved.
func (c *Catalogue) carried(name string, unique bool) *rule {
	if r := c.items[name]; r != nil && r.Unique == unique {
		return r
	}
	return foreign
}

func (r *rule) validate(props []byte) error {
	if r.Validate == nil {
		return nil
	}
	if err := r.Validate(props); err != nil {
		return fmt.Errorf("%w: %w", ErrProperties, err)
	}
	return nil
}

// properties returns the properties of a new piece: those that are given, and the
// defaults for the others.
func (r *rule) properties(given any) ([]byte, error) {
	props := r.defaults
	if given != nil {
		own, err := encodeProperties(given)
		if err != nil {
			return nil, err
		}
		props = withDefaults(own, r.defaults)
	}
	return props, r.validate(props)
}

// encodeProperties returns the encoding of properties, or nil if there are none.
func encodeProperties(v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	text, err := profile.EncodeValue(v, nil)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrProperties, err)
	case string(text) == "null" || string(text) == "{}":
		return nil, nil
	case text[0] != '{':
		return nil, fmt.Errorf("%w: %.40q is no JSON object", ErrProperties, text)
	}
	return text, nil
}

// withDefaults returns properties with the defaults for those that are not there.
func withDefaults(own, defaults []byte) []byte {
	if own == nil || defaults == nil {
		return slices.Concat(own, defaults)
	}
	has := make(map[string]bool)
	for name := range document.Members(own) {
		has[name] = true
	}
	for name, value := range document.Members(defaults) {
		if !has[name] {
			own = withMember(own, name, value)
		}
	}
	return own
}

func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrName)
	case len(name) > MaxName:
		return fmt.Errorf("%w: %d bytes, at most %d: %.60q", ErrName, len(name), MaxName, name)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: %q is not UTF-8", ErrName, name)
	case strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 || r == sep }):
		return fmt.Errorf("%w: %q has a control character or a '#'", ErrName, name)
	}
	return nil
}
