package fromroblox

import (
	"context"
	"fmt"

	"github.com/holdfast-games/holdfast/profile"
)

var (
	Gems  = profile.Int("gems", 0, profile.Min(0)) // of the account, whatever slot is loaded
	Stage = profile.Int("stage", 1, profile.PerSlot())
	Loot  = profile.Counters("loot", profile.PerSlot())

	Hiker = profile.NewSchema("hiker", Gems, Stage, Loot).WithSlots(profile.SlotRules{Max: 3, Summary: []profile.Field{Stage}})
)

// Save slots: each has its own game, beside what is the account's. The player stays
// locked while he switches, and a crash leaves him in the one or in the other.
func Example_saveSlots() {
	g := start(Hiker, nil)
	defer g.stop()
	ctx := context.Background()
	p := join(g.a, "42") // has one slot, and plays in it
	must(p.Update(func(tx *profile.Tx) error {
		Gems.Add(tx, 7)
		return Stage.Set(tx, 12)
	}))
	second, err := p.CreateSlot(ctx, "Speedrun", true) // and loads it
	must(err)
	fmt.Println("gems:", Gems.Get(p), "stage:", Stage.Get(p))
	for _, s := range p.SaveSlots() { // without loading them
		fmt.Printf("%s %q loaded %t stage %q\n", s.ID, s.Name, s.Loaded, s.Summary["stage"])
	}
	must(p.SwitchSlot(ctx, profile.FirstSlot))
	fmt.Println("stage:", Stage.Get(p))
	must(p.DeleteSlot(ctx, second)) // can be undeleted for 30 days
	must(p.UndeleteSlot(ctx, second))
	// Output:
	// gems: 7 stage: 1
	// 1 "Slot 1" loaded false stage "12"
	// 2 "Speedrun" loaded true stage ""
	// stage: 12
}
