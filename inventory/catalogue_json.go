package inventory

import (
	stdjson "encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/holdfast-games/holdfast/document"
)

// What a catalogue's file may weigh.
const (
	MaxCatalogueSize = 16 << 20 // bytes
	MaxItems         = 100_000
)

// catalogueFile is a catalogue as it is written.
type catalogueFile struct {
	Items map[string]itemFile `json:"items"`
}

type itemFile struct {
	Unique     bool           `json:"unique,omitzero"`
	Stack      jsontext.Value `json:"stack,omitzero"`
	Most       jsontext.Value `json:"most,omitzero"`
	Properties jsontext.Value `json:"properties,omitzero"`
}

// ParseCatalogue reads a catalogue from JSON, for games that keep it in a file and
// for servers in other languages:
//
//	{"items": {
//	  "arrow": {"stack": 64},
//	  "gem":   {"most": 1000},
//	  "sword": {"unique": true, "properties": {"durability": 100}}
//	}}
//
// Validate adds the functions of Item.Validate, by the names of their items; nil
// means none. Members that are not known, names that occur twice, amounts that are
// not whole, functions for items that are not there, more than MaxCatalogueSize
// bytes and more than MaxItems items are refused. The error matches ErrCatalogue.
func ParseCatalogue(text []byte, validate map[string]func(properties stdjson.RawMessage) error) (*Catalogue, error) {
	if len(text) > MaxCatalogueSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrCatalogue, len(text), MaxCatalogueSize)
	}
	if _, err := document.Compact(text, &document.Limits{Size: MaxCatalogueSize}); err != nil { // bounds its depth
		return nil, fmt.Errorf("%w: %w", ErrCatalogue, err)
	}
	var f catalogueFile
	if err := json.Unmarshal(text, &f, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCatalogue, err)
	}
	if len(f.Items) > MaxItems {
		return nil, fmt.Errorf("%w: %d items, at most %d", ErrCatalogue, len(f.Items), MaxItems)
	}
	items := make([]Item, 0, len(f.Items))
	for _, name := range slices.Sorted(maps.Keys(f.Items)) {
		it, err := f.Items[name].item(name)
		if err != nil {
			return nil, fmt.Errorf("%w: item %.60q: %w", ErrCatalogue, name, err)
		}
		it.Validate = validate[name]
		items = append(items, it)
	}
	for name := range validate {
		if _, ok := f.Items[name]; !ok {
			return nil, fmt.Errorf("%w: a function validates item %q, which is not there", ErrCatalogue, name)
		}
	}
	c := NewCatalogue(items...)
	if c.err != nil {
		return nil, c.err
	}
	return c, nil
}

func (f itemFile) item(name string) (Item, error) {
	it := Item{Name: name, Unique: f.Unique}
	var err error
	if f.Stack != nil {
		if it.Stack, err = parseAmount(f.Stack); err != nil {
			return it, fmt.Errorf("stack: %w", err)
		}
	}
	if f.Most != nil {
		if it.Most, err = parseAmount(f.Most); err != nil {
			return it, fmt.Errorf("most: %w", err)
		}
	}
	if f.Properties != nil {
		it.Properties = stdjson.RawMessage(f.Properties)
		if f.Properties.Kind() != '{' {
			return it, fmt.Errorf("%w: %.40q is no JSON object", ErrProperties, f.Properties)
		}
	}
	return it, nil
}

// JSON returns the catalogue as ParseCatalogue reads it, without its functions.
func (c *Catalogue) JSON() []byte {
	f := catalogueFile{Items: make(map[string]itemFile, len(c.items))}
	for name, r := range c.items {
		it := itemFile{Unique: r.Unique, Properties: r.defaults}
		if r.Stack < MaxAmount && !r.Unique {
			it.Stack = formatAmount(r.Stack)
		}
		if r.Most < MaxAmount {
			it.Most = formatAmount(r.Most)
		}
		f.Items[name] = it
	}
	text, err := json.Marshal(f, json.Deterministic(true))
	if err != nil {
		return nil // cannot be: names are UTF-8, and properties were encoded when they came
	}
	return text
}
