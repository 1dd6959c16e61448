package replica_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"log"
	"net/http/httptest"
	"time"

	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/replica"
	"github.com/holdfast-games/holdfast/store"
)

// exampleProfiles starts a game server on a database in memory, with one player.
func exampleProfiles(ctx context.Context) (*profile.Server, *profile.Profile, func()) {
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	profiles, err := profile.Open(ctx, db, player, nil)
	if err != nil {
		log.Fatal(err)
	}
	p, err := profiles.Open(ctx, "42", nil)
	if err != nil {
		log.Fatal(err)
	}
	return profiles, p, func() {
		_, _ = profiles.Close(ctx)
		_ = db.Close(ctx)
	}
}

// A game server that shows players to their clients, and a client.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	profiles, p, closeAll := exampleProfiles(ctx)
	defer closeAll()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		log.Fatal(err)
	}

	// The game server.
	replicas, err := replica.NewServer(profiles, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer replicas.Close()
	handler, err := replica.NewHandler(replicas, replica.PlayerTokens(public), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = handler.Close(ctx) }()
	web := httptest.NewServer(handler)
	defer web.Close()

	// The client. Its tokens come from where players log in.
	client, err := replica.Dial(web.URL, "42", &replica.ClientOptions{
		Token: func(context.Context) (string, error) {
			return replica.IssueToken(private, player.Key("42"), 5*time.Minute)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if err := client.WaitLoaded(ctx); err != nil {
		log.Fatal(err)
	}
	var have int
	if err := client.Replica().Get("coins", &have); err != nil {
		log.Fatal(err)
	}
	fmt.Println("coins:", have)

	updated := make(chan string)
	client.Replica().OnUpdated("coins", func(value json.RawMessage) { updated <- string(value) })
	if err := p.Update(func(tx *profile.Tx) error { return coins.Add(tx, 20) }); err != nil {
		log.Fatal(err)
	}
	fmt.Println("coins:", <-updated)
	// Output:
	// coins: 500
	// coins: 520
}

// A game with a connection of its own carries the frames itself.
func ExampleWatcher() {
	ctx := context.Background()
	profiles, p, closeAll := exampleProfiles(ctx)
	defer closeAll()
	replicas, err := replica.NewServer(profiles, &replica.Options{Tick: replica.AtOnce})
	if err != nil {
		log.Fatal(err)
	}
	defer replicas.Close()

	w, err := replicas.Watch("42", replica.Position{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	client := replica.NewReplica() // on the other side of the connection
	for range 2 {
		f, err := w.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		if err := client.Apply(f.Text); err != nil {
			log.Fatal(err)
		}
		if f.Type == replica.TypeState {
			err = p.Update(func(tx *profile.Tx) error { return bag.Put(tx, "sword", Item{"sword", 3}) })
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	items, _ := client.JSON("bag")
	fmt.Println(string(items))
	// Output:
	// {"sword":{"name":"sword","level":3}}
}
