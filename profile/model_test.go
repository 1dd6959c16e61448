package profile_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/holdfast-games/holdfast/profile"
	"pgregory.net/rapid"
)

// TestUpdatesAgainstModel makes random updates, some of which fail, and
// compares the profile with a map after each, and after it was loaded anew.
func TestUpdatesAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 1, 25).Draw(rt, "steps")
		var problem string
		synctestRun(t, func(w *world) { problem = runModel(w, steps) })
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

// synctestRun runs fn in a bubble of its own.
func synctestRun(t *testing.T, fn func(w *world)) {
	t.Run("", func(t *testing.T) { bubble(t, fn) })
}

// step is one update of the model test.
type step struct {
	writes []write
	fail   bool
	reload bool
	pair   bool // together with the other profile
}

type write struct {
	kind, n int
	name    string
}

func drawStep(rt *rapid.T) step {
	name := rapid.SampledFrom([]string{"a", "b", "c", ""})
	draw := rapid.Custom(func(rt *rapid.T) write {
		return write{rapid.IntRange(0, 11).Draw(rt, "kind"), rapid.IntRange(-300, 600).Draw(rt, "n"), name.Draw(rt, "name")}
	})
	return step{
		writes: rapid.SliceOfN(draw, 0, 6).Draw(rt, "writes"),
		fail:   rapid.IntRange(0, 3).Draw(rt, "fail") == 0,
		reload: rapid.IntRange(0, 5).Draw(rt, "reload") == 0,
		pair:   rapid.Bool().Draw(rt, "pair"),
	}
}

// model is what a profile should hold.
type model struct {
	coins, lazy int64
	nick        string
	bag         map[string]int
	quests      []int
	kills       map[string]int64
	friends     map[string]bool
}

func newModel() *model {
	return &model{coins: 500, nick: "nobody", bag: map[string]int{}, kills: map[string]int64{}, friends: map[string]bool{}}
}

func (m *model) clone() *model {
	c := newModel()
	c.coins, c.lazy, c.nick = m.coins, m.lazy, m.nick
	c.quests = append([]int(nil), m.quests...)
	for k, v := range m.bag {
		c.bag[k] = v
	}
	for k, v := range m.kills {
		c.kills[k] = v
	}
	for k := range m.friends {
		c.friends[k] = true
	}
	return c
}

func (m *model) String() string {
	return words(m.coins, m.lazy, m.nick, m.bag, m.quests, m.kills, m.friends)
}

func modelOf(p *profile.Profile) *model {
	m := newModel()
	p.View(func(r profile.Reader) {
		m.coins, m.lazy, m.nick = coins.Get(r), lazy.Get(r), nick.Get(r)
		for name, item := range bag.All(r) {
			m.bag[name] = item.Level
		}
		for _, q := range quests.Get(r) {
			m.quests = append(m.quests, q.Level)
		}
		for name, n := range kills.All(r) {
			m.kills[name] = n
		}
		for name := range friends.Keys(r) {
			m.friends[name] = true
		}
	})
	return m
}

// apply makes one write in a profile and in its model, and reports whether it
// is allowed.
func (wr write) apply(tx *profile.Tx, m *model) (allowed bool) {
	n := int64(wr.n)
	switch wr.kind {
	case 0:
		_ = coins.Add(tx, n)
		m.coins += n
		return m.coins >= 0 && m.coins <= 1_000_000
	case 1:
		_ = lazy.Set(tx, n)
		m.lazy = n
	case 2:
		_ = nick.Set(tx, fmt.Sprint(n))
		m.nick = fmt.Sprint(n)
	case 3:
		_ = bag.Put(tx, wr.name, Item{Level: wr.n})
		m.bag[wr.name] = wr.n
	case 4:
		_ = bag.Delete(tx, wr.name)
		delete(m.bag, wr.name)
	case 5:
		_, there := m.bag[wr.name]
		_ = bag.Edit(tx, wr.name, func(i *Item) error { i.Level++; return nil })
		m.bag[wr.name]++
		return there
	case 6:
		_ = bag.Clear(tx)
		clear(m.bag)
	case 7:
		_ = quests.Append(tx, Item{Level: wr.n})
		m.quests = append(m.quests, wr.n)
	case 8:
		_ = quests.Remove(tx, 0)
		if len(m.quests) == 0 {
			return false
		}
		m.quests = m.quests[1:]
	case 9:
		_ = kills.Add(tx, wr.name, n)
		m.kills[wr.name] += n
		return m.kills[wr.name] >= 0
	case 10:
		_, there := m.friends[wr.name]
		_ = friends.Add(tx, wr.name)
		m.friends[wr.name] = true
		return there || len(m.friends) <= 3
	case 11:
		_ = nick.Reset(tx)
		m.nick = "nobody"
	}
	return true
}

func runModel(w *world, steps []step) string {
	srv := w.server("a", nil)
	ps := []*profile.Profile{w.load(srv, "1"), w.load(srv, "2")}
	models := []*model{newModel(), newModel()}
	for i, s := range steps {
		n := 1
		if s.pair {
			n = 2
		}
		next := []*model{models[0].clone(), models[1].clone()}
		allowed := !s.fail
		err := profile.UpdateAll(ps[:n], func(txs []*profile.Tx) error {
			for j, wr := range s.writes {
				allowed = wr.apply(txs[j%n], next[j%n]) && allowed
			}
			if s.fail {
				return errors.New("the game's error")
			}
			return nil
		})
		if (err == nil) != allowed {
			return fmt.Sprintf("step %d: UpdateAll() = %v, allowed %v", i, err, allowed)
		}
		if allowed {
			models = next
		}
		if s.reload {
			w.close(ps[0])
			ps[0] = w.load(srv, "1")
		}
		for k, p := range ps {
			if got, want := modelOf(p).String(), models[k].String(); got != want {
				return fmt.Sprintf("step %d: profile %d has\n%s\nwant\n%s", i, k, got, want)
			}
			if err := profile.VerifyUnchanged(p); err != nil {
				return fmt.Sprintf("step %d: %v", i, err)
			}
		}
	}
	return ""
}
