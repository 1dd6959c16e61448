package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/inventory"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
	"pgregory.net/rapid"
)

// TestOperationsAgainstModel makes random operations on two players' inventories,
// some of which are refused or taken back, with crashes in between, and compares all
// entries with a plain model after each update.
func TestOperationsAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		turns := rapid.SliceOfN(rapid.Custom(drawTurn), 1, 25).Draw(rt, "turns")
		var problem string
		t.Run("", func(t *testing.T) {
			bubble(t, func(w *world) { problem = runModel(w, turns) })
		})
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

// turn is one update of both players.
type turn struct {
	acts  []act
	fail  bool // the game changes its mind
	crash bool // the server crashes afterwards
	close bool // the players are closed and loaded afterwards
}

// act is one operation.
type act struct {
	kind, who, in, pick, other int
	item                       string
	n                          int64
	fire                       bool
}

func drawTurn(rt *rapid.T) turn {
	draw := rapid.Custom(func(rt *rapid.T) act {
		return act{
			kind: rapid.IntRange(0, 11).Draw(rt, "kind"), who: rapid.IntRange(0, 1).Draw(rt, "who"), in: rapid.IntRange(0, 1).Draw(rt, "in"),
			pick: rapid.IntRange(0, 12).Draw(rt, "pick"), other: rapid.IntRange(0, 12).Draw(rt, "other"),
			item: rapid.SampledFrom([]string{"arrow", "gem", "sword"}).Draw(rt, "item"),
			n:    rapid.Int64Range(-1, 80).Draw(rt, "n"), fire: rapid.Bool().Draw(rt, "fire"),
		}
	})
	return turn{
		acts: rapid.SliceOfN(draw, 1, 4).Draw(rt, "acts"), fail: rapid.IntRange(0, 5).Draw(rt, "fail") == 0,
		crash: rapid.IntRange(0, 9).Draw(rt, "crash") == 0, close: rapid.IntRange(0, 9).Draw(rt, "close") == 0,
	}
}

// cell is an entry in the model.
type cell struct {
	item   string
	n      int64
	fire   bool
	unique bool
}

// shelf is an inventory in the model: entries by key.
type shelf map[string]cell

// shelves are the bag and the bank of both players.
type shelves [2][2]shelf

func newShelves() (s shelves) {
	for i := range s {
		for j := range s[i] {
			s[i][j] = make(shelf)
		}
	}
	return s
}

func (s shelves) clone() (c shelves) {
	for i := range s {
		for j := range s[i] {
			c[i][j] = maps.Clone(s[i][j])
		}
	}
	return c
}

func (s shelf) keys() []string { return slices.Sorted(maps.Keys(s)) }

// key returns a key that is there, or one that is not.
func (s shelf) key(pick int) string {
	keys := s.keys()
	if pick >= len(keys) {
		return "arrow#777"
	}
	return keys[pick]
}

// The rules, once more and plainly.
var (
	mostOf  = map[string]int64{"arrow": inventory.MaxAmount, "gem": 100, "sword": 3}
	stackOf = map[string]int64{"arrow": 64, "gem": 30, "sword": 1}
	roomOf  = [2]int{8, 1 << 30}
)

func (s shelf) total(item string) (n int64) {
	for _, c := range s {
		if c.item == item {
			n += c.n
		}
	}
	return n
}

// stacks returns the keys of an item's stacks in the order of their numbers.
func (s shelf) stacks(item string) []string {
	var keys []string
	for n := 1; n < 1000; n++ {
		key := item
		if n > 1 {
			key = fmt.Sprintf("%s#%d", item, n)
		}
		if c, ok := s[key]; ok && !c.unique {
			keys = append(keys, key)
		}
	}
	return keys
}

func (s shelf) freshKey(item string) string {
	keys := s.stacks(item)
	if _, ok := s[item]; !ok {
		return item
	}
	var last int
	_, _ = fmt.Sscanf(keys[len(keys)-1], item+"#%d", &last)
	return fmt.Sprintf("%s#%d", item, max(last, 1)+1)
}

// add adds pieces one by one, and reports whether all fit.
func (s shelf) add(room int, item string, n int64, fire bool) bool {
	if s.total(item)+n > mostOf[item] {
		return false
	}
	for ; n > 0; n-- {
		at := ""
		for _, key := range s.stacks(item) {
			if c := s[key]; c.fire == fire && c.n < stackOf[item] {
				at = key
				break
			}
		}
		if at == "" {
			if len(s) >= room {
				return false
			}
			at = s.freshKey(item)
		}
		s[at] = cell{item: item, n: s[at].n + 1, fire: fire}
	}
	return true
}

// take takes pieces out of an entry, and reports whether they were there.
func (s shelf) take(key string, n int64) bool {
	c, ok := s[key]
	if !ok || n < 1 || c.n < n {
		return false
	}
	if c.n -= n; c.n == 0 {
		delete(s, key)
	} else {
		s[key] = c
	}
	return true
}

// pass moves pieces from one shelf to another, and reports whether it can.
func pass(from, to shelf, room int, key string, n int64) bool {
	c := from[key]
	if !from.take(key, n) {
		return false
	}
	if !c.unique {
		return to.add(room, c.item, n, c.fire)
	}
	if len(to) >= room || to.total(c.item) >= mostOf[c.item] {
		return false
	}
	to[key] = c
	return true
}

func fireProps(fire bool) any {
	if fire {
		return map[string]any{"fire": true}
	}
	return nil
}

// apply makes an operation in profiles and model, and reports whether it is allowed.
func (a act) apply(txs []*profile.Tx, m shelves) bool {
	inv, tx, s, room := [2]*inventory.Inventory{bag, bank}[a.in], txs[a.who], m[a.who][a.in], roomOf[a.in]
	other := [2]*inventory.Inventory{bank, bag}[a.in]
	key, into := s.key(a.pick), s.key(a.other)
	possible := a.n >= 1
	switch a.kind {
	case 0, 1, 2:
		_, _ = inv.Add(tx, a.item, a.n, fireProps(a.fire))
		return possible && a.item != "sword" && s.add(room, a.item, a.n, a.fire)
	case 3:
		_, rest, _ := inv.AddUpTo(tx, a.item, a.n, fireProps(a.fire))
		if !possible || a.item == "sword" {
			return false
		}
		for n := a.n; n > rest; n-- {
			if !s.add(room, a.item, 1, a.fire) {
				return false
			}
		}
		return rest == 0 || !maps.Clone(s).add(room, a.item, 1, a.fire)
	case 4, 5:
		_, _ = inv.Remove(tx, a.item, a.n)
		if !possible || a.item == "sword" || s.total(a.item) < a.n {
			return false
		}
		keys := s.stacks(a.item)
		for n := a.n; n > 0; n-- {
			if _, ok := s[keys[len(keys)-1]]; !ok {
				keys = keys[:len(keys)-1]
			}
			s.take(keys[len(keys)-1], 1)
		}
		return true
	case 6:
		_ = inv.RemoveAt(tx, key, a.n)
		return s.take(key, a.n)
	case 7:
		e, _ := inv.Create(tx, a.item, fireProps(a.fire), nil)
		if a.item != "sword" || len(s) >= room || s.total("sword") >= 3 {
			return false
		}
		s[e.Key] = cell{item: "sword", n: 1, fire: a.fire, unique: true}
		return true
	case 8:
		_, _ = inv.Move(tx, key, a.n, other)
		return pass(s, m[a.who][1-a.in], roomOf[1-a.in], key, a.n)
	case 9:
		_, _ = inv.Transfer(tx, key, a.n, txs[1-a.who], nil)
		return pass(s, m[1-a.who][a.in], room, key, a.n)
	case 10:
		_, _ = inv.Split(tx, key, a.n)
		c := s[key]
		if c.unique || c.n <= a.n || len(s) >= room || !possible {
			return false
		}
		fresh := s.freshKey(c.item)
		s.take(key, a.n)
		c.n = a.n
		s[fresh] = c
		return true
	default:
		_ = inv.Merge(tx, key, a.n, into)
		from, to := s[key], s[into]
		if key == into || from.unique || to.unique || from.item != to.item || from.fire != to.fire || to.n == 0 ||
			a.n < 1 || from.n < a.n || to.n+a.n > stackOf[to.item] {
			return false
		}
		s.take(key, a.n)
		to.n += a.n
		s[into] = to
		return true
	}
}

// shelvesOf reads what the players have.
func shelvesOf(ps []*profile.Profile) shelves {
	m := newShelves()
	for i, p := range ps {
		for j, inv := range []*inventory.Inventory{bag, bank} {
			for e := range inv.All(p) {
				fire := strings.Contains(string(e.Properties), "fire")
				m[i][j][e.Key] = cell{e.Item, e.Amount, fire, e.Unique()}
			}
		}
	}
	return m
}

// frail is a server that can crash.
type frail struct {
	*profile.Server
	f *faulty.DB
}

func (w *world) frail(name string) *frail {
	w.Helper()
	f := faulty.New(open{w.db})
	db, err := store.New(f, nil)
	if err != nil {
		w.Fatalf("store.New: %v", err)
	}
	o := &profile.Options{}
	o.Session.Name = name
	srv, err := profile.Open(w.ctx, db, player, o)
	if err != nil {
		w.Fatalf("profile.Open: %v", err)
	}
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, _ = srv.Close(ctx)
		_ = db.Close(ctx)
	})
	return &frail{srv, f}
}

// crash ends the server as SIGKILL would.
func (s *frail) crash() { s.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown})) }

func runModel(w *world, turns []turn) string {
	srv := w.frail("first")
	load := func() []*profile.Profile {
		return []*profile.Profile{w.load(srv.Server, "1"), w.load(srv.Server, "2")}
	}
	ps, model := load(), newShelves()
	for i, t := range turns {
		next, allowed := model.clone(), !t.fail
		err := profile.UpdateAll(ps, func(txs []*profile.Tx) error {
			for _, a := range t.acts {
				if !allowed && !t.fail {
					break // what is refused writes no more
				}
				allowed = a.apply(txs, next) && allowed
			}
			if t.fail {
				return errors.New("the game's error")
			}
			return nil
		}, profile.Durable(w.ctx))
		if (err == nil) != allowed {
			return fmt.Sprintf("turn %d %+v: UpdateAll() = %v, allowed %v", i, t, err, allowed)
		}
		if allowed {
			model = next
		}
		switch {
		case t.crash:
			srv.crash()
			srv = w.frail(fmt.Sprint("after ", i))
			ps = load()
		case t.close:
			for _, p := range ps {
				if err := p.Close(w.ctx); err != nil {
					return err.Error()
				}
			}
			ps = load()
		}
		if got, want := fmt.Sprint(shelvesOf(ps)), fmt.Sprint(model); got != want {
			return fmt.Sprintf("turn %d %+v: the players have\n%s\nwant\n%s", i, t, got, want)
		}
		for _, item := range []string{"arrow", "gem", "sword"} {
			if got, want := bag.Count(ps[0], item), model[0][0].total(item); got != want {
				return fmt.Sprintf("turn %d: Count(%s) = %d, want %d", i, item, got, want)
			}
		}
	}
	return ""
}
