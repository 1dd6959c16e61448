package fromroblox

import (
	"fmt"

	"github.com/holdfast-games/holdfast/profile"
)

var (
	XP    = profile.Int("xp", 0, profile.Min(0))
	Level = profile.Int("level", 1, profile.Min(1), profile.Max(50))
	Mage  = profile.NewSchema("mage", Coins, XP, Level)
)

// need is how much experience leads from a level to the next.
func need(level int64) int64 { return 100 * level }

// Earn gives experience, and with it levels, each with its reward: all of it or,
// if anything is refused, none.
func Earn(p *profile.Profile, xp int64) error {
	return p.Update(func(tx *profile.Tx) error {
		XP.Add(tx, xp)
		for XP.Get(tx) >= need(Level.Get(tx)) {
			XP.Add(tx, -need(Level.Get(tx)))
			Level.Add(tx, 1)
			Coins.Add(tx, 10)
		}
		return nil
	})
}

// Experience and levels.
func Example_experienceAndLevel() {
	g := start(Mage, nil)
	defer g.stop()
	p := join(g.a, "42")
	defer Level.OnChange(p, func(was, now int64) { fmt.Println("level", was, "to", now) })()
	must(Earn(p, 350))
	fmt.Println("xp:", XP.Get(p), "coins:", Coins.Get(p))
	// Output:
	// level 1 to 3
	// xp: 50 coins: 120
}
