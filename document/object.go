package document

import "slices"

// object is the members of one JSON object, in order. A document is an object
// whose members are its fields; a field that was split is one whose members are
// its elements.
//
// A member as it was loaded is a place in text. One that has changed, was split, or
// has many elements, which were counted, has a part. One that was removed stays as a
// gap, so that the positions of the others hold, until rebuild closes the gaps.
type object struct {
	text    []byte   // what the members without a part point into
	members []member // in order, with gaps
	parts   []part
	index   []uint32 // see index.go; nil while a linear search does
	// families is nil until somebody asks for one.
	families *families
	recent   recent
	body     int    // bytes of all members, each with its comma
	gaps     uint32 // removed members
	kept     uint32 // parts that the last rebuild left
	looks    looks
}

// member is 16 bytes, because there are millions of them in memory.
type member struct {
	at   uint32 // where the member starts in text, if it has no part
	name uint32 // bytes of the quoted name; zero for a gap
	size uint32 // bytes of the value, if it has no part
	part uint32 // its place in parts plus one, or zero
}

// end is where the member ends in text, if it has no part.
func (m *member) end() uint32 { return m.at + m.name + 1 + m.size }

// part is a member that is not in the object's text.
type part struct {
	// text is the member, name and value. While nested has changes that were
	// not encoded, it is the name alone.
	text     []byte
	nested   *object // the elements, once they were asked for
	elements uint32  // how many there are, if nested is nil
}

// recent is the member that was replaced last. The same one is often the next, and is
// found here without a look into members, parts and text, which are in no cache if
// objects are many.
type recent struct {
	part part   // stands for the one in the object's parts
	key  string // the member's escaped name; mostly the same string as the next one sought
	end  int    // the member's position plus one; zero: there is none
}

// value returns the member's value, if that is encoded.
func (r *recent) value() (value []byte, ok bool) {
	if r.part.nested != nil {
		return nil, false
	}
	return r.part.text[len(r.key)+len(`"":`):], true
}

// newObject splits compact JSON text, which must be an object with n members.
func newObject(text []byte, n int) *object {
	o := &object{text: text, members: make([]member, 0, n)}
	for at := 1; at < len(text)-1; {
		colon := stringEnd(text, at)
		end := valueEnd(text, colon+1)
		o.members = append(o.members, member{at: uint32(at), name: uint32(colon - at), size: uint32(end - colon - 1)})
		o.body += end - at + 1 // with a comma
		at = end + 1
	}
	return o
}

func (o *object) len() int { return len(o.members) - int(o.gaps) }

// size is the number of bytes of the encoded object.
func (o *object) size() int {
	if o.body == 0 {
		return len("{}")
	}
	return o.body + 1 // two brackets, and one comma less than members
}

// part returns the part of the member at i, or nil.
func (o *object) part(i int) *part {
	if i+1 == o.recent.end {
		return &o.recent.part
	}
	if n := o.members[i].part; n > 0 {
		return &o.parts[n-1]
	}
	return nil
}

// stale reports whether a part's value must be encoded before it is read.
func (m member) stale(p *part) bool { return len(p.text) == int(m.name) }

// name returns the quoted name of the member at i.
func (o *object) name(i int) []byte {
	m := o.members[i]
	if p := o.part(i); p != nil {
		return p.text[:m.name:m.name]
	}
	return o.text[m.at : m.at+m.name : m.at+m.name]
}

// member returns the name and the value at i as they stand in JSON. If it has
// to encode the value, it keeps the encoding.
func (o *object) member(i int) []byte {
	m := o.members[i]
	p := o.part(i)
	if p == nil {
		end := m.end()
		return o.text[m.at:end:end]
	}
	if m.stale(p) {
		text := make([]byte, 0, int(m.name)+1+p.nested.size())
		text = append(append(text, p.text...), ':')
		p.text = p.nested.appendJSON(text, nil)
	}
	return p.text
}

// value returns the value at i. Its bytes are shared.
func (o *object) value(i int) []byte {
	if i+1 == o.recent.end {
		if v, ok := o.recent.value(); ok {
			return v
		}
	}
	return o.member(i)[o.members[i].name+1:]
}

// valueSize is the length of the value at i, known without encoding it.
func (o *object) valueSize(i int) int {
	p := o.part(i)
	switch {
	case p == nil:
		return int(o.members[i].size)
	case p.nested != nil:
		return p.nested.size()
	}
	return len(o.value(i))
}

// elements returns how many members the value at i has; none if it is not an
// object.
func (o *object) elements(i int) int {
	p := o.part(i)
	switch {
	case p == nil:
		return elementsOf(o.value(i))
	case p.nested != nil:
		return p.nested.len()
	}
	return int(p.elements)
}

func elementsOf(value []byte) int {
	if !isObject(value) {
		return 0
	}
	return measure(value).members
}

// nested returns the value at i split into its elements, or nil if it is not
// an object, and keeps it so.
func (o *object) nested(i int) *object {
	if p := o.part(i); p != nil && p.nested != nil {
		return p.nested
	}
	n := o.view(i)
	if n != nil {
		o.ownPart(i).nested = n
	}
	return n
}

// view is nested without keeping what it has split.
func (o *object) view(i int) *object {
	if p := o.part(i); p != nil && p.nested != nil {
		return p.nested
	}
	value := o.value(i)
	if !isObject(value) {
		return nil
	}
	return newObject(value, o.elements(i))
}

// ownPart returns the part of the member at i and makes it if there is none.
func (o *object) ownPart(i int) *part {
	if p := o.part(i); p != nil {
		return p
	}
	o.parts = append(o.parts, part{text: o.member(i)})
	o.members[i].part = uint32(len(o.parts))
	return &o.parts[len(o.parts)-1]
}

// encodeMember returns a new text of a name, quoted or to be quoted, and value.
func encodeMember(key string, value []byte) []byte {
	text := make([]byte, 0, len(key)+3+len(value))
	text = append(text, '"')
	text = append(text, key...)
	text = append(text, '"', ':')
	return append(text, value...)
}

// add appends a member whose escaped name is key, and returns its value.
func (o *object) add(key string, value []byte, elements int) (kept []byte) {
	text := encodeMember(key, value)
	o.parts = append(o.parts, part{text: text, elements: uint32(elements)})
	o.members = append(o.members, member{name: uint32(len(key) + 2), part: uint32(len(o.parts))})
	o.body += len(key) + 2 + len(value) + 2
	o.noteAdded()
	o.noteFamily()
	o.tidy()
	return text[len(key)+3:]
}

// replace gives the member at i, whose escaped name is key, a new value and returns the
// old one and the new.
func (o *object) replace(i int, key string, value []byte, elements int) (prev, kept []byte) {
	prev = o.value(i)
	text := encodeMember(key, value)
	if i+1 != o.recent.end {
		o.ownPart(i)
		o.retire()
		o.recent.key, o.recent.end = key, i+1
	}
	o.recent.part = part{text: text, elements: uint32(elements)}
	o.body += len(value) - len(prev)
	o.tidy()
	return prev, text[len(key)+len(`"":`):]
}

// retire puts what was replaced last back among the others.
func (o *object) retire() {
	if r := &o.recent; r.end > 0 {
		o.parts[o.members[r.end-1].part-1] = r.part
		*r = recent{}
	}
}

// remove takes the member at i away and returns its value.
func (o *object) remove(i int) (prev []byte) {
	prev = o.value(i)
	if i+1 == o.recent.end {
		o.retire()
	}
	if p := o.part(i); p != nil {
		*p = part{}
	}
	o.body -= int(o.members[i].name) + len(prev) + 2
	o.members[i] = member{}
	o.gaps++
	o.tidy()
	return prev
}

// nestedChanged notes that the elements of the member at i have changed and
// made it longer by growth.
func (o *object) nestedChanged(i, growth int) {
	m := o.members[i]
	p := o.part(i)
	p.text = p.text[:m.name:m.name]
	o.body += growth
}

// tidyAfter is how many gaps and parts an object may have before it is worth
// rebuilding; beyond it, half of its members.
const tidyAfter = 64

// tidy rebuilds the object when gaps and parts are many, so that it stays near
// the size of its JSON however often it changes. Each rebuild is paid for by as
// many changes as half of the members.
func (o *object) tidy() {
	waste := int(o.gaps) + len(o.parts) - int(o.kept)
	if waste > tidyAfter && 2*waste > o.len() {
		o.rebuild()
	}
}

// rebuild writes the members into one new text and closes the gaps. Members
// that are split keep their parts.
func (o *object) rebuild() {
	o.retire()
	text := make([]byte, 0, o.body)
	members := make([]member, 0, o.len())
	var parts []part
	for i, m := range o.members {
		if m.name == 0 {
			continue
		}
		if p := o.part(i); p != nil && p.nested != nil {
			parts = append(parts, *p)
			m = member{name: m.name, part: uint32(len(parts))}
		} else {
			size := uint32(o.valueSize(i))
			whole := o.member(i)
			m = member{at: uint32(len(text)), name: m.name, size: size}
			text = append(append(text, whole...), ',')
		}
		members = append(members, m)
	}
	o.text, o.members, o.parts, o.index, o.families = text, members, parts, nil, nil
	o.gaps, o.kept = 0, uint32(len(parts))
}

// clone returns a copy that shares only bytes that never change.
func (o *object) clone() object {
	o.retire()
	c := *o
	c.members = slices.Clone(o.members)
	c.index, c.families = slices.Clone(o.index), nil
	c.parts = slices.Clone(o.parts)
	for i := range c.parts {
		if n := c.parts[i].nested; n != nil {
			copied := n.clone()
			c.parts[i].nested = &copied
		}
	}
	return c
}

// override is a member's text that is encoded in place of the member at a
// position, or nothing if text is nil. A position after the last member adds
// one.
type override struct {
	at   int
	text []byte
}

// appendJSON appends the object's JSON. Overrides are in the order of their
// positions. It changes nothing and keeps no encoding.
func (o *object) appendJSON(dst []byte, overrides []override) []byte {
	start := len(dst)
	dst = append(dst, '{')
	for i := 0; i < len(o.members); i++ {
		m, plain := o.members[i], len(o.members) // up to the next override
		if len(overrides) > 0 {
			plain = overrides[0].at
		}
		switch {
		case m.name == 0:
		case plain == i:
			dst = appendItem(dst, overrides[0].text)
			overrides = overrides[1:]
		case m.part == 0:
			var end uint32
			i, end = o.run(i, plain)
			dst = append(append(dst, o.text[m.at:end]...), ',')
		default:
			dst = o.appendMember(dst, i)
		}
	}
	for _, added := range overrides {
		dst = appendItem(dst, added.text)
	}
	if len(dst) == start+1 {
		return append(dst, '}')
	}
	dst[len(dst)-1] = '}' // in place of the last comma
	return dst
}

// run returns the last of the members from i on, but before another, that stand in the
// text one after the other, and where it ends there. So what has not changed is copied
// together.
func (o *object) run(i, before int) (last int, end uint32) {
	end = o.members[i].end()
	for last = i; last+1 < before; last++ {
		m := &o.members[last+1]
		if m.part > 0 || m.at != end+1 {
			break
		}
		end = m.end()
	}
	return last, end
}

// appendMember appends the member at i and a comma.
func (o *object) appendMember(dst []byte, i int) []byte {
	p := o.part(i)
	if p == nil || !o.members[i].stale(p) {
		return appendItem(dst, o.member(i))
	}
	dst = append(append(dst, p.text...), ':')
	return append(p.nested.appendJSON(dst, nil), ',')
}

func appendItem(dst, text []byte) []byte {
	if text == nil {
		return dst
	}
	return append(append(dst, text...), ',')
}
