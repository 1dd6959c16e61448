package profile_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"pgregory.net/rapid"
)

// TestSaveSlotsAgainstModel makes random operations on slots, on servers that die in
// between, and compares what comes of it with a map.
func TestSaveSlotsAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		acts := rapid.SliceOfN(rapid.Custom(drawAct), 1, 25).Draw(rt, "acts")
		var problem string
		synctestRun(t, func(w *world) { problem = runActs(w, acts) })
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

// act is one operation of the model test. Which slot it is for is drawn as a number,
// as it depends on what was done before.
type act struct{ kind, slot, n int }

func drawAct(rt *rapid.T) act {
	return act{rapid.IntRange(0, 13).Draw(rt, "kind"), rapid.IntRange(0, 6).Draw(rt, "slot"), rapid.IntRange(1, 999).Draw(rt, "n")}
}

// saver is a player on one of the servers, with the model of what he has.
type saver struct {
	*world
	f    *faulty.DB
	p    *profile.Profile
	m    *slotModel
	runs int
	old  []oldModel
}

// oldModel is a version, and what the player had then.
type oldModel struct {
	version driver.Version
	m       *slotModel
}

func runActs(w *world, acts []act) (problem string) {
	s := &saver{world: w, m: newSlotModel()}
	s.start()
	for i, a := range acts {
		if err := s.act(a); err != nil {
			return words(i, a, err)
		}
		if got := s.seen(); got != s.m.loadedOnly() {
			return words(i, a, "has", got, "want", s.m.loadedOnly())
		}
	}
	if got := w.readSlots(s.p); got.String() != s.m.String() {
		return words("at the end: has", got, "want", s.m)
	}
	return ""
}

// start opens the player on a new server.
func (s *saver) start() {
	s.runs++
	s.f = faulty.New(open{s.db})
	srv := s.serverOn("s"+strconv.Itoa(s.runs), s.f, roomy, &profile.Options{Session: session.Options{Retention: &driver.Retention{}}}) // keeps every version
	want := s.m.loaded
	if want == "" {
		want = profile.NoSlot
	}
	if s.runs == 1 {
		want = ""
	}
	ctx, cancel := context.WithTimeout(s.ctx, 5*time.Minute)
	defer cancel()
	p, err := srv.Open(ctx, "1", &profile.OpenOptions{Slot: want})
	if err != nil || p.Err() != nil {
		s.Fatalf("open: %v", err)
	}
	s.p = p
}

// loadedOnly is what is seen without loading anything.
func (m *slotModel) loadedOnly() string {
	return words(m.loaded, m.gems, m.levels[m.loaded], m.names, m.gone)
}

func (s *saver) seen() string {
	m := &slotModel{loaded: s.p.LoadedSlot(), gems: gems.Get(s.p), levels: map[string]int64{}, names: map[string]string{}, gone: map[string]bool{}}
	if m.loaded != "" {
		m.levels[m.loaded] = level.Get(s.p)
	}
	for _, slot := range s.p.SaveSlots() {
		m.names[slot.ID] = slot.Name
		if !slot.Deleted.IsZero() {
			m.gone[slot.ID] = true
		}
	}
	return m.loadedOnly()
}

// act does one thing to the player and to the model. The error says what is wrong.
func (s *saver) act(a act) error {
	m, id, name := s.m, strconv.Itoa(a.slot), "n"+strconv.Itoa(a.n)
	_, there := m.names[id]
	usable := there && !m.gone[id]
	fine := true
	var err error
	switch a.kind {
	case 0, 1, 2:
		err = s.p.Update(func(tx *profile.Tx) error { _ = gems.Add(tx, 1); return level.Set(tx, int64(a.n)) }, profile.Durable(s.ctx))
		if fine = m.loaded != ""; fine {
			m.gems++
			m.levels[m.loaded] = int64(a.n)
		} else if errors.Is(err, profile.ErrNoSlot) {
			return nil
		}
	case 3, 4:
		if err = s.p.SwitchSlot(s.ctx, id); usable {
			m.loaded = id
		}
		fine = usable
	case 5:
		if a.slot > 3 {
			id, m.loaded = profile.NoSlot, ""
			err = s.p.SwitchSlot(s.ctx, id)
			break
		}
		id, err = s.p.CreateSlot(s.ctx, name, a.slot > 1)
		m.names[id], m.levels[id] = name, 1
		if a.slot > 1 {
			m.loaded = id
		}
	case 6:
		var copied string
		if copied, err = s.p.CopySlot(s.ctx, id, name); usable {
			m.names[copied], m.levels[copied] = name, m.levels[id]
		}
		fine = usable
	case 7:
		if err = s.p.DeleteSlot(s.ctx, id); usable {
			if m.gone[id] = true; m.loaded == id {
				m.loaded = ""
			}
		}
		fine = usable
	case 8:
		err = s.p.UndeleteSlot(s.ctx, id)
		delete(m.gone, id)
		fine = there
	case 9:
		if err = s.p.RenameSlot(s.ctx, id, name); usable {
			m.names[id] = name
		}
		fine = usable
	case 11:
		if err = s.p.Save(s.ctx); err == nil {
			s.old = append(s.old, oldModel{s.p.Session().Version(), m.clone()})
		}
	case 12, 13:
		if len(s.old) == 0 {
			return nil
		}
		old := s.old[a.n%len(s.old)]
		m.restore(old.m)
		var done profile.Restored
		done, err = s.p.Server().Restore(s.ctx, "1", old.version, &profile.RestoreOptions{Reason: "a test"})
		if done.Lost != nil {
			err = errors.New(words("lost", done.Lost))
		}
	case 10: // the server dies, or closes the player; all was on disk
		if a.n%2 == 0 {
			s.close(s.p)
		} else {
			s.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}))
		}
		s.start()
	}
	switch {
	case fine:
		return err
	case !errors.Is(err, profile.ErrUnknownSlot) && !errors.Is(err, profile.ErrSlotDeleted) || there != errors.Is(err, profile.ErrSlotDeleted):
		return errors.New(words("slots", slices.Sorted(maps.Keys(m.names)), "gave", err))
	}
	return nil
}
