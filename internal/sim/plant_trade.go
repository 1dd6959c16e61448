package sim

import (
	"encoding/json"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// tradePlant is what the bugs of trades need to know.
type tradePlant struct {
	values map[string][]byte    // of each root, the last that was written
	before map[string][]byte    // of each root that a trade wrote last: what it held before
	asked  map[string]time.Time // roots that other servers want to be held still
	newest map[string]string    // by topic: the last trade for which that was asked
}

func newTradePlant() tradePlant {
	return tradePlant{
		values: make(map[string][]byte), before: make(map[string][]byte),
		asked: make(map[string]time.Time), newest: make(map[string]string),
	}
}

// wrote follows the roots.
func (pl *tradePlant) wrote(w *world, b *driver.Batch) {
	roots := w.check.rootsIn(b)
	for _, wr := range roots {
		if delete(pl.before, wr.Key); len(roots) > 1 {
			pl.before[wr.Key] = pl.values[wr.Key]
		}
		pl.values[wr.Key] = wr.Value
	}
}

// unsaved returns what a save before a trade writes that keeps its changes back: the
// data and the position of the version before it. So nothing is lost yet.
func (pl *tradePlant) unsaved(p *player, value []byte) []byte {
	var now storedRoot
	alone := json.Unmarshal(value, &now) == nil && now.Lock != nil && now.Lock.Session == p.stored.session
	if asked, ok := pl.asked[p.root]; !ok || !alone || time.Since(asked) > time.Second {
		return value
	}
	return pl.values[p.root]
}

// forgotten returns a root as its holder reads it after a trade, without what the
// trade has changed.
func (pl *tradePlant) forgotten(w *world, in *instance, p *player, value []byte) []byte {
	was, ok := pl.before[p.root]
	l := w.check.leases[p.stored.lease]
	if !ok || l == nil || l.taker != in {
		return value
	}
	return withMember(value, "data", member(was, "data"))
}

// question is a message by which servers ask each other, as far as the bugs need it.
type question struct {
	Verb string `json:"verb"`
	Body []byte `json:"body"`
}

// heard follows the freezes. If stale, the news of an older trade are told as if they
// were of the last one for which that server holds something still.
func (pl *tradePlant) heard(m message, stale bool) message {
	var q question
	var body struct {
		Key       string `json:"key"`
		Announced string `json:"announced"`
	}
	if json.Unmarshal(member([]byte(m.text), "call"), &q) != nil || json.Unmarshal(q.Body, &body) != nil {
		return m
	}
	switch {
	case q.Verb == "freeze":
		pl.asked[body.Key], pl.newest[m.topic] = time.Now(), body.Announced
	case q.Verb == "thaw" && stale && pl.newest[m.topic] != "":
		news := mustJSON(map[string]any{"announced": pl.newest[m.topic], "committed": false})
		call := withMember(member([]byte(m.text), "call"), "body", mustJSON(news))
		m.text = string(withMember([]byte(m.text), "call", call))
	}
	return m
}

// member returns a member of a JSON object, or nil.
func member(object []byte, name string) json.RawMessage {
	var o map[string]json.RawMessage
	if json.Unmarshal(object, &o) != nil {
		return nil
	}
	return o[name]
}

// withMember replaces a member of a JSON object.
func withMember(object []byte, name string, value json.RawMessage) []byte {
	var o map[string]json.RawMessage
	if json.Unmarshal(object, &o) != nil || value == nil {
		return object
	}
	o[name] = value
	return mustJSON(o)
}
