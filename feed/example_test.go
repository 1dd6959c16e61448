package feed_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/feed"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// A game server keeps a feed, and another program reads from it what was changed and
// why. A program that stays leaves out Drain.
func Example() {
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	srv, err := session.Open(ctx, db, &session.Options{Name: "arena-1", Feed: time.Hour})
	if err != nil {
		log.Fatal(err)
	}
	s, err := srv.Open(ctx, session.Key{Kind: "player", ID: "alice"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	tx, err := s.Begin()
	if err != nil {
		log.Fatal(err)
	}
	if err := tx.Set(document.Field("coins"), []byte("500"), false); err != nil {
		log.Fatal(err)
	}
	tx.Because("first login")
	if err := session.Commit(true, tx); err != nil {
		log.Fatal(err)
	}
	if err := s.Sync(ctx); err != nil {
		log.Fatal(err)
	}

	var stored feed.Position // as it was found after the last run
	for c, err := range feed.Follow(ctx, db, stored, &feed.Options{Drain: true}) {
		if err != nil {
			log.Fatal(err)
		}
		for _, ch := range c.Delta {
			fmt.Println(c.Server, c.Key, c.Revision, ch.Path, string(ch.Value), c.Reasons)
		}
		stored = c.Position
	}

	if _, err := srv.Close(ctx); err != nil {
		log.Fatal(err)
	}
	if err := db.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: arena-1 player/alice 1 coins 500 [first login]
}
