package fromroblox

import (
	"context"
	"fmt"
)

// A ranking, as an OrderedDataStore is used for one.
func Example_ranking() {
	g := start(Runner, nil)
	defer g.stop()
	ctx := context.Background()
	wins, err := g.db.Ranking("wins", nil)
	must(err)
	must(wins.Set(ctx, "alice", 12))
	must(wins.Set(ctx, "bob", 7))
	_, err = wins.Add(ctx, "carol", 9)
	must(err)
	top, err := wins.Top(ctx, 2)
	must(err)
	for _, s := range top {
		fmt.Println(s.Rank, s.Member, s.Score)
	}
	bob, err := wins.Rank(ctx, "bob")
	must(err)
	fmt.Println("Bob is number", bob.Rank)
	// Output:
	// 1 alice 12
	// 2 carol 9
	// Bob is number 3
}
