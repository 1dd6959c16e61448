package document

import (
	"hash/maphash"
	"math/bits"
)

// nameCheck finds names that occur twice in one object of a compact text, in which
// equal names are equal bytes.
type nameCheck struct {
	text  []byte
	names []name   // of the objects that are open, the innermost last
	table []uint32 // of places in names plus one, for an object of many
}

// name is where a quoted name stands in the text.
type name struct{ start, end uint32 }

func (c *nameCheck) bytes(n name) []byte { return c.text[n.start:n.end] }

// distinct reports whether no two of the names are the same.
func (c *nameCheck) distinct(names []name) bool {
	if len(names) > linearUpTo {
		return c.distinctHashed(names)
	}
	for i, name := range names {
		for _, other := range names[:i] {
			if c.same(name, other) {
				return false
			}
		}
	}
	return true
}

func (c *nameCheck) same(a, b name) bool {
	return a.end-a.start == b.end-b.start && string(c.bytes(a)) == string(c.bytes(b))
}

// distinctHashed is for names that are too many to compare each with each.
func (c *nameCheck) distinctHashed(names []name) bool {
	size := 1 << bits.Len(uint(2*len(names)-1))
	if cap(c.table) < size {
		c.table = make([]uint32, size)
	}
	table := c.table[:size]
	clear(table)
	for i, name := range names {
		slot := int(maphash.Bytes(seed, c.bytes(name))) & (size - 1)
		for ; table[slot] != 0; slot = (slot + 1) & (size - 1) {
			if c.same(names[table[slot]-1], name) {
				return false
			}
		}
		table[slot] = uint32(i + 1)
	}
	return true
}
