package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// award adds to an update something that is awarded, with a record beside the
// root; or takes one back, with its record.
func (w *world) award(p *plan) {
	pl := p.h.p
	if had := p.h.head.content.awards(); len(had) > 0 && w.chance(0.4) {
		id := had[w.rng.IntN(len(had))]
		p.changes = append(p.changes, change{document.Element(gotField, id), ""})
		p.attach = append(p.attach, driver.Write{Key: pl.entry(recordFolder, id), Mode: driver.Always, Delete: true})
		return
	}
	w.values++
	id := w.again(pl)
	if id == "" {
		id = fmt.Sprintf("a%d", w.values)
	}
	pl.awards = append(pl.awards, id)
	p.changes = append(p.changes, change{document.Element(gotField, id), strconv.Itoa(w.values)})
	p.attach = append(p.attach, driver.Write{Key: pl.entry(recordFolder, id), Mode: driver.Always, Value: []byte(strconv.Quote(id))})
}

// awards returns the awards that a document names.
func (c content) awards() []string {
	var ids []string
	for id := range c.objects[gotField] {
		if id[0] == 'a' {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// give adds to an update a gift to somebody.
func (w *world) give(p *plan) {
	g := w.check.newGift(w.somebody(), 1+w.rng.IntN(50))
	g.asked = w.lifeOf(p.h.in)
	p.gifts = append(p.gifts, g)
	left := strconv.Itoa(p.h.head.content.coins() - g.amount)
	p.changes = append(p.changes, change{document.Field(coinsField), left})
}

// mail does one thing with messages.
func (w *world) mail(in *instance) {
	all := w.check.gifts
	switch n := w.rng.IntN(100); {
	case n < 40 || len(all) == 0:
		g := w.check.newGift(w.somebody(), 1+w.rng.IntN(50))
		g.asked = w.lifeOf(in)
		w.send(in, g)
	case n < 70:
		w.sendAgain(in, all[w.rng.IntN(len(all))])
	default:
		w.deliver(in, all[w.rng.IntN(len(all))])
	}
}

// sendAgain sends what a server has sent before, with the same id, unless its
// time is over.
func (w *world) sendAgain(in *instance, g *gift) {
	if g.gone || g.from != nil || !g.asked.IsZero() && g.asked.Sub(in.srv.Now()) < 2*profile.MinMessageLife {
		return
	}
	w.send(in, g)
}

// beginFor begins an operation for a player, unless the server is at one for him: of
// two of one moment, nobody could say which is which.
func (w *world) beginFor(in *instance, p *player, what string, run func(context.Context) func()) {
	busy := "at " + p.key.ID
	if in.busy[busy] {
		return
	}
	in.busy[busy] = true
	w.begin(in, w.patience(), what+" "+p.key.ID, func(ctx context.Context) func() {
		tell := run(ctx)
		return func() {
			delete(in.busy, busy)
			tell()
		}
	})
}

// send has a server send a gift to a player.
func (w *world) send(in *instance, g *gift) {
	o := &profile.SendOptions{Whoever: w.chance(0.5)}
	existed := g.to.stored.exists
	w.beginFor(in, g.to, fmt.Sprintf("send %s to", g.id), func(ctx context.Context) func() {
		_, err := in.profiles.Send(ctx, g.to.key.ID, g.message(), o)
		return func() {
			if errors.Is(err, session.ErrNotFound) && !existed && !o.Whoever {
				w.trace.add("%s finds nobody", w.current)
				return
			}
			w.heard(err)
			if err == nil && !g.stored && !g.gone {
				w.fail(fmt.Errorf("%s was told that it is sent, and it is not in the database", w.current))
			}
		}
	})
}

// deliver waits until a gift has been received.
func (w *world) deliver(in *instance, g *gift) {
	if !g.stored || g.gone {
		return
	}
	w.beginFor(in, g.to, fmt.Sprintf("deliver %s to", g.id), func(ctx context.Context) func() {
		out, err := in.profiles.Deliver(ctx, g.to.key.ID, g.id)
		return func() {
			w.heardOf(err)
			w.delivered(g, string(out.Result), err)
		}
	})
}

// heardOf traces what became of a delivery.
func (w *world) heardOf(err error) {
	for _, known := range []error{profile.ErrPending, profile.ErrUnhandled, profile.ErrGone} {
		if errors.Is(err, known) {
			w.trace.add("%s ends: %v", w.current, known)
			return
		}
	}
	var dead *profile.DeadError
	if errors.As(err, &dead) {
		w.trace.add("%s was told of a dead letter", w.current)
	}
	w.heard(err)
}

// delivered checks what a sender was told of his gift.
func (w *world) delivered(g *gift, result string, err error) {
	if g.gone {
		return
	}
	st, bad := w.check.stateOf(g)
	w.fail(bad)
	over := w.check.over(g)
	var dead *profile.DeadError
	switch {
	case err == nil && (!st.received || result != strconv.Quote(g.id)):
		w.fail(fmt.Errorf("%s was told %s, and it was not received: %+v", w.current, result, st))
	case errors.As(err, &dead) && !st.failed && !over:
		w.fail(fmt.Errorf("%s was told %w, and that is not noted: %+v", w.current, err, st))
	case errors.Is(err, profile.ErrGone) && !over:
		w.fail(fmt.Errorf("%s was told: %w: %+v", w.current, err, st))
	case err != nil && w.calm && w.current.until.IsZero() && w.inVain(err):
		w.fail(fmt.Errorf("%v failed in a healthy world: %w", w.current, err))
	}
}

// inVain reports whether an error means that a gift was not delivered although
// nothing was in its way.
func (w *world) inVain(err error) bool {
	var dead *profile.DeadError
	for _, known := range []error{session.ErrClosed, driver.ErrClosed, session.ErrLost, profile.ErrGone, profile.ErrUnhandled} {
		if errors.Is(err, known) {
			return false
		}
	}
	return !errors.As(err, &dead)
}
