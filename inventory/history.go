package inventory

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/holdfast-games/holdfast/driver"
)

// Limits of a history.
const (
	MaxHops    = 16  // transfers that a history tells of, the last ones
	MaxSources = 16  // texts of Origin.From
	maxText    = 128 // bytes of each text
)

// Origin says where an instance comes from. All of it is for people and for queries
// and may be empty; each text is UTF-8 of up to 128 bytes.
type Origin struct {
	By     string   // who made it: a server, a player, an operator
	Reason string   // why: "quest 7 done"
	From   []string // from what: the id of a purchase, a loot table, the keys of what it was crafted from; up to MaxSources
}

// History is an instance's provenance.
type History struct {
	Origin
	Created time.Time // by the clock of the server that made it
	First   string    // the profile for which it was made, as "player/42"
	Hops    []Hop     // through whom it passed since, the last MaxHops of them
	Dropped int64     // hops before those
}

// Hop is one transfer of an instance.
type Hop struct {
	To     string    // the profile that it came to
	At     time.Time // by the clock of the server that moved it
	Reason string
}

// storedHistory is a history as it is stored. Servers of several versions read it:
// what is defined keeps its meaning, and what is not is kept.
type storedHistory struct {
	To   string         `json:"to"`
	By   string         `json:"by,omitzero"`
	Why  string         `json:"why,omitzero"`
	From []string       `json:"from,omitempty"`
	Via  []storedHop    `json:"via,omitempty"`
	Gone int64          `json:"gone,omitzero"`
	Rest jsontext.Value `json:",embed"`
}

type storedHop struct {
	To   string         `json:"to"`
	At   int64          `json:"at"` // milliseconds since the Unix epoch
	Why  string         `json:"why,omitzero"`
	Rest jsontext.Value `json:",embed"`
}

func parseHistory(text []byte) (h storedHistory, err error) {
	if err := json.Unmarshal(text, &h); err != nil {
		return h, fmt.Errorf("history: %w", err)
	}
	return h, nil
}

func (h *storedHistory) encode() ([]byte, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return text, nil
}

// newHistory returns the history of an instance that is about to be made.
func newHistory(owner string, o *Origin) ([]byte, error) {
	if o == nil {
		o = &Origin{}
	}
	if len(o.From) > MaxSources {
		return nil, fmt.Errorf("%w: an origin from %d things, at most %d", driver.ErrInvalid, len(o.From), MaxSources)
	}
	for _, text := range append([]string{o.By, o.Reason}, o.From...) {
		if err := checkText(text); err != nil {
			return nil, err
		}
	}
	h := storedHistory{To: owner, By: o.By, Why: o.Reason, From: o.From}
	return h.encode()
}

func checkText(text string) error {
	if len(text) > maxText || !utf8.ValidString(text) {
		return fmt.Errorf("%w: %.40q is not UTF-8 of up to %d bytes", driver.ErrInvalid, text, maxText)
	}
	return nil
}

// passOn returns a history with one more hop.
func passOn(history []byte, owner, reason string, now time.Time) ([]byte, error) {
	if err := checkText(reason); err != nil {
		return nil, err
	}
	h, err := parseHistory(history)
	if err != nil {
		return nil, err
	}
	h.Via = append(h.Via, storedHop{To: owner, At: now.UnixMilli(), Why: reason})
	if n := len(h.Via) - MaxHops; n > 0 {
		h.Via = h.Via[n:]
		h.Gone += int64(n)
	}
	return h.encode()
}

// History returns an instance's provenance, and false for a stack, which has none.
func (e *Entry) History() (History, bool) {
	h, err := parseHistory(e.history)
	if err != nil { // of a stack; of an instance it was checked when it was loaded
		return History{}, false
	}
	out := History{
		Origin: Origin{By: h.By, Reason: h.Why, From: h.From}, Created: e.ID.Time(), First: h.To, Dropped: h.Gone,
	}
	for _, hop := range h.Via {
		out.Hops = append(out.Hops, Hop{To: hop.To, At: time.UnixMilli(hop.At), Reason: hop.Why})
	}
	return out, true
}

// Passed reports whether the instance is known to have been a profile's, such as
// "player/42": it was made for it, or one of the hops led to it.
func (h *History) Passed(profile string) bool {
	if h.First == profile {
		return true
	}
	for _, hop := range h.Hops {
		if hop.To == profile {
			return true
		}
	}
	return false
}
