package replica

import (
	"bytes"

	"github.com/holdfast-games/holdfast/profile"
)

// marks are the paths that have changed since the last frame, in the order in which
// they first did. What they hold now is read when the frame is made.
type marks struct {
	fields []*fieldMark
	at     map[int]*fieldMark // by the field's position
	count  int                // of elements
}

// fieldMark says what of one field has changed: all of it, or some elements.
type fieldMark struct {
	field    int // its position
	whole    bool
	elements []string
	had      map[string]bool // whether the client has the element
}

func (m *marks) empty() bool { return len(m.fields) == 0 }

// size is how many paths are marked.
func (m *marks) size() int { return len(m.fields) + m.count }

func (m *marks) field(i int) *fieldMark {
	if f := m.at[i]; f != nil {
		return f
	}
	if m.at == nil {
		m.at = make(map[int]*fieldMark)
	}
	f := &fieldMark{field: i}
	m.at[i] = f
	m.fields = append(m.fields, f)
	return f
}

// whole marks a field.
func (m *marks) whole(i int) {
	f := m.field(i)
	m.count -= len(f.elements)
	f.whole, f.elements, f.had = true, nil, nil
}

// change marks what an update has changed.
func (m *marks) change(i int, c *profile.Change) {
	if (c.Old == nil) == (c.New == nil) && bytes.Equal(c.Old, c.New) {
		return
	}
	if !c.Path.Deep {
		m.whole(i)
		return
	}
	f := m.field(i)
	if f.whole {
		return
	}
	name := c.Path.Element
	if _, ok := f.had[name]; ok {
		return // what the client has of it was noted then
	}
	if f.had == nil {
		f.had = make(map[string]bool)
	}
	f.had[name] = c.Old != nil
	f.elements = append(f.elements, name)
	m.count++
}

// clear forgets all, after a frame.
func (m *marks) clear() { *m = marks{} }
