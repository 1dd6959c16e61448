package demo

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// final is what the database holds of a player in the end.
type final struct {
	err     error  // it could not be read
	holder  string // the server that still has the player; empty: nobody
	same    bool   // what was imported is there, equal in meaning
	done    numbers
	updates int64
	opened  int64
	items   []string
}

// finding is one promise that was broken.
type finding struct {
	promise promise
	what    string
}

func (f finding) String() string { return fmt.Sprintf("%s: %s", f.promise, f.what) }

// promise is what a finding is about.
type promise string

const (
	promiseKept    promise = "acknowledged updates"
	promiseOwner   promise = "one owner"
	promiseWhole   promise = "groups are whole"
	promiseItems   promise = "items"
	promiseData    promise = "imported documents"
	promiseRelease promise = "shutdown"
	promiseFleet   promise = "database away"
)

// verdict is what the comparison of history and database came to.
type verdict struct {
	findings       []finding
	updates        int // made, as far as was told
	acknowledged   int // of them, as being on disk
	unacknowledged int // of those that were not, how many a crash took
	groups         int // updates of two players
	equal          int // documents that came back equal
	items          int
	sessionsLost   map[string]int       // by server: sessions that it has reported as lost
	lostOldest     map[string]time.Time // by server that crashed: when the oldest update was made that was lost with it
}

func (v *verdict) broken(p promise, format string, args ...any) {
	v.findings = append(v.findings, finding{p, fmt.Sprintf(format, args...)})
}

func (v *verdict) count(p promise) (n int) {
	for _, f := range v.findings {
		if f.promise == p {
			n++
		}
	}
	return n
}

// check compares what the director was told with what the database holds.
// Crashed are the servers that were killed. Only with them, and with sessions
// that their server has reported as lost, may updates go that were not
// acknowledged.
func check(h *history, players []*player, finals map[string]*final, crashed map[string]bool) *verdict {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := &verdict{lostOldest: make(map[string]time.Time), sessionsLost: make(map[string]int)}
	for _, p := range players {
		f := finals[p.id]
		if f == nil || f.err != nil {
			v.broken(promiseData, "player %s cannot be read: %v", p.id, f.reason())
			continue
		}
		c := h.players[p.id]
		for _, o := range c.openings {
			if c.ends[o.ordinal] == endLost {
				v.sessionsLost[o.server]++
			}
		}
		v.checkState(p.id, f)
		v.checkUpdates(p.id, c, f, crashed)
		v.checkOwners(p.id, c, f)
	}
	v.checkGroups(h, finals)
	v.checkItems(players, finals)
	return v
}

func (f *final) reason() error {
	if f == nil {
		return fmt.Errorf("it was not looked for")
	}
	return f.err
}

// checkState checks what can be seen without history.
func (v *verdict) checkState(id string, f *final) {
	if f.same {
		v.equal++
	} else {
		v.broken(promiseData, "the document of %s is not what was imported", id)
	}
	if f.updates != f.done.len() {
		v.broken(promiseWhole, "%s has %d updates and counts %d: one was applied in part", id, f.done.len(), f.updates)
	}
	if f.holder != "" {
		v.broken(promiseRelease, "%s is still held by %s", id, f.holder)
	}
}

// checkUpdates looks for each update in the database.
func (v *verdict) checkUpdates(id string, c *chronicle, f *final, crashed map[string]bool) {
	upTo := c.keptUpTo()
	for _, op := range slices.Sorted(maps.Keys(c.updates)) {
		u := c.updates[op]
		if u.word >= made {
			v.updates++
		}
		isKept, found := u.isKept(upTo), f.done.has(op)
		if isKept {
			v.acknowledged++
		}
		switch {
		case u.word == refused && found:
			v.broken(promiseOwner, "update %d of %s was refused by %s and is there", op, id, u.server)
		case u.word < made || found:
		case isKept:
			v.broken(promiseKept, "update %d of %s was acknowledged by %s and is lost", op, id, u.server)
		case !crashed[u.server] && c.ends[u.ordinal] != endLost:
			v.broken(promiseKept, "update %d of %s, made by %s, is lost, and that server never failed", op, id, u.server)
		default:
			v.unacknowledged++
			if c.ends[u.ordinal] != endLost { // else it went when the server was taken for dead
				v.lostInCrash(u)
			}
		}
	}
	for _, r := range f.done {
		for op := r[0]; op <= r[1]; op++ {
			if c.updates[op] == nil {
				v.broken(promiseKept, "%s has update %d, which nobody made", id, op)
			}
		}
	}
}

// lostInCrash notes an update that was not acknowledged and went with its server.
func (v *verdict) lostInCrash(u *update) {
	if oldest, ok := v.lostOldest[u.server]; !ok || u.at.Before(oldest) {
		v.lostOldest[u.server] = u.at
	}
}

// checkOwners looks for a time at which two servers owned a player.
func (v *verdict) checkOwners(id string, c *chronicle, f *final) {
	openings := slices.Clone(c.openings)
	slices.SortStableFunc(openings, func(a, b opening) int { return cmp.Compare(a.ordinal, b.ordinal) })
	for i := 1; i < len(openings); i++ {
		if a, b := openings[i-1], openings[i]; a.ordinal == b.ordinal {
			v.broken(promiseOwner, "%s and %s both opened %s as number %d", a.server, b.server, id, a.ordinal)
		}
	}
	if n := len(openings); n > 0 && openings[n-1].ordinal > f.opened {
		v.broken(promiseOwner, "opening %d of %s by %s is not counted", openings[n-1].ordinal, id, openings[n-1].server)
	}
	upTo := c.keptUpTo()
	bySeq := make(map[int64]*update)
	for _, op := range slices.Sorted(maps.Keys(c.updates)) {
		u := c.updates[op]
		if u.isKept(upTo) {
			if other := bySeq[u.seq]; other != nil {
				v.broken(promiseOwner, "%s and %s both made an update number %d of %s", other.server, u.server, u.seq, id)
			}
			bySeq[u.seq] = u
		}
		v.checkOrder(id, u, u.isKept(upTo), f.done.has(u.op), openings)
	}
}

// checkOrder checks that an update was there when the next server opened the
// player: what the one before did later must not have been accepted.
func (v *verdict) checkOrder(id string, u *update, isKept, found bool, openings []opening) {
	if u.word < made {
		return // it is not known under which opening it was made, if it was
	}
	for _, next := range openings {
		if next.ordinal <= u.ordinal {
			continue
		}
		switch has := next.done.has(u.op); {
		case isKept && !has:
			v.broken(promiseOwner, "%s acknowledged update %d of %s, which %s did not find when it opened the player after it", u.server, u.op, id, next.server)
		case found && !has:
			v.broken(promiseOwner, "%s had update %d of %s accepted after %s had opened the player", u.server, u.op, id, next.server)
		}
		return
	}
}

// checkGroups checks that updates of two players happened to both or to none.
func (v *verdict) checkGroups(h *history, finals map[string]*final) {
	for _, id := range slices.Sorted(maps.Keys(h.players)) {
		for _, u := range h.players[id].updates {
			if u.partner == "" || u.partner < id {
				continue // it is looked at from the other side
			}
			v.groups++
			a, b := finals[id], finals[u.partner]
			if a == nil || b == nil {
				continue
			}
			if a.done.has(u.op) != b.done.has(u.partnerOp) {
				v.broken(promiseWhole, "an item went between %s (update %d) and %s (update %d), and only one of them knows", id, u.op, u.partner, u.partnerOp)
			}
		}
	}
}

// checkItems counts the items: none may be gone, none may be there twice.
func (v *verdict) checkItems(players []*player, finals map[string]*final) {
	left := make(map[string]int)
	for _, p := range players {
		for _, name := range p.items {
			left[name]++
			v.items++
		}
	}
	for _, p := range players {
		f := finals[p.id]
		if f == nil {
			continue
		}
		for _, name := range f.items {
			if left[name]--; left[name] < 0 {
				v.broken(promiseItems, "%s was created: %s has one too many", name, p.id)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		if left[name] > 0 {
			v.broken(promiseItems, "%s was destroyed", name)
		}
	}
}

// acceptedLate reports whether an update is there that was sent to a server
// after it had been stopped, though the server that took the player over had not
// found it.
func (c *chronicle) acceptedLate(op int64, f *final) bool {
	u := c.updates[op]
	if f == nil || !f.done.has(op) {
		return false
	}
	return slices.ContainsFunc(c.openings, func(next opening) bool {
		return next.ordinal > u.ordinal && !next.done.has(op)
	})
}
