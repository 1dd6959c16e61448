package feed

import (
	"slices"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// player is whose changes are told in order.
type player struct {
	key   session.Key
	birth driver.Version
}

func playerOf(r *session.FeedRecord) player { return player{r.Key, r.Birth} }

// before compares two moments of the database's clock. Its earlier boots come before
// the present one, in which alone anything is still written.
func (f *follower) before(a, b driver.Moment) bool {
	switch {
	case a.Boot == b.Boot:
		return a.Tick < b.Tick
	case a.Boot == f.boot:
		return false
	case b.Boot == f.boot:
		return true
	}
	return a.Wall.Before(b.Wall)
}

// choose returns how many entries of each stream's buffer can be told now: those
// that were read in an earlier pass, as all that comes before them has been read by
// now, unless it is behind what was read of a stream that has more.
func (f *follower) choose() []int {
	chosen := make([]int, len(f.streams))
	bound, bounded := f.bound()
	for i, s := range f.streams {
		for chosen[i] < len(s.buffer) {
			e := &s.buffer[chosen[i]]
			if e.pass == f.pass || bounded && !f.before(e.when, bound) {
				break
			}
			chosen[i]++
		}
	}
	for f.holdBack(chosen) {
	}
	return chosen
}

// bound returns the time before which everything has been read.
func (f *follower) bound() (bound driver.Moment, bounded bool) {
	for _, s := range f.streams {
		if !s.more || len(s.buffer) == 0 {
			continue
		}
		if last := s.buffer[len(s.buffer)-1].when; !bounded || f.before(last, bound) {
			bound, bounded = last, true
		}
	}
	return bound, bounded
}

// holdBack takes out of what was chosen the entries with a change for which an
// earlier one of the same player was not chosen, and reports whether there were any.
func (f *follower) holdBack(chosen []int) bool {
	waits := make(map[player]uint64) // the lowest revision of each that waits
	for i, s := range f.streams {
		for _, e := range s.buffer[chosen[i]:] {
			for j := range e.Records {
				r := &e.Records[j]
				if low, ok := waits[playerOf(r)]; !ok || r.Revision < low {
					waits[playerOf(r)] = r.Revision
				}
			}
		}
	}
	held := false
	if len(waits) == 0 {
		return false
	}
	for i, s := range f.streams {
		n := slices.IndexFunc(s.buffer[:chosen[i]], func(e entry) bool {
			return slices.ContainsFunc(e.Records, func(r session.FeedRecord) bool {
				low, ok := waits[playerOf(&r)]
				return ok && low < r.Revision
			})
		})
		if n >= 0 {
			chosen[i], held = n, true
		}
	}
	return held
}

// item is what is told at once: a change, or an entry that cannot be read.
type item struct {
	s      *stream
	e      *entry
	record *session.FeedRecord // nil: it cannot be read
}

// tell tells what was chosen, and reports how many entries that were and whether
// more is wanted.
func (f *follower) tell(chosen []int) (told int, on bool) {
	items, told := f.take(chosen)
	if told == 0 {
		return 0, true
	}
	before, after := f.at, f.position()
	f.at, f.any, f.idled = after, true, false
	for i, it := range items {
		at := before
		if i == len(items)-1 {
			at = after
		}
		if !f.yield(it.change(at)) {
			return told, false
		}
	}
	return told, true
}

// take takes what was chosen out of the buffers, in the order in which it is told.
func (f *follower) take(chosen []int) (items []item, told int) {
	type taken struct {
		s *stream
		e *entry
	}
	var all []taken
	for i, s := range f.streams {
		n := chosen[i]
		if n == 0 {
			continue
		}
		for j := range s.buffer[:n] {
			all = append(all, taken{s, &s.buffer[j]})
		}
		s.told = s.buffer[n-1].Number
		s.buffer = slices.Clone(s.buffer[n:])
	}
	slices.SortStableFunc(all, func(a, b taken) int {
		switch {
		case f.before(a.e.when, b.e.when):
			return -1
		case f.before(b.e.when, a.e.when):
			return 1
		}
		return 0
	})
	for _, t := range all {
		if t.e.Err != nil {
			items = append(items, item{t.s, t.e, nil})
		}
		for j := range t.e.Records {
			items = append(items, item{t.s, t.e, &t.e.Records[j]})
		}
	}
	byRevision(items)
	return items, len(all)
}

// byRevision puts the changes of each player in the order of their revisions, in the
// places that they have together.
func byRevision(items []item) {
	places := make(map[player][]int)
	for i := range items {
		if r := items[i].record; r != nil {
			places[playerOf(r)] = append(places[playerOf(r)], i)
		}
	}
	ascending := func(a, b item) int {
		switch {
		case a.record.Revision < b.record.Revision:
			return -1
		case a.record.Revision > b.record.Revision:
			return 1
		}
		return 0
	}
	for _, at := range places {
		own := make([]item, len(at))
		for i, place := range at {
			own[i] = items[place]
		}
		if slices.IsSortedFunc(own, ascending) {
			continue
		}
		slices.SortStableFunc(own, ascending)
		for i, place := range at {
			items[place] = own[i]
		}
	}
}

// change returns what is yielded for an item.
func (it *item) change(at Position) (Change, error) {
	if it.record == nil {
		return Change{Server: it.s.Server, At: it.e.Written.Wall, Position: at}, &DamagedError{it.e.Key, it.s.Server, it.e.Err}
	}
	r := it.record
	return Change{
		Key: r.Key, Birth: r.Birth, Revision: r.Revision, Session: r.Session, Server: it.s.Server,
		Whole: r.Whole, Delta: r.Delta, Reasons: r.Reasons, At: it.e.Written.Wall, Position: at,
	}, nil
}
