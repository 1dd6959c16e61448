package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// A restore is an update of the model like any other, although the game does not make
// it: whoever reads the version that it goes back to is given its data with a number of
// their own as the last update, and when the player's head becomes that number, the
// update is known to stand on what was there before.
//
// Restores are asked for without Despite, so that nothing that concerns others is undone
// by one. What was received and awarded stays so in the model, as its messages and
// records do, although the data tell it no more.

// restore is the order to give a player the data of an older version, which several
// servers may be asked for.
type restore struct {
	p       *player
	id      string
	version driver.Version
	old     *update // what the version holds
	life    time.Duration
	made    *update // what came of it, in memory at least
	gone    bool    // its player was erased meanwhile
}

// rootVersion is a version of a root.
type rootVersion struct {
	id   driver.Version
	head *update
}

// restoredFrom is what the numbers of restores begin with, so that who sees one knows.
const restoredFrom = 1 << 41

// mostVersions is how many versions of a root the model remembers.
const mostVersions = 50

// remember notes the version that a root has now.
func (p *player) remember(v driver.Version) {
	if p.stored.exists {
		p.versions = append(p.versions, rootVersion{v, p.stored.head})
		p.versions = p.versions[max(0, len(p.versions)-mostVersions):]
	}
}

// restore has a server restore a player, perhaps as another was asked to before.
func (w *world) restore(in *instance, p *player) {
	o := w.orderRestore(p)
	if o == nil {
		return
	}
	opts := &profile.RestoreOptions{Reason: "the simulation wants it", ID: o.id, Life: o.life}
	w.beginFor(in, p, fmt.Sprintf("restore %s, to version %v, of", o.id, o.version), func(ctx context.Context) func() {
		done, err := in.profiles.Restore(ctx, p.key.ID, o.version, opts)
		return func() { w.restored(o, &done, err) }
	})
}

// orderRestore returns an order for a player, or nil. No two name one version.
func (w *world) orderRestore(p *player) *restore {
	if n := len(p.restores); n > 0 && w.chance(0.4) {
		return p.restores[w.rng.IntN(n)]
	}
	if len(p.versions) == 0 {
		return nil
	}
	v := p.versions[w.rng.IntN(len(p.versions))]
	if p.restoreTo(v.id) != nil {
		return nil
	}
	o := &restore{p: p, id: fmt.Sprintf("r%d", len(p.restores)+1), version: v.id, old: v.head, life: 30 * 24 * time.Hour}
	p.restores = append(p.restores, o)
	return o
}

// restoreTo returns the order that names a version, or nil.
func (p *player) restoreTo(v driver.Version) *restore {
	for _, o := range p.restores {
		if o.version == v {
			return o
		}
	}
	return nil
}

// restored checks what the one who restored was told.
func (w *world) restored(o *restore, done *profile.Restored, err error) {
	for _, known := range []error{
		profile.ErrPending, profile.ErrNotDurable, session.ErrNotFound, session.ErrErased,
		profile.ErrOtherBirth, profile.ErrDeeds, driver.ErrNotFound,
	} {
		if errors.Is(err, known) {
			w.trace.add("%s ends: %v", w.current, known)
			w.fail(w.notRestored(o, known))
			return
		}
	}
	w.heard(err)
	switch {
	case err != nil || o.gone:
	case o.made == nil:
		w.fail(fmt.Errorf("%s was told that it is done, and it is not", w.current))
	case done.Changed == 0:
		w.fail(fmt.Errorf("%s was told that nothing was changed: %v", w.current, o.made))
	default:
		w.fail(w.check.kept(o.made, w.current.name))
	}
}

// notRestored checks that a restore was refused for what is so.
func (w *world) notRestored(o *restore, why error) error {
	ok := true
	switch why {
	case profile.ErrOtherBirth:
		ok = o.p.erasure.count > 0
	case profile.ErrDeeds:
		ok = w.check.binds(o)
	case driver.ErrNotFound:
		_, err := w.db.ReadVersion(context.Background(), o.p.root, o.version)
		ok = errors.Is(err, driver.ErrNotFound)
	}
	if !ok {
		return fmt.Errorf("%s was told: %w, and that is not so of %v, which holds %v", w.current, why, o.p.durable, o.old)
	}
	return nil
}

// binds reports whether an update that concerns others was made after the version that
// a restore goes back to.
func (c *checker) binds(o *restore) bool {
	for _, u := range c.updates {
		if u.p == o.p && u.binding && u != o.old && o.old.within(u) {
			return true
		}
	}
	return false
}

// readVersion gives the data of a version that is to be restored a number of their own,
// and registers the update that they will be.
func (c *checker) readVersion(e *driver.Entry) error {
	p := c.byRoot[e.Key]
	if p == nil || p.restoreTo(e.Version) == nil {
		return nil
	}
	r, err := parseRoot(p, e.Value)
	if err != nil || r.Erased {
		return err
	}
	_, got, err := c.find(p, r.Data)
	if err != nil {
		return fmt.Errorf("version %v: %w", e.Version, err)
	}
	n := restoredFrom + c.number()
	got.fields[headField] = strconv.Itoa(n)
	c.updates[n] = &update{id: n, p: p, content: got, text: got.String(), order: p.restoreTo(e.Version)}
	e.Value = withMember(e.Value, "data", withMember(r.Data, headField, mustJSON(n)))
	return nil
}

// watchRestores lets the world know of the restores of a profile, by its heads.
func (in *instance) watchRestores(p *profile.Profile) {
	to := in.w.check.byRoot[p.Key().String()]
	if p.Err() != nil || to == nil {
		return
	}
	headOf.OnChange(p, func(old, now int64) {
		if now >= restoredFrom {
			in.w.did(deed{what: "a restore", players: []*player{to}, numbers: []int{int(now)}, on: []int{int(old)}, take: in.hasRestored(int(now))})
		}
	})
}

// hasRestored returns what registers a restore that is in memory: it has undone nothing
// that concerns others, and is not made twice.
func (in *instance) hasRestored(number int) func(w *world, on []*update) {
	return func(w *world, on []*update) {
		u := w.check.updates[number]
		if u == nil || u.order == nil || u.parent != nil || u.p != on[0].p {
			w.fail(fmt.Errorf("%s restores %v by update %d: %v", in.name, on[0], number, u))
			return
		}
		o := u.order
		if o.made != nil && o.made.within(on[0]) {
			w.fail(fmt.Errorf("%s restores %v once more as %s asks, which %v did", in.name, on[0], o.id, o.made))
		}
		v := on[0]
		for ; v != nil && v != o.old; v = v.parent {
			if v.binding {
				w.fail(fmt.Errorf("%s restores %v to %v, and %v came in between", in.name, on[0], o.old, v))
			}
		}
		if v == nil {
			w.fail(fmt.Errorf("%s restores %v to %v, on which it does not stand", in.name, on[0], o.old))
			return
		}
		o.made = u
		u.restores(on[0])
		u.p.restored++
		u.p.coming = append(u.p.coming, u)
		w.trace.add("%s restores %v to %v as %v", in.name, on[0], o.old, u)
	}
}

// movedBack notes what a session holds besides its updates since a restore.
func (w *world) movedBack(s *session.Session, u *update) {
	w.check.sessions[s.ID()].lazy = u.content.lazy()
	for _, in := range w.all {
		for _, h := range in.holds {
			if h.s == s {
				h.lazy = u.content.lazy()
			}
		}
	}
}

// restores says on what an update stands that restores its player.
func (u *update) restores(on *update) {
	u.parent, u.depth = on, on.depth+1
	if u.had = maps.Clone(on.everGot()); u.had == nil {
		u.had = make(map[string]string)
	}
}

// everGot returns what its player has received and was awarded up to an update, restores
// aside.
func (u *update) everGot() map[string]string {
	if u.had != nil {
		return u.had
	}
	return u.content.objects[gotField]
}

// got is everGot of one thing.
func (u *update) got(id string) bool { return u.everGot()[id] != "" }

// receives is what a change makes of what was ever received.
func (u *update) receives(ch change) {
	switch {
	case u.had == nil || ch.path.Field != gotField:
	case ch.value == "":
		delete(u.had, ch.path.Element)
	default:
		u.had[ch.path.Element] = ch.value
	}
}

// restoredSince reports whether there is a restore among the updates after v up to u.
func (u *update) restoredSince(v *update) bool {
	for ; u != nil && u != v; u = u.parent {
		if u.order != nil {
			return true
		}
	}
	return false
}

// restoring lets the request for a restore write the root, as BareRestore would.
func (pl *plant) restoring(w *world, b *driver.Batch) {
	if pl.what != BareRestore {
		return
	}
	for i := range b.Writes {
		p := w.check.ownerOf(b.Writes[i].Key)
		if p == nil || pl.trade.values[p.root] == nil {
			continue
		}
		for _, o := range p.restores {
			if b.Writes[i].Key != p.entry(mailFolder, o.id) || b.Writes[i].Delete {
				continue
			}
			if e, err := w.db.ReadVersion(context.Background(), p.root, o.version); err == nil {
				value := withMember(pl.trade.values[p.root], "data", member(e.Value, "data"))
				b.Writes = append(b.Writes, driver.Write{Key: p.root, Mode: driver.Always, Value: value})
			}
		}
	}
}
