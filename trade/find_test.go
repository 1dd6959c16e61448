package trade_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/trade"
)

// Whoever is named first, and though his server has died: what became of a trade
// whose answer was lost can be found out.
func TestLostAnswerIsFoundOutThoughAPartysServerIsDead(t *testing.T) {
	for name, ids := range map[string][]string{"DeadFirst": {"y", "x"}, "HereFirst": {"x", "y"}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.server("a", nil), w.server("b", nil)
				w.load(a, "x")
				w.load(b, "y")
				plan := onExchange(faulty.Fault{Err: faulty.ErrDown}, -1)
				a.f.Use(func(c *faulty.Call) faulty.Fault {
					f := plan(c)
					if f.Err != nil {
						b.crash()
					}
					return f
				})
				err := trade.Do(w.ctx, a.Server, ids, pay(30), nil)
				var unknown *profile.OutcomeError
				if errors.As(err, &unknown) {
					ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
					defer cancel()
					a.f.Use()
					happened, found := unknown.Find(ctx, a.Server)
					if happened || found != nil {
						t.Errorf("Find = %v, %v, want that it did not happen", happened, found)
					}
				} else if err == nil {
					t.Error("the trade is said to have happened")
				}
			})
		})
	}
}

// One of the players may have been erased since, and have begun anew: the others'
// histories tell what became of a trade.
func TestLostAnswerIsFoundOutThoughAPartyWasErased(t *testing.T) {
	for name, ids := range map[string][]string{"ErasedFirst": {"x", "y"}, "ErasedLast": {"y", "x"}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.server("a", nil), w.server("b", nil)
				w.load(a, "x")
				w.load(b, "y")
				unknown := &profile.OutcomeError{}
				a.f.Use(func(c *faulty.Call) faulty.Fault {
					for _, batch := range c.Group.Batches {
						at := make(map[string]driver.Version)
						for _, wr := range batch.Writes {
							at[wr.Key] = wr.Version
						}
						if !at["player/x"].IsZero() && !at["player/y"].IsZero() {
							unknown.Announced = batch.ID
							for _, id := range ids {
								key := player.Key(id)
								unknown.Roots = append(unknown.Roots, profile.OutcomeRoot{Key: key, At: at[key.String()]})
							}
						}
					}
					return faulty.Fault{}
				})
				if err := trade.Do(w.ctx, a.Server, ids, pay(30), nil); err != nil || len(unknown.Roots) != 2 {
					t.Fatalf("trade: %v, with the roots %v", err, unknown.Roots)
				}
				if _, err := a.Erase(w.ctx, "x", nil); err != nil {
					t.Fatal(err)
				}
				p := w.load(a, "x")
				for range driver.RecentVersions {
					if err := p.Update(func(tx *profile.Tx) error { return coins.Add(tx, 1) }); err != nil {
						t.Fatal(err)
					}
					if err := p.Save(w.ctx); err != nil {
						t.Fatal(err)
					}
				}
				happened, err := unknown.Find(w.ctx, a.Server)
				if !happened || err != nil {
					t.Errorf("Find = %v, %v, want that it happened, as y's history tells", happened, err)
				}
			})
		})
	}
}
