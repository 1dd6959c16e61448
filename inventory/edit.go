package inventory

import (
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/profile"
)

// SetProperties gives an entry, a whole stack or an instance, other properties: a value
// that encodes as a JSON object, or nil for none. The item's own are not filled in. It
// is refused with profile.ErrMissing or ErrProperties.
func (b *Inventory) SetProperties(tx *profile.Tx, key string, properties any) error {
	return b.edit(tx, key, func([]byte) ([]byte, error) { return encodeProperties(properties) })
}

// SetProperty gives one property of an entry a value, and leaves the others as they
// are. Nil removes it. It is refused as SetProperties is.
func (b *Inventory) SetProperty(tx *profile.Tx, key, name string, value any) error {
	return b.edit(tx, key, func(props []byte) ([]byte, error) { return withProperty(props, name, value) })
}

// EditProperty calls fn with a copy of one property of an entry, the zero value if it is
// not there, and writes what it has become. An error of fn refuses the write; else it
// is refused as SetProperties is, and if the property is of another type.
func EditProperty[T any](b *Inventory, tx *profile.Tx, key, name string, fn func(*T) error) error {
	return b.edit(tx, key, func(props []byte) ([]byte, error) {
		var v T
		if value, ok := property(props, name); ok {
			if err := profile.DecodeValue(value, &v); err != nil {
				return nil, err
			}
		}
		if err := fn(&v); err != nil {
			return nil, err
		}
		return withProperty(props, name, v)
	})
}

// edit replaces the properties of an entry.
func (b *Inventory) edit(tx *profile.Tx, key string, fn func(props []byte) ([]byte, error)) error {
	s, err := b.entry(tx, key)
	if err != nil {
		return err
	}
	props, err := fn(s.props)
	if err == nil {
		err = b.catalogue.carried(s.item, s.unique()).validate(props)
	}
	if err != nil {
		return b.refuse(tx, key, err)
	}
	s.props = props
	return b.write(tx, key, &s.stored)
}

// withProperty returns properties in which one has another value, or is missing.
func withProperty(props []byte, name string, v any) ([]byte, error) {
	var value []byte
	if v != nil {
		text, err := profile.EncodeValue(v, nil)
		if err != nil {
			return nil, err
		}
		value = text
	}
	quoted, err := profile.EncodeValue(name, nil) // a name that is not UTF-8 is refused
	if err != nil {
		return nil, err
	}
	out := []byte("{")
	put := func(quoted, value []byte) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, quoted...), ':'), value...)
	}
	for n, old := range document.Members(props) {
		switch {
		case n != name:
			put(appendQuoted(nil, n), old)
		case value != nil:
			put(quoted, value)
			value = nil
		}
	}
	if value != nil {
		put(quoted, value)
	}
	if len(out) == 1 {
		return nil, nil
	}
	return append(out, '}'), nil
}
