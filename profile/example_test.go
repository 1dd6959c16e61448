package profile_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

// A Weapon is an element of the example's bag.
type Weapon struct {
	Damage int      `json:"damage"`
	Runes  []string `json:"runes,omitempty"`
}

// Prefs is what the example's players choose.
type Prefs struct {
	Volume   int  `json:"volume"`
	Tutorial bool `json:"tutorial"`
}

var (
	Gold    = profile.Int("gold", 100, profile.Min(0))
	Title   = profile.String("title", "novice", profile.MaxLen(30))
	Weapons = profile.Map[Weapon]("weapons")
	Choices = profile.Value("choices", Prefs{Volume: 7, Tutorial: true}, profile.Lazy())
	Trail   = profile.List[string]("trail", profile.MaxLen(3))
	Badges  = profile.Set("badges")
	Stats   = profile.Counters("stats")
	Speed   = profile.Float("speed", 1)
	Banned  = profile.Bool("banned", false, profile.Private())
	Seen    = profile.Time("seen", time.Time{})
	Face    = profile.Bytes("face", nil, profile.MaxLen(64))

	Hero = profile.NewSchema("hero", Gold, Title, Weapons, Choices, Trail, Badges, Stats, Speed, Banned, Seen, Face)
)

// start opens a server over a database in memory. A real one uses sqlite.Open
// in place of mem.Open.
func start() (srv *profile.Server, stop func()) {
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	srv, err = profile.Open(ctx, db, Hero, nil)
	if err != nil {
		log.Fatal(err)
	}
	return srv, func() {
		if _, err := srv.Close(ctx); err != nil {
			log.Fatal(err)
		}
		if err := db.Close(ctx); err != nil {
			log.Fatal(err)
		}
	}
}

// enter opens a hero.
func enter(srv *profile.Server, id string) *profile.Profile {
	p, err := srv.Open(context.Background(), id, nil)
	if err != nil {
		log.Fatal(err)
	}
	return p
}

func Example() {
	srv, stop := start()
	defer stop()
	p := enter(srv, "42")
	errPoor := errors.New("not enough gold")
	buy := func(name string, w Weapon, price int64) error {
		return p.Update(func(tx *profile.Tx) error {
			if Gold.Get(tx) < price {
				return errPoor
			}
			Gold.Add(tx, -price)
			return Weapons.Put(tx, name, w)
		})
	}
	fmt.Println(buy("sword", Weapon{Damage: 5}, 80), Gold.Get(p))
	fmt.Println(buy("axe", Weapon{Damage: 9}, 80), Gold.Get(p))
	fmt.Println(p.Save(context.Background()))
	// Output:
	// <nil> 20
	// not enough gold 20
	// <nil>
}

func ExampleOpen() {
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	srv, err := profile.Open(ctx, db, Hero, &profile.Options{
		Autosave: time.Minute,
		OnOpen:   func(p *profile.Profile) { fmt.Println("welcome", p.ID()) },
	})
	if err != nil {
		log.Fatal(err)
	}
	p, err := srv.Open(ctx, "42", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Key(), p.Fresh(), p.Err())
	results, err := srv.Close(ctx)
	fmt.Println(results, err, db.Close(ctx))
	// Output:
	// welcome 42
	// hero/42 true <nil>
	// [{hero/42 <nil>}] <nil> <nil>
}

func ExampleNewSchema() {
	wrong := profile.NewSchema("hero", profile.Int("gold", -1, profile.Min(0)))
	fmt.Println(wrong.Err())
	// Output:
	// mistake in schema "hero": mistake in schema: default of field "gold": out of range: -1, at least 0
}

func ExampleProfile_Update() {
	srv, stop := start()
	defer stop()
	p := enter(srv, "42")
	err := p.Update(func(tx *profile.Tx) error {
		Title.Set(tx, "rich")
		Gold.Add(tx, -500) // refused, and with it the whole update
		return nil
	})
	fmt.Println(err)
	fmt.Println(Title.Get(p), Gold.Get(p))
	// Output:
	// hero/42: write refused: field "gold": out of range: -400, at least 0
	// novice 100
}

func ExampleDurable() {
	srv, stop := start()
	defer stop()
	p := enter(srv, "42")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := p.Update(func(tx *profile.Tx) error { return Gold.Add(tx, 1000) }, profile.Durable(ctx))
	fmt.Println(err, Gold.Get(p)) // on disk: no crash takes it back
	// Output: <nil> 1100
}

func ExampleUpdateAll() {
	srv, stop := start()
	defer stop()
	giver, taker := enter(srv, "1"), enter(srv, "2")
	err := profile.UpdateAll([]*profile.Profile{giver, taker}, func(txs []*profile.Tx) error {
		Gold.Add(txs[0], -30)
		return Gold.Add(txs[1], 30)
	})
	fmt.Println(err, Gold.Get(giver), Gold.Get(taker))
	// Output: <nil> 70 130
}

func ExampleProfile_View() {
	srv, stop := start()
	defer stop()
	p := enter(srv, "42")
	p.View(func(r profile.Reader) {
		fmt.Println(Title.Get(r), Gold.Get(r), Speed.Get(r)) // of one moment
	})
	// Output: novice 100 1
}

func ExampleProfile_OnChange() {
	srv, stop := start()
	defer stop()
	p := enter(srv, "42")
	defer p.OnChange(func(c profile.Change) { fmt.Printf("%v: %s\n", c.Path, c.New) })()
	defer Gold.OnChange(p, func(old, new int64) { fmt.Println("gold from", old, "to", new) })()
	if err := p.Update(func(tx *profile.Tx) error {
		Gold.Add(tx, 1)
		return Weapons.Put(tx, "sword", Weapon{Damage: 5})
	}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// gold: 101
	// gold from 100 to 101
	// weapons/sword: {"damage":5}
}

func ExampleMap() {
	srv, stop := start()
	defer stop()
	p := enter(srv, "42")
	err := p.Update(func(tx *profile.Tx) error {
		Weapons.Put(tx, "sword", Weapon{Damage: 5})
		Weapons.Put(tx, "stick", Weapon{Damage: 1})
		return Weapons.Edit(tx, "sword", func(w *Weapon) error {
			w.Runes = append(w.Runes, "fire")
			return nil
		})
	})
	if err != nil {
		log.Fatal(err)
	}
	for name, w := range Weapons.All(p) {
		fmt.Println(name, w)
	}
	// Output:
	// sword {5 [fire]}
	// stick {1 []}
}

func ExampleValue() {
	srv, stop := start()
	defer stop()
	p := enter(srv, "42")
	err := p.Update(func(tx *profile.Tx) error {
		return Choices.Edit(tx, func(c *Prefs) error { c.Tutorial = false; return nil })
	})
	fmt.Println(err, Choices.Get(p))
	// Output: <nil> {7 false}
}

func ExampleList() {
	srv, stop := start()
	defer stop()
	p := enter(srv, "42")
	walk := func(to string) error {
		return p.Update(func(tx *profile.Tx) error {
			if Trail.Len(tx) == 3 {
				Trail.Remove(tx, 0)
			}
			return Trail.Append(tx, to)
		})
	}
	for _, to := range []string{"inn", "forest", "cave", "lake"} {
		if err := walk(to); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(Trail.Get(p))
	// Output: [forest cave lake]
}

func ExampleSet() {
	srv, stop := start()
	defer stop()
	p := enter(srv, "42")
	err := p.Update(func(tx *profile.Tx) error { return Badges.Add(tx, "explorer") })
	fmt.Println(err, Badges.Has(p, "explorer"), Badges.Has(p, "slayer"))
	// Output: <nil> true false
}

func ExampleCounters() {
	srv, stop := start()
	defer stop()
	p := enter(srv, "42")
	err := p.Update(func(tx *profile.Tx) error { return Stats.Add(tx, "steps", 12) })
	fmt.Println(err, Stats.Get(p, "steps"), Stats.Get(p, "jumps"))
	// Output: <nil> 12 0
}

func ExampleVerifyUnchanged() {
	srv, stop := start()
	defer stop()
	p := enter(srv, "42")
	if err := p.Update(func(tx *profile.Tx) error { return Trail.Append(tx, "inn") }); err != nil {
		log.Fatal(err)
	}
	Trail.Get(p)[0] = "cave" // wrong: use Replace or Edit in an update
	fmt.Println(errors.Is(profile.VerifyUnchanged(p), profile.ErrChanged))
	// Output: true
}

func ExampleProfile_Err() {
	srv, stop := start()
	defer stop()
	p := enter(srv, "42")
	if err := p.Err(); err != nil {
		fmt.Println("your data could not be loaded; nothing will be saved:", err)
	}
	fmt.Println(p.CanSave())
	// Output: true
}
