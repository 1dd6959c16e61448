package web

import (
	"github.com/holdfast-games/holdfast/inventory"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
)

// ware is an item of the game, as the page is told of it.
type ware struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Place string `json:"place,omitempty"` // where it is worn; empty: it is not
	Coins int64  `json:"coins,omitempty"` // its price at the stall; 0: it is not sold there
	Gems  int64  `json:"gems,omitempty"`  // or its price in gems
	// Worth is what it is worth to a trader, in coins.
	Worth int64 `json:"worth"`
	// stack says that pieces are alike. Others are each one of a kind, with a history.
	stack bool
}

// wares are all items. The first two grow on the isles.
var wares = []ware{
	{Name: "mushroom", Title: "Red mushroom", Worth: 4, stack: true},
	{Name: "frostbell", Title: "Frostbell", Worth: 4, stack: true},
	{Name: "straw-hat", Title: "Straw hat", Place: "hat", Coins: 8, Worth: 6},
	{Name: "wizard-hat", Title: "Wizard's hat", Place: "hat", Coins: 25, Worth: 20},
	{Name: "lantern", Title: "Lantern", Place: "hand", Coins: 12, Worth: 9},
	{Name: "sword", Title: "Wooden sword", Place: "hand", Coins: 18, Worth: 14},
	{Name: "crown", Title: "Crown", Place: "hat", Gems: 50, Worth: 80},
	{Name: "fox", Title: "Fox", Place: "pet", Worth: 12},
	{Name: "owl", Title: "Owl", Place: "pet", Worth: 12},
	{Name: "dragon", Title: "Little dragon", Place: "pet", Worth: 100},
}

var goods = catalogue()

func catalogue() *inventory.Catalogue {
	items := make([]inventory.Item, len(wares))
	for i, w := range wares {
		items[i] = inventory.Item{Name: w.Name, Unique: !w.stack}
	}
	return inventory.NewCatalogue(items...)
}

// wareOf returns an item by its name.
func wareOf(item string) (ware, bool) {
	for _, w := range wares {
		if w.Name == item {
			return w, true
		}
	}
	return ware{}, false
}

// product is something that the test shop sells.
type product struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Price string `json:"price"`
}

var products = []product{
	{"gems.100", "100 gems", "0.99"},
	{"dragon", "Little dragon", "2.99"},
}

// awards are what the products give, for the book of purchases.
var awards = []receipt.Product{{
	Name:   "gems.100",
	Grant:  func(tx *profile.Tx, a *receipt.Award) error { return gems.Add(tx, 100*a.Quantity) },
	Refund: func(tx *profile.Tx, a *receipt.Award) error { return gems.Add(tx, -min(100*a.Quantity, gems.Get(tx))) },
}, {
	Name: "dragon",
	Grant: func(tx *profile.Tx, a *receipt.Award) error {
		_, err := bag.Create(tx, "dragon", nil, &inventory.Origin{By: "the test shop", From: []string{a.ID}})
		return err
	},
}}

// parcel is something to be given, traded or found: coins, some of an item, or both.
type parcel struct {
	Coins int64  `json:"coins,omitempty"`
	Item  string `json:"item,omitempty"`
	N     int64  `json:"n,omitempty"` // of the item
}

const (
	mostCoins = 100_000 // in one parcel
	mostItems = 100
)

// check says what is wrong with a parcel that a page has sent.
func (g parcel) check() error {
	if g.Coins < 0 || g.Coins > mostCoins {
		return refuse("0 to %d coins", mostCoins)
	}
	if g.Item == "" && g.N == 0 {
		return nil
	}
	if _, ok := wareOf(g.Item); !ok {
		return refuse("there is no such item")
	}
	if g.N < 1 || g.N > mostItems {
		return refuse("1 to %d of an item", mostItems)
	}
	return nil
}

func (g parcel) empty() bool { return g.Coins == 0 && g.N == 0 }

// worth is what a trader thinks of a parcel, in coins.
func (g parcel) worth() int64 {
	w, _ := wareOf(g.Item)
	return g.Coins + g.N*w.Worth
}

// add gives a hero what is in a parcel. Items that are each one of a kind travel by
// trade only, which moves them; a parcel would make a second one.
func (g parcel) add(tx *profile.Tx) error {
	if err := coins.Add(tx, g.Coins); err != nil || g.N == 0 {
		return err
	}
	_, err := bag.Add(tx, g.Item, g.N, nil)
	return err
}

// take takes what is in a parcel from a hero.
func (g parcel) take(tx *profile.Tx) error {
	if err := coins.Add(tx, -g.Coins); err != nil || g.N == 0 {
		return err
	}
	_, err := bag.Remove(tx, g.Item, g.N)
	return err
}

// move moves what is in a parcel from one hero to another, in an update of both.
func (g parcel) move(from, to *profile.Tx) error {
	if err := coins.Add(from, -g.Coins); err != nil {
		return err
	}
	if err := coins.Add(to, g.Coins); err != nil {
		return err
	}
	left := g.N
	for e := range bag.Find(from, g.Item) {
		if left == 0 {
			break
		}
		n := min(left, e.Amount)
		if _, err := bag.Transfer(from, e.Key, n, to, &inventory.TransferOptions{Reason: "traded"}); err != nil {
			return err
		}
		left -= n
	}
	if left > 0 {
		return refuse("%s has not got that many", name.Get(from))
	}
	return nil
}
