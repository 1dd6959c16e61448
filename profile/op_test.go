package profile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/profile"
	"pgregory.net/rapid"
)

// sent returns operations as they arrive at another server.
func sent(t interface {
	Helper()
	Fatalf(string, ...any)
}, ops ...profile.Op) []profile.Op {
	t.Helper()
	text, err := profile.EncodeOps(ops)
	if err != nil {
		t.Fatalf("EncodeOps(%v) = %v", ops, err)
	}
	got, err := profile.DecodeOps(text)
	if err != nil {
		t.Fatalf("decodeOps(%s) = %v", text, err)
	}
	return got
}

// filled is what the profiles of these tests hold before an operation.
func filled(tx *profile.Tx) {
	_ = coins.Set(tx, 100)
	_ = bag.Put(tx, "sword", Item{Name: "sword", Level: 1, Gems: []string{"ruby"}})
	_ = bag.Put(tx, "", Item{Name: "nameless"})
	_ = quests.Set(tx, []Item{{Name: "first"}})
	_ = friends.Add(tx, "ann")
	_ = kills.Set(tx, "bears", 3)
	_ = nick.Set(tx, "bob")
}

// opCase is an operation with the write that it stands for.
type opCase struct {
	op     profile.Op
	json   string
	result string
	write  func(tx *profile.Tx) error
}

var someTime = time.Date(2026, 11, 20, 12, 0, 0, 123456789, time.FixedZone("x", 3600))

var writeOps = map[string]opCase{
	"IntSet": {coins.SetOp(7), `{"op":"set","field":"coins","value":7}`, "",
		func(tx *profile.Tx) error { return coins.Set(tx, 7) }},
	"IntAdd": {coins.AddOp(-30), `{"op":"add","field":"coins","value":-30}`, "70",
		func(tx *profile.Tx) error { return coins.Add(tx, -30) }},
	"IntReset": {coins.ResetOp(), `{"op":"reset","field":"coins"}`, "",
		func(tx *profile.Tx) error { return coins.Reset(tx) }},
	"FloatSet": {luck.SetOp(1e-7), `{"op":"set","field":"luck","value":1e-07}`, "",
		func(tx *profile.Tx) error { return luck.Set(tx, 1e-7) }},
	"FloatAdd": {luck.AddOp(0.25), `{"op":"add","field":"luck","value":0.25}`, "0.75",
		func(tx *profile.Tx) error { return luck.Add(tx, 0.25) }},
	"BoolSet": {veteran.SetOp(true), `{"op":"set","field":"veteran","value":true}`, "",
		func(tx *profile.Tx) error { return veteran.Set(tx, true) }},
	"StringSet": {nick.SetOp("Zoë <&> \"\\\n"), `{"op":"set","field":"nick","value":"Zoë <&> \"\\\n"}`, "",
		func(tx *profile.Tx) error { return nick.Set(tx, "Zoë <&> \"\\\n") }},
	"TimeSet": {born.SetOp(someTime), `{"op":"set","field":"born","value":"2026-11-20T11:00:00.123456789Z"}`, "",
		func(tx *profile.Tx) error { return born.Set(tx, someTime) }},
	"BytesSet": {blob.SetOp([]byte{0, 255}), `{"op":"set","field":"blob","value":"AP8="}`, "",
		func(tx *profile.Tx) error { return blob.Set(tx, []byte{0, 255}) }},
	"ValueSet": {settings.SetOp(Settings{Volume: 3}),
		`{"op":"set","field":"settings","value":{"volume":3,"music":false,"keys":null,"tags":null}}`, "",
		func(tx *profile.Tx) error { return settings.Set(tx, Settings{Volume: 3}) }},
	"MapPut": {bag.PutOp("axe/<\"~", Item{Name: "axe"}), `{"op":"put","field":"bag","element":"axe/<\"~","value":{"name":"axe","level":0}}`, "",
		func(tx *profile.Tx) error { return bag.Put(tx, "axe/<\"~", Item{Name: "axe"}) }},
	"MapPutUnderTheEmptyName": {bag.PutOp("", Item{}), `{"op":"put","field":"bag","element":"","value":{"name":"","level":0}}`, "",
		func(tx *profile.Tx) error { return bag.Put(tx, "", Item{}) }},
	"MapDelete": {bag.DeleteOp("sword"), `{"op":"delete","field":"bag","element":"sword"}`, "",
		func(tx *profile.Tx) error { return bag.Delete(tx, "sword") }},
	"MapReset": {bag.ResetOp(), `{"op":"reset","field":"bag"}`, "",
		func(tx *profile.Tx) error { return bag.Clear(tx) }},
	"ListSet": {quests.SetOp(nil), `{"op":"set","field":"quests","value":[]}`, "",
		func(tx *profile.Tx) error { return quests.Set(tx, nil) }},
	"ListAppend": {quests.AppendOp(Item{Name: "a"}, Item{Name: "b"}),
		`{"op":"append","field":"quests","value":[{"name":"a","level":0},{"name":"b","level":0}]}`, "3",
		func(tx *profile.Tx) error { return quests.Append(tx, Item{Name: "a"}, Item{Name: "b"}) }},
	"SetAdd": {friends.AddOp("zed"), `{"op":"add","field":"friends","element":"zed"}`, "",
		func(tx *profile.Tx) error { return friends.Add(tx, "zed") }},
	"SetDelete": {friends.DeleteOp("ann"), `{"op":"delete","field":"friends","element":"ann"}`, "",
		func(tx *profile.Tx) error { return friends.Delete(tx, "ann") }},
	"CountersSet": {kills.SetOp("bears", 9), `{"op":"set","field":"kills","element":"bears","value":9}`, "",
		func(tx *profile.Tx) error { return kills.Set(tx, "bears", 9) }},
	"CountersAdd": {kills.AddOp("bears", 2), `{"op":"add","field":"kills","element":"bears","value":2}`, "5",
		func(tx *profile.Tx) error { return kills.Add(tx, "bears", 2) }},
	"CountersDelete": {kills.DeleteOp("bears"), `{"op":"delete","field":"kills","element":"bears"}`, "",
		func(tx *profile.Tx) error { return kills.Delete(tx, "bears") }},
}

func TestOpsOfAllKinds(t *testing.T) {
	bubble(t, func(w *world) {
		srv := w.server("a", nil)
		for name, c := range writeOps {
			t.Run(name, func(t *testing.T) {
				text, err := profile.EncodeOps([]profile.Op{c.op})
				if want := "[" + c.json + "]"; err != nil || string(text) != want {
					t.Fatalf("EncodeOps() = %s, %v, want %s", text, err, want)
				}
				byOp, typed := w.load(srv, name+" by op"), w.load(srv, name+" typed")
				w.update(byOp, filled)
				w.update(typed, filled)
				var results []json.RawMessage
				w.update(byOp, func(tx *profile.Tx) { results, err = tx.Apply(sent(t, c.op)...) })
				if err != nil || len(results) != 1 || string(results[0]) != c.result {
					t.Errorf("Apply(%v) = %s, %v, want %q", c.op, results, err, c.result)
				}
				w.update(typed, func(tx *profile.Tx) { err = c.write(tx) })
				if got, want := dump(byOp), dump(typed); got != want || err != nil {
					t.Errorf("Apply(%v) left\n%s\nthe write, with error %v,\n%s", c.op, got, err, want)
				}
				if err := profile.VerifyUnchanged(byOp); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

func TestConditions(t *testing.T) {
	sword := Item{Name: "sword", Level: 1, Gems: []string{"ruby"}}
	fresh := Settings{Volume: 7, Music: true, Keys: map[string]int{"jump": 32}, Tags: []Item{{Name: "first", Level: 9}}}
	for name, c := range map[string]struct {
		holds, fails profile.Op
		want         string // of the one that fails, after the key
	}{
		"Int":          {coins.ExpectOp(100), coins.ExpectOp(99), `field "coins": have 100, want 99`},
		"IntAtLeast":   {coins.ExpectAtLeastOp(100), coins.ExpectAtLeastOp(101), `field "coins": have 100, want at least 101`},
		"IntDefault":   {lazy.ExpectOp(0), lazy.ExpectAtLeastOp(1), `field "lazy": have 0, want at least 1`},
		"Float":        {luck.ExpectOp(0.5), luck.ExpectOp(0.25), `field "luck": have 0.5, want 0.25`},
		"FloatAtLeast": {luck.ExpectAtLeastOp(0.5), luck.ExpectAtLeastOp(0.75), `field "luck": have 0.5, want at least 0.75`},
		"Bool":         {veteran.ExpectOp(false), veteran.ExpectOp(true), `field "veteran": have false, want true`},
		"String":       {nick.ExpectOp("bob"), nick.ExpectOp("bo"), `field "nick": have "bob", want "bo"`},
		"Time": {born.ExpectOp(time.Date(2020, 1, 2, 4, 4, 5, 6, time.FixedZone("x", 3600))), born.ExpectOp(time.Time{}),
			`field "born": have "2020-01-02T03:04:05.000000006Z", want "0001-01-01T00:00:00Z"`},
		"Bytes": {blob.ExpectOp([]byte{1, 2, 3}), blob.ExpectOp(nil), `field "blob": have "AQID", want ""`},
		"Value": {settings.ExpectOp(fresh), settings.ExpectOp(Settings{}),
			`field "settings": have {"volume":7,"music":true,"keys":{"jump":32},"tags":[{"name":"first","level":9}]}, ` +
				`want {"volume":0,"music":false,"keys":null,"tags":null}`},
		"List": {quests.ExpectOp([]Item{{Name: "first"}}), quests.ExpectOp(nil), `field "quests": have [{"name":"first","level":0}], want []`},
		"Element": {bag.ExpectOp("sword", sword), bag.ExpectOp("sword", Item{Name: "sword"}),
			`field "bag", element "sword": have {"name":"sword","level":1,"gems":["ruby"]}, want {"name":"sword","level":0}`},
		"ElementThatIsMissing": {bag.ExpectAbsentOp("axe"), bag.ExpectOp("axe", Item{}), `field "bag", element "axe": have nothing, want {"name":"","level":0}`},
		"Present":              {bag.ExpectPresentOp("sword"), bag.ExpectPresentOp("axe"), `field "bag", element "axe": have nothing, want an element`},
		"Absent":               {friends.ExpectAbsentOp("bob"), friends.ExpectAbsentOp("ann"), `field "friends", element "ann": have true, want nothing`},
		"Member":               {friends.ExpectPresentOp("ann"), friends.ExpectPresentOp("bob"), `field "friends", element "bob": have nothing, want an element`},
		"Counter":              {kills.ExpectOp("bears", 3), kills.ExpectOp("bears", 4), `field "kills", element "bears": have 3, want 4`},
		"CounterAtLeast":       {kills.ExpectAtLeastOp("bears", 3), kills.ExpectAtLeastOp("bears", 4), `field "kills", element "bears": have 3, want at least 4`},
		"CounterNeverWritten":  {kills.ExpectOp("cats", 0), kills.ExpectAtLeastOp("cats", 1), `field "kills", element "cats": have 0, want at least 1`},
		"Unset":                {luck.ExpectUnsetOp(), coins.ExpectUnsetOp(), `field "coins": have 100, want nothing`},
		"Revision":             {profile.ExpectRevisionOp(1), profile.ExpectRevisionOp(2), `revision: have 1, want 2`},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.load(w.server("a", nil), "1")
				w.update(p, filled)
				before := dump(p)
				apply := func(op profile.Op) error {
					return p.Update(func(tx *profile.Tx) error {
						_ = lazy.Set(tx, 0)
						_, _ = tx.Apply(sent(w, op)...)
						return nil // Apply has failed the update, whatever its function says
					})
				}
				err := apply(c.fails)
				failed, ok := errors.AsType[*profile.ConditionError](err)
				if !ok || !errors.Is(err, profile.ErrConditionFailed) || errors.Is(err, profile.ErrRefused) {
					t.Fatalf("Apply(%v) = %v, want an ErrConditionFailed", c.fails, err)
				}
				if got := failed.Error(); got != "player/1: condition failed: "+c.want {
					t.Errorf("Apply(%v) = %s\nwant %s", c.fails, got, c.want)
				}
				if got := dump(p); got != before {
					t.Errorf("after a condition that failed %s is stored, want %s", got, before)
				}
				if err := apply(c.holds); err != nil {
					t.Errorf("Apply(%v) = %v, want nil", c.holds, err)
				}
			})
		})
	}
}

func TestApply(t *testing.T) {
	t.Run("IsAllOrNothing", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			w.refuses(p, profile.ErrRange, func(tx *profile.Tx) {
				_, _ = tx.Apply(coins.AddOp(100), bag.PutOp("x", Item{}), kills.AddOp("y", -1), nick.SetOp("z"))
			})
		})
	})
	t.Run("SeesWhatCameBefore", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			w.update(p, func(tx *profile.Tx) {
				_ = coins.Set(tx, 1)
				got, err := tx.Apply(coins.ExpectOp(1), coins.AddOp(2), coins.AddOp(3), coins.ExpectOp(6), nick.SetOp("x"))
				want := []json.RawMessage{nil, []byte("3"), []byte("6"), nil, nil}
				if diff := cmp.Diff(want, got); diff != "" || err != nil {
					t.Errorf("Apply() = %s, %v (-want +got):\n%s", got, err, diff)
				}
			})
		})
	})
	t.Run("NamesTheOperation", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			err := p.Update(func(tx *profile.Tx) error {
				_, err := tx.Apply(coins.AddOp(1), coins.AddOp(-1000))
				return err
			})
			want := `apply operation 2 of 2: player/1: write refused: field "coins": out of range: -499, at least 0`
			if err == nil || err.Error() != want {
				t.Errorf("Apply() = %v, want %s", err, want)
			}
		})
	})
	t.Run("TellsListenersLikeAnyWrite", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			var told []string
			p.OnChange(func(c profile.Change) { told = append(told, fmt.Sprintf("%v=%s", c.Path, c.New)) })
			w.update(p, func(tx *profile.Tx) { _, _ = tx.Apply(coins.AddOp(1), friends.AddOp("x")) })
			if want := []string{"coins=501", "friends/x=true"}; !slices.Equal(told, want) {
				t.Errorf("told %v, want %v", told, want)
			}
		})
	})
	t.Run("RefusesAnUpdateThatHasEnded", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			var kept *profile.Tx
			w.update(p, func(tx *profile.Tx) { kept = tx })
			for _, op := range []profile.Op{coins.AddOp(1), coins.ExpectOp(500), profile.ExpectRevisionOp(0)} {
				if _, err := kept.Apply(op); !errors.Is(err, profile.ErrTxEnded) {
					t.Errorf("Apply(%v) after the update = %v, want ErrTxEnded", op, err)
				}
			}
		})
	})
	t.Run("RevisionsCountUpdates", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			p := w.load(srv, "1")
			for range 3 {
				if err := p.Update(func(tx *profile.Tx) error { return coins.Add(tx, 1) }, profile.Durable(w.ctx)); err != nil {
					t.Fatal(err)
				}
			}
			c, err := srv.Peek(w.ctx, "1")
			if err != nil {
				t.Fatal(err)
			}
			add := func() error {
				return p.Update(func(tx *profile.Tx) error {
					_, err := tx.Apply(profile.ExpectRevisionOp(c.Revision()), coins.AddOp(1))
					return err
				})
			}
			if err := add(); err != nil {
				t.Errorf("at revision %d: %v", c.Revision(), err)
			}
			if err := add(); !errors.Is(err, profile.ErrConditionFailed) || coins.Get(p) != 504 {
				t.Errorf("after another update: %v, coins %d; want ErrConditionFailed and 504", err, coins.Get(p))
			}
		})
	})
}

func TestOpsThatDoNotFit(t *testing.T) {
	for text, want := range map[string]error{
		`{"op":"set","field":"gems","value":1}`:                                                                      profile.ErrUnknownField,
		`{"op":"expectUnset","field":"gems"}`:                                                                        profile.ErrUnknownField,
		`{"op":"set","field":"coins","value":"5"}`:                                                                   profile.ErrWrongType,
		`{"op":"set","field":"coins","value":1.5}`:                                                                   profile.ErrWrongType,
		`{"op":"set","field":"coins","value":null}`:                                                                  profile.ErrWrongType,
		`{"op":"add","field":"coins","value":9223372036854775808}`:                                                   profile.ErrWrongType,
		`{"op":"add","field":"coins","value":9223372036854775807}`:                                                   profile.ErrRange,
		`{"op":"set","field":"coins","value":-1}`:                                                                    profile.ErrRange,
		`{"op":"expectAtLeast","field":"coins","value":[]}`:                                                          profile.ErrWrongType,
		`{"op":"set","field":"coins","element":"x","value":1}`:                                                       profile.ErrWrongType,
		`{"op":"append","field":"coins","value":[1]}`:                                                                profile.ErrWrongType,
		`{"op":"set","field":"luck","value":"1"}`:                                                                    profile.ErrWrongType,
		`{"op":"set","field":"luck","value":1e999}`:                                                                  profile.ErrWrongType,
		`{"op":"set","field":"veteran","value":1}`:                                                                   profile.ErrWrongType,
		`{"op":"add","field":"veteran","value":1}`:                                                                   profile.ErrWrongType,
		`{"op":"set","field":"nick","value":5}`:                                                                      profile.ErrWrongType,
		`{"op":"set","field":"nick","value":"` + strings.Repeat("x", 21) + `"}`:                                      profile.ErrTooLong,
		`{"op":"set","field":"born","value":"yesterday"}`:                                                            profile.ErrWrongType,
		`{"op":"set","field":"blob","value":"%"}`:                                                                    profile.ErrWrongType,
		`{"op":"set","field":"settings","value":{"volume":"loud"}}`:                                                  profile.ErrWrongType,
		`{"op":"set","field":"settings","value":{"volume":1,"bass":2}}`:                                              profile.ErrWrongType,
		`{"op":"expect","field":"settings","value":{"bass":2}}`:                                                      profile.ErrWrongType,
		`{"op":"put","field":"bag","element":"x","value":{"name":"x","weight":2}}`:                                   profile.ErrWrongType,
		`{"op":"put","field":"bag","element":"x","value":7}`:                                                         profile.ErrWrongType,
		`{"op":"expect","field":"bag","element":"x","value":7}`:                                                      profile.ErrWrongType,
		`{"op":"set","field":"bag","value":{}}`:                                                                      profile.ErrWrongType,
		`{"op":"add","field":"bag","element":"x"}`:                                                                   profile.ErrWrongType,
		`{"op":"append","field":"quests","value":{"name":"x"}}`:                                                      profile.ErrWrongType,
		`{"op":"append","field":"quests","value":[{"name":"x","weight":2}]}`:                                         profile.ErrWrongType,
		`{"op":"add","field":"friends","element":"x","value":1}`:                                                     profile.ErrWrongType,
		`{"op":"set","field":"kills","element":"x","value":"1"}`:                                                     profile.ErrWrongType,
		`{"op":"set","field":"kills","element":"x","value":-1}`:                                                      profile.ErrRange,
		`{"op":"set","field":"kills","value":1}`:                                                                     profile.ErrWrongType,
		`{"op":"set","field":"settings","value":{"tags":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}}`: profile.ErrWrongType,
	} {
		t.Run(text[:min(len(text), 70)], func(t *testing.T) {
			var op profile.Op
			if err := json.Unmarshal([]byte(text), &op); err != nil {
				t.Fatalf("Unmarshal() = %v", err)
			}
			bubble(t, func(w *world) {
				p := w.load(w.server("a", nil), "1")
				w.refuses(p, want, func(tx *profile.Tx) { _, _ = tx.Apply(op) })
			})
		})
	}
	t.Run("FourthFriend", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			w.refuses(p, profile.ErrTooLong, func(tx *profile.Tx) {
				_, _ = tx.Apply(friends.AddOp("a"), friends.AddOp("b"), friends.AddOp("c"), friends.AddOp("d"))
			})
		})
	})
	t.Run("RevisionThatIsNoNumber", func(t *testing.T) {
		ops, err := profile.DecodeOps([]byte(`[{"op":"expectRevision","value":-1}]`))
		if err != nil {
			t.Fatal(err)
		}
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			if err := p.Update(func(tx *profile.Tx) error { _, err := tx.Apply(ops...); return err }); !errors.Is(err, document.ErrInvalid) {
				t.Errorf("Apply() = %v, want ErrInvalid", err)
			}
		})
	})
	t.Run("RevisionOfAnErroredProfile", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.plant("1", func(tx *profile.Tx) { _ = foreignCoins.Set(tx, "many") })
			p := w.loadAny(w.server("a", nil), "1")
			err := p.Update(func(tx *profile.Tx) error { _, err := tx.Apply(profile.ExpectRevisionOp(1)); return err })
			if !errors.Is(err, profile.ErrErrored) {
				t.Errorf("Apply() = %v, want ErrErrored", err)
			}
			w.update(p, func(tx *profile.Tx) { _, _ = tx.Apply(coins.ExpectOp(500), coins.AddOp(1)) })
			if got := coins.Get(p); got != 501 {
				t.Errorf("coins = %d, want 501 in memory", got)
			}
		})
	})
}

// pair is an operation and the call that does the same.
type pair struct {
	op    profile.Op
	typed func(tx *profile.Tx) error
}

func expected(ok bool) error {
	if ok {
		return nil
	}
	return profile.ErrConditionFailed
}

func drawPair(rt *rapid.T) pair {
	n := int64(rapid.IntRange(-400, 900).Draw(rt, "n"))
	name := rapid.SampledFrom([]string{"a", "b", "c", "d", ""}).Draw(rt, "name")
	item := Item{Name: name, Level: int(n % 3)}
	return rapid.SampledFrom([]pair{
		{coins.SetOp(n), func(tx *profile.Tx) error { return coins.Set(tx, n) }},
		{coins.AddOp(n), func(tx *profile.Tx) error { return coins.Add(tx, n) }},
		{coins.ExpectAtLeastOp(n), func(tx *profile.Tx) error { return expected(coins.Get(tx) >= n) }},
		{luck.AddOp(float64(n) / 8), func(tx *profile.Tx) error { return luck.Add(tx, float64(n)/8) }},
		{veteran.SetOp(n > 0), func(tx *profile.Tx) error { return veteran.Set(tx, n > 0) }},
		{nick.SetOp(strings.Repeat(name, int(n&31))), func(tx *profile.Tx) error { return nick.Set(tx, strings.Repeat(name, int(n&31))) }},
		{nick.ResetOp(), func(tx *profile.Tx) error { return nick.Reset(tx) }},
		{settings.SetOp(Settings{Volume: int(n)}), func(tx *profile.Tx) error { return settings.Set(tx, Settings{Volume: int(n)}) }},
		{bag.PutOp(name, item), func(tx *profile.Tx) error { return bag.Put(tx, name, item) }},
		{bag.DeleteOp(name), func(tx *profile.Tx) error { return bag.Delete(tx, name) }},
		{bag.ResetOp(), func(tx *profile.Tx) error { return bag.Reset(tx) }},
		{bag.ExpectAbsentOp(name), func(tx *profile.Tx) error { return expected(!bag.Has(tx, name)) }},
		{bag.ExpectOp(name, item), func(tx *profile.Tx) error {
			have, ok := bag.Get(tx, name)
			return expected(ok && cmp.Equal(have, item))
		}},
		{quests.AppendOp(item), func(tx *profile.Tx) error { return quests.Append(tx, item) }},
		{quests.SetOp([]Item{item}), func(tx *profile.Tx) error { return quests.Set(tx, []Item{item}) }},
		{friends.AddOp(name), func(tx *profile.Tx) error { return friends.Add(tx, name) }},
		{friends.DeleteOp(name), func(tx *profile.Tx) error { return friends.Delete(tx, name) }},
		{kills.SetOp(name, n), func(tx *profile.Tx) error { return kills.Set(tx, name, n) }},
		{kills.AddOp(name, n), func(tx *profile.Tx) error { return kills.Add(tx, name, n) }},
		{kills.ExpectOp(name, n), func(tx *profile.Tx) error { return expected(kills.Get(tx, name) == n) }},
	}).Draw(rt, "pair")
}

// TestOpsAgainstTypedCalls makes random updates, by operations that have
// travelled in one profile and by calls in another, and compares the two.
func TestOpsAgainstTypedCalls(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		updates := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(drawPair), 1, 5), 1, 12).Draw(rt, "updates")
		var problem string
		synctestRun(t, func(w *world) { problem = compareOps(w, updates) })
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

func compareOps(w *world, updates [][]pair) string {
	srv := w.server("a", nil)
	byOps, typed := w.load(srv, "1"), w.load(srv, "2")
	for i, pairs := range updates {
		var ops []profile.Op
		for _, p := range pairs {
			ops = append(ops, p.op)
		}
		ops = sent(w, ops...)
		err := byOps.Update(func(tx *profile.Tx) error { _, err := tx.Apply(ops...); return err })
		want := typed.Update(func(tx *profile.Tx) error {
			for _, p := range pairs {
				if err := p.typed(tx); err != nil {
					return err
				}
			}
			return nil
		})
		for _, is := range []error{profile.ErrConditionFailed, profile.ErrRefused, profile.ErrRange, profile.ErrTooLong} {
			if (err == nil) != (want == nil) || errors.Is(err, is) != errors.Is(want, is) {
				return fmt.Sprintf("update %d: Apply(%v) = %v, the calls = %v", i, ops, err, want)
			}
		}
		if got, want := dump(byOps), dump(typed); got != want {
			return fmt.Sprintf("update %d: Apply(%v) left\n%s\nthe calls\n%s", i, ops, got, want)
		}
		if err := profile.VerifyUnchanged(byOps); err != nil {
			return fmt.Sprintf("update %d: Apply(%v): %v", i, ops, err)
		}
	}
	return ""
}
