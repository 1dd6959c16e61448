package fromroblox

import (
	"fmt"

	"github.com/holdfast-games/holdfast/inventory"
	"github.com/holdfast-games/holdfast/profile"
)

var (
	Catalogue = inventory.NewCatalogue(
		inventory.Item{Name: "bread", Stack: 10},
		inventory.Item{Name: "sword", Unique: true, Properties: map[string]any{"durability": 100}},
	)
	Pack   = inventory.New("pack", Catalogue, &inventory.Options{Capacity: 20})
	Worn   = inventory.NewPlaces("worn", Catalogue, []string{"head", "hand", "back"})
	Squire = profile.NewSchema("squire", Pack, Worn)
)

// welcome gives a new player his first things, and the sword into his hand.
func welcome(p *profile.Profile) {
	if !p.Fresh() {
		return
	}
	must(p.Update(func(tx *profile.Tx) error {
		if _, err := Pack.Add(tx, "bread", 5, nil); err != nil {
			return err
		}
		sword, err := Pack.Create(tx, "sword", nil, &inventory.Origin{By: "welcome"})
		if err != nil {
			return err
		}
		return Worn.Put(tx, "hand", Pack, sword.Key)
	}))
}

// The starter inventory and equipped items with package inventory: bread in a stack,
// a sword that is one of a kind, and empty places beside the hand.
func Example_inventory() {
	g := start(Squire, welcome)
	defer g.stop()
	p := join(g.a, "42")
	must(p.Update(func(tx *profile.Tx) error {
		_, err := Pack.Remove(tx, "bread", 2) // all or nothing
		return err
	}))
	fmt.Println("bread:", Pack.Count(p, "bread"))
	for _, place := range Worn.Names() {
		e, ok := Worn.At(p, place)
		fmt.Printf("%s: %t %q\n", place, ok, e.Item)
	}
	err := p.Update(func(tx *profile.Tx) error {
		_, err := Pack.Remove(tx, "bread", 4)
		return err
	})
	fmt.Println(err != nil, "bread:", Pack.Count(p, "bread"))
	// Output:
	// bread: 3
	// head: false ""
	// hand: true "sword"
	// back: false ""
	// true bread: 3
}
