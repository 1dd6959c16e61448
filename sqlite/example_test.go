package sqlite_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/sqlite"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "holdfast")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	db, err := sqlite.Open(ctx, filepath.Join(dir, "players.db"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	id, err := driver.NewVersion(time.Now(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	_, err = db.Commit(ctx, driver.Group{Batches: []driver.Batch{{
		ID:     id,
		Writes: []driver.Write{{Key: "player/1", Value: []byte(`{"coins":100}`)}},
	}}})
	if err != nil {
		log.Fatal(err)
	}

	s, err := db.Read(ctx, "player/1", "player/2")
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range s.Entries {
		fmt.Printf("%s found: %v %s\n", e.Key, e.Found(), e.Value)
	}
	// Output:
	// player/1 found: true {"coins":100}
	// player/2 found: false
}
