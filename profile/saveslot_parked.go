package profile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// A slot that is not loaded is parked in the entry slot/<id> under the player's
// root. One that was never loaded and is no copy has none: all its fields read as
// their defaults. When it is loaded its entry stays, without fields, so that what was
// parked stays among the versions of the entry, which are kept by the schedule of the
// root's: a restore looks for it there. A version of the root that is kept for a span of
// that schedule finds it; one that is kept as it is marked may not.
const slotFolder = "slot"

func parkedKey(key session.Key, id string) string {
	return store.JoinKey(key.Kind, key.ID, slotFolder, id)
}

// parkedSlot is the head of such an entry. The entry's fields come after it, as one
// JSON object, so that people can read it.
type parkedSlot struct {
	Format int             `json:"format"`
	Slot   string          `json:"slot"`
	Birth  driver.Version  `json:"birth"` // of the profile
	Stamp  uint64          `json:"stamp"` // as in the index; 0: the slot is not parked
	Fields json.RawMessage `json:"fields,omitempty"`
}

// write returns the write of an entry, or document.ErrTooLarge if it cannot go with
// an update. Fields is nil for a slot that is not parked.
func (ps *parkedSlot) write(key session.Key, fields *document.Document) (driver.Write, error) {
	head := *ps
	head.Format, head.Fields = slotFormat, nil
	text, err := json.Marshal(head)
	if err != nil {
		return driver.Write{}, fmt.Errorf("encode save slot %q: %w", ps.Slot, err)
	}
	value := text
	if fields != nil {
		value = make([]byte, 0, len(text)+len(`,"fields":`)+fields.Size())
		value = append(value, text[:len(text)-1]...)
		value = append(value, `,"fields":`...)
		value = append(fields.AppendJSON(value), '}')
	}
	w := driver.Write{Key: parkedKey(key, ps.Slot), Mode: driver.Always, Value: value}
	if size := len(w.Key) + len(value); size > session.MaxOutboxBytes {
		return w, fmt.Errorf("%w: it has %d bytes, at most %d can be parked", document.ErrTooLarge, size, session.MaxOutboxBytes)
	}
	return w, driver.CheckKey(w.Key)
}

// decodeParked returns the fields in the value of an entry, if it is the one that
// the index means.
func decodeParked(value []byte, want parkedSlot, limits *document.Limits) (*document.Document, error) {
	var head struct {
		Format int `json:"format"`
	}
	var ps parkedSlot
	if err := json.Unmarshal(value, &head); err != nil {
		return nil, fmt.Errorf("%w: %w", driver.ErrCorrupt, err)
	}
	if head.Format > slotFormat {
		return nil, fmt.Errorf("%w: format %d, this program reads up to %d", driver.ErrFormat, head.Format, slotFormat)
	}
	if err := json.Unmarshal(value, &ps); err != nil || head.Format != slotFormat {
		return nil, fmt.Errorf("%w: format %d: %w", driver.ErrCorrupt, head.Format, err)
	}
	switch {
	case ps.Slot != want.Slot || ps.Birth != want.Birth:
		return nil, fmt.Errorf("%w: it holds save slot %.40q of birth %v", driver.ErrCorrupt, ps.Slot, ps.Birth)
	case ps.Stamp != want.Stamp:
		return nil, fmt.Errorf("%w: it was parked with stamp %d, the index says %d", driver.ErrCorrupt, ps.Stamp, want.Stamp)
	}
	fields, err := document.Parse(ps.Fields, limits)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", driver.ErrCorrupt, err)
	}
	return fields, nil
}

// readParked reads the fields of a parked slot. The entry may still be on its way
// with the next save, so the session is asked first: nothing else attaches to it
// meanwhile, as the caller runs the only operation on the slots.
func (p *Profile) readParked(ctx context.Context, id string, stamp uint64) (*document.Document, error) {
	key := parkedKey(p.key, id)
	fail := func(err error) (*document.Document, error) {
		if errors.Is(err, driver.ErrCorrupt) {
			if now, failed := p.stampOf(id); failed == nil && now != stamp { // a restore came in between
				err = fmt.Errorf("%w: save slot %q was restored while it was read", ErrBusy, id)
			}
			err = firstError(p.notMine(ctx), err)
		}
		return nil, fmt.Errorf("read entry %q: %w", key, err)
	}
	want := parkedSlot{Slot: id, Birth: p.s.Birth(), Stamp: stamp}
	w, found := p.s.Attached(key)
	found = found && !w.Delete
	if !found {
		snap, err := p.srv.ss.DB().Read(ctx, key)
		if err != nil {
			return fail(err)
		}
		e := &snap.Entries[0]
		if e.Damaged != nil {
			return fail(e.Damaged)
		}
		found, w.Value = e.Found(), e.Value
	}
	if !found {
		return fail(fmt.Errorf("%w: the save slot's entry is not there", driver.ErrCorrupt))
	}
	fields, err := decodeParked(w.Value, want, p.srv.limits())
	if err != nil {
		return fail(err)
	}
	return fields, nil
}

// notMine reports an error if the profile is not this session's any more: what lies
// beside it may be another one's by now, and says nothing.
func (p *Profile) notMine(ctx context.Context) error {
	if err := p.s.Err(); err != nil {
		return err
	}
	owner, err := p.srv.ss.Owner(ctx, p.key)
	if err == nil && (owner.Holder == nil || owner.Holder.Session != p.s.ID()) {
		err = fmt.Errorf("%w: another server has it", session.ErrLost)
	}
	return err
}

// fits checks that the values of a parked slot, migrated if need be, are of the types of
// its fields, as a load does: else it stays as it is.
func (p *Profile) fits(fields *document.Document) error {
	for name, value := range fields.Fields() {
		if f := p.schema.Field(name); f != nil {
			if err := loadSlot(f, new(slot), value); err != nil {
				return err
			}
		}
	}
	return nil
}
