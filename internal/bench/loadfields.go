package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// wideFields is how many fields the wide schema has.
const wideFields = 200

// gear is a value of several members.
type gear struct {
	Name  string `json:"name"`
	Level int    `json:"level"`
	Worn  bool   `json:"worn"`
}

// wide returns a schema of wideFields fields of all kinds, the JSON of a player with
// all of them stored, of 20 KB, and the Go struct that has the same shape.
func wide() (*profile.Schema, []byte, reflect.Type, error) {
	var fields []profile.Field
	var shape []reflect.StructField
	values := make(map[string]any)
	add := func(f profile.Field, v any) {
		fields, values[f.Name()] = append(fields, f), v
		shape = append(shape, reflect.StructField{
			Name: strings.ToUpper(f.Name()), Type: reflect.TypeOf(v), Tag: reflect.StructTag(fmt.Sprintf(`json:%q`, f.Name())),
		})
	}
	text := strings.Repeat("some words ", 8)
	for i := range wideFields / 10 {
		name := func(kind string) string { return fmt.Sprintf("%s%d", kind, i) }
		add(profile.Int(name("coins"), 0), int64(1000*i))
		add(profile.Int(name("level"), 0, profile.Min(0)), int64(7*i))
		add(profile.Float(name("luck"), 0), 0.25*float64(i))
		add(profile.Bool(name("seen"), false), i%2 == 0)
		add(profile.String(name("title"), "", profile.MaxLen(1000)), text)
		add(profile.String(name("pet"), ""), text[:i])
		add(profile.Time(name("since"), time.Time{}), time.Date(2026, 1, 2, 3, 4, i, 0, time.UTC))
		add(profile.Value(name("worn"), gear{Name: "none"}), gear{text[:20], i, true})
		add(profile.Map[gear](name("bag")), map[string]gear{"sword": {"sword", i, true}, "shield": {text, i, false}, "bow": {"bow", 1, false}, "hat": {text, i, false}})
		add(profile.List[gear](name("quests")), []gear{{"first", i, true}, {"second", i, false}, {text, 2, false}, {"third", 4, false}})
	}
	encoded, err := json.Marshal(values)
	return profile.NewSchema(kind, fields...), encoded, reflect.StructOf(shape), err
}

// loadFields measures what it takes to read a player of many fields from a
// database in memory, up to typed fields: without its lock, so that no commit is
// part of it.
func (r *run) loadFields() (figures []Figure, err error) {
	schema, text, shape, err := wide()
	if err != nil {
		return nil, err
	}
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close(r.ctx)) }()
	srv, err := profile.Open(r.ctx, db, schema, &profile.Options{Session: session.Options{Name: "load.fields"}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.closeServer(srv)) }()
	s, err := srv.Session().Open(r.ctx, playerKey(0), nil)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(fill(s, text), s.Close(r.ctx)); err != nil {
		return nil, err
	}
	p, err := r.nanoseconds(func(n int) error {
		for range n {
			if _, err := srv.Peek(r.ctx, playerID(0)); err != nil {
				return err
			}
		}
		return nil
	}, func(n int) error {
		for range n {
			if err := json.Unmarshal(text, reflect.New(shape).Interface()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f := Figure{Name: "load.fields", Unit: "ns"}.beside("encoding/json into the same Go types", p).ratioAtMost(2)
	return []Figure{f.noted("%d fields, %d bytes", wideFields, len(text))}, nil
}
