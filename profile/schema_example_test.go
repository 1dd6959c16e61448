package profile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"

	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// What the game declares now, and what it has learned since its first version: money
// was called coins once.
var (
	Money = profile.Int("money", 0, profile.Min(0))
	Guest = profile.NewSchema("guest", Money).Migrate(profile.Migration{
		Name: "coins are money", Run: func(d *profile.Draft) error { return d.Rename("coins", "money") },
	})
)

// Players who have been in an older store are asked for once, when they first come; what
// that has of them is from before the migration, which is run on it.
func ExampleSchema_Migrate() {
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	older := map[string]json.RawMessage{"coins": json.RawMessage("70")}
	srv, err := profile.Open(ctx, db, Guest, &profile.Options{
		Import: func(_ context.Context, key session.Key) (*profile.Imported, error) {
			if key.ID != "42" {
				return nil, nil // not there: defaults
			}
			return &profile.Imported{Fields: older}, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, id := range []string{"42", "43"} {
		p, err := srv.Open(ctx, id, nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(id, "has", Money.Get(p))
	}
	_, err = srv.Close(ctx)
	if err := errors.Join(err, db.Close(ctx)); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 42 has 70
	// 43 has 0
}

// A schema as JSON is for tools, and for servers in other languages.
func ExampleParseSchema() {
	text, err := json.Marshal(profile.NewSchema("guest", Money))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text))
	s, err := profile.ParseSchema(text)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Kind(), s.Field("money").Name())
	// Output:
	// {"format":1,"kind":"guest","fields":[{"name":"money","type":"int","default":0,"min":0}]}
	// guest money
}

// Before a rollout: what would the new schema make of what is stored?
func ExampleCheckSchema() {
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	nickname := profile.String("money", "")
	srv, err := profile.Open(ctx, db, profile.NewSchema("guest", nickname), nil)
	if err != nil {
		log.Fatal(err)
	}
	p, err := srv.Open(ctx, "42", nil)
	if err == nil {
		err = p.Update(func(tx *profile.Tx) error { return nickname.Set(tx, "much") })
	}
	if err != nil {
		log.Fatal(err)
	}
	if _, err := srv.Close(ctx); err != nil {
		log.Fatal(err)
	}
	report, err := profile.CheckSchema(ctx, db, profile.NewSchema("guest", Money), nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, problem := range report.Problems {
		fmt.Println(problem.Severity, problem.Field, problem.Count, problem.Examples)
	}
	if err := db.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// fails money 1 [42]
}

// Support gives a player back what he had, under its own name.
func ExampleServer_Restore() {
	srv, stop := start()
	defer stop()
	ctx := context.Background()
	p, err := srv.Open(ctx, "7", nil)
	if err != nil {
		log.Fatal(err)
	}
	set := func(gold int64) {
		err := p.Update(func(tx *profile.Tx) error { tx.Keep(); return Gold.Set(tx, gold) })
		if err = errors.Join(err, p.Save(ctx)); err != nil {
			log.Fatal(err)
		}
	}
	set(500)
	then := p.Session().Version()
	set(0)
	done, err := srv.As("alice@support").Restore(ctx, "7", then, &profile.RestoreOptions{Reason: "ticket 4711"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(Gold.Get(p), "gold,", done.Changed, "field changed")
	// Output:
	// 500 gold, 1 field changed
}
