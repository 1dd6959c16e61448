package sim

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// Plant names a bug that the simulation must find. Each is planted between the
// servers and the database, so the code under test has no switch for it.
type Plant string

// The bugs that can be planted.
const (
	// NoFence: a root is written whatever version it is at.
	NoFence Plant = "no fence"
	// BarePosition: the journal position in a root is a number that a new
	// session takes over from the one before, as if it did not belong to one.
	BarePosition Plant = "a journal position without session"
	// OtherBytes: what is sent again under an id holds newer changes than what
	// was sent first, whose answer was lost.
	OtherBytes Plant = "a retry with other bytes under the old id"
	// NoRecognition: an attempt whose answer was lost does not find its id
	// among the entry's recent versions.
	NoRecognition Plant = "no own-commit recognition"
	// LateAppend: an append does not check its lease.
	LateAppend Plant = "append not excluded by seal"
	// TornGroup: of a group, a part may be appended before a crash.
	TornGroup Plant = "groups not whole"
	// BareSave: a save drops the records that go with it.
	BareSave Plant = "an award without its record, by a save"
	// BareTakeOver: who replays another server's journal drops its outboxes.
	BareTakeOver Plant = "an award without its record, by a take-over"
	// NoMarker: nothing is noted of a message that was handled.
	NoMarker Plant = "a message's marker is not written"
	// UnseenMarker: what is noted of handled messages is not looked at.
	UnseenMarker Plant = "a message's marker is not looked at"
	// EarlyGift: a gift is sent before it is durable that its giver has it no more.
	EarlyGift Plant = "a gift sent before its removal is durable"
	// ShortMarker: what is noted of a handled message is forgotten too early.
	ShortMarker Plant = "a marker that expires too early"
	// WrongClaim: a claim takes a purchase from another player.
	WrongClaim Plant = "a claim by the wrong player"
	// BareGrant: a save drops the records of purchases.
	BareGrant Plant = "a purchase without its record"
	// UnsavedFreeze: a freeze tells a version that lacks what was not saved yet.
	UnsavedFreeze Plant = "a freeze that tells unsaved state"
	// ForgottenTrade: who has to find out what became of a trade finds that it
	// happened, and does not take over what it changed.
	ForgottenTrade Plant = "an adoption forgotten after a lost verdict"
	// StaleThaw: the news of an older trade end a newer freeze.
	StaleThaw Plant = "a stale thaw"
	// BareSweep: what belonged to a player who was erased is deleted whatever has come
	// in his place.
	BareSweep Plant = "a sweep that does not check the tombstone"
	// LockedTombstone: a tombstone keeps the lock of the root that it replaces.
	LockedTombstone Plant = "a tombstone that keeps the lock"
	// LateOutbox: what an owner attached is written though its player was erased.
	LateOutbox Plant = "an outbox that lands after the erasure"
	// LostLegacy: what a player had sent before he was erased is lost.
	LostLegacy Plant = "what the erased had sent is lost"
	// EarlyRow: a row shows what its player's server has in memory.
	EarlyRow Plant = "a row from memory"
	// StaleRow: a row that has moved stays where it was too.
	StaleRow Plant = "an old row is not deleted"
	// ForgottenRemoval: a game hands a unique item over and keeps it.
	ForgottenRemoval Plant = "a transfer that forgets to remove"
	// ForgottenPark: a save drops the entries of the save slots that it parks.
	ForgottenPark Plant = "a switch that forgets to park"
	// OldTime: a save has the time that was played by the one before.
	OldTime Plant = "a save with the time of the one before"
	// BareRestore: who asks for a restore writes the root himself, whoever owns it.
	BareRestore Plant = "a restore past the owner"
	// UnseenMigration: what is noted of migrations is not looked at.
	UnseenMigration Plant = "a migration that is made again"
	// SecondImport: a player who was imported is taken for a new one.
	SecondImport Plant = "an import that is asked for again"
	// RepeatedRestore: nothing is noted of a restore, so that it undoes what came after it.
	RepeatedRestore Plant = "a restore that is made again"
)

// Plants are all bugs that can be planted.
var Plants = []Plant{
	NoFence, BarePosition, OtherBytes, NoRecognition, LateAppend, TornGroup, BareSave, BareTakeOver, NoMarker,
	UnseenMarker, EarlyGift, ShortMarker, WrongClaim, BareGrant, UnsavedFreeze, ForgottenTrade, StaleThaw,
	BareSweep, LockedTombstone, LateOutbox, LostLegacy, EarlyRow, StaleRow, ForgottenRemoval, ForgottenPark,
	OldTime, BareRestore, RepeatedRestore, UnseenMigration, SecondImport,
}

// plant makes one bug happen, or none.
type plant struct {
	what     Plant
	position map[string]uint64           // of each root, the last that was seen
	lost     map[driver.Version]struct{} // ids of commits whose answers were lost
	extra    int                         // commits of the bug's own
	trade    tradePlant
	swept    map[string]bool // keys that sweeps have deleted
}

func newPlant(what Plant) *plant {
	return &plant{
		what: what, position: make(map[string]uint64), lost: make(map[driver.Version]struct{}), trade: newTradePlant(), swept: make(map[string]bool),
	}
}

// sent returns the group as it reaches the database.
func (pl *plant) sent(w *world, k *call) driver.Group {
	if pl.what == "" {
		return *k.group
	}
	g := cloneGroup(*k.group)
	for i := range g.Batches {
		b := &g.Batches[i]
		for j := range b.Writes {
			pl.bend(w, k, b, &b.Writes[j])
			pl.bendRow(w, k, &b.Writes[j])
		}
		b.Writes = slices.DeleteFunc(b.Writes, func(wr driver.Write) bool { return pl.drops(w, k, b, &wr) })
		pl.erasing(w, b)
		pl.restoring(w, b)
	}
	return g
}

// drops reports whether the bug leaves a write out of a batch.
func (pl *plant) drops(w *world, k *call, b *driver.Batch, wr *driver.Write) bool {
	if pl.what == BareGrant {
		return strings.HasPrefix(wr.Key, receiptPrefix) && !creates(wr)
	}
	if pl.what == StaleRow {
		return wr.Delete && strings.HasPrefix(wr.Key, rowsPrefix)
	}
	if pl.what == ForgottenPark {
		s, folder, _ := w.check.saverOf(wr.Key)
		return s != nil && folder == slotFolder && !wr.Delete
	}
	p := w.check.ownerOf(wr.Key)
	if p == nil {
		return false
	}
	l := w.check.leases[p.stored.lease]
	own := l != nil && l.taker == k.in
	switch pl.what {
	case BareSave:
		return own && strings.HasPrefix(wr.Key, p.entry(recordFolder, "a"))
	case BareTakeOver:
		moves := slices.ContainsFunc(b.Writes, func(o driver.Write) bool { return o.Key == p.root })
		return !own && moves && wr.Mode != driver.Once
	case RepeatedRestore:
		return strings.HasPrefix(wr.Key, p.entry(doneFolder, "r"))
	case NoMarker:
		return strings.HasPrefix(wr.Key, p.entry(doneFolder, "g"))
	}
	return false
}

// early sends the gifts of an append as soon as it is under way.
func (pl *plant) early(w *world, k *call) {
	if pl.what != EarlyGift || k.group == nil {
		return
	}
	for i := range k.group.Batches {
		for _, wr := range k.group.Batches[i].Writes {
			rs, err := splitRecords(wr.Value)
			if err != nil || !strings.HasPrefix(wr.Key, journalPrefix) {
				continue
			}
			for _, r := range rs {
				pl.sendEarly(w, k, r.outbox)
			}
		}
	}
}

func (pl *plant) sendEarly(w *world, k *call, outbox []storedWrite) {
	for _, o := range outbox {
		if o.form != 3 {
			continue
		}
		pl.extra++
		b := driver.Batch{ID: pl.id(), Writes: []driver.Write{{Key: o.key, Mode: driver.Once, Value: o.value}}}
		if _, err := w.db.Commit(context.Background(), driver.Group{Batches: []driver.Batch{b}}); err == nil {
			w.fail(w.check.applied(k.in, &b))
		}
	}
}

// id returns a version for a commit of the bug's own.
func (pl *plant) id() (v driver.Version) {
	binary.BigEndian.PutUint64(v[8:], uint64(pl.extra))
	v[0] = 1
	return v
}

// shown turns an entry into what a server is told that reads it.
func (pl *plant) shown(w *world, in *instance, e *driver.Entry) {
	e.Recent = pl.recent(e.Recent)
	pl.forgetful(w, in, e)
	switch p := w.check.ownerOf(e.Key); {
	case pl.what == UnseenMarker && p != nil && strings.HasPrefix(e.Key, p.entry(doneFolder, "g")):
		*e = driver.Entry{Key: e.Key}
	case pl.what == ForgottenTrade && w.check.byRoot[e.Key] != nil:
		e.Value = pl.trade.forgotten(w, in, w.check.byRoot[e.Key], e.Value)
	}
}

// bend changes one write as the bug would have it.
func (pl *plant) bend(w *world, k *call, b *driver.Batch, wr *driver.Write) {
	p := w.check.byRoot[wr.Key]
	journal := strings.HasPrefix(wr.Key, journalPrefix) && !wr.Delete
	switch {
	case pl.what == NoFence && p != nil:
		wr.Mode, wr.Version = driver.Always, driver.Version{}
	case pl.what == BarePosition && p != nil:
		pl.carryPosition(p, wr)
	case pl.what == OtherBytes && k.fate.lose && p != nil && p.stored.session != "":
		wr.Value = withData(wr.Value, p.stored.head.content)
	case pl.what == OtherBytes && k.fate.lose && journal:
		wr.Value = withoutLast(wr.Value)
	case pl.what == WrongClaim && strings.HasPrefix(wr.Key, receiptPrefix) && creates(wr):
		wr.Mode = driver.Always
	case pl.what == ShortMarker && strings.Contains(wr.Key, "/"+doneFolder+"/") && !wr.Delete:
		wr.Value = withMember(wr.Value, "until", mustJSON(w.clock.top().Add(-time.Minute)))
	case pl.what == UnsavedFreeze && p != nil && len(w.check.rootsIn(b)) == 1:
		wr.Value = pl.trade.unsaved(p, wr.Value)
	case pl.what == OldTime && p != nil:
		wr.Value = withoutTime(p, wr.Value)
	case pl.what == LateAppend && journal:
		b.Checks = nil
	case pl.what == TornGroup && journal && (k.in.dead || k.fate.crash):
		wr.Value = withoutLast(wr.Value)
	}
}

// carryPosition writes the former session's position into a root whose lock is
// taken.
func (pl *plant) carryPosition(p *player, wr *driver.Write) {
	var at storedRoot
	if json.Unmarshal(wr.Value, &at) != nil || at.Lock == nil {
		return
	}
	former := pl.position[wr.Key]
	pl.position[wr.Key] = at.Lock.Position
	if at.Lock.Session == p.stored.session {
		return
	}
	wr.Value = withMember(wr.Value, "lock", withMember(member(wr.Value, "lock"), "position", mustJSON(former)))
}

// withData replaces the data of a stored root.
func withData(value []byte, c content) []byte {
	data := make(map[string]json.RawMessage)
	for k, v := range c.fields {
		data[k] = json.RawMessage(v)
	}
	for field, o := range c.objects {
		elements := make(map[string]json.RawMessage)
		for k, v := range o {
			elements[k] = json.RawMessage(v)
		}
		data[field] = mustJSON(elements)
	}
	return withMember(value, "data", mustJSON(data))
}

// withoutLast cuts the last record off a journal entry that has several.
func withoutLast(value []byte) []byte {
	rs, err := splitRecords(value)
	if err != nil || len(rs) < 2 {
		return value
	}
	return bytes.TrimSuffix(value, rs[len(rs)-1].bytes)
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // of what was just decoded
	}
	return b
}

// applied notes a batch that was applied, and whether its answer is lost.
func (pl *plant) applied(w *world, b *driver.Batch, lost bool) {
	pl.trade.wrote(w, b)
	if pl.what == NoRecognition && lost {
		pl.lost[b.ID] = struct{}{}
	}
}

// recent returns an entry's recent versions as they are told.
func (pl *plant) recent(ids []driver.Version) []driver.Version {
	if len(pl.lost) == 0 || len(ids) == 0 {
		return ids
	}
	kept := slices.DeleteFunc(slices.Clone(ids), func(id driver.Version) bool {
		_, lost := pl.lost[id]
		return lost
	})
	if len(kept) == 0 {
		return ids[len(ids)-1:]
	}
	return kept
}
