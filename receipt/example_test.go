package receipt_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/store"
)

var (
	Gems = profile.Int("gems", 0, profile.Min(0))
	Hero = profile.NewSchema("hero", Gems)
)

// A shop sells gems. A real one uses sqlite.Open in place of mem.Open, and a
// verifier, as of package receipt/appstore, with Book.Deliver or Handler.
func Example() {
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	srv, err := profile.Open(ctx, db, Hero, nil)
	if err != nil {
		log.Fatal(err)
	}
	book, err := receipt.New(srv, []receipt.Product{{
		Name:  "gems.large",
		Grant: func(tx *profile.Tx, a *receipt.Award) error { return Gems.Add(tx, 500*a.Quantity) },
		Refund: func(tx *profile.Tx, a *receipt.Award) error {
			return Gems.Add(tx, -min(500*a.Quantity, Gems.Get(tx))) // as many as are left
		},
	}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	p, err := srv.Open(ctx, "42", nil)
	if err != nil {
		log.Fatal(err)
	}

	bought := receipt.Purchase{ID: "webshop:10442", Product: "gems.large", Player: "42"}
	for range 2 { // stores tell twice
		r, err := book.Grant(ctx, bought)
		fmt.Println(r.State, err, Gems.Get(p))
	}
	bought.Player = "43"
	_, err = book.Grant(ctx, bought)
	fmt.Println(errors.Is(err, receipt.ErrOtherPlayer))
	r, err := book.Refund(ctx, bought, "charged back")
	fmt.Println(r.State, err, Gems.Get(p))

	if _, err := srv.Close(ctx); err != nil {
		log.Fatal(err)
	}
	if err := db.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// granted <nil> 500
	// granted <nil> 500
	// true
	// refunded <nil> 0
}
