package profile_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/profile"
)

// A web shop sells a sword to a hero, who is playing on some server, or sleeps.
func ExampleServer_Change() {
	srv, stop := start()
	defer stop()
	ctx := context.Background()
	if err := enter(srv, "42").Close(ctx); err != nil {
		fmt.Println(err)
	}
	buy := []profile.Op{
		Gold.ExpectAtLeastOp(80),
		Gold.AddOp(-80),
		Weapons.PutOp("sword", Weapon{Damage: 5}),
	}
	for _, order := range []string{"order 1", "order 1", "order 2"} {
		done, err := srv.Change(ctx, "42", buy, &profile.ChangeOptions{ID: order, Reason: "web shop"})
		switch {
		case err == nil:
			fmt.Printf("%s: %s gold left\n", order, done.Results[1])
		case errors.Is(err, profile.ErrConditionFailed):
			fmt.Println(order + ": not enough gold")
		case errors.Is(err, profile.ErrPending):
			fmt.Println(order + ": ask again with the same id")
		default:
			fmt.Println(order+":", err)
		}
	}
	// Output:
	// order 1: 20 gold left
	// order 1: 20 gold left
	// order 2: not enough gold
}

// A lobby shows what a friend has, wherever he plays.
func ExampleServer_Follow() {
	srv, stop := start()
	defer stop()
	ctx := context.Background()
	p := enter(srv, "42")
	told := make(chan string, 2)
	f, err := srv.Follow(ctx, "42", func(now profile.Followed) {
		for _, c := range now.Changes {
			told <- fmt.Sprintf("%v was %s and is %s", c.Path, c.Old, c.New)
		}
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	fmt.Println("gold:", Gold.Get(f))
	err = p.Update(func(tx *profile.Tx) error {
		Gold.Set(tx, 120)
		return Weapons.Put(tx, "sword", Weapon{Damage: 5})
	})
	fmt.Println(err)
	fmt.Println(<-told)
	fmt.Println(<-told)
	fmt.Println("gold:", Gold.Get(f))
	// Output:
	// gold: 100
	// <nil>
	// gold was  and is 120
	// weapons was  and is {"sword":{"damage":5}}
	// gold: 120
}
