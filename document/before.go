package document

import "slices"

// AppendBefore appends the JSON of the document as it was before the changes
// that undo takes back, and returns the extended slice: what Set and Delete
// returned, with a nil value for what was absent. The document does not change.
// It serves to save a state a little older than the one in memory.
//
// Undo holds at most one change per path. If it holds a field and elements of
// it, the field is taken back first. Members that undo brings back come last,
// since their places are not known any more; apart from that the result is, byte
// for byte, what AppendJSON gave then.
func (d *Document) AppendBefore(dst []byte, undo Delta) []byte {
	if len(undo) == 0 {
		return d.AppendJSON(dst)
	}
	sorted := slices.Clone(undo)
	slices.SortStableFunc(sorted, func(a, b Change) int { return a.Path.Compare(b.Path) })
	var overrides []override
	for len(sorted) > 0 {
		n := 1
		for n < len(sorted) && sorted[n].Path.Field == sorted[0].Path.Field {
			n++
		}
		overrides = append(overrides, d.fieldBefore(sorted[:n]))
		sorted = sorted[n:]
	}
	sortOverrides(overrides)
	return d.root.appendJSON(dst, overrides)
}

// fieldBefore takes back the changes of one field, its own before those of its
// elements.
func (d *Document) fieldBefore(changes Delta) override {
	key := escape(changes[0].Path.Field)
	at := d.root.position(key)
	if !changes[0].Path.Deep && len(changes) == 1 {
		return override{at, changes[0].member(key)}
	}
	var base *object
	if whole := changes[0]; !whole.Path.Deep {
		changes = changes[1:]
		if isObject(whole.Value) {
			base = newObject(whole.Value, elementsOf(whole.Value))
		}
	} else if at < len(d.root.members) {
		base = d.root.view(at)
	}
	if base == nil {
		base = new(object)
	}
	overrides := make([]override, len(changes))
	room := len(key) + len(`"":`) + base.size()
	for i, c := range changes {
		key := escape(c.Path.Element)
		overrides[i] = override{base.position(key), c.member(key)}
		room += len(overrides[i].text) + 1
	}
	sortOverrides(overrides)
	text := append(make([]byte, 0, room), '"')
	text = append(append(text, key...), '"', ':')
	return override{at, base.appendJSON(text, overrides)}
}

// member returns the text of a member with the change's value, or nil if it
// takes the member away.
func (c Change) member(key string) []byte {
	if c.Value == nil {
		return nil
	}
	return encodeMember(key, c.Value)
}

// position is find, with the position after the last member for what is absent.
func (o *object) position(key string) int {
	if i := o.find(key); i >= 0 {
		return i
	}
	return len(o.members)
}

func sortOverrides(o []override) {
	slices.SortStableFunc(o, func(a, b override) int { return a.at - b.at })
}
