package inventory_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/inventory"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
	"github.com/holdfast-games/holdfast/trade"
)

var (
	goods = inventory.NewCatalogue(
		inventory.Item{Name: "arrow", Stack: 64},
		inventory.Item{Name: "iron"},
		inventory.Item{Name: "sword", Unique: true, Properties: map[string]any{"durability": 100}},
	)
	pack  = inventory.New("pack", goods, &inventory.Options{Capacity: 3})
	hands = inventory.NewPlaces("hands", goods, []string{"left", "right"})
	gold  = profile.Int("gold", 100, profile.Min(0))
	hero  = profile.NewSchema("hero", pack, hands, gold)
)

// game starts a server and opens two heroes.
func game() (srv *profile.Server, ann, bob *profile.Profile, stop func()) {
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		panic(err)
	}
	if srv, err = profile.Open(ctx, db, hero, nil); err != nil {
		panic(err)
	}
	ann, _ = srv.Open(ctx, "ann", nil)
	bob, _ = srv.Open(ctx, "bob", nil)
	return srv, ann, bob, func() {
		_, _ = srv.Close(ctx)
		_ = db.Close(ctx)
	}
}

// Stacks are filled one after another; what does not fit is refused.
func ExampleInventory_Add() {
	_, ann, _, stop := game()
	defer stop()

	err := ann.Update(func(tx *profile.Tx) error {
		parts, err := pack.Add(tx, "arrow", 100, nil)
		fmt.Println(parts)
		return err
	})
	fmt.Println(err, pack.Count(ann, "arrow"))

	err = ann.Update(func(tx *profile.Tx) error {
		_, err := pack.Add(tx, "arrow", 100, nil)
		return err
	})
	var full *inventory.FullError
	fmt.Println(errors.As(err, &full), full.Fits, pack.Count(ann, "arrow"))
	// Output:
	// [{arrow 64} {arrow#2 36}]
	// <nil> 100
	// true 92 100
}

func ExampleInventory_Remove() {
	_, ann, _, stop := game()
	defer stop()
	_ = ann.Update(func(tx *profile.Tx) error {
		_, err := pack.Add(tx, "arrow", 10, nil)
		return err
	})

	err := ann.Update(func(tx *profile.Tx) error {
		_, err := pack.Remove(tx, "arrow", 11)
		return err
	})
	var few *inventory.NotEnoughError
	fmt.Println(errors.As(err, &few), few.Have, pack.Count(ann, "arrow"))
	// Output: true 10 10
}

// Crafting consumes some things and creates another in one update.
func ExampleInventory_Create() {
	_, ann, _, stop := game()
	defer stop()
	_ = ann.Update(func(tx *profile.Tx) error {
		_, err := pack.Add(tx, "iron", 5, nil)
		return err
	})

	err := ann.Update(func(tx *profile.Tx) error {
		if _, err := pack.Remove(tx, "iron", 3); err != nil {
			return err
		}
		_, err := pack.Create(tx, "sword", nil, &inventory.Origin{By: "hero/ann", Reason: "crafted", From: []string{"3 iron"}})
		return err
	})
	for sword := range pack.Find(ann, "sword") {
		h, _ := sword.History()
		fmt.Println(err, string(sword.Properties), h.By, h.From)
	}
	// Output: <nil> {"durability":100} hero/ann [3 iron]
}

// A sword is sold: gold and sword change hands together, wherever the players are.
func ExampleInventory_Transfer() {
	ctx := context.Background()
	srv, ann, bob, stop := game()
	defer stop()
	var sword inventory.Entry
	_ = ann.Update(func(tx *profile.Tx) (err error) {
		sword, err = pack.Create(tx, "sword", nil, nil)
		return err
	})

	err := trade.Do(ctx, srv, []string{"ann", "bob"}, func(tx []*profile.Tx) error {
		ann, bob := tx[0], tx[1]
		if _, err := pack.Transfer(ann, sword.Key, 1, bob, &inventory.TransferOptions{Reason: "sold for 60"}); err != nil {
			return err
		}
		return errors.Join(gold.Add(bob, -60), gold.Add(ann, 60))
	}, nil)
	e, _ := pack.Get(bob, sword.Key)
	h, _ := e.History()
	fmt.Println(err, pack.Len(ann), gold.Get(ann), h.First, "→", h.Hops[0].To, h.Hops[0].Reason)
	// Output: <nil> 0 160 hero/ann → hero/bob sold for 60
}

// What is worn has come out of the pack; places may be empty.
func ExamplePlaces() {
	_, ann, _, stop := game()
	defer stop()
	err := ann.Update(func(tx *profile.Tx) error {
		sword, err := pack.Create(tx, "sword", nil, nil)
		if err != nil {
			return err
		}
		return hands.Put(tx, "right", pack, sword.Key)
	})
	for _, place := range hands.Names() {
		e, ok := hands.At(ann, place)
		fmt.Printf("%s %v %q\n", place, ok, e.Item)
	}
	fmt.Println(err, pack.Len(ann))
	// Output:
	// left false ""
	// right true "sword"
	// <nil> 0
}

func ExampleParseCatalogue() {
	c, err := inventory.ParseCatalogue([]byte(`{"items": {
		"arrow": {"stack": 64},
		"sword": {"unique": true, "properties": {"durability": 100}}
	}}`), nil)
	if err != nil {
		panic(err)
	}
	arrow, _ := c.Item("arrow")
	fmt.Println(c.Len(), arrow.Stack)

	_, err = inventory.ParseCatalogue([]byte(`{"items": {"arrow": {"stack": 6.5}}}`), nil)
	fmt.Println(err)
	// Output:
	// 2 64
	// mistake in catalogue: item "arrow": stack: no possible amount: 6.5
}

// An award reaches a player on whichever server he is, or offline.
func ExampleInventory_AddOp() {
	ctx := context.Background()
	srv, ann, _, stop := game()
	defer stop()
	c, err := srv.Change(ctx, "ann", []profile.Op{pack.AddOp("arrow", 20, nil), gold.AddOp(5)}, nil)
	fmt.Println(err, string(c.Results[0]), pack.Count(ann, "arrow"))
	// Output: <nil> 20 20
}
