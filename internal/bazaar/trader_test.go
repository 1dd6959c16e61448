package bazaar_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/holdfast-games/holdfast/profile"
)

// The fields of a trader.
var (
	coins  = profile.Int("coins", 0, profile.Min(0))
	gems   = profile.Int("gems", 0, profile.Min(0))
	goods  = profile.Set("goods")
	deals  = profile.Set("deals")    // the ids of those that he was part of
	count  = profile.Int("count", 0) // of the same: an id is in a set but once
	trader = profile.NewSchema("trader", coins, gems, goods, deals, count)
)

// What a trader has at first.
const (
	coinsEach = 1000
	gemsEach  = 200
	goodsEach = 2
)

func id(n int) string   { return "t" + strconv.Itoa(n) }
func good(n int) string { return "g" + strconv.Itoa(n) }

// stock gives a trader what he has at first.
func stock(tx *profile.Tx, n int) error {
	for i := range goodsEach {
		_ = goods.Add(tx, good(n*goodsEach+i)) // a refusal fails the update
	}
	_ = coins.Set(tx, coinsEach)
	return gems.Set(tx, gemsEach)
}

// kind is what is done in a deal.
type kind int

const (
	sale   kind = iota // the first pays the second coins for a good
	swap               // the first gives the second coins for gems
	gift               // the first gives the second a good
	circle             // each of three pays coins to the next, for a good
	alone              // one does something that concerns nobody else
	kinds  = int(alone)
)

// deal is something that is done by one trader or several, all or none of it.
type deal struct {
	id    string
	kind  kind
	who   []int
	price int64
	which int  // good, of those that somebody has
	undo  bool // it fails at its end
}

// pick returns a deal of several by chance.
func pick(dice *rand.Rand, id string, traders int) *deal {
	d := &deal{id: id, kind: kind(dice.IntN(kinds)), price: 1 + dice.Int64N(coinsEach/4), which: dice.IntN(1000), undo: dice.IntN(32) == 0}
	parties := 2
	if d.kind == circle {
		parties = 3
	}
	for len(d.who) < parties {
		if n := dice.IntN(traders); !slices.Contains(d.who, n) {
			d.who = append(d.who, n)
		}
	}
	return d
}

func (d *deal) ids() []string {
	ids := make([]string, len(d.who))
	for i, n := range d.who {
		ids[i] = id(n)
	}
	return ids
}

var (
	errPoor = errors.New("somebody has too little")
	errUndo = errors.New("somebody has changed his mind")
)

// do makes the deal. It can be called again on other transactions.
func (d *deal) do(txs []*profile.Tx) error {
	for _, tx := range txs {
		if deals.Has(tx, d.id) {
			return fmt.Errorf("deal %s is made a second time", d.id)
		}
		_ = deals.Add(tx, d.id)
		_ = count.Add(tx, 1)
	}
	var err error
	switch d.kind {
	case sale:
		err = errors.Join(pay(coins, txs[0], txs[1], d.price), d.hand(txs[1], txs[0]))
	case swap:
		err = errors.Join(pay(coins, txs[0], txs[1], d.price), pay(gems, txs[1], txs[0], d.price/5))
	case gift:
		err = d.hand(txs[0], txs[1])
	case circle:
		for i, tx := range txs {
			next := txs[(i+1)%len(txs)]
			err = errors.Join(err, pay(coins, tx, next, d.price), d.hand(next, tx))
		}
	}
	if err == nil && d.undo {
		return errUndo
	}
	return err
}

func pay(f *profile.IntField, from, to *profile.Tx, n int64) error {
	if f.Get(from) < n {
		return errPoor
	}
	_ = f.Add(from, -n)
	return f.Add(to, n)
}

// hand gives one of the goods of one trader to another.
func (d *deal) hand(from, to *profile.Tx) error {
	names := slices.Collect(goods.Keys(from))
	if len(names) == 0 {
		return errPoor
	}
	name := names[d.which%len(names)]
	_ = goods.Delete(from, name)
	return goods.Add(to, name)
}
