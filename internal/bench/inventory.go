package bench

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/inventory"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

const (
	// fullStacks is how many stacks the inventory has that is measured, each of about
	// 60 bytes.
	fullStacks = 5_000
	// fullCounters is how many counters the yardstick has: with the stacks as many as
	// a document may hold elements.
	fullCounters = 4_900
	// inventoryMost is how often an operation may take the time of a bare map's and of
	// one update of a field.
	inventoryMost = 3
	// inventorySaveMost is how often a load, a change and a save may take the time of
	// the reading and writing that they cannot do without.
	inventorySaveMost = 2
)

var (
	goods = inventory.NewCatalogue(func() (all []inventory.Item) {
		for i := range fullStacks {
			all = append(all, inventory.Item{Name: goodName(i), Properties: goodProperties(i)})
		}
		return all
	}()...)
	satchel = inventory.New("satchel", goods, &inventory.Options{Capacity: fullStacks})
	tally   = profile.Counters("tally")
	carrier = profile.NewSchema(kind, coins, tally, satchel)
)

func goodName(i int) string { return fmt.Sprintf("shield of the west %04d", i) }

func goodProperties(i int) map[string]any { return map[string]any{"quality": 10 + i%90} }

// porter is a player with a full inventory, and what one would have without Holdfast.
type porter struct {
	p     *profile.Profile
	bare  map[string]int64
	names []string // in an order that is not theirs
	at    int
}

// next returns the item whose turn it is.
func (o *porter) next() string {
	o.at = (o.at + 1) % len(o.names)
	return o.names[o.at]
}

// inventories measures operations on an inventory that is full.
func (r *run) inventories() (figures []Figure, err error) {
	db, err := r.open("inventory")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.finish(db)) }()
	srv, err := profile.Open(r.ctx, db.DB, carrier, &profile.Options{Session: session.Options{Name: "inventory"}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.closeServer(srv)) }()
	o, err := r.equip(srv)
	if err != nil {
		return nil, err
	}
	if err := o.counts(fullCounters); err != nil {
		return nil, err
	}
	for _, m := range []struct {
		name    string
		subject func(n int) error
	}{{"inventory.add", o.adds}, {"inventory.remove", o.removes}, {"inventory.find", o.finds}} {
		p, err := r.nanoseconds(m.subject, o.counts)
		if err != nil {
			return figures, err
		}
		f := Figure{Name: m.name, Unit: "ns"}.beside("a map's operation, and an update of one of 4,900 counters", p).ratioAtMost(inventoryMost)
		figures = append(figures, f.noted("%d stacks, %s", satchel.Len(o.p), size(o.p)))
	}
	return figures, nil
}

// equip opens a player and fills his inventory.
func (r *run) equip(srv *profile.Server) (*porter, error) {
	p, err := srv.Open(r.ctx, playerID(0), nil)
	if err != nil {
		return nil, err
	}
	o := &porter{p: p, bare: make(map[string]int64, fullStacks)}
	for _, i := range shuffled(fullStacks) {
		o.names = append(o.names, goodName(i))
		o.bare[goodName(i)] = 1
	}
	err = p.Update(func(tx *profile.Tx) error {
		for i := range fullStacks {
			if _, err := satchel.Add(tx, goodName(i), 1_000_000, nil); err != nil {
				return err
			}
		}
		return nil
	})
	return o, errors.Join(err, p.Err())
}

// counts is the yardstick: an operation of a map, and one update of a field. It is one
// of many counters, as many different places have to be journalled as in the inventory.
func (o *porter) counts(n int) error {
	for range n {
		name := o.names[o.at%fullCounters]
		o.bare[o.next()]++
		if err := o.p.Update(func(tx *profile.Tx) error { return tally.Add(tx, name, 1) }); err != nil {
			return err
		}
	}
	return nil
}

func (o *porter) adds(n int) error {
	for range n {
		name := o.next()
		err := o.p.Update(func(tx *profile.Tx) error {
			_, err := satchel.Add(tx, name, 1, nil)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *porter) removes(n int) error {
	for range n {
		name := o.next()
		err := o.p.Update(func(tx *profile.Tx) error {
			_, err := satchel.Remove(tx, name, 1)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *porter) finds(n int) error {
	for range n {
		found := false
		for e := range satchel.Find(o.p, o.next()) {
			found = e.Amount > 0
		}
		if !found {
			return errors.New("an item was not found")
		}
	}
	return nil
}

// inventorySaves measures how long it takes to load a player with a full inventory,
// change one stack, and save and release him; beside the reading and the two commits,
// of a lock and of the change, that a bare program would make of the same bytes.
func (r *run) inventorySaves() (figures []Figure, err error) {
	db, err := r.open("inventory.save")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.finish(db)) }()
	srv, err := profile.Open(r.ctx, db.DB, carrier, &profile.Options{Session: session.Options{Name: "inventory.save"}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.closeServer(srv)) }()
	o, err := r.equip(srv)
	if err == nil {
		err = o.p.Close(r.ctx)
	}
	if err != nil {
		return nil, err
	}
	v := &visitor{r: r, db: db, key: playerKey(1).String()}
	if err := o.visit(r, srv, v.learn); err != nil {
		return nil, err
	}
	if err := errors.Join(v.learn(), v.commit()); err != nil {
		return nil, err
	}
	p, err := alternate(r.sizes.rounds, func() (float64, error) {
		return r.average(func() error { return o.visit(r, srv, nil) })
	}, func() (float64, error) { return r.average(v.visit) })
	if err != nil {
		return nil, err
	}
	f := Figure{Name: "inventory.save", Unit: "ms"}.beside("the driver alone: read, and two commits, of the same bytes", p).ratioAtMost(inventorySaveMost)
	return []Figure{f.noted("%d stacks, %d bytes; load, change one, save and release", fullStacks, len(v.values[0]))}, nil
}

// average repeats fn for one round and returns how many milliseconds it takes.
func (r *run) average(fn func() error) (float64, error) {
	began, n := time.Now(), 0
	err := repeat(1, r.sizes.round, func(int, int) error { n++; return fn() })
	return milliseconds(time.Since(began)) / float64(n), err
}

// visit loads the player, changes one stack, and saves and releases him. Loaded is
// called in between, if it is not nil.
func (o *porter) visit(r *run, srv *profile.Server, loaded func() error) error {
	p, err := srv.Open(r.ctx, o.p.ID(), nil)
	if err != nil {
		return err
	}
	if loaded != nil {
		err = loaded()
	}
	err = errors.Join(err, p.Update(func(tx *profile.Tx) error {
		_, err := satchel.Add(tx, o.next(), 1, nil)
		return err
	}))
	return errors.Join(err, p.Close(r.ctx))
}

// visitor is the bare program. It has an entry of its own, and writes into it by turns
// what a player's entry held when he was locked and when he was changed and released:
// bytes that are there already would cost a database next to nothing.
type visitor struct {
	r       *run
	db      *database
	key     string
	values  [][]byte
	commits int
	version driver.Version
}

// learn reads what the player's entry holds now.
func (v *visitor) learn() error {
	s, err := v.db.Driver().Read(v.r.ctx, playerKey(0).String())
	if err == nil {
		v.values = append(v.values, s.Entries[0].Value)
	}
	return err
}

func (v *visitor) commit() error {
	v.commits++
	id, err := v.db.NewVersion()
	if err != nil {
		return err
	}
	b := driver.Batch{ID: id, Writes: []driver.Write{{Key: v.key, Version: v.version, Value: v.values[v.commits%len(v.values)]}}}
	out, err := v.db.Driver().Commit(v.r.ctx, driver.Group{Batches: []driver.Batch{b}})
	if err != nil {
		return err
	}
	if len(out[0].Refused) > 0 {
		return errBare
	}
	v.version = id
	return nil
}

// visit reads the entry, locks it, and writes what was changed.
func (v *visitor) visit() error {
	if _, err := v.db.Driver().Read(v.r.ctx, v.key); err != nil {
		return err
	}
	return errors.Join(v.commit(), v.commit())
}
