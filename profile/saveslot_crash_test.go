package profile_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// slotModel is what a player has, as a plain map: the fields of each slot.
type slotModel struct {
	loaded string
	gems   int64
	levels map[string]int64
	names  map[string]string
	gone   map[string]bool // deleted
}

func newSlotModel() *slotModel {
	return &slotModel{loaded: "1", levels: map[string]int64{"1": 1}, names: map[string]string{"1": profile.FirstSlotName}, gone: map[string]bool{}}
}

func (m *slotModel) clone() *slotModel {
	return &slotModel{m.loaded, m.gems, maps.Clone(m.levels), maps.Clone(m.names), maps.Clone(m.gone)}
}

// restore gives the account and the slots that are there what they had.
func (m *slotModel) restore(old *slotModel) {
	m.gems = old.gems
	for id, level := range old.levels {
		m.levels[id] = level
	}
}

// String tells all of it, the slots in the order of their ids.
func (m *slotModel) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "loaded %q, %d gems", m.loaded, m.gems)
	ids := make([]string, 0, len(m.names))
	for id := range m.names {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return len(a)*100 - len(b)*100 + strings.Compare(a, b) })
	for _, id := range ids {
		fmt.Fprintf(&b, "; %s %q %v level %d", id, m.names[id], m.gone[id], m.levels[id])
	}
	return b.String()
}

// readSlots finds out what a profile has, by loading each slot, and checks that
// exactly those have an entry that are parked. It leaves none loaded.
func (w *world) readSlots(p *profile.Profile) *slotModel {
	w.Helper()
	m := &slotModel{loaded: p.LoadedSlot(), gems: gems.Get(p), levels: map[string]int64{}, names: map[string]string{}, gone: map[string]bool{}}
	for _, s := range p.SaveSlots() {
		m.names[s.ID] = s.Name
		if !s.Deleted.IsZero() {
			m.gone[s.ID] = true
			w.ok(p.UndeleteSlot(w.ctx, s.ID))
		}
	}
	for id := range m.names {
		w.ok(p.SwitchSlot(w.ctx, id))
		m.levels[id] = level.Get(p)
		if got := w.parked("1"); slices.Contains(got, id) {
			w.Errorf("slot %s is loaded, and has an entry: %v", id, got)
		}
	}
	w.ok(p.SwitchSlot(w.ctx, profile.NoSlot))
	if got := w.parked("1"); len(got) != len(m.names) {
		w.Errorf("entries of slots = %v, want one for each of %v", got, m.names)
	}
	return m
}

// roomy is a schema with which every slot can be undeleted.
var roomy = hero.WithSlots(profile.SlotRules{Max: profile.MaxSlots})

// story is operations on slots, and what each makes of the model.
var story = []struct {
	name  string
	do    func(context.Context, *profile.Profile) error
	model func(*slotModel)
}{
	{"raise", raiseTo(3), func(m *slotModel) { m.levels["1"], m.gems = 3, 3 }},
	{"create and load", func(ctx context.Context, p *profile.Profile) error { return second(p.CreateSlot(ctx, "Two", true)) },
		func(m *slotModel) { m.levels["2"], m.names["2"], m.loaded = 1, "Two", "2" }},
	{"raise", raiseTo(5), func(m *slotModel) { m.levels["2"], m.gems = 5, 5 }},
	{"copy a parked one", func(ctx context.Context, p *profile.Profile) error { return second(p.CopySlot(ctx, "1", "Copy")) },
		func(m *slotModel) { m.levels["3"], m.names["3"] = 3, "Copy" }},
	{"switch", func(ctx context.Context, p *profile.Profile) error { return p.SwitchSlot(ctx, "3") }, func(m *slotModel) { m.loaded = "3" }},
	{"raise", raiseTo(7), func(m *slotModel) { m.levels["3"], m.gems = 7, 7 }},
	{"delete", func(ctx context.Context, p *profile.Profile) error { return p.DeleteSlot(ctx, "3") },
		func(m *slotModel) { m.loaded, m.gone["3"] = "", true }},
	{"switch", func(ctx context.Context, p *profile.Profile) error { return p.SwitchSlot(ctx, "1") }, func(m *slotModel) { m.loaded = "1" }},
	{"undelete", func(ctx context.Context, p *profile.Profile) error { return p.UndeleteSlot(ctx, "3") }, func(m *slotModel) { delete(m.gone, "3") }},
	{"switch", func(ctx context.Context, p *profile.Profile) error { return p.SwitchSlot(ctx, "2") }, func(m *slotModel) { m.loaded = "2" }},
}

func raiseTo(n int64) func(context.Context, *profile.Profile) error {
	return func(ctx context.Context, p *profile.Profile) error {
		return p.Update(func(tx *profile.Tx) error { _ = gems.Set(tx, n); return level.Set(tx, n) }, profile.Durable(ctx))
	}
}

// TestSaveSlotsThroughACrashAtEveryStep kills the server at each of its calls of the
// database, before and after that is carried out: the next one finds the slots as one
// of the operations has left them, none before those that were acknowledged.
func TestSaveSlotsThroughACrashAtEveryStep(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for n := 1; ; n++ {
			died := false
			t.Run(fmt.Sprintf("Call%d,Done=%v", n, lost), func(t *testing.T) {
				bubble(t, func(w *world) { died = dieAt(w, n, lost) })
			})
			if !died {
				break
			}
			if n > 1000 {
				t.Fatal("the story does not end")
			}
		}
	}
}

// dieAt tells the story until the server dies at its nth call, and reports whether it
// came to that.
func dieAt(w *world, n int, lost bool) (died bool) {
	f := faulty.New(open{w.db})
	a := w.serverOn("a", f, roomy, nil)
	p := w.load(a, "1")
	calls := 0
	var dead atomic.Bool
	f.Use(func(*faulty.Call) faulty.Fault {
		if calls++; calls < n {
			return faulty.Fault{}
		}
		if calls == n && lost {
			dead.Store(true)
			return faulty.Fault{Lost: true}
		}
		dead.Store(true)
		return faulty.Fault{Err: faulty.ErrDown}
	})
	m := newSlotModel()
	possible := []string{m.String()}
	for _, step := range story {
		ctx, cancel := context.WithTimeout(w.ctx, time.Second)
		err := step.do(ctx, p)
		cancel()
		step.model(m)
		if err == nil {
			possible = nil // it is on disk
		}
		if possible = append(possible, m.String()); err != nil {
			break
		}
	}
	if died = dead.Load(); !died {
		f.Use()
		return false
	}
	f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}))
	b := w.serverOn("b", open{w.db}, roomy, nil)
	ctx, cancel := context.WithTimeout(w.ctx, 5*time.Minute)
	defer cancel()
	s, err := b.Session().Peek(ctx, roomy.Key("1"))
	if err != nil {
		w.Fatal(err)
	}
	q, err := b.Open(ctx, "1", nil)
	if err != nil || q.Err() != nil {
		w.Fatalf("Open after the crash: %v, %v", err, q)
	}
	got := w.readSlots(q)
	got.loaded = left(w, s.Document)
	if !slices.Contains(possible, got.String()) {
		w.Errorf("after a crash at call %d (carried out: %v): %v\nwant one of\n%s", n, lost, got, strings.Join(possible, "\n"))
	}
	return true
}

// left returns the id of the slot that was loaded when the server died: to open the
// profile may load another one.
func left(w *world, d *document.Document) string {
	list, err := profile.ReadSaveSlots(d)
	w.ok(err)
	for _, slot := range list {
		if slot.Loaded {
			return slot.ID
		}
	}
	if len(list) == 0 {
		return profile.FirstSlot // of a player who has no index yet
	}
	return ""
}

// TestSaveSlotsStolen takes a profile from a server in the middle of the story: it is
// over there, and what it had on disk is found.
func TestSaveSlotsStolen(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.serverOn("a", open{w.db}, roomy, nil), w.serverOn("b", open{w.db}, roomy, nil)
		p := w.load(a, "1")
		m := newSlotModel()
		for _, step := range story {
			w.ok(step.do(w.ctx, p))
			step.model(m)
		}
		q, err := b.Open(w.ctx, "1", &profile.OpenOptions{Steal: "test"})
		w.ok(err)
		if got := w.readSlots(q); got.String() != m.String() {
			t.Errorf("stolen: %v\nwant %v", got, m)
		}
		<-p.Done()
		if err := p.SwitchSlot(w.ctx, "1"); !errors.Is(err, session.ErrLost) {
			t.Errorf("SwitchSlot of a stolen profile = %v", err)
		}
	})
}
