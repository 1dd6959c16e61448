package inventory_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/inventory"
	"github.com/holdfast-games/holdfast/profile"
)

// foreign stores anything in the place of an inventory.
var (
	foreignBag = profile.Value[any]("bag", nil)
	foreign    = profile.NewSchema("player", foreignBag)
)

const someID = "0CTAO4HEIG07V8D96H4ND5S8G8"

// plant stores a bag past the schema.
func (w *world) plant(id, text string) {
	w.Helper()
	srv := w.server("planter", foreign)
	p := w.load(srv, id)
	w.update(p, func(tx *profile.Tx) error { return foreignBag.Set(tx, rawText(text)) })
	if _, err := srv.Close(w.ctx); err != nil {
		w.Fatal(err)
	}
}

type rawText string

func (t rawText) MarshalJSON() ([]byte, error) { return []byte(t), nil }

func TestWhatIsStored(t *testing.T) {
	t.Run("OfAnotherFormIsNotOverwritten", func(t *testing.T) {
		bubble(t, func(w *world) {
			for i, text := range []string{
				`[]`, `5`, `{"arrow":5}`, `{"arrow":{}}`, `{"arrow":{"n":0}}`, `{"arrow":{"n":-1}}`, `{"arrow":{"n":1.5}}`,
				`{"arrow":{"n":1e3}}`, `{"arrow":{"n":"5"}}`, `{"arrow":{"n":9007199254740992}}`, `{"arrow":{"n":5,"p":7}}`,
				`{"arrow#1":{"n":5}}`, `{"arrow#02":{"n":5}}`, `{"arrow#x":{"n":5}}`, `{"":{"n":5}}`, `{"#2":{"n":5}}`,
				`{"arrow#1234567890123456789":{"n":5}}`, `{"` + strings.Repeat("a", 51) + `":{"n":5}}`,
				`{"sword#` + someID + `":{"n":1}}`, `{"sword#` + someID + `":{"n":1,"h":{}}}`, `{"sword#` + someID + `":{"h":[]}}`,
				`{"sword#` + someID + `":{"h":{"via":5}}}`, `{"sword#` + strings.ToLower(someID) + `":{"h":{}}}`,
				`{"arrow":{"n":5,"h":{}}}`, `{"arrow":{"n":5,"at":""}}`, `{"arrow":{"n":5,"at":7}}`,
			} {
				id := string(rune('a' + i))
				w.plant(id, text)
				p, err := w.server("game", player).Open(w.ctx, id, nil)
				if err != nil || !errors.Is(p.Err(), profile.ErrWrongType) {
					t.Errorf("the load of %s = %v, %v, want ErrWrongType", text, p.Err(), err)
				}
			}
		})
	})
	t.Run("KeepsMembersThatAreNotKnown", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.plant("1", `{"arrow":{"bound":true,"n":5},"sword#`+someID+`":{"h":{"to":"player/9","color":"red"},"new":[1]}}`)
			srv := w.server("game", player)
			p, q := w.load(srv, "1"), w.load(srv, "2")
			w.update(p, func(tx *profile.Tx) error { return bag.RemoveAt(tx, "arrow", 1) })
			w.update(p, func(tx *profile.Tx) error { return ignore(bag.Add(tx, "arrow", 1, nil)) })
			err := profile.UpdateAll([]*profile.Profile{p, q}, func(txs []*profile.Tx) error {
				return errors.Join(ignore(bag.Transfer(txs[0], "arrow", 2, txs[1], nil)),
					ignore(bag.Transfer(txs[0], "sword#"+someID, 1, txs[1], nil)))
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := dump(p), `{"bag":{"arrow":{"n":2,"bound":true},"arrow#2":{"n":1}}}`; got != want {
				t.Errorf("the giver has %s, want %s", got, want)
			}
			if got := dump(q); !strings.Contains(got, `"arrow":{"n":2,"bound":true}`) || !strings.Contains(got, `"color":"red"`) || !strings.Contains(got, `"new":[1]`) {
				t.Errorf("the taker has %s", got)
			}
		})
	})
}

func TestCatalogueThatChanged(t *testing.T) {
	bubble(t, func(w *world) {
		w.plant("1", `{"bow":{"n":7},"arrow":{"n":500},"gem":{"n":200},"sword":{"n":3},"coin#`+someID+`":{"h":{"to":"x"}},"potion":{"n":2}}`)
		srv := w.server("game", player)
		p, q := w.load(srv, "1"), w.load(srv, "2")
		reasons := map[string]error{
			"bow": inventory.ErrUnknownItem, "arrow": inventory.ErrFull, "gem": inventory.ErrFull, "sword": inventory.ErrKind, "coin": inventory.ErrKind,
		}
		for _, f := range bag.Review(p) {
			if !errors.Is(f.Reason, reasons[f.Item]) {
				t.Errorf("Review of %s: %v, want %v", f.Item, f.Reason, reasons[f.Item])
			}
			delete(reasons, f.Item)
		}
		if len(reasons) > 0 {
			t.Errorf("Review did not find %v", reasons)
		}
		if bag.Count(p, "bow") != 7 || bag.Count(p, "arrow") != 500 || bag.Count(p, "sword") != 3 || bag.Count(p, "coin") != 1 {
			t.Error("something cannot be looked up")
		}
		w.refuses(p, inventory.ErrUnknownItem, func(tx *profile.Tx) error { return ignore(bag.Add(tx, "bow", 1, nil)) })
		w.refuses(p, inventory.ErrFull, func(tx *profile.Tx) error { return ignore(bag.Add(tx, "gem", 1, nil)) })
		w.update(p, func(tx *profile.Tx) error { return ignore(bag.Add(tx, "arrow", 1, nil)) })
		w.update(p, func(tx *profile.Tx) error {
			return errors.Join(
				ignore(bag.Remove(tx, "bow", 1)), ignore(bag.Remove(tx, "sword", 1)), ignore(bag.Remove(tx, "arrow", 1)),
				bag.SetProperty(tx, "bow", "old", true), ignore(bag.Move(tx, "bow", 1, bank)), ignore(bag.Move(tx, "sword", 1, bank)),
				ignore(bag.Move(tx, "coin#"+someID, 1, bank)))
		})
		err := profile.UpdateAll([]*profile.Profile{p, q}, func(txs []*profile.Tx) error {
			return errors.Join(
				ignore(bag.Transfer(txs[0], "bow", 5, txs[1], nil)), ignore(bag.Transfer(txs[0], "arrow", 200, txs[1], nil)),
				ignore(bank.Transfer(txs[0], "coin#"+someID, 1, txs[1], nil)))
		})
		if err != nil {
			t.Fatal(err)
		}
		w.holds(q, bag, `arrow#2=64 arrow#3=64 arrow#4=8 arrow=64 bow=5{"old":true}`)
		w.holds(q, bank, `coin#=1`)
		if got := bag.Count(p, "bow") + bank.Count(p, "bow"); got != 1 {
			t.Errorf("%d bows are left, want 1", got)
		}
		w.update(p, func(tx *profile.Tx) error { return ignore(bag.Delete(tx, "gem")) })
	})
}
