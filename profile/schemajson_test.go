package profile_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
)

// everything has a field of every kind, with every option.
var everything = profile.NewSchema("player",
	profile.Int("int", 5, profile.Min(-1), profile.Max(9_007_199_254_740_993)),
	profile.Float("float", 0.5, profile.Min(0), profile.Max(1.5), profile.Private()),
	profile.Bool("bool", true, profile.Lazy()),
	profile.String("string", "a\"ü", profile.MaxLen(20)),
	profile.Time("time", time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC)),
	profile.Bytes("bytes", []byte{1, 2}, profile.MaxLen(9)),
	profile.List[Item]("list", profile.MaxLen(3)),
	profile.Set("set", profile.MaxLen(3)),
	profile.Map[int]("map", profile.MaxLen(3)),
	profile.Counters("counters", profile.Min(0), profile.Max(10)),
	profile.Value("value", Settings{Volume: 7, Keys: map[string]int{"jump": 32}}),
	profile.Value("texts", []string{"a"}),
	profile.Value[any]("any", nil),
	profile.Value("self", big.NewInt(7)),
).Migrate(rename, addBank)

func marshalled(t *testing.T, s *profile.Schema) []byte {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatalf("Marshal: %v", err)
	}
	return text
}

func TestSchemaAsJSON(t *testing.T) {
	t.Run("ComesBackAsItWas", func(t *testing.T) {
		text := marshalled(t, everything)
		s, err := profile.ParseSchema(text)
		if err != nil {
			t.Fatalf("ParseSchema: %v\n%s", err, text)
		}
		if d := cmp.Diff(string(text), string(marshalled(t, s))); d != "" {
			t.Errorf("a schema that was read and written again differs (-want +got):\n%s", d)
		}
	})
	t.Run("WithSlotsAndRankingsComesBackAsItWas", func(t *testing.T) {
		best := profile.Int("best", 0, profile.PerSlot(), profile.Ranked("best"))
		time := profile.PlayTime("time", profile.PerSlot())
		text := marshalled(t, profile.NewSchema("player", best, time, profile.Int("lap", 0, profile.RankedLowest("laps")),
			profile.String("mood", "", profile.Volatile()), profile.Computed("twice", func(r profile.Reader) int64 { return 2 * best.Get(r) }, best)).
			WithSlots(profile.SlotRules{Max: 3, Keep: 1e12, Summary: []profile.Field{best}, PlayTime: time}).
			Migrate(profile.Migration{Name: "a", PerSlot: true, Run: func(*profile.Draft) error { return nil }}))
		want := `{"format":1,"kind":"player","fields":[{"name":"best","type":"int","default":0,"perSlot":true,"ranked":{"ranking":"best"}},` +
			`{"name":"time","type":"playtime","perSlot":true},{"name":"lap","type":"int","default":0,"ranked":{"ranking":"laps","lowest":true}},` +
			`{"name":"mood","type":"string","default":"","volatile":true}],"slots":{"max":3,"keep":1000,"summary":["best"],"playTime":"time"},` +
			`"migrations":[{"name":"a","perSlot":true}]}`
		if d := cmp.Diff(want, string(text)); d != "" {
			t.Errorf("Marshal (-want +got):\n%s", d)
		}
		s, err := profile.ParseSchema(text)
		if err != nil {
			t.Fatalf("ParseSchema: %v\n%s", err, text)
		}
		if d := cmp.Diff(string(text), string(marshalled(t, s))); d != "" {
			t.Errorf("a schema that was read and written again differs (-want +got):\n%s", d)
		}
	})
	t.Run("RefusesSlotsThatAreNone", func(t *testing.T) {
		for _, slots := range []string{`{"max":101}`, `{"keep":-1}`, `{"keep":1000000000000}`, `{"summary":["stranger"]}`, `{"playTime":"level"}`, `{"more":1}`} {
			text := `{"format":1,"kind":"player","fields":[{"name":"level","type":"int","perSlot":true}],"slots":` + slots + `}`
			if _, err := profile.ParseSchema([]byte(text)); !errors.Is(err, profile.ErrSchema) {
				t.Errorf("slots %s: ParseSchema = %v, want ErrSchema", slots, err)
			}
		}
	})
	t.Run("IsWhatTheDocumentationSays", func(t *testing.T) {
		s := profile.NewSchema("player", profile.Int("coins", 500, profile.Min(0)), profile.Map[Item]("bag", profile.MaxLen(100), profile.Private())).Migrate(addBank)
		want := `{"format":1,"kind":"player","fields":[{"name":"coins","type":"int","default":500,"min":0},{"name":"bag","type":"map","of":"object","maxLen":100,"private":true}],"migrations":[{"name":"a bank","compatible":true}]}`
		if got := string(marshalled(t, s)); got != want {
			t.Errorf("Marshal = %s\nwant %s", got, want)
		}
	})
	t.Run("OfASchemaWithMistakesIsNone", func(t *testing.T) {
		if _, err := json.Marshal(profile.NewSchema("player", profile.Int("", 0))); !errors.Is(err, profile.ErrSchema) {
			t.Errorf("Marshal = %v, want ErrSchema", err)
		}
	})
}

func TestParsedSchemaChecksAsTheOtherDoes(t *testing.T) {
	parsed, err := profile.ParseSchema(marshalled(t, everything))
	if err != nil {
		t.Fatal(err)
	}
	for field, values := range map[string][]string{
		"int": {`5.5`, `"5"`, `null`, `{}`}, "float": {`"x"`}, "bool": {`1`}, "string": {`1`}, "time": {`"yesterday"`, `5`},
		"bytes": {`"!"`}, "list": {`{}`, `[1]`}, "set": {`[]`}, "map": {`[]`, `{"a":"b"}`, `{"a":1.5}`}, "counters": {`{"a":"b"}`},
		"value": {`[]`, `5`}, "texts": {`{}`},
	} {
		for _, value := range values {
			t.Run(field+value, func(t *testing.T) {
				bubble(t, func(w *world) {
					raw := profile.NewSchema("player", profile.Value[any](field, nil)).Migrate(rename, addBank)
					w.store(raw, "p", func(tx *profile.Tx) { profile.PutField(tx, field, []byte(value)) })
					for name, s := range map[string]*profile.Schema{"Go": everything, "JSON": parsed} {
						p := w.loadAny(w.serverOn(name, open{w.db}, s, nil), "p")
						if !errors.Is(p.Err(), profile.ErrWrongType) {
							t.Errorf("by the schema from %s the profile's error is %v, want ErrWrongType", name, p.Err())
						}
					}
				})
			})
		}
	}
	t.Run("AndKeepsWhatFits", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(everything, "p", func(tx *profile.Tx) {
				tx.Profile().Schema().Field("map").(*profile.MapField[int]).Put(tx, "a", 1<<62+1)
			})
			p := w.load(w.serverOn("JSON", open{w.db}, parsed, nil), "p")
			bag := parsed.Field("map").(*profile.MapField[json.RawMessage])
			if v, _ := bag.Get(p, "a"); string(v) != "4611686018427387905" {
				t.Errorf("the element is %s, want all its digits", v)
			}
			w.refuses(p, profile.ErrTooLong, func(tx *profile.Tx) {
				for i := range 4 {
					bag.Put(tx, fmt.Sprint(i), json.RawMessage("1"))
				}
			})
			w.update(p, func(tx *profile.Tx) { bag.Put(tx, "b", json.RawMessage(" 2 ")) })
			if err := p.Update(func(tx *profile.Tx) error { return bag.Put(tx, "b", json.RawMessage(`"x"`)) }); !errors.Is(err, profile.ErrRefused) {
				t.Errorf("Put of another shape = %v, want ErrRefused", err)
			}
		})
	})
	t.Run("AndCannotMigrate", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(schema1, "p", func(tx *profile.Tx) { oldCoins.Set(tx, 1) })
			p := w.loadAny(w.serverOn("JSON", open{w.db}, parsed, nil), "p")
			if !errors.Is(p.Err(), profile.ErrMigration) || !strings.Contains(p.Err().Error(), "file") {
				t.Errorf("the profile's error is %v, want ErrMigration: a file cannot migrate", p.Err())
			}
		})
	})
}

func TestParseSchemaRefuses(t *testing.T) {
	field := func(members string) string {
		return `{"format":1,"kind":"player","fields":[{` + members + `}]}`
	}
	for name, c := range map[string]struct{ text, want string }{
		"NoJSON":              {`{`, ""},
		"NoFormat":            {`{"kind":"player","fields":[]}`, "format 0"},
		"NewerFormat":         {`{"format":2,"kind":"player","new":1}`, "format 2"},
		"TextBehind":          {`{"format":1,"kind":"player","fields":[]} x`, ""},
		"NoKind":              {`{"format":1,"fields":[]}`, "kind"},
		"UnknownMember":       {`{"format":1,"kind":"player","fields":[],"more":1}`, "more"},
		"MemberTwice":         {`{"format":1,"kind":"player","kind":"guild","fields":[]}`, "kind"},
		"UnknownFieldMember":  {field(`"name":"a","type":"int","minimum":0`), "minimum"},
		"UnknownType":         {field(`"name":"a","type":"decimal"`), `"decimal"`},
		"NoType":              {field(`"name":"a"`), "type"},
		"NoName":              {field(`"type":"int"`), "empty field name"},
		"ReservedName":        {field(`"name":"~a","type":"int"`), `"~a"`},
		"FieldTwice":          {`{"format":1,"kind":"player","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}`, `"a"`},
		"DefaultOfAnother":    {field(`"name":"a","type":"int","default":"x"`), "default"},
		"DefaultFraction":     {field(`"name":"a","type":"int","default":1.5`), "default"},
		"DefaultTooLarge":     {field(`"name":"a","type":"int","default":9223372036854775808`), "default"},
		"DefaultOutOfBounds":  {field(`"name":"a","type":"int","default":5,"max":4`), "out of range"},
		"DefaultOfAList":      {field(`"name":"a","type":"list","of":"any","default":[]`), "default"},
		"DefaultOfOtherShape": {field(`"name":"a","type":"value","of":"object","default":[]`), "object"},
		"BoundOfAText":        {field(`"name":"a","type":"string","min":1`), "Min"},
		"BoundThatIsNone":     {field(`"name":"a","type":"int","min":"1"`), "min"},
		"BoundFraction":       {field(`"name":"a","type":"int","min":0.5`), "0.5"},
		"BoundTooLarge":       {field(`"name":"a","type":"float","max":1e999`), "max"},
		"MaxLenZero":          {field(`"name":"a","type":"string","maxLen":0`), "MaxLen"},
		"MaxLenOfAnInt":       {field(`"name":"a","type":"int","maxLen":5`), "MaxLen"},
		"OfAnInt":             {field(`"name":"a","type":"int","of":"int"`), "of"},
		"NoShape":             {field(`"name":"a","type":"map"`), "of"},
		"UnknownShape":        {field(`"name":"a","type":"map","of":"thing"`), `"thing"`},
		"MigrationTwice":      {`{"format":1,"kind":"player","fields":[],"migrations":[{"name":"m"},{"name":"m"}]}`, `"m"`},
		"MigrationNoName":     {`{"format":1,"kind":"player","fields":[],"migrations":[{"compatible":true}]}`, "name"},
		"TooManyFields":       {`{"format":1,"kind":"player","fields":[` + strings.Repeat(`{"name":"a","type":"int"},`, 10_000) + `{"name":"a","type":"int"}]}`, "fields"},
		"TooLarge":            {`{"format":1,"kind":"player","fields":[]` + strings.Repeat(" ", 5<<20) + `}`, "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := profile.ParseSchema([]byte(c.text))
			if s != nil || !errors.Is(err, profile.ErrSchema) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("ParseSchema = %v, %v; want ErrSchema with %q", s, err, c.want)
			}
			if newer := errors.Is(err, driver.ErrFormat); newer != (name == "NewerFormat") {
				t.Errorf("ParseSchema is a driver.ErrFormat: %v", newer)
			}
		})
	}
}

func FuzzParseSchema(f *testing.F) {
	text, err := json.Marshal(everything)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"format":1,"kind":"player","fields":[{"name":"a","type":"value","of":"any","default":null}]}`))
	f.Add([]byte(`{"format":1,"kind":"player","fields":[{"name":"a","type":"float","min":1e300,"max":1e-300}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := profile.ParseSchema(text)
		if err != nil {
			if !errors.Is(err, profile.ErrSchema) {
				t.Fatalf("ParseSchema = %v, want ErrSchema", err)
			}
			return
		}
		first := marshalled(t, s)
		again, err := profile.ParseSchema(first)
		if err != nil {
			t.Fatalf("what Marshal wrote is refused: %v\n%s", err, first)
		}
		if second := marshalled(t, again); !bytes.Equal(first, second) {
			t.Fatalf("a schema changes when it is read and written:\n%s\n%s", first, second)
		}
	})
}
