package fromroblox

import (
	"fmt"

	"github.com/holdfast-games/holdfast/profile"
)

var (
	Wins    = profile.Int("wins", 0, profile.Min(0))
	Country = profile.String("country", "")
	Runner  = profile.NewSchema("runner", Coins, Wins, Country)
)

// Leaderstats are values that everybody sees and that follow the data: what is shown
// is set at the load, and then by the field's own event.
func Example_leaderstats() {
	board := make(map[string]int64)
	g := start(Runner, func(p *profile.Profile) {
		board["coins"], board["wins"] = Coins.Get(p), Wins.Get(p)
		Coins.OnChange(p, func(_, now int64) { board["coins"] = now })
		Wins.OnChange(p, func(_, now int64) { board["wins"] = now })
	})
	defer g.stop()
	p := join(g.a, "42")
	fmt.Println(board)
	must(p.Update(func(tx *profile.Tx) error {
		Wins.Add(tx, 1)
		return Coins.Add(tx, 50)
	}))
	fmt.Println(board)
	// Output:
	// map[coins:100 wins:0]
	// map[coins:150 wins:1]
}
