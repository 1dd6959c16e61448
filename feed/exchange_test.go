package feed_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/feed"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/session"
)

// frozen are sessions that are held still for one exchange.
type frozen struct {
	*world
	srv host // that makes the exchange
	fs  []*session.Frozen
}

// swap gives each of several sessions, on whichever servers, a field by one
// exchange that the server makes. Nobody has adopted it when swap returns.
func (w *world) swap(srv host, field, value string, ss ...*session.Session) *frozen {
	w.Helper()
	id, err := srv.Announce()
	if err != nil {
		w.Fatal(err)
	}
	x := &frozen{w, srv, nil}
	var keys []session.Key
	for _, s := range ss {
		f, err := s.Freeze(w.ctx, id)
		if err != nil {
			w.Fatalf("freeze %v: %v", s.Key(), err)
		}
		x.fs, keys = append(x.fs, f), append(keys, s.Key())
	}
	stills, err := srv.ReadStill(w.ctx, keys, x.at())
	if err != nil {
		w.Fatalf("ReadStill: %v", err)
	}
	for _, st := range stills {
		if _, err := st.Document.Set(document.Field(field), []byte(value)); err != nil {
			w.Fatal(err)
		}
	}
	if err := srv.Exchange(w.ctx, id, stills, "a trade"); err != nil {
		w.Fatalf("Exchange: %v", err)
	}
	return x
}

// at returns the versions at which the sessions stand still.
func (x *frozen) at() []driver.Version {
	var at []driver.Version
	for _, f := range x.fs {
		at = append(at, f.Version())
	}
	return at
}

// adopt has the holder of one of the sessions apply what was exchanged.
func (x *frozen) adopt(i int) {
	x.Helper()
	f := x.fs[i]
	delta, happened, err := f.Settle(x.ctx)
	if err != nil || !happened {
		x.Fatalf("Settle = %v, error %v, want that it happened", happened, err)
	}
	tx, err := f.Begin()
	if err != nil {
		x.Fatal(err)
	}
	for _, c := range delta {
		if err := tx.Set(c.Path, c.Value, false); err != nil {
			x.Fatal(err)
		}
	}
	tx.Because("a trade")
	if err := session.Commit(false, tx); err != nil {
		x.Fatal(err)
	}
	f.Release()
}

// mark returns whether a root bears the mark of an exchange that was not told.
func (w *world) marked(key session.Key) bool {
	w.Helper()
	snap, err := w.drv.Read(w.ctx, key.String())
	if err != nil {
		w.Fatal(err)
	}
	return strings.Contains(string(snap.Entries[0].Value), `"exchange":"`)
}

func TestExchange(t *testing.T) {
	// trading returns two servers with a player each, who have each got a field.
	trading := func(w *world) (a, b host, x *frozen) {
		a, b = w.server("a", session.Options{}), w.server("b", session.Options{})
		s, p := w.open(a, alice), w.open(b, bob)
		w.set(s, "coins", "1", "")
		w.set(p, "coins", "2", "")
		return a, b, w.swap(a, "sword", `"sharp"`, s, p)
	}
	t.Run("IsToldByThoseWhoAdoptIt", func(t *testing.T) {
		bubble(t, func(w *world) {
			_, _, x := trading(w)
			x.adopt(0)
			x.adopt(1)
			time.Sleep(time.Second)
			changes, _ := w.drain(feed.Position{})
			ordered(t, changes)
			slices.SortStableFunc(changes, func(a, b feed.Change) int { return strings.Compare(a.Key.ID, b.Key.ID) })
			w.want(changes, "alice 1 coins=1", `alice 2 sword="sharp"`, "bob 1 coins=2", `bob 2 sword="sharp"`)
			if got := changes[3].Reasons; len(got) != 1 || got[0] != "a trade" {
				t.Errorf("reasons %q, want a trade", got)
			}
			for _, f := range x.fs {
				if err := f.Session().Save(w.ctx); err != nil {
					t.Fatal(err)
				}
				w.set(f.Session(), "coins", "9", "")
				if err := f.Session().Save(w.ctx); err != nil {
					t.Fatal(err)
				}
				if key := f.Session().Key(); w.marked(key) {
					t.Errorf("root of %v is marked after it was told and saved", key)
				}
			}
		})
	})
	t.Run("IsToldByWhoTakesOverFromAHolderThatDied", func(t *testing.T) {
		bubble(t, func(w *world) {
			_, b, x := trading(w)
			b.kill()
			x.adopt(0)
			v := newView(t)
			c := w.server("c", session.Options{})
			p := w.open(c, bob)
			w.set(p, "coins", "3", "")
			changes, _ := w.drain(feed.Position{})
			ordered(t, changes)
			for _, c := range changes {
				v.take(c)
			}
			v.like(w, alice, bob)
			if !slices.Contains(texts(changes), `bob 2 whole coins=2 sword="sharp"`) {
				t.Errorf("the feed tells %q, want bob's whole state in it", texts(changes))
			}
			w.close(p)
			if w.marked(bob) {
				t.Error("the root is still marked")
			}
		})
	})
	t.Run("IsToldThoughAToolHadItAndOthersSettledThat", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b, x := trading(w)
			b.kill()
			x.adopt(0)
			tool := w.server("tool", session.Options{Feed: without})
			p := w.open(tool, bob)
			if err := p.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			w.set(p, "coins", "2", "")
			tool.kill()
			time.Sleep(time.Minute) // a seals and settles it
			if o, err := a.Owner(w.ctx, bob); err != nil || o.Holder != nil {
				t.Fatalf("Owner = %+v, error %v, want nobody", o, err)
			}
			if !w.marked(bob) {
				t.Error("the mark is gone before the exchange was told")
			}
			v := newView(t)
			c := w.server("c", session.Options{})
			w.close(w.open(c, bob)) // he looks in, and leaves
			changes, _ := w.drain(feed.Position{})
			for _, c := range changes {
				v.take(c)
			}
			v.like(w, alice, bob)
			if w.marked(bob) {
				t.Error("the root is still marked")
			}
		})
	})
	t.Run("IsToldThoughWhoTookOverDiedBeforeThat", func(t *testing.T) {
		bubble(t, func(w *world) {
			_, b, x := trading(w)
			b.kill()
			x.adopt(0)
			c := w.server("c", session.Options{})
			c.f.Use(func(call *faulty.Call) faulty.Fault {
				if call.Op == faulty.Commit && strings.Contains(strings.Join(call.Keys, " "), "~feed/") {
					return faulty.Fault{Err: faulty.ErrDown}
				}
				return faulty.Fault{}
			})
			w.open(c, bob)
			c.kill()
			v := newView(t)
			d := w.server("d", session.Options{})
			w.close(w.open(d, bob))
			changes, _ := w.drain(feed.Position{})
			for _, c := range changes {
				v.take(c)
			}
			v.like(w, alice, bob)
		})
	})
	t.Run("IsToldAfterAnotherOneCameInBetween", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b, x := trading(w)
			b.kill()
			x.adopt(0)
			time.Sleep(time.Minute) // a seals b
			c := w.server("c", session.Options{})
			s := w.open(c, carol)
			c.f.Use(func(call *faulty.Call) faulty.Fault {
				return faulty.Fault{Hold: call.Op == faulty.Commit && strings.Contains(strings.Join(call.Keys, " "), "~feed/")}
			})
			tx, err := s.Begin()
			if err != nil {
				t.Fatal(err)
			}
			if err := tx.Set(document.Field("coins"), []byte("1"), false); err != nil {
				t.Fatal(err)
			}
			if err := session.Commit(true, tx); err != nil { // its append is held
				t.Fatal(err)
			}
			time.Sleep(300 * time.Millisecond)
			// So what bob's root holds waits to be told when he is held still again.
			y := w.swap(a, "shield", `"round"`, w.open(c, bob))
			y.adopt(0)
			c.f.Use()
			c.f.ReleaseAll()
			time.Sleep(time.Second)
			changes, _ := w.drain(feed.Position{})
			v := newView(t)
			for _, c := range changes {
				v.take(c)
			}
			v.like(w, alice, bob, carol)
		})
	})
	t.Run("OfWhatOneDoesNotChangeIsNotTold", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", session.Options{})
			s := w.open(a, alice)
			w.set(s, "sword", `"sharp"`, "")
			w.swap(a, "sword", `"sharp"`, s)
			if w.marked(alice) {
				t.Error("the root is marked, though nothing was changed in it")
			}
		})
	})
}

// TestAdoptionIsNotTakenBack shows that no save and no appended state puts what a
// document was before an exchange over the root that has it.
func TestAdoptionIsNotTakenBack(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", session.Options{AppendEvery: time.Second})
		s := w.open(a, alice)
		w.set(s, "coins", "1", "")
		x := w.swap(a, "sword", `"sharp"`, s)
		x.adopt(0)
		s.SaveSoon(session.CauseAutosave)
		time.Sleep(500 * time.Millisecond) // the append has not begun
		a.kill()
		b := w.server("b", session.Options{})
		p := w.open(b, alice)
		p.Lock()
		got, _ := p.Document().Get(document.Field("sword"))
		p.Unlock()
		if string(got) != `"sharp"` {
			t.Errorf("sword = %s after a crash, want what the exchange made of it", got)
		}
	})
}
