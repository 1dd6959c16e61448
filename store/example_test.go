package store_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/store"
)

// A DB takes a database over and carries attempts to it.
func ExampleDB() {
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	players, err := db.Store("players")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := players.Set(ctx, "jo", []byte("level 1"), nil); err != nil {
		log.Fatal(err)
	}
	entry, err := players.Get(ctx, "jo")
	fmt.Printf("%s %v\n", entry.Value, err)
	if err := db.Close(ctx); err != nil {
		log.Fatal(err)
	}
	_, err = players.Get(ctx, "jo")
	fmt.Println(errors.Is(err, driver.ErrClosed))
	// Output:
	// level 1 <nil>
	// true
}

// A Store keeps values by key. Update is read, change and write in one step,
// whoever else writes the key.
func ExampleStore() {
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	defer db.Close(ctx)
	guilds, err := db.Store("guilds")
	if err != nil {
		log.Fatal(err)
	}
	join := func(who string) func(store.Entry) ([]byte, error) {
		return func(e store.Entry) ([]byte, error) {
			members := strings.Fields(string(e.Value))
			if len(members) == 2 {
				return nil, errors.New("guild is full")
			}
			return []byte(strings.Join(append(members, who), " ")), nil
		}
	}
	for _, who := range []string{"ann", "bob", "cat"} {
		e, err := guilds.Update(ctx, "red", join(who), nil)
		fmt.Printf("%q %v\n", e.Value, err)
	}
	sum, err := guilds.Add(ctx, "red points", 10)
	fmt.Println(sum, err)
	for key, err := range guilds.Keys(ctx, "red") {
		fmt.Println(key, err)
	}
	// Output:
	// "ann" <nil>
	// "ann bob" <nil>
	// "" update "red" in store "guilds": guild is full
	// 10 <nil>
	// red <nil>
	// red points <nil>
}

// Versions of a key can be listed, read and restored.
func ExampleStore_Restore() {
	db, err := store.New(mem.Open(), &store.Options{Retention: &driver.Retention{}}) // keep every version
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	defer db.Close(ctx)
	players, err := db.Store("players")
	if err != nil {
		log.Fatal(err)
	}
	good, err := players.Set(ctx, "jo", []byte("level 9"), nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := players.Set(ctx, "jo", []byte("broken"), nil); err != nil {
		log.Fatal(err)
	}
	e, err := players.Restore(ctx, "jo", good.Version)
	fmt.Printf("%s %v\n", e.Value, err)
	for v, err := range players.Versions(ctx, "jo", nil) {
		fmt.Println(v.Marked, err)
	}
	// Output:
	// level 9 <nil>
	// false <nil>
	// false <nil>
	// true <nil>
}

// An attempt changes several entries at once, or none: here a coin goes from
// one to the other only if both are as they were read.
func ExampleDB_Commit() {
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	defer db.Close(ctx)
	move := func(from, to driver.Version) error {
		id, err := db.NewVersion()
		if err != nil {
			return err
		}
		_, err = db.Commit(ctx, store.Attempt{
			Lane: store.Waited,
			Batch: driver.Batch{ID: id, Writes: []driver.Write{
				{Key: store.JoinKey("purse", "ann"), Version: from, Value: []byte("0")},
				{Key: store.JoinKey("purse", "bob"), Version: to, Value: []byte("1")},
			}},
		})
		return err
	}
	fmt.Println(move(driver.Version{}, driver.Version{}))
	err = move(driver.Version{}, driver.Version{})
	var conflict *store.ConflictError
	fmt.Println(errors.As(err, &conflict), conflict.Refused[0].Key)
	// Output:
	// <nil>
	// true purse/ann
}

// A Ranking keeps members in the order of their scores.
func ExampleRanking() {
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	defer db.Close(ctx)
	wins, err := db.Ranking("wins", nil)
	if err != nil {
		log.Fatal(err)
	}
	for member, score := range map[string]int64{"ann": 12, "bob": 7, "cat": 31, "dan": 7} {
		if err := wins.Set(ctx, member, score); err != nil {
			log.Fatal(err)
		}
	}
	sum, err := wins.Add(ctx, "bob", 1)
	fmt.Println(sum, err)
	top, err := wins.Top(ctx, 2)
	fmt.Println(top, err)
	dan, err := wins.Rank(ctx, "dan")
	fmt.Println(dan.Rank, dan.Exact, err)
	around, err := wins.Around(ctx, "bob", 1)
	for _, st := range around {
		fmt.Println(st.Rank, st.Member, st.Score)
	}
	ten := int64(10)
	for st, err := range wins.Range(ctx, &store.RangeOptions{Min: &ten}) {
		fmt.Println(st.Member, st.Score, err)
	}
	// Output:
	// 8 <nil>
	// [{cat 31 1 true} {ann 12 2 true}] <nil>
	// 4 true <nil>
	// 2 ann 12
	// 3 bob 8
	// 4 dan 7
	// cat 31 <nil>
	// ann 12 <nil>
}
