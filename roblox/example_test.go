package roblox_test

import (
	"fmt"

	"github.com/holdfast-games/holdfast/roblox"
)

// A profile as ProfileStore keeps it becomes the fields of a player. What its
// envelope had beside the data is kept apart, and the session lock is told.
func Example() {
	e := &roblox.Entry{
		Key: "Player_42",
		Value: []byte(`{
			"Data": {"coins": 120, "bag": []},
			"MetaData": {"ProfileCreateTime": 1700000000, "SessionLoadCount": 3, "ActiveSession": [99, "job-7"]},
			"GlobalUpdates": [1, [[1, {"gift": "bread"}]]]
		}`),
	}
	o := &roblox.Options{Maps: []string{"bag"}} // Roblox stores every empty table as []

	place, err := roblox.ProfileStore.Place(e, o)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := roblox.ProfileStore.Decode(e, o)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := r.JSON()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("player %s: %s\n", place.ID, text)
	fmt.Println("locked by", r.Lock)
	fmt.Println("beside the data:", r.Owned)
	// Output:
	// player 42: {"bag":{},"coins":120}
	// locked by place 99, job job-7
	// beside the data: [GlobalUpdates (messages: 1)]
}
