package document

import "slices"

// Diff returns the changes that turn a into what means the same as b, sorted by
// path: per element where a field is an object in both, else per field. Values
// that are Equal make no change, and neither does the order of members. Values
// are shared with b. Neither document changes.
func Diff(a, b *Document) Delta {
	var delta Delta
	for name, old := range a.Fields() {
		i := b.root.find(escape(name))
		if i < 0 {
			delta = append(delta, Change{Path: Field(name)})
			continue
		}
		if value := b.root.value(i); !Equal(old, value) {
			delta = append(delta, diffField(a, b, name)...)
		}
	}
	for name, value := range b.Fields() {
		if a.root.find(escape(name)) < 0 {
			delta = append(delta, Change{Field(name), value})
		}
	}
	slices.SortFunc(delta, func(x, y Change) int { return x.Path.Compare(y.Path) })
	return delta
}

// diffField returns the changes of one field that both documents have.
func diffField(a, b *Document, field string) Delta {
	key := escape(field)
	at := b.root.find(key)
	whole := Delta{{Field(field), b.root.value(at)}}
	from, to := a.root.view(a.root.find(key)), b.root.view(at)
	if from == nil || to == nil {
		return whole
	}
	var delta Delta
	for name := range from.all() {
		if to.find(escape(name)) < 0 {
			delta = append(delta, Change{Path: Element(field, name)})
		}
	}
	for name, value := range to.all() {
		if i := from.find(escape(name)); i < 0 || !Equal(from.value(i), value) {
			delta = append(delta, Change{Element(field, name), value})
		}
	}
	for _, c := range delta {
		// A name that no path can hold is changed with its field.
		if c.Path.Check() != nil {
			return whole
		}
	}
	return delta
}
