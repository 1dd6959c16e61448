package profile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// The save slots of a version go back with its document. The one that was loaded is in
// the document. Of each other one the version's index says with which stamp it was
// parked, so that its entry of then is found among the versions of that entry. They go
// back to where the slots are now, loaded or parked. The index itself stays, as it says
// where the entries are: so a slot that was made since stays as it is, and one that is
// gone for good stays gone. One of which nothing is kept from then stays as it is too,
// and the restore says so.

// oldSlots is what a version says of those save slots that are there now.
type oldSlots struct {
	per    []string                      // the fields that are per slot, now or then
	fields map[string]*document.Document // of each slot, by its id; nil: it was never loaded by then
	lost   []string                      // ids of slots of which nothing is kept from then
}

// of returns the fields that a slot had, and whether that is known.
func (o *oldSlots) of(id string) (fields *document.Document, known bool) {
	if o == nil {
		return nil, false
	}
	fields, known = o.fields[id]
	return fields, known
}

// readOldSlots reads what a version says of the save slots that there are now: nil if
// there are none.
func readOldSlots(ctx context.Context, db *store.DB, key session.Key, x *slotIndex, old *session.VersionView, s *Schema, l *document.Limits) (*oldSlots, error) {
	if x == nil {
		return nil, nil
	}
	y, err := readSlots(old.Document, s)
	if err != nil {
		return nil, err
	}
	if y == nil { // from before there were slots: what it has is the first one's
		y = &slotIndex{loaded: FirstSlot, slots: []*storedSlot{{ID: FirstSlot}}}
	}
	o := &oldSlots{fields: make(map[string]*document.Document)}
	o.per = slices.Concat([]string{slotSchemaPath.Field}, x.rules.Fields, y.rules.Fields)
	slices.Sort(o.per)
	o.per = slices.Compact(o.per)
	for _, s := range y.slots {
		if x.slot(s.ID) == nil {
			continue
		}
		switch {
		case s.ID == y.loaded:
			o.fields[s.ID], err = fieldsOf(old.Document, o.per, l)
		case s.Stamp == 0:
			o.fields[s.ID] = nil
		default:
			var fields *document.Document
			if fields, err = readOldParked(ctx, db, key, old, s, l); fields != nil {
				o.fields[s.ID] = fields
			} else {
				o.lost = append(o.lost, s.ID)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return o, nil
}

// readOldParked returns what was parked of a slot when a version was written, or nil if
// that is not kept any more, or cannot be read.
func readOldParked(ctx context.Context, db *store.DB, owner session.Key, old *session.VersionView, s *storedSlot, l *document.Limits) (*document.Document, error) {
	key := parkedKey(owner, s.ID)
	list, err := db.Versions(ctx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("versions of entry %q: %w", key, err)
	}
	want := parkedSlot{Slot: s.ID, Birth: old.Birth, Stamp: s.Stamp}
	for _, v := range slices.Backward(list) {
		if v.Updated.Wall.After(old.Updated) {
			continue
		}
		e, err := db.ReadVersion(ctx, key, v.Version)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("read entry %q: %w", key, err)
		}
		if fields := parkedIn(&e, want, l); fields != nil {
			return fields, nil
		}
		if v.Updated.Wall.Before(old.Updated) {
			break // else it may be of the same moment, and after the version
		}
	}
	return nil, nil
}

// parkedIn returns the fields in an entry, or nil if it cannot be read or is another than
// the one that is meant.
func parkedIn(e *driver.Entry, want parkedSlot, l *document.Limits) *document.Document {
	if !e.Found() || e.Damaged != nil {
		return nil
	}
	fields, err := decodeParked(e.Value, want, l)
	if err != nil {
		return nil
	}
	return fields
}

// parkedNow is what is parked of a slot now.
type parkedNow struct {
	stamp  uint64
	fields *document.Document
}

// readParkedNow reads what is parked now of the slots that a version tells of. What
// cannot be read, or has not reached its entry yet, is left out.
func (o *oldSlots) readParkedNow(ctx context.Context, db *store.DB, key session.Key, birth driver.Version, x *slotIndex, l *document.Limits) (map[string]parkedNow, error) {
	slots := slices.DeleteFunc(x.parked(), func(s *storedSlot) bool { _, known := o.of(s.ID); return !known })
	if len(slots) == 0 {
		return nil, nil
	}
	keys := make([]string, len(slots))
	for i, s := range slots {
		keys[i] = parkedKey(key, s.ID)
	}
	snap, err := db.Read(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("read save slots of %v: %w", key, err)
	}
	is := make(map[string]parkedNow, len(slots))
	for i, s := range slots {
		if fields := parkedIn(&snap.Entries[i], parkedSlot{Slot: s.ID, Birth: birth, Stamp: s.Stamp}, l); fields != nil {
			is[s.ID] = parkedNow{s.Stamp, fields}
		}
	}
	return is, nil
}

// parkedChanges returns how many fields of a slot that is not loaded a restore changes.
func parkedChanges(s *storedSlot, then *document.Document, is map[string]parkedNow) int {
	now, known := is[s.ID]
	known = known && now.stamp == s.Stamp
	empty := new(document.Document)
	switch {
	case then == nil && s.Stamp == 0:
		return 0
	case then == nil && known:
		return max(len(document.Diff(now.fields, empty)), 1)
	case then == nil:
		return 1
	case known:
		return len(document.Diff(now.fields, then))
	}
	return max(len(document.Diff(empty, then)), 1)
}

// migrateSlots brings the slots that go back into the schema's form, and checks their
// types. What is parked now as it was then stays as it is.
func (r *restoring) migrateSlots(p *Profile) error {
	if r.slots == nil || p.srv.opts.Tool {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(r.slots.fields)) {
		then := r.slots.fields[id]
		now, known := r.parked[id]
		if then == nil || known && id != r.loaded && len(document.Diff(now.fields, then)) == 0 {
			continue
		}
		due, err := p.schema.dueOfSlot(p.key, then, r.old)
		if err == nil {
			err = p.schema.migrateSlot(p.key, then, due, p.srv.migrator())
		}
		if err == nil {
			err = p.fits(then)
		}
		if err != nil {
			return &SlotError{Key: p.key, Slot: id, Err: err}
		}
	}
	return nil
}

// readSlots reads what the version says of the save slots, and what is parked now.
func (r *restoring) readSlots(ctx context.Context, p *Profile, v *session.VersionView) error {
	p.begin()
	x, err := readSlots(p.openDocument(), p.schema)
	p.closeDocument()
	p.end()
	if x == nil || err != nil {
		return err
	}
	db := p.srv.ss.DB()
	if r.slots, err = readOldSlots(ctx, db, p.key, x, v, p.schema, p.srv.limits()); err != nil {
		return err
	}
	r.loaded = x.loaded
	r.parked, err = r.slots.readParkedNow(ctx, db, p.key, p.s.Birth(), x, p.srv.limits())
	return err
}

// restoreParked puts the slots back that are not loaded, and returns how many of their
// fields it has changed. One that the player has deleted goes back too, for as long as it
// can be undeleted.
func (r *restoring) restoreParked(tx *Tx) (changed int, err error) {
	b, err := tx.slotBook()
	if err != nil {
		return 0, err
	}
	for _, s := range b.index.slots {
		then, known := r.slots.of(s.ID)
		if !known || s.ID == b.index.loaded {
			continue
		}
		n := parkedChanges(s, then, r.parked)
		if n == 0 {
			continue
		}
		if then == nil {
			err = b.vacate(s)
		} else {
			err = b.store(s, then)
		}
		if err != nil {
			return 0, &SlotError{Key: tx.p.key, Slot: s.ID, Err: err}
		}
		changed += n
	}
	if changed == 0 {
		return 0, nil
	}
	bytes := 0
	for _, w := range b.writes {
		bytes += len(w.Key) + len(w.Value)
	}
	if err := checkRestored(bytes); err != nil {
		return 0, err
	}
	return changed, tx.keepSlots(b)
}

// maxRestored is how many bytes of parked slots a restore puts back: what else goes with
// its update is its outcome, and its entry in the audit log.
const maxRestored = session.MaxOutboxBytes - 4*MaxMessageBody

func checkRestored(bytes int) error {
	if bytes > maxRestored {
		return fmt.Errorf("%w: the save slots that are parked have %d bytes, at most %d can be restored at once", document.ErrTooLarge, bytes, maxRestored)
	}
	return nil
}

// RestorePlan is what a restore would change, migrations aside.
type RestorePlan struct {
	Changed int            // as in Restored
	Delta   document.Delta // of the document, with the save slot that is loaded
	Slots   []string       // ids of the other save slots that would be changed
	Lost    []string       // as in Restored
}

// PlanRestore returns what a restore of a version would change of what is stored now: to
// show it before. It changes nothing, and blocks for the database. A slot that was parked
// in the journal only so far counts as changed. The errors are driver.ErrUnavailable,
// driver.ErrCorrupt if one of the two has an index of slots that cannot be read, and
// document.ErrTooLarge if the parked slots are too large together.
func (srv *Server) PlanRestore(ctx context.Context, now *session.View, old *session.VersionView) (*RestorePlan, error) {
	fail := func(err error) (*RestorePlan, error) {
		return nil, fmt.Errorf("plan the restore of %v: %w", now.Key, err)
	}
	db := srv.ss.DB()
	x, err := readSlots(now.Document, srv.schema)
	if err != nil {
		return fail(err)
	}
	slots, err := readOldSlots(ctx, db, now.Key, x, old, srv.schema, &anySize)
	if err != nil {
		return fail(err)
	}
	plan, loaded := new(RestorePlan), ""
	if slots != nil {
		plan.Lost, loaded = slots.lost, x.loaded
	}
	target, err := restored(now.Document, old.Document, slots, loaded, &anySize)
	if err != nil {
		return fail(err)
	}
	plan.Delta = document.Diff(now.Document, target)
	plan.Changed = len(plan.Delta)
	if slots == nil {
		return plan, nil
	}
	is, err := slots.readParkedNow(ctx, db, now.Key, now.Birth, x, &anySize)
	if err != nil {
		return fail(err)
	}
	bytes := 0
	for _, s := range x.slots {
		then, known := slots.of(s.ID)
		if !known || s.ID == x.loaded {
			continue
		}
		if n := parkedChanges(s, then, is); n > 0 {
			plan.Slots, plan.Changed = append(plan.Slots, s.ID), plan.Changed+n
			if then != nil {
				bytes += then.Size()
			}
		}
	}
	if err := checkRestored(bytes); err != nil {
		return fail(err)
	}
	return plan, nil
}
