package bench

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// bareMap is what one would keep players' numbers in without Holdfast.
type bareMap struct {
	mu     sync.RWMutex
	values map[string]int64
}

func newBareMap() *bareMap {
	return &bareMap{values: map[string]int64{
		"coins": 500, "gems": 3, "level": 7, "xp": 19, "kills": 5, "deaths": 4, "wins": 1, "hours": 80,
	}}
}

func (m *bareMap) get(name string) int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.values[name]
}

func (m *bareMap) set(name string, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[name] = n
}

func (m *bareMap) reads(n int) error {
	var all int64
	for range n {
		all += m.get("coins")
	}
	runtime.KeepAlive(all) // so that the reads are not left out
	return nil
}

func (m *bareMap) updates(n int) error {
	for i := range n {
		m.set("coins", m.get("coins")+1+int64(i&1))
	}
	return nil
}

func reads(p *profile.Profile) func(n int) error {
	return func(n int) error {
		var all int64
		for range n {
			all += coins.Get(p)
		}
		runtime.KeepAlive(all) // so that the reads are not left out
		return nil
	}
}

func updates(p *profile.Profile) func(n int) error {
	return func(n int) error {
		for i := range n {
			err := p.Update(func(tx *profile.Tx) error { return coins.Add(tx, 1+int64(i&1)) })
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// profiles measures reads and updates of one field, from one goroutine, in a
// profile of 2 KB and in one of 200 KB. Others are loaded too, as on any server:
// with an empty heap the garbage collector would hardly ever rest.
func (r *run) profiles() (figures []Figure, err error) {
	db, err := r.open("profile")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.finish(db)) }()
	srv, err := profile.Open(r.ctx, db.DB, schema, &profile.Options{Session: session.Options{Name: "profile"}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.closeServer(srv)) }()
	small, err := r.openPlayer(srv, 0, smallBag)
	if err != nil {
		return nil, err
	}
	large, err := r.openPlayer(srv, 1, largeBag)
	if err != nil {
		return nil, err
	}
	if err := r.crowd(srv); err != nil {
		return nil, err
	}
	for _, measure := range []func(small, large *profile.Profile) (Figure, error){r.profileRead, r.profileUpdate, r.profileLarge} {
		f, err := measure(small, large)
		if err != nil {
			return figures, err
		}
		figures = append(figures, f)
	}
	return figures, nil
}

// crowd loads further players.
func (r *run) crowd(srv *profile.Server) error {
	const from = 2
	if err := seed(r.ctx, srv.Session(), from, from+r.sizes.crowd, smallBag); err != nil {
		return err
	}
	return each(opening, r.sizes.crowd, func(i int) error {
		_, err := srv.Open(r.ctx, playerID(from+i), nil)
		return err
	})
}

// openPlayer creates a player, and opens him as one who was stored, with
// somebody who listens to changes.
func (r *run) openPlayer(srv *profile.Server, i, items int) (*profile.Profile, error) {
	if err := seed(r.ctx, srv.Session(), i, i+1, items); err != nil {
		return nil, err
	}
	p, err := srv.Open(r.ctx, playerID(i), nil)
	if err != nil {
		return nil, err
	}
	heard := 0
	p.OnChange(func(c profile.Change) { heard += len(c.New) })
	return p, p.Err()
}

// loop is how long one turn of a loop takes. Most turns are then not
// interrupted by another process or the garbage collector, which the median
// would otherwise measure on a busy machine.
const loop = 100 * time.Microsecond

// nanoseconds lets two loops take many short turns.
func (r *run) nanoseconds(subject, yardstick func(n int) error) (pair, error) {
	runtime.GC() // what loading has left is nobody's cost here
	n, err := batch(loop, subject)
	if err != nil {
		return pair{}, err
	}
	m, err := batch(loop, yardstick)
	if err != nil {
		return pair{}, err
	}
	return alternate(r.sizes.loops,
		func() (float64, error) { return perOp(n, subject) },
		func() (float64, error) { return perOp(m, yardstick) })
}

func (r *run) profileRead(small, _ *profile.Profile) (f Figure, err error) {
	p, err := r.nanoseconds(reads(small), newBareMap().reads)
	if err != nil {
		return f, err
	}
	allocs, err := allocations(100_000, reads(small))
	f = Figure{Name: "profile.read", Unit: "ns"}.beside("RWMutex and map: a read", p).ratioAtMost(2)
	// What other goroutines allocate meanwhile is far less than one a read.
	return f.limited("no allocation", allocs < 0.01).noted("%.2f allocations", allocs), err
}

func (r *run) profileUpdate(small, _ *profile.Profile) (f Figure, err error) {
	p, err := r.nanoseconds(updates(small), newBareMap().updates)
	if err != nil {
		return f, err
	}
	allocs, err := allocations(100_000, updates(small))
	f = Figure{Name: "profile.update", Unit: "ns"}.beside("RWMutex and map: a read and a write", p).ratioAtMost(8)
	return f.noted("journal and events on; %.1f allocations", allocs), err
}

func (r *run) profileLarge(small, large *profile.Profile) (f Figure, err error) {
	p, err := r.nanoseconds(updates(large), updates(small))
	if err != nil {
		return f, err
	}
	f = Figure{Name: "profile.update.200KB", Unit: "ns"}.beside("the same in 2 KB", p).ratioAtMost(1.5)
	return f.noted("%s against %s", size(large), size(small)), nil
}

// size says how many bytes a profile's data have.
func size(p *profile.Profile) string {
	s := p.Session()
	s.Lock()
	defer s.Unlock()
	return fmt.Sprintf("%d bytes", s.Document().Size())
}
