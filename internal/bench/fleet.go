package bench

import (
	"errors"
	"runtime"
	"time"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// fleet is a server with many loaded profiles.
type fleet struct {
	db       *database
	srv      *profile.Server
	profiles []*profile.Profile
	bytes    int   // of all documents
	heap     int64 // that loading them took
}

// fleetJournal lets the journal hold all that a fleet changes between two
// autosaves, so that no other saves are counted.
const fleetJournal = 128 << 20

// muster returns the fleet, which several measurements share.
func (r *run) muster() (_ *fleet, err error) {
	if r.fleet != nil {
		return r.fleet, nil
	}
	db, err := r.open("fleet")
	if err != nil {
		return nil, err
	}
	f := &fleet{db: db, profiles: make([]*profile.Profile, r.sizes.fleet)}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.disband(f))
		}
	}()
	// What one server holds of players who have left is not what another has loaded.
	first, err := session.Open(r.ctx, db.DB, &session.Options{Name: "seed"})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(seed(r.ctx, first, 0, len(f.profiles), smallBag), r.closeServer(first)); err != nil {
		return nil, err
	}
	// No bus, no events: what is left of a server is its profiles.
	f.srv, err = profile.Open(r.ctx, db.DB, schema, &profile.Options{
		Session: session.Options{Name: "fleet", JournalBytes: fleetJournal}, Autosave: r.sizes.autosave,
	})
	if err != nil {
		return nil, err
	}
	before := heapInUse()
	err = each(opening, len(f.profiles), func(i int) (err error) {
		f.profiles[i], err = f.srv.Open(r.ctx, playerID(i), nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	f.heap = heapInUse() - before
	for i := range f.profiles {
		f.bytes += len(playerData(i, smallBag))
	}
	r.fleet = f
	return f, nil
}

// heapInUse returns how many bytes of the heap are in use.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // what the first one found to be finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// disband closes a fleet.
func (r *run) disband(f *fleet) (err error) {
	if f.srv != nil {
		err = r.closeServer(f.srv)
	}
	return errors.Join(err, r.finish(f.db))
}

// memory measures what a loaded profile costs beside the bytes of its data.
func (r *run) memory() ([]Figure, error) {
	f, err := r.muster()
	if err != nil {
		return nil, err
	}
	n := float64(len(f.profiles))
	each, data := float64(f.heap)/n, float64(f.bytes)/n
	return []Figure{Figure{Name: "memory.profile", Unit: "bytes"}.
		beside("its data as JSON", pair{each, data, each / data}).ratioAtMost(3).
		noted("heap of one of %d loaded profiles", len(f.profiles))}, nil
}

// idle measures what a server writes whose players do nothing.
func (r *run) idle() ([]Figure, error) {
	f, err := r.muster()
	if err != nil {
		return nil, err
	}
	if err := f.rest(r); err != nil {
		return nil, err
	}
	m := f.db.meter
	began := time.Now()
	urgent, commits := m.urgent.Load(), m.commits.Load()+m.other.Load()
	if err := r.sleep(r.sizes.watch); err != nil {
		return nil, err
	}
	took := time.Since(began)
	urgent, commits = m.urgent.Load()-urgent, m.commits.Load()+m.other.Load()-commits
	// A renewal more or less lies at the edge of the time.
	atMost := int64(took.Seconds()) + 1
	return []Figure{Figure{Name: "idle", Value: float64(urgent+commits) / took.Seconds(), Unit: "commits/s"}.
		limited("one renewal a second and no other write", urgent <= atMost && commits == 0).
		noted("%d players, %.1f s: %d renewals, %d other writes", len(f.profiles), took.Seconds(), urgent, commits)}, nil
}

// rest waits until all is saved and trimmed.
func (f *fleet) rest(r *run) error {
	for _, p := range f.profiles {
		for p.Dirty() {
			if err := r.sleep(10 * time.Millisecond); err != nil {
				return err
			}
		}
	}
	return r.sleep(1500 * time.Millisecond)
}

// sleep waits, or returns an error when the run is given up.
func (r *run) sleep(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}
