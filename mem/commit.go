package mem

import (
	"context"
	"fmt"
	"slices"

	"github.com/holdfast-games/holdfast/driver"
)

// Commit implements driver.DB.
func (db *DB) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	if err := db.lock(ctx); err != nil {
		return nil, fmt.Errorf("commit %d batches: %w", len(g.Batches), err)
	}
	defer db.mu.Unlock()
	now := db.now()
	outcomes := make([]driver.Outcome, len(g.Batches))
	for i := range g.Batches {
		b := &g.Batches[i]
		if outcomes[i].Refused = db.refusals(b); outcomes[i].Refused == nil {
			db.apply(b, now)
			outcomes[i].Updated = now
		}
	}
	return outcomes, nil
}

// refusals returns the state of every entry that is not where the batch
// expects it, checks first.
func (db *DB) refusals(b *driver.Batch) []driver.State {
	var refused []driver.State
	expect := func(key string, v driver.Version) {
		r := db.entries[key]
		if r.at() == v {
			return
		}
		s := driver.State{Key: key}
		if r != nil {
			s.Recent = slices.Clone(r.recent)
		}
		refused = append(refused, s)
	}
	for _, c := range b.Checks {
		expect(c.Key, c.Version)
	}
	for _, w := range b.Writes {
		if w.Mode == driver.Expect {
			expect(w.Key, w.Version)
		}
	}
	return refused
}

// apply writes a batch whose conditions hold. What it forgets includes what
// its own writes have just retained.
func (db *DB) apply(b *driver.Batch, now driver.Moment) {
	for i := range b.Writes {
		db.write(b.ID, &b.Writes[i], now)
	}
	for _, key := range b.Forget {
		if r := db.entries[key]; r != nil {
			r.retained = nil
		}
	}
}

// write carries out one write.
func (db *DB) write(id driver.Version, w *driver.Write, now driver.Moment) {
	r := db.entries[w.Key]
	if w.Delete {
		db.delete(w.Key)
		return
	}
	if r != nil && w.Mode == driver.Once {
		return
	}
	v := version{
		version: id,
		value:   slices.Clone(w.Value),
		sum:     driver.Sum(w.Key, id, w.Value),
		updated: now,
		marked:  w.Mark,
	}
	if r != nil {
		r.replace(v, w)
		return
	}
	db.entries[w.Key] = &record{created: now.Wall, recent: []driver.Version{id}, present: v}
	db.keys.insert(w.Key)
}
