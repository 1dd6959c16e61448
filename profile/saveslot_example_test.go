package profile_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

// A hero's level is his save slot's, his gems are his account's.
var (
	Gems      = profile.Int("gems", 0, profile.Min(0))
	HeroLevel = profile.Int("level", 1, profile.PerSlot())
	Saga      = profile.NewSchema("hero", Gems, HeroLevel).
			WithSlots(profile.SlotRules{Max: 3, Summary: []profile.Field{HeroLevel}})
)

// openHeroes starts a server, on a database in memory here.
func openHeroes(ctx context.Context) (*profile.Server, func()) {
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	srv, err := profile.Open(ctx, db, Saga, nil)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return srv, func() {
		_, err := srv.Close(ctx)
		if err = errors.Join(err, db.Close(ctx)); err != nil {
			fmt.Println(err)
		}
	}
}

// A player starts a second game and goes back to the first.
func ExampleProfile_SwitchSlot() {
	ctx := context.Background()
	srv, stop := openHeroes(ctx)
	defer stop()
	p, err := srv.Open(ctx, "42", nil) // with his first slot
	if err != nil {
		fmt.Println(err)
		return
	}
	earn := func(level, gems int64) {
		err := p.Update(func(tx *profile.Tx) error { _ = HeroLevel.Add(tx, level); return Gems.Add(tx, gems) })
		if err != nil {
			fmt.Println(err)
		}
	}
	earn(6, 10)
	if _, err := p.CreateSlot(ctx, "Hard mode", true); err != nil {
		fmt.Println(err)
	}
	earn(1, 5)
	fmt.Printf("hard mode: level %d, %d gems\n", HeroLevel.Get(p), Gems.Get(p))
	if err := p.SwitchSlot(ctx, profile.FirstSlot); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("first game: level %d, %d gems\n", HeroLevel.Get(p), Gems.Get(p))
	for _, s := range p.SaveSlots() {
		fmt.Printf("%s %q: level %s, loaded %v\n", s.ID, s.Name, s.Summary["level"], s.Loaded)
	}
	// Output:
	// hard mode: level 2, 15 gems
	// first game: level 7, 15 gems
	// 1 "Slot 1": level 7, loaded true
	// 2 "Hard mode": level 2, loaded false
}

// A menu shows the slots before one is loaded.
func ExampleOpenOptions_slot() {
	ctx := context.Background()
	srv, stop := openHeroes(ctx)
	defer stop()
	p, err := srv.Open(ctx, "42", &profile.OpenOptions{Slot: profile.NoSlot})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(p.SaveSlots()), "slots")
	err = p.Update(func(tx *profile.Tx) error { return HeroLevel.Set(tx, 2) })
	fmt.Println("without a slot:", errors.Is(err, profile.ErrNoSlot))
	id, err := p.CreateSlot(ctx, "Anna", true)
	fmt.Println("loaded:", id, err)
	// Output:
	// 0 slots
	// without a slot: true
	// loaded: 1 <nil>
}
