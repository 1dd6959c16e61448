package inventory_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/holdfast-games/holdfast/inventory"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/trade"
)

func TestTransfer(t *testing.T) {
	t.Run("KeepsTheIDAndTellsOfTheHop", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("game", player)
			p, q := w.load(srv, "1"), w.load(srv, "2")
			var sword inventory.Entry
			w.update(p, func(tx *profile.Tx) (err error) {
				sword, err = bag.Create(tx, "sword", nil, &inventory.Origin{By: "smith"})
				return err
			})
			const hops = inventory.MaxHops + 5
			both := []*profile.Profile{p, q}
			for i := range hops {
				err := profile.UpdateAll(both, func(txs []*profile.Tx) error {
					return ignore(bag.Transfer(txs[i%2], sword.Key, 1, txs[1-i%2], &inventory.TransferOptions{Reason: fmt.Sprint("trade ", i)}))
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			e, ok := bag.Get(q, sword.Key)
			if !ok || e.ID != sword.ID || bag.Len(p) != 0 {
				t.Fatalf("player 2 has %+v, %v; player 1 has %d entries", e, ok, bag.Len(p))
			}
			h, _ := e.History()
			if h.By != "smith" || h.First != "player/1" || len(h.Hops) != inventory.MaxHops || h.Dropped != 5 {
				t.Errorf("the history is %+v", h)
			}
			last := h.Hops[len(h.Hops)-1]
			if last.To != "player/2" || last.Reason != "trade 20" || last.At.IsZero() {
				t.Errorf("the last hop is %+v", last)
			}
			if !h.Passed("player/1") || !h.Passed("player/2") || h.Passed("player/3") {
				t.Error("Passed is wrong")
			}
			w.update(q, func(tx *profile.Tx) error { return ignore(bag.Move(tx, sword.Key, 1, bank)) })
			e, _ = bank.Get(q, sword.Key)
			if h, _ := e.History(); h.Dropped != 5 || h.Hops[len(h.Hops)-1] != last {
				t.Errorf("a move within the profile made a hop: %+v", h)
			}
		})
	})
	t.Run("RefusesASecondOfTheSameID", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.plant("1", `{"sword#`+someID+`":{"h":{"to":"player/1"}}}`)
			w.plant("2", `{"sword#`+someID+`":{"h":{"to":"player/1"}}}`)
			srv := w.server("game", player)
			p, q := w.load(srv, "1"), w.load(srv, "2")
			err := profile.UpdateAll([]*profile.Profile{p, q}, func(txs []*profile.Tx) error {
				return ignore(bag.Transfer(txs[0], "sword#"+someID, 1, txs[1], nil))
			})
			if !errors.Is(err, inventory.ErrTwice) || bag.Len(p) != 1 || bag.Len(q) != 1 {
				t.Errorf("Transfer = %v", err)
			}
		})
	})
	t.Run("IsRefusedForBothIfThereIsNoRoom", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("game", player)
			p, q := w.load(srv, "1"), w.load(srv, "2")
			w.update(p, func(tx *profile.Tx) error { return ignore(bag.Add(tx, "gem", 60, nil)) })
			w.update(q, func(tx *profile.Tx) error { return ignore(bag.Add(tx, "gem", 80, nil)) })
			var full *inventory.FullError
			err := profile.UpdateAll([]*profile.Profile{p, q}, func(txs []*profile.Tx) error {
				return ignore(bag.Transfer(txs[0], "gem", 30, txs[1], nil))
			})
			if !errors.As(err, &full) || full.Fits != 20 || bag.Count(p, "gem") != 60 || bag.Count(q, "gem") != 80 {
				t.Errorf("Transfer = %v; %d and %d", err, bag.Count(p, "gem"), bag.Count(q, "gem"))
			}
			w.refuses(p, profile.ErrRefused, func(tx *profile.Tx) error { return ignore(bag.Move(tx, "gem", 1, bag)) })
		})
	})
	t.Run("InATradeOfTwoServersConservesEverything", func(t *testing.T) {
		bubble(t, func(w *world) { barter(w, 60) })
	})
}

// barter lets players of two servers trade at random, and checks that everything is
// there afterwards, once.
func barter(w *world, rounds int) {
	srvs := []*profile.Server{w.server("here", player), w.server("there", player)}
	ids := []string{"a", "b", "c"}
	ps := []*profile.Profile{w.load(srvs[0], "a"), w.load(srvs[1], "b"), w.load(srvs[0], "c")}
	for _, p := range ps {
		w.update(p, func(tx *profile.Tx) error {
			return errors.Join(ignore(bank.Add(tx, "arrow", 100, nil)), ignore(bank.Create(tx, "pet", nil, nil)), ignore(bank.Create(tx, "pet", nil, nil)))
		})
	}
	var all sync.WaitGroup
	for n, srv := range srvs {
		all.Go(func() {
			dice := rand.New(rand.NewPCG(1, uint64(n)))
			for range rounds {
				order := dice.Perm(3)[:2]
				pets, seed := dice.IntN(2) == 0, dice.Uint64()
				err := trade.Do(w.ctx, srv, []string{ids[order[0]], ids[order[1]]}, func(txs []*profile.Tx) error {
					return someOf(txs, pets, rand.New(rand.NewPCG(seed, 2)))
				}, nil)
				if err != nil && !errors.Is(err, profile.ErrRefused) && !errors.Is(err, trade.ErrTime) {
					w.Errorf("trade: %v", err)
				}
			}
		})
	}
	all.Wait()
	arrows, seen := int64(0), make(map[string]bool)
	for _, p := range ps {
		// An update waits until the server has heard of the last trade.
		for errors.Is(p.Update(func(*profile.Tx) error { return nil }), profile.ErrBusy) {
		}
		arrows += bank.Count(p, "arrow")
		for e := range bank.Find(p, "pet") {
			if seen[e.Key] {
				w.Errorf("%s is there twice", e.Key)
			}
			seen[e.Key] = true
		}
	}
	if arrows != 300 || len(seen) != 6 {
		w.Errorf("there are %d arrows and %d pets, want 300 and 6", arrows, len(seen))
	}
}

// someOf moves a random entry from the first player to the second.
func someOf(txs []*profile.Tx, pets bool, dice *rand.Rand) error {
	item := "arrow"
	if pets {
		item = "pet"
	}
	for e := range bank.Find(txs[0], item) {
		n := 1 + dice.Int64N(e.Amount)
		return ignore(bank.Transfer(txs[0], e.Key, n, txs[1], nil))
	}
	return nil
}

func TestConcurrentOperations(t *testing.T) {
	bubble(t, func(w *world) {
		srv := w.server("game", player)
		p, q := w.load(srv, "1"), w.load(srv, "2")
		var all sync.WaitGroup
		for n := range 4 {
			all.Go(func() {
				for i := range 200 {
					var err error
					switch (n + i) % 4 {
					case 0:
						err = p.Update(func(tx *profile.Tx) error { return ignore(bank.Add(tx, "arrow", 3, nil)) })
					case 1:
						err = profile.UpdateAll([]*profile.Profile{p, q}, func(txs []*profile.Tx) error {
							for e := range bank.Find(txs[0], "arrow") {
								return ignore(bank.Transfer(txs[0], e.Key, 1, txs[1], nil))
							}
							return nil
						})
					case 2:
						bank.Count(p, "arrow")
						for range bank.All(q) {
						}
					default:
						_, _ = bank.Room(p, "arrow", nil)
						bank.Get(q, "arrow")
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if got := bank.Count(p, "arrow") + bank.Count(q, "arrow"); got != 600 {
			t.Errorf("there are %d arrows, want 600", got)
		}
	})
}

func TestOperationsByID(t *testing.T) {
	bubble(t, func(w *world) {
		owner, other := w.server("owner", player), w.server("other", player)
		p := w.load(owner, "1")
		for i, srv := range []*profile.Server{other, owner} {
			c, err := srv.Change(w.ctx, "1", []profile.Op{bag.AddOp("arrow", 100, nil), coins.AddOp(-10)}, nil)
			if err != nil || string(c.Results[0]) != fmt.Sprint(100*(i+1)) {
				t.Fatalf("Change = %v, %v", c, err)
			}
			for want, op := range map[error]profile.Op{
				inventory.ErrNotEnough: bag.RemoveOp("arrow", 1000), inventory.ErrFull: bag.AddOp("arrow", 1000, nil),
				inventory.ErrUnknownItem: bag.AddOp("bow", 1, nil), inventory.ErrAmount: bag.AddOp("arrow", -5, nil),
				inventory.ErrKind: bag.AddOp("sword", 1, nil), errNothing: bag.DeleteOp("arrow#99"),
			} {
				_, err := srv.Change(w.ctx, "1", []profile.Op{coins.AddOp(-1), op}, nil)
				if want == errNothing {
					want = nil
				}
				if !errors.Is(err, want) {
					t.Errorf("Change by %v = %v, want %v", op, err, want)
				}
			}
		}
		_, err := other.Change(w.ctx, "1", []profile.Op{
			bag.CreateOp("sword", map[string]any{"name": "Sting"}, &inventory.Origin{By: "support", Reason: "ticket 7"}),
			bag.RemoveOp("arrow", 50), bag.ExpectPresentOp("arrow"), bag.ExpectAbsentOp("bow"),
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		sword := only(p, bag, "sword")
		if h, ok := sword.History(); !ok || h.By != "support" || h.Reason != "ticket 7" || bag.Count(p, "arrow") != 150 || coins.Get(p) != 78 {
			t.Errorf("history %+v, %d arrows, %d coins", h, bag.Count(p, "arrow"), coins.Get(p))
		}
		if _, err := profile.EncodeOps([]profile.Op{bag.AddOp("arrow", 1, func() {})}); err == nil {
			t.Error("properties that cannot be encoded made an operation")
		}
		for _, value := range []string{`5`, `{"do":"add","item":"arrow","n":1.5}`, `{"do":"add","item":"arrow"}`, `{"do":"eat","item":"arrow","n":1}`,
			`{"do":"add","item":"arrow","n":1,"x":2}`, `{"do":"add","item":"arrow","n":1e3}`} {
			var op profile.Op
			if err := op.UnmarshalJSON([]byte(`{"op":"do","field":"bag","value":` + value + `}`)); err != nil {
				t.Fatal(err)
			}
			w.refuses(p, profile.ErrRefused, func(tx *profile.Tx) error { return ignore(tx.Apply(op)) })
		}
	})
}

var errNothing = errors.New("no error")
