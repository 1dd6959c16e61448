package fromroblox

import (
	"context"
	"fmt"

	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/roblox"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// old stands for Open Cloud, or for an export: what ProfileStore kept, by key.
var old = map[string]string{
	"Player_42": `{"Data":{"coins":350},"MetaData":{"ProfileCreateTime":1700000000,"SessionLoadCount":9},"GlobalUpdates":[0,[]]}`,
}

// fromProfileStore brings a player over when he first joins. It is asked once; an
// error fails the load, and absence means the defaults.
func fromProfileStore(_ context.Context, key session.Key) (*profile.Imported, error) {
	name := "Player_" + key.ID
	text, ok := old[name]
	if !ok {
		return nil, nil
	}
	r, err := roblox.ProfileStore.Decode(&roblox.Entry{Key: name, Value: []byte(text)}, nil)
	switch {
	case err != nil:
		return nil, err
	case r.Lock != "":
		return nil, fmt.Errorf("%s is still played on Roblox (%s)", name, r.Lock)
	case r.Fields == nil:
		return nil, nil
	}
	return &profile.Imported{Fields: r.Fields}, nil
}

// Players come over one by one, when they first join.
func Example_importWhenHeJoins() {
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil)
	must(err)
	srv, err := profile.Open(ctx, db, Saver, &profile.Options{Import: fromProfileStore})
	must(err)
	fmt.Println("an old player:", Coins.Get(join(srv, "42")))
	fmt.Println("a new one:", Coins.Get(join(srv, "43")))
	_, err = srv.Close(ctx)
	must(err)
	must(db.Close(ctx))
	// Output:
	// an old player: 350
	// a new one: 100
}
