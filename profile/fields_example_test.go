package profile_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/holdfast-games/holdfast/profile"
)

var (
	XP     = profile.Int("xp", 0, profile.Min(0))
	Target = profile.String("target", "", profile.Volatile())
	Played = profile.PlayTime("played")
	Level  = profile.Computed("level", func(r profile.Reader) int { return 1 + int(XP.Get(r)/100) }, XP)

	Pilot = profile.NewSchema("pilot", XP, Target, Played, Level)
)

// flying opens a pilot's profile on a server.
func flying(srv *profile.Server, id string) *profile.Profile {
	pilots, err := srv.With(Pilot)
	if err != nil {
		log.Fatal(err)
	}
	return enter(pilots, id)
}

func ExampleVolatile() {
	srv, stop := start()
	defer stop()
	p := flying(srv, "42")
	_ = p.Update(func(tx *profile.Tx) error {
		XP.Add(tx, 10)
		return Target.Set(tx, "the red baron") // both, or neither
	})
	fmt.Printf("%d %q\n", XP.Get(p), Target.Get(p))
	if err := p.Close(context.Background()); err != nil {
		log.Fatal(err)
	}
	p = flying(srv, "42")
	fmt.Printf("%d %q\n", XP.Get(p), Target.Get(p))
	// Output:
	// 10 "the red baron"
	// 10 ""
}

func ExamplePlayTime() {
	srv, stop := start()
	defer stop()
	p := flying(srv, "42")
	time.Sleep(20 * time.Millisecond)
	fmt.Println(Played.Get(p) >= 20*time.Millisecond, p.Dirty())

	Played.Pause(p) // he is away from the keyboard
	away := Played.Get(p)
	time.Sleep(20 * time.Millisecond)
	fmt.Println(Played.Get(p) == away)
	Played.Resume(p)

	_ = p.Update(func(tx *profile.Tx) error { return Played.Set(tx, 90*time.Hour) }) // as an older game counted
	fmt.Println(Played.Get(p).Round(time.Hour))
	// Output:
	// true false
	// true
	// 90h0m0s
}

func ExampleComputed() {
	srv, stop := start()
	defer stop()
	p := flying(srv, "42")
	defer Level.OnChange(p, func(old, new int) { fmt.Println("level", old, "to", new) })()
	_ = p.Update(func(tx *profile.Tx) error { return XP.Add(tx, 50) })
	_ = p.Update(func(tx *profile.Tx) error { return XP.Add(tx, 260) })
	text, err := Level.JSON(p)
	fmt.Println(Level.Get(p), string(text), err)
	// Output:
	// level 1 to 4
	// 4 4 <nil>
}
