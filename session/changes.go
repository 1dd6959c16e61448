package session

import (
	"math"

	"github.com/holdfast-games/holdfast/document"
)

// ledger holds the last value of each path that was changed since some moment,
// and the value that the path had at that moment. It never names both a field
// and an element of it in was; in now an element follows its field.
type ledger struct {
	now, was           document.Delta
	nowIndex, wasIndex map[document.Path]int // nil while the deltas are short
}

// linear is the length up to which a delta is searched without an index.
const linear = 12

// room is where a list lies that has one change, as most have: within what owns the
// list, and not elsewhere in memory.
type room [1]document.Change

func (l *ledger) empty() bool { return len(l.now) == 0 }

func (l *ledger) reset() { *l = ledger{now: l.now[:0], was: l.was[:0]} }

// note records that the value under p, which was prev, is now value; nil
// stands for absence.
func (l *ledger) note(p document.Path, prev, value []byte) {
	l.noteWas(p, prev)
	if !p.Deep && l.nowIndex == nil && len(l.now) == 0 {
		l.now = append(l.now, document.Change{Path: p, Value: value})
		return
	}
	if !p.Deep {
		l.now, l.nowIndex = dropElements(l.now, l.nowIndex, p.Field)
	}
	if i := find(l.now, l.nowIndex, p); i >= 0 {
		l.now[i].Value = value
		return
	}
	l.now, l.nowIndex = add(l.now, l.nowIndex, document.Change{Path: p, Value: value})
}

// noteWas records what a path held at the ledger's moment, if that is not
// known yet.
func (l *ledger) noteWas(p document.Path, prev []byte) {
	if find(l.was, l.wasIndex, p) >= 0 {
		return
	}
	if p.Deep {
		if find(l.was, l.wasIndex, document.Field(p.Field)) >= 0 {
			return
		}
	} else if hasElements(l.was, p.Field) {
		prev = fieldBefore(p.Field, prev, l.was)
		l.was, l.wasIndex = dropElements(l.was, l.wasIndex, p.Field)
	}
	l.was, l.wasIndex = add(l.was, l.wasIndex, document.Change{Path: p, Value: prev})
}

// revert returns the value that a path had at the ledger's moment, given the
// one that it has now; nil stands for absence.
func (l *ledger) revert(p document.Path, value []byte) []byte {
	if i := find(l.was, l.wasIndex, p); i >= 0 {
		return l.was[i].Value
	}
	if !p.Deep {
		if hasElements(l.was, p.Field) {
			return fieldBefore(p.Field, value, l.was)
		}
		return value
	}
	i := find(l.was, l.wasIndex, document.Field(p.Field))
	if i < 0 {
		return value
	}
	if l.was[i].Value == nil {
		return nil
	}
	d := scratch()
	if _, err := d.Set(document.Field(p.Field), l.was[i].Value); err != nil {
		return nil
	}
	before, _ := d.Get(p)
	return before
}

// scratch returns an empty document that takes any value which stood in another:
// the other's limits may be wider than the defaults.
func scratch() *document.Document {
	d, err := document.Parse([]byte("{}"), &document.Limits{Size: math.MaxInt, Depth: math.MaxInt, Fields: math.MaxInt})
	if err != nil {
		return new(document.Document) // not reached: an empty object is a document
	}
	return d
}

func find(d document.Delta, index map[document.Path]int, p document.Path) int {
	if index != nil {
		if i, ok := index[p]; ok {
			return i
		}
		return -1
	}
	for i := range d {
		if d[i].Path == p {
			return i
		}
	}
	return -1
}

func add(d document.Delta, index map[document.Path]int, c document.Change) (document.Delta, map[document.Path]int) {
	d = append(d, c)
	switch {
	case index != nil:
		index[c.Path] = len(d) - 1
	case len(d) > linear:
		index = reindex(d)
	}
	return d, index
}

func reindex(d document.Delta) map[document.Path]int {
	index := make(map[document.Path]int, 2*len(d))
	for i := range d {
		index[d[i].Path] = i
	}
	return index
}

func hasElements(d document.Delta, field string) bool {
	for i := range d {
		if d[i].Path.Deep && d[i].Path.Field == field {
			return true
		}
	}
	return false
}

func dropElements(d document.Delta, index map[document.Path]int, field string) (document.Delta, map[document.Path]int) {
	if !hasElements(d, field) {
		return d, index
	}
	kept := d[:0]
	for _, c := range d {
		if !c.Path.Deep || c.Path.Field != field {
			kept = append(kept, c)
		}
	}
	clear(d[len(kept):])
	if index != nil {
		index = reindex(kept)
	}
	return kept, index
}

// fieldBefore takes the element changes of a field back from its value.
func fieldBefore(field string, value []byte, was document.Delta) []byte {
	d := scratch()
	if value != nil {
		if _, err := d.Set(document.Field(field), value); err != nil {
			return value
		}
	}
	for _, c := range was {
		if !c.Path.Deep || c.Path.Field != field {
			continue
		}
		if c.Value == nil {
			d.Delete(c.Path)
			continue
		}
		if _, err := d.Set(c.Path, c.Value); err != nil {
			return value
		}
	}
	before, _ := d.Get(document.Field(field))
	return before
}

// changes are what one session changed since the journal's last turn. Until
// that turn the session's lock guards them; afterwards the ledger is never
// written again, and the lease's lock guards the rest.
type changes struct {
	s       *Session
	turn    uint64 // the journal's turn in which they were made
	ledger  ledger
	now     room   // of the ledger
	was     room   // likewise
	before  uint64 // the document's revision without them, and with them
	after   uint64
	outbox  outbox
	reasons reasons
	keep    bool     // the version with them is to be kept
	group   *changes // the group's first, by following; nil: this one
	linked  bool     // it is not alone in its group; the session's lock guards it
	bytes   int      // of its record
	settled bool     // on disk, or never will be
	saved   bool     // on disk with a final save, which was faster than the append
	err     error    // why it never will be
	waiters []func(error)
}

// first returns the changes that stand for the group, which is a union of all
// that were made together.
func (c *changes) first() *changes {
	for c.group != nil {
		if c.group.group != nil {
			c.group = c.group.group
		}
		c = c.group
	}
	return c
}

func (c *changes) join(o *changes) {
	if a, b := c.first(), o.first(); a != b {
		b.group = a
	}
}
