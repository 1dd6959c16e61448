package demo

import (
	"math"
	"sync"
	"time"
)

// history is what the director was told, by whom. It is safe for concurrent
// use.
type history struct {
	mu      sync.Mutex // guards what follows
	players map[string]*chronicle
	all     int // updates that were made
	durable int // of them, those that were durable
	paused  int // updates that were refused by a server that was suspended
}

// chronicle is the history of one player.
type chronicle struct {
	openings []opening
	updates  map[int64]*update
	kept     map[int64]int64 // by opening: its updates up to this Seq are on disk
	ends     map[int64]ending
}

// opening is one that was granted: a server counted it, durably.
type opening struct {
	server  string
	ordinal int64
	seq     int64   // updates that it found
	done    numbers // and which
}

// word is what a server said of an update.
type word uint8

const (
	nothing word = iota // no answer came: it may have been made or not
	refused             // it was not made
	made                // it was made in memory
	kept                // it was made and is on disk
)

// update is one that a server was told to make.
type update struct {
	op      int64
	server  string
	ordinal int64 // the opening under which it was made; if no answer came, under which it was sent
	seq     int64
	at      time.Time // when it was made, by the server's clock
	word    word

	partner   string // who else is part of it; empty: nobody
	partnerOp int64
}

func newHistory(players []*player) *history {
	h := &history{players: make(map[string]*chronicle)}
	for _, p := range players {
		h.players[p.id] = &chronicle{updates: make(map[int64]*update), kept: make(map[int64]int64), ends: make(map[int64]ending)}
	}
	return h
}

// opened notes an opening.
func (h *history) opened(server string, a answer) {
	if a.Error != "" || a.Again {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.players[a.Player]
	c.openings = append(c.openings, opening{server, a.Ordinal, a.Seq, a.Done})
}

// asked notes that a server is about to be told to make an update.
func (h *history) asked(server string, o order, ordinal, toOrdinal int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.players[o.Player].updates[o.Op] = &update{op: o.Op, server: server, ordinal: ordinal, partner: o.To, partnerOp: o.ToOp}
	if o.Do == doGive {
		h.players[o.To].updates[o.ToOp] = &update{op: o.ToOp, server: server, ordinal: toOrdinal, partner: o.Player, partnerOp: o.Op}
	}
}

// answered notes what a server said of an update.
func (h *history) answered(o order, a answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.players[o.Player].updates[o.Op].answered(a, a.Ordinal, a.Seq)
	if a.Made > 0 {
		h.all++
	}
	if a.Kept {
		h.durable++
	}
	if a.Suspended && a.Made == 0 {
		h.paused++
	}
	if o.Do == doGive {
		h.players[o.To].updates[o.ToOp].answered(a, a.ToOrdinal, a.ToSeq)
	}
}

func (u *update) answered(a answer, ordinal, seq int64) {
	u.word = refused
	switch {
	case a.Kept:
		u.word = kept
	case a.Made > 0:
		u.word = made
	}
	u.at, u.seq = time.UnixMicro(a.Made), seq
	if ordinal > 0 {
		u.ordinal = ordinal
	}
}

// saved notes that a server saved a player.
func (h *history) saved(a answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.Kept {
		c := h.players[a.Player]
		c.kept[a.Ordinal] = max(c.kept[a.Ordinal], a.Seq)
	}
}

// ended notes how a session has ended.
func (h *history) ended(a answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.players[a.Player]
	c.ends[a.Ordinal] = a.End
}

// endsOf returns for how many of some players the end that belongs to an
// opening was told to be a loss, and for how many that everything is saved.
func (h *history) endsOf(openings map[string]int64) (lost, saved int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for player, ordinal := range openings {
		switch h.players[player].ends[ordinal] {
		case endLost:
			lost++
		case endSaved:
			saved++
		}
	}
	return lost, saved
}

// counts returns how many updates were made so far, as far as was told, and how
// many of them were acknowledged one by one as being on disk.
func (h *history) counts() (all, durable int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all, h.durable
}

// refusedAsSuspended returns how many updates a server refused since it was
// suspended.
func (h *history) refusedAsSuspended() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.paused
}

// keptUpTo returns for each opening up to which Seq its updates were
// acknowledged as being on disk: a durable update and a save acknowledge all
// before them, and a session that has ended well all that it made.
func (c *chronicle) keptUpTo() map[int64]int64 {
	upTo := make(map[int64]int64)
	for ordinal, seq := range c.kept {
		upTo[ordinal] = seq
	}
	for _, u := range c.updates {
		if u.word == kept {
			upTo[u.ordinal] = max(upTo[u.ordinal], u.seq)
		}
	}
	for ordinal, end := range c.ends {
		if end == endSaved {
			upTo[ordinal] = math.MaxInt64
		}
	}
	return upTo
}

// isKept reports whether the update was acknowledged as being on disk, by
// itself or by something after it.
func (u *update) isKept(upTo map[int64]int64) bool {
	return u.word == kept || u.word == made && u.seq <= upTo[u.ordinal]
}
