package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
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

// What is attached to an update is written with it, or not at all: here the entry
// that says what a purchase was used for, and a message to another player.
func ExampleTx_Attach() {
	ctx := context.Background()
	srv, done := exampleServer()
	defer done()
	s, err := srv.Open(ctx, session.Key{Kind: "player", ID: "alice"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	tx, err := s.Begin()
	if err != nil {
		log.Fatal(err)
	}
	err = errors.Join(
		tx.Set(document.Field("coins"), []byte("400"), false),
		tx.Attach(driver.Write{Key: "receipt/7", Mode: driver.Always, Value: []byte("alice")}),
		tx.Attach(driver.Write{Key: "player/bob/letter/1", Mode: driver.Once, Value: []byte("hello")}),
	)
	if err != nil {
		session.Rollback(tx)
		log.Fatal(err)
	}
	tx.Because("a gift to bob")
	if err := session.Commit(false, tx); err != nil {
		log.Fatal(err)
	}
	if err := s.Save(ctx); err != nil {
		log.Fatal(err)
	}
	snap, err := srv.DB().Read(ctx, "receipt/7", "player/bob/letter/1")
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range snap.Entries {
		fmt.Printf("%s: %s\n", e.Key, e.Value)
	}
	// Output:
	// receipt/7: alice
	// player/bob/letter/1: hello
}

// Two players who stand still are changed in one commit, wherever they are open.
// Each of those who hold them finds out by himself what came of it.
func ExampleFrozen() {
	ctx := context.Background()
	srv, done := exampleServer()
	defer done()
	announced, err := srv.Announce()
	if err != nil {
		log.Fatal(err)
	}
	var frozen []*session.Frozen
	var keys []session.Key
	var at []driver.Version
	for _, id := range []string{"alice", "bob"} {
		s, err := srv.Open(ctx, session.Key{Kind: "player", ID: id}, nil)
		if err != nil {
			log.Fatal(err)
		}
		f, err := s.Freeze(ctx, announced)
		if err != nil {
			log.Fatal(err)
		}
		frozen, keys, at = append(frozen, f), append(keys, s.Key()), append(at, f.Version())
	}
	stills, err := srv.ReadStill(ctx, keys, at)
	if err != nil {
		log.Fatal(err)
	}
	for i, hat := range []string{`"red"`, `"blue"`} {
		if _, err := stills[i].Document.Set(document.Field("hat"), []byte(hat)); err != nil {
			log.Fatal(err)
		}
	}
	// Whatever it returns, Settle tells what happened.
	if err := srv.Exchange(ctx, announced, stills, "a swap of hats"); err != nil {
		fmt.Println(err)
	}
	for _, f := range frozen {
		changed, happened, err := f.Settle(ctx)
		if err != nil {
			log.Fatal(err)
		}
		tx, err := f.Begin()
		if err != nil {
			log.Fatal(err)
		}
		for _, c := range changed {
			if err := tx.Set(c.Path, c.Value, false); err != nil {
				log.Fatal(err)
			}
		}
		if err := session.Commit(false, tx); err != nil {
			log.Fatal(err)
		}
		f.Release()
		fmt.Println(f.Session().Key(), happened, len(changed))
	}
	// Output:
	// player/alice true 1
	// player/bob true 1
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
