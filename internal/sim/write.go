package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// change is one write into a document; an empty value deletes.
type change struct {
	path  document.Path
	value string
}

// changes returns random writes, each path once.
func (w *world) changes() []change {
	var cs []change
	for range 1 + w.rng.IntN(3) {
		c := w.change()
		if !slices.ContainsFunc(cs, func(o change) bool { return o.path == c.path }) {
			cs = append(cs, c)
		}
	}
	return cs
}

func (w *world) change() change {
	w.values++
	value := strconv.Itoa(w.values)
	if w.shape.value > 0 && w.chance(0.3) {
		value = `"` + value + strings.Repeat("x", w.shape.value) + `"`
	}
	switch n := w.rng.IntN(20); {
	case n < 10:
		return change{document.Field(plainField(w.rng.IntN(plainFields))), value}
	case n < 12:
		return change{document.Field(plainField(w.rng.IntN(plainFields))), ""}
	case n < 17:
		return change{document.Element(bagField, fmt.Sprintf("e%d", w.rng.IntN(6))), value}
	case n < 19:
		return change{document.Element(bagField, fmt.Sprintf("e%d", w.rng.IntN(6))), ""}
	case w.chance(0.5):
		return change{document.Field(bagField), ""}
	default:
		return change{document.Field(bagField), `{"e1":` + value + `}`}
	}
}

// plainFields is how many fields a document has besides head, bag and lazy.
const plainFields = 5

func plainField(n int) string { return fmt.Sprintf("f%d", n) }

// first returns the value of the only element of a bag that is written whole.
func (c change) first() string { return c.value[len(`{"e1":`) : len(c.value)-1] }

// model makes the change in the model.
func (c change) model(m *content) {
	switch {
	case c.path.Deep && c.value == "":
		delete(m.objects[c.path.Field], c.path.Element)
	case c.path.Deep:
		if m.objects[c.path.Field] == nil {
			m.objects[c.path.Field] = make(map[string]string)
		}
		m.objects[c.path.Field][c.path.Element] = c.value
	case c.path.Field == bagField && c.value == "":
		delete(m.objects, bagField)
	case c.path.Field == bagField:
		m.objects[bagField] = map[string]string{"e1": c.first()}
	case c.value == "":
		delete(m.fields, c.path.Field)
	default:
		m.fields[c.path.Field] = c.value
	}
}

// write makes the change in a session's transaction.
func (c change) write(tx *session.Tx, lazy bool) error {
	if c.value == "" {
		return tx.Delete(c.path, lazy)
	}
	return tx.Set(c.path, []byte(c.value), lazy)
}

// The schema of the players of worlds whose games use profiles.
var (
	headOf   = profile.Int(headField, 0, profile.Ranked(rankingName))
	lazyOf   = profile.Int(lazyField, 0, profile.Lazy())
	bagOf    = profile.Map[any](bagField)
	coinsOf  = profile.Int(coinsField, 0)
	gotOf    = profile.Map[any](gotField)
	plainOf  = makePlain()
	schemaOf = profile.NewSchema(playerKind, append([]profile.Field{
		headOf, lazyOf, bagOf, coinsOf, gotOf, itemsOf, counterOf, playedOf, fleetOf, twiceOf,
	}, fieldsOf(plainOf)...)...)
)

func makePlain() []*profile.ValueField[any] {
	var fs []*profile.ValueField[any]
	for n := range plainFields {
		fs = append(fs, profile.Value[any](plainField(n), nil))
	}
	return fs
}

func fieldsOf(fs []*profile.ValueField[any]) []profile.Field {
	var out []profile.Field
	for _, f := range fs {
		out = append(out, f)
	}
	return out
}

// writeTyped makes the change in a profile's transaction.
func (c change) writeTyped(tx *profile.Tx) error {
	switch {
	case c.path.Field == headField, c.path.Field == coinsField:
		n, err := strconv.ParseInt(c.value, 10, 64)
		if err != nil {
			return err
		}
		return map[string]*profile.IntField{headField: headOf, coinsField: coinsOf}[c.path.Field].Set(tx, n)
	case c.path.Deep:
		f := map[string]*profile.MapField[any]{bagField: bagOf, gotField: gotOf}[c.path.Field]
		if c.value == "" {
			return f.Delete(tx, c.path.Element)
		}
		return f.Put(tx, c.path.Element, decoded(c.value))
	case c.path.Field == bagField && c.value == "":
		return bagOf.Clear(tx)
	case c.path.Field == bagField:
		if err := bagOf.Clear(tx); err != nil {
			return err
		}
		return bagOf.Put(tx, "e1", decoded(c.first()))
	}
	i := slices.IndexFunc(plainOf, func(f *profile.ValueField[any]) bool { return f.Name() == c.path.Field })
	if c.value == "" {
		return plainOf[i].Reset(tx)
	}
	return plainOf[i].Set(tx, decoded(c.value))
}

// writeTyped makes the update in a profile's transaction.
func (p *plan) writeTyped(tx *profile.Tx) error {
	for _, ch := range p.changes {
		if err := ch.writeTyped(tx); err != nil {
			return err
		}
	}
	for _, a := range p.attach {
		if err := tx.Attach(a); err != nil {
			return err
		}
	}
	for _, g := range p.gifts {
		if _, err := tx.Send(g.to.key, g.message()); err != nil {
			return err
		}
	}
	return nil
}

func decoded(value string) any {
	var v any
	if json.Unmarshal([]byte(value), &v) != nil {
		return nil
	}
	return v
}

// plan is an update that is about to be made.
type plan struct {
	h       *hold
	u       *update
	changes []change
	gifts   []*gift        // that are sent with it
	attach  []driver.Write // records that are written with it
}

// plan decides what to change in open sessions.
func (w *world) plan(hs []*hold) []plan {
	ps := make([]plan, len(hs))
	for i, h := range hs {
		p := plan{h: h, changes: w.changes()}
		if w.chance(w.shape.awards) {
			w.award(&p)
		}
		if w.chance(w.shape.gifts) {
			w.give(&p)
		}
		p.u = w.check.make(w.check.number(), h.head, p.changes)
		p.changes = append(p.changes, change{document.Field(headField), strconv.Itoa(p.u.id)})
		for _, g := range p.gifts {
			g.sentWith(p.u)
		}
		ps[i] = p
	}
	return ps
}

// inSessions makes the planned updates by sessions.
func (w *world) inSessions(ps []plan, durable bool) error {
	hs := make([]*hold, len(ps))
	for i, p := range ps {
		hs[i] = p.h
	}
	txs, err := beginAll(hs)
	if err != nil {
		return err
	}
	for i, tx := range txs {
		w.fail(w.checkMemory(ps[i].h, tx.Document().AppendJSON(nil)))
		for _, ch := range ps[i].changes {
			w.fail(ch.write(tx, false))
		}
		for _, a := range ps[i].attach {
			if err := tx.Attach(a); err != nil {
				session.Rollback(txs...)
				return err
			}
		}
	}
	return session.Commit(durable, txs...)
}

func beginAll(hs []*hold) ([]*session.Tx, error) {
	if len(hs) == 1 {
		tx, err := hs[0].s.Begin()
		return []*session.Tx{tx}, err
	}
	ss := make([]*session.Session, len(hs))
	for i, h := range hs {
		ss[i] = h.s
	}
	return session.BeginAll(ss...)
}

// inProfiles makes the planned updates by profiles.
func (w *world) inProfiles(ps []plan, opts ...profile.UpdateOption) error {
	profiles := make([]*profile.Profile, len(ps))
	for i, p := range ps {
		profiles[i] = p.h.profile
	}
	fn := func(txs []*profile.Tx) error {
		for i, tx := range txs {
			if err := ps[i].writeTyped(tx); err != nil {
				return err
			}
		}
		return nil
	}
	if len(ps) == 1 {
		return profiles[0].Update(func(tx *profile.Tx) error { return fn([]*profile.Tx{tx}) }, opts...)
	}
	return profile.UpdateAll(profiles, fn, opts...)
}

// durably makes the planned updates by profiles, as one operation that also
// waits until they are on disk.
func (w *world) durably(ps []plan) {
	w.begin(ps[0].h.in, 0, fmt.Sprintf("update %v durably", updates(ps)), func(ctx context.Context) func() {
		err := w.inProfiles(ps, profile.Durable(ctx))
		return func() {
			w.heard(err)
			if err != nil {
				return
			}
			for _, p := range ps {
				w.fail(w.check.kept(p.u, w.current.name))
			}
		}
	})
}

func updates(ps []plan) []*update {
	us := make([]*update, len(ps))
	for i, p := range ps {
		us[i] = p.u
	}
	return us
}
