package document

import (
	"encoding/binary"
	"fmt"
)

// Change gives a path a value, or takes away what it names.
type Change struct {
	// Path names the field or the element.
	Path Path
	// Value is compact JSON. Nil means that what the path names is deleted.
	Value []byte
}

// Delta is a list of changes, applied in order.
type Delta []Change

// Apply makes the changes of the delta, in order. Values must be compact JSON,
// as DecodeDelta, Diff and Compact return them. Unlike Set it allows the
// document to exceed its size and number of fields in between, so that the order
// of the changes does not matter to the limits. On an error, which matches those
// of Set, all is taken back; members that were taken away meanwhile may then
// stand at the end.
//
// A deletion of an element of a missing field leaves an empty object there: in
// a merged delta it stands for an element that was set and deleted since.
func (d *Document) Apply(delta Delta) error {
	undo := make(Delta, 0, len(delta))
	for i, c := range delta {
		back, err := d.applyChange(c)
		if err != nil {
			d.takeBack(undo)
			return fmt.Errorf("apply change %d of %d to %s: %w", i+1, len(delta), shown(c.Path.String()), err)
		}
		undo = append(undo, back)
	}
	limits := d.limits.resolved()
	err := limits.checkSize(d.Size())
	if err == nil {
		err = limits.checkFields(d.count)
	}
	if err != nil {
		d.takeBack(undo)
		return fmt.Errorf("apply %d changes: %w", len(delta), err)
	}
	return nil
}

// applyChange makes one change and returns the one that takes it back.
func (d *Document) applyChange(c Change) (back Change, err error) {
	back = Change{Path: c.Path}
	if c.Path.Deep && d.root.find(escape(c.Path.Field)) < 0 {
		back.Path = Field(c.Path.Field)
		if c.Value == nil {
			if err := c.Path.Check(); err != nil {
				return back, err
			}
			c = Change{back.Path, []byte("{}")}
		}
	}
	if c.Value != nil {
		back.Value, _, err = d.set(c.Path, c.Value, false)
		return back, err
	}
	if err := c.Path.Check(); err != nil {
		return back, err
	}
	if d.locate(c.Path).in == nil {
		return back, ErrNotObject
	}
	back.Value = d.Delete(c.Path)
	return back, nil
}

// takeBack undoes changes, the last one first.
func (d *Document) takeBack(undo Delta) {
	for i := len(undo) - 1; i >= 0; i-- {
		c := undo[i]
		if c.Value == nil {
			d.Delete(c.Path)
		} else {
			// It was there before, so no rule stands against it.
			d.set(c.Path, c.Value, false)
		}
	}
}

// Merge returns one delta that does what d and then later do: the last value
// per path, where a change of a field makes earlier changes of its elements
// void. Neither argument changes; values are shared. Fields and elements that
// are new may come in another order than from the two deltas.
func (d Delta) Merge(later Delta) Delta {
	all := make(Delta, 0, len(d)+len(later))
	all = append(append(all, d...), later...)
	whole := make(map[string]int)
	for i, c := range all {
		if !c.Path.Deep {
			whole[c.Path.Field] = i
		}
	}
	place := make(map[Path]int, len(all))
	merged := make(Delta, 0, len(all))
	for i, c := range all {
		if last, ok := whole[c.Path.Field]; ok && c.Path.Deep && i < last {
			continue
		}
		if at, ok := place[c.Path]; ok {
			merged[at].Value = c.Value
			continue
		}
		place[c.Path] = len(merged)
		merged = append(merged, c)
	}
	return merged
}

// The first number of an encoded change is the length of the field's name,
// shifted by two bits that say what follows.
const (
	hasValue   = 1
	hasElement = 2
)

// AppendBinary appends the delta in a compact form and returns the extended
// slice. The form is the number of changes, then for each the lengths and bytes
// of the field's name, the element's name if there is one, and the value if
// there is one. Numbers are unsigned varints. It carries no checksum.
func (d Delta) AppendBinary(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(d)))
	for _, c := range d {
		head := uint64(len(c.Path.Field)) << 2
		if c.Path.Deep {
			head |= hasElement
		}
		if c.Value != nil {
			head |= hasValue
		}
		dst = binary.AppendUvarint(dst, head)
		dst = append(dst, c.Path.Field...)
		if c.Path.Deep {
			dst = binary.AppendUvarint(dst, uint64(len(c.Path.Element)))
			dst = append(dst, c.Path.Element...)
		}
		if c.Value != nil {
			dst = binary.AppendUvarint(dst, uint64(len(c.Value)))
			dst = append(dst, c.Value...)
		}
	}
	return dst
}
