package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// Remains says in what sort of place something of an erased key was found.
type Remains string

// Where something of an erased key may be found.
const (
	// RemainsRoot: the key is not erased, or not swept yet, or another document has
	// begun under it.
	RemainsRoot Remains = "root"
	// RemainsHistory: old versions of the root.
	RemainsHistory Remains = "history"
	// RemainsBeside: an entry under the root. To erase the key again deletes it.
	RemainsBeside Remains = "beside the root"
	// RemainsJournal: changes in a server's journal. They go when that server has
	// saved what it changed at the same time, within seconds; with a dead server's,
	// when another has settled it.
	RemainsJournal Remains = "journal"
	// RemainsFeed: changes that are kept for followers, until the time in Until.
	RemainsFeed Remains = "feed"
	// RemainsNamed: an entry of the system's, such as the record of a purchase, names
	// the key.
	RemainsNamed Remains = "names the key"
	// RemainsTagged: a value in a named store is tagged with the key's id. It is the
	// game's, and for that to delete: see store.Tagged.
	RemainsTagged Remains = "tagged"
)

// Trace is something of an erased key that was found.
type Trace struct {
	Where Remains
	Entry string    // its key in the database
	What  string    // more about it, for people; may be empty
	Until time.Time // when it goes by itself; zero: that is not known
}

// Verification is what was found of one key that was erased.
type Verification struct {
	Key    Key
	At     time.Time // when it was erased; zero: it is not
	Traces []Trace   // empty: there is nothing
}

// VerifyErased looks for everything that is left of keys that were erased, in what
// belongs to them and in all of the system's own entries: purchases, journals, feeds,
// named stores. Those it reads once, whatever the number of keys; the documents of
// other keys, and messages to them, it does not read: what others have written of a
// player in what is theirs is theirs. The verifications come in the order of keys. It
// is not at one moment, and needs no lease.
func (rd *Reader) VerifyErased(ctx context.Context, keys ...Key) ([]Verification, error) {
	v := verifier{rd: rd, all: make([]Verification, len(keys)), named: make(map[string][]int), tagged: make(map[string][]int)}
	for i, key := range keys {
		if err := key.Check(); err != nil {
			return nil, fmt.Errorf("verify: %w", err)
		}
		v.all[i].Key = key
		v.name(key.String(), i)
		v.tagged[key.ID] = append(v.tagged[key.ID], i)
	}
	if err := v.run(ctx); err != nil {
		return nil, fmt.Errorf("verify what was erased: %w", err)
	}
	return v.all, nil
}

// verifier looks for several keys at once.
type verifier struct {
	rd     *Reader
	all    []Verification
	named  map[string][]int // by text in which a key may be named
	tagged map[string][]int // by id
	feeds  map[driver.Version]time.Duration
}

// name has the verifier look for a key in the forms that it may have in JSON.
func (v *verifier) name(key string, i int) {
	v.named[key] = append(v.named[key], i)
	if quoted, err := json.Marshal(key); err == nil && string(quoted[1:len(quoted)-1]) != key {
		v.named[string(quoted[1:len(quoted)-1])] = []int{i}
	}
}

func (v *verifier) found(i int, t Trace) { v.all[i].Traces = append(v.all[i].Traces, t) }

func (v *verifier) run(ctx context.Context) error {
	for i := range v.all {
		if err := v.own(ctx, i); err != nil {
			return err
		}
	}
	streams, err := readStreams(ctx, v.rd.db)
	if err != nil {
		return err
	}
	v.feeds = make(map[driver.Version]time.Duration)
	for i := range streams.list {
		v.feeds[streams.list[i].lease] = streams.list[i].keep()
	}
	q := driver.Query{Prefix: "~", Limit: listPage}
	for {
		page, err := v.rd.db.List(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Entries {
			v.inspect(&page.Entries[i])
		}
		if !page.More {
			return nil
		}
		q.After = page.Entries[len(page.Entries)-1].Key
	}
}

// own looks at what belongs to a key itself.
func (v *verifier) own(ctx context.Context, i int) error {
	key := v.all[i].Key
	r, e, err := readRoot(ctx, v.rd.db, key.String())
	switch {
	case err != nil && !errors.Is(err, driver.ErrCorrupt) && !errors.Is(err, driver.ErrFormat):
		return err
	case err != nil:
		v.found(i, Trace{Where: RemainsRoot, Entry: key.String(), What: "it is not erased, and cannot be read: " + err.Error()})
	case r == nil:
		v.found(i, Trace{Where: RemainsRoot, Entry: key.String(), What: "it is not erased: nothing was ever kept under it"})
		return nil
	case !r.Erased:
		v.found(i, Trace{Where: RemainsRoot, Entry: key.String(), What: "it is not erased, or begun anew since: its document is of " + r.Birth.Time().UTC().Format(time.RFC3339)})
	default:
		if v.all[i].At = r.ErasedAt; r.Sweep != swept {
			v.found(i, Trace{Where: RemainsRoot, Entry: key.String(), What: "it is being swept"})
		}
	}
	versions, err := v.rd.db.Versions(ctx, key.String())
	if err != nil {
		return err
	}
	for j := range versions {
		if versions[j].Version != e.Version {
			v.found(i, Trace{Where: RemainsHistory, Entry: key.String(), What: "version " + versions[j].Version.String()})
		}
	}
	return v.beside(ctx, i)
}

func (v *verifier) beside(ctx context.Context, i int) error {
	q := driver.Query{Prefix: v.all[i].Key.String() + "/", KeysOnly: true, Limit: listPage}
	for {
		page, err := v.rd.db.List(ctx, q)
		if err != nil {
			return err
		}
		for j := range page.Entries {
			q.After = page.Entries[j].Key
			v.found(i, Trace{Where: RemainsBeside, Entry: q.After})
		}
		if !page.More {
			return nil
		}
	}
}

// inspect looks at one of the system's entries.
func (v *verifier) inspect(e *driver.Entry) {
	name, rest, _ := strings.Cut(e.Key, "/")
	switch name {
	case "~journal":
		records, err := decodeRecords(e.Value)
		v.records(e, Trace{Where: RemainsJournal, Entry: e.Key}, records, err)
	case "~feed":
		records, err := decodeFeed(e.Value)
		t := Trace{Where: RemainsFeed, Entry: e.Key}
		lease, _, _ := strings.Cut(rest, "/")
		if id, err := driver.ParseVersion(lease); err == nil && v.feeds[id] > 0 {
			t.Until = e.Updated.Wall.Add(v.feeds[id])
		}
		v.records(e, t, records, err)
	case "~store":
		for _, user := range store.UsersOf(e) {
			for _, i := range v.tagged[user] {
				v.found(i, Trace{Where: RemainsTagged, Entry: e.Key})
			}
		}
	case "~erased":
		if key, err := erasedIn(e.Key); err == nil {
			v.naming(e, key.String()) // and its tombstone says so too
		}
	default:
		v.quoted(e)
	}
}

// records looks for the keys in the records of a journal entry. If it cannot be
// read, nobody can tell, and every key is told so.
func (v *verifier) records(e *driver.Entry, t Trace, records []record, err error) {
	if e.Damaged != nil || err != nil {
		t.What = "it cannot be read"
		for i := range v.all {
			v.found(i, t)
		}
		return
	}
	var last []int
	for j := range records {
		for _, i := range v.named[records[j].key] {
			if !slices.Contains(last, i) {
				last = append(last, i)
				v.found(i, t)
			}
		}
	}
}

// naming notes that an entry is named for a key.
func (v *verifier) naming(e *driver.Entry, text string) {
	for _, i := range v.named[text] {
		v.found(i, Trace{Where: RemainsNamed, Entry: e.Key})
	}
}

// quoted looks for the keys among all texts in quotes that an entry's value has.
func (v *verifier) quoted(e *driver.Entry) {
	rest := e.Value
	for {
		from := bytes.IndexByte(rest, '"')
		if from < 0 {
			return
		}
		rest = rest[from+1:]
		to := bytes.IndexByte(rest, '"')
		if to < 0 {
			return
		}
		for _, i := range v.named[string(rest[:to])] {
			v.found(i, Trace{Where: RemainsNamed, Entry: e.Key})
		}
	}
}
