package session

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// What belongs to a key lies under it, in entries <kind>/<id>/…, of which this
// package knows nothing. What belongs to it and needs a key of its own, such as a
// purchase, whose id is unique in the world, is named by an index entry: the key of
// the root, a slash, and that key.
//
//	~receipt/web:1                 the record of a purchase
//	player/42/~receipt/web:1       says whose it is, and what is to stay of it
//
// Both are created in one commit. No part that is given to JoinKey begins with '~',
// so nothing else under a root looks like an index entry. When the key is erased,
// what an index entry names is deleted, or replaced by what the entry says.

const indexFormat = 1

// indexEntry is what is stored of an index entry.
type indexEntry struct {
	Format int             `json:"format"`
	Leaves json.RawMessage `json:"leaves,omitempty"`
}

// leavesUnknown takes the place of what an index entry names that cannot be read:
// only what must never be there again, such as a purchase, leaves anything.
var leavesUnknown = []byte(`{"format":1,"state":"spent"}`)

// IndexKey returns the key of the index entry which says that an entry elsewhere
// belongs to a key. The entry's own key is a system key: see store.SystemKey.
func IndexKey(key Key, outside string) string { return key.String() + "/" + outside }

// IndexPrefix returns what the index entries of a key begin with that name entries
// under one system name, such as "receipt".
func IndexPrefix(key Key, system string) string {
	return key.String() + "/" + store.SystemKey(system) + "/"
}

// IndexValue returns the value of an index entry. Leaves is JSON that takes the place
// of what it names when the key is erased, and must not tell whose that was; nil
// deletes it.
func IndexValue(leaves []byte) ([]byte, error) {
	b, err := json.Marshal(indexEntry{indexFormat, leaves})
	if err != nil {
		return nil, fmt.Errorf("encode index entry: %w", err)
	}
	return b, nil
}

// ownNames are the system names that are never anybody's belongings.
var ownNames = []string{"lease", "journal", "request", "feeds", "feed", "erased", "unfinished", "confirm"}

// Outside returns the key that an entry under a root names, if that is an index
// entry.
func Outside(key Key, entry string) (outside string, ok bool) {
	return outsideOf(key.String(), entry)
}

func outsideOf(rootKey, entry string) (outside string, ok bool) {
	outside, ok = strings.CutPrefix(entry, rootKey+"/")
	if !ok || !strings.HasPrefix(outside, "~") || driver.CheckKey(outside) != nil {
		return "", false
	}
	name, rest, _ := strings.Cut(outside[1:], "/")
	return outside, rest != "" && !slices.Contains(ownNames, name)
}

// leaves returns the write that an index entry asks for when its key is erased.
func (e *indexEntry) leaves(outside string) driver.Write {
	w := driver.Write{Key: outside, Mode: driver.Always, Delete: len(e.Leaves) == 0}
	if !w.Delete {
		w.Value = e.Leaves
	}
	return w
}

// decodeIndex reads an index entry. What cannot be read asks for what is safe.
func decodeIndex(e *driver.Entry) *indexEntry {
	var x indexEntry
	if e.Damaged != nil || json.Unmarshal(e.Value, &x) != nil || x.Format != indexFormat {
		return &indexEntry{Leaves: leavesUnknown}
	}
	if bytes.Equal(x.Leaves, []byte("null")) {
		x.Leaves = nil
	}
	return &x
}
