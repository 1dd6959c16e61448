package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/inventory"
	"github.com/holdfast-games/holdfast/profile"
)

// itemsField is an inventory: of swords, which are unique, and of gems.
const itemsField = "items"

var (
	swordsAndGems = inventory.NewCatalogue(
		inventory.Item{Name: "sword", Unique: true},
		inventory.Item{Name: "gem", Stack: 5},
	)
	itemsOf = inventory.New(itemsField, swordsAndGems, nil)
	// elementsOf is what lies under the inventory, for the model, and for a game that
	// does what no inventory would.
	elementsOf = itemsOf.Field.(*profile.ElementsField)
)

// minted is how many gems come into the world with a sword.
const minted = 3

// carries reports whether items change hands in a trade too. What a seed decides
// besides is not changed by that.
func (t *trade) carries() bool { return t.amount%2 == 0 }

// carry has the first of a trade's players give the second a sword and some gems; or
// he gets a new sword, and gems with it. It returns what that changes of each player,
// and how many gems are new.
func (t *trade) carry(txs []*profile.Tx) (changed [][]change, gems int, err error) {
	before := elementsIn(txs)
	giver, taker := txs[0], txs[1]
	sword, has := first(itemsOf, giver, "sword")
	if !has || t.amount%10 == 0 {
		_, err = itemsOf.Create(giver, "sword", nil, &inventory.Origin{By: t.in.name, Reason: t.name})
		if err == nil {
			_, err = itemsOf.Add(giver, "gem", minted, nil)
		}
		gems = minted
	} else {
		err = t.give(giver, taker, sword)
	}
	if err != nil {
		return nil, 0, err
	}
	after := elementsIn(txs)
	for i := range txs {
		changed = append(changed, difference(before[i], after[i]))
	}
	return changed, gems, nil
}

// give hands over a sword, and of the giver's first gems as many as he can spare.
func (t *trade) give(giver, taker *profile.Tx, sword inventory.Entry) error {
	value, _ := elementsOf.Get(giver, sword.Key)
	_, err := itemsOf.Transfer(giver, sword.Key, 1, taker, &inventory.TransferOptions{Reason: t.name})
	if t.in.w.plant.what == ForgottenRemoval {
		err = errors.Join(err, elementsOf.Put(giver, sword.Key, value))
	}
	if gems, ok := first(itemsOf, giver, "gem"); ok && err == nil {
		_, err = itemsOf.Transfer(giver, gems.Key, min(gems.Amount, int64(1+t.amount%4)), taker, nil)
	}
	return err
}

func first(inv *inventory.Inventory, r profile.Reader, item string) (inventory.Entry, bool) {
	for e := range inv.Find(r, item) {
		return e, true
	}
	return inventory.Entry{}, false
}

// elementsIn returns what is stored of the inventories in transactions.
func elementsIn(txs []*profile.Tx) []map[string]string {
	all := make([]map[string]string, len(txs))
	for i, tx := range txs {
		all[i] = make(map[string]string)
		for key, value := range elementsOf.All(tx) {
			all[i][key] = string(value)
		}
	}
	return all
}

// difference returns the changes that make one inventory of another.
func difference(before, after map[string]string) (cs []change) {
	for key, value := range after {
		if before[key] != value {
			cs = append(cs, change{document.Element(itemsField, key), value})
		}
	}
	for key := range before {
		if _, ok := after[key]; !ok {
			cs = append(cs, change{document.Element(itemsField, key), ""})
		}
	}
	slices.SortFunc(cs, func(a, b change) int { return a.path.Compare(b.path) })
	return cs
}

// checkSwords checks that in what is durable of all players no sword stands twice. It
// goes by the stored form, with a reader of its own.
func (c *checker) checkSwords() error {
	owners := make(map[string]*player)
	for _, p := range c.players {
		for key := range p.durable.content.objects[itemsField] {
			if !strings.HasPrefix(key, "sword#") {
				continue
			}
			if other := owners[key]; other != nil {
				return fmt.Errorf("%s stands in %v and in %v", key, other.durable, p.durable)
			}
			owners[key] = p
		}
	}
	return nil
}

// gems are those of what is durable of a player, and those that its updates have
// brought into the world.
func (p *player) gems() (has, made int, err error) {
	for u := p.durable; u != nil; u = u.parent {
		made += u.gems
	}
	for key, value := range p.durable.content.objects[itemsField] {
		if !strings.HasPrefix(key, "gem") {
			continue
		}
		var stack struct {
			N int `json:"n"`
		}
		if err := json.Unmarshal([]byte(value), &stack); err != nil || stack.N < 1 {
			return 0, 0, fmt.Errorf("%v has %s of %s", p.key, key, value)
		}
		has += stack.N
	}
	return has, made, nil
}

// checkGems checks that as many gems are durable, those of the erased included, as
// durable updates have brought into the world.
func (c *checker) checkGems() error {
	have, want := c.gemsErased, c.gemsOfErased
	for _, p := range c.players {
		has, made, err := p.gems()
		if err != nil {
			return err
		}
		have, want = have+has, want+made
	}
	if have != want {
		return fmt.Errorf("there are %d gems, and %d came into the world", have, want)
	}
	return nil
}
