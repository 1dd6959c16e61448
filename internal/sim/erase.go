package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// erasure is what the checker knows of the erasures of one player. What was durable
// before one is marked with its number, and the player begins anew at his origin.
type erasure struct {
	count    int       // of tombstones that took the place of anything else
	answered int       // the last one of which somebody was told
	tombed   bool      // there is a tombstone now
	swept    bool      // which says that nothing is left
	heirs    []*player // who were touched by the last one
	awards   []string  // that went with one: the same may be made again
}

const erasedPrefix = "~erased/"

// erase has a server erase a player.
func (w *world) erase(in *instance, p *player) {
	before := p.erasure.count
	o := &session.EraseOptions{Reason: "the simulation wants it", NoWait: w.chance(0.5)}
	w.beginFor(in, p, "erase", func(ctx context.Context) func() {
		done, err := in.srv.Erase(ctx, p.key, o)
		return func() {
			w.heard(err)
			if done.At.IsZero() {
				return
			}
			number := max(before, 1)
			if !done.Before {
				number = before + 1
			}
			if p.erasure.count < number {
				w.fail(fmt.Errorf("%s was told that it is erased, %+v, and it is not: %+v", w.current, done, p.erasure))
			}
			p.erasure.answered = max(p.erasure.answered, number)
		}
	})
}

// entombed checks a player's root after a commit that wrote a tombstone: whoever held
// the player had lost him before, and of all that was his nothing stands in it.
func (c *checker) entombed(in *instance, p *player, r *storedRoot) error {
	old := p.stored
	p.writes++
	p.erasure.swept = r.Sweep == "swept"
	switch {
	case len(r.Data) > 0:
		return fmt.Errorf("%s wrote a tombstone of %v with data: %.200s", in.name, p.key, r.Data)
	case p.erasure.tombed:
		return nil // it went a step further
	case old.session != "" && !c.dead(old.lease, old.session):
		return fmt.Errorf("%s erased %v, which session %s holds, that lives", in.name, p.key, old.session)
	}
	has, made, err := p.gems()
	if err != nil {
		return err
	}
	c.gemsErased, c.gemsOfErased = c.gemsErased+has, c.gemsOfErased+made
	p.erasure.count++
	p.erasure.tombed = true
	for u := p.durable; u != p.origin; u = u.parent {
		u.erased = p.erasure.count
	}
	c.bequeath(p)
	p.erasure.awards = append(p.erasure.awards, p.awards...)
	p.durable, p.stored, p.counter, p.awards = p.origin, stored{}, 0, nil
	for _, b := range p.byID {
		b.made, b.gone = false, true
	}
	for _, o := range p.restores {
		o.gone = true
	}
	for _, b := range p.purchases {
		b.erased = b.erased || b.owner == p
	}
	return nil
}

// bequeath settles what becomes of gifts: what had left a player who is erased is the
// others', what had not never comes, and what was his is nobody's.
func (c *checker) bequeath(p *player) {
	p.erasure.heirs = nil
	for _, g := range c.gifts {
		switch {
		case g.gone:
		case g.to == p:
			c.drop(g)
		case g.giver() == p && g.from.erased > 0:
			p.gifts = slices.DeleteFunc(p.gifts, func(o *gift) bool { return o == g })
			g.from, g.stored = nil, true
			p.erasure.heirs = append(p.erasure.heirs, g.to)
		case g.giver() == p:
			c.drop(g)
		}
	}
}

// drop takes a gift off the lists of what is checked.
func (c *checker) drop(g *gift) {
	g.gone = true
	for _, p := range []*player{g.to, g.giver()} {
		if p != nil {
			p.gifts = slices.DeleteFunc(p.gifts, func(o *gift) bool { return o == g })
		}
	}
}

// touched returns the players whose belongings a write of a player's root may have
// changed.
func (p *player) touched() []*player { return append([]*player{p}, p.erasure.heirs...) }

// unerased checks that a root which is written holds nothing that was erased, and notes
// that there is a document again.
func (c *checker) unerased(p *player, u *update) error {
	if u.erased > 0 {
		return fmt.Errorf("erased: the root of %v holds update %v, which went with erasure %d", p.key, u, u.erased)
	}
	p.erasure.tombed, p.erasure.swept, p.erasure.heirs = false, false, nil
	return nil
}

// sweptAway notes that a gift is gone which was sent to who had been erased.
func (c *checker) sweptAway(p *player, key string) {
	if id, ok := strings.CutPrefix(key, p.root+"/"+mailFolder+"/"); ok {
		if g := c.giftOf(id); g != nil && !g.gone {
			c.drop(g)
		}
	}
}

// sweeps reports whether a write beside a player's root may be a sweep's.
func (p *player) sweeps(w *driver.Write) bool { return w.Delete && p.erasure.tombed }

// swept reports whether all erasures have come to their end.
func (w *world) swept() bool {
	return !slices.ContainsFunc(w.check.players, func(p *player) bool { return p.erasure.tombed && !p.erasure.swept })
}

// again returns an award that went with an erasure, to be made anew, or an empty text.
func (w *world) again(p *player) string {
	if len(p.erasure.awards) == 0 || !w.chance(0.5) {
		return ""
	}
	id := p.erasure.awards[w.rng.IntN(len(p.erasure.awards))]
	if slices.Contains(p.awards, id) {
		return ""
	}
	return id
}

// sweepLate carries out once more what a sweep has deleted, as a database does that is
// late, as soon as there is something again. It is the bug of a sweep without a check.
func (pl *plant) sweepLate(w *world, k *call, b *driver.Batch) {
	if pl.what != BareSweep {
		return
	}
	for i := range b.Writes {
		wr := &b.Writes[i]
		p := w.check.ownerOf(wr.Key)
		switch {
		case p == nil:
		case p.erasure.tombed && wr.Delete:
			pl.swept[wr.Key] = true
		case !p.erasure.tombed && !wr.Delete && pl.swept[wr.Key]:
			delete(pl.swept, wr.Key)
			pl.extra++
			late := driver.Batch{ID: pl.id(), Writes: []driver.Write{{Key: wr.Key, Mode: driver.Always, Delete: true}}}
			if _, err := w.db.Commit(context.Background(), driver.Group{Batches: []driver.Batch{late}}); err == nil {
				w.fail(w.check.applied(k.in, &late))
			}
		}
	}
}

// erasing is what the bugs of erasures do to a batch.
func (pl *plant) erasing(w *world, b *driver.Batch) {
	switch pl.what {
	case BareSweep:
		b.Checks = slices.DeleteFunc(b.Checks, func(ch driver.Check) bool { return w.check.byRoot[ch.Key] != nil })
	case LostLegacy:
		if pl.entombs(w, b) {
			b.Writes = slices.DeleteFunc(b.Writes, func(wr driver.Write) bool { return wr.Mode == driver.Once })
		}
	case LockedTombstone:
		for i := range b.Writes {
			wr := &b.Writes[i]
			p := w.check.byRoot[wr.Key]
			if p == nil || p.erasure.tombed || p.stored.session == "" || member(wr.Value, "erased") == nil {
				continue
			}
			lock := fmt.Sprintf(`{"lease":%q,"session":%q,"server":"x","since":"2000-01-01T00:00:00Z","position":%d}`, p.stored.lease, p.stored.session, p.stored.position)
			var o = strings.TrimSuffix(string(wr.Value), "}")
			wr.Value = []byte(o + `,"lock":` + lock + "}")
		}
	case LateOutbox:
		b.Writes = slices.DeleteFunc(b.Writes, func(wr driver.Write) bool {
			p := w.check.byRoot[wr.Key]
			return p != nil && p.erasure.tombed && len(b.Writes) > 1 && member(wr.Value, "lock") != nil && member(wr.Value, "erased") == nil
		})
	}
}

// entombs reports whether a batch replaces a root by a tombstone.
func (pl *plant) entombs(w *world, b *driver.Batch) bool {
	return slices.ContainsFunc(b.Writes, func(wr driver.Write) bool {
		p := w.check.byRoot[wr.Key]
		return p != nil && !p.erasure.tombed && member(wr.Value, "erased") != nil
	})
}
