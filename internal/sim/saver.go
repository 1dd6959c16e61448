package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// Savers are players with save slots, of a kind of their own. What is minted for one
// goes into the wallet of his account or into the gold of the slot that is loaded, in
// the update that counts it. So at every moment, and after every crash, the sum over
// the account and all slots, parked and deleted ones included, is what was minted.
const (
	saverKind  = "saver"
	slotFolder = "slot"
	saverCount = 3
	goldField  = "gold"
)

var (
	mintedOf    = profile.Int("minted", 0)
	wallet      = profile.Int("wallet", 0, profile.Min(0))
	gold        = profile.Int(goldField, 0, profile.Min(0), profile.PerSlot())
	slotRules   = profile.SlotRules{Max: 5, Summary: []profile.Field{gold}}
	olderSavers = profile.NewSchema(saverKind, mintedOf, wallet, gold).WithSlots(slotRules)
)

// saver is what the checker knows of such a player: what the database holds.
type saver struct {
	id       string
	stored   savedRoot
	parked   map[string][]byte // entries of slots, by the slot's id
	older    bool              // the older store has him
	imported atomic.Bool       // it is noted that it was asked for him
	touched  bool              // by the batch that is being looked at
}

// savedRoot is the root of a saver, as far as it is looked at. The elements of the
// index are read without package profile.
type savedRoot struct {
	Minted   int64                      `json:"minted"`
	Wallet   int64                      `json:"wallet"`
	Gold     int64                      `json:"gold"`
	Welcomes int64                      `json:"welcomes"`
	Dowries  int64                      `json:"dowries"`
	Schema   json.RawMessage            `json:"~schema"`
	Import   json.RawMessage            `json:"~import"`
	Index    map[string]json.RawMessage `json:"~slots"`
}

func newSavers() map[string]*saver {
	all := make(map[string]*saver)
	for n := range saverCount {
		id := fmt.Sprintf("v%d", n)
		all[id] = &saver{id: id, older: n != 1, parked: make(map[string][]byte)}
	}
	return all
}

// saverOf splits the key of what belongs to a saver.
func (c *checker) saverOf(key string) (s *saver, folder, id string) {
	parts := strings.SplitN(key, "/", 4)
	if len(parts) < 2 || parts[0] != saverKind {
		return nil, "", ""
	}
	parts = append(parts, "", "")
	return c.savers[parts[1]], parts[2], parts[3]
}

// ofPlayers returns the records that are not of savers, whose journal is not followed:
// each take-over brings it into a root.
func (c *checker) ofPlayers(rs []storedRecord) []storedRecord {
	var left []storedRecord
	for _, r := range rs {
		if s, _, _ := c.saverOf(r.key); s == nil {
			left = append(left, r)
		}
	}
	return left
}

// saversWritten follows what a batch writes of savers, and checks their sums.
func (c *checker) saversWritten(b *driver.Batch) error {
	for i := range b.Writes {
		w := &b.Writes[i]
		s, folder, id := c.saverOf(w.Key)
		if s == nil {
			continue
		}
		switch {
		case folder == slotFolder && (w.Delete || vacant(w.Value)):
			delete(s.parked, id)
		case folder == slotFolder:
			s.parked[id] = w.Value
		case folder == "":
			if err := c.saverMoved(s, w.Value); err != nil {
				return err
			}
		}
		s.touched = true
	}
	for _, s := range c.savers {
		if !s.touched {
			continue
		}
		s.touched = false
		if err := s.check(); err != nil {
			return fmt.Errorf("saver %s: %w", s.id, err)
		}
	}
	return nil
}

// vacant reports whether an entry says that its slot is not parked.
func vacant(value []byte) bool {
	var entry struct{ Stamp uint64 }
	return json.Unmarshal(value, &entry) == nil && entry.Stamp == 0
}

// saverMoved takes a new root. What was minted is never less than before.
func (c *checker) saverMoved(s *saver, value []byte) error {
	var r storedRoot
	var now savedRoot
	if err := errors.Join(json.Unmarshal(value, &r), json.Unmarshal(r.Data, &now)); err != nil {
		return fmt.Errorf("read root of saver %s: %w", s.id, err)
	}
	if now.Minted < s.stored.Minted {
		return fmt.Errorf("saver %s: of %d that were minted %d are left", s.id, s.stored.Minted, now.Minted)
	}
	if err := c.movedOn(s, &now); err != nil {
		return err
	}
	s.stored = now
	return nil
}

// check checks that root and entries together are whole.
func (s *saver) check() error {
	sum, entries := s.stored.Wallet+s.stored.Gold-welcomeGift*s.stored.Welcomes-dowryGift*s.stored.Dowries, 0
	if s.stored.Dowries > 1 {
		return fmt.Errorf("the loaded slot has %d dowries", s.stored.Dowries)
	}
	for id, text := range s.stored.Index {
		if strings.HasPrefix(id, "~") {
			continue
		}
		var slot struct{ Stamp uint64 }
		if err := json.Unmarshal(text, &slot); err != nil {
			return err
		}
		if slot.Stamp == 0 {
			continue
		}
		var entry struct {
			Stamp  uint64
			Fields struct{ Gold, Dowries int64 }
		}
		if s.parked[id] == nil {
			return fmt.Errorf("slot %s is parked, and has no entry", id)
		}
		if err := json.Unmarshal(s.parked[id], &entry); err != nil {
			return err
		}
		if entry.Stamp != slot.Stamp {
			return fmt.Errorf("slot %s was parked with stamp %d, its entry has %d", id, slot.Stamp, entry.Stamp)
		}
		if entry.Fields.Dowries > 1 {
			return fmt.Errorf("slot %s has %d dowries", id, entry.Fields.Dowries)
		}
		sum += entry.Fields.Gold - dowryGift*entry.Fields.Dowries
		entries++
	}
	switch {
	case entries != len(s.parked):
		return fmt.Errorf("%d slots are parked, %d have an entry", entries, len(s.parked))
	case sum != s.stored.Minted:
		return fmt.Errorf("%d were minted, and he has %d", s.stored.Minted, sum)
	}
	return nil
}

// saveSlots lets a server do one thing with a saver.
func (w *world) saveSlots(in *instance) {
	id := fmt.Sprintf("v%d", w.rng.IntN(saverCount))
	p, open := in.savers.Profile(id)
	if !open || p.Session() == nil || w.chance(0.05) { // or somebody opens who is here, perhaps with another slot
		w.openSaver(in, id)
		return
	}
	slot := w.someSlot(p.SaveSlots())
	do := func(what string, fn func(context.Context) error) {
		floor := mintedOf.Get(p)
		w.begin(in, w.patience(), what+" "+slot+" of "+id, func(ctx context.Context) func() {
			err := fn(ctx)
			return func() {
				w.slotsHeard(err)
				if err == nil && w.check.savers[id].stored.Minted < floor {
					w.fail(fmt.Errorf("%s was told that it is done, and not all is in the root", w.current))
				}
			}
		})
	}
	switch n := w.rng.IntN(100); {
	case n < 45:
		w.mint(in, p)
	case n < 75:
		do("switch to slot", func(ctx context.Context) error { return p.SwitchSlot(ctx, slot) })
	case n < 82:
		load := w.chance(0.5)
		do("create a slot beside", func(ctx context.Context) error { _, err := p.CreateSlot(ctx, "another", load); return err })
	case n < 90:
		do("delete slot", func(ctx context.Context) error { return p.DeleteSlot(ctx, slot) })
	case n < 94:
		do("undelete slot", func(ctx context.Context) error { return p.UndeleteSlot(ctx, slot) })
	default:
		w.begin(in, w.patience(), "close "+id, func(ctx context.Context) func() {
			err := p.Close(ctx)
			return func() { w.heard(err) }
		})
	}
}

// someSlot returns the id of a slot that may be there.
func (w *world) someSlot(list []profile.SaveSlot) string {
	n := w.rng.IntN(len(list) + 1)
	if n == len(list) {
		return profile.NoSlot
	}
	return list[n].ID
}

// openSaver opens a saver, with a slot that he may have. Of several who want slots
// that are not there, the scheduler would choose who tries first: so one opens him at
// a time.
func (w *world) openSaver(in *instance, id string) {
	if in.opening[id] {
		return
	}
	in.opening[id] = true
	slots := []string{"", profile.NoSlot, "1", "2"}
	o := &profile.OpenOptions{Slot: slots[w.rng.IntN(len(slots))]}
	if w.chance(w.shape.steal) {
		o.Steal = "the simulation wants it"
	}
	w.begin(in, w.patience(), fmt.Sprintf("open %s with slot %q", id, o.Slot), func(ctx context.Context) func() {
		_, err := in.savers.Open(ctx, id, o)
		return func() {
			in.opening[id] = false
			w.slotsHeard(err)
		}
	})
}

// slotsHeard is heard of an operation on slots, of which some are not there.
func (w *world) slotsHeard(err error) {
	if missing, ok := errors.AsType[*profile.SlotError](err); ok {
		w.trace.add("%s ends: %v", w.current, missing)
		return
	}
	w.heard(err)
	if errors.Is(err, profile.ErrNewerSchema) && !w.tooOld(err) {
		w.fail(fmt.Errorf("%s was told: %w", w.current, err))
	}
}

// mint gives a saver something, into his account or into his slot, or moves it from
// there.
func (w *world) mint(in *instance, p *profile.Profile) {
	n, into := int64(1+w.rng.IntN(9)), w.rng.IntN(3)
	err := p.Update(func(tx *profile.Tx) error {
		switch {
		case into == 0:
			_ = wallet.Add(tx, n)
		case into == 1:
			_ = gold.Add(tx, n)
		default:
			n = min(n, gold.Get(tx))
			_ = wallet.Add(tx, n)
			_ = gold.Add(tx, -n)
			n = 0
		}
		return mintedOf.Add(tx, n)
	})
	w.trace.add("%s mints %d for %s: %v", in.name, n, p.ID(), errText(err))
	for _, known := range []error{nil, profile.ErrNoSlot, session.ErrSuspended, session.ErrClosed, session.ErrLost} {
		if errors.Is(err, known) {
			return
		}
	}
	w.fail(fmt.Errorf("%s may not change %s: %w", in.name, p.ID(), err))
}
