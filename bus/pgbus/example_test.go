package pgbus_test

import (
	"context"
	"fmt"
	"log"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/pgbus"
)

// The bus uses the database in which the players' data are.
func ExampleOpen() {
	ctx := context.Background()
	b, err := pgbus.Open(ctx, "postgres://game:secret@db.example.com/game", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	cancel, err := b.Subscribe("chat", func(m bus.Message) { fmt.Printf("%s\n", m.Data) })
	if err != nil {
		log.Fatal(err)
	}
	defer cancel()
	if err := b.Publish(ctx, "chat", []byte("good morning")); err != nil {
		log.Fatal(err)
	}
}
