package profile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/profile"
)

// eachWay runs a check against a profile as it was changed, and again after it
// was saved, closed and loaded anew.
func eachWay(t *testing.T, change func(tx *profile.Tx), check func(t *testing.T, r profile.Reader)) {
	t.Helper()
	bubble(t, func(w *world) {
		srv := w.server("a", nil)
		p := w.load(srv, "1")
		w.update(p, func(tx *profile.Tx) {
			change(tx)
			check(t, tx)
		})
		check(t, p)
		p.View(func(r profile.Reader) { check(t, r) })
		if err := profile.VerifyUnchanged(p); err != nil {
			t.Errorf("VerifyUnchanged() = %v", err)
		}
		w.close(p)
		check(t, w.load(srv, "1"))
	})
}

func TestScalars(t *testing.T) {
	moment := time.Date(2026, 11, 20, 12, 0, 0, 123456789, time.FixedZone("x", 3600))
	eachWay(t, func(tx *profile.Tx) {
		_ = coins.Add(tx, -200)
		_ = luck.Set(tx, 1e-7)
		_ = veteran.Set(tx, true)
		_ = nick.Set(tx, "Zoë <&> \"\\\n")
		_ = born.Set(tx, moment)
		_ = blob.Set(tx, []byte{0, 255})
	}, func(t *testing.T, r profile.Reader) {
		if got := coins.Get(r); got != 300 {
			t.Errorf("coins = %d, want 300", got)
		}
		if got := luck.Get(r); got != 1e-7 {
			t.Errorf("luck = %v, want 1e-7", got)
		}
		if !veteran.Get(r) {
			t.Error("veteran = false, want true")
		}
		if got := nick.Get(r); got != "Zoë <&> \"\\\n" {
			t.Errorf("nick = %q", got)
		}
		if got := born.Get(r); !got.Equal(moment) || got.Location() != time.UTC {
			t.Errorf("born = %v, want %v in UTC", got, moment)
		}
		if got := blob.Get(r); !slices.Equal(got, []byte{0, 255}) {
			t.Errorf("blob = %v, want [0 255]", got)
		}
	})
}

// words returns values with a space between any two.
func words(values ...any) string { return strings.TrimSpace(fmt.Sprintln(values...)) }

func TestDefaults(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.load(w.server("a", nil), "1")
		if got := dump(p); got != "{}" {
			t.Errorf("a new profile stores %s, want nothing", got)
		}
		got := words(coins.Get(p), luck.Get(p), veteran.Get(p), nick.Get(p), born.Get(p), blob.Get(p), settings.Get(p),
			bag.Len(p), quests.Len(p), friends.Len(p), kills.Get(p, "x"))
		want := "500 0.5 false nobody 2020-01-02 03:04:05.000000006 +0000 UTC [1 2 3] {7 true map[jump:32] [{first 9 []}]} 0 0 0 0"
		if got != want {
			t.Errorf("defaults = %s, want %s", got, want)
		}
		w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 500) })
		if got := dump(p); got != `{"coins":500}` {
			t.Errorf("after a write of the default's value %s is stored, want it to be", got)
		}
		if !coins.IsSet(p) || nick.IsSet(p) {
			t.Error("IsSet() does not tell what is stored")
		}
		w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 3); _ = coins.Reset(tx) })
		if got := coins.Get(p); got != 500 || coins.IsSet(p) {
			t.Errorf("after Reset coins = %d, set %v; want the default", got, coins.IsSet(p))
		}
	})
}

func TestLimitsOfFields(t *testing.T) {
	odd := errors.New("odd")
	even := func(n int64) error {
		if n%2 != 0 {
			return odd
		}
		return nil
	}
	evens := profile.Int("evens", 0, profile.Validate(even))
	levels := profile.Map[Item]("levels", profile.MaxLen(2), profile.Validate(func(i Item) error { return even(int64(i.Level)) }))
	list := profile.List[int64]("list", profile.MaxLen(2), profile.Validate(even))
	raw := profile.Bytes("raw", nil, profile.MaxLen(2))
	few := profile.Counters("few", profile.MaxLen(1), profile.Max(10), profile.Validate(even))
	names := profile.Set("names", profile.Validate(func(s string) error { return even(int64(len(s))) }))
	even2 := profile.String("words", "", profile.Validate(func(s string) error { return even(int64(len(s))) }))
	schema := profile.NewSchema("player", coins, luck, nick, born, friends, kills, evens, levels, list, raw, few, names, even2)
	bubble(t, func(w *world) {
		p := w.load(w.serverOn("a", open{w.db}, schema, nil), "1")
		w.update(p, func(tx *profile.Tx) {
			_ = friends.Add(tx, "a")
			_ = friends.Add(tx, "b")
			_ = friends.Add(tx, "c")
			_ = friends.Add(tx, "c")
			_ = levels.Put(tx, "a", Item{Level: 2})
			_ = levels.Put(tx, "b", Item{Level: 2})
			_ = levels.Put(tx, "b", Item{Level: 4})
			_ = list.Set(tx, []int64{2, 4})
			_ = kills.Set(tx, "bears", 5)
			_ = few.Set(tx, "x", 10)
		})
		for name, c := range map[string]struct {
			want  error
			write func(tx *profile.Tx)
		}{
			"BelowMin":         {profile.ErrRange, func(tx *profile.Tx) { _ = coins.Add(tx, -501) }},
			"AboveMax":         {profile.ErrRange, func(tx *profile.Tx) { _ = coins.Set(tx, 1_000_001) }},
			"Overflow":         {profile.ErrRange, func(tx *profile.Tx) { _ = coins.Add(tx, math.MaxInt64) }},
			"FloatBelowMin":    {profile.ErrRange, func(tx *profile.Tx) { _ = luck.Add(tx, -0.6) }},
			"LongText":         {profile.ErrTooLong, func(tx *profile.Tx) { _ = nick.Set(tx, strings.Repeat("x", 21)) }},
			"LongBytes":        {profile.ErrTooLong, func(tx *profile.Tx) { _ = raw.Set(tx, []byte{1, 2, 3}) }},
			"FarYear":          {profile.ErrRange, func(tx *profile.Tx) { _ = born.Set(tx, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)) }},
			"FullSet":          {profile.ErrTooLong, func(tx *profile.Tx) { _ = friends.Add(tx, "d") }},
			"FullMap":          {profile.ErrTooLong, func(tx *profile.Tx) { _ = levels.Put(tx, "c", Item{Level: 2}) }},
			"FullList":         {profile.ErrTooLong, func(tx *profile.Tx) { _ = list.Append(tx, 6) }},
			"LongList":         {profile.ErrTooLong, func(tx *profile.Tx) { _ = list.Set(tx, []int64{2, 4, 6}) }},
			"FullCounters":     {profile.ErrTooLong, func(tx *profile.Tx) { _ = few.Set(tx, "y", 2) }},
			"CounterAboveMax":  {profile.ErrRange, func(tx *profile.Tx) { _ = few.Add(tx, "x", 2) }},
			"CounterBelowMin":  {profile.ErrRange, func(tx *profile.Tx) { _ = kills.Add(tx, "bears", -6) }},
			"CounterOverflow":  {profile.ErrRange, func(tx *profile.Tx) { _ = kills.Add(tx, "bears", math.MaxInt64) }},
			"CounterInvalid":   {odd, func(tx *profile.Tx) { _ = few.Set(tx, "x", 3) }},
			"Invalid":          {odd, func(tx *profile.Tx) { _ = evens.Set(tx, 3) }},
			"InvalidElement":   {odd, func(tx *profile.Tx) { _ = levels.Put(tx, "a", Item{Level: 3}) }},
			"InvalidEdit":      {odd, func(tx *profile.Tx) { _ = levels.Edit(tx, "a", func(i *Item) error { i.Level++; return nil }) }},
			"InvalidInList":    {odd, func(tx *profile.Tx) { _ = list.Replace(tx, 0, 1) }},
			"InvalidMember":    {odd, func(tx *profile.Tx) { _ = names.Add(tx, "abc") }},
			"InvalidText":      {odd, func(tx *profile.Tx) { _ = even2.Set(tx, "abc") }},
			"EditOfNothing":    {profile.ErrMissing, func(tx *profile.Tx) { _ = levels.Edit(tx, "zz", func(*Item) error { return nil }) }},
			"EditFails":        {odd, func(tx *profile.Tx) { _ = levels.Edit(tx, "a", func(*Item) error { return odd }) }},
			"ListIndex":        {profile.ErrMissing, func(tx *profile.Tx) { _ = list.Remove(tx, 2) }},
			"ListNegative":     {profile.ErrMissing, func(tx *profile.Tx) { _ = list.Insert(tx, -1) }},
			"ListEditOfNought": {profile.ErrMissing, func(tx *profile.Tx) { _ = list.Edit(tx, 2, func(*int64) error { return nil }) }},
		} {
			t.Run(name, func(t *testing.T) {
				inner := *w
				inner.T = t
				inner.refuses(p, c.want, c.write)
			})
		}
	})
}

func TestValue(t *testing.T) {
	t.Run("EditWorksOnACopy", func(t *testing.T) {
		eachWay(t, func(tx *profile.Tx) {
			_ = settings.Edit(tx, func(s *Settings) error {
				s.Volume = 0
				s.Keys["run"] = 5
				delete(s.Keys, "jump")
				s.Tags = append(s.Tags, Item{Name: "second"})
				return nil
			})
		}, func(t *testing.T, r profile.Reader) {
			want := Settings{Music: true, Keys: map[string]int{"run": 5}, Tags: []Item{{Name: "first", Level: 9}, {Name: "second"}}}
			if diff := cmp.Diff(want, settings.Get(r)); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("MissingMembersHaveTheDefaults", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.plant("1", func(tx *profile.Tx) {
				_ = foreignSettings.Set(tx, map[string]any{"volume": 0, "tags": []any{map[string]any{"name": "x"}}})
			})
			p := w.load(w.server("a", nil), "1")
			want := Settings{Volume: 0, Music: true, Keys: map[string]int{"jump": 32}, Tags: []Item{{Name: "x"}}}
			if diff := cmp.Diff(want, settings.Get(p)); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("KeepsNothingOfWhatItIsGiven", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			mine := Settings{Keys: map[string]int{"a": 1}}
			w.update(p, func(tx *profile.Tx) { _ = settings.Set(tx, mine) })
			mine.Keys["a"] = 2
			if got := settings.Get(p).Keys["a"]; got != 1 {
				t.Errorf(`Keys["a"] = %d after the caller changed its own map, want 1`, got)
			}
		})
	})
	t.Run("VerifyFindsChangesInPlace", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			w.update(p, func(tx *profile.Tx) {
				_ = bag.Put(tx, "sword", Item{Gems: []string{"ruby"}})
				_ = quests.Append(tx, Item{Name: "first"})
			})
			_, _ = bag.Get(p, "sword")
			if err := profile.VerifyUnchanged(p); err != nil {
				t.Errorf("VerifyUnchanged() = %v before anything was changed", err)
			}
			sword, _ := bag.Get(p, "sword")
			sword.Gems[0] = "glass"
			if err := profile.VerifyUnchanged(p); !errors.Is(err, profile.ErrChanged) || !strings.Contains(err.Error(), "sword") {
				t.Errorf("VerifyUnchanged() = %v, want ErrChanged that names the sword", err)
			}
			sword.Gems[0] = "ruby"
			quests.Get(p)[0].Name = "changed"
			if err := profile.VerifyUnchanged(p); !errors.Is(err, profile.ErrChanged) || !strings.Contains(err.Error(), "quests") {
				t.Errorf("VerifyUnchanged() = %v, want ErrChanged that names the quests", err)
			}
		})
	})
}

func TestMap(t *testing.T) {
	t.Run("PutEditDelete", func(t *testing.T) {
		eachWay(t, func(tx *profile.Tx) {
			for _, name := range []string{"b", "a", "", "sl/ash~", "c"} {
				_ = bag.Put(tx, name, Item{Name: name, Level: 1})
			}
			_ = bag.Edit(tx, "a", func(i *Item) error { i.Level++; i.Gems = []string{"x"}; return nil })
			_ = bag.Delete(tx, "c")
			_ = bag.Delete(tx, "never")
		}, func(t *testing.T, r profile.Reader) {
			if got := bag.Len(r); got != 4 {
				t.Errorf("Len() = %d, want 4", got)
			}
			a, ok := bag.Get(r, "a")
			if want := (Item{"a", 2, []string{"x"}}); !ok || !cmp.Equal(a, want) {
				t.Errorf(`Get("a") = %v, %v; want %v`, a, ok, want)
			}
			if _, ok := bag.Get(r, "c"); ok || bag.Has(r, "c") || !bag.Has(r, "") {
				t.Error("a deleted element is there, or one of an empty name is not")
			}
			var names []string
			for name, item := range bag.All(r) {
				names = append(names, name)
				if item.Name != name {
					t.Errorf("All() gave %v under %q", item, name)
				}
			}
			want := []string{"b", "a", "", "sl/ash~"}
			if !slices.Equal(names, want) || !slices.Equal(slices.Collect(bag.Keys(r)), want) {
				t.Errorf("names = %q, want %q", names, want)
			}
		})
	})
	t.Run("LoopsMayChangeTheProfile", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			w.update(p, func(tx *profile.Tx) { _ = bag.Put(tx, "a", Item{}); _ = bag.Put(tx, "b", Item{}) })
			for name := range bag.All(p) {
				w.update(p, func(tx *profile.Tx) { _ = bag.Delete(tx, name) })
			}
			if n := bag.Len(p); n != 0 {
				t.Errorf("Len() = %d, want 0", n)
			}
		})
	})
	t.Run("ClearThenPut", func(t *testing.T) {
		eachWay(t, func(tx *profile.Tx) {
			_ = bag.Put(tx, "old", Item{Level: 1})
			_ = bag.Clear(tx)
			_ = bag.Put(tx, "new", Item{Level: 2})
		}, func(t *testing.T, r profile.Reader) {
			if v, ok := bag.Get(r, "new"); bag.Len(r) != 1 || !ok || v.Level != 2 {
				t.Errorf("new = %v, %v of %d; want the only one", v, ok, bag.Len(r))
			}
		})
	})
	t.Run("ElementOfWhatIsNoObjectIsAnErroredLoad", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.plant("1", func(tx *profile.Tx) { _ = foreignBag.Set(tx, []int{1}) })
			w.plant("2", func(tx *profile.Tx) {
				_ = foreignBag.Set(tx, map[string]any{"x": map[string]any{"level": "nine"}})
			})
			srv := w.server("a", nil)
			for _, id := range []string{"1", "2"} {
				if p := w.loadAny(srv, id); !errors.Is(p.Err(), profile.ErrWrongType) {
					t.Errorf("Err() of player %s = %v, want ErrWrongType", id, p.Err())
				}
			}
		})
	})
}

func TestList(t *testing.T) {
	eachWay(t, func(tx *profile.Tx) {
		_ = quests.Append(tx, Item{Name: "b"}, Item{Name: "c"})
		_ = quests.Append(tx)
		_ = quests.Insert(tx, 0, Item{Name: "a"})
		_ = quests.Append(tx, Item{Name: "d"})
		_ = quests.Remove(tx, 1)
		_ = quests.Replace(tx, 2, Item{Name: "D"})
		_ = quests.Edit(tx, 0, func(i *Item) error { i.Level = 3; return nil })
	}, func(t *testing.T, r profile.Reader) {
		want := []Item{{Name: "a", Level: 3}, {Name: "c"}, {Name: "D"}}
		if diff := cmp.Diff(want, quests.Get(r)); diff != "" {
			t.Errorf("quests (-want +got):\n%s", diff)
		}
		if v, ok := quests.At(r, 2); !ok || v.Name != "D" {
			t.Errorf("At(2) = %v, %v", v, ok)
		}
		if _, ok := quests.At(r, 3); ok || quests.Len(r) != 3 {
			t.Errorf("At(3) = true, Len() = %d; want false and 3", quests.Len(r))
		}
		n := 0
		for i, v := range quests.All(r) {
			if want[i].Name != v.Name {
				t.Errorf("All() gave %v at %d", v, i)
			}
			n++
		}
		if n != 3 {
			t.Errorf("All() gave %d elements, want 3", n)
		}
	})
}

func TestSetAndCounters(t *testing.T) {
	eachWay(t, func(tx *profile.Tx) {
		_ = friends.Add(tx, "bob")
		_ = friends.Add(tx, "eve")
		_ = friends.Delete(tx, "eve")
		_ = kills.Add(tx, "bears", 3)
		_ = kills.Add(tx, "bears", -1)
		_ = kills.Set(tx, "wolves", 9)
	}, func(t *testing.T, r profile.Reader) {
		if !friends.Has(r, "bob") || friends.Has(r, "eve") || friends.Len(r) != 1 {
			t.Errorf("friends = %q, want bob", slices.Collect(friends.Keys(r)))
		}
		if got := kills.Get(r, "bears"); got != 2 {
			t.Errorf("bears = %d, want 2", got)
		}
		total := int64(0)
		for _, n := range kills.All(r) {
			total += n
		}
		if total != 11 {
			t.Errorf("sum of all = %d, want 11", total)
		}
	})
}

func TestWrongTypesAreErroredLoads(t *testing.T) {
	fields := map[string]profile.Field{
		"Int": coins, "Float": profile.Float("coins", 0), "Bool": profile.Bool("coins", false),
		"String": profile.String("coins", ""), "Time": profile.Time("coins", time.Time{}), "Bytes": profile.Bytes("coins", nil),
		"Value": profile.Value("coins", Settings{}), "List": profile.List[int]("coins"), "Set": profile.Set("coins"),
		"Map": profile.Map[int]("coins"), "Counters": profile.Counters("coins"), "Panics": profile.Value("coins", panics{}),
	}
	stored := map[string][]any{
		"Int": {"1", 1.5, true, nil, []any{}}, "Float": {"1", false, nil}, "Bool": {0, "true", nil},
		"String": {1, nil, map[string]any{}}, "Time": {"yesterday", 0}, "Bytes": {"no base64!", 1},
		"Value": {[]any{}, 1, map[string]any{"volume": "loud"}}, "List": {map[string]any{}, []any{"x"}}, "Set": {[]any{}, 1},
		"Map": {[]any{}, map[string]any{"a": "x"}, nil}, "Counters": {map[string]any{"a": 0.5}, "x"}, "Panics": {1},
	}
	for kind, f := range fields {
		t.Run(kind, func(t *testing.T) {
			for i, value := range stored[kind] {
				bubble(t, func(w *world) {
					w.plant("1", func(tx *profile.Tx) { _ = foreignCoins.Set(tx, value) })
					srv := w.serverOn("a", open{w.db}, profile.NewSchema("player", f), nil)
					before := w.stored(srv, "1")
					p := w.loadAny(srv, "1")
					if !errors.Is(p.Err(), profile.ErrWrongType) {
						t.Errorf("case %d: Err() = %v with %v stored, want ErrWrongType", i, p.Err(), value)
					}
					w.update(p, func(tx *profile.Tx) { _ = f.Reset(tx) })
					w.close(p)
					if after := w.stored(srv, "1"); after != before {
						t.Errorf("case %d: %s became %s", i, before, after)
					}
				})
			}
		})
	}
}

// panics cannot be decoded without a panic.
type panics struct{}

func (panics) MarshalJSON() ([]byte, error) { return []byte("0"), nil }

func (*panics) UnmarshalJSON(b []byte) error {
	if string(b) != "0" {
		panic("not 0")
	}
	return nil
}

func TestSavedIsTheLastSavedValue(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.load(w.server("a", nil), "1")
		change := func(n int64) {
			w.update(p, func(tx *profile.Tx) {
				_ = coins.Set(tx, n)
				_ = luck.Set(tx, float64(n))
				_ = veteran.Set(tx, n == 2)
				_ = nick.Set(tx, fmt.Sprint(n))
				_ = bag.Put(tx, "x", Item{Level: int(n)})
				_ = kills.Set(tx, "x", n)
				_ = friends.Add(tx, fmt.Sprint(n))
			})
		}
		saved := func() string {
			x, ok := bag.Saved(p, "x")
			return words(coins.Saved(p), luck.Saved(p), veteran.Saved(p), nick.Saved(p), x, ok, kills.Saved(p, "x"), friends.Saved(p, "1"))
		}
		change(1)
		if got, want := saved(), "500 0.5 false nobody { 0 []} false 0 false"; got != want {
			t.Errorf("saved values before any save = %s, want %s", got, want)
		}
		if err := p.Save(w.ctx); err != nil {
			t.Fatal(err)
		}
		change(2)
		if got, want := saved(), "1 1 false 1 { 1 []} true 1 true"; got != want {
			t.Errorf("saved values after a save and further changes = %s, want %s", got, want)
		}
	})
}

func TestUnknownElementsSurvive(t *testing.T) {
	bubble(t, func(w *world) {
		w.plant("1", func(tx *profile.Tx) {
			_ = foreignBag.Set(tx, map[string]any{
				"a": map[string]any{"name": "a", "newer": "release", "big": jsonNumber},
				"b": map[string]any{"name": "b"},
			})
		})
		srv := w.server("a", nil)
		p := w.load(srv, "1")
		w.update(p, func(tx *profile.Tx) { _ = bag.Edit(tx, "b", func(i *Item) error { i.Level = 5; return nil }) })
		w.close(p)
		if got := w.stored(srv, "1"); !strings.Contains(got, `{"big":9007199254740993,"name":"a","newer":"release"}`) {
			t.Errorf("stored: %s, want the element that was not edited as it was", got)
		}
	})
}

func TestTooManyElements(t *testing.T) {
	bubble(t, func(w *world) {
		o := &profile.Options{}
		o.Session.Limits = document.Limits{Fields: 8}
		srv := w.server("a", o)
		w.close(w.load(srv, "1"))
		p := w.load(srv, "1")
		w.refuses(p, document.ErrTooLarge, func(tx *profile.Tx) {
			for i := range 10 {
				_ = bag.Put(tx, fmt.Sprint(i), Item{})
			}
		})
	})
}

func TestValuesEncodeAsEncodingJSONDoes(t *testing.T) {
	type inner struct {
		Name  string `json:",omitempty"`
		Bytes []byte
		Wait  time.Duration
		Array [2]byte
	}
	type all struct {
		inner
		Number  json.Number
		Keys    map[json.Number]int
		Any     any
		Raw     json.RawMessage
		When    time.Time
		Pointer *inner
		Slice   []int
		Ints    map[int]string
		Quoted  int `json:",string"`
		Skipped int `json:"-"`
		HTML    string
	}
	value := all{
		inner: inner{Bytes: []byte{1}, Wait: time.Second}, Number: jsonNumber, Keys: map[json.Number]int{"2": 1, "1": 2},
		Any: map[string]any{"b": 1.5, "a": jsonNumber}, Raw: json.RawMessage(`{"z":1,"a":[]}`),
		When: time.Unix(1, 5).UTC(), Ints: map[int]string{2: "x"}, Quoted: 7, HTML: "<é>",
	}
	field := profile.Value("all", all{})
	bubble(t, func(w *world) {
		p := w.load(w.serverOn("a", open{w.db}, profile.NewSchema("player", field), nil), "1")
		w.update(p, func(tx *profile.Tx) { _ = field.Set(tx, value) })
		want, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if got := dump(p); !document.Equal([]byte(got), []byte(`{"all":`+string(want)+`}`)) {
			t.Errorf("stored:\n%s\nencoding/json:\n%s", got, want)
		}
		var back all
		if err := json.Unmarshal(want, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(back, field.Get(p), cmp.AllowUnexported(all{})); diff != "" {
			t.Errorf("decoded (-encoding/json +profile):\n%s", diff)
		}
	})
}
