package mem_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
)

func Example() {
	ctx := context.Background()
	db := mem.Open()
	defer db.Close()

	id, err := driver.NewVersion(time.Now(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	create := driver.Batch{ID: id, Writes: []driver.Write{{Key: "player/1", Value: []byte(`{"coins":100}`)}}}
	for range 2 {
		out, err := db.Commit(ctx, driver.Group{Batches: []driver.Batch{create}})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("applied:", len(out[0].Refused) == 0)
	}

	s, err := db.Read(ctx, "player/1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, as we wrote it: %v\n", s.Entries[0].Value, s.Entries[0].Version == id)
	// Output:
	// applied: true
	// applied: false
	// {"coins":100}, as we wrote it: true
}
