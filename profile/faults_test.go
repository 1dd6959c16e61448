package profile_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	"github.com/holdfast-games/holdfast/driver"
)

// jsonNumber is the first integer that a float64 cannot hold.
const jsonNumber = json.Number("9007199254740993")

// faults is a database whose commits can be counted, held up and refused.
type faults struct {
	driver.DB
	mu      sync.Mutex
	commits map[string]int           // successful groups by the kind of key they wrote first
	refuse  map[string]error         // by root key
	hold    map[string]chan struct{} // by root key: commits wait until it is closed
	down    bool                     // it takes no commits any more, as after a crash of its server
}

func newFaults(db driver.DB) *faults {
	return &faults{DB: open{db}, commits: make(map[string]int), refuse: make(map[string]error), hold: make(map[string]chan struct{})}
}

func (f *faults) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	for _, b := range g.Batches {
		for _, w := range b.Writes {
			f.mu.Lock()
			err, hold := f.refuse[w.Key], f.hold[w.Key]
			if f.down {
				err = driver.ErrUnavailable
			}
			f.mu.Unlock()
			if err != nil {
				return nil, err
			}
			if hold != nil {
				select {
				case <-hold:
				case <-ctx.Done():
					return nil, driver.ErrUnavailable
				}
			}
		}
	}
	out, err := f.DB.Commit(ctx, g)
	if err == nil {
		f.mu.Lock()
		kind, _, _ := strings.Cut(g.Batches[0].Writes[0].Key, "/")
		f.commits[kind]++
		f.mu.Unlock()
	}
	return out, err
}

func (f *faults) set(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
}

// saves returns how many groups were committed that wrote a root first.
func (f *faults) saves() (n int) {
	f.set(func() { n = f.commits["player"] })
	return n
}
