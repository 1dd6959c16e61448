package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/holdfast-games/holdfast/archive"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

var (
	Coins  = profile.Int("coins", 500, profile.Min(0))
	Player = profile.NewSchema("player", Coins)
)

// A player asks what is kept of him, and then to be forgotten.
func Example() {
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	srv, err := profile.Open(ctx, db, Player, &profile.Options{Session: session.Options{Lease: session.MinLease}})
	if err != nil {
		log.Fatal(err)
	}
	p, err := srv.Open(ctx, "42", nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Update(func(tx *profile.Tx) error { return Coins.Add(tx, 5) }, profile.Durable(ctx)); err != nil {
		log.Fatal(err)
	}

	var file bytes.Buffer // a file, in a real one
	sum, err := archive.Write(ctx, db, p.Key(), &file)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum.Document, sum.Versions, "version")

	done, err := srv.Erase(ctx, "42", &session.EraseOptions{Reason: "asked for"})
	if err != nil {
		log.Fatal(err)
	}
	<-p.Done()
	end, _ := p.Ended()
	fmt.Println(done.Existed, done.Swept, end.Reason)

	_, err = archive.Write(ctx, db, p.Key(), &file)
	fmt.Println(errors.Is(err, session.ErrErased))
	again, err := srv.Open(ctx, "42", nil) // who comes back begins anew
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(Coins.Get(again))

	if _, err := srv.Close(ctx); err != nil {
		log.Fatal(err)
	}
	if err := db.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// true 1 version
	// true true erased
	// true
	// 500
}
