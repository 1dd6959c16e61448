package profile

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// A player may have several save slots, of which one at most is loaded. Fields
// that are declared PerSlot belong to the loaded one, all others to the account.
//
//	          SwitchSlot              SwitchSlot, DeleteSlot
//	parked ──────────────▶ loaded ─────────────────────────────▶ parked
//	  ▲ ▲                                                           │
//	  │ └────── CreateSlot, CopySlot              UndeleteSlot      │ DeleteSlot
//	  └──────────────────────────────────────────── deleted ◀───────┘
//	                                                   └──▶ gone, after SlotRules.Keep
//
// The document of the player's root holds the fields of the account and those of
// the loaded slot. A slot that is not loaded is parked: its fields are in an entry
// beside the root. Which is loaded, what slots there are, and which fields are per
// slot is in the reserved field ~slots. All of that changes in one update, to which
// the entries are attached: they are in the journal with it, and in one commit of
// the root. So a crash at any moment leaves the old state or the new one, whole.
//
// A parked slot's entry is written when it is parked, and its fields are taken out when
// it is loaded. Reading it is I/O, which comes before the update. One operation on the
// slots of a profile runs at a time; and each parking has a stamp, in the index and
// in the entry, so what was read of another moment is known and never taken.

// NoSlot stands for none in SwitchSlot and OpenOptions.Slot: the slot that is
// loaded is parked, and none is loaded then. Fields that are PerSlot read as their
// defaults and cannot be written (ErrNoSlot); those of the account can.
const NoSlot = "none"

// FirstSlotName is the name of the slot that a player gets by himself, and
// FirstSlot its id.
const (
	FirstSlotName = "Slot 1"
	FirstSlot     = "1"
)

// Limits of save slots.
const (
	DefaultSlots     = 10                   // of one player
	MaxSlots         = 100                  // likewise
	MaxDeletedSlots  = 20                   // that wait to be undeleted, beside those
	MaxSlotName      = 50                   // bytes
	MaxSlotSummary   = 16                   // fields
	MaxSummaryValue  = 256                  // bytes of each
	DefaultSlotsKeep = 30 * 24 * time.Hour  // for which a deleted slot can be undeleted
	MaxSlotsKeep     = 400 * 24 * time.Hour // likewise
)

// Errors of save slots. They come in a *SlotError, except ErrNoSlot.
var (
	// ErrNoSlot means that a field which is PerSlot cannot be written, as no save
	// slot is loaded. It comes in a *RefusedError.
	ErrNoSlot = errors.New("no save slot is loaded")
	// ErrUnknownSlot means that there is no such save slot: there never was, or it
	// was deleted and is gone for good.
	ErrUnknownSlot = errors.New("no such save slot")
	// ErrSlotDeleted means that a save slot was deleted. It can be undeleted.
	ErrSlotDeleted = errors.New("the save slot was deleted")
	// ErrOtherSlot means that something is for a save slot that is not loaded.
	ErrOtherSlot = errors.New("another save slot is loaded, or none")
	// ErrSlotsFull means that the player has as many save slots as he may have, or
	// that too many deleted ones wait for their time to be over.
	ErrSlotsFull = errors.New("too many save slots")
	// ErrNoSlots means that a profile has no save slots at all: its schema has no
	// field that is PerSlot.
	ErrNoSlots = errors.New("the profile has no save slots")
)

// SlotError says with which save slot something cannot be done, and why.
type SlotError struct {
	Key  session.Key // of the profile
	Slot string      // its id; empty: none in particular
	Err  error
}

func (e *SlotError) Error() string {
	if e.Slot == "" {
		return fmt.Sprintf("%v: %v", e.Key, e.Err)
	}
	return fmt.Sprintf("%v: save slot %.40q: %v", e.Key, e.Slot, e.Err)
}

// Unwrap returns why.
func (e *SlotError) Unwrap() error { return e.Err }

// PerSlot marks a field that belongs to the save slot which is loaded, instead of
// the account. Once a profile has slots, a field that was PerSlot stays so in it,
// whatever a later schema says.
func PerSlot() FieldOption { return func(s *settings) { s.perSlot = true } }

// PerSlot reports whether the field was declared with the option PerSlot.
func (f *field) PerSlot() bool { return f.settings.perSlot }

// SlotRules are the rules for the save slots of a schema's profiles. The zero value
// holds for a schema with fields that are PerSlot and without WithSlots.
type SlotRules struct {
	// Max is how many slots a player may have, deleted ones aside, 1 to MaxSlots.
	// One means that he has a single one. Zero means DefaultSlots.
	Max int
	// Keep is for how long a deleted slot can be undeleted, 1 s to MaxSlotsKeep. Zero
	// means DefaultSlotsKeep.
	Keep time.Duration
	// Summary are fields, PerSlot and at most MaxSlotSummary, whose values are shown
	// in the list of slots. Of a value of more than MaxSummaryValue bytes nothing is
	// shown there.
	Summary []Field
	// PlayTime is a field, PerSlot, whose value the list shows as
	// the slot's play time. Nil: there is none.
	PlayTime *PlayTimeField
}

// WithSlots returns the schema with rules for its save slots. It has none unless
// one of its fields is PerSlot; that, and a rule that cannot be kept, is a mistake
// which Err reports.
func (s *Schema) WithSlots(r SlotRules) *Schema {
	c := *s
	r.Summary = slices.Clone(r.Summary)
	c.slotRules = r
	if err := c.checkSlots(); err != nil {
		c.err = errors.Join(s.err, fmt.Errorf("%w %q: save slots: %w", ErrSchema, s.kind, err))
	}
	return &c
}

func (s *Schema) checkSlots() error {
	r := &s.slotRules
	switch {
	case !s.hasSlots():
		return errors.New("no field is PerSlot")
	case r.Max < 0 || r.Max > MaxSlots:
		return fmt.Errorf("at most %d of them, 1 to %d allowed", r.Max, MaxSlots)
	case r.Keep != 0 && r.Keep < time.Second || r.Keep > MaxSlotsKeep:
		return fmt.Errorf("kept for %v when deleted, 1s to %v allowed", r.Keep, MaxSlotsKeep)
	case len(r.Summary) > MaxSlotSummary:
		return fmt.Errorf("%d fields in the summary, at most %d", len(r.Summary), MaxSlotSummary)
	}
	shown := slices.Clone(r.Summary)
	if r.PlayTime != nil {
		shown = append(shown, r.PlayTime)
	}
	for _, f := range shown {
		if f == nil || s.position(f.common()) < 0 || !f.common().PerSlot() {
			return errors.New("the list shows a field that is not in the schema, or not PerSlot")
		}
	}
	return nil
}

// hasSlots reports whether profiles of the schema have save slots.
func (s *Schema) hasSlots() bool {
	return slices.ContainsFunc(s.fields, func(f Field) bool { return f.common().PerSlot() })
}

// SaveSlot is what the list of a player's save slots tells of one.
type SaveSlot struct {
	// ID names the slot among those of the player, for ever: ids are not used again.
	ID   string
	Name string
	// Loaded says that it is the one whose fields the profile has.
	Loaded  bool
	Created time.Time // zero: nothing was ever written that belongs to it
	// Played is when it was last loaded: now, for the loaded slot of an open profile.
	// Zero: never, or not known.
	Played time.Time
	// PlayTime is the value of SlotRules.PlayTime.
	PlayTime time.Duration
	// Deleted is when it was deleted, and Until when it will be gone for good. Zero:
	// it was not.
	Deleted, Until time.Time
	// Summary are the values of the fields in SlotRules.Summary that are stored, as
	// JSON. What is not stored reads as its default.
	Summary map[string]json.RawMessage
}

// checkSlotName refuses a name that no slot can have.
func checkSlotName(name string) error {
	switch {
	case name == "" || len(name) > MaxSlotName:
		return fmt.Errorf("%w: name of a save slot of %d bytes, 1 to %d allowed: %.60q", driver.ErrInvalid, len(name), MaxSlotName, name)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: name of a save slot %q is not UTF-8", driver.ErrInvalid, name)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%w: name of a save slot %q has a control character", driver.ErrInvalid, name)
	}
	return nil
}
