package fromroblox

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
)

// coinProducts are products that award coins.
func coinProducts(amounts map[string]int64) []receipt.Product {
	var products []receipt.Product
	for name, n := range amounts {
		products = append(products, receipt.Product{
			Name:  name,
			Grant: func(tx *profile.Tx, a *receipt.Award) error { return Coins.Add(tx, n*a.Quantity) },
			Refund: func(tx *profile.Tx, a *receipt.Award) error { // what is left of them
				return Coins.Add(tx, -min(n*a.Quantity, Coins.Get(tx)))
			},
		})
	}
	return products
}

// Products with coins: whatever crashes, repeats or races, a purchase is granted
// once, and the store is told so only when it is on disk.
func Example_products() {
	g := start(Saver, nil)
	defer g.stop()
	ctx := context.Background()
	book, err := receipt.New(g.a, coinProducts(map[string]int64{"coins.small": 100, "coins.large": 1000}), nil)
	must(err)
	p := join(g.a, "42")

	bought := receipt.Purchase{ID: "shop:9001", Product: "coins.large", Player: "42"}
	for range 2 { // stores tell twice
		r, err := book.Grant(ctx, bought)
		fmt.Println(r.State, err, Coins.Get(p))
	}
	_, err = book.Grant(ctx, receipt.Purchase{ID: "shop:9002", Product: "coins.huge", Player: "42"})
	fmt.Println(errors.Is(err, receipt.ErrUnknownProduct), errors.Is(err, receipt.ErrNotProcessed))
	r, err := book.Refund(ctx, bought, "charged back")
	fmt.Println(r.State, err, Coins.Get(p))
	// Output:
	// granted <nil> 1100
	// granted <nil> 1100
	// true true
	// refunded <nil> 100
}
