package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/session"
)

// purchase is something that was paid for, and that stores deliver to several
// servers, again and again, and sometimes for the wrong player.
type purchase struct {
	id     string
	number int
	price  int
	seen   []*player // for whom it was delivered
	owner  *player   // whose it is, as its record tells
	rank   int       // how far it has come
	erased bool      // its player was erased: nobody has it any more, whatever its record says yet
	calls  int       // of its product's functions; the world's mu guards it
}

// The product of all purchases, and the names of the entries of receipts.
const (
	productName   = "coins"
	receiptPrefix = "~receipt/"
)

// ranks are the states of a purchase in their order. 0: nobody has seen it.
var ranks = map[string]int{"claimed": 1, "granted": 2, "refunded": 3, "spent": 4}

// storedReceipt is the record of a purchase.
type storedReceipt struct {
	State string `json:"state"`
	Owner string `json:"owner"`
}

func (b *purchase) key() string { return receiptPrefix + b.id }

// openBook has a process grant purchases.
func (in *instance) openBook() (err error) {
	products := []receipt.Product{{Name: productName, Grant: in.grantCoins, Refund: in.refundCoins}}
	in.book, err = receipt.New(in.profiles, products, &receipt.Options{Wait: 3 * time.Second})
	return err
}

// numbersEach is how many numbers of updates belong to one purchase.
const numbersEach = 1_000_000

// purchaseOf returns the purchase of an id. Servers call it too.
func (c *checker) purchaseOf(id string) *purchase {
	n, err := strconv.Atoi(strings.TrimPrefix(id, "b"))
	if err != nil || n < 1 || n > len(c.purchases) {
		return nil
	}
	return c.purchases[n-1]
}

// grantCoins is the product's Grant. It declines some purchases at first.
func (in *instance) grantCoins(tx *profile.Tx, a *receipt.Award) error {
	w, b, number := in.w, in.w.check.purchaseOf(a.ID), in.w.called(a.ID)
	_, twice := gotOf.Get(tx, b.id)
	if twice {
		w.report(fmt.Errorf("%s grants purchase %s to %v, who has it", in.name, b.id, tx.Profile().Key()))
	}
	a.Into = b.id
	err := errors.Join(coinsOf.Add(tx, int64(b.price)), gotOf.Put(tx, b.id, b.number))
	if err == nil {
		err = w.didPurchase(tx, b, number, []change{{document.Element(gotField, b.id), strconv.Itoa(b.number)}}, b.price)
	}
	if calls := number % numbersEach; err == nil && b.number%4 == 3 && calls < 3 && !w.quiet.Load() {
		return errors.New("not now")
	}
	return err
}

// refundCoins is the product's Refund.
func (in *instance) refundCoins(tx *profile.Tx, a *receipt.Award) error {
	w, b, number := in.w, in.w.check.purchaseOf(a.ID), in.w.called(a.ID)
	if _, has := gotOf.Get(tx, b.id); !has || a.Into != b.id {
		w.report(fmt.Errorf("%s takes purchase %s (%q) back from %v, who does not have it", in.name, b.id, a.Into, tx.Profile().Key()))
	}
	err := errors.Join(coinsOf.Add(tx, -int64(b.price)), gotOf.Delete(tx, b.id))
	if err == nil {
		err = w.didPurchase(tx, b, number, []change{{document.Element(gotField, b.id), ""}}, -b.price)
	}
	return err
}

// called returns the number of the update that a call of a product's function makes.
func (w *world) called(id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.check.purchaseOf(id)
	b.calls++
	return numbersEach*b.number + b.calls
}

// didPurchase leaves the deed of a product's function.
func (w *world) didPurchase(tx *profile.Tx, b *purchase, number int, changes []change, coins int) error {
	p := w.check.byRoot[tx.Profile().Key().String()]
	w.did(deed{
		what: b.id, players: []*player{p}, numbers: []int{number}, on: []int{int(headOf.Get(tx))},
		take: func(w *world, on []*update) {
			sum := change{document.Field(coinsField), strconv.Itoa(on[0].content.coins() + coins)}
			u := w.check.make(number, on[0], append(changes, sum))
			u.binding = true
			w.trace.add("%v: %v of %v", b.id, u, changes)
			p.coming = append(p.coming, u)
		},
	})
	return headOf.Set(tx, int64(number))
}

// shop does one thing with purchases.
func (w *world) shop(in *instance) {
	all := w.check.purchases
	if n := w.rng.IntN(100); n < 40 || len(all) == 0 {
		b := &purchase{id: fmt.Sprintf("b%d", len(all)+1), number: len(all) + 1, price: 1 + w.rng.IntN(100)}
		w.mu.Lock()
		w.check.purchases = append(all, b)
		w.mu.Unlock()
		w.deliverPurchase(b, w.somebody())
		if w.chance(0.3) { // two claim it at one time
			w.deliverPurchase(b, w.somebody())
		}
		return
	} else if b := all[w.rng.IntN(len(all))]; n < 80 {
		p := b.seen[0]
		if w.chance(0.3) {
			p = w.somebody()
		}
		w.deliverPurchase(b, p)
	} else {
		w.refund(in, b)
	}
}

// deliverPurchase delivers a purchase to one server, or to several at a time.
func (w *world) deliverPurchase(b *purchase, p *player) {
	if !slices.Contains(b.seen, p) {
		b.seen = append(b.seen, p)
		p.purchases = append(p.purchases, b)
	}
	for _, in := range w.running() {
		if w.chance(0.6) {
			w.grant(in, b, p)
		}
	}
}

// grant has a server grant a purchase.
func (w *world) grant(in *instance, b *purchase, p *player) {
	if in.busy["at "+b.id] || in.busy["at "+p.key.ID] {
		return
	}
	in.busy["at "+b.id] = true // one purchase is handled by one caller at a time
	w.beginFor(in, p, fmt.Sprintf("grant %s to", b.id), func(ctx context.Context) func() {
		r, err := in.book.Grant(ctx, b.paid(p))
		return func() {
			delete(in.busy, "at "+b.id)
			w.bought(err)
			rank := b.rank
			switch {
			case err == nil && (b.owner != p || rank < 2 || r.State != receipt.Granted):
				w.fail(fmt.Errorf("%s was told %s, but the record is at %d, %s it: %v", w.current, r.State, rank, p.key, b.owner == p))
			case errors.Is(err, receipt.ErrOtherPlayer) && b.owner == p:
				w.fail(fmt.Errorf("%s was told: %w", w.current, err))
			case errors.Is(err, receipt.ErrSpent) && !b.erased && b.owner != p:
				w.fail(fmt.Errorf("%s was told: %w, but nobody was erased", w.current, err))
			case errors.Is(err, receipt.ErrRefunded) && rank < 3:
				w.fail(fmt.Errorf("%s was told: %w, but the record is at %d", w.current, err, rank))
			}
		}
	})
}

func (b *purchase) paid(p *player) receipt.Purchase {
	return receipt.Purchase{ID: b.id, Product: productName, Player: p.key.ID}
}

// refund has a server take a purchase back.
func (w *world) refund(in *instance, b *purchase) {
	p := b.seen[0]
	w.beginFor(in, p, fmt.Sprintf("refund %s of", b.id), func(ctx context.Context) func() {
		_, err := in.book.Refund(ctx, b.paid(p), "the simulation wants it")
		return func() {
			w.bought(err)
			if err == nil && b.rank < 3 {
				w.fail(fmt.Errorf("%s was told that it is refunded, but the record is at %d", w.current, b.rank))
			}
		}
	})
}

// bought traces what a shop was told.
func (w *world) bought(err error) {
	for _, known := range []error{receipt.ErrNotProcessed, receipt.ErrOtherPlayer, receipt.ErrRefunded, session.ErrNotFound, receipt.ErrSpent, session.ErrErased} {
		if errors.Is(err, known) {
			w.trace.add("%s ends: %v", w.current, known)
			return
		}
	}
	w.heard(err)
}

// checkPurchases checks that what a player has bought is granted on disk, or not, as
// the record says, if there were a crash now.
func (c *checker) checkPurchases(p *player, waiting []storedWrite) error {
	for _, b := range p.purchases {
		r, ws := storedReceipt{}, waiting
		if b.owner != nil && b.owner != p {
			ws = c.waiting(b.owner)
		}
		if value := c.beside.after(b.key(), ws); value != nil {
			if err := json.Unmarshal(value, &r); err != nil {
				return fmt.Errorf("read the record of %s: %w", b.id, err)
			}
		}
		if err := b.move(c.byRoot[r.Owner], r.State); err != nil {
			return err
		}
		for _, q := range b.seen {
			if has := q.durable.content.got(b.id); has != (b.owner == q && r.State == "granted" && !b.erased) {
				return fmt.Errorf("purchase %s: %v has it: %v, its record is %+v", b.id, q.key, has, r)
			}
		}
	}
	return nil
}

// move notes how far a purchase has come. It never goes back, and whose it is does
// not change.
func (b *purchase) move(owner *player, state string) error {
	rank := ranks[state]
	if state == "spent" {
		owner = b.owner
	}
	if rank < b.rank || b.owner != nil && owner != b.owner {
		return fmt.Errorf("purchase %s, delivered for %d players, was at %d, and is %q of another one", b.id, len(b.seen), b.rank, state)
	}
	b.owner, b.rank = owner, rank
	return nil
}

// keepReceipt follows the record of a purchase. It returns the players who are
// touched.
func (c *checker) keepReceipt(b *driver.Batch, w *driver.Write) ([]*player, error) {
	bought := c.purchaseOf(strings.TrimPrefix(w.Key, receiptPrefix))
	if bought == nil {
		return nil, fmt.Errorf("%s is written, which nobody bought", w.Key)
	}
	var r storedReceipt
	if err := json.Unmarshal(w.Value, &r); err != nil {
		return nil, fmt.Errorf("read the record %s: %w", w.Key, err)
	}
	if r.State == "spent" && bought.owner != nil && (bought.owner.erasure.tombed || creates(w)) {
		bought.erased = true // also if it was claimed when the tombstone was there
	} else if owner := c.byRoot[r.Owner]; !creates(w) && (owner == nil || !moves(b, owner)) {
		return nil, fmt.Errorf("%s was written in a commit that does not move its player's root", w.Key)
	}
	c.beside.write(storedWrite{w.Key, w.Value, formOf(w)})
	return bought.seen, nil
}
