package store

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/holdfast-games/holdfast/driver"
)

// Tagged is an entry of a named store whose value is about a user.
type Tagged struct {
	Store string
	Entry Entry
}

// Tagged yields the entries of all named stores that are tagged with one of some user
// ids (see WriteOptions.Users), in the order of their stores and keys. It reads
// every value of every store, a page at a time. An entry that cannot be read comes
// with an error, and the next ones follow; an error with an empty store ends the
// listing.
func (db *DB) Tagged(ctx context.Context, users ...string) iter.Seq2[Tagged, error] {
	return func(yield func(Tagged, error) bool) {
		wanted := make(map[string]bool, len(users))
		for _, u := range users {
			wanted[u] = true
		}
		q := driver.Query{Prefix: SystemKey("store") + "/", Limit: 256}
		for {
			page, err := db.List(ctx, q)
			if err != nil {
				yield(Tagged{}, fmt.Errorf("look for tagged entries: %w", err))
				return
			}
			for i := range page.Entries {
				t, is, err := tagged(&page.Entries[i], wanted)
				if (is || err != nil) && !yield(t, err) {
					return
				}
			}
			if !page.More {
				return
			}
			q.After = page.Entries[len(page.Entries)-1].Key
		}
	}
}

// tagged reads an entry, and reports whether it is tagged with one of the users.
func tagged(d *driver.Entry, users map[string]bool) (t Tagged, is bool, err error) {
	parts, err := SplitKey(d.Key)
	if err != nil || len(parts) != 3 {
		return Tagged{Store: d.Key}, false, fmt.Errorf("%w: entry %q is no named store's", driver.ErrCorrupt, d.Key)
	}
	t.Store = parts[1]
	t.Entry, err = decodeEntry(parts[2], d)
	if err != nil {
		return t, false, fmt.Errorf("read %q of store %q: %w", parts[2], parts[1], err)
	}
	is = slices.ContainsFunc(t.Entry.Users, func(u string) bool { return users[u] })
	return t, is && !t.Entry.Deleted, nil
}

// UsersOf returns the user ids with which the entry of a named store is tagged, or
// none if it cannot be read.
func UsersOf(d *driver.Entry) []string {
	if d.Damaged != nil {
		return nil
	}
	h, _, err := decodeHeader(d.Value)
	if err != nil {
		return nil
	}
	return h.Users
}
