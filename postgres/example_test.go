package postgres_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/postgres"
)

func Example() {
	ctx := context.Background()
	db, err := postgres.Open(ctx, "postgres://game:secret@localhost/game?connections=20", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	id, err := driver.NewVersion(time.Now(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	outcomes, err := db.Commit(ctx, driver.Group{Batches: []driver.Batch{{
		ID:     id,
		Writes: []driver.Write{{Key: "player/1", Value: []byte(`{"coins":100}`)}},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("created:", len(outcomes[0].Refused) == 0)
}
