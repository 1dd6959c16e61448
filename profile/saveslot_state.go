package profile

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// slotState is what a write to a field asks of the save slots. It never changes: a
// change of the index makes a new one.
type slotState struct {
	loaded string
	per    []bool // by position in the schema: the field is per slot
	whole  bool   // the index is stored, and lists all fields that the schema says are per slot
}

// readSlotState reads the index of a document that a profile is made of. Without
// save slots there is no state.
func readSlotState(d *document.Document, s *Schema) (*slotState, error) {
	x, err := readSlots(d, s)
	if x == nil || err != nil {
		return nil, err
	}
	st := &slotState{loaded: x.loaded, per: make([]bool, len(s.fields)), whole: x.stored}
	for i, f := range s.fields {
		declared := f.common().PerSlot()
		_, listed := slices.BinarySearch(x.rules.Fields, f.Name())
		st.per[i] = declared || listed
		st.whole = st.whole && (listed || !declared)
	}
	return st, nil
}

// admitSlot lets a write to a field pass that is per slot. The first one of a profile
// writes the index, so that every server knows from then on that the field is.
func (tx *Tx) admitSlot(f *field, element string) error {
	switch st := tx.p.slotted; {
	case st.loaded == "":
		return tx.refuse(f, element, ErrNoSlot)
	case st.whole:
		return nil
	}
	b, err := tx.slotBook()
	if err == nil {
		err = tx.keepSlots(b)
	}
	if err != nil {
		return tx.refuse(f, element, fmt.Errorf("index of the save slots: %w", err))
	}
	return nil
}

// noteSlots is admitSlot for what an import or migrations have made: a server of an
// older version would leave a field behind that it does not know to be per slot.
func (s *Schema) noteSlots(d *Draft, now time.Time) error {
	st, err := readSlotState(d.doc, s)
	if st == nil || err != nil || st.whole || !d.changesSlot(s) {
		return err
	}
	x, err := readSlots(d.doc, s)
	if err != nil {
		return err
	}
	x.rules = x.rules.with(s)
	x.adopt(now)
	limits := d.doc.Limits()
	delta, err := x.changes(d.doc, &limits)
	if err != nil {
		return err
	}
	d.note(slotsField)
	return d.doc.Apply(delta)
}

// changesSlot reports whether a field was written that the schema says is per slot.
func (d *Draft) changesSlot(s *Schema) bool {
	for name := range d.before {
		if f := s.Field(name); f != nil && f.common().PerSlot() {
			return true
		}
	}
	return false
}

// slotBook returns a book for the update, with the rules of the profile's schema. It
// is ErrNoSlots if the profile has no slots.
func (tx *Tx) slotBook() (*slotBook, error) {
	p, d := tx.p, tx.w.Document()
	x, err := readSlots(d, p.schema)
	if err != nil {
		return nil, err
	}
	if x == nil {
		return nil, &SlotError{Key: p.key, Err: ErrNoSlots}
	}
	x.rules = x.rules.with(p.schema)
	b := &slotBook{key: p.key, doc: d, limits: p.srv.limits(), now: p.srv.slotTime(), stamp: tx.Revision(), index: x}
	b.born = p.schema.bornNote(b.now)
	if p.s != nil {
		b.birth = p.s.Birth()
	}
	x.adopt(b.now)
	return b, nil
}

// keepSlots makes what a book has planned.
func (tx *Tx) keepSlots(b *slotBook) error {
	delta, err := b.plan()
	if err != nil {
		return err
	}
	for _, w := range b.writes {
		how := (*session.Tx).AttachRetained
		if w.Delete {
			how = (*session.Tx).Attach
		}
		if err := tx.attach(w, how); err != nil {
			return err
		}
	}
	if len(b.strays) > 0 {
		tx.p.srv.log.Warn("fields that were written while no save slot was loaded are replaced by the slot's", "key", tx.p.key.String(), "fields", b.strays)
	}
	return tx.replay(delta)
}

// reslot makes the state anew if the index was among what has changed. An index that
// cannot be read can only have come from another server: the profile is closed, which
// keeps it as it is.
func (tx *Tx) reslot(changed document.Delta) {
	if !slices.ContainsFunc(changed, func(c document.Change) bool { return c.Path.Field == slotsField }) {
		return
	}
	p := tx.p
	st, err := readSlotState(tx.w.Document(), p.schema)
	if err != nil {
		p.srv.log.Error("another server wrote an index of save slots that cannot be read: the profile is closed", "key", p.key.String(), "err", err)
		p.srv.background(func() { _ = p.Close(p.srv.ctx) })
		return
	}
	if !tx.slotsChanged {
		tx.slotsChanged, tx.slotsWere = true, p.slotted
	}
	p.slotted = st
}

// reslot is that of a copy that lives.
func (p *Profile) reslot(d *document.Document, changes []Change) error {
	if !slices.ContainsFunc(changes, func(c Change) bool { return c.Path.Field == slotsField }) {
		return nil
	}
	st, err := readSlotState(d, p.schema)
	if err == nil {
		p.slotted = st
	}
	return err
}

// hasSlots reports whether the profile has save slots.
func (p *Profile) hasSlots() bool {
	p.begin()
	defer p.end()
	return p.slotted != nil
}

// LoadedSlot returns the id of the save slot that is loaded; empty if none is, or
// the profile has no slots.
func (p *Profile) LoadedSlot() string {
	p.begin()
	defer p.end()
	return p.slotted.id()
}

func (st *slotState) id() string {
	if st == nil {
		return ""
	}
	return st.loaded
}

// LoadedSlot returns the id of the save slot that is loaded, as Profile.LoadedSlot
// does: it is the same throughout an update.
func (tx *Tx) LoadedSlot() string {
	if tx.over {
		return tx.p.LoadedSlot()
	}
	return tx.p.slotted.id()
}

// LoadedSlot returns the id of the save slot that was loaded, as Profile.LoadedSlot
// does.
func (c *Copy) LoadedSlot() string { return c.p.LoadedSlot() }

// SaveSlots returns the list of the player's save slots, those included that can be
// undeleted, in the order in which they were created. It reads memory only. Without
// slots it is nil. Names need not be different: ids are.
func (p *Profile) SaveSlots() []SaveSlot {
	list := p.listSlots()
	for i := range list {
		if !list[i].Loaded || p.s == nil || p.ended() {
			continue
		}
		list[i].Played = p.srv.slotTime()
		if f := p.schema.slotRules.PlayTime; f != nil {
			list[i].PlayTime = f.Get(p)
		}
	}
	return list
}

func (p *Profile) listSlots() []SaveSlot {
	p.begin()
	defer p.end()
	d := p.openDocument()
	defer p.closeDocument()
	x, err := readSlots(d, p.schema)
	if x == nil || err != nil {
		return nil // it was read before, when the profile was loaded
	}
	return x.public(d)
}

// SaveSlots returns the list of the player's save slots as it was read, as
// Profile.SaveSlots does. The loaded one was played when the root was last written.
func (c *Copy) SaveSlots() []SaveSlot {
	list := c.p.listSlots()
	for i := range list {
		if list[i].Loaded {
			list[i].Played = c.v.Updated
		}
	}
	return list
}

// slotMissing reports why something that is for a save slot cannot be done in it now, or
// nil if it is loaded. ErrUnknownSlot means that it never can be.
func (p *Profile) slotMissing(d *document.Document, id string) error {
	x, err := readSlots(d, p.schema)
	switch {
	case err != nil:
		return err
	case x == nil: // where the schema says what slots there are, there may be
		err = ErrNoSlots
	case x.loaded == id:
		return nil
	default:
		if _, err = x.find(id); err == nil {
			err = ErrOtherSlot
		}
	}
	return &SlotError{Key: p.key, Slot: id, Err: err}
}

// CheckSlot refuses a text that is no save slot's id, as driver.ErrInvalid.
func CheckSlot(id string) error {
	if _, err := slotNumber(id); err != nil {
		return fmt.Errorf("%w: %w", driver.ErrInvalid, err)
	}
	return nil
}
