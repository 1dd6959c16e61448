package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// A server opens players, and saves and releases them all when it closes.
func ExampleServer() {
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	srv, err := session.Open(ctx, db, &session.Options{Name: "arena-1"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := srv.Open(ctx, session.Key{Kind: "player", ID: "alice"}, nil); err != nil {
		log.Fatal(err)
	}
	results, err := srv.Close(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range results {
		fmt.Println(r.Key, r.Err)
	}
	if err := db.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: player/alice <nil>
}

// exampleServer is a server over a database in memory. The examples below do
// not say again how one is made.
func exampleServer() (srv *session.Server, done func()) {
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	if srv, err = session.Open(ctx, db, &session.Options{Name: "arena-1"}); err != nil {
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

// A session is this server's hold on a player, with the player's document.
func ExampleSession() {
	ctx := context.Background()
	srv, done := exampleServer()
	defer done()
	s, err := srv.Open(ctx, session.Key{Kind: "player", ID: "alice"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("new:", s.Fresh())
	tx, err := s.Begin()
	if err != nil {
		log.Fatal(err)
	}
	if err := tx.Set(document.Field("coins"), []byte("500"), false); err != nil {
		session.Rollback(tx)
		log.Fatal(err)
	}
	if err := session.Commit(false, tx); err != nil {
		log.Fatal(err)
	}
	if err := s.Sync(ctx); err != nil { // no crash takes it back now
		log.Fatal(err)
	}
	if err := s.Close(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("closed:", errors.Is(s.Err(), session.ErrClosed))
	// Output:
	// new: true
	// closed: true
}

// What is committed together is kept together, whatever crashes.
func ExampleTx() {
	ctx := context.Background()
	srv, done := exampleServer()
	defer done()
	var ss []*session.Session
	for _, id := range []string{"alice", "bob"} {
		s, err := srv.Open(ctx, session.Key{Kind: "player", ID: id}, nil)
		if err != nil {
			log.Fatal(err)
		}
		ss = append(ss, s)
	}
	txs, err := session.BeginAll(ss...)
	if err != nil {
		log.Fatal(err)
	}
	for i, value := range []string{"400", "100"} {
		if err := txs[i].Set(document.Field("coins"), []byte(value), false); err != nil {
			session.Rollback(txs...)
			log.Fatal(err)
		}
	}
	if err := session.Commit(true, txs...); err != nil {
		log.Fatal(err)
	}
	for _, s := range ss {
		s.Lock()
		fmt.Printf("%v %s\n", s.Key(), s.Document().AppendJSON(nil))
		s.Unlock()
	}
	// Output:
	// player/alice {"coins":400}
	// player/bob {"coins":100}
}

// A view is read without a lock, also while the player plays.
func ExampleView() {
	ctx := context.Background()
	srv, done := exampleServer()
	defer done()
	key := session.Key{Kind: "player", ID: "alice"}
	if _, err := srv.Open(ctx, key, nil); err != nil {
		log.Fatal(err)
	}
	v, err := srv.Peek(ctx, key)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%v %s held by %s\n", v.Key, v.Document.AppendJSON(nil), v.Holder.Server)
	// Output: player/alice {} held by arena-1
}

// A key is safe to write down: what would be mistaken for a separator is
// escaped.
func ExampleKey() {
	key := session.Key{Kind: "plot", ID: "north/7"}
	fmt.Println(key)
	again, err := session.ParseKey("plot/north%2F7")
	fmt.Println(again == key, err)
	// Output:
	// plot/north%2F7
	// true <nil>
}
