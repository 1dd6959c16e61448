package profile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-games/holdfast/profile"
)

// errOdd is an error of a layer above.
var errOdd = profile.Named("that is odd")

// even is such a layer's field: of even numbers.
type even struct {
	profile.Field
	elements *profile.ElementsField
}

func newEven(name string, opts ...profile.FieldOption) *even {
	f := new(even)
	f.elements = profile.Elements(name, &profile.ElementsForm{
		Kind: "even",
		Check: func(_, value []byte) error {
			var n int
			if err := json.Unmarshal(value, &n); err != nil || n%2 != 0 {
				return errors.Join(errOdd, err)
			}
			return nil
		},
		Do: func(tx *profile.Tx, value json.RawMessage) (json.RawMessage, error) {
			var n int
			if err := profile.DecodeValue(value, &n); err != nil {
				return nil, err
			}
			if n%2 != 0 {
				return nil, fmt.Errorf("%w: %d", errOdd, n)
			}
			return json.RawMessage(`"done"`), f.elements.Put(tx, fmt.Sprint("e", n), value)
		},
	}, opts...)
	f.Field = f.elements
	return f
}

var (
	evens     = newEven("evens", profile.Private())
	evenCoins = profile.Int("coins", 0)
	evenOnes  = profile.NewSchema("player", evens, evenCoins)
)

func TestElements(t *testing.T) {
	t.Run("AreAFieldOfALayerAbove", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.serverOn("game", open{w.db}, evenOnes, nil)
			p := w.load(srv, "1")
			var heard []string
			evens.elements.OnChange(p, func(name string, old, new []byte) {
				heard = append(heard, fmt.Sprintf("%s %s %s", name, old, new))
			})
			w.update(p, func(tx *profile.Tx) {
				_ = evens.elements.Put(tx, "a", []byte("2"))
				_ = evens.elements.Put(tx, "a#2", []byte("4"))
				_ = evens.elements.Put(tx, "a", []byte("2"))
			})
			if value, ok := evens.elements.Get(p, "a#2"); !ok || string(value) != "4" {
				t.Errorf("Get = %s, %v", value, ok)
			}
			if got := evens.elements.AppendFamily(nil, p, "a", '#'); len(got) != 2 {
				t.Errorf("AppendFamily = %v", got)
			}
			if diff := cmp.Diff([]string{"a  2", "a#2  4"}, heard); diff != "" {
				t.Error(diff)
			}
			w.refuses(p, errOdd, func(tx *profile.Tx) { _ = evens.elements.Refuse(tx, "a", errOdd) })
			w.close(p)
			p = w.load(srv, "1")
			var names []string
			for name := range evens.elements.All(p) {
				names = append(names, name)
			}
			if !slices.Equal(names, []string{"a", "a#2"}) || !evens.Private() || evens.Name() != "evens" {
				t.Errorf("after a load there are %v", names)
			}
		})
	})
	t.Run("OfAnotherFormFailTheLoad", func(t *testing.T) {
		bubble(t, func(w *world) {
			other := profile.Map[int]("evens")
			planter := w.serverOn("planter", open{w.db}, profile.NewSchema("player", other), nil)
			p := w.load(planter, "1")
			w.update(p, func(tx *profile.Tx) { _ = other.Put(tx, "a", 3) })
			w.close(p)
			p = w.loadAny(w.serverOn("game", open{w.db}, evenOnes, nil), "1")
			if !errors.Is(p.Err(), profile.ErrWrongType) || !errors.Is(p.Err(), errOdd) {
				t.Errorf("Err() = %v, want ErrWrongType because of errOdd", p.Err())
			}
		})
	})
	t.Run("TakeOperationsOfTheirOwnFromAnywhere", func(t *testing.T) {
		bubble(t, func(w *world) {
			owner, other := w.serverOn("owner", open{w.db}, evenOnes, nil), w.serverOn("other", open{w.db}, evenOnes, nil)
			p := w.load(owner, "1")
			for _, srv := range []*profile.Server{owner, other} {
				c, err := srv.Change(w.ctx, "1", []profile.Op{evens.elements.DoOp(6), evenCoins.AddOp(1)}, nil)
				if err != nil || len(c.Results) != 2 || string(c.Results[0]) != `"done"` {
					t.Errorf("Change = %v, %v", c, err)
				}
				_, err = srv.Change(w.ctx, "1", []profile.Op{evenCoins.AddOp(1), evens.elements.DoOp(7)}, nil)
				if !errors.Is(err, errOdd) || !errors.Is(err, profile.ErrRefused) {
					t.Errorf("Change = %v, want errOdd", err)
				}
				_, err = srv.Change(w.ctx, "1", []profile.Op{evens.elements.DoOp("x")}, nil)
				if !errors.Is(err, profile.ErrRefused) {
					t.Errorf("Change = %v, want ErrRefused", err)
				}
			}
			if got := evenCoins.Get(p); got != 2 || !evens.elements.Has(p, "e6") {
				t.Errorf("there are %d coins", got)
			}
			if text := evens.elements.DoOp(6).String(); text != `{"op":"do","field":"evens","value":6}` {
				t.Errorf("the operation is written as %s", text)
			}
		})
	})
	t.Run("OfOtherKindsTakeNoDo", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.serverOn("game", open{w.db}, evenOnes, nil), "1")
			var op profile.Op
			if err := json.Unmarshal([]byte(`{"op":"do","field":"coins","value":6}`), &op); err != nil {
				t.Fatal(err)
			}
			w.refuses(p, profile.ErrWrongType, func(tx *profile.Tx) { _, _ = tx.Apply(op) })
		})
	})
	t.Run("AreNotLazy", func(t *testing.T) {
		if err := profile.NewSchema("player", newEven("x", profile.Lazy())).Err(); !errors.Is(err, profile.ErrSchema) {
			t.Errorf("Err() = %v, want ErrSchema", err)
		}
	})
}

func TestNewID(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.load(w.server("game", nil), "1")
		w.update(p, func(tx *profile.Tx) {
			a, err := tx.NewID()
			b, err2 := tx.NewID()
			if err != nil || err2 != nil || a == b || a.IsZero() {
				t.Errorf("NewID = %v, %v, %v, %v", a, b, err, err2)
			}
		})
	})
}
