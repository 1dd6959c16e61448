package fromroblox

import (
	"context"
	"fmt"

	"github.com/holdfast-games/holdfast/profile"
)

var (
	Coins = profile.Int("coins", 100, profile.Min(0))
	Saver = profile.NewSchema("player", Coins)
)

// A player gets coins from another server than the one he plays on: there is no
// message to publish and no cache to refresh, and it happens once.
func Example_coinsFromAnotherServer() {
	g := start(Saver, nil)
	defer g.stop()
	ctx := context.Background()
	p := join(g.a, "42") // plays on a

	_, err := g.b.Change(ctx, "42", []profile.Op{Coins.AddOp(25)}, &profile.ChangeOptions{ID: "daily-2026-03-01"})
	must(err)
	_, err = g.b.Change(ctx, "42", []profile.Op{Coins.AddOp(25)}, &profile.ChangeOptions{ID: "daily-2026-03-01"}) // again: changes nothing
	must(err)
	fmt.Println("while he plays:", Coins.Get(p))

	leave(p)
	_, err = g.b.Change(ctx, "42", []profile.Op{Coins.ExpectAtLeastOp(100), Coins.AddOp(-100)}, nil) // he is nowhere now
	must(err)
	c, err := g.a.Peek(ctx, "42") // a look, without the session lock
	must(err)
	fmt.Println("after he left:", Coins.Get(c))
	// Output:
	// while he plays: 125
	// after he left: 25
}
