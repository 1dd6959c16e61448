package web

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/trade"
)

// offer is what one hero wants to trade with another. It is in the memory of the server
// that has the other one; the trade itself is made by Holdfast when he says yes.
type offer struct {
	ID   string `json:"id"`
	From string `json:"from"`
	Name string `json:"name"` // of who makes it
	To   string `json:"to"`
	Give parcel `json:"give"` // what From gives
	Want parcel `json:"want"` // what he wants for it

	until time.Time
}

const (
	offerLife  = time.Minute
	mostOffers = 8 // that wait for one hero
)

// keepOffer keeps an offer until the hero answers. It reports whether there was room.
func (v *visit) keepOffer(o offer) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, old := range v.offers {
		if time.Now().After(old.until) {
			delete(v.offers, id)
		}
	}
	if len(v.offers) >= mostOffers {
		return false
	}
	o.until = time.Now().Add(offerLife)
	v.offers[o.ID] = o
	return true
}

// takeOffer returns an offer that waits, which then does not any more.
func (v *visit) takeOffer(id string) (offer, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	o, ok := v.offers[id]
	delete(v.offers, id)
	return o, ok && time.Now().Before(o.until)
}

// offer makes another hero an offer. A trader answers at once; a player is asked,
// wherever he is.
func (v *visit) offer(ctx context.Context, d deed) (a answer, err error) {
	if err := errors.Join(d.Give.check(), d.Want.check()); err != nil {
		return a, err
	}
	to, ok := v.r.folk.find(d.To)
	switch {
	case !ok || d.To == v.id:
		return a, refuse("there is nobody like that to trade with")
	case d.Give.empty() && d.Want.empty():
		return a, refuse("an offer of nothing for nothing")
	}
	o := offer{ID: rand.Text(), From: v.id, Name: name.Get(v.p), To: d.To, Give: d.Give, Want: d.Want}
	if !to.Bot {
		v.r.publish(ctx, whisperTopic, whisper{To: d.To, Offer: &o})
		a.Text = "Offered to " + to.Name + "."
		return a, nil
	}
	if o.Give.worth() < o.Want.worth() {
		return a, refuse("%s wants more for that", to.Name)
	}
	a.Text = to.Name + " says: a good trade!"
	a.Revision, err = v.r.swap(ctx, o, v.id)
	return a, err
}

// reply answers an offer that was made to the hero.
func (v *visit) reply(ctx context.Context, d deed) (a answer, err error) {
	o, ok := v.takeOffer(d.Offer)
	if !ok {
		return a, refuse("that offer is over")
	}
	if !d.Yes {
		v.r.publish(ctx, whisperTopic, whisper{To: o.From, News: name.Get(v.p) + " does not want to trade that."})
		return a, nil
	}
	if a.Revision, err = v.r.swap(ctx, o, v.id); err != nil {
		return a, err
	}
	v.r.publish(ctx, whisperTopic, whisper{To: o.From, News: name.Get(v.p) + " has traded with you."})
	a.Text = "Traded with " + o.Name + "."
	return a, nil
}

// swap makes the trade, wherever the two heroes are: for both or for neither. It returns
// the revision of the one of them who is asked for.
func (r *realm) swap(ctx context.Context, o offer, of string) (revision uint64, err error) {
	err = trade.Do(ctx, r.srv, []string{o.From, o.To}, func(txs []*profile.Tx) error {
		from, to := txs[0], txs[1]
		if err := o.Give.move(from, to); err != nil {
			return err
		}
		if err := o.Want.move(to, from); err != nil {
			return err
		}
		revision = from.Revision()
		if of == o.To {
			revision = to.Revision()
		}
		return nil
	}, &trade.Options{Reason: "a trade of " + o.From + " and " + o.To})
	return revision, err
}
