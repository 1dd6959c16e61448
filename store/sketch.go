package store

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// How many keys come before another is counted exactly as long as they are few: a
// walk over nearRows keys takes one to four milliseconds. Farther on, a sketch tells
// the better part: the ranks of some thousand keys of the range, its marks, of which
// there is one for every markStep rows or so. What lies between a mark and the key
// is counted.
//
// A sketch is made by a scan, which counts the whole range once, from mark to mark,
// in about 0.2 seconds for a million rows; each of its calls is a short one. A scan
// begins when somebody asks and the last one is no longer fresh, in the background,
// and one runs at a time, so that nobody waits and at most a fifth of one connection
// is used.
//
// # How large the error is
//
// The only error is that of the mark's rank, as rows have moved across the mark since
// it was counted. A scan counts at the marks of the one before, so it knows exactly
// by how much their ranks have changed, and in which time: the largest share by which
// any changed in a second is the drift. A sketch is used until, at that drift, a rank
// can be wrong by driftMost, which is half of what is promised, as a rush may grow;
// from a quarter of that on a new one is made. If nobody has asked for so long that it is older, or there is none yet, who asks waits for a
// scan. While hardly anything moves, a sketch is used for maxAge at most, in which a
// rush may begin that no scan has seen.
//
// A scan takes a while itself, and a fifth of a connection is not much: if ranks
// change by more than 1% within the time of two scans, or suddenly several times as
// fast as when the last one was made, answers can be wrong by as much as that.
const (
	nearRows  = 20_000
	markStep  = 4_000
	driftMost = 0.005
	firstAge  = 250 * time.Millisecond // of a sketch whose drift is not known
	maxAge    = 10 * time.Second
	rest      = 4 // times as long as a scan took before the next begins
)

// maxSketches is of how many ranges sketches are kept.
const maxSketches = 256

// sketches are the sketches of a DB, by what the keys begin with.
type sketches struct {
	mu     sync.Mutex
	all    map[string]*sketch
	asked  uint64 // counts calls of of
	closed bool
	scans  sync.WaitGroup
}

// of returns the sketch of a range. The one that nobody has asked for the longest
// gives way if there are too many.
func (s *sketches) of(db *DB, prefix string) *sketch {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	k := s.all[prefix]
	if k == nil {
		if s.all == nil {
			s.all = make(map[string]*sketch)
		}
		if len(s.all) >= maxSketches {
			oldest := ""
			for p, o := range s.all {
				if oldest == "" || o.asked < s.all[oldest].asked {
					oldest = p
				}
			}
			delete(s.all, oldest)
		}
		k = &sketch{db: db, prefix: prefix, end: driver.After(prefix)}
		s.all[prefix] = k
	}
	k.asked = s.asked
	return k
}

// start runs a scan unless the DB is closed.
func (s *sketches) start(scan func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.scans.Go(scan)
	return true
}

// close waits for the scans under way, whose context has ended.
func (s *sketches) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.scans.Wait()
}

// sketch tells how many keys of a range come before another.
type sketch struct {
	db          *DB
	prefix, end string
	asked       uint64 // the sketches' mu guards it

	mu      sync.Mutex // guards what follows
	last    *scan      // nil before the first one
	running *scan
}

// mark is a key of which a scan knows the rank.
type mark struct {
	key  string
	rank int // how many keys of the range come before it
}

// scan is one count of a range. Until done is closed its goroutine alone uses it;
// then it is never changed.
type scan struct {
	done  chan struct{}
	err   error
	began time.Time
	marks []mark // the first is the range's beginning
	total int
	fresh time.Duration // since it began: no other is needed
	good  time.Duration // since it began: it may be used
}

// before returns how many keys of the range come before key, and whether that
// was counted.
func (k *sketch) before(ctx context.Context, key string) (n int, exact bool, err error) {
	if !k.surelyFar(key) {
		n, next, err := k.db.Count(ctx, k.prefix, key, nearRows)
		if err != nil || next == "" {
			return n, true, err
		}
	}
	sc, err := k.ready(ctx)
	if err != nil {
		return 0, false, err
	}
	if key == k.end {
		return sc.total, false, nil
	}
	m := sc.floor(key)
	n, _, err = k.db.Count(ctx, m.key, key, driver.MaxCount)
	return m.rank + n, false, err
}

// surelyFar reports whether a key lies so far behind the near rows that no count of
// these is needed to know it.
func (k *sketch) surelyFar(key string) bool {
	k.mu.Lock()
	sc := k.last
	k.mu.Unlock()
	return sc != nil && time.Since(sc.began) < sc.good && sc.floor(key).rank > 2*nearRows
}

// floor returns the last mark that is not after a key.
func (sc *scan) floor(key string) mark {
	i := sort.Search(len(sc.marks), func(i int) bool { return sc.marks[i].key > key })
	return sc.marks[max(i-1, 0)]
}

// ready returns a scan that may be used, and waits for one if there is none.
func (k *sketch) ready(ctx context.Context) (*scan, error) {
	k.mu.Lock()
	sc := k.last
	if sc != nil && time.Since(sc.began) < sc.good {
		if time.Since(sc.began) >= sc.fresh {
			k.startLocked()
		}
		k.mu.Unlock()
		return sc, nil
	}
	sc = k.startLocked()
	k.mu.Unlock()
	if sc == nil {
		return nil, driver.ErrClosed
	}
	select {
	case <-sc.done:
		return sc, sc.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: wait for a count: %w", driver.ErrUnavailable, context.Cause(ctx))
	}
}

// startLocked returns the scan that is under way, or begins one.
func (k *sketch) startLocked() *scan {
	if k.running != nil {
		return k.running
	}
	sc, old := &scan{done: make(chan struct{}), began: time.Now()}, k.last
	if !k.db.sketches.start(func() { k.run(sc, old) }) {
		return nil
	}
	k.running = sc
	return sc
}

// run makes a scan, after an older one unless that is nil.
func (k *sketch) run(sc, old *scan) {
	drift, err := k.count(sc, old)
	took := time.Since(sc.began)
	switch {
	case old == nil:
		sc.good = firstAge
	case drift == 0:
		sc.good = maxAge
	default:
		perSecond := drift / sc.began.Sub(old.began).Seconds()
		sc.good = min(time.Duration(driftMost/perSecond*float64(time.Second)), maxAge)
	}
	sc.good = max(sc.good, 2*took)
	sc.fresh = min(max(sc.good/4, rest*took), sc.good)
	sc.err = err
	k.mu.Lock()
	k.running = nil
	if err == nil {
		k.last = sc
	}
	k.mu.Unlock()
	close(sc.done)
}

// count counts from mark to mark. It drops marks that have come close to each other,
// and sets new ones where they are far apart. It returns the largest share by which
// the rank of one has changed since the older scan.
func (k *sketch) count(sc, old *scan) (drift float64, err error) {
	sc.marks = []mark{{k.prefix, 0}}
	var were []mark
	if old != nil {
		were = append(slices.Clone(old.marks[1:]), mark{k.end, old.total})
	} else {
		were = []mark{{k.end, -1}}
	}
	from := k.prefix
	for _, was := range were {
		for {
			n, next, err := k.db.Count(k.db.ctx, from, was.key, 2*markStep)
			if err != nil {
				return 0, fmt.Errorf("count %q: %w", strings.TrimSuffix(k.prefix, "/"), err)
			}
			sc.total += n
			if next == "" {
				break
			}
			sc.marks = append(sc.marks, mark{next, sc.total})
			from = next
		}
		from = was.key
		if was.rank >= nearRows/2 {
			drift = max(drift, float64(abs(sc.total-was.rank))/float64(was.rank))
		}
		if was.key != k.end && sc.total-sc.marks[len(sc.marks)-1].rank >= markStep/2 {
			sc.marks = append(sc.marks, mark{was.key, sc.total})
		}
	}
	return drift, nil
}

func abs(n int) int { return max(n, -n) }
