package trade_test

import (
	"context"
	"errors"
	"testing"
	"time"

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
