package bench

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/profile"
)

// autosave measures how long updates take while all profiles of a fleet are
// saved, beside a bare mutex and map in the same goroutine, and how many commits
// it takes to save them.
func (r *run) autosave() ([]Figure, error) {
	f, err := r.muster()
	if err != nil {
		return nil, err
	}
	if err := f.rest(r); err != nil {
		return nil, err
	}
	m := f.db.meter
	commits, batches := m.commits.Load(), m.batches.Load()
	for _, p := range f.profiles {
		if err := updates(p)(1); err != nil {
			return nil, err
		}
	}
	var w waits
	for m.batches.Load()-batches < int64(len(f.profiles)) {
		if err := w.play(r, f); err != nil {
			return nil, err
		}
	}
	commits, batches = m.commits.Load()-commits, m.batches.Load()-batches
	needed := float64(batches) / float64(f.db.Driver().Info().Group)
	return []Figure{
		w.figure(len(f.profiles)),
		Figure{Name: "autosave.commits", Unit: "commits"}.
			beside("full groups", pair{float64(commits), needed, float64(commits) / needed}).
			noted("%d saves, autosaves every %v", batches, r.sizes.autosave),
	}, nil
}

// waits are how long updates took, of profiles and of the yardstick.
type waits struct {
	mu       sync.Mutex
	values   map[int]int64 // by player, guarded by mu
	profiles []time.Duration
	bare     []time.Duration
}

// How a game updates players: perTick of them, every tick.
const (
	tick    = time.Millisecond
	perTick = 40
)

// play updates random players for a tenth of a second.
func (w *waits) play(r *run, f *fleet) error {
	if w.values == nil {
		w.values = make(map[int]int64, len(f.profiles))
		for i := range f.profiles {
			w.values[i] = 500
		}
	}
	t := time.NewTicker(tick)
	defer t.Stop()
	for range 100 {
		select {
		case <-t.C:
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
		for range perTick {
			if err := w.update(rand.IntN(len(f.profiles)), f); err != nil {
				return err
			}
		}
	}
	return nil
}

// update updates one player in both.
func (w *waits) update(i int, f *fleet) error {
	p, began := f.profiles[i], time.Now()
	err := p.Update(func(tx *profile.Tx) error { return coins.Add(tx, 1) })
	updated := time.Now()
	w.mu.Lock()
	w.values[i]++
	w.mu.Unlock()
	bare := time.Since(updated)
	w.profiles, w.bare = append(w.profiles, updated.Sub(began)), append(w.bare, bare)
	return err
}

func (w *waits) figure(fleet int) Figure {
	const q = 0.9999
	subject, bare := microseconds(quantile(w.profiles, q)), microseconds(quantile(w.bare, q))
	return Figure{Name: "autosave.pause", Unit: "µs"}.
		beside("mutex and map", pair{subject, bare, subject / bare}).ratioAtMost(3).
		noted("p99.99 of %d updates while %d profiles are saved; longest %.0f µs, of mutex and map %.0f µs; p50 %.1f and %.1f µs",
			len(w.profiles), fleet, microseconds(quantile(w.profiles, 1)), microseconds(quantile(w.bare, 1)),
			microseconds(median(w.profiles)), microseconds(median(w.bare)))
}
