package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/holdfast-games/holdfast/mailbox"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

// What a game declares once.
var (
	Coins  = profile.Int("coins", 100, profile.Min(0))
	Player = profile.NewSchema("player", Coins, mailbox.Received)

	Gift = mailbox.Topic[GiftBody]("gift")
)

// GiftBody is what a gift says.
type GiftBody struct {
	Coins int64 `json:"coins"`
}

func Example() {
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil) // a game opens SQLite or PostgreSQL
	if err != nil {
		log.Fatal(err)
	}
	players, err := profile.Open(ctx, db, Player, nil)
	if err != nil {
		log.Fatal(err)
	}
	box, err := mailbox.Open(ctx, players, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		_ = box.Close()
		_, err := players.Close(ctx)
		if err := errors.Join(err, db.Close(ctx)); err != nil {
			log.Fatal(err)
		}
	}()
	err = Gift.Handle(box, func(tx *profile.Tx, m *mailbox.Mail[GiftBody]) error {
		return Coins.Add(tx, m.Body.Coins)
	})
	if err != nil {
		log.Fatal(err)
	}
	bob, err := players.Open(ctx, "bob", nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := bob.Close(ctx); err != nil { // he is offline
		log.Fatal(err)
	}
	alice, err := players.Open(ctx, "alice", nil)
	if err != nil {
		log.Fatal(err)
	}

	// Alice gives Bob 30 coins: they leave her and reach him, or neither.
	_, err = Gift.Give(ctx, box, alice, "bob", GiftBody{30}, nil, func(tx *profile.Tx) error {
		return Coins.Add(tx, -30)
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Alice has", Coins.Get(alice))

	// Everybody who has a profile gets 5, once.
	if _, err := Gift.Grant(ctx, box, GiftBody{5}, mailbox.Grant{ID: "sorry-for-the-outage"}); err != nil {
		log.Fatal(err)
	}
	if bob, err = players.Open(ctx, "bob", nil); err != nil {
		log.Fatal(err)
	}
	fmt.Println("Bob has", Coins.Get(bob))
	// Output:
	// Alice has 70
	// Bob has 135
}
