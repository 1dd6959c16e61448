package replicatest

import (
	"encoding/json"
	"fmt"

	"github.com/holdfast-games/holdfast/profile"
)

// The fields of the stage's players.
var (
	coins  = profile.Int("coins", 500)
	xp     = profile.Int("xp", 0)
	nick   = profile.String("nick", "nobody")
	bag    = profile.Map[json.RawMessage]("bag")
	kills  = profile.Counters("kills")
	quests = profile.List[string]("quests")
	target = profile.String("target", "", profile.Volatile())
	secret = profile.String("secret", "", profile.Private())
	level  = profile.Computed("level", func(r profile.Reader) int64 { return xp.Get(r)/100 + 1 }, xp)

	schema  = profile.NewSchema("player", coins, xp, nick, bag, kills, quests, target, secret, level)
	foreign = profile.NewSchema("player", foreignCoins)

	foreignCoins = profile.String("coins", "") // of another type, so that a load fails
)

// write makes one write.
func write(tx *profile.Tx, w Write) error {
	f := schema.Field(w.Field)
	if f == nil {
		return fmt.Errorf("no field %q", w.Field)
	}
	if w.Value == nil && w.Element == nil {
		return f.Reset(tx)
	}
	if w.Element != nil {
		return writeElement(tx, f, *w.Element, w.Value)
	}
	switch f := f.(type) {
	case *profile.IntField:
		return set(tx, w.Value, f.Set)
	case *profile.StringField:
		return set(tx, w.Value, f.Set)
	case *profile.ListField[string]:
		return set(tx, w.Value, f.Set)
	}
	return fmt.Errorf("field %q is not written as a whole", w.Field)
}

func writeElement(tx *profile.Tx, f profile.Field, name string, value json.RawMessage) error {
	if value == nil {
		if d, ok := f.(interface {
			Delete(*profile.Tx, string) error
		}); ok {
			return d.Delete(tx, name)
		}
	}
	switch f := f.(type) {
	case *profile.MapField[json.RawMessage]:
		return f.Put(tx, name, value)
	case *profile.CountersField:
		return set(tx, value, func(tx *profile.Tx, n int64) error { return f.Set(tx, name, n) })
	}
	return fmt.Errorf("field %q has no elements", f.Name())
}

func set[T any](tx *profile.Tx, text json.RawMessage, fn func(*profile.Tx, T) error) error {
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	return fn(tx, v)
}

// public returns what clients are to have of a profile.
func public(p *profile.Profile) (all map[string]json.RawMessage, err error) {
	all = make(map[string]json.RawMessage)
	p.View(func(r profile.Reader) {
		for _, f := range p.Schema().Fields() {
			if p.Private(f) {
				continue
			}
			text, failed := f.JSON(r)
			if failed != nil {
				err = failed
			}
			all[f.Name()] = text
		}
	})
	return all, err
}
