package profile_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// computer has computed fields whose calls are counted.
type computer struct {
	calls  atomic.Int64
	wealth *profile.ComputedField[int64]
	names  *profile.ComputedField[[]string]
	rank   *profile.ComputedField[string]
	rate   *profile.ComputedField[float64]
	schema *profile.Schema
	boost  *profile.IntField
}

func newComputer() *computer {
	c := &computer{boost: profile.Int("boost", 1, profile.Volatile())}
	c.wealth = profile.Computed("wealth", func(r profile.Reader) int64 {
		c.calls.Add(1)
		n := coins.Get(r) * c.boost.Get(r)
		for _, item := range bag.All(r) {
			n += int64(item.Level)
		}
		return n
	}, coins, bag, c.boost)
	c.names = profile.Computed("names", func(r profile.Reader) []string { return slices.Sorted(friends.Keys(r)) }, friends)
	c.rank = profile.Computed("rank", func(r profile.Reader) string {
		return words(c.wealth.Get(r)/1000, len(c.names.Get(r)), nick.Get(r))
	}, nick, c.names, c.wealth)
	c.rate = profile.Computed("rate", func(r profile.Reader) float64 {
		c.calls.Add(1)
		return float64(c.wealth.Get(r)) / played.Get(r).Hours()
	}, c.wealth, played)
	c.schema = profile.NewSchema("player", c.rank, coins, bag, nick, friends, c.wealth, c.names, c.boost, played, c.rate, settings, kills, quests)
	return c
}

func (c *computer) on(w *world, name string) *profile.Server {
	return w.serverOn(name, open{w.db}, c.schema, nil)
}

// check compares the fields with what follows from the others.
func (c *computer) check(t *testing.T, when string, r profile.Reader) {
	t.Helper()
	wealth := coins.Get(r) * c.boost.Get(r)
	for _, item := range bag.All(r) {
		wealth += int64(item.Level)
	}
	names := slices.Sorted(friends.Keys(r))
	want := words(wealth, names, words(wealth/1000, len(names), nick.Get(r)))
	if got := words(c.wealth.Get(r), c.names.Get(r), c.rank.Get(r)); got != want {
		t.Errorf("%s the computed fields read %s, want %s", when, got, want)
	}
}

func TestComputed(t *testing.T) {
	t.Run("FollowsWhateverChanges", func(t *testing.T) {
		bubble(t, func(w *world) {
			c := newComputer()
			srv := c.on(w, "a")
			p, q := w.load(srv, "1"), w.load(srv, "2")
			errored := w.errored(srv)
			failure := errors.New("the game's")
			writes := []func(tx *profile.Tx){
				func(tx *profile.Tx) { _ = coins.Add(tx, 700) },
				func(tx *profile.Tx) { _ = bag.Put(tx, "sword", Item{Level: 5000}) },
				func(tx *profile.Tx) { _ = bag.Edit(tx, "sword", func(i *Item) error { i.Level++; return nil }) },
				func(tx *profile.Tx) { _ = c.boost.Set(tx, 3) },
				func(tx *profile.Tx) { _ = friends.Add(tx, "ann"); _ = nick.Set(tx, "bob") },
				func(tx *profile.Tx) { _, _ = tx.Apply(friends.AddOp("cat"), bag.DeleteOp("sword")) },
				func(tx *profile.Tx) { _ = bag.Put(tx, "shield", Item{Level: 10}); _ = bag.Clear(tx) },
				func(tx *profile.Tx) { _ = coins.Reset(tx); _ = c.boost.Reset(tx) },
			}
			for i, write := range writes {
				for _, p := range []*profile.Profile{p, errored} {
					c.check(t, "before", p)
					err := p.Update(func(tx *profile.Tx) error {
						c.check(t, "at the update's beginning", tx)
						write(tx)
						c.check(t, "at its end", tx)
						return failure
					})
					if err != failure {
						t.Fatalf("write %d: %v", i, err)
					}
					c.check(t, "after an update that failed", p)
					w.update(p, func(tx *profile.Tx) { write(tx); c.check(t, "in the update", tx) })
					c.check(t, "after it", p)
					p.View(func(r profile.Reader) { c.check(t, "in a view", r) })
				}
				if err := profile.UpdateAll([]*profile.Profile{p, q}, func(txs []*profile.Tx) error {
					write(txs[1])
					c.check(t, "in UpdateAll", txs[1])
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				c.check(t, "after UpdateAll", q)
			}
			if err := p.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			c.check(t, "of a copy", w.peek(srv, "1"))
			if got := dump(p); strings.Contains(got, "wealth") || strings.Contains(got, "rank") {
				t.Errorf("computed fields are stored: %s", got)
			}
			if err := profile.VerifyUnchanged(p); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("IsComputedOnceUntilADependencyIsWritten", func(t *testing.T) {
		bubble(t, func(w *world) {
			c := newComputer()
			p := w.load(c.on(w, "a"), "1")
			reads := func(want int64, when string) {
				t.Helper()
				c.calls.Store(0)
				for range 3 {
					c.wealth.Get(p)
					c.rank.Get(p)
				}
				if got := c.calls.Load(); got != want {
					t.Errorf("%s: computed %d times, want %d", when, got, want)
				}
			}
			reads(1, "at first")
			reads(0, "again")
			w.update(p, func(tx *profile.Tx) { _ = settings.Set(tx, Settings{}); _ = friends.Add(tx, "x") })
			reads(0, "after writes to what it does not depend on")
			w.update(p, func(tx *profile.Tx) { _ = coins.Add(tx, 1) })
			reads(1, "after a write to a dependency")
			w.update(p, func(tx *profile.Tx) { _ = coins.Add(tx, 0) })
			reads(0, "after a write that changed nothing")
		})
	})
	t.Run("WithAPlayTimeItIsComputedAnew", func(t *testing.T) {
		bubble(t, func(w *world) {
			c := newComputer()
			p := w.load(c.on(w, "a"), "1")
			time.Sleep(hour)
			one := c.rate.Get(p)
			time.Sleep(hour)
			if two := c.rate.Get(p); one != 500 || two != 250 {
				t.Errorf("rates %v and %v, want 500 and 250", one, two)
			}
		})
	})
	t.Run("OfALiveCopy", func(t *testing.T) {
		bubble(t, func(w *world) {
			c := newComputer()
			ps := together(w)
			ps.schema = c.schema
			p := w.load(ps.start("a", nil), "1")
			var ranks, changed []string
			f, err := ps.start("b", nil).Follow(w.within(hour), "1", func(f profile.Followed) {
				ranks = append(ranks, c.rank.Get(f.Profile))
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			c.rank.OnChange(f.Profile(), func(old, new string) { changed = append(changed, old+">"+new) })
			for i := range 3 {
				w.durable(p, func(tx *profile.Tx) { _ = coins.Set(tx, int64(i+1)*1000); _ = c.boost.Set(tx, 50) })
				time.Sleep(10 * time.Second)
			}
			synctest.Wait()
			want := []string{"0 0 nobody", "1 0 nobody", "2 0 nobody", "3 0 nobody"}
			if !slices.Equal(ranks, want) {
				t.Errorf("ranks of the copy: %q, want %q", ranks, want)
			}
			if got := strings.Join(changed, " "); got != "0 0 nobody>1 0 nobody 1 0 nobody>2 0 nobody 2 0 nobody>3 0 nobody" {
				t.Errorf("changes of the copy: %s", got)
			}
		})
	})
	t.Run("AfterATrade", func(t *testing.T) {
		bubble(t, func(w *world) {
			c := newComputer()
			ps := together(w)
			ps.schema = c.schema
			a, b := ps.start("a", nil), ps.start("b", nil)
			p, q := w.load(a, "1"), w.load(b, "2")
			c.check(t, "before", q)
			parties := []profile.Party{{Server: a, ID: "1"}, {Server: a, ID: "2"}}
			err := profile.Exchange(w.within(minute), parties, "", func(txs []*profile.Tx) error {
				_ = coins.Add(txs[0], -400)
				_ = coins.Add(txs[1], 400)
				_ = bag.Put(txs[1], "x", Item{Level: 7})
				c.check(t, "in the trade", txs[0])
				c.check(t, "in the trade", txs[1])
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			c.check(t, "of the one", p)
			c.check(t, "of the other", q)
			if got := c.wealth.Get(q); got != 907 {
				t.Errorf("wealth of the other = %d, want 907", got)
			}
		})
	})
}

func TestComputedEvents(t *testing.T) {
	bubble(t, func(w *world) {
		c := newComputer()
		p := w.load(c.on(w, "a"), "1")
		var got []string
		cancel := c.wealth.OnChange(p, func(old, new int64) { got = append(got, words(old, new)) })
		tells := func(want string, write func(tx *profile.Tx)) {
			t.Helper()
			got = nil
			w.update(p, write)
			if words(got) != words([]string{want}) && (want != "" || got != nil) {
				t.Errorf("told %q, want %q", got, want)
			}
		}
		tells("500 507", func(tx *profile.Tx) { _ = coins.Add(tx, 3); _ = bag.Put(tx, "a", Item{Level: 4}) })
		tells("507 1010", func(tx *profile.Tx) { _ = c.boost.Set(tx, 2) })
		tells("", func(tx *profile.Tx) { _ = nick.Set(tx, "x") })
		tells("", func(tx *profile.Tx) { _ = coins.Add(tx, 2); _ = bag.Delete(tx, "a") })
		if err := p.Update(func(tx *profile.Tx) error { _ = coins.Set(tx, 1); return errors.New("no") }); err == nil || got != nil {
			t.Errorf("after an update that failed: %v, told %q", err, got)
		}
		time.Sleep(hour)
		cancel()
		tells("", func(tx *profile.Tx) { _ = coins.Set(tx, 1) })
	})
	bubble(t, func(w *world) {
		c := newComputer()
		p := w.load(w.serverOn("a", open{w.db}, c.schema, &profile.Options{ManualEvents: true}), "1")
		var got []string
		c.names.OnChange(p, func(old, new []string) { got = append(got, words(old, new)) })
		for _, name := range []string{"a", "b"} {
			w.update(p, func(tx *profile.Tx) { _ = friends.Add(tx, name) })
		}
		if p.DrainEvents(); words(got) != "[[] [a b]]" {
			t.Errorf("told %q, want both at once", got)
		}
	})
}

func TestComputedIsNotWritten(t *testing.T) {
	bubble(t, func(w *world) {
		c := newComputer()
		srv := c.on(w, "a")
		p := w.load(srv, "1")
		same := profile.Int("wealth", 0)
		for name, write := range map[string]func(tx *profile.Tx){
			"Reset":  func(tx *profile.Tx) { _ = c.wealth.Reset(tx) },
			"Set":    func(tx *profile.Tx) { _, _ = tx.Apply(same.SetOp(5)) },
			"Expect": func(tx *profile.Tx) { _, _ = tx.Apply(same.ExpectOp(500)) },
			"Unset":  func(tx *profile.Tx) { _, _ = tx.Apply(same.ExpectUnsetOp()) },
			"Sent":   func(tx *profile.Tx) { _, _ = tx.Apply(sent(t, same.ResetOp())...) },
			"Own":    func(tx *profile.Tx) { _, _ = tx.Apply(c.wealth.ResetOp()) },
		} {
			t.Run(name, func(t *testing.T) {
				inner := *w
				inner.T = t
				inner.refuses(p, profile.ErrComputed, write)
			})
		}
		if _, err := profile.EncodeOps([]profile.Op{c.wealth.ExpectUnsetOp()}); !errors.Is(err, profile.ErrComputed) {
			t.Errorf("EncodeOps of its operation = %v, want ErrComputed", err)
		}
		w.close(p)
		_, err := srv.Change(w.within(minute), "1", []profile.Op{coins.AddOp(1), same.AddOp(1)}, nil)
		if !errors.Is(err, profile.ErrComputed) || !errors.Is(err, profile.ErrRefused) {
			t.Errorf("Change by id = %v, want ErrComputed", err)
		}
		if got := coins.Get(w.load(srv, "1")); got != 500 || c.wealth.IsSet(p) {
			t.Errorf("coins = %d, set %v; want nothing changed", got, c.wealth.IsSet(p))
		}
	})
	t.Run("WhatIsStoredUnderTheNameStays", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.plant("1", func(tx *profile.Tx) { _ = foreignCoins.Set(tx, "x") })
			level := profile.Computed("coins", func(r profile.Reader) int { return len(nick.Get(r)) }, nick)
			srv := w.serverOn("a", open{w.db}, profile.NewSchema("player", nick, level), nil)
			p := w.load(srv, "1")
			w.update(p, func(tx *profile.Tx) { _ = nick.Set(tx, "abc") })
			if got := words(level.Get(p), dump(p)); got != `3 {"coins":"x","nick":"abc"}` {
				t.Errorf("got %s", got)
			}
		})
	})
}

func TestComputedThatFails(t *testing.T) {
	bubble(t, func(w *world) {
		var log strings.Builder
		var mu sync.Mutex
		o := &profile.Options{}
		o.Session.Logger = slog.New(slog.NewTextHandler(locked{&mu, &log}, nil))
		broken := profile.Computed("broken", func(r profile.Reader) []int { return make([]int, coins.Get(r)-501) }, coins)
		over := profile.Computed("over", func(r profile.Reader) int { return len(broken.Get(r)) + 1 }, broken)
		var self *profile.ComputedField[int]
		self = profile.Computed("self", func(r profile.Reader) int { return 1 + self.Get(r) }, coins)
		nan := profile.Computed("nan", func(r profile.Reader) float64 { return math.NaN() }, coins)
		big := profile.Computed("big", func(r profile.Reader) string { return strings.Repeat("x", 5<<20) }, coins)
		srv := w.serverOn("a", open{w.db}, profile.NewSchema("player", coins, broken, over, self, nan, big), o)
		p, q := w.load(srv, "1"), w.load(srv, "2")
		for range 3 {
			for _, p := range []*profile.Profile{p, q} {
				if got := words(broken.Get(p), over.Get(p), self.Get(p)); got != "[] 1 1" {
					t.Errorf("fields that fail read %s, want zero values", got)
				}
				w.update(p, func(tx *profile.Tx) { _ = broken.Get(tx); _ = coins.Set(tx, 3) }) // not locked
			}
		}
		mu.Lock()
		text := log.String()
		mu.Unlock()
		for _, name := range []string{"broken", "self"} {
			if n := strings.Count(text, "field="+name); n != 1 {
				t.Errorf("the log names %s %d times, want once:\n%s", name, n, text)
			}
		}
		w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 503) })
		if got := words(broken.Get(p), over.Get(p)); got != "[0 0] 3" {
			t.Errorf("when it works again: %s", got)
		}
		if text, err := broken.JSON(p); err != nil || string(text) != "[0,0]" {
			t.Errorf("JSON() = %s, %v", text, err)
		}
		if text, err := nan.JSON(p); !errors.Is(err, document.ErrInvalid) {
			t.Errorf("JSON() of what is no number = %s, %v; want ErrInvalid", text, err)
		}
		if _, err := big.JSON(p); !errors.Is(err, document.ErrTooLarge) {
			t.Errorf("JSON() of what is too large = %v, want ErrTooLarge", err)
		}
	})
}

// locked is a writer for several goroutines.
type locked struct {
	mu *sync.Mutex
	to *strings.Builder
}

func (l locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(b)
}

func TestComputedDeclarations(t *testing.T) {
	nothing := func(profile.Reader) int { return 0 }
	first := profile.Computed("first", nothing, coins)
	for want, fields := range map[string][]profile.Field{
		"of no other field":                {coins, profile.Computed("x", nothing)},
		`depends on "coins", which is not`: {first},
		`depends on "first", which is not`: {coins, profile.Computed("x", nothing, coins, first)},
		"no function":                      {coins, profile.Computed[int]("x", nil, coins)},
		"a field that is nil":              {coins, profile.Computed("x", nothing, coins, nil)},
		`two fields are named "coins"`:     {coins, profile.Computed("coins", nothing, coins)},
		"name":                             {coins, profile.Computed("", nothing, coins)},
	} {
		err := profile.NewSchema("player", fields...).Err()
		if !errors.Is(err, profile.ErrSchema) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want ErrSchema with %q", err, want)
		}
	}
	c := newComputer()
	if err := c.schema.Err(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range c.rank.Dependencies() {
		names = append(names, f.Name())
	}
	if diff := cmp.Diff([]string{"nick", "names", "wealth"}, names); diff != "" {
		t.Errorf("Dependencies() (-want +got):\n%s", diff)
	}
	if c.rank.Stored() || c.rank.Volatile() || c.rank.Private() || c.schema.Field("rank") != profile.Field(c.rank) {
		t.Error("a computed field is not what it was declared as")
	}
}

// TestComputedTogether is for the race detector.
func TestComputedTogether(t *testing.T) {
	bubble(t, func(w *world) {
		c := newComputer()
		p := w.load(c.on(w, "a"), "1")
		c.rank.OnChange(p, func(old, new string) {
			if old == new {
				t.Errorf("told of a change from %q to the same", old)
			}
		})
		ctx, cancel := context.WithTimeout(w.ctx, time.Second)
		defer cancel()
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() {
				for ctx.Err() == nil {
					p.View(func(r profile.Reader) { c.check(t, "in a view", r) })
					c.rank.Get(p)
					c.rate.Get(p)
					_ = p.Update(func(tx *profile.Tx) error {
						_ = coins.Add(tx, int64(100*(i-1)))
						_ = bag.Put(tx, fmt.Sprint(i), Item{Level: i})
						c.check(t, "in an update", tx)
						if i == 0 {
							return session.ErrClosed
						}
						return nil
					})
					time.Sleep(5 * time.Millisecond)
				}
			})
		}
		all.Wait()
	})
}
