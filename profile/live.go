package profile

import (
	"bytes"
	"slices"

	"github.com/holdfast-games/holdfast/document"
)

// A copy that lives is a detached profile whose document moves on: by a step, or to
// another document.

// step makes changes in a copy and returns them with what was there before. The
// bytes of the delta are kept.
func (p *Profile) step(delta document.Delta) (changes []Change, unfit, err error) {
	p.lock()
	defer p.mu.Unlock()
	d := p.openDocument()
	defer p.closeDocument()
	changes = p.before(d, delta)
	if err := d.Apply(delta); err != nil {
		return nil, nil, err
	}
	unfit = p.reload(d, changes)
	return after(d, changes), unfit, nil
}

// before returns what a delta touches, with what is there. Where it touches a field
// and an element of it, the field stands for both.
func (p *Profile) before(d *document.Document, delta document.Delta) []Change {
	whole := make(map[string]bool)
	for _, c := range delta {
		if !c.Path.Deep {
			whole[c.Path.Field] = true
		}
	}
	var changes []Change
	for _, c := range delta {
		if c.Path.Deep && whole[c.Path.Field] {
			continue
		}
		old, _ := d.Get(c.Path)
		changes = append(changes, Change{Profile: p, Field: p.schema.stored(c.Path.Field), Path: c.Path, Old: old})
	}
	return changes
}

// after adds what is there after the changes, and leaves out what is as it was.
func after(d *document.Document, changes []Change) []Change {
	for i := range changes {
		changes[i].New, _ = d.Get(changes[i].Path)
	}
	slices.SortFunc(changes, func(a, b Change) int { return a.Path.Compare(b.Path) })
	return slices.DeleteFunc(changes, func(c Change) bool { return !c.real() })
}

// reload brings the slots of changed fields up to date. A value of another type
// reads as the default; the error tells of it.
func (p *Profile) reload(d *document.Document, changes []Change) (unfit error) {
	p.staleAll()
	last := ""
	for _, c := range changes {
		if c.Field == nil || c.Path.Field == last {
			continue
		}
		last = c.Path.Field
		sl := &p.slots[p.schema.position(c.Field.common())]
		value, _ := d.Get(c.Field.common().path)
		sl.forget(c.Field)
		if err := loadSlot(c.Field, sl, value); err != nil {
			unfit = firstError(unfit, err)
			sl.forget(c.Field)
			_ = loadSlot(c.Field, sl, nil) // the default fits
		}
	}
	return firstError(unfit, p.reslot(d, changes))
}

// replace makes a copy the one of another document, which is its own from now on,
// and returns what is different.
func (p *Profile) replace(d *document.Document) (changes []Change, unfit error) {
	p.lock()
	defer p.mu.Unlock()
	old := p.openDocument()
	changes = p.before(old, document.Diff(old, d))
	p.closeDocument()
	for i := range changes {
		changes[i].Old = bytes.Clone(changes[i].Old) // so that the old document can go
	}
	p.failed.mu.Lock()
	p.failed.doc = d
	p.failed.mu.Unlock()
	unfit = p.reload(d, changes)
	return after(d, changes), unfit
}

// announce tells who listens to the copy's events.
func (p *Profile) announce(changes []Change) {
	x := p.ext.Load()
	if x == nil || !x.events.listens.Load() {
		return
	}
	changes = slices.DeleteFunc(slices.Clone(changes), func(c Change) bool { return c.Field == nil })
	if to, direct := x.events.accept(changes, false); direct {
		x.events.deliverDirect(changes, to)
	} else {
		x.events.drain()
	}
}
