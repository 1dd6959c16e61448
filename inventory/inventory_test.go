package inventory_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/inventory"
	"github.com/holdfast-games/holdfast/profile"
)

func TestAdd(t *testing.T) {
	t.Run("FillsStacksAndThenMakesNewOnes", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.alone()
			var first, second []inventory.Part
			w.update(p, func(tx *profile.Tx) (err error) {
				if first, err = bag.Add(tx, "arrow", 100, nil); err != nil {
					return err
				}
				second, err = bag.Add(tx, "arrow", 60, nil)
				return err
			})
			if diff := cmp.Diff([]inventory.Part{{Key: "arrow", Amount: 64}, {Key: "arrow#2", Amount: 36}}, first); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]inventory.Part{{Key: "arrow#2", Amount: 28}, {Key: "arrow#3", Amount: 32}}, second); diff != "" {
				t.Error(diff)
			}
			w.holds(p, bag, "arrow#2=64 arrow#3=32 arrow=64")
		})
	})
	t.Run("KeepsWhatHasOtherPropertiesApart", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.alone()
			w.update(p, func(tx *profile.Tx) error {
				return errors.Join(
					ignore(bag.Add(tx, "arrow", 5, nil)),
					ignore(bag.Add(tx, "arrow", 5, map[string]any{"fire": true, "ice": 1})),
					ignore(bag.Add(tx, "arrow", 5, json.RawMessage(`{"ice": 1.0, "fire": true}`))),
					ignore(bag.Add(tx, "arrow", 5, struct{}{})))
			})
			w.holds(p, bag, `arrow#2=10{"fire":true,"ice":1} arrow=10`)
		})
	})
	t.Run("GivesTheItemsOwnProperties", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.alone()
			w.update(p, func(tx *profile.Tx) error {
				return errors.Join(ignore(bag.Add(tx, "potion", 1, nil)), ignore(bag.Add(tx, "potion", 1, map[string]any{"taste": "mint"})),
					ignore(bag.Add(tx, "potion", 1, map[string]any{"heals": 30})))
			})
			w.holds(p, bag, `potion#2=1{"taste":"mint","heals":20} potion#3=1{"heals":30} potion=1{"heals":20}`)
		})
	})
	t.Run("RefusesWhatIsNoAmountNameOrProperty", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.alone()
			for _, c := range []struct {
				item  string
				n     int64
				props any
				want  error
			}{
				{"arrow", 0, nil, inventory.ErrAmount},
				{"arrow", -1, nil, inventory.ErrAmount},
				{"arrow", math.MinInt64, nil, inventory.ErrAmount},
				{"arrow", inventory.MaxAmount + 1, nil, inventory.ErrAmount},
				{"bow", 1, nil, inventory.ErrUnknownItem},
				{"", 1, nil, inventory.ErrName},
				{"arrow#2", 1, nil, inventory.ErrName},
				{"a\nb", 1, nil, inventory.ErrName},
				{"a\xff", 1, nil, inventory.ErrName},
				{strings.Repeat("a", 51), 1, nil, inventory.ErrName},
				{"sword", 1, nil, inventory.ErrKind},
				{"arrow", 1, 5, inventory.ErrProperties},
				{"arrow", 1, []int{1}, inventory.ErrProperties},
				{"arrow", 1, map[string]any{"x": math.NaN()}, inventory.ErrProperties},
				{"arrow", 1, map[string]any{"x": "\xff"}, inventory.ErrProperties},
				{"arrow", 1, json.RawMessage(`{"a":1,"a":2}`), inventory.ErrProperties},
				{"arrow", 1, map[string]any{"edge": "infinite"}, errSharp},
			} {
				w.refuses(p, c.want, func(tx *profile.Tx) error { return ignore(bag.Add(tx, c.item, c.n, c.props)) })
			}
		})
	})
	t.Run("SaysHowMuchWouldFit", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.alone()
			var full *inventory.FullError
			err := p.Update(func(tx *profile.Tx) error { return ignore(bag.Add(tx, "arrow", 600, nil)) })
			if !errors.As(err, &full) || full.Fits != 8*64 || full.Want != 600 {
				t.Errorf("Add of 600 arrows = %v, want that 512 fit", err)
			}
			w.refuses(p, inventory.ErrFull, func(tx *profile.Tx) error { return ignore(bag.Add(tx, "gem", 101, nil)) })
			err = p.Update(func(tx *profile.Tx) error {
				parts, rest, err := bag.AddUpTo(tx, "arrow", 600, nil)
				if len(parts) != 8 || rest != 88 {
					t.Errorf("AddUpTo of 600 arrows = %v, %d", parts, rest)
				}
				return err
			})
			if err != nil || bag.Count(p, "arrow") != 512 {
				t.Errorf("AddUpTo = %v, there are %d", err, bag.Count(p, "arrow"))
			}
			for item, want := range map[string]int64{"arrow": 0, "coin": 0} {
				if got, err := bag.Room(p, item, nil); got != want || err != nil {
					t.Errorf("Room of %s in a full bag = %d, %v", item, got, err)
				}
			}
		})
	})
	t.Run("OverflowsNothing", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.alone()
			w.update(p, func(tx *profile.Tx) error { return ignore(bag.Add(tx, "coin", inventory.MaxAmount, nil)) })
			w.refuses(p, inventory.ErrFull, func(tx *profile.Tx) error { return ignore(bag.Add(tx, "coin", 1, nil)) })
			w.refuses(p, inventory.ErrFull, func(tx *profile.Tx) error {
				return ignore(bag.Add(tx, "coin", inventory.MaxAmount, map[string]any{"old": true}))
			})
			if n, _ := bag.Room(p, "coin", nil); n != 0 {
				t.Errorf("Room = %d", n)
			}
		})
	})
}

func TestRemove(t *testing.T) {
	t.Run("TakesFromTheLastStackFirst", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.alone()
			w.update(p, func(tx *profile.Tx) error {
				if _, err := bag.Add(tx, "arrow", 150, nil); err != nil {
					return err
				}
				parts, err := bag.Remove(tx, "arrow", 30)
				if diff := cmp.Diff([]inventory.Part{{Key: "arrow#3", Amount: 22}, {Key: "arrow#2", Amount: 8}}, parts); diff != "" {
					t.Error(diff)
				}
				return err
			})
			w.holds(p, bag, "arrow#2=56 arrow=64")
		})
	})
	t.Run("NeverTakesAPart", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.alone()
			w.update(p, func(tx *profile.Tx) error { return ignore(bag.Add(tx, "arrow", 100, nil)) })
			var few *inventory.NotEnoughError
			err := p.Update(func(tx *profile.Tx) error { return ignore(bag.Remove(tx, "arrow", 101)) })
			if !errors.As(err, &few) || few.Have != 100 || few.Want != 101 || few.Item != "arrow" {
				t.Errorf("Remove of 101 of 100 = %v", err)
			}
			w.refuses(p, inventory.ErrNotEnough, func(tx *profile.Tx) error { return ignore(bag.Remove(tx, "arrow", 101)) })
			w.refuses(p, inventory.ErrNotEnough, func(tx *profile.Tx) error { return bag.RemoveAt(tx, "arrow", 65) })
			w.refuses(p, inventory.ErrNotEnough, func(tx *profile.Tx) error { return ignore(bag.Remove(tx, "bow", 1)) })
			w.refuses(p, inventory.ErrAmount, func(tx *profile.Tx) error { return ignore(bag.Remove(tx, "arrow", -1)) })
			w.refuses(p, profile.ErrMissing, func(tx *profile.Tx) error { return bag.RemoveAt(tx, "arrow#9", 1) })
			w.update(p, func(tx *profile.Tx) error {
				return errors.Join(bag.RemoveAt(tx, "arrow", 60), ignore(bag.Delete(tx, "arrow#2")))
			})
			w.holds(p, bag, "arrow=4")
			w.update(p, func(tx *profile.Tx) error { return bag.Clear(tx) })
			w.holds(p, bag, "")
		})
	})
}

func TestLookUp(t *testing.T) {
	t.Run("FindsTheEntriesOfAnItemAlone", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.alone()
			w.update(p, func(tx *profile.Tx) error {
				return errors.Join(ignore(bank.Add(tx, "gem", 40, nil)), ignore(bank.Add(tx, "arrow", 10, nil)),
					ignore(bank.Create(tx, "sword", nil, nil)), ignore(bank.Create(tx, "sword", nil, nil)))
			})
			var got []string
			for e := range bank.Find(p, "gem") {
				got = append(got, show(e))
			}
			if want := []string{"gem=30", "gem#2=10"}; !slices.Equal(got, want) {
				t.Errorf("Find(gem) = %v, want %v", got, want)
			}
			var ids []driver.Version
			for e := range bank.Find(p, "sword") {
				ids = append(ids, e.ID)
			}
			if len(ids) != 2 || ids[0].String() >= ids[1].String() {
				t.Errorf("Find(sword) has ids %v, want two in order", ids)
			}
			if bank.Count(p, "gem") != 40 || bank.Count(p, "sword") != 2 || bank.Count(p, "bow") != 0 || !bank.Has(p, "arrow", 10) || bank.Has(p, "arrow", 11) || bank.Len(p) != 5 {
				t.Error("Count, Has or Len is wrong")
			}
			e, ok := bank.Get(p, "gem#2")
			if !ok || e.Item != "gem" || e.Amount != 10 || e.Unique() {
				t.Errorf("Get(gem#2) = %+v, %v", e, ok)
			}
			if _, ok := bank.Get(p, "gem#3"); ok {
				t.Error("Get(gem#3) found something")
			}
		})
	})
	t.Run("TellsOfChanges", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.alone()
			var got []string
			bag.OnChange(p, func(key string, old, new *inventory.Entry) {
				text := key
				for _, e := range []*inventory.Entry{old, new} {
					if e == nil {
						text += " none"
					} else {
						text += " " + fmt.Sprint(e.Amount)
					}
				}
				got = append(got, text)
			})
			w.update(p, func(tx *profile.Tx) error { return ignore(bag.Add(tx, "arrow", 70, nil)) })
			w.update(p, func(tx *profile.Tx) error { return ignore(bag.Remove(tx, "arrow", 10)) })
			want := []string{"arrow none 64", "arrow#2 none 6", "arrow#2 6 none", "arrow 64 60"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	})
}

func TestProperties(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.alone()
		w.update(p, func(tx *profile.Tx) error { return ignore(bag.Create(tx, "sword", nil, nil)) })
		sword := only(p, bag, "sword")
		wear := func(tx *profile.Tx) error {
			return inventory.EditProperty(bag, tx, sword.Key, "durability", func(n *int) error { *n -= 1; return nil })
		}
		w.update(p, wear)
		w.update(p, func(tx *profile.Tx) error { return bag.SetProperty(tx, sword.Key, "name", "Sting") })
		w.holds(p, bag, `sword#=1{"durability":99,"name":"Sting"}`)
		var all struct {
			Durability int
			Name       string
		}
		sword = only(p, bag, "sword")
		var n int
		if ok, err := sword.Property("durability", &n); !ok || err != nil || n != 99 {
			t.Errorf("Property = %v, %v, %d", ok, err, n)
		}
		if ok, _ := sword.Property("weight", &n); ok {
			t.Error("there is no property weight")
		}
		if err := sword.Decode(&all); err != nil || all.Durability != 99 || all.Name != "Sting" {
			t.Errorf("Decode = %v, %+v", err, all)
		}
		w.update(p, func(tx *profile.Tx) error { return bag.SetProperty(tx, sword.Key, "durability", nil) })
		w.holds(p, bag, `sword#=1{"name":"Sting"}`)
		w.update(p, func(tx *profile.Tx) error { return bag.SetProperties(tx, sword.Key, nil) })
		w.holds(p, bag, `sword#=1`)
		w.refuses(p, errSharp, func(tx *profile.Tx) error { return bag.SetProperty(tx, sword.Key, "edge", "infinite") })
		w.refuses(p, profile.ErrMissing, func(tx *profile.Tx) error { return bag.SetProperty(tx, "sword", "edge", 1) })
		w.refuses(p, errSharp, func(tx *profile.Tx) error {
			return inventory.EditProperty(bag, tx, sword.Key, "x", func(*int) error { return errSharp })
		})
		if _, ok := sword.History(); !ok {
			t.Error("the history is lost")
		}
	})
}

// only returns the one entry of an item.
func only(r profile.Reader, b *inventory.Inventory, item string) (found inventory.Entry) {
	for e := range b.Find(r, item) {
		found = e
	}
	return found
}

func TestSplitAndMerge(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.alone()
		w.update(p, func(tx *profile.Tx) error {
			if _, err := bag.Add(tx, "arrow", 60, nil); err != nil {
				return err
			}
			key, err := bag.Split(tx, "arrow", 20)
			if key != "arrow#2" {
				t.Errorf("Split = %q", key)
			}
			return err
		})
		w.holds(p, bag, "arrow#2=20 arrow=40")
		w.refuses(p, inventory.ErrNotEnough, func(tx *profile.Tx) error { return ignore(bag.Split(tx, "arrow", 40)) })
		w.refuses(p, inventory.ErrDiffer, func(tx *profile.Tx) error { return bag.Merge(tx, "arrow", 1, "arrow") })
		w.refuses(p, profile.ErrMissing, func(tx *profile.Tx) error { return bag.Merge(tx, "arrow", 1, "arrow#7") })
		w.update(p, func(tx *profile.Tx) error { return bag.Merge(tx, "arrow#2", 5, "arrow") })
		w.holds(p, bag, "arrow#2=15 arrow=45")
		w.update(p, func(tx *profile.Tx) error { return bag.Merge(tx, "arrow#2", 15, "arrow") })
		w.holds(p, bag, "arrow=60")
		w.update(p, func(tx *profile.Tx) error {
			return errors.Join(ignore(bag.Add(tx, "arrow", 10, map[string]any{"fire": true})), ignore(bag.Add(tx, "coin", 1, nil)))
		})
		w.refuses(p, inventory.ErrDiffer, func(tx *profile.Tx) error { return bag.Merge(tx, "arrow", 1, "arrow#2") })
		w.refuses(p, inventory.ErrDiffer, func(tx *profile.Tx) error { return bag.Merge(tx, "arrow", 1, "coin") })
		w.update(p, func(tx *profile.Tx) error { return bag.SetProperties(tx, "arrow#2", nil) })
		w.refuses(p, inventory.ErrFull, func(tx *profile.Tx) error { return bag.Merge(tx, "arrow#2", 10, "arrow") })
		w.update(p, func(tx *profile.Tx) error { return bag.Merge(tx, "arrow#2", 4, "arrow") })
		w.holds(p, bag, "arrow#2=6 arrow=64 coin=1")
	})
}

func TestCreate(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.alone()
		var sword inventory.Entry
		from := &inventory.Origin{By: "boss 7", Reason: "it fell", From: []string{"loot table 3"}}
		w.update(p, func(tx *profile.Tx) (err error) {
			sword, err = bag.Create(tx, "sword", map[string]any{"name": "Sting"}, from)
			return err
		})
		w.holds(p, bag, `sword#=1{"name":"Sting","durability":100}`)
		h, ok := sword.History()
		if !ok || h.By != "boss 7" || h.Reason != "it fell" || !slices.Equal(h.From, from.From) || h.First != "player/1" || h.Created != sword.ID.Time() || len(h.Hops) != 0 {
			t.Errorf("History = %+v, %v", h, ok)
		}
		if sword.Key != "sword#"+sword.ID.String() {
			t.Errorf("the key is %q", sword.Key)
		}
		w.refuses(p, inventory.ErrKind, func(tx *profile.Tx) error { return ignore(bag.Create(tx, "arrow", nil, nil)) })
		w.refuses(p, inventory.ErrKind, func(tx *profile.Tx) error { return ignore(bag.Remove(tx, "sword", 1)) })
		w.refuses(p, inventory.ErrKind, func(tx *profile.Tx) error { return ignore(bag.Split(tx, sword.Key, 1)) })
		w.refuses(p, inventory.ErrNotEnough, func(tx *profile.Tx) error { return bag.RemoveAt(tx, sword.Key, 2) })
		w.refuses(p, driver.ErrInvalid, func(tx *profile.Tx) error {
			return ignore(bag.Create(tx, "sword", nil, &inventory.Origin{By: strings.Repeat("x", 129)}))
		})
		w.refuses(p, driver.ErrInvalid, func(tx *profile.Tx) error {
			return ignore(bag.Create(tx, "sword", nil, &inventory.Origin{From: make([]string, 17)}))
		})
		w.update(p, func(tx *profile.Tx) error {
			return errors.Join(ignore(bag.Create(tx, "sword", nil, nil)), ignore(bag.Create(tx, "sword", nil, nil)))
		})
		w.refuses(p, inventory.ErrFull, func(tx *profile.Tx) error { return ignore(bag.Create(tx, "sword", nil, nil)) })
		w.update(p, func(tx *profile.Tx) error { return bag.RemoveAt(tx, sword.Key, 1) })
		if got := bag.Count(p, "sword"); got != 2 {
			t.Errorf("Count = %d, want 2", got)
		}
	})
}

func TestPlaces(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.alone()
		var a, b inventory.Entry
		w.update(p, func(tx *profile.Tx) (err error) {
			a, err = bag.Create(tx, "sword", map[string]any{"name": "a"}, nil)
			if err != nil {
				return err
			}
			b, err = bag.Create(tx, "sword", map[string]any{"name": "b"}, nil)
			return errors.Join(err, ignore(bag.Add(tx, "potion", 5, nil)))
		})
		w.update(p, func(tx *profile.Tx) error {
			return errors.Join(worn.Put(tx, "hand 1", bag, a.Key), worn.Put(tx, "hand 2", bag, "potion"))
		})
		if e, ok := worn.At(p, "hand 1"); !ok || e.ID != a.ID || e.Place != "hand 1" {
			t.Errorf("At(hand 1) = %+v, %v", e, ok)
		}
		if _, ok := worn.At(p, "head"); ok {
			t.Error("the head is not empty")
		}
		if _, ok := bag.Get(p, a.Key); ok {
			t.Error("what is worn is in the bag as well")
		}
		w.update(p, func(tx *profile.Tx) error { return worn.Put(tx, "hand 1", bag, b.Key) })
		if e, _ := worn.At(p, "hand 1"); e.ID != b.ID || bag.Count(p, "sword") != 1 {
			t.Errorf("after an exchange hand 1 has %+v, the bag %q", e, list(p, bag))
		}
		w.update(p, func(tx *profile.Tx) error { return worn.Put(tx, "hand 2", worn.Inventory(), b.Key) })
		if e, _ := worn.At(p, "hand 1"); e.Item != "potion" {
			t.Errorf("after a swap hand 1 has %+v", e)
		}
		w.update(p, func(tx *profile.Tx) error { return worn.Put(tx, "head", worn.Inventory(), b.Key) })
		if e, _ := worn.At(p, "head"); e.ID != b.ID || worn.Inventory().Len(p) != 2 {
			t.Errorf("after a move the head has %+v", e)
		}
		w.refuses(p, inventory.ErrPlace, func(tx *profile.Tx) error { return worn.Put(tx, "tail", bag, a.Key) })
		w.refuses(p, profile.ErrMissing, func(tx *profile.Tx) error { return worn.Take(tx, "hand 2", bag) })
		w.refuses(p, profile.ErrMissing, func(tx *profile.Tx) error { return worn.Put(tx, "hand 2", bag, b.Key) })
		w.refuses(p, inventory.ErrPlace, func(tx *profile.Tx) error { return ignore(bag.Move(tx, a.Key, 1, worn.Inventory())) })
		w.refuses(p, inventory.ErrPlace, func(tx *profile.Tx) error { return ignore(worn.Inventory().Add(tx, "potion", 1, nil)) })
		w.refuses(p, inventory.ErrPlace, func(tx *profile.Tx) error { return ignore(worn.Inventory().Create(tx, "pet", nil, nil)) })
		w.update(p, func(tx *profile.Tx) error {
			return errors.Join(worn.Take(tx, "head", bag), worn.Take(tx, "hand 1", bag))
		})
		if worn.Inventory().Len(p) != 0 || bag.Count(p, "sword") != 2 || bag.Count(p, "potion") != 5 {
			t.Errorf("the bag has %q", list(p, bag))
		}
		if e, _ := bag.Get(p, b.Key); e.Place != "" {
			t.Errorf("in the bag it has place %q", e.Place)
		}
	})
}

func TestDeclaration(t *testing.T) {
	wrong := inventory.NewCatalogue(inventory.Item{Name: "a#b"})
	for name, f := range map[string]profile.Field{
		"no catalogue":          inventory.New("x", nil, nil),
		"a mistaken catalogue":  inventory.New("x", wrong, nil),
		"a negative capacity":   inventory.New("x", items, &inventory.Options{Capacity: -1}),
		"lazy":                  inventory.New("x", items, nil, profile.Lazy()),
		"a length":              inventory.New("x", items, nil, profile.MaxLen(4)),
		"no places":             inventory.NewPlaces("x", items, nil),
		"two places of a name":  inventory.NewPlaces("x", items, []string{"a", "a"}),
		"a place without name":  inventory.NewPlaces("x", items, []string{""}),
		"too many places":       inventory.NewPlaces("x", items, make([]string, 201)),
		"a field without name":  inventory.New("", items, nil),
		"a place named by '#'":  inventory.NewPlaces("x", items, []string{"#1"}),
		"a lazy field of place": inventory.NewPlaces("x", items, []string{"a"}, profile.Lazy()),
	} {
		if err := profile.NewSchema("player", f).Err(); !errors.Is(err, profile.ErrSchema) && !errors.Is(err, inventory.ErrCatalogue) {
			t.Errorf("%s: Err() = %v, want ErrSchema", name, err)
		}
	}
	if err := player.Err(); err != nil {
		t.Error(err)
	}
	if bank.Private() != true || bag.Name() != "bag" || bag.Capacity() != 8 || bag.Catalogue() != items {
		t.Error("the declaration is not what was declared")
	}
}
