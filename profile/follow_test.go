package profile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/prometheus/client_golang/prometheus"
)

// diary is what a follower was told. It finds fault if what is told does not
// follow from what was told before.
type diary struct {
	w   *world
	who string

	mu      sync.Mutex
	state   *document.Document // made of what was told; nil before the first
	last    uint64             // revision
	entries []profile.Followed
	texts   []string
}

// follow follows a player and keeps a diary of it.
func (w *world) follow(srv *profile.Server, id string, o *profile.FollowOptions) (*profile.Follower, *diary) {
	w.Helper()
	d := &diary{w: w, who: srv.Session().Name()}
	f, err := srv.Follow(w.within(time.Minute), id, d.told, o)
	if err != nil {
		w.Fatalf("Follow(%q) by %v = %v", id, srv.Session().Name(), err)
	}
	w.Cleanup(f.Close)
	return f, d
}

func (d *diary) told(f profile.Followed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := len(d.entries) == 0
	d.entries = append(d.entries, f)
	text := fmt.Sprintf("%d:", f.Revision)
	for _, c := range f.Changes {
		text += fmt.Sprintf(" %v %s>%s", c.Path, c.Old, c.New)
	}
	if f.Err != nil {
		text += fmt.Sprintf(" %v", f.Err)
	}
	d.texts = append(d.texts, text)
	if first != (f.Changes == nil && f.Err == nil) {
		d.w.Errorf("%s was told %q, want the state first and then changes", d.who, text)
	}
	if d.state != nil {
		d.check(f, text)
	}
	d.last = f.Revision
}

// check checks that changes begin where the ones before have ended.
func (d *diary) check(f profile.Followed, text string) {
	for _, c := range f.Changes {
		if old, _ := d.state.Get(c.Path); (old == nil) != (c.Old == nil) || !document.Equal(old, c.Old) {
			d.w.Errorf("%s was told %q, but %v was %q before", d.who, text, c.Path, old)
		}
	}
	for _, c := range f.Changes {
		if c.New == nil {
			d.state.Delete(c.Path)
		} else if _, err := d.state.Set(c.Path, c.New); err != nil {
			d.w.Errorf("%s was told %q: %v", d.who, text, err)
		}
	}
	if f.Revision < d.last && f.Err == nil && d.last > 0 {
		d.w.Errorf("%s was told %q after revision %d", d.who, text, d.last)
	}
}

// from has the diary check that changes follow from each other, from a state on.
func (d *diary) from(state []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var err error
	if d.state, err = document.Parse(state, nil); err != nil {
		d.w.Fatal(err)
	}
}

// read returns the entries that came since it was called last.
func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	texts := d.texts
	d.texts = nil
	return texts
}

// reads waits until the diary has some entries, of which only those count that
// came since the last call.
func (d *diary) reads(want ...string) {
	d.w.Helper()
	end := time.Now().Add(30 * time.Second)
	var got []string
	for len(got) < len(want) && time.Now().Before(end) {
		time.Sleep(time.Millisecond)
		got = append(got, d.read()...)
	}
	synctest.Wait()
	got = append(got, d.read()...)
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		d.w.Errorf("%s was told\n%q, want\n%q", d.who, got, want)
	}
}

func TestFollow(t *testing.T) {
	t.Run("TellsTheStateAndThenEachChange", func(t *testing.T) {
		for _, where := range places {
			t.Run(where, func(t *testing.T) {
				bubble(t, func(w *world) {
					ps := together(w)
					var a, b *profile.Server
					if where == "ElsewhereWithoutABus" {
						a, b = w.server("a", nil), w.server("b", nil)
					} else {
						a, b = ps.start("a", nil), ps.start("b", nil)
					}
					p := w.load(a, "alice")
					w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10); _ = bag.Put(tx, "a", Item{Name: "a"}) })
					switch where {
					case "Here":
						b = a
					case "Offline":
						w.close(p)
					}
					f, d := w.follow(b, "alice", nil)
					d.reads("1:")
					if coins.Get(f) != 10 || string(f.JSON()) != string(w.peek(b, "alice").JSON()) {
						w.Errorf("the copy is %s, want what is there", f.JSON())
					}
					change := func(fn func(tx *profile.Tx)) {
						if where == "Offline" {
							p = w.load(a, "alice")
							defer w.close(p)
						}
						w.durable(p, fn)
					}
					change(func(tx *profile.Tx) { coins.Set(tx, 11) })
					d.reads("2: coins 10>11")
					change(func(tx *profile.Tx) { _ = bag.Put(tx, "b", Item{Name: "b"}); _ = bag.Delete(tx, "a") })
					d.reads(`3: bag/a {"name":"a","level":0}> bag/b >{"name":"b","level":0}`)
					change(func(tx *profile.Tx) { _ = nick.Set(tx, "ann"); _ = coins.Reset(tx) })
					d.reads(`4: coins 11> nick >"ann"`)
					if nick.Get(f) != "ann" || coins.Get(f) != 500 || bag.Len(f) != 1 {
						w.Errorf("the copy is %s", f.JSON())
					}
					if err := f.Profile().Update(func(*profile.Tx) error { return nil }); !errors.Is(err, profile.ErrCopy) {
						w.Errorf("Update of the copy = %v, want ErrCopy", err)
					}
				})
			})
		}
	})
	t.Run("TellsNothingThatIsNotOnDisk", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
			_, d := w.follow(b, "alice", nil)
			d.reads("1:")
			ps.cut(a)
			w.update(p, func(tx *profile.Tx) { coins.Set(tx, 11) })
			time.Sleep(2 * time.Second)
			d.reads()
			ps.join(a)
			d.reads("2: coins 10>11")
		})
	})
	t.Run("UpdatesOfOneAppendComeAsOne", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
			_, d := w.follow(b, "alice", nil)
			for range 5 {
				w.update(p, func(tx *profile.Tx) { coins.Add(tx, 1) })
			}
			d.reads("1:", "6: coins 10>15")
		})
	})
	t.Run("OwnChangesAreToldOnlyToWhoWantsThat", func(t *testing.T) {
		placed(t, func(w *world, srv *profile.Server) {
			f, quiet := w.follow(srv, "alice", nil)
			_, loud := w.follow(srv, "alice", &profile.FollowOptions{Own: true})
			other := w.server("other", nil)
			_, others := w.follow(other, "alice", nil)
			quiet.reads("1:")
			loud.reads("1:")
			others.reads("1:")
			for _, id := range []string{"", "an id"} {
				w.change(srv, "alice", &profile.ChangeOptions{ID: id}, coins.AddOp(1))
			}
			time.Sleep(3 * time.Second)
			quiet.reads()
			if got := coins.Get(f); got != 12 {
				w.Errorf("the copy has %d coins, want 12", got)
			}
			if got := loud.read(); len(got) == 0 || !strings.HasSuffix(got[len(got)-1], ">12") {
				w.Errorf("who wants to hear of own changes was told %q, want 12 coins at the end", got)
			}
			if got := others.read(); len(got) == 0 || !strings.HasSuffix(got[len(got)-1], ">12") {
				w.Errorf("another server was told %q, want 12 coins at the end", got)
			}
			w.change(other, "alice", nil, coins.AddOp(1))
			quiet.reads("4: coins 12>13")
		})
	})
	t.Run("FollowsThePlayerFromServerToServer", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b, c := ps.three()
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 0) })
			f, d := w.follow(c, "alice", nil)
			d.from(f.JSON())
			for i := range int64(20) {
				p = w.load([]*profile.Server{b, c, a}[i%3], "alice")
				w.durable(p, func(tx *profile.Tx) { coins.Set(tx, i+1) })
				if i%7 == 0 {
					w.close(p)
				}
			}
			time.Sleep(2 * time.Second)
			if got := coins.Get(f); got != 20 {
				w.Errorf("the copy has %d coins, want 20", got)
			}
			began := time.Now()
			p = w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 30) })
			for coins.Get(f) != 30 {
				time.Sleep(time.Millisecond)
			}
			if took := time.Since(began); took > 1100*time.Millisecond {
				w.Errorf("a change on a new server is seen after %v, want less than the time between two looks", took)
			}
		})
	})
	t.Run("ChangesOfADeadServerAreToldAndThoseOfTheNext", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b, c := ps.three()
			w.durable(w.load(a, "alice"), func(tx *profile.Tx) { coins.Set(tx, 10) })
			f, d := w.follow(c, "alice", nil)
			d.from(f.JSON())
			ps.dropping(a, `"delta"`)
			w.durable(must(a.Profile("alice")), func(tx *profile.Tx) { coins.Set(tx, 11) })
			ps.crash(a)
			d.reads("1:", "2: coins 10>11")
			p := w.load(b, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 12) })
			d.reads("3: coins 11>12")
		})
	})
	t.Run("WhatIsTooLargeForAMessageIsRead", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
			f, d := w.follow(b, "alice", nil)
			d.from(f.JSON())
			large, longest := bytes.Repeat([]byte("x"), 100<<10), 0
			ps.links[a].line.use(func(_ string, msg []byte) int { longest = max(longest, len(msg)); return 1 })
			began := time.Now()
			w.durable(p, func(tx *profile.Tx) { _ = blob.Set(tx, large); coins.Set(tx, 11) })
			for !bytes.Equal(blob.Get(f), large) || coins.Get(f) != 11 {
				time.Sleep(time.Millisecond)
			}
			if took := time.Since(began); took > 100*time.Millisecond {
				w.Errorf("a large change is seen after %v, want milliseconds", took)
			}
			if longest == 0 || longest > 10<<10 {
				w.Errorf("the longest message has %d bytes, want some and not the large change", longest)
			}
		})
	})
	t.Run("AStepThatIsLostIsReadOnce", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
			_, d := w.follow(b, "alice", nil)
			d.reads("1:")
			ps.dropping(a, "delta")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 11) })
			synctest.Wait()
			d.reads()
			ps.links[a].line.use(nil)
			time.Sleep(4 * time.Second)
			d.reads("2: coins 10>11")
			reads := 0
			ps.links[b].db.Use(func(c *faulty.Call) faulty.Fault {
				if c.Op == faulty.Read && strings.Contains(strings.Join(c.Keys, " "), "player/alice") {
					reads++
				}
				return faulty.Fault{}
			})
			time.Sleep(time.Minute)
			if reads > 0 {
				w.Errorf("while nothing happened the profile was read %d times, want 0", reads)
			}
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 12) })
			d.reads("3: coins 11>12")
			if reads > 0 {
				w.Errorf("for a step that was told the profile was read %d times, want 0", reads)
			}
		})
	})
	t.Run("ALazyStepThatIsLostIsReadWithTheNextStep", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
			_, d := w.follow(b, "alice", nil)
			ps.dropping(a, "delta")
			w.update(p, func(tx *profile.Tx) { lazy.Set(tx, 1) })
			if err := p.Save(w.ctx); err != nil {
				w.Fatal(err)
			}
			synctest.Wait()
			ps.links[a].line.use(nil)
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 11) })
			d.reads("1:", "2: coins 10>11 lazy >1")
		})
	})
	t.Run("WhatComesBetweenTheReadAndTheFirstStepIsTold", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
			asked := false
			ps.links[b].line.use(func(_ string, msg []byte) int {
				if !asked && strings.Contains(string(msg), `"follow"`) { // b has read, and asks to be told
					asked = true
					w.durable(p, func(tx *profile.Tx) { coins.Add(tx, 1) })
				}
				return 1
			})
			f, _ := w.follow(b, "alice", nil)
			synctest.Wait()
			if got := coins.Get(f); got != 11 {
				w.Errorf("the copy has %d coins, want 11", got)
			}
		})
	})
	t.Run("AMoveToAnotherServerIsSeenAtOnce", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b, c := ps.three()
			w.durable(w.load(a, "alice"), func(tx *profile.Tx) { coins.Set(tx, 10) })
			f, _ := w.follow(c, "alice", nil)
			began := time.Now()
			w.durable(w.load(b, "alice"), func(tx *profile.Tx) { coins.Set(tx, 11) })
			for coins.Get(f) != 11 {
				time.Sleep(time.Millisecond)
			}
			if took := time.Since(began); took > 500*time.Millisecond {
				w.Errorf("what the next server does is seen after %v, want less than the time between two looks", took)
			}
		})
	})
	t.Run("AFieldAndItsElementsAreOneChange", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { _ = kills.Add(tx, "bears", 1) })
			_, d := w.follow(b, "alice", nil)
			w.update(p, func(tx *profile.Tx) { _ = kills.Reset(tx) })
			w.update(p, func(tx *profile.Tx) { _ = kills.Add(tx, "wolves", 1) })
			w.update(p, func(tx *profile.Tx) { _ = kills.Add(tx, "cats", 2) })
			d.reads("1:", `4: kills {"bears":1}>{"wolves":1,"cats":2}`)
		})
	})
	t.Run("OwnChangesInOneStepWithOthersAreTold", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
			_, d := w.follow(b, "alice", nil)
			d.reads("1:")
			ps.links[a].db.Use(func(c *faulty.Call) faulty.Fault {
				return faulty.Fault{Hold: c.Op == faulty.Commit && c.Group.Urgent}
			})
			w.update(p, func(tx *profile.Tx) { coins.Set(tx, 11) })
			time.Sleep(100 * time.Millisecond) // its append is under way
			var all sync.WaitGroup
			all.Go(func() { w.change(b, "alice", nil, coins.AddOp(1)) })
			time.Sleep(100 * time.Millisecond)
			w.update(p, func(tx *profile.Tx) { _ = luck.Set(tx, 1) })
			ps.join(a)
			ps.links[a].db.ReleaseAll()
			all.Wait()
			d.reads("2: coins 10>11", "4: coins 11>12 luck >1")
		})
	})
	t.Run("LazyFieldsAreToldWithTheSaveThatHasThem", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
			_, d := w.follow(b, "alice", nil)
			d.reads("1:")
			w.update(p, func(tx *profile.Tx) { lazy.Set(tx, 1) })
			time.Sleep(time.Second)
			d.reads()
			if err := p.Save(w.ctx); err != nil {
				w.Fatal(err)
			}
			d.reads("1: lazy >1")
			w.update(p, func(tx *profile.Tx) { lazy.Set(tx, 2) })
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 11) })
			d.reads("2: coins 10>11 lazy 1>2")
			w.update(p, func(tx *profile.Tx) { lazy.Set(tx, 3) })
			w.close(p)
			d.reads("2: lazy 2>3")
		})
	})
	t.Run("TellsThatThePlayerIsGoneAndBackAgain", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
			w.close(p)
			f, d := w.follow(b, "alice", nil)
			w.erase("alice")
			d.reads("1:", "0: coins 10> peek player/alice: player/alice was erased, and what belonged to it is still being deleted: try again in a while")
			if coins.IsSet(f) || !errors.Is(d.entries[1].Err, session.ErrErased) {
				w.Errorf("the copy is %s, told %v, want nothing and ErrErased", f.JSON(), d.entries[1].Err)
			}
			if _, err := b.Follow(w.ctx, "alice", func(profile.Followed) {}, nil); !errors.Is(err, session.ErrErased) {
				w.Errorf("Follow of who was erased = %v, want ErrErased", err)
			}
			_, err := w.db.DeleteRange(w.ctx, "player/alice", "player/alicf")
			if err != nil {
				w.Fatal(err)
			}
			w.durable(w.load(a, "alice"), func(tx *profile.Tx) { coins.Set(tx, 7) })
			d.reads("1: coins >7")
		})
	})
	t.Run("AValueOfAnotherTypeIsToldOnceAndReadsAsTheDefault", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a := ps.serverOn("a", open{w.db}, foreign, nil)
			b := ps.start("b", nil)
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { _ = foreignCoins.Set(tx, 10) })
			f, d := w.follow(b, "alice", nil)
			d.reads("1:")
			w.durable(p, func(tx *profile.Tx) { _ = foreignCoins.Set(tx, "many"); _ = foreignExtra.Set(tx, "x") })
			time.Sleep(5 * time.Second)
			got := d.read()
			if len(got) != 2 || got[0] != `2: coins 10>"many" extra >"x"` || !errors.Is(d.entries[2].Err, profile.ErrWrongType) {
				w.Errorf("told %q, want the change and ErrWrongType", got)
			}
			if got := coins.Get(f); got != 500 {
				w.Errorf("the copy has %d coins, want the default", got)
			}
			if _, err := b.Follow(w.ctx, "alice", func(profile.Followed) {}, nil); !errors.Is(err, profile.ErrWrongType) {
				w.Errorf("Follow = %v, want ErrWrongType", err)
			}
			w.durable(p, func(tx *profile.Tx) { _ = foreignCoins.Set(tx, 12) })
			d.reads(`3: coins "many">12`)
			if got := coins.Get(f); got != 12 {
				w.Errorf("the copy has %d coins, want 12", got)
			}
		})
	})
	t.Run("TellsATradeOnce", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b, c := ps.three()
			w.durable(w.load(a, "alice"), func(tx *profile.Tx) { coins.Set(tx, 10) })
			w.durable(w.load(b, "bob"), func(tx *profile.Tx) { coins.Set(tx, 20) })
			_, alice := w.follow(c, "alice", nil)
			_, bob := w.follow(c, "bob", nil)
			err := profile.Exchange(w.within(time.Minute), []profile.Party{{Server: a, ID: "alice"}, {Server: a, ID: "bob"}}, "sold", func(txs []*profile.Tx) error {
				coins.Add(txs[0], -5)
				return coins.Add(txs[1], 5)
			})
			if err != nil {
				w.Fatalf("Exchange = %v", err)
			}
			alice.reads("1:", "2: coins 10>5")
			bob.reads("1:", "2: coins 20>25")
			time.Sleep(10 * time.Second)
			alice.reads()
			bob.reads()
		})
	})
	t.Run("ListenersOfTheCopyAreToldToo", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
			f, d := w.follow(b, "alice", nil)
			var got []string
			defer coins.OnChange(f.Profile(), func(before, now int64) { got = append(got, fmt.Sprint(now, " after ", before)) })()
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 11); _ = nick.Set(tx, "ann") })
			d.reads("1:", `2: coins 10>11 nick >"ann"`)
			if fmt.Sprint(got) != "[11 after 10]" {
				w.Errorf("the listener was told %v, want 11 after 10", got)
			}
		})
	})
	t.Run("RefusesBadArguments", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			w.close(w.load(srv, "alice"))
			fn := func(profile.Followed) {}
			for name, c := range map[string]struct {
				id   string
				fn   func(profile.Followed)
				o    *profile.FollowOptions
				want error
			}{
				"ID":     {"", fn, nil, driver.ErrInvalid},
				"Fn":     {"alice", nil, nil, driver.ErrInvalid},
				"Every":  {"alice", fn, &profile.FollowOptions{Every: time.Millisecond}, driver.ErrInvalid},
				"Nobody": {"nobody", fn, nil, session.ErrNotFound},
			} {
				if f, err := srv.Follow(w.ctx, c.id, c.fn, c.o); !errors.Is(err, c.want) || f != nil {
					w.Errorf("%s: Follow = %v, %v, want %v", name, f, err, c.want)
				}
			}
		})
	})
	t.Run("GivesUpWhenItsContextEnds", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a := ps.start("a", nil)
			w.close(w.load(a, "alice"))
			ps.cut(a)
			if _, err := a.Follow(w.within(time.Second), "alice", func(profile.Followed) {}, nil); !errors.Is(err, context.DeadlineExceeded) {
				w.Errorf("Follow without a database = %v, want DeadlineExceeded", err)
			}
			ps.join(a)
		})
	})
}

func must(p *profile.Profile, _ bool) *profile.Profile { return p }

func TestFollowers(t *testing.T) {
	gauge := func(w *world, reg *prometheus.Registry, name string, want float64) {
		w.Helper()
		synctest.Wait()
		all, err := reg.Gather()
		if err != nil {
			w.Fatal(err)
		}
		for _, m := range all {
			if m.GetName() == name {
				if got := m.Metric[0].Gauge.GetValue(); got != want {
					w.Errorf("%s = %v, want %v", name, got, want)
				}
				return
			}
		}
		w.Errorf("there is no metric %s", name)
	}
	t.Run("OfOneProfileShareASubscriptionUntilTheLastHasClosed", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			there, here := prometheus.NewRegistry(), prometheus.NewRegistry()
			a := ps.start("a", &profile.Options{Session: session.Options{Metrics: there}})
			b := ps.start("b", &profile.Options{Session: session.Options{Metrics: here}})
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
			first, d1 := w.follow(b, "alice", nil)
			second, d2 := w.follow(b, "alice", nil)
			gauge(w, here, "holdfast_profile_follows", 1)
			gauge(w, there, "holdfast_profile_followed", 1)
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 11) })
			d1.reads("1:", "2: coins 10>11")
			d2.reads("1:", "2: coins 10>11")
			first.Close()
			first.Close()
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 12) })
			d2.reads("3: coins 11>12")
			second.Close()
			gauge(w, here, "holdfast_profile_follows", 0)
			gauge(w, there, "holdfast_profile_followed", 0)
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 13) })
			time.Sleep(5 * time.Second)
			d1.reads()
			d2.reads()
			if got := coins.Get(second); got != 12 {
				w.Errorf("the closed copy has %d coins, want 12", got)
			}
			_, d3 := w.follow(b, "alice", nil)
			d3.reads("4:")
		})
	})
	t.Run("WhoseServerHasDiedAreForgotten", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			there := prometheus.NewRegistry()
			a := ps.start("a", &profile.Options{Session: session.Options{Metrics: there}})
			b := ps.start("b", nil)
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
			w.follow(b, "alice", nil)
			gauge(w, there, "holdfast_profile_followed", 1)
			ps.crash(b)
			time.Sleep(11 * time.Second)
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 11) })
			gauge(w, there, "holdfast_profile_followed", 0)
			b = ps.start("b", nil) // it comes again
			_, d := w.follow(b, "alice", nil)
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 12) })
			d.reads("2:", "3: coins 11>12")
		})
	})
	t.Run("WhoWereNotHeardForLongMissNothing", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
			blocked, d := make(chan struct{}), &diary{w: w, who: "b"}
			f, err := b.Follow(w.ctx, "alice", func(now profile.Followed) {
				d.told(now)
				if now.Revision == 2 {
					<-blocked
				}
			}, nil)
			if err != nil {
				w.Fatal(err)
			}
			defer f.Close()
			for i := range int64(20) {
				w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 11+i) })
				time.Sleep(time.Second)
			}
			close(blocked)
			time.Sleep(4 * time.Second)
			got := d.read()
			if last := got[len(got)-1]; !strings.HasSuffix(last, ">30") || coins.Get(f) != 30 {
				w.Errorf("told %q, want 30 coins at the end", got)
			}
		})
	})
	t.Run("AreToldThatTheirServerHasClosed", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			w.durable(w.load(srv, "alice"), func(tx *profile.Tx) { coins.Set(tx, 10) })
			_, d := w.follow(srv, "alice", nil)
			if _, err := srv.Close(w.ctx); err != nil {
				w.Fatal(err)
			}
			d.reads("1:", "1: closed")
			if _, err := srv.Follow(w.ctx, "alice", func(profile.Followed) {}, nil); !errors.Is(err, session.ErrClosed) {
				w.Errorf("Follow on a closed server = %v, want ErrClosed", err)
			}
		})
	})
	t.Run("OfAThousandProfilesAreAllTold", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			const n = 1000
			var players []*profile.Profile
			var follows []*profile.Follower
			for i := range n {
				p := w.load(a, fmt.Sprint(i))
				w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
				f, err := b.Follow(w.ctx, fmt.Sprint(i), func(profile.Followed) {}, nil)
				if err != nil {
					w.Fatal(err)
				}
				defer f.Close()
				players, follows = append(players, p), append(follows, f)
			}
			for _, p := range players {
				w.update(p, func(tx *profile.Tx) { coins.Set(tx, 11) })
			}
			time.Sleep(100 * time.Millisecond)
			for i, f := range follows {
				if got := coins.Get(f); got != 11 {
					w.Fatalf("the copy of %d has %d coins, want 11", i, got)
				}
			}
			time.Sleep(30 * time.Second) // they are asked again and again
		})
	})
}

// TestFollowAtRandom has players change, move, come and go while messages are lost
// and doubled: what is told follows from what was told before, and in the end the
// copies are what is there.
func TestFollowAtRandom(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(w *world) { shuffle(w, rand.New(rand.NewPCG(seed, 1)), 40) })
		})
	}
}

func shuffle(w *world, dice *rand.Rand, steps int) {
	ps := together(w)
	a, b, c := ps.three()
	servers := []*profile.Server{a, b, c}
	var luckOf sync.Mutex
	for _, srv := range servers {
		ps.links[srv].line.use(func(string, []byte) int {
			luckOf.Lock()
			defer luckOf.Unlock()
			return []int{0, 1, 1, 1, 1, 1, 2}[dice.IntN(7)]
		})
	}
	roll := func(n int) int {
		luckOf.Lock()
		defer luckOf.Unlock()
		return dice.IntN(n)
	}
	p := w.load(a, "alice")
	w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 0) })
	var follows []*profile.Follower
	for _, srv := range servers {
		f, d := w.follow(srv, "alice", &profile.FollowOptions{Own: true})
		d.from(f.JSON())
		follows = append(follows, f)
	}
	for range steps {
		switch roll(8) {
		case 0:
			p = w.load(servers[roll(3)], "alice")
		case 1:
			w.close(p)
		case 2:
			w.change(servers[roll(3)], "alice", nil, coins.AddOp(1), kills.AddOp(fmt.Sprint(roll(3)), 1))
		default:
			_ = p.Update(func(tx *profile.Tx) error { // it may have moved
				coins.Add(tx, 1)
				_ = bag.Put(tx, fmt.Sprint(roll(4)), Item{Level: roll(100)})
				_ = bag.Delete(tx, fmt.Sprint(roll(4)))
				if roll(5) == 0 {
					_ = bag.Reset(tx)
				}
				return lazy.Set(tx, int64(roll(3)))
			})
		}
		time.Sleep(time.Duration(roll(200)) * time.Millisecond)
	}
	for _, srv := range servers {
		ps.links[srv].line.use(nil)
	}
	time.Sleep(10 * time.Second)
	want := w.peek(a, "alice")
	for i, f := range follows {
		if got := f.JSON(); !document.Equal(got, want.JSON()) {
			w.Errorf("the copy of server %d is %s, want %s", i, got, want.JSON())
		}
	}
}

// blinking is a line that is lost and back when a test says so.
type blinking struct {
	bus.Transport
	tell func(up bool)
}

func (b *blinking) Watch(fn func(up bool)) { b.tell = fn }

func TestALateStepUndoesNothingThatWasRead(t *testing.T) {
	bubble(t, func(w *world) {
		ps := together(w)
		a := ps.start("a", nil)
		line := &blinking{Transport: ps.hub.Transport()}
		ends, err := bus.Open(line, nil)
		if err != nil {
			w.Fatal(err)
		}
		w.Cleanup(func() { _ = ends.Close() })
		var o profile.Options
		o.Session.Bus = ends
		b := w.serverOn("b", open{w.db}, player, &o)
		p := w.load(a, "alice")
		w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
		f, d := w.follow(b, "alice", nil)
		d.from(f.JSON())

		var late []func()
		ps.links[a].line.use(func(topic string, msg []byte) int {
			if !strings.Contains(string(msg), `"delta"`) {
				return 1
			}
			msg = bytes.Clone(msg)
			late = append(late, func() { _ = ps.links[a].bus.PublishSystem(w.ctx, topic, msg) })
			return 0
		})
		w.update(p, func(tx *profile.Tx) { _ = lazy.Set(tx, 1) })
		if err := p.Save(w.ctx); err != nil {
			w.Fatal(err)
		}
		w.update(p, func(tx *profile.Tx) { _ = lazy.Set(tx, 2) })
		w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 11) }) // takes it along
		synctest.Wait()
		line.tell(false)
		line.tell(true) // so the profile is read
		time.Sleep(10 * time.Millisecond)
		if lazy.Get(f) != 2 || coins.Get(f) != 11 {
			w.Fatalf("the copy is %s, want what was read", f.JSON())
		}
		if len(late) < 2 {
			w.Fatalf("%d messages are late, want those of a save and of an append", len(late))
		}
		for _, send := range late {
			send()
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		if lazy.Get(f) != 2 || coins.Get(f) != 11 {
			w.Errorf("the copy is %s, want %s", f.JSON(), w.peek(b, "alice").JSON())
		}
	})
}

func TestWhoReadsWhatIsTooLargeIsToldOn(t *testing.T) {
	bubble(t, func(w *world) {
		ps := together(w)
		a, b := ps.start("a", nil), ps.start("b", nil)
		p := w.load(a, "alice")
		w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
		f, d := w.follow(b, "alice", nil)
		d.from(f.JSON())
		for i := range int64(60) {
			began := time.Now()
			w.durable(p, func(tx *profile.Tx) { _ = blob.Set(tx, bytes.Repeat([]byte{byte(i)}, 100<<10)); coins.Set(tx, 11+i) })
			for coins.Get(f) != 11+i {
				time.Sleep(time.Millisecond)
			}
			if took := time.Since(began); took > 100*time.Millisecond {
				w.Errorf("large change %d is seen after %v, want milliseconds", i, took)
			}
			time.Sleep(time.Second - time.Since(began)%time.Second)
		}
	})
}
