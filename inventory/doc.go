// Package inventory gives players items: stacks of what is alike, and instances that
// are each one of a kind.
//
// # Nouns
//
// A [Catalogue] is a game's items and their rules, in code or from a JSON file. An
// [Inventory] is a field of a profile's schema; a profile may have several, such as a
// bag and a bank, and [Places] are one of which each entry lies in a place of its own.
// An [Entry] is one stack (an item, an amount, properties) or one instance (an id,
// properties, a [History]). Its key names it within its inventory.
//
//	var (
//		Items = inventory.NewCatalogue(
//			inventory.Item{Name: "arrow", Stack: 64},
//			inventory.Item{Name: "sword", Unique: true, Properties: map[string]any{"durability": 100}},
//		)
//		Bag    = inventory.New("bag", Items, &inventory.Options{Capacity: 40})
//		Player = profile.NewSchema("player", Bag)
//	)
//
//	err := p.Update(func(tx *profile.Tx) error {
//		if _, err := Bag.Remove(tx, "arrow", 5); err != nil {
//			return err // *NotEnoughError: nothing was taken
//		}
//		_, err := Bag.Create(tx, "sword", nil, &inventory.Origin{By: "smith"})
//		return err
//	})
//
// # Operations
//
//	look up            Count, Has, Get, Find (by name), All, Len, Room
//	stacks             Add, AddUpTo, Remove, RemoveAt, Split, Merge
//	instances          Create, Entry.History
//	any entry          Delete, SetProperties, SetProperty, EditProperty, Clear
//	between two        Move (of one profile), Transfer (of two)
//	from anywhere      AddOp, RemoveOp, CreateOp, DeleteOp, with profile.Server.Change
//
// Those that write take a *profile.Tx and are refused as every write is: the update
// fails with a *profile.RefusedError, and nothing of it remains, even if its function
// ignores the error. So nothing is ever taken or added in part. Who wants to know
// beforehand asks Has or Room, or lets AddUpTo take what fits.
//
// Amounts are whole, from 1 to [MaxAmount]. What is not is refused, wherever it comes
// from, and no sum of an item in an inventory exceeds it.
//
// # Instances
//
// An id is given once, by the server that makes the instance, and is unique in the
// world and ordered by time. Moving keeps it; a transfer to another profile adds a hop
// to the history. What is made of other things names their keys in Origin.From.
//
// Nothing here copies an instance, and Transfer refuses one that would be in an
// inventory twice. But whole players can be copied past this package: a version from
// before a trade is restored, or a save slot is copied. The command "holdfast audit
// items" finds instances that stand in two places, over a whole database.
//
// # What it costs
//
// Each entry is an element of the field, with the item's name at the beginning of its
// key, so that it is read, journalled, saved and sent by itself, and the entries of an
// item are found without looking at others, by a table that the document keeps. An
// operation costs what the entries of its item cost, whatever the inventory holds
// besides.
//
// # A catalogue that changes
//
// What is stored stays, also if the catalogue does not know it any more, knows it as
// another kind, or allows less of it: it is loaded, can be looked up, edited, taken,
// moved, transferred and deleted. More of it cannot be made. [Inventory.Review] lists
// such entries.
//
// # Concurrency
//
// Catalogues and inventories are immutable and safe for concurrent use. Operations
// belong to the update whose Tx they are given; readers may be used as those of any
// field.
package inventory
