package profile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"
)

// durable makes an update that is in the journal when it returns.
func (w *world) durable(p *profile.Profile, fn func(tx *profile.Tx)) {
	w.Helper()
	if err := p.Update(func(tx *profile.Tx) error { fn(tx); return nil }, profile.Durable(w.ctx)); err != nil {
		w.Fatalf("durable Update of %v: %v", p.Key(), err)
	}
}

func (w *world) peek(srv *profile.Server, id string) *profile.Copy {
	w.Helper()
	c, err := srv.Peek(w.ctx, id)
	if err != nil {
		w.Fatalf("Peek(%q) = %v", id, err)
	}
	return c
}

func TestPeek(t *testing.T) {
	t.Run("ShowsWhatIsInTheJournalOfAnotherServer", func(t *testing.T) {
		bubble(t, func(w *world) {
			owner, other := w.server("owner", nil), w.server("other", nil)
			p := w.load(owner, "1")
			w.durable(p, filled)
			c := w.peek(other, "1")
			item, ok := bag.Get(c, "sword")
			got := words(coins.Get(c), item, ok, luck.Get(c), nick.Get(c), friends.Has(c, "ann"), kills.Get(c, "bears"), quests.Len(c))
			if want := "100 {sword 1 [ruby]} true 0.5 bob true 3 1"; got != want {
				t.Errorf("the copy has %s, want %s", got, want)
			}
			if h := c.Holder(); h == nil || h.Server != "owner" {
				t.Errorf("Holder() = %v, want owner", h)
			}
			if got, want := string(c.JSON()), dump(p); got != want {
				t.Errorf("JSON() = %s, want %s", got, want)
			}
			if c.Key() != p.Key() || c.Birth() != p.Session().Birth() || c.Version() != p.Session().Version() || c.Revision() != p.Session().Revision() {
				t.Errorf("key %v, birth %v, version %v, revision %d are not the session's", c.Key(), c.Birth(), c.Version(), c.Revision())
			}
			if c.Created().IsZero() || c.Updated().Before(c.Created()) {
				t.Errorf("created %v, updated %v", c.Created(), c.Updated())
			}
			w.update(p, func(tx *profile.Tx) { _ = coins.Add(tx, 1) })
			if got := coins.Get(c); got != 100 {
				t.Errorf("the copy has %d coins after a later update, want 100", got)
			}
		})
	})
	t.Run("NobodyHoldsWhatWasClosed", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			p := w.load(srv, "1")
			w.update(p, filled)
			w.close(p)
			c := w.peek(srv, "1")
			if c.Holder() != nil || coins.Get(c) != 100 {
				t.Errorf("Holder() = %v, coins %d, want nobody and 100", c.Holder(), coins.Get(c))
			}
			if _, open := srv.Profile("1"); open {
				t.Error("Peek has opened the profile")
			}
		})
	})
	t.Run("FieldsAreThoseThatAreStored", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.plant("1", func(tx *profile.Tx) {
				_ = foreignExtra.Set(tx, "kept")
				_ = foreignCoins.Set(tx, 7)
			})
			c := w.peek(w.server("a", nil), "1")
			var got []string
			for name, value := range c.Fields() {
				got = append(got, fmt.Sprintf("%s=%s", name, value))
				clear(value) // it is the caller's
			}
			if want := []string{`extra="kept"`, "coins=7"}; !slices.Equal(got, want) {
				t.Errorf("Fields() = %v, want %v", got, want)
			}
			if got, want := string(c.JSON()), `{"extra":"kept","coins":7}`; got != want {
				t.Errorf("JSON() = %s, want %s", got, want)
			}
			for range c.Fields() {
				break
			}
		})
	})
	t.Run("ErrorsSayWhatIsThere", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.plant("1", func(tx *profile.Tx) { _ = foreignCoins.Set(tx, "many") })
			srv := w.server("a", nil)
			for id, want := range map[string]error{"1": profile.ErrWrongType, "2": session.ErrNotFound, "": driver.ErrInvalid} {
				if c, err := srv.Peek(w.ctx, id); !errors.Is(err, want) || c != nil {
					t.Errorf("Peek(%q) = %v, %v, want %v", id, c, err, want)
				}
			}
		})
	})
	t.Run("IsReadByManyAtATime", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			w.durable(w.load(srv, "1"), filled)
			c := w.peek(srv, "1")
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					_, _ = bag.Get(c, "sword")
					_, _ = settings.Get(c), friends.Has(c, "ann")
					for range bag.All(c) {
						_ = c.JSON()
					}
				})
			}
			all.Wait()
		})
	})
}

func TestCopyCannotBeChanged(t *testing.T) {
	bubble(t, func(w *world) {
		registry := prometheus.NewRegistry()
		o := &profile.Options{}
		o.Session.Metrics = registry
		srv := w.server("a", o)
		open := w.load(srv, "1")
		w.durable(open, filled)
		c := w.peek(srv, "1")
		p := c.Profile()
		add := func(tx *profile.Tx) error { return coins.Add(tx, 1) }
		for name, err := range map[string]error{
			"Update":        p.Update(add),
			"DurableUpdate": p.Update(add, profile.Durable(w.ctx)),
			"UpdateAll": profile.UpdateAll([]*profile.Profile{open, p}, func(txs []*profile.Tx) error {
				return coins.Add(txs[0], 1)
			}),
			"Save": p.Save(w.ctx),
			"Err":  p.Err(),
		} {
			if !errors.Is(err, profile.ErrCopy) || errors.Is(err, profile.ErrErrored) {
				t.Errorf("%s = %v, want ErrCopy", name, err)
			}
		}
		if p.CanSave() || p.Dirty() || p.Fresh() || p.Session() != nil {
			t.Error("a copy looks like what can be saved")
		}
		if got := coins.Get(c); got != 100 || coins.Get(open) != 100 {
			t.Errorf("the copy has %d coins and the profile %d, want 100", got, coins.Get(open))
		}
		if err := p.Close(w.ctx); err != nil || coins.Get(c) != 100 {
			t.Errorf("Close() = %v, want nil and no effect", err)
		}
		want := "# HELP holdfast_profile_loaded Profiles in memory, errored ones included.\n" +
			"# TYPE holdfast_profile_loaded gauge\nholdfast_profile_loaded 1\n"
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "holdfast_profile_loaded"); err != nil {
			t.Error(err)
		}
	})
}

// copies returns detached profiles with these documents, and what they hold.
func copies(w *world, texts ...string) (ps []*profile.Profile, docs []*document.Document) {
	w.Helper()
	srv := w.server("a", nil)
	for i, text := range texts {
		d := parsed(w.T, text)
		p, err := profile.Detached(srv, srv.Schema().Key(fmt.Sprint(i)), d)
		if err != nil {
			w.Fatalf("detached(%s) = %v", text, err)
		}
		ps, docs = append(ps, p), append(docs, d)
	}
	return ps, docs
}

// shown returns a delta in words.
func shown(d document.Delta) string {
	var parts []string
	for _, c := range d {
		parts = append(parts, fmt.Sprintf("%v=%s", c.Path, c.Value))
	}
	return strings.Join(parts, " ")
}

func TestRunDetached(t *testing.T) {
	const start = `{"coins":5,"bag":{"a":{"name":"a","level":1},"b":{"name":"b","level":1}}}`
	for name, c := range map[string]struct {
		want  string
		write func(tx *profile.Tx)
	}{
		"Nothing":               {``, func(*profile.Tx) {}},
		"Field":                 {`coins=6`, func(tx *profile.Tx) { _ = coins.Add(tx, 3); _ = coins.Add(tx, -2) }},
		"Element":               {`bag/b={"name":"b","level":2}`, func(tx *profile.Tx) { _ = bag.Put(tx, "b", Item{Name: "b", Level: 2}) }},
		"DeletedElement":        {`bag/a=`, func(tx *profile.Tx) { _ = bag.Delete(tx, "a") }},
		"NewField":              {`kills={"x":1,"y":2}`, func(tx *profile.Tx) { _ = kills.Add(tx, "x", 1); _ = kills.Add(tx, "y", 2) }},
		"ResetField":            {`bag=`, func(tx *profile.Tx) { _ = bag.Put(tx, "c", Item{}); _ = bag.Clear(tx) }},
		"FieldAfterItsElements": {`bag={"d":{"name":"","level":0}}`, func(tx *profile.Tx) { _ = bag.Delete(tx, "a"); _ = bag.Clear(tx); _ = bag.Put(tx, "d", Item{}) }},
		"BackToWhatItWas":       {``, func(tx *profile.Tx) { _ = coins.Add(tx, 1); _ = coins.Add(tx, -1) }},
		"NewAndGone": {``, func(tx *profile.Tx) {
			_ = bag.Put(tx, "c", Item{})
			_ = bag.Delete(tx, "c")
			_ = nick.Set(tx, "x")
			_ = nick.Reset(tx)
		}},
		"LazyField": {`lazy=4`, func(tx *profile.Tx) { _ = lazy.Set(tx, 4) }},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				ps, _ := copies(w, start, start)
				deltas, err := profile.RunDetached(ps, func(txs []*profile.Tx) error {
					c.write(txs[1])
					return nil
				})
				if err != nil || len(deltas) != 2 || len(deltas[0]) != 0 || shown(deltas[1]) != c.want {
					t.Errorf("runDetached() = %v, %v, want nothing and %s", deltas, err, c.want)
				}
			})
		})
	}
	t.Run("EachRunHasItsOwnDelta", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps, _ := copies(w, start)
			for want := int64(6); want < 9; want++ {
				deltas, err := profile.RunDetached(ps, func(txs []*profile.Tx) error { return coins.Add(txs[0], 1) })
				if got := fmt.Sprint("coins=", want); err != nil || shown(deltas[0]) != got || coins.Get(ps[0]) != want {
					t.Errorf("runDetached() = %v, %v, coins %d, want %s", deltas, err, coins.Get(ps[0]), got)
				}
			}
		})
	})
	t.Run("AllOrNone", func(t *testing.T) {
		game := errors.New("the game's error")
		for name, c := range map[string]struct {
			want error
			fn   func(txs []*profile.Tx) error
		}{
			"Error":  {game, func([]*profile.Tx) error { return game }},
			"Refuse": {profile.ErrRange, func(txs []*profile.Tx) error { _ = coins.Add(txs[0], -99); return nil }},
			"Op": {profile.ErrConditionFailed, func(txs []*profile.Tx) error {
				_, _ = txs[1].Apply(coins.ExpectOp(4))
				return nil
			}},
			"Panic": {nil, func([]*profile.Tx) error { panic(game) }},
		} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(w *world) {
					ps, docs := copies(w, start, start)
					_, err := runGuarded(ps, func(txs []*profile.Tx) error {
						for _, tx := range txs {
							_ = coins.Add(tx, 7)
							_ = bag.Put(tx, "a", Item{Level: 9})
							_ = kills.Add(tx, "bears", 1)
						}
						return c.fn(txs)
					})
					if err == nil || c.want != nil && !errors.Is(err, c.want) {
						t.Errorf("runDetached() = %v, want %v", err, c.want)
					}
					for i, d := range docs {
						item, _ := bag.Get(ps[i], "a")
						if got := string(d.AppendJSON(nil)); got != start || coins.Get(ps[i]) != 5 || item.Level != 1 {
							t.Errorf("copy %d has %s, coins %d, a %v; want %s", i, got, coins.Get(ps[i]), item, start)
						}
					}
				})
			})
		}
	})
	t.Run("RefusesWhatIsNoCopyOrNamedTwice", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps, _ := copies(w, start)
			live := w.load(ps[0].Server(), "live")
			for _, list := range [][]*profile.Profile{{ps[0], ps[0]}, {ps[0], live}} {
				_, err := profile.RunDetached(list, func([]*profile.Tx) error { return errors.New("was called") })
				if !errors.Is(err, driver.ErrInvalid) {
					t.Errorf("runDetached() = %v, want ErrInvalid", err)
				}
			}
		})
	})
	t.Run("KnowsTheRevisionThatWasRead", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			w.durable(w.load(srv, "1"), filled)
			c := w.peek(srv, "1")
			for revision, want := range map[uint64]error{c.Revision(): nil, c.Revision() + 1: profile.ErrConditionFailed} {
				_, err := profile.RunDetached([]*profile.Profile{c.Profile()}, func(txs []*profile.Tx) error {
					_, err := txs[0].Apply(profile.ExpectRevisionOp(revision))
					return err
				})
				if !errors.Is(err, want) {
					t.Errorf("Apply at revision %d = %v, want %v", revision, err, want)
				}
			}
		})
	})
}

// runGuarded is RunDetached with a panic as an error.
func runGuarded(ps []*profile.Profile, fn func([]*profile.Tx) error) (deltas []document.Delta, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return profile.RunDetached(ps, fn)
}

// TestDeltasOfRunDetached makes random updates of a copy, and applies their
// deltas to a document that holds what the copy did before.
func TestDeltasOfRunDetached(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		updates := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(drawPair), 1, 6), 1, 8).Draw(rt, "updates")
		var problem string
		synctestRun(t, func(w *world) { problem = followDeltas(w, updates) })
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

func followDeltas(w *world, updates [][]pair) string {
	ps, docs := copies(w, `{"friends":{"a":true},"bag":{"a":{"name":"a","level":0}},"extra":1}`)
	follower := docs[0].Clone()
	for i, pairs := range updates {
		deltas, err := profile.RunDetached(ps, func(txs []*profile.Tx) error {
			for _, p := range pairs {
				if err := p.typed(txs[0]); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			whole := make(map[string]bool)
			for _, c := range deltas[0] {
				whole[c.Path.Field] = whole[c.Path.Field] || !c.Path.Deep
			}
			for _, c := range deltas[0] {
				if c.Path.Deep && whole[c.Path.Field] {
					return fmt.Sprintf("update %d: %s names a field and an element of it", i, shown(deltas[0]))
				}
			}
			err = follower.Apply(deltas[0])
		}
		if diff := document.Diff(follower, docs[0]); len(diff) > 0 {
			return fmt.Sprintf("update %d ended with %v and differs by %s", i, err, shown(diff))
		}
		if err := profile.VerifyUnchanged(ps[0]); err != nil {
			return fmt.Sprintf("update %d: %v", i, err)
		}
	}
	return ""
}

func ExampleServer_Peek() {
	srv, stop := start()
	defer stop()
	ctx := context.Background()
	p := enter(srv, "42")
	err := p.Update(func(tx *profile.Tx) error {
		Gold.Add(tx, 20)
		return Weapons.Put(tx, "sword", Weapon{Damage: 5})
	}, profile.Durable(ctx))
	fmt.Println(err)

	c, err := srv.Peek(ctx, "42") // from any server, while the hero plays
	fmt.Println(err, Gold.Get(c), Title.Get(c), c.Holder() != nil)
	for name, value := range c.Fields() {
		fmt.Printf("%s: %s\n", name, value)
	}
	// Output:
	// <nil>
	// <nil> 120 novice true
	// gold: 120
	// weapons: {"sword":{"damage":5}}
}

func ExampleTx_Apply() {
	srv, stop := start()
	defer stop()
	p := enter(srv, "42")
	ops := []profile.Op{
		Gold.ExpectAtLeastOp(80),
		Gold.AddOp(-80),
		Weapons.PutOp("sword", Weapon{Damage: 5}),
	}
	buy := func() (results []json.RawMessage, err error) {
		err = p.Update(func(tx *profile.Tx) error {
			results, err = tx.Apply(ops...)
			return err
		})
		return results, err
	}
	results, err := buy()
	fmt.Printf("%s %v\n", results[1], err)
	_, err = buy()
	fmt.Println(err)
	// Output:
	// 20 <nil>
	// apply operation 1 of 3: hero/42: condition failed: field "gold": have 20, want at least 80
}

func ExampleEncodeOps() {
	text, err := profile.EncodeOps([]profile.Op{Gold.AddOp(5), Badges.AddOp("explorer"), Stats.AddOp("steps", 12)})
	fmt.Printf("%s %v\n", text, err)
	// Output:
	// [{"op":"add","field":"gold","value":5},{"op":"add","field":"badges","element":"explorer"},{"op":"add","field":"stats","element":"steps","value":12}] <nil>
}
