package profile_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-games/holdfast/profile"
)

var homeDefault = map[string]any{
	"music": 0.5, "keys": map[string]any{"jump": "space", "run": "shift"}, "list": []any{1.0, 2.0}, "door": nil,
}

func TestReconcileCompletesByTheDefault(t *testing.T) {
	text, _ := json.Marshal(homeDefault)
	full := profile.Value[any]("home", homeDefault, profile.Reconcile())
	plain := profile.Value[any]("home", homeDefault)
	typed := profile.Value("home", homeDefault, profile.Reconcile())
	raw := profile.Value("home", json.RawMessage(text), profile.Reconcile())
	for _, test := range []struct{ stored, want string }{
		{`{}`, `{"music":0.5,"keys":{"jump":"space","run":"shift"},"list":[1,2],"door":null}`},
		{`{"music":0,"list":[],"door":{},"keys":{"jump":""}}`, `{"music":0,"list":[],"door":{},"keys":{"jump":"","run":"shift"}}`},
		{`{"music":null,"list":null,"keys":null}`, `{"music":null,"list":null,"keys":null,"door":null}`},
		{`{"keys":[],"music":"x","more":{"a":1}}`, `{"keys":[],"music":"x","more":{"a":1},"list":[1,2],"door":null}`},
		{`{"keys":{"jump":"\"","\\":1},"m\"":2}`, `{"keys":{"jump":"\"","\\":1,"run":"shift"},"m\"":2,"music":0.5,"list":[1,2],"door":null}`},
		{`7`, `7`}, {`[]`, `[]`},
	} {
		bubble(t, func(w *world) {
			w.newerWrote(newerHome, test.stored)
			reads := func(f profile.Field, want string, get func(r profile.Reader) any) {
				t.Helper()
				srv := w.serverOn("reader", open{w.db}, profile.NewSchema("player", f), nil)
				p := w.load(srv, "1")
				defer func() { _, _ = srv.Close(w.ctx) }()
				got, _ := json.Marshal(get(p))
				if diff := cmp.Diff(unmarshalled(t, want), unmarshalled(t, string(got))); diff != "" {
					t.Errorf("%s reads as %s, want %s", test.stored, got, want)
				}
			}
			reads(full, test.want, func(r profile.Reader) any { return full.Get(r) })
			reads(plain, test.stored, func(r profile.Reader) any { return plain.Get(r) })
			reads(raw, test.want, func(r profile.Reader) any { return raw.Get(r) })
			if test.stored[0] == '{' {
				reads(typed, test.want, func(r profile.Reader) any { return typed.Get(r) })
			}
		})
	}
}

func unmarshalled(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestReconcileStoresNothingUntilItIsWritten(t *testing.T) {
	home := profile.Value("home", homeDefault, profile.Reconcile())
	bubble(t, func(w *world) {
		w.newerWrote(newerHome, `{"music":0}`)
		srv := w.serverOn("reader", open{w.db}, profile.NewSchema("player", home), nil)
		p := w.load(srv, "1")
		if got := home.Get(p)["list"]; p.Dirty() || got == nil {
			t.Errorf("list is %v, dirty: %t; want a list, and clean", got, p.Dirty())
		}
		w.update(p, func(tx *profile.Tx) {
			_ = home.Edit(tx, func(h *map[string]any) error { delete(*h, "door"); (*h)["keys"] = nil; return nil })
		})
		w.close(p)
		if got := w.stored(srv, "1"); got != `{"home":{"keys":null,"list":[1,2],"music":0}}` {
			t.Errorf("stored is %s", got)
		}
		if h := home.Get(w.load(srv, "1")); h["keys"] != nil || len(h) != 4 {
			t.Errorf("it reads as %v, want null keys, and a door again", h)
		}
	})
}

func TestReconcileIsRefusedWhereItMeansNothing(t *testing.T) {
	for name, f := range map[string]profile.Field{
		"a struct": profile.Value("a", struct{ X int }{}, profile.Reconcile()),
		"a list":   profile.Value("a", []int{1}, profile.Reconcile()),
		"an Int":   profile.Int("a", 0, profile.Reconcile()),
		"a Map":    profile.Map[any]("a", profile.Reconcile()),
	} {
		if err := profile.NewSchema("player", f).Err(); !errors.Is(err, profile.ErrSchema) || !strings.Contains(err.Error(), "Reconcile is for") {
			t.Errorf("Reconcile for %s: %v, want ErrSchema that says what it is for", name, err)
		}
	}
}

func TestReconcileIsPartOfTheSchemaAsJSON(t *testing.T) {
	for name, f := range map[string]profile.Field{
		"asked for":   profile.Value[any]("a", map[string]any{"x": 1}, profile.Reconcile()),
		"of a struct": profile.Value("a", struct{ X int }{1}),
	} {
		text, err := json.Marshal(profile.NewSchema("player", f))
		if err != nil || !strings.Contains(string(text), `"reconcile":true`) {
			t.Errorf("%s: %s, %v; want a schema that says reconcile", name, text, err)
		}
		again, err := profile.ParseSchema(text)
		if err != nil {
			t.Fatal(err)
		}
		if text2, _ := json.Marshal(again); string(text2) != string(text) {
			t.Errorf("%s: read and written again it is\n%s, want\n%s", name, text2, text)
		}
	}
	text := `{"format":1,"kind":"player","fields":[{"name":"a","type":"int","reconcile":true}]}`
	if _, err := profile.ParseSchema([]byte(text)); !errors.Is(err, profile.ErrSchema) {
		t.Errorf("an int to reconcile: %v, want ErrSchema", err)
	}
}

// A member that cannot be set to zero is a mistake, wherever in the default it stands.
func TestDefaultsOfMembersThatOmitZero(t *testing.T) {
	type inner struct {
		Volume float64 `json:",omitempty"`
	}
	type outer struct {
		Level int `json:",omitempty"`
		Sound inner
		Music *inner         `json:",omitempty"`
		Keys  map[string]int `json:",omitempty"`
		List  []int          `json:",omitempty"`
		Fixed int
	}
	for want, def := range map[string]outer{
		"":             {Fixed: 1, Sound: inner{}, Music: nil},
		"Level":        {Level: 1},
		"Sound.Volume": {Sound: inner{1}},
		"Music":        {Music: &inner{}},
		"Keys":         {Keys: map[string]int{"a": 1}},
		"List":         {List: []int{0}},
	} {
		err := profile.NewSchema("player", profile.Value("a", def)).Err()
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), ": "+want+" has omitempty") {
			t.Errorf("a default of %+v: %v, want a mistake of %q", def, err, want)
		}
	}
}
