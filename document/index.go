package document

import (
	"hash/maphash"
	"math/bits"
)

// linearUpTo is the number of members up to which names are compared one after
// another. A table answers in 20 ns where that takes 70 ns at worst for 16
// members and 150 ns for 32, but it costs 8 to 16 bytes per member, which most
// objects of a player are too small to be worth.
const linearUpTo = 16

// looksUpTo is how often an object of more members is searched like that before it gets
// a table, as making one takes as long as several searches. What is loaded, changed
// once and saved never needs it.
const looksUpTo = 4

// looks are searches without a table.
type looks struct {
	found    uint32 // position of what was found last
	names    uint16 // how many there were for a name
	families uint16 // and for a family
}

// seed makes the hashes of this process unpredictable to those who choose names.
var seed = maphash.MakeSeed()

// find returns the position of the member whose escaped name is key, or -1.
func (o *object) find(key string) int {
	if r := &o.recent; r.end > 0 && r.key == key {
		return r.end - 1
	}
	if len(o.members) > linearUpTo {
		return o.findIndexed(key)
	}
	for i := range o.members {
		if o.hasName(i, key) {
			return i
		}
	}
	return -1
}

// look is find by looking at all names, first at the one that was found last, as the
// same is often sought several times.
func (o *object) look(key string) int {
	from := int(o.looks.found)
	if from < len(o.members) && o.hasName(from, key) {
		return from
	}
	o.looks.names++
	for i := range o.members {
		if o.hasName(i, key) {
			o.looks.found = uint32(i)
			return i
		}
	}
	return -1
}

func (o *object) hasName(i int, key string) bool {
	if int(o.members[i].name) != len(key)+2 {
		return false
	}
	quoted := o.name(i)
	return string(quoted[1:len(quoted)-1]) == key
}

// findIndexed searches the table, an open-addressing hash table of positions
// plus one. It holds no names, unlike a map, and at least half of it is free.
// Entries of removed members stay in it and match nothing.
func (o *object) findIndexed(key string) int {
	if o.index == nil {
		if o.looks.names < looksUpTo {
			return o.look(key)
		}
		o.index = make([]uint32, 1<<bits.Len(uint(2*len(o.members)-1)))
		for i := range o.members {
			o.enterIndex(i)
		}
	}
	mask := len(o.index) - 1
	for slot := int(maphash.String(seed, key)) & mask; o.index[slot] != 0; slot = (slot + 1) & mask {
		if i := int(o.index[slot] - 1); o.hasName(i, key) {
			return i
		}
	}
	return -1
}

// enterIndex enters the member at i into the table.
func (o *object) enterIndex(i int) {
	quoted := o.name(i)
	if len(quoted) == 0 {
		return
	}
	mask := len(o.index) - 1
	slot := int(maphash.Bytes(seed, quoted[1:len(quoted)-1])) & mask
	for o.index[slot] != 0 {
		slot = (slot + 1) & mask
	}
	o.index[slot] = uint32(i + 1)
}

// noteAdded brings the table up to date after a member was appended, or drops
// it when it is half full, to be made anew at the next search.
func (o *object) noteAdded() {
	switch {
	case o.index == nil:
	case 2*len(o.members) > len(o.index):
		o.index = nil
	default:
		o.enterIndex(len(o.members) - 1)
	}
}
