package fromroblox

import (
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/profile"
)

var (
	// Equipped holds what is in each place. An empty place is absent: a list with
	// holes, which Roblox cannot store, is not needed.
	Equipped = profile.Map[string]("equipped", profile.MaxLen(4))
	Owned    = profile.Set("owned")
	Knight   = profile.NewSchema("knight", Owned, Equipped)

	Places      = []string{"head", "hand", "back", "feet"}
	ErrNotOwned = errors.New("not owned")
)

// Equip puts an item into a place, or empties the place for "".
func Equip(p *profile.Profile, place, item string) error {
	return p.Update(func(tx *profile.Tx) error {
		if item == "" {
			return Equipped.Delete(tx, place)
		}
		if !Owned.Has(tx, item) {
			return fmt.Errorf("%w: %s", ErrNotOwned, item)
		}
		return Equipped.Put(tx, place, item)
	})
}

// Equipped items with empty places between them.
func Example_equippedItems() {
	g := start(Knight, nil)
	defer g.stop()
	p := join(g.a, "42")
	must(p.Update(func(tx *profile.Tx) error {
		Owned.Add(tx, "helmet")
		return Owned.Add(tx, "boots")
	}))
	must(Equip(p, "head", "helmet"))
	must(Equip(p, "feet", "boots"))
	fmt.Println(Equip(p, "hand", "sword"))
	must(Equip(p, "head", ""))
	for _, place := range Places {
		item, ok := Equipped.Get(p, place)
		fmt.Printf("%s: %q %t\n", place, item, ok)
	}
	// Output:
	// not owned: sword
	// head: "" false
	// hand: "" false
	// back: "" false
	// feet: "boots" true
}
