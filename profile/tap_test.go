package profile_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// taps notes what a tap is told.
type taps struct{ told []string }

func (ts *taps) tap() *profile.Tap {
	return &profile.Tap{
		Changed: func(cs []profile.Change) {
			for _, c := range cs {
				ts.told = append(ts.told, fmt.Sprintf("%v %s>%s", c.Path, c.Old, c.New))
			}
		},
		Switched: func(f profile.Field) { ts.told = append(ts.told, "switched "+f.Name()) },
		Saved:    func(s session.Saved) { ts.told = append(ts.told, fmt.Sprint("saved ", s.Err)) },
		Ended:    func(e profile.End) { ts.told = append(ts.told, "ended "+string(e.Reason)) },
	}
}

func (ts *taps) wants(w *world, want ...string) {
	w.Helper()
	if diff := cmp.Diff(want, ts.told); diff != "" {
		w.Errorf("the tap was told (-want +got):\n%s", diff)
	}
	ts.told = nil
}

func TestATapIsToldAtOnce(t *testing.T) {
	bubble(t, func(w *world) {
		srv := w.server("a", &profile.Options{ManualEvents: true})
		p := w.load(srv, "1")
		var ts taps
		end := p.Tap(ts.tap())

		w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 1); _ = coins.Set(tx, 2); _ = bag.Put(tx, "x", Item{}) })
		ts.wants(w, "coins >2", `bag/x >{"name":"","level":0}`)
		enough := errors.New("enough")
		if err := p.Update(func(tx *profile.Tx) error { _ = coins.Set(tx, 3); return enough }); !errors.Is(err, enough) {
			w.Fatal(err)
		}
		ts.wants(w)
		w.update(p, func(tx *profile.Tx) { _ = bag.Delete(tx, "x") })
		ts.wants(w, `bag/x {"name":"","level":0}>`)
		p.SetPrivate(nick, true)
		if err := p.Save(w.ctx); err != nil {
			w.Fatal(err)
		}
		ts.wants(w, "switched nick", "saved <nil>")
		end()
		w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 9) })
		p.Tap(ts.tap())
		w.close(p)
		ts.wants(w, "saved <nil>", "ended closed")
	})
}

func TestATapOfAnErroredProfile(t *testing.T) {
	bubble(t, func(w *world) {
		w.plant("1", func(tx *profile.Tx) { _ = foreignCoins.Set(tx, "many") })
		p := w.loadAny(w.server("a", nil), "1")
		var ts taps
		p.Tap(ts.tap())
		w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 3) })
		w.close(p)
		ts.wants(w, "coins >3", "ended closed")
	})
}

func TestOnOpened(t *testing.T) {
	bubble(t, func(w *world) {
		srv := w.server("a", nil)
		var opened []string
		cancel := srv.OnOpened(func(p *profile.Profile) { opened = append(opened, p.ID()) })
		p := w.load(srv, "1")
		w.load(srv, "1")
		w.close(p)
		if _, ok := srv.Opened("1"); ok {
			w.Error("Opened() finds a profile that has ended")
		}
		if _, err := srv.Change(w.ctx, "1", []profile.Op{coins.SetOp(1)}, nil); err != nil {
			w.Fatal(err)
		}
		if _, ok := srv.Opened("1"); ok {
			w.Error("Opened() finds a profile that is open only to be given a message")
		}
		w.load(srv, "1")
		if _, ok := srv.Opened("1"); !ok {
			w.Error("Opened() does not find a profile that is open")
		}
		cancel()
		w.load(srv, "2")
		if want := []string{"1", "1"}; !slices.Equal(opened, want) {
			w.Errorf("told of %q, want %q", opened, want)
		}
	})
}

func TestJSONIsWhatClientsGet(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.load(w.server("a", nil), "1")
		wants := func(f profile.Field, want string) {
			w.Helper()
			if got, err := f.JSON(p); string(got) != want || err != nil {
				w.Errorf("JSON() of %s = %s, %v, want %s", f.Name(), got, err, want)
			}
		}
		wants(coins, "500")
		wants(luck, "0.5")
		wants(veteran, "false")
		wants(nick, `"nobody"`)
		wants(born, `"2020-01-02T03:04:05.000000006Z"`)
		wants(blob, `"AQID"`)
		wants(settings, `{"volume":7,"music":true,"keys":{"jump":32},"tags":[{"name":"first","level":9}]}`)
		wants(bag, "{}")
		wants(quests, "[]")
		wants(friends, "{}")
		wants(kills, "{}")
		w.update(p, func(tx *profile.Tx) {
			_ = coins.Set(tx, 7)
			_ = friends.Add(tx, "ann")
			_ = bag.Put(tx, "x", Item{Name: "y"})
			_ = quests.Append(tx, Item{})
		})
		wants(coins, "7")
		wants(friends, `{"ann":true}`)
		wants(bag, `{"x":{"name":"y","level":0}}`)
		wants(quests, `[{"name":"","level":0}]`)
		if got, ok := bag.ElementJSON(p, "x"); string(got) != `{"name":"y","level":0}` || !ok {
			w.Errorf("ElementJSON() = %s, %v", got, ok)
		}
		if got, ok := bag.ElementJSON(p, "z"); ok {
			w.Errorf("ElementJSON() of none = %s", got)
		}
	})
}
