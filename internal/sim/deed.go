package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/holdfast-games/holdfast/document"
)

// deed is what a function of the game's has done that a server called: a handler,
// or the function of a trade. The world hears of it when the servers have come to
// rest. What it has made may come into a session's memory then, later or never.
type deed struct {
	what    string
	players []*player
	numbers []int // of the updates that it makes, one for each player
	on      []int // of those on which they stand
	take    func(w *world, on []*update)
}

// did leaves a deed for the world. It may be called by any goroutine.
func (w *world) did(d deed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inbox.deeds = append(w.inbox.deeds, d)
}

// takeDeeds registers deeds, each after those on which it stands.
func (w *world) takeDeeds(ds []deed) {
	slices.SortFunc(ds, func(a, b deed) int { return cmp.Compare(a.numbers[0], b.numbers[0]) })
	for len(ds) > 0 && w.err == nil {
		i := slices.IndexFunc(ds, func(d deed) bool { return !slices.ContainsFunc(d.on, w.check.unknown) })
		if i < 0 {
			w.fail(fmt.Errorf("%s stands on updates %v, which nobody made", ds[0].what, ds[0].on))
			return
		}
		var on []*update
		for j, p := range ds[i].players {
			on = append(on, w.check.headOf(p, ds[i].on[j]))
		}
		ds[i].take(w, on)
		ds = slices.Delete(ds, i, i+1)
	}
}

func (c *checker) unknown(number int) bool { return number != 0 && c.updates[number] == nil }

// headOf returns the update of a number that a document names as its last one.
func (c *checker) headOf(p *player, number int) *update {
	if number == 0 {
		return p.origin
	}
	return c.updates[number]
}

// watchComing notes which updates of deeds have come into the memory of sessions.
func (w *world) watchComing() {
	for _, p := range w.check.players {
		if len(p.coming) == 0 {
			continue
		}
		for _, in := range w.all {
			if in.profiles != nil && !in.dead {
				w.fail(w.came(in, p))
			}
		}
		p.coming = slices.DeleteFunc(p.coming, func(u *update) bool {
			return p.durable.depth >= u.depth && !u.within(p.durable)
		})
	}
}

// came notes what has come into the memory of a server's session.
func (w *world) came(in *instance, p *player) error {
	prof, ok := in.profiles.Profile(p.key.ID)
	if !ok {
		return nil
	}
	s := prof.Session()
	s.Lock()
	value, _ := s.Document().Get(document.Field(headField))
	number, _ := strconv.Atoi(string(value))
	s.Unlock()
	last, u := w.check.sessions[s.ID()].last, w.check.headOf(p, number)
	var back *update // the last restore among them
	for v := u; v != last; v = v.parent {
		i := slices.Index(p.coming, v)
		if i < 0 { // also if v is nil
			return fmt.Errorf("memory of session %s of %v holds update %v, its last was %v", s.ID(), p.key, u, last)
		}
		if p.coming = slices.Delete(p.coming, i, i+1); v.order != nil && back == nil {
			back = v
		}
	}
	if u != last {
		w.trace.add("%s has %v in memory", in.name, u)
		w.moved(s, u)
	}
	if back != nil {
		w.movedBack(s, back)
	}
	return nil
}
