package document

import (
	"hash/maphash"
	"slices"
)

// Member is an element of a field: its name and its value.
type Member struct {
	Name  string
	Value []byte // shared with the document; must not be changed
}

// AppendFamily appends to dst the elements of a field that belong to a name: the
// one that is called so, and those whose names go on after it with sep, such as
// "arrow", "arrow#2" and "arrow#3" for "arrow" and '#'. They come in the order in
// which they stand. It costs the number of them, whatever that of the others, for who
// calls it often: the first calls look at all names, then a table is made, kept while
// elements come and go, and made anew for another sep.
//
// The name must not have a sep in it, and sep must be a printable ASCII character
// that is no letter, digit, quote or backslash.
func (d *Document) AppendFamily(dst []Member, field, name string, sep byte) []Member {
	i := d.root.find(escape(field))
	if i < 0 {
		return dst
	}
	o := d.root.nested(i)
	if o == nil {
		return dst
	}
	key := escape(name)
	if len(o.members) <= linearUpTo || o.looksForFamily(sep) {
		for i := range o.members {
			if o.belongs(i, key, sep) {
				dst = append(dst, o.memberOf(i, key, name))
				o.looks.found = uint32(i)
			}
		}
		return dst
	}
	f := o.familiesBy(sep)
	from := len(dst)
	for next := f.first[f.place(key)]; next != 0; {
		i := int(next - 1)
		if o.belongs(i, key, sep) {
			dst = append(dst, o.memberOf(i, key, name))
		}
		next = f.before[i]
	}
	slices.Reverse(dst[from:])
	return dst
}

// looksForFamily reports whether a family is to be sought without a table, and counts.
func (o *object) looksForFamily(sep byte) bool {
	if o.families != nil && o.families.sep == sep || o.looks.families == looksUpTo {
		return false
	}
	o.looks.families++
	return true
}

// belongs reports whether the member at i belongs to the escaped name.
func (o *object) belongs(i int, key string, sep byte) bool {
	n := int(o.members[i].name) - 2 // less than 0 for a gap
	if n < len(key) {
		return false
	}
	inner := o.name(i)[1 : n+1]
	return string(inner[:len(key)]) == key && (n == len(key) || inner[len(key)] == sep)
}

// memberOf returns the member at i, which belongs to a name.
func (o *object) memberOf(i int, key, name string) Member {
	if int(o.members[i].name)-2 == len(key) {
		return Member{name, o.value(i)}
	}
	return Member{unquote(o.name(i)), o.value(i)}
}

// families is a table of an object's members by their names up to a separator. The
// members of one place form a chain, which leads from the last one back. Members
// that were removed stay in it as gaps, until the object is rebuilt.
type families struct {
	sep    byte
	first  []uint32 // the last member of each place plus one; a power of two long
	before []uint32 // for each member, the one before it in its chain plus one
}

// familiesBy returns the object's table for a separator.
func (o *object) familiesBy(sep byte) *families {
	if o.families != nil && o.families.sep == sep {
		return o.families
	}
	size := 1
	for size < 2*len(o.members) {
		size *= 2
	}
	o.families = &families{sep: sep, first: make([]uint32, size), before: make([]uint32, 0, len(o.members)+len(o.members)/8)}
	for i := range o.members {
		o.families.enter(o, i)
	}
	return o.families
}

func (f *families) place(key string) int {
	return int(maphash.String(seed, key)) & (len(f.first) - 1)
}

// enter enters the member at i, which comes after all others.
func (f *families) enter(o *object, i int) {
	f.before = append(f.before, 0)
	n := int(o.members[i].name) - 2
	if n < 0 {
		return // a gap
	}
	key := o.name(i)[1 : n+1]
	if end := slices.Index(key, f.sep); end >= 0 {
		key = key[:end]
	}
	at := int(maphash.Bytes(seed, key)) & (len(f.first) - 1)
	f.before[i] = f.first[at]
	f.first[at] = uint32(i + 1)
}

// noteFamily brings the table up to date after a member was appended, or drops it
// when its places have become few, to be made anew when it is asked for.
func (o *object) noteFamily() {
	switch f := o.families; {
	case f == nil:
	case len(o.members) > len(f.first):
		o.families = nil
	default:
		f.enter(o, len(o.members)-1)
	}
}
