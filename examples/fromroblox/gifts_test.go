package fromroblox

import (
	"context"
	"fmt"

	"github.com/holdfast-games/holdfast/mailbox"
	"github.com/holdfast-games/holdfast/profile"
)

// Parcel is what a gift holds.
type Parcel struct {
	Coins int64  `json:"coins"`
	Text  string `json:"text"`
}

var (
	Friend = profile.NewSchema("friend", Coins, mailbox.Received)
	Gifts  = mailbox.Topic[Parcel]("gift")
)

// bank opens the gift bank of a server. An error of the handler leaves the gift
// where it is; it is tried again with the next load.
func bank(srv *profile.Server) *mailbox.Mailbox {
	box, err := mailbox.Open(context.Background(), srv, nil)
	must(err)
	must(Gifts.Handle(box, func(tx *profile.Tx, m *mailbox.Mail[Parcel]) error {
		return Coins.Add(tx, m.Body.Coins)
	}))
	return box
}

// A gift reaches a player who is here, on another server or nowhere, once. What the
// giver pays and what the other gets cannot come apart.
func Example_giftBank() {
	g := start(Friend, nil)
	defer g.stop()
	here, there := bank(g.a), bank(g.b)
	defer there.Close()
	defer here.Close()
	ctx := context.Background()
	leave(join(g.a, "bob")) // Bob has played once, and is gone

	alice := join(g.a, "alice")
	_, err := Gifts.Give(ctx, here, alice, "bob", Parcel{Coins: 30, Text: "for you"}, nil, func(tx *profile.Tx) error {
		return Coins.Add(tx, -30)
	})
	must(err)
	_, err = Gifts.Send(ctx, here, "bob", Parcel{Coins: 5}, &mailbox.SendOptions{ID: "welcome-back"}) // from the house
	must(err)

	bob := join(g.b, "bob")
	fmt.Println("Alice:", Coins.Get(alice), "Bob:", Coins.Get(bob))
	// Output: Alice: 70 Bob: 135
}
