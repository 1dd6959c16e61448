package demo

import (
	"fmt"
	"strings"

	"github.com/holdfast-games/holdfast/profile"
)

// Kind is the kind of the players' keys: one of the demo's own, so that it
// meets no players of a game in the same database.
const Kind = "holdfast-demo"

// prefix begins the names of the demo's own fields, beside those that were
// imported.
const prefix = "demo_"

func isOwn(field string) bool { return strings.HasPrefix(field, prefix) }

// item is what players hand to each other. Its name is its key in the bag.
type item struct {
	Hands int `json:"hands"` // how often it was handed on
}

// The demo's own fields.
var (
	opened  = profile.Int(prefix+"opened", 0, profile.Min(0))
	updates = profile.Int(prefix+"updates", 0, profile.Min(0))
	coins   = profile.Int(prefix+"coins", 0, profile.Min(0))
	server  = profile.String(prefix+"server", "")
	done    = profile.Value(prefix+"done", numbers(nil))
	bag     = profile.Map[item](prefix + "items")
	schema  = profile.NewSchema(Kind, opened, updates, coins, server, done, bag)
)

// numbers is a set of updates' numbers, as ranges that ascend and do not touch.
// It is short: there is a gap only where a crash took an update.
type numbers []span64

type span64 [2]int64 // first and last

func (n numbers) has(op int64) bool {
	for _, r := range n {
		if r[0] <= op && op <= r[1] {
			return true
		}
	}
	return false
}

// with returns the set with a number that is higher than all in it.
func (n numbers) with(op int64) (numbers, error) {
	if len(n) == 0 {
		return numbers{{op, op}}, nil
	}
	last := n[len(n)-1]
	switch {
	case op <= last[1]:
		return nil, fmt.Errorf("update %d comes after update %d", op, last[1])
	case op == last[1]+1:
		longer := append(numbers(nil), n...)
		longer[len(n)-1][1] = op
		return longer, nil
	}
	return append(append(numbers(nil), n...), span64{op, op}), nil
}

func (n numbers) len() (total int64) {
	for _, r := range n {
		total += r[1] - r[0] + 1
	}
	return total
}

// count makes an update's marks: its number, and one more update.
func count(tx *profile.Tx, op int64) (seq int64, err error) {
	next, err := done.Get(tx).with(op)
	if err != nil {
		return 0, err
	}
	if err := done.Set(tx, next); err != nil {
		return 0, err
	}
	if err := updates.Add(tx, 1); err != nil {
		return 0, err
	}
	return updates.Get(tx), coins.Add(tx, 1)
}
