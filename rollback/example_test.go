package rollback_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/rollback"
	"github.com/holdfast-games/holdfast/store"
)

// An exploit has given everybody too much: all players go back to the moment before it.
func ExampleRun() {
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close(ctx)
	srv, err := profile.Open(ctx, db, player, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close(ctx)
	steve, err := srv.Open(ctx, "steve", nil)
	if err != nil {
		log.Fatal(err)
	}
	set := func(n int64) {
		err := steve.Update(func(tx *profile.Tx) error {
			tx.Keep() // else one version an hour is
			return coins.Set(tx, n)
		})
		if err = first(err, steve.Save(ctx)); err != nil {
			log.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	set(5)
	moment := srv.Session().Now()
	set(1_000_000)

	plan := rollback.Plan{Before: moment, Reason: "exploit in 1.4"}
	report, err := rollback.DryRun(ctx, srv.As("ann"), plan, nil)
	fmt.Println(report.Count, coins.Get(steve), err)
	report, err = rollback.Run(ctx, srv.As("ann"), "exploit-1.4", plan, nil)
	fmt.Println(report.Count, coins.Get(steve), err)
	// Output:
	// map[restored:1] 1000000 <nil>
	// map[restored:1] 5 <nil>
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
