package session_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/session"
)

// journalBytes returns what lies in all journals.
func (w *world) journalBytes() int {
	w.t.Helper()
	snap, err := w.db.List(w.ctx, driver.Query{Prefix: "~journal/"})
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, e := range snap.Entries {
		n += len(e.Value)
	}
	return n
}

// causes counts the saves of sessions by cause.
type causes struct {
	mu sync.Mutex
	n  map[session.Cause]int
}

func (c *causes) saved(_ *session.Session, x session.Saved) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[session.Cause]int)
	}
	c.n[x.Cause]++
}

func (c *causes) count(x session.Cause) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[x]
}

func TestJournalIsBounded(t *testing.T) {
	for _, name := range []string{"AllCanBeSaved", "OneCannotBeSaved"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) { boundedJournal(w, name == "OneCannotBeSaved") })
		})
	}
}

// boundedJournal writes some megabytes through a journal of 64 KiB. The session
// that changes once, at the beginning, must be saved for the others' sake, or
// else be appended as a whole, again and again.
func boundedJournal(w *world, stuck bool) {
	const limit = 64 << 10
	a, b := w.server("a", &session.Options{JournalBytes: limit}), w.server("b", nil)
	var saves causes
	o := &session.OpenOptions{Saved: saves.saved}
	first := w.openWith(a, alice, o)
	w.set(first, "coins", "1")
	w.set(first, "text", `"`+strings.Repeat("x", 2000)+`"`)
	w.sync(first)
	w.set(first, "coins", "2")
	if stuck {
		a.f.Use(every(faulty.Fault{Err: faulty.ErrDown}, alice.String()))
	}
	var ss []*session.Session
	for i := range 20 {
		ss = append(ss, w.openWith(a, session.Key{Kind: "player", ID: fmt.Sprintf("p%02d", i)}, o))
	}
	most := 0
	for round := range 200 {
		for _, s := range ss {
			w.set(s, "round", fmt.Sprint(round))
			w.set(s, "text", `"`+strings.Repeat("y", 300)+`"`)
		}
		time.Sleep(50 * time.Millisecond)
		most = max(most, w.journalBytes())
	}
	if most > limit*5/4 {
		w.t.Errorf("the journal grew to %d bytes, limit %d", most, limit)
	}
	if n := saves.count(session.CauseJournal); n == 0 {
		w.t.Error("the journal asked for no save")
	}
	w.sync(ss[0])
	if got := w.root(alice).Data["coins"]; stuck != (len(got) == 0) {
		w.t.Errorf("stored coins = %q, want them there only if they can be saved", got)
	}
	a.kill()
	taken := w.open(b, alice)
	w.want(taken, "coins", "2")
	w.want(taken, "text", `"`+strings.Repeat("x", 2000)+`"`)
	w.want(w.open(b, ss[0].Key()), "round", "199")
}

// TestSlowSavesAreNotCrowdedOut writes through a journal that is too short for the whole
// states of those whose saves do not come: an append takes a part of them, and the
// changes of others with it, so that everybody who waits for the journal, or for a save
// once that can be made again, gets there.
func TestSlowSavesAreNotCrowdedOut(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", &session.Options{JournalBytes: 64 << 10})
		var ss []*session.Session
		for i := range 200 {
			s := w.open(a, session.Key{Kind: "player", ID: fmt.Sprintf("p%03d", i)})
			w.set(s, "text", `"`+strings.Repeat("x", 20_000)+`"`)
			w.save(s)
			ss = append(ss, s)
		}
		var most atomic.Int64
		down := every(faulty.Fault{Err: faulty.ErrDown}, "player/")
		a.f.Use(func(c *faulty.Call) faulty.Fault {
			n := int64(0)
			for i := range c.Group.Batches {
				for _, wr := range c.Group.Batches[i].Writes {
					if strings.HasPrefix(wr.Key, "~journal/") {
						n += int64(len(wr.Value))
					}
				}
			}
			most.Store(max(most.Load(), n)) // one call at a time
			return down(c)
		})
		for round := range 60 {
			for _, s := range ss {
				w.set(s, "round", fmt.Sprint(round))
			}
			w.sync(ss[round])
			time.Sleep(50 * time.Millisecond)
		}
		if n := most.Load(); n < 64<<10 || n > 1<<20 {
			t.Errorf("the longest append had %d bytes; want some whole states in it, and not all", n)
		}
		a.f.Use()
		for _, s := range ss {
			w.save(s)
		}
	})
}

func TestJournalOfWhatIsSavedIsDeleted(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", nil)
		s, other := w.open(a, alice), w.open(a, bob)
		w.set(s, "coins", "1")
		w.sync(s)
		w.set(other, "coins", "1")
		w.sync(other)
		w.save(s)
		w.save(other)
		time.Sleep(2 * time.Second)
		w.set(s, "coins", "2")
		w.sync(s)
		if n := len(w.keys("~journal/")); n != 1 {
			t.Errorf("%d journal entries, want only the one that no root holds", n)
		}
		w.close(s)
		w.close(other)
		time.Sleep(2 * time.Second)
		w.shut(a)
		if keys := w.keys("~"); len(keys) != 0 {
			t.Errorf("after a clean shutdown there are %q", keys)
		}
	})
}

// A save shows nothing that is not in the journal, of a group least of all.
func TestSaveKeepsToTheWriteAheadRule(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", nil)
		s, other := w.open(a, alice), w.open(a, bob)
		w.set(s, "coins", "1")
		w.set(other, "coins", "1")
		w.sync(s)
		a.f.Use(every(faulty.Fault{Hold: true}, "~journal/"))
		w.setAll("coins", "2", s, other)
		time.Sleep(time.Second) // the append is under way
		s.SaveSoon(session.CauseAutosave)
		other.SaveSoon(session.CauseAutosave)
		time.Sleep(2 * time.Second)
		for _, key := range []session.Key{alice, bob} {
			if got := string(w.root(key).Data["coins"]); got == "2" {
				t.Errorf("root of %v shows a change that is in no journal", key)
			}
		}
		a.wake()
		time.Sleep(2 * time.Second)
		for _, key := range []session.Key{alice, bob} {
			if got := string(w.root(key).Data["coins"]); got != "2" {
				t.Errorf("root of %v has coins %q after the append, want 2: the save that was asked for must follow", key, got)
			}
		}
	})
}

// A snapshot that is taken in the middle of a turn holds the state of the last
// one, and what came later stays unsaved.
func TestSaveInTheMiddleOfATurn(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.server("a", &session.Options{AppendEvery: 10 * time.Second}), w.server("b", nil)
		s := w.open(a, alice)
		w.set(s, "coins", "1")
		w.sync(s)
		w.set(s, "coins", "2")
		w.set(s, "more", "1")
		s.SaveSoon(session.CauseAutosave)
		time.Sleep(100 * time.Millisecond)
		r := w.root(alice)
		if string(r.Data["coins"]) != "1" || r.Data["more"] != nil {
			t.Errorf("root in the middle of a turn = %s, want the state of the last turn", r.Data)
		}
		if !s.Dirty() {
			t.Error("the session is clean although its newest changes are not saved")
		}
		w.want(s, "coins", "2")
		w.sync(s)
		a.kill()
		taken := w.open(b, alice)
		w.want(taken, "coins", "2")
		w.want(taken, "more", "1")
	})
}

// What a root holds is not changed back by records from before its position.
func TestSettlingTakesWhatComesAfterThePosition(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", nil)
		w.server("b", nil)
		s, other := w.open(a, alice), w.open(a, bob)
		w.set(other, "coins", "1") // its record keeps the journal from being trimmed
		w.set(s, "coins", "1")
		w.sync(s)
		if err := change(s, true, false, "coins", "2"); err != nil {
			t.Fatal(err)
		}
		w.save(s)
		w.set(s, "more", "1")
		w.sync(s)
		a.kill()
		time.Sleep(time.Minute) // nobody asks for them
		w.unlocked(alice, "coins", "2")
		w.unlocked(alice, "more", "1")
		w.unlocked(bob, "coins", "1")
		if keys := w.keys("~journal/"); len(keys) > 0 {
			t.Errorf("the journal of a settled server is still there: %q", keys)
		}
	})
}

// Changes that hang together, however many they are, are kept or lost as one: a
// group that is too much for one entry of the journal takes several, in one
// commit.
func TestGroupOfAnySizeIsAppendedWhole(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.server("a", nil), w.server("b", nil)
		big := `"` + strings.Repeat("x", 4_000_000) + `"`
		var ss []*session.Session
		for i := range 20 { // more than a database's largest value
			ss = append(ss, w.open(a, session.Key{Kind: "player", ID: fmt.Sprint(i)}))
			w.setAll("big", big, ss[max(0, i-1):]...)
		}
		w.sync(ss[0])
		if keys := w.keys("~journal/"); len(keys) < 2 {
			t.Errorf("80 MB in the journal's entries %q, want several", keys)
		}
		a.kill()
		for _, s := range ss {
			w.want(w.open(b, s.Key()), "big", big)
		}
	})
}

func TestGroupWithARevokedSessionIsRefusedWhole(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.server("a", &session.Options{AppendEvery: 10 * time.Second}), w.server("b", nil)
		var ss []*session.Session
		for _, key := range []session.Key{alice, bob, carol} {
			s := w.open(a, key)
			w.set(s, "coins", "1")
			w.sync(s)
			ss = append(ss, s)
		}
		w.setAll("coins", "2", ss[0], ss[1]) // on the page, in no journal
		w.set(ss[2], "coins", "2")
		stolen := w.openWith(b, alice, &session.OpenOptions{Steal: "the server hangs"})
		w.want(stolen, "coins", "1")
		lost := w.lost(ss[0])
		if !strings.Contains(lost.Error(), "the server hangs") || len(lost.Unsaved) != 1 {
			t.Errorf("the robbed session ended with %v, unsaved %v; want the reason, and its change", lost, lost.Unsaved)
		}
		if lost := w.lost(ss[1]); len(lost.Unsaved) != 1 || string(lost.Unsaved[0].Value) != "2" {
			t.Errorf("the other session of the group ended with %v, unsaved %v; want its change", lost, lost.Unsaved)
		}
		w.sync(ss[2])
		if err := ss[2].Err(); err != nil {
			t.Errorf("a session of no group with it was lost: %v", err)
		}
		again := w.open(a, bob)
		w.want(again, "coins", "1")
		w.close(again)
		w.close(ss[2])
		w.unlocked(carol, "coins", "2")
		w.unlocked(bob, "coins", "1")
		time.Sleep(5 * time.Second)
		if lease := string(w.entry(leaseKey(a)).Value); strings.Contains(lease, "revoked") {
			t.Errorf("the lease carries a revocation on that has done its work: %s", lease)
		}
	})
}

// Groups are transitive: what was changed with what was changed with a revoked
// session goes too.
func TestGroupsAreTransitive(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.server("a", &session.Options{AppendEvery: 10 * time.Second}), w.server("b", nil)
		x, y, z := w.open(a, alice), w.open(a, bob), w.open(a, carol)
		w.setAll("coins", "1", y, z)
		w.setAll("coins", "2", x, y)
		w.openWith(b, alice, &session.OpenOptions{Steal: "test"})
		for _, s := range []*session.Session{x, y, z} {
			w.lost(s)
		}
		time.Sleep(time.Second)
		if r := w.root(carol); r.Lock != nil || r.Data["coins"] != nil {
			t.Errorf("root of the last of the group = %+v, want it settled without the group's change", r)
		}
	})
}

func TestLazyChanges(t *testing.T) {
	lazy := func(w *world, s *session.Session, value string) {
		w.t.Helper()
		if err := change(s, true, false, "seen", value); err != nil {
			w.t.Fatal(err)
		}
	}
	durable := func(w *world, s *session.Session, value string) {
		w.t.Helper()
		if err := change(s, false, true, "coins", value); err != nil {
			w.t.Fatal(err)
		}
		w.sync(s)
	}
	crash := func(w *world, a, b host) *session.Session {
		w.t.Helper()
		a.kill()
		return w.open(b, alice)
	}
	for _, c := range []struct {
		name string
		run  func(w *world, a, b host, s *session.Session)
	}{
		{"AreNoReasonToSaveOrAppend", func(w *world, a, b host, s *session.Session) {
			lazy(w, s, "1")
			w.sync(s)
			if s.Dirty() {
				w.t.Error("a lazy change makes the session dirty")
			}
			time.Sleep(time.Minute)
			w.want(crash(w, a, b), "seen", "")
		}},
		{"TravelWithTheNextSave", func(w *world, a, b host, s *session.Session) {
			lazy(w, s, "1")
			w.set(s, "coins", "1")
			w.save(s)
			w.want(crash(w, a, b), "seen", "1")
		}},
		{"AreSavedWhenAsked", func(w *world, a, b host, s *session.Session) {
			lazy(w, s, "1")
			w.save(s)
			w.want(crash(w, a, b), "seen", "1")
		}},
		{"AreAppendedBeforeADurableChange", func(w *world, a, b host, s *session.Session) {
			lazy(w, s, "1")
			durable(w, s, "1")
			taken := crash(w, a, b)
			w.want(taken, "seen", "1")
			w.want(taken, "coins", "1")
		}},
		{"AreAppendedWhenTheSaveThatHasThemIsNotAnswered", func(w *world, a, b host, s *session.Session) {
			lazy(w, s, "1")
			a.f.Use(every(faulty.Fault{Err: faulty.ErrDown}, alice.String()))
			s.SaveSoon(session.CauseAutosave)
			time.Sleep(time.Second)
			durable(w, s, "1")
			w.want(crash(w, a, b), "seen", "1")
		}},
		{"DoNotComeBackOverALaterChange", func(w *world, a, b host, s *session.Session) {
			lazy(w, s, "1")
			w.set(s, "seen", "2")
			w.sync(s)
			durable(w, s, "1")
			w.want(crash(w, a, b), "seen", "2")
		}},
		{"StayUnsavedOverALaterChangeOfTheSameTurn", func(w *world, a, b host, s *session.Session) {
			w.set(s, "seen", "1")
			lazy(w, s, "2")
			s.SaveSoon(session.CauseAutosave)
			time.Sleep(10 * time.Millisecond)
			durable(w, s, "1")
			w.want(crash(w, a, b), "seen", "2")
		}},
		{"MayBeMixedWithElements", func(w *world, a, b host, s *session.Session) {
			lazy(w, s, `"text"`)
			w.save(s)
			lazy(w, s, `{}`)
			tx, err := s.Begin()
			if err != nil {
				w.t.Fatal(err)
			}
			if err := tx.Set(document.Element("seen", "x"), []byte("1"), false); err != nil {
				w.t.Fatal(err)
			}
			if err := session.Commit(false, tx); err != nil {
				w.t.Fatal(err)
			}
			w.sync(s)
			w.want(crash(w, a, b), "seen", `{"x":1}`)
		}},
		{"SurviveASaveThatIsRefused", func(w *world, a, b host, s *session.Session) {
			lazy(w, s, "1")
			a.f.Use(every(faulty.Fault{Err: driver.ErrReadOnly}, alice.String()))
			if err := s.Save(w.ctx); !errors.Is(err, driver.ErrReadOnly) {
				w.t.Errorf("Save = %v, want ErrReadOnly", err)
			}
			durable(w, s, "1")
			w.want(crash(w, a, b), "seen", "1")
		}},
		{"AreReportedWhenLost", func(w *world, a, b host, s *session.Session) {
			lazy(w, s, "1")
			w.openWith(b, alice, &session.OpenOptions{Steal: "test"})
			if lost := w.lost(s); len(lost.Unsaved) != 1 || string(lost.Unsaved[0].Value) != "1" {
				w.t.Errorf("Unsaved = %v, want the lazy change", lost.Unsaved)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.server("a", &session.Options{AppendEvery: 10 * time.Second}), w.server("b", nil)
				c.run(w, a, b, w.open(a, alice))
			})
		})
	}
}

func TestDamagedBytesAreNeverOverwritten(t *testing.T) {
	damage := func(w *world, key string) string {
		w.t.Helper()
		if err := w.db.Damage(key); err != nil {
			w.t.Fatal(err)
		}
		return string(w.entry(key).Value)
	}
	t.Run("Root", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			w.close(w.open(a, alice))
			value := damage(w, alice.String())
			if s, err := a.Open(w.ctx, alice, nil); !errors.Is(err, driver.ErrCorrupt) {
				t.Errorf("Open of a damaged root = %v, %v; want ErrCorrupt", s, err)
			}
			time.Sleep(time.Minute)
			w.untouched(alice.String(), value)
		})
	})
	t.Run("RootOfADeadServer", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			s, other := w.open(a, alice), w.open(a, bob)
			w.set(s, "coins", "1")
			w.set(other, "coins", "1")
			w.sync(s)
			w.sync(other)
			value := damage(w, alice.String())
			a.kill()
			if s, err := b.Open(w.ctx, alice, nil); !errors.Is(err, driver.ErrCorrupt) {
				t.Errorf("Open of a damaged root = %v, %v; want ErrCorrupt", s, err)
			}
			time.Sleep(time.Minute)
			w.untouched(alice.String(), value)
			w.unlocked(bob, "coins", "1") // it is settled all the same
			if n := len(w.keys("~journal/")); n == 0 {
				t.Error("the journal was deleted although a damaged root may need it")
			}
		})
	})
	t.Run("Journal", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			s := w.open(a, alice)
			w.set(s, "coins", "1")
			w.sync(s)
			key := w.keys("~journal/")[0]
			value := damage(w, key)
			root := string(w.entry(alice.String()).Value)
			a.kill()
			for range 2 {
				if s, err := b.Open(w.ctx, alice, nil); !errors.Is(err, driver.ErrCorrupt) {
					t.Errorf("Open over a damaged journal = %v, %v; want ErrCorrupt", s, err)
				}
				time.Sleep(time.Minute)
			}
			w.untouched(key, value)
			w.untouched(alice.String(), root)
		})
	})
	t.Run("Lease", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			s := w.open(a, alice)
			w.set(s, "coins", "1")
			w.sync(s)
			a.kill()
			value := damage(w, leaseKey(a))
			time.Sleep(time.Minute)
			if s, err := b.Open(w.ctx, alice, nil); !errors.Is(err, driver.ErrCorrupt) {
				t.Errorf("Open under a damaged lease = %v, %v; want ErrCorrupt", s, err)
			}
			w.untouched(leaseKey(a), value)
		})
	})
}
