package profile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// slotBook is one change of a player's save slots, planned on the document that is
// to be changed. Its methods do no I/O and change nothing but the plan; after an
// error the plan is of no use.
type slotBook struct {
	key    session.Key
	birth  driver.Version
	doc    *document.Document
	limits *document.Limits
	now    time.Time
	stamp  uint64 // of what is parked; not used before for this player
	index  *slotIndex
	born   []byte // the note of migrations in a slot that begins empty; nil: there are none

	fields document.Delta // of the fields that are per slot
	writes []driver.Write // of the entries
	strays []string       // fields of no slot that the loaded one replaces
}

// plan returns what is to be changed in the document.
func (b *slotBook) plan() (document.Delta, error) {
	delta, err := b.index.changes(b.doc, b.limits)
	return append(delta, b.fields...), err
}

// forget makes a player who is new have no slot yet.
func (b *slotBook) forget() { b.index.loaded, b.index.next, b.index.slots = "", 1, nil }

// current returns the fields of the loaded slot.
func (b *slotBook) current() (*document.Document, error) {
	return fieldsOf(b.doc, append([]string{slotSchemaPath.Field}, b.index.rules.Fields...), b.limits)
}

// fieldsOf returns a document of some fields of another one.
func fieldsOf(d *document.Document, names []string, l *document.Limits) (*document.Document, error) {
	fields, err := document.Parse([]byte("{}"), l)
	for _, name := range names {
		if value, ok := d.Get(document.Field(name)); ok && err == nil {
			_, err = fields.Set(document.Field(name), value)
		}
	}
	return fields, err
}

// park parks the loaded slot, so that none is loaded.
func (b *slotBook) park() error {
	s := b.index.slot(b.index.loaded)
	if s == nil {
		return nil
	}
	fields, err := b.current()
	if err == nil {
		err = b.store(s, fields)
	}
	if err != nil {
		return fmt.Errorf("park save slot %q: %w", s.ID, err)
	}
	s.Played = b.now
	for name := range fields.Fields() {
		b.fields = append(b.fields, document.Change{Path: document.Field(name)})
	}
	b.index.loaded = ""
	return nil
}

// store writes the entry of a slot that is not loaded.
func (b *slotBook) store(s *storedSlot, fields *document.Document) error {
	w, err := (&parkedSlot{Slot: s.ID, Birth: b.birth, Stamp: b.stamp}).write(b.key, fields)
	if err != nil {
		return err
	}
	s.Stamp = b.stamp
	s.Summary, s.PlayTime = b.index.rules.summary(fields)
	b.writes = append(b.writes, w)
	return nil
}

// vacate takes the fields out of a slot's entry, if it has one.
func (b *slotBook) vacate(s *storedSlot) error {
	if s.Stamp == 0 {
		return nil
	}
	w, err := (&parkedSlot{Slot: s.ID, Birth: b.birth}).write(b.key, nil)
	if err != nil {
		return err
	}
	b.writes = append(b.writes, w)
	s.Stamp, s.Summary, s.PlayTime = 0, nil, 0
	return nil
}

// load loads a slot, whose parked fields were read, and parks the one that was
// loaded.
func (b *slotBook) load(id string, parked *document.Document) error {
	s, err := b.index.find(id)
	if err != nil {
		return err
	}
	if id == b.index.loaded {
		return nil
	}
	if err := b.park(); err != nil {
		return err
	}
	for name, value := range parked.Fields() {
		b.put(name, value)
	}
	if s.Stamp == 0 && b.born != nil {
		b.put(slotSchemaPath.Field, b.born)
	}
	b.index.loaded = id
	return b.vacate(s) // the list takes the summary from the fields now
}

// put takes in a field of the slot that is being loaded.
func (b *slotBook) put(name string, value []byte) {
	path := document.Field(name)
	old, was := b.doc.Get(path)
	i := slices.IndexFunc(b.fields, func(c document.Change) bool { return c.Path == path })
	switch {
	case i < 0:
		if was && !bytes.Equal(old, value) && !reserved(name) { // a server that knows no slots wrote it
			b.strays = append(b.strays, name)
		}
		b.fields = append(b.fields, document.Change{Path: path, Value: value})
	case bytes.Equal(old, value):
		b.fields = slices.Delete(b.fields, i, i+1) // it is the same in both slots
	default:
		b.fields[i].Value = value
	}
}

// room reports an error if the player may not have another slot. One that is made
// adds to those that wait to be undeleted when it is deleted in its turn.
func (b *slotBook) room(fresh bool) error {
	living, limit := b.index.living(), b.index.rules.Max
	if living >= limit {
		return fmt.Errorf("%w: %d, at most %d", ErrSlotsFull, living, limit)
	}
	if deleted := len(b.index.slots) - living; fresh && deleted >= MaxDeletedSlots {
		first := slices.MinFunc(b.index.slots, func(a, o *storedSlot) int {
			switch {
			case !a.deleted():
				return 1
			case !o.deleted():
				return -1
			}
			return a.Until.Compare(o.Until)
		})
		return fmt.Errorf("%w: %d deleted ones can still be undeleted, at most %d; the next one is gone at %v",
			ErrSlotsFull, deleted, MaxDeletedSlots, first.Until.Format(time.RFC3339))
	}
	return nil
}

// create adds a slot that is empty and not loaded.
func (b *slotBook) create(name string) (*storedSlot, error) {
	if err := checkSlotName(name); err != nil {
		return nil, err
	}
	if err := b.room(true); err != nil {
		return nil, err
	}
	s := &storedSlot{ID: strconv.FormatUint(b.index.next, 10), Name: name, Created: b.now}
	if _, err := slotNumber(s.ID); err != nil {
		return nil, fmt.Errorf("%w: their numbers have run out", ErrSlotsFull)
	}
	b.index.next++
	b.index.slots = append(b.index.slots, s)
	return s, nil
}

// copy adds a slot with the fields of another one; parked are those that were read,
// if that one is not loaded.
func (b *slotBook) copy(id, name string, parked *document.Document) (*storedSlot, error) {
	from, err := b.index.find(id)
	if err != nil {
		return nil, err
	}
	if id == b.index.loaded {
		if parked, err = b.current(); err != nil {
			return nil, err
		}
	}
	s, err := b.create(name)
	if err != nil || parked.Len() == 0 && from.Stamp == 0 {
		return s, err
	}
	return s, b.store(s, parked)
}

func (b *slotBook) rename(id, name string) error {
	if err := checkSlotName(name); err != nil {
		return err
	}
	s, err := b.index.find(id)
	if err == nil {
		s.Name = name
	}
	return err
}

// delete deletes a slot, which can be undeleted for some time.
func (b *slotBook) delete(id string) error {
	s, err := b.index.find(id)
	if err != nil {
		return err
	}
	if id == b.index.loaded {
		if err := b.park(); err != nil {
			return err
		}
	}
	s.Deleted = b.now
	s.Until = b.now.Add(time.Duration(b.index.rules.Keep) * time.Second)
	return nil
}

func (b *slotBook) undelete(id string) error {
	s, err := b.index.find(id)
	switch {
	case s == nil:
		return err
	case err == nil:
		return nil // it is not deleted
	}
	if err := b.room(false); err != nil {
		return err
	}
	s.Deleted, s.Until = time.Time{}, time.Time{}
	return nil
}

// overdue reports whether a deleted slot's time is over.
func (x *slotIndex) overdue(now time.Time) bool {
	return slices.ContainsFunc(x.slots, func(s *storedSlot) bool { return s.deleted() && !now.Before(s.Until) })
}

// purge takes away the slots whose time is over.
func (b *slotBook) purge() {
	b.index.slots = slices.DeleteFunc(b.index.slots, func(s *storedSlot) bool {
		gone := s.deleted() && !b.now.Before(s.Until)
		if gone {
			b.writes = append(b.writes, deletion(parkedKey(b.key, s.ID)))
		}
		return gone
	})
}

// last returns the slot that was played last, or nil.
func (x *slotIndex) last() (found *storedSlot) {
	for _, s := range x.slots {
		if !s.deleted() && (found == nil || !s.Played.Before(found.Played)) {
			found = s
		}
	}
	return found
}

// slotErr puts the slot's name to an error of a book's.
func (b *slotBook) slotErr(id string, err error) error {
	for _, e := range []error{ErrUnknownSlot, ErrSlotDeleted, ErrSlotsFull} {
		if errors.Is(err, e) {
			return &SlotError{Key: b.key, Slot: id, Err: err}
		}
	}
	return err
}
