package web

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/inventory"
	"github.com/holdfast-games/holdfast/mailbox"
	"github.com/holdfast-games/holdfast/profile"
)

// deedWithin bounds one deed.
const deedWithin = 15 * time.Second

// deedFuncs are what a page can ask for, by name. Each answers when what it has changed
// is on disk.
var deedFuncs = map[string]func(*visit, context.Context, deed) (answer, error){
	"collect": (*visit).collect,
	"buy":     (*visit).buy,
	"wear":    (*visit).wear,
	"unwear":  (*visit).unwear,
	"offer":   (*visit).offer,
	"reply":   (*visit).reply,
	"gift":    (*visit).gift,
	"slot":    (*visit).slot,
	"newslot": (*visit).newSlot,
	"door":    (*visit).door,
}

// do does one deed.
func (v *visit) do(ctx context.Context, d deed) answer {
	ctx, cancel := context.WithTimeout(ctx, deedWithin)
	defer cancel()
	fn := deedFuncs[d.Do]
	if fn == nil {
		return answer{Nr: d.Nr, Error: "the game has no such deed"}
	}
	a, err := fn(v, ctx, d)
	a.Nr = d.Nr
	if err != nil {
		text, all := say(err)
		if !all {
			v.r.log.Warn("a deed has failed", "hero", v.id, "deed", d.Do, "err", err)
		}
		return answer{Nr: d.Nr, Error: text}
	}
	return a
}

// update changes the hero, and returns when that is on disk.
func (v *visit) update(ctx context.Context, fn func(tx *profile.Tx) error) (a answer, err error) {
	err = v.p.Update(func(tx *profile.Tx) error {
		a.Revision = tx.Revision()
		return fn(tx)
	}, profile.Durable(ctx))
	return a, err
}

// collect picks up what lies within reach.
func (v *visit) collect(ctx context.Context, d deed) (answer, error) {
	t, ok := v.r.room.take(v.id, d.ID)
	if !ok {
		return answer{}, refuse("somebody else was quicker")
	}
	found := parcel{Coins: 1}
	if t.Item != "" {
		found = parcel{Item: t.Item, N: 1}
	}
	return v.update(ctx, found.add)
}

// buy buys something at the stall, for coins or gems.
func (v *visit) buy(ctx context.Context, d deed) (answer, error) {
	w, ok := wareOf(d.Item)
	if !ok || w.Coins == 0 && w.Gems == 0 {
		return answer{}, refuse("that is not for sale")
	}
	return v.update(ctx, func(tx *profile.Tx) error {
		if coins.Get(tx) < w.Coins || gems.Get(tx) < w.Gems {
			return refuse("that is too dear")
		}
		if err := coins.Add(tx, -w.Coins); err != nil {
			return err
		}
		if err := gems.Add(tx, -w.Gems); err != nil {
			return err
		}
		_, err := bag.Create(tx, w.Name, nil, &inventory.Origin{By: "the stall on " + v.r.room.isle.Title})
		return err
	})
}

// wear puts something from the bag on. What was worn there goes back into the bag.
func (v *visit) wear(ctx context.Context, d deed) (answer, error) {
	return v.update(ctx, func(tx *profile.Tx) error {
		e, ok := bag.Get(tx, d.Key)
		if !ok {
			return refuse("that is not in the bag")
		}
		w, _ := wareOf(e.Item)
		if w.Place == "" {
			return refuse("that cannot be worn")
		}
		return worn.Put(tx, w.Place, bag, e.Key)
	})
}

// unwear puts what is worn into the bag.
func (v *visit) unwear(ctx context.Context, d deed) (answer, error) {
	if !slices.Contains(worn.Names(), d.Place) {
		return answer{}, refuse("nothing is worn there")
	}
	return v.update(ctx, func(tx *profile.Tx) error {
		if _, ok := worn.At(tx, d.Place); !ok {
			return refuse("nothing is worn there")
		}
		return worn.Take(tx, d.Place, bag)
	})
}

const maxText = 80 // bytes of what goes with a gift

// gift sends something to somebody, who may be anywhere, or not here at all: it leaves
// the giver and is on its way, or neither.
func (v *visit) gift(ctx context.Context, d deed) (a answer, err error) {
	if err := d.Give.check(); err != nil {
		return a, err
	}
	to, known := v.r.folk.find(d.To)
	w, _ := wareOf(d.Give.Item)
	switch d.Text = strings.TrimSpace(d.Text); {
	case !known || d.To == v.id:
		return a, refuse("there is nobody like that")
	case d.Give.empty():
		return a, refuse("a gift of nothing")
	case d.Give.N > 0 && !w.stack:
		return a, refuse("what is one of a kind is traded, not sent")
	case len(d.Text) > maxText || !utf8.ValidString(d.Text):
		return a, refuse("a greeting has at most %d bytes", maxText)
	}
	body := present{From: name.Get(v.p), Text: d.Text, Goods: d.Give}
	_, err = gift.Give(ctx, v.r.box, v.p, d.To, body, &mailbox.SendOptions{Reason: "a gift"}, func(tx *profile.Tx) error {
		a.Revision = tx.Revision()
		return d.Give.take(tx)
	})
	a.Text = "Sent to " + to.Name + "."
	return a, err
}

// slot loads another of the hero's save slots.
func (v *visit) slot(ctx context.Context, d deed) (answer, error) {
	if profile.CheckSlot(d.Slot) != nil {
		return answer{}, refuse("there is no such save slot")
	}
	err := v.p.SwitchSlot(ctx, d.Slot)
	return answer{Revision: v.p.Revision()}, err
}

// newSlot begins a new game in a save slot of its own.
func (v *visit) newSlot(ctx context.Context, d deed) (answer, error) {
	text := strings.TrimSpace(d.Text)
	if text == "" || len(text) > maxName || !utf8.ValidString(text) {
		return answer{}, refuse("a save slot has a name of 1 to %d bytes", maxName)
	}
	_, err := v.p.CreateSlot(ctx, text, true)
	return answer{Revision: v.p.Revision()}, err
}

// door says which server is behind the door. The page goes there, and that server asks
// this one for the hero.
func (v *visit) door(context.Context, deed) (answer, error) {
	if !v.r.room.near(v.id, "door") {
		return answer{}, refuse("the door is too far away")
	}
	for _, s := range servers {
		if s != v.r.name {
			return answer{Go: s}, nil
		}
	}
	return answer{}, refuse("there is nothing behind it")
}
