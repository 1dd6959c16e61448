package bench

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/profile"
)

// autosave measures how long updates take while all profiles of a fleet are
// saved, beside a bare mutex and map in the same goroutine, and how many commits
// it takes to save them. A round is an interval of the autosave; the first one, in which
// the server's memory grows to what it needs, does not count.
func (r *run) autosave() ([]Figure, error) {
	f, err := r.muster()
	if err != nil {
		return nil, err
	}
	if err := f.rest(r); err != nil {
		return nil, err
	}
	for _, p := range f.profiles {
		if err := updates(p)(1); err != nil {
			return nil, err
		}
	}
	var pauses pauses
	var commits, saves int64
	w := waits{values: make(map[int]int64, len(f.profiles))}
	m := f.db.meter
	for round := range r.sizes.rounds + 1 {
		before, saved := m.commits.Load(), m.batches.Load()
		for m.batches.Load()-saved < int64(len(f.profiles)) {
			if err := w.play(r, f); err != nil {
				return nil, err
			}
		}
		if round > 0 {
			pauses.add(&w)
			commits, saves = commits+m.commits.Load()-before, saves+m.batches.Load()-saved
		}
		w.profiles, w.bare = w.profiles[:0], w.bare[:0]
	}
	needed := float64(saves) / float64(f.db.Driver().Info().Group)
	return []Figure{
		pauses.figure(len(f.profiles)),
		Figure{Name: "autosave.commits", Unit: "commits"}.
			beside("full groups", pair{float64(commits), needed, float64(commits) / needed}).
			noted("%d saves, autosaves every %v", saves, r.sizes.autosave),
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

// pauses are what the rounds came to, in microseconds.
type pauses struct {
	updates              int
	profiles, bare       []float64 // p99.99 of each round
	ratios               []float64
	typical, typicalBare []float64
	longest, longestBare float64
}

func (p *pauses) add(w *waits) {
	const q = 0.9999
	subject, bare := microseconds(quantile(w.profiles, q)), microseconds(quantile(w.bare, q))
	p.updates += len(w.profiles)
	p.profiles, p.bare, p.ratios = append(p.profiles, subject), append(p.bare, bare), append(p.ratios, subject/bare)
	p.typical, p.typicalBare = append(p.typical, microseconds(median(w.profiles))), append(p.typicalBare, microseconds(median(w.bare)))
	p.longest = max(p.longest, microseconds(quantile(w.profiles, 1)))
	p.longestBare = max(p.longestBare, microseconds(quantile(w.bare, 1)))
}

func (p *pauses) figure(fleet int) Figure {
	return Figure{Name: "autosave.pause", Unit: "µs"}.
		beside("mutex and map", pair{median(p.profiles), median(p.bare), median(p.ratios)}).ratioAtMost(3).
		noted("p99.99 of %d updates while %d profiles are saved, %d rounds; longest %.0f µs, of mutex and map %.0f µs; p50 %.1f and %.1f µs",
			p.updates, fleet, len(p.ratios), p.longest, p.longestBare, median(p.typical), median(p.typicalBare))
}
