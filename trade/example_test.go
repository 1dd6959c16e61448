package trade_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
	"github.com/holdfast-games/holdfast/trade"
)

// shared is a database that several servers of one program use.
type shared struct{ driver.DB }

func (shared) Close() error { return nil }

func serve(db driver.DB, hub *bus.Local, name string) (srv *profile.Server, closeAll func()) {
	st, err := store.New(shared{db}, nil)
	if err != nil {
		panic(err)
	}
	b, err := hub.Open(nil)
	if err != nil {
		panic(err)
	}
	o := &profile.Options{}
	o.Session.Name, o.Session.Bus = name, b
	srv, err = profile.Open(context.Background(), st, player, o)
	if err != nil {
		panic(err)
	}
	return srv, func() {
		_, _ = srv.Close(context.Background())
		_ = st.Close(context.Background())
		_ = b.Close()
	}
}

// Two players trade who are on two servers.
func ExampleDo() {
	ctx := context.Background()
	db, hub := mem.Open(), bus.NewLocal()
	here, closeHere := serve(db, hub, "here")
	defer closeHere()
	there, closeThere := serve(db, hub, "there")
	defer closeThere()
	alice, _ := here.Open(ctx, "alice", nil)
	bob, _ := there.Open(ctx, "bob", nil)
	_ = bob.Update(func(tx *profile.Tx) error { return bag.Add(tx, "sword") })

	errSold := errors.New("bob has no sword")
	buy := func(tx []*profile.Tx) error {
		alice, bob := tx[0], tx[1]
		if !bag.Has(bob, "sword") {
			return errSold
		}
		return errors.Join(
			coins.Add(alice, -60), coins.Add(bob, 60),
			bag.Delete(bob, "sword"), bag.Add(alice, "sword"))
	}
	err := trade.Do(ctx, here, []string{"alice", "bob"}, buy, &trade.Options{Reason: "alice bought a sword"})
	fmt.Println(err, coins.Get(alice), bag.Has(alice, "sword"))
	err = trade.Do(ctx, here, []string{"alice", "bob"}, buy, nil)
	fmt.Println(err, coins.Get(alice))
	// Output:
	// <nil> 40 true
	// bob has no sword 40
}
