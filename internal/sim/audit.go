package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// patienceLimit is how long a healthy world may take to come to rest.
const patienceLimit = 5 * time.Minute

// audit heals the world and checks that everything ends as it should: every
// wait, every dead server's affairs, and every player's data.
func (w *world) audit() {
	w.trace.add("the world becomes healthy")
	w.calm, w.blink, w.frozen = true, time.Time{}, time.Time{}
	w.quiet.Store(true)
	for _, in := range w.all {
		in.cut = time.Time{}
		w.resume(in)
	}
	w.until("all waits to end", w.idle)
	auditor := w.startServer(0)
	w.until("a server to start", w.idle)
	var there []*player
	for _, p := range w.check.players {
		if p.stored.exists && w.err == nil {
			there = append(there, p)
			w.open(auditor, p, opening{})
		}
	}
	w.until("all players to be opened", w.idle)
	for _, in := range w.all {
		if in != auditor && !in.dead && !in.closing && w.err == nil {
			w.closeServer(in)
		}
	}
	w.until("all other servers to shut down", w.idle)
	w.until("dead servers to be settled", w.settled)
	w.until("all messages to be handled", w.looking(auditor))
	w.until("all that was erased to be swept", w.swept)
	w.checkOpened(auditor, there)
	if w.err == nil {
		w.closeServer(auditor)
	}
	w.until("the last server to shut down", w.idle)
	w.checkLeft()
}

// looking returns a function that reports whether all messages have been handled, and
// has a server look again for those that wait: whoever sent one may have given up,
// and rung for nobody, when it came to the database.
func (w *world) looking(in *instance) func() bool {
	var looked time.Time
	return func() bool {
		switch {
		case !w.idle():
			return false
		case w.handled():
			return true
		case time.Since(looked) > time.Second:
			looked = time.Now()
			w.takeMail(in)
		}
		return false
	}
}

// takeMail has a server handle what waits for players.
func (w *world) takeMail(in *instance) {
	for _, p := range w.check.players {
		h := in.holdOf(p)
		switch {
		case !w.check.expects(p):
		case h == nil:
			w.open(in, p, opening{})
		default:
			w.begin(in, 0, "look for messages to "+p.key.ID, func(ctx context.Context) func() {
				err := h.profile.HandleMessages(ctx)
				return func() { w.heard(err) }
			})
		}
	}
}

// until lets the world go on until something is so, and not for ever.
func (w *world) until(what string, ok func() bool) {
	deadline := time.Now().Add(patienceLimit)
	w.loop(func() bool { return ok() || time.Now().After(deadline) })
	if w.err == nil && !ok() {
		w.fail(fmt.Errorf("waited %v in a healthy world for %s; under way: %s", patienceLimit, what, w.pending()))
	}
}

// idle reports whether nobody waits for anything.
func (w *world) idle() bool {
	for _, o := range w.ops {
		if !o.in.dead {
			return false
		}
	}
	return true
}

// handled reports whether no message waits for anybody any more.
func (w *world) handled() bool { return !slices.ContainsFunc(w.check.players, w.check.expects) }

func (w *world) pending() string {
	var names []string
	for _, o := range w.ops {
		if !o.in.dead {
			names = append(names, o.name)
		}
	}
	return strings.Join(names, ", ")
}

// settled reports whether only leases of running servers are left.
func (w *world) settled() bool {
	for _, l := range w.check.leases {
		if !l.gone && (l.taker.dead || l.sealed) {
			return false
		}
	}
	return true
}

// checkOpened checks that a server that has opened everybody holds all that
// was durable, and every group whole.
func (w *world) checkOpened(in *instance, ps []*player) {
	if w.err != nil {
		return
	}
	for _, p := range ps {
		h := in.holdOf(p)
		switch {
		case h == nil:
			w.fail(fmt.Errorf("%s opened %v and does not hold it", in.name, p.key))
			return
		case h.head != p.durable:
			w.fail(fmt.Errorf("%s opened %v at update %v, but %v was durable", in.name, p.key, h.head, p.durable))
		}
		for u := p.durable; u != nil; u = u.parent {
			w.fail(u.group.whole())
		}
	}
	w.fail(w.check.checkGems())
}

// checkLeft checks that the servers have left nothing behind but the players,
// unlocked, and what the database carried out after its sender had given it up
// or had been killed.
func (w *world) checkLeft() {
	if w.err != nil {
		return
	}
	s, err := w.db.List(context.Background(), driver.Query{})
	if err != nil {
		w.fail(err)
		return
	}
	for i := range s.Entries {
		key := s.Entries[i].Key
		p := w.check.byRoot[key]
		switch {
		case p != nil && p.stored.session != "" && p.durable != p.origin: // else it was created late, and for nobody
			w.fail(fmt.Errorf("%v is still locked by session %s when all servers have closed", p.key, p.stored.session))
		case w.check.mayStay(key) || strings.HasPrefix(key, erasedPrefix) && w.strays[key]:
		case p == nil && !strings.HasPrefix(key, confirmKey) && !w.strays[key] && !w.orphaned(&s.Entries[i]):
			w.fail(fmt.Errorf("entry %q is left when all servers have closed", key))
		}
	}
}

// orphaned reports whether an entry is a request of a server that was killed, or
// one that only rings and came when the lease had gone.
func (w *world) orphaned(e *driver.Entry) bool {
	parts, err := store.SplitKey(e.Key)
	if err != nil || len(parts) != 4 || parts[0] != requestName {
		return false
	}
	var r struct {
		Ring bool `json:"ring"`
	}
	l := w.check.leases[parts[2]]
	return l != nil && l.taker.killed || json.Unmarshal(e.Value, &r) == nil && r.Ring
}
