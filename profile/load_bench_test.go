package profile_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

// gear is a value of several members, as games have them.
type gear struct {
	Name  string `json:"name"`
	Level int    `json:"level"`
	Worn  bool   `json:"worn"`
}

// wide returns a schema of 200 fields of all kinds, a stored document of it of 20 KB,
// and the Go struct of the same shape.
func wide() (*profile.Schema, []byte, reflect.Type) {
	var fields []profile.Field
	var shape []reflect.StructField
	values := make(map[string]any)
	add := func(f profile.Field, v any) {
		fields = append(fields, f)
		values[f.Name()] = v
		shape = append(shape, reflect.StructField{
			Name: strings.ToUpper(f.Name()), Type: reflect.TypeOf(v), Tag: reflect.StructTag(fmt.Sprintf(`json:"%s"`, f.Name())),
		})
	}
	text := strings.Repeat("some words ", 8)
	for i := range 20 {
		name := func(kind string) string { return fmt.Sprintf("%s%d", kind, i) }
		add(profile.Int(name("a"), 0), int64(1000*i))
		add(profile.Int(name("b"), 0, profile.Min(0)), int64(7*i))
		add(profile.Float(name("c"), 0), 0.25*float64(i))
		add(profile.Bool(name("d"), false), i%2 == 0)
		add(profile.String(name("e"), "", profile.MaxLen(1000)), text)
		add(profile.String(name("f"), ""), text[:i])
		add(profile.Time(name("g"), time.Time{}), time.Date(2026, 1, 2, 3, 4, i, 0, time.UTC))
		add(profile.Value(name("h"), gear{Name: "none"}), gear{text[:20], i, true})
		add(profile.Map[gear](name("i")), map[string]gear{"sword": {"sword", i, true}, "shield": {text, i, false}, "bow": {"bow", 1, false}, "hat": {text, i, false}})
		add(profile.List[gear](name("j")), []gear{{"first", i, true}, {"second", i, false}, {text, 2, false}, {"third", 4, false}})
	}
	encoded, err := json.Marshal(values)
	if err != nil {
		panic(err)
	}
	return profile.NewSchema("player", fields...), encoded, reflect.StructOf(shape)
}

// BenchmarkLoadFields compares the load of a profile of 200 fields, from stored text
// to typed fields, with what encoding/json takes for the same text into the same types.
func BenchmarkLoadFields(b *testing.B) {
	schema, text, shape := wide()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close(b.Context())
	srv, err := profile.Open(b.Context(), db, schema, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer srv.Close(b.Context())
	b.Logf("%d bytes", len(text))
	b.Run("Bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := json.Unmarshal(text, reflect.New(shape).Interface()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := document.Parse(text, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Load", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d, err := document.Parse(text, nil)
			if err == nil {
				_, err = profile.Detached(srv, schema.Key("p"), d)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
