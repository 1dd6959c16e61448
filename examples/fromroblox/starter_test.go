package fromroblox

import (
	"context"
	"fmt"

	"github.com/holdfast-games/holdfast/profile"
)

var (
	Bag     = profile.Counters("bag", profile.Min(0)) // never more taken out than is in
	Farmer  = profile.NewSchema("farmer", Bag)
	Starter = map[string]int64{"sword": 1, "bread": 5}
)

// Who plays for the first time finds a sword and bread in his bag. A load that
// failed never makes a player look new, and a crash gives him the bag once.
func Example_starterBag() {
	g := start(Farmer, func(p *profile.Profile) {
		if !p.Fresh() {
			return
		}
		must(p.Update(func(tx *profile.Tx) error {
			for name, n := range Starter {
				Bag.Add(tx, name, n)
			}
			return nil // a write that was refused would refuse the update
		}))
	})
	defer g.stop()
	p := join(g.a, "42")
	must(p.Update(func(tx *profile.Tx) error {
		return Bag.Add(tx, "bread", -1) // he eats one
	}, profile.Durable(context.Background())))
	leave(p)
	p = join(g.b, "42") // and comes back, to another server
	fmt.Println("sword:", Bag.Get(p, "sword"), "bread:", Bag.Get(p, "bread"))
	// Output: sword: 1 bread: 4
}
