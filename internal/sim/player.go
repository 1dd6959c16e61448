package sim

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

// opening is how a caller opens a player.
type opening struct {
	limit time.Duration // 0: it waits for as long as it takes
	steal string        // the reason, if it steals
}

// beginActs lets callers act at random times, until the world is calm.
func (w *world) beginActs() {
	w.repeat(w.shape.opEvery, func() { w.withOne(w.act) })
}

// act does one thing that a game would.
func (w *world) act(in *instance) {
	if w.chance(w.shape.mail) {
		w.mail(in)
		return
	}
	if w.chance(w.shape.byID) {
		w.changeByID(in)
		return
	}
	if w.chance(w.shape.shop) {
		w.shop(in)
		return
	}
	if w.chance(w.shape.trades) {
		w.trade(in)
		return
	}
	if w.chance(w.shape.erase) {
		w.erase(in, w.somebody())
		return
	}
	if w.chance(w.shape.restore) {
		w.restore(in, w.somebody())
		return
	}
	if w.chance(w.shape.slots) {
		w.saveSlots(in)
		return
	}
	n := w.rng.IntN(100)
	switch {
	case n < 5:
		w.peek(in, w.somebody())
		return
	case n < 8 && len(w.ops) > 0:
		w.giveUp(w.ops[w.rng.IntN(len(w.ops))])
		return
	case n < 35 || len(in.holds) == 0:
		w.openSomebody(in)
		return
	}
	w.use(in, in.holds[w.rng.IntN(len(in.holds))])
}

// giveUp ends a caller's wait, unless it is for a server to start.
func (w *world) giveUp(o *op) {
	if !o.in.up {
		return
	}
	w.trace.add("%v is given up", o)
	o.until = time.Now()
	o.cancel()
}

// use does one thing with an open session.
func (w *world) use(in *instance, h *hold) {
	switch n := w.rng.IntN(100); {
	case n < 40:
		w.update(false, h)
	case n < 50:
		w.update(true, h)
	case n < 66:
		w.update(n < 55, w.several(in)...)
	case n < 70:
		w.update(false, h)
		w.rollBack(h)
	case n < 76:
		w.writeLazily(h)
	case n < 82:
		w.sync(h)
	case n < 88:
		w.save(h)
	case n < 93:
		w.trace.add("%s saves %s soon", in.name, h.p.key.ID)
		h.s.SaveSoon(session.CauseAutosave)
	default:
		w.close(h)
	}
}

// somebody returns a random player.
func (w *world) somebody() *player {
	n := len(w.check.players)
	if w.shape.hot {
		n = min(n, 3)
	}
	return w.check.players[w.rng.IntN(n)]
}

// several returns some of a server's open sessions, each once.
func (w *world) several(in *instance) []*hold {
	n := min(len(in.holds), 2+w.rng.IntN(3))
	hs := make([]*hold, 0, n)
	for _, i := range w.rng.Perm(len(in.holds))[:n] {
		hs = append(hs, in.holds[i])
	}
	return hs
}

func (w *world) openSomebody(in *instance) {
	var o opening
	if w.chance(0.3) {
		o.limit = w.upTo(2 * time.Second)
	}
	if w.chance(w.shape.steal) {
		o.steal = "the simulation wants it"
	}
	w.open(in, w.somebody(), o)
}

// update changes players in memory: one alone, or several as a group.
func (w *world) update(durable bool, hs ...*hold) {
	for _, h := range hs {
		if h.s.Thawed() != nil && w.chance(0.8) {
			w.trace.add("%s is held still", h.p.key.ID)
			return
		}
	}
	ps := w.plan(hs)
	us := updates(ps)
	if len(us) > 1 {
		w.check.join(us)
	}
	var err error
	switch {
	case hs[0].profile == nil:
		err = w.inSessions(ps, durable)
	case durable:
		w.durably(ps)
		synctest.Wait() // it is in memory now, or refused
	default:
		err = w.inProfiles(ps)
	}
	if err != nil {
		w.refused(hs, err)
		return
	}
	w.trace.add("%s makes %v, durable %v", hs[0].in.name, us, durable)
	for _, p := range ps {
		w.made(p, durable)
	}
}

// made notes an update that is in memory.
func (w *world) made(p plan, durable bool) {
	h := p.h
	h.s.Lock()
	data := h.s.Document().AppendJSON(nil)
	h.s.Unlock()
	if durable && h.profile != nil {
		if err := w.checkMemory(h, data); err == nil {
			return // it was refused; its caller hears why
		}
	}
	w.moved(h.s, p.u)
	w.fail(w.checkMemory(h, data))
	if w.shape.steady() && h.p.stored.session != h.session {
		w.fail(fmt.Errorf("session %s changed %v, which session %q owns", h.session, h.p.key, h.p.stored.session))
	}
	if durable && h.profile == nil {
		w.sync(h)
	}
}

// moved notes the last update that a session holds in memory.
func (w *world) moved(s *session.Session, u *update) {
	w.check.sessions[s.ID()].last = u
	for _, in := range w.all {
		for _, h := range in.holds {
			if h.s == s {
				h.head = u
			}
		}
	}
}

// refused checks why sessions may not be changed.
func (w *world) refused(hs []*hold, err error) {
	w.trace.add("%s may not change %s: %v", hs[0].in.name, hs[0].p.key.ID, err)
	for _, known := range []error{session.ErrSuspended, session.ErrClosed, session.ErrLost, session.ErrOutboxFull, session.ErrFrozen} {
		if errors.Is(err, known) {
			return
		}
	}
	w.fail(fmt.Errorf("begin on %v: %w", hs[0].p.key, err))
}

// rollBack changes a player and takes it back.
func (w *world) rollBack(h *hold) {
	tx, err := h.s.Begin()
	if err != nil {
		w.refused([]*hold{h}, err)
		return
	}
	for _, ch := range w.changes() {
		w.fail(ch.write(tx, w.chance(0.2)))
	}
	session.Rollback(tx)
	w.trace.add("%s rolls a change of %s back", h.in.name, h.p.key.ID)
}

// writeLazily writes what is not journalled.
func (w *world) writeLazily(h *hold) {
	w.lazies++
	lazy, err := h.lazily(w.lazies)
	if err != nil {
		w.refused([]*hold{h}, err)
		return
	}
	h.lazy = lazy
	w.fail(h.checkFleet())
	w.trace.add("%s writes lazy %d of %s", h.in.name, h.lazy, h.p.key.ID)
}

func lazyInSession(s *session.Session, n int) error {
	tx, err := s.Begin()
	if err != nil {
		return err
	}
	c := change{document.Field(lazyField), strconv.Itoa(n)}
	if err := c.write(tx, true); err != nil {
		session.Rollback(tx)
		return err
	}
	return session.Commit(false, tx)
}

// sync waits until everything up to here is in the journal.
func (w *world) sync(h *hold) {
	u := h.head
	w.begin(h.in, w.patience(), "sync "+h.p.key.ID, func(ctx context.Context) func() {
		err := h.s.Sync(ctx)
		return func() {
			w.heard(err)
			if err == nil {
				w.fail(w.check.kept(u, w.current.name))
			}
		}
	})
}

// save waits until everything up to here is in the root.
func (w *world) save(h *hold) {
	u, lazy, had, restored := h.head, h.lazy, h.played(), h.p.restored
	w.begin(h.in, w.patience(), "save "+h.p.key.ID, func(ctx context.Context) func() {
		err := h.save(ctx)
		return func() {
			w.heard(err)
			if err != nil {
				return
			}
			w.fail(w.check.saved(u, w.current.name))
			if h.p.restored > restored {
				return
			}
			w.fail(h.checkSavedTime(u, had))
			if u.erased == 0 && u.p.stored.head != nil && u.p.stored.lazy < lazy {
				w.fail(fmt.Errorf("%s was told that lazy value %d is saved, the root has %d", w.current, lazy, u.p.stored.lazy))
			}
		}
	})
}

// close ends a session properly.
func (w *world) close(h *hold) {
	u, had, restored := h.head, h.played(), h.p.restored
	w.fail(h.checkFleet())
	w.begin(h.in, w.patience(), "close "+h.p.key.ID, func(ctx context.Context) func() {
		err := h.close(ctx)
		return func() {
			w.heard(err)
			if err == nil {
				w.fail(w.check.released(u, h.session, w.current.name))
			}
			if err == nil && h.p.restored == restored {
				w.fail(h.checkSavedTime(u, had))
			}
		}
	})
}

// patience is how long a caller waits: mostly for as long as it takes.
func (w *world) patience() time.Duration {
	if w.chance(0.2) {
		return w.upTo(w.shape.lease)
	}
	return 0
}

// peek reads a player without its lock.
func (w *world) peek(in *instance, p *player) {
	floor, existed, answered := p.durable, p.stored.exists, p.erasure.answered
	w.begin(in, w.patience(), "peek "+p.key.ID, func(ctx context.Context) func() {
		v, err := in.srv.Peek(ctx, p.key)
		return func() {
			if errors.Is(err, session.ErrNotFound) && !existed {
				w.trace.add("%s finds nothing", w.current)
				return
			}
			w.heard(err)
			switch {
			case errors.Is(err, session.ErrNotFound):
				w.fail(fmt.Errorf("%s: %w, but it is there", w.current, err))
			case err == nil:
				w.peeked(p, v, floor, answered)
			}
		}
	})
}

// peeked checks that a reader sees what is durable, and nothing else.
func (w *world) peeked(p *player, v *session.View, floor *update, answered int) {
	u, _, err := w.check.find(p, v.Document.AppendJSON(nil))
	switch {
	case err != nil:
		w.fail(fmt.Errorf("%s: %w", w.current, err))
	case u.erased > 0 && u.erased <= answered:
		w.fail(fmt.Errorf("%s saw update %v, and somebody had been told that it was erased", w.current, u))
	case u.erased > 0 || floor.erased > 0:
	case !floor.within(u) || !u.within(p.durable):
		w.fail(fmt.Errorf("%s saw update %v; %v was durable before and %v is now", w.current, u, floor, p.durable))
	}
}
