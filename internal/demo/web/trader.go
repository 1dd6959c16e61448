package web

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/holdfast-games/holdfast/inventory"
	"github.com/holdfast-games/holdfast/profile"
)

// deal is what a trader offers to whoever comes.
type deal struct {
	With string `json:"with"`
	Give parcel `json:"give"`
	Want parcel `json:"want"`
}

// trader is a hero whom a server plays itself: there is one on each isle, who wants what
// grows on the other one.
type trader struct {
	id, name string
	look     int64
	sells    string
	wants    string
}

var traders = map[string]trader{
	servers[0]: {"maple", "Maple", 4, "fox", "frostbell"},
	servers[1]: {"juniper", "Juniper", 5, "owl", "mushroom"},
}

// deals are what all traders offer, for the pages.
var deals = []deal{
	{"maple", parcel{Item: "frostbell", N: 3}, parcel{Item: "fox", N: 1}},
	{"maple", parcel{Item: "mushroom", N: 1}, parcel{Coins: 3}},
	{"juniper", parcel{Item: "mushroom", N: 3}, parcel{Item: "owl", N: 1}},
	{"juniper", parcel{Item: "frostbell", N: 1}, parcel{Coins: 3}},
}

// keepTrader keeps the server's trader on the isle until ctx ends. If the server was
// killed, the one that has taken its place gets him when the lease of the first is over.
func (r *realm) keepTrader(ctx context.Context) {
	t := traders[r.name]
	for ctx.Err() == nil {
		p, err := r.srv.Open(ctx, t.id, nil)
		if err == nil {
			err = p.Update(t.equip)
		}
		if err == nil {
			a := figure(p)
			a.Bot = true
			r.room.enter(a, false)
			r.stroll(ctx, p, t.id)
			r.room.leave(t.id)
		} else if ctx.Err() == nil {
			r.log.Warn("the trader does not come", "trader", t.id, "err", err)
		}
		wait(ctx, time.Second)
	}
}

// equip gives a trader what he needs: his looks, and something to sell.
func (t *trader) equip(tx *profile.Tx) error {
	if err := name.Set(tx, t.name); err != nil {
		return err
	}
	if err := look.Set(tx, t.look); err != nil {
		return err
	}
	if err := coins.Set(tx, max(coins.Get(tx), 1000)); err != nil {
		return err
	}
	for bag.Count(tx, t.sells) < 5 {
		if _, err := bag.Create(tx, t.sells, nil, &inventory.Origin{By: t.name}); err != nil {
			return err
		}
	}
	n := bag.Count(tx, t.wants)
	if n <= 200 {
		return nil
	}
	_, err := bag.Remove(tx, t.wants, n-200) // he eats them
	return err
}

// stroll walks the trader about, and fills up what he sells, until he has gone.
func (r *realm) stroll(ctx context.Context, p *profile.Profile, id string) {
	t := traders[r.name]
	x, y := 700.0, 690.0
	for i := 0; ctx.Err() == nil; i++ {
		if _, ok := p.Ended(); ok {
			return
		}
		if i%12 == 0 {
			if err := p.Update(t.equip); err != nil {
				r.log.Warn("the trader cannot fill up", "trader", id, "err", err)
			}
		}
		toX, toY := 700+rand.Float64()*60-30, 690+rand.Float64()*40-20
		for range 10 {
			x, y = x+(toX-x)/10, y+(toY-y)/10
			r.room.walk(id, x, y)
			wait(ctx, 100*time.Millisecond)
		}
		wait(ctx, time.Duration(1000+rand.IntN(2500))*time.Millisecond)
	}
}

// wait waits, until ctx ends at most.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
