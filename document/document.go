package document

import (
	"fmt"
	"iter"
	"math"
)

// Document is an ordered set of named fields. The zero value is an empty
// document with the default limits, ready to use. It is not safe for concurrent
// use, not even by readers alone, and must not be copied: see Clone.
type Document struct {
	root   object
	count  int // fields and elements
	limits Limits
}

// Parse reads a document from JSON text, which must be one object. It keeps a
// compact copy, never text itself, and the limits. It refuses invalid JSON,
// invalid UTF-8, lone surrogates, a name that occurs twice in one object, a
// field name that fails Path.Check, what exceeds the limits, and anything after
// the object. The error tells place and reason and matches ErrInvalid,
// ErrTooDeep or ErrTooLarge.
func Parse(text []byte, l *Limits) (*Document, error) { return parse(text, l, math.MaxInt) }

// Adopt is Parse for a text that nobody changes from now on: the document keeps it
// instead of a copy, if it is compact and has 32 KiB or more. It returns Parse's errors.
func Adopt(text []byte, l *Limits) (*Document, error) { return parse(text, l, adopted) }

// adopted is from which size on a text is adopted, in bytes: a small one may be part of
// something larger, which it would keep in memory.
const adopted = 32 << 10

// parse is Parse, and keeps a compact text of at least so many bytes.
func parse(text []byte, l *Limits, keep int) (*Document, error) {
	limits := l.resolved()
	root, s := parseCompact(text, &limits, keep)
	if root == nil {
		var err error
		if root, s, err = parseAny(text, &limits); err != nil {
			return nil, fmt.Errorf("parse document: %w", err)
		}
	}
	if err := limits.checkFields(s.members + s.elements); err != nil {
		return nil, fmt.Errorf("parse document: %w", err)
	}
	d := &Document{root: *root, count: s.members + s.elements, limits: limits}
	for i := range d.root.members {
		if err := checkQuotedFieldName(d.root.name(i)); err != nil {
			return nil, fmt.Errorf("parse document: %w", err)
		}
	}
	return d, nil
}

// parseAny returns the object that a text is, whatever its form, and its shape.
func parseAny(text []byte, l *Limits) (*object, shape, error) {
	s := measure(text)
	if err := l.checkDepth(s.depth); err != nil {
		return nil, s, err
	}
	own, err := format(text, l)
	if err != nil {
		return nil, s, err
	}
	if !isObject(own) {
		return nil, s, fmt.Errorf("%w: the text is a JSON %s, not an object", ErrInvalid, kindOf(own))
	}
	return newObject(own, s.members), s, nil
}

// Len returns the number of fields.
func (d *Document) Len() int { return d.root.len() }

// Size returns the length in bytes of what AppendJSON appends. It takes the
// same short time whatever the size.
func (d *Document) Size() int { return d.root.size() }

// Get returns the value at the path, compact JSON, and whether there is one.
// The value is shared and must not be changed. A field whose elements have
// changed since is encoded, once.
func (d *Document) Get(p Path) (value []byte, ok bool) {
	s := d.locate(p)
	if s.at < 0 {
		return nil, false
	}
	return s.in.value(s.at), true
}

// Has reports whether there is a value at the path. Unlike Get it never encodes
// anything.
func (d *Document) Has(p Path) bool { return d.locate(p).at >= 0 }

// spot is where a path leads to.
type spot struct {
	in    *object // what holds it; nil for an element of what is not an object
	at    int     // its position there, or -1
	field int     // the position of the field, if the path is deep; else -1
}

func (d *Document) locate(p Path) spot {
	field := d.root.find(escape(p.Field))
	if !p.Deep {
		return spot{in: &d.root, at: field, field: -1}
	}
	s := spot{at: -1, field: field}
	if field < 0 {
		return s
	}
	if s.in = d.root.nested(field); s.in != nil {
		s.at = s.in.find(escape(p.Element))
	}
	return s
}

// settle lets the document know that the object at the spot has changed, which
// had the size before.
func (d *Document) settle(s spot, before int) {
	if s.field >= 0 {
		d.root.nestedChanged(s.field, s.in.size()-before)
	}
}

// Set gives the path a value, which must be what Compact returned, and returns
// the value that was there, or nil. It copies the value. Setting an element
// costs the same whatever the size of the document.
//
// An element of a missing field creates the field, as an object; whoever means
// to take the change back must note that the field was absent, not only the
// element. The error matches ErrNotObject for an element of a field that is not
// an object, ErrTooLarge or ErrTooDeep if the document would exceed its limits,
// and ErrInvalid for a path that fails Check or a value without bytes. Then
// nothing has changed.
func (d *Document) Set(p Path, value []byte) (prev []byte, err error) {
	prev, _, err = d.Put(p, value)
	return prev, err
}

// Put is Set for a caller who goes on to use the new value: it also returns the
// document's own copy, which is shared and must not be changed.
func (d *Document) Put(p Path, value []byte) (prev, kept []byte, err error) {
	prev, kept, err = d.set(p, value, true)
	if err != nil {
		return nil, nil, fmt.Errorf("set %s: %w", shown(p.String()), err)
	}
	return prev, kept, nil
}

// set is Set. Without limited, it leaves size and number of fields to the
// caller.
func (d *Document) set(p Path, value []byte, limited bool) (prev, kept []byte, err error) {
	if len(value) == 0 {
		return nil, nil, fmt.Errorf("%w: a value without bytes is not JSON", ErrInvalid)
	}
	at := d.locate(p)
	if at.at < 0 { // what is there has a good name
		if err := p.Check(); err != nil {
			return nil, nil, err
		}
	}
	if at.in == nil {
		return d.setFirst(p, value, limited)
	}
	s, limits := measure(value), d.limits.resolved()
	level, elements, name := 1, s.members, p.Field
	if p.Deep {
		level, elements, name = 2, 0, p.Element // what an element holds are not elements
	}
	if err := limits.checkDepth(level + s.depth); err != nil {
		return nil, nil, err
	}
	key := escape(name)
	growth, names := at.growth(key, value, elements)
	if limited && growth > 0 {
		if err := limits.checkSize(d.Size() + growth); err != nil {
			return nil, nil, err
		}
	}
	if limited && names > 0 {
		if err := limits.checkFields(d.count + names); err != nil {
			return nil, nil, err
		}
	}
	before := at.in.size()
	if at.at >= 0 {
		prev, kept = at.in.replace(at.at, key, value, elements)
	} else {
		kept = at.in.add(key, value, elements)
	}
	d.settle(at, before)
	d.count += names
	return prev, kept, nil
}

// setFirst sets an element of a field that is no object: if the field is
// missing, it is created with this one element.
func (d *Document) setFirst(p Path, value []byte, limited bool) (prev, kept []byte, err error) {
	if d.root.find(escape(p.Field)) >= 0 {
		return nil, nil, ErrNotObject
	}
	text := make([]byte, 0, len(value)+len(p.Element)+len(`{"":}`))
	text = append(text, '{')
	text = append(text, encodeMember(escape(p.Element), value)...)
	text = append(text, '}')
	if _, kept, err = d.set(Field(p.Field), text, limited); err != nil {
		return nil, nil, err
	}
	return nil, kept[len(text)-1-len(value) : len(text)-1], nil
}

// growth returns by how many bytes and names the document grows if the value,
// with so many elements, comes to the spot under the escaped name.
func (s spot) growth(key string, value []byte, elements int) (size, names int) {
	if s.at >= 0 {
		size = len(value) - s.in.valueSize(s.at)
		if s.field < 0 {
			names = elements - s.in.elements(s.at)
		}
		return size, names
	}
	size = len(key) + len(`"":`) + len(value)
	if s.in.len() > 0 {
		size++ // a comma
	}
	return size, 1 + elements
}

// Delete removes what the path names and returns its value, or nil if there was
// none. A field whose last element is deleted stays, as an empty object.
//
// Only a deletion that returned a value belongs into a delta.
func (d *Document) Delete(p Path) (prev []byte) {
	s := d.locate(p)
	if s.at < 0 {
		return nil
	}
	d.count--
	if s.field < 0 {
		d.count -= s.in.elements(s.at)
	}
	before := s.in.size()
	prev = s.in.remove(s.at)
	d.settle(s, before)
	return prev
}

// Fields iterates over the names and values of the fields, in order. Values are
// shared and must not be changed; the document must not be changed meanwhile.
func (d *Document) Fields() iter.Seq2[string, []byte] { return d.root.all() }

// Elements iterates over the elements of a field, in order, as Fields does over
// fields. There are none if the field is missing or not an object.
func (d *Document) Elements(field string) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		i := d.root.find(escape(field))
		if i < 0 {
			return
		}
		if o := d.root.nested(i); o != nil {
			o.all()(yield)
		}
	}
}

// RawElements is Elements with names as bytes, which are shared and must not be changed,
// for who looks at many: it takes no memory for each.
func (d *Document) RawElements(field string) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		i := d.root.find(escape(field))
		if i < 0 {
			return
		}
		o := d.root.nested(i)
		if o == nil {
			return
		}
		for i := range o.members {
			if o.members[i].name > 0 && !yield(unquoteRaw(o.name(i)), o.value(i)) {
				return
			}
		}
	}
}

func (o *object) all() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for i := range o.members {
			if o.members[i].name == 0 {
				continue
			}
			if !yield(unquote(o.name(i)), o.value(i)) {
				return
			}
		}
	}
}

// ElementCount returns how many elements the field has: none if it is missing
// or not an object.
func (d *Document) ElementCount(field string) int {
	i := d.root.find(escape(field))
	if i < 0 {
		return 0
	}
	return d.root.elements(i)
}

// AppendJSON appends the document as compact JSON and returns the extended
// slice.
func (d *Document) AppendJSON(dst []byte) []byte { return d.root.appendJSON(dst, nil) }

// MoveTo makes another document what this one is, limits included, in place of what it
// was, and leaves this one empty with the same limits. It takes the same short time
// whatever the size. It is for who keeps documents within something larger. Nobody else
// may use either meanwhile.
func (d *Document) MoveTo(to *Document) { *to, *d = *d, Document{limits: d.limits} }

// Clone returns a copy that later changes of either do not reach. It costs the
// number of fields and of the elements of fields that were split; bytes are
// shared.
func (d *Document) Clone() *Document {
	return &Document{root: d.root.clone(), count: d.count, limits: d.limits}
}

// kindOf names the kind of a JSON value for a message.
func kindOf(value []byte) string {
	switch value[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}
