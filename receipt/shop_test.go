package receipt_test

import (
	"encoding/json"
	"errors"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
)

// What players have in these tests, and what is sold.
var (
	coins = profile.Int("coins", 0, profile.Min(0), profile.Max(10_000))
	got   = profile.Counters("got")  // how often a purchase was granted, by its id
	took  = profile.Counters("took") // how often one was taken back
	bag   = profile.Map[string]("bag", profile.MaxLen(2))
	slots = profile.Counters("slots") // coins of each save slot

	player = profile.NewSchema("player", coins, got, took, bag, slots)

	// The same kind with coins of another type: what it writes player cannot load.
	badCoins  = profile.String("coins", "")
	badPlayer = profile.NewSchema("player", badCoins)
)

var errFull = errors.New("the bag is full")

// products are what the games of these tests sell.
func products() []receipt.Product {
	return []receipt.Product{
		{Name: "coins", Grant: grantCoins, Refund: takeCoins},
		{Name: "sword", Grant: grantSword},
		{Name: "half", Grant: grantHalf},
		{Name: "bomb", Grant: func(tx *profile.Tx, a *receipt.Award) error {
			_ = grantCoins(tx, a)
			panic("boom")
		}},
		{Name: "slot", Grant: grantSlot, Refund: takeSlot},
		{Name: "stubborn", Grant: grantCoins, Refund: func(tx *profile.Tx, a *receipt.Award) error {
			if coins.Get(tx) < 10*a.Quantity {
				return errors.New("the coins are spent")
			}
			return takeCoins(tx, a)
		}},
	}
}

// grantCoins gives 10 coins each, and counts. What a write refuses it ignores, as
// the update fails with it anyhow.
func grantCoins(tx *profile.Tx, a *receipt.Award) error {
	_ = got.Add(tx, a.ID, 1)
	_ = coins.Add(tx, 10*a.Quantity)
	return nil
}

func takeCoins(tx *profile.Tx, a *receipt.Award) error {
	if err := took.Add(tx, a.ID, 1); err != nil {
		return err
	}
	return coins.Add(tx, -min(10*a.Quantity, coins.Get(tx)))
}

// grantSword needs room in the bag.
func grantSword(tx *profile.Tx, a *receipt.Award) error {
	if bag.Len(tx) >= 2 {
		return errFull
	}
	return errors.Join(bag.Put(tx, a.ID, "sword"), got.Add(tx, a.ID, 1))
}

// grantHalf fails when it has written some of it, until the bag says otherwise.
func grantHalf(tx *profile.Tx, a *receipt.Award) error {
	if err := grantCoins(tx, a); err != nil || bag.Has(tx, "mended") {
		return err
	}
	return errors.New("fails half way")
}

// grantSlot gives to the save slot that the purchase names.
func grantSlot(tx *profile.Tx, a *receipt.Award) error {
	var d struct{ Slot string }
	if err := json.Unmarshal(a.Details, &d); err != nil {
		return err
	}
	a.Into = d.Slot
	return errors.Join(slots.Add(tx, d.Slot, 10*a.Quantity), got.Add(tx, a.ID, 1))
}

func takeSlot(tx *profile.Tx, a *receipt.Award) error {
	return errors.Join(slots.Add(tx, a.Into, -10*a.Quantity), took.Add(tx, a.ID, 1))
}

// buy returns a purchase of 10 coins for a player.
func buy(id, player string) receipt.Purchase {
	return receipt.Purchase{ID: id, Product: "coins", Player: player}
}

// buyOf is buy of another product.
func buyOf(product, id, player string) receipt.Purchase {
	return receipt.Purchase{ID: id, Product: product, Player: player}
}
