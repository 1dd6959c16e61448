package profile_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/profile"
)

// Two versions of a game's types: what is newer has members that older lacks.
type (
	olderPet  struct{ Name string }
	olderSeat struct {
		Horse string `json:"horse_name,omitempty"`
	}
	olderHouse struct {
		olderSeat
		Rooms int `json:",omitempty"`
		Pet   *olderPet
		Pets  map[string]olderPet
		Any   any
		gold  int
	}
	loudPet struct{ olderPet }
)

func (p *loudPet) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &p.olderPet) }

var (
	olderHome  = profile.Value("home", olderHouse{})
	olderPets  = profile.Map[olderPet]("pets")
	olderBirds = profile.List[olderPet]("birds")
	olderLoud  = profile.Value("loud", loudPet{})
	older      = profile.NewSchema("player", olderHome, olderPets, olderBirds, olderLoud)

	newerHome  = profile.Value[any]("home", nil)
	newerPets  = profile.Value[any]("pets", nil)
	newerBirds = profile.Value[any]("birds", nil)
	newerLoud  = profile.Value[any]("loud", nil)
	newer      = profile.NewSchema("player", newerHome, newerPets, newerBirds, newerLoud)
)

// newerWrote stores what a server of the newer version would.
func (w *world) newerWrote(f *profile.ValueField[any], text string) {
	w.Helper()
	srv := w.serverOn("newer", open{w.db}, newer, nil)
	p := w.load(srv, "1")
	w.update(p, func(tx *profile.Tx) { _ = f.Set(tx, json.RawMessage(text)) })
	if _, err := srv.Close(w.ctx); err != nil {
		w.Fatal(err)
	}
}

// asOlder loads the player into a server of the older version.
func (w *world) asOlder() *profile.Profile {
	w.Helper()
	return w.load(w.serverOn("older", open{w.db}, older, nil), "1")
}

func TestMembersThatTheTypeLacksSurvive(t *testing.T) {
	const home = `{"horse_name":"Ada","Rooms":2,"door":{"open":true},"Pet":{"Name":"Rex","age":3},` +
		`"Pets":{"a":{"Name":"A","hue":"red"},"b":{"Name":"B","hue":"blue"}},"Any":{"x":1},"gold":5}`
	tests := map[string]struct {
		field  *profile.ValueField[any]
		stored string
		change func(tx *profile.Tx)
		want   string
	}{
		"Edit": {newerHome, home, func(tx *profile.Tx) {
			_ = olderHome.Edit(tx, func(h *olderHouse) error {
				h.Rooms, h.Pet.Name, h.Any = 3, "Max", nil
				return nil
			})
		}, `{"horse_name":"Ada","Rooms":3,"Pet":{"Name":"Max","age":3},"Pets":{"a":{"Name":"A","hue":"red"},"b":{"Name":"B","hue":"blue"}},` +
			`"Any":null,"door":{"open":true},"gold":5}`},
		"Set": {newerHome, home, func(tx *profile.Tx) {
			_ = olderHome.Set(tx, olderHouse{gold: 1, Pets: map[string]olderPet{"b": {"C"}}})
		},
			`{"Pet":null,"Pets":{"b":{"Name":"C","hue":"blue"}},"Any":null,"door":{"open":true},"gold":5}`},
		"OmittedZero": {newerHome, `{"Rooms":2,"horse_name":"x","Pet":null,"Pets":null,"Any":0}`, func(tx *profile.Tx) {
			_ = olderHome.Edit(tx, func(h *olderHouse) error { h.Rooms, h.Horse = 0, ""; return nil })
		}, `{"Pet":null,"Pets":null,"Any":0}`},
		"NamesInAnotherCase": {newerHome, `{"rooms":2,"HORSENAME":"x","horse-name":"y","PET":{"name":"Rex","Age":3}}`, func(tx *profile.Tx) {
			_ = olderHome.Edit(tx, func(h *olderHouse) error { h.Rooms = 3; return nil })
		}, `{"Rooms":3,"Pet":{"Name":"Rex","Age":3},"Pets":null,"Any":null}`},
		"Put": {newerPets, `{"a":{"Name":"A","age":1},"b":{"Name":"B","age":2}}`, func(tx *profile.Tx) {
			_ = olderPets.Put(tx, "a", olderPet{"X"})
			_ = olderPets.Edit(tx, "b", func(p *olderPet) error { p.Name = "Y"; return nil })
			_ = olderPets.Put(tx, "c", olderPet{"Z"})
		}, `{"a":{"Name":"X","age":1},"b":{"Name":"Y","age":2},"c":{"Name":"Z"}}`},
		"DeletedAndPutAgain": {newerPets, `{"a":{"Name":"A","age":1}}`, func(tx *profile.Tx) {
			_ = olderPets.Delete(tx, "a")
			_ = olderPets.Put(tx, "a", olderPet{"X"})
		}, `{"a":{"Name":"X"}}`},
		"ResetAndSetAgain": {newerHome, home, func(tx *profile.Tx) {
			_ = olderHome.Reset(tx)
			_ = olderHome.Set(tx, olderHouse{Rooms: 1})
		}, `{"Rooms":1,"Pet":null,"Pets":null,"Any":null}`},
		"EditOfAnElement": {newerBirds, `[{"Name":"A","age":1},{"Name":"B","age":2},{"Name":"C","age":3}]`, func(tx *profile.Tx) {
			_ = olderBirds.Edit(tx, 1, func(p *olderPet) error { p.Name = "Y"; return nil })
			_ = olderBirds.Replace(tx, 2, olderPet{"Z"})
		}, `[{"Name":"A","age":1},{"Name":"Y","age":2},{"Name":"Z"}]`},
		"TypesThatReadThemselvesKnowAll": {newerLoud, `{"Name":"A","age":1}`, func(tx *profile.Tx) {
			_ = olderLoud.Edit(tx, func(p *loudPet) error { p.Name = "B"; return nil })
		}, `{"Name":"B"}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.newerWrote(test.field, test.stored)
				p := w.asOlder()
				w.update(p, test.change)
				if err := profile.VerifyUnchanged(p); err != nil {
					t.Error(err)
				}
				srv := p.Server()
				w.close(p)
				if got := w.stored(srv, "1"); got != `{"`+test.field.Name()+`":`+test.want+`}` {
					t.Errorf("stored is\n%s, want\n%s", got, test.want)
				}
				w.load(srv, "1")
			})
		})
	}
}

func TestMembersThatSurviveCountForTheLimit(t *testing.T) {
	bubble(t, func(w *world) {
		w.newerWrote(newerHome, `{"Rooms":1,"more":"`+strings.Repeat("x", 3<<20)+`"}`)
		p := w.asOlder()
		err := p.Update(func(tx *profile.Tx) error {
			return olderHome.Set(tx, olderHouse{Any: strings.Repeat("y", 2<<20)})
		})
		if err == nil || !strings.Contains(err.Error(), "at most 4194304") {
			t.Errorf("Update = %v, want one that names the limit", err)
		}
		if got := olderHome.Get(p).Rooms; got != 1 {
			t.Errorf("after that there are %d rooms, want 1", got)
		}
	})
}

// A type may hold itself, also by what is embedded.
type (
	treeOfPets struct {
		Name string
		Kids []treeOfPets
		Left *treeOfPets
	}
	ringOne struct {
		*ringTwo
		One int
	}
	ringTwo struct {
		*ringOne
		Two int
	}
)

func TestLayoutsOfTypesThatHoldThemselves(t *testing.T) {
	tree, ring := profile.Value("home", treeOfPets{}), profile.Value("pets", ringOne{})
	schema := profile.NewSchema("player", tree, ring)
	bubble(t, func(w *world) {
		w.newerWrote(newerHome, `{"Name":"a","Left":{"Name":"b","more":1,"Left":{"more":2}}}`)
		p := w.load(w.serverOn("trees", open{w.db}, schema, nil), "1")
		w.update(p, func(tx *profile.Tx) {
			_ = tree.Edit(tx, func(n *treeOfPets) error { n.Left.Left.Name = "c"; return nil })
			_ = ring.Set(tx, ringOne{One: 1})
		})
		w.close(p)
		const want = `{"home":{"Name":"a","Kids":null,"Left":{"Name":"b","Kids":null,"Left":{"Name":"c","Kids":null,"Left":null,"more":2},"more":1}},"pets":{"One":1}}`
		if got := w.stored(p.Server(), "1"); got != want {
			t.Errorf("stored is\n%s, want\n%s", got, want)
		}
	})
}
