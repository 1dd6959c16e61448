package sim

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

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
)

// Plants are all bugs that can be planted.
var Plants = []Plant{NoFence, BarePosition, OtherBytes, NoRecognition, LateAppend, TornGroup}

// plant makes one bug happen, or none.
type plant struct {
	what     Plant
	position map[string]uint64           // of each root, the last that was seen
	lost     map[driver.Version]struct{} // ids of commits whose answers were lost
}

func newPlant(what Plant) *plant {
	return &plant{what: what, position: make(map[string]uint64), lost: make(map[driver.Version]struct{})}
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
		}
	}
	return g
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
	case pl.what == LateAppend && journal:
		b.Checks = nil
	case pl.what == TornGroup && journal && (k.in.dead || k.fate.crash):
		wr.Value = withoutLast(wr.Value)
	}
}

// carryPosition writes the former session's position into a root whose lock is
// taken.
func (pl *plant) carryPosition(p *player, wr *driver.Write) {
	var r map[string]json.RawMessage
	var held map[string]json.RawMessage
	var at storedRoot
	if json.Unmarshal(wr.Value, &r) != nil || json.Unmarshal(wr.Value, &at) != nil || at.Lock == nil {
		return
	}
	former := pl.position[wr.Key]
	pl.position[wr.Key] = at.Lock.Position
	if at.Lock.Session == p.stored.session || json.Unmarshal(r["lock"], &held) != nil {
		return
	}
	held["position"] = mustJSON(former)
	r["lock"] = mustJSON(held)
	wr.Value = mustJSON(r)
}

// withData replaces the data of a stored root.
func withData(value []byte, c content) []byte {
	var r map[string]json.RawMessage
	if json.Unmarshal(value, &r) != nil {
		return value
	}
	data := make(map[string]json.RawMessage)
	for k, v := range c.fields {
		data[k] = json.RawMessage(v)
	}
	if c.bag != nil {
		bag := make(map[string]json.RawMessage)
		for k, v := range c.bag {
			bag[k] = json.RawMessage(v)
		}
		data[bagField] = mustJSON(bag)
	}
	r["data"] = mustJSON(data)
	return mustJSON(r)
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
func (pl *plant) applied(b *driver.Batch, lost bool) {
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
