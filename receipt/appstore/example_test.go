package appstore_test

import (
	"context"
	"fmt"
	"log"

	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/receipt/appstore"
)

// A game's client hands in what StoreKit gave it. Here a store below a root of
// our own signs it; a game reads Apple's root from the file that Apple publishes.
func Example() {
	apple := newStore(nil)
	handedIn := apple.sign(bought(nil))

	roots, err := appstore.Roots(apple.root.Raw) // os.ReadFile("AppleRootCA-G3.cer")
	if err != nil {
		log.Fatal(err)
	}
	v, err := appstore.New(roots, "com.example.game", nil)
	if err != nil {
		log.Fatal(err)
	}
	events, err := v.Verify(context.Background(), receipt.Proof{Body: []byte(handedIn)})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range events {
		fmt.Println(e.ID, e.Product, e.Quantity, e.Player, e.Refund)
	}
	// Output: appstore:2000000123456789 gems.large 3 7e3fb20b-4cdb-47cc-936d-99d65f608138 false
}
