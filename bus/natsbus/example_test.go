package natsbus_test

import (
	"context"
	"fmt"
	"log"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/natsbus"
)

// One process runs the server of NATS, and the others connect to it.
func ExampleEmbedded() {
	ctx := context.Background()
	e, err := natsbus.Embed(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	here, err := e.Open(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer here.Close()
	there, err := natsbus.Open(ctx, e.URL(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer there.Close()
	done := make(chan struct{})
	cancel, err := there.Subscribe("chat", func(m bus.Message) {
		fmt.Printf("%s\n", m.Data)
		close(done)
	})
	if err != nil {
		log.Fatal(err)
	}
	defer cancel()
	if err := here.Publish(ctx, "chat", []byte("good morning")); err != nil {
		log.Fatal(err)
	}
	<-done
	// Output: good morning
}
