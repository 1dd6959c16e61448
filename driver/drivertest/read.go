package drivertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
)

var readFacts = []fact{
	{"EntriesComeInTheOrderOfTheKeys", 0, func(e *env) {
		v := e.apply(always("a", "1"), always("c", "3"))
		s, err := e.db.Read(e.ctx, "c", "b", "a", "c")
		if err != nil {
			e.Fatalf("Read: %v", err)
		}
		var got []string
		for _, entry := range s.Entries {
			got = append(got, fmt.Sprintf("%s %v %s %v", entry.Key, entry.Found(), entry.Value, entry.Version == v))
		}
		want := []string{"c true 3 true", "b false  false", "a true 1 true", "c true 3 true"}
		if diff := cmp.Diff(want, got); diff != "" {
			e.Errorf("Read (-want +got):\n%s", diff)
		}
	}},
	{"AnAbsentEntryHasOnlyItsKey", 0, func(e *env) {
		if diff := cmp.Diff(driver.Entry{Key: "k"}, e.read("k")); diff != "" {
			e.Errorf("Read of an absent entry (-want +got):\n%s", diff)
		}
	}},
	{"NoKeysAreNoEntries", 0, func(e *env) {
		s, err := e.db.Read(e.ctx)
		if err != nil || len(s.Entries) != 0 || s.Now.Wall.IsZero() {
			e.Errorf("Read() = %+v, %v, want no entries and the time", s, err)
		}
	}},
	{"BytesBelongToTheCaller", 0, func(e *env) {
		v := e.apply(driver.Write{Key: "k", Mode: driver.Always, Value: []byte("value")})
		v2 := e.apply(driver.Write{Key: "k", Version: v, Value: []byte("other"), Retain: &driver.Retention{}})
		spoil := func(entry driver.Entry) {
			clear(entry.Value)
			clear(entry.Recent)
		}
		spoil(e.read("k"))
		spoil(e.list(driver.Query{}).Entries[0])
		for _, id := range []driver.Version{v, v2} {
			if entry, err := e.db.ReadVersion(e.ctx, "k", id); err == nil {
				spoil(entry)
			}
		}
		for _, s := range e.refused(batch(expect("k", newID(), "")), "k") {
			clear(s.Recent)
		}
		e.holds("k", "other")
		if diff := cmp.Diff([]driver.Version{v2, v}, e.read("k").Recent); diff != "" {
			e.Errorf("Recent (-want +got):\n%s", diff)
		}
		old, err := e.db.ReadVersion(e.ctx, "k", v)
		if err != nil || string(old.Value) != "value" || old.Damaged != nil {
			e.Errorf("ReadVersion = %q, %v, %v, want %q", old.Value, old.Damaged, err, "value")
		}
	}},
}

// sorted are keys in the order of their bytes.
var sorted = []string{
	"a", "a b", "a/", "a/1", "a/10", "a/2", "a/é", "a/日本", "a/\U0010ffff", "a0", "b", "b/\x01", "b/1", "é", "日本", "\U0010ffff", "\U0010ffffz",
}

// fill writes the sorted keys, in another order.
func (e *env) fill() {
	e.Helper()
	keys := slices.Clone(sorted)
	slices.Reverse(keys)
	for i := 1; i < len(keys); i += 2 {
		keys[i-1], keys[i] = keys[i], keys[i-1]
	}
	b := batch()
	for _, key := range keys {
		b.Writes = append(b.Writes, always(key, "value of "+key))
	}
	e.applied(b)
}

// naive is what a query ought to list of the sorted keys.
func naive(q driver.Query) (keys []string, more bool) {
	all := slices.Clone(sorted)
	if q.Reverse {
		slices.Reverse(all)
	}
	for _, key := range all {
		past := key <= q.After
		if q.Reverse {
			past = q.After != "" && key >= q.After
		}
		if past || !strings.HasPrefix(key, q.Prefix) {
			continue
		}
		if q.Limit > 0 && len(keys) == q.Limit {
			return keys, true
		}
		keys = append(keys, key)
	}
	return keys, false
}

var listFacts = []fact{
	{"FollowsTheOrderOfBytes", 0, func(e *env) {
		e.fill()
		s := e.list(driver.Query{})
		for i, entry := range s.Entries {
			if i >= len(sorted) || entry.Key != sorted[i] || string(entry.Value) != "value of "+entry.Key {
				e.Fatalf("entry %d of List = %q with %q", i, entry.Key, entry.Value)
			}
		}
		if len(s.Entries) != len(sorted) || s.More {
			e.Errorf("List has %d entries, more %v, want %d", len(s.Entries), s.More, len(sorted))
		}
	}},
	{"KeepsToPrefixAfterAndLimit", 0, func(e *env) {
		e.fill()
		marks := append([]string{"", "0", "a/3", "a/1z", "b/", "c", "z", "日", "\U0010ffff\U0010ffff"}, sorted...)
		limits := [][]int{{0, 2}, {1, len(sorted)}} // in turns: each with half of the others is enough
		for i, prefix := range marks {
			for j, after := range marks {
				for _, limit := range limits[(i+j)%2] {
					for _, reverse := range []bool{false, true} {
						q := driver.Query{Prefix: prefix, After: after, Limit: limit, KeysOnly: limit == 2, Reverse: reverse}
						want, more := naive(q)
						s := e.list(q)
						if diff := cmp.Diff(want, keysIn(s)); diff != "" || s.More != more {
							e.Fatalf("List(%+v) says more %v, want %v, and (-want +got):\n%s", q, s.More, more, diff)
						}
					}
				}
			}
		}
	}},
	{"KeysOnlyLeavesOutValues", 0, func(e *env) {
		e.fill()
		full, bare := e.list(driver.Query{}), e.list(driver.Query{KeysOnly: true})
		for i := range full.Entries {
			full.Entries[i].Value = nil
		}
		if diff := cmp.Diff(full.Entries, bare.Entries); diff != "" {
			e.Errorf("List with KeysOnly (-without values +got):\n%s", diff)
		}
	}},
	{"PagesJoinWithoutGaps", 0, func(e *env) {
		e.fill()
		var got []string
		q := driver.Query{Limit: 3}
		for more := true; more; {
			s := e.list(q)
			for _, entry := range s.Entries {
				got = append(got, entry.Key)
				q.After = entry.Key
			}
			more = s.More
		}
		if diff := cmp.Diff(sorted, got); diff != "" {
			e.Errorf("pages of three (-want +got):\n%s", diff)
		}
	}},
	{"ReverseGivesTheSameEntries", 0, func(e *env) {
		e.fill()
		for _, bare := range []bool{false, true} {
			there, back := e.list(driver.Query{KeysOnly: bare}), e.list(driver.Query{KeysOnly: bare, Reverse: true})
			slices.Reverse(back.Entries)
			if diff := cmp.Diff(there.Entries, back.Entries); diff != "" {
				e.Errorf("List in reverse (-forward +got):\n%s", diff)
			}
		}
	}},
	{"StopsAboutAtTheLargestValue", 0, func(e *env) {
		half := strings.Repeat("x", driver.MaxValue/2)
		for _, key := range []string{"1", "2", "3", "4"} {
			e.apply(always(key, half))
		}
		s := e.list(driver.Query{})
		if n := len(s.Entries); n < 1 || n > 3 || !s.More {
			e.Errorf("List of 4 times 32 MB has %d entries, more %v, want about 2 and more", n, s.More)
		}
		if s := e.list(driver.Query{Reverse: true}); len(s.Entries) < 1 || len(s.Entries) > 3 || !s.More || s.Entries[0].Key != "4" {
			e.Errorf("List of them in reverse has %q, more %v, want about 2 from the last and more", keysIn(s), s.More)
		}
		if got := e.keys(driver.Query{KeysOnly: true}); len(got) != 4 {
			e.Errorf("List with KeysOnly = %q, want all four", got)
		}
	}},
	{"FollowsEveryCreationAndDeletion", 0, func(e *env) {
		want := map[string]bool{}
		for i := range 60 {
			key := fmt.Sprintf("k/%02d", i*37%60)
			e.apply(always(key, ""))
			want[key] = true
			if gone := fmt.Sprintf("k/%02d", i*11%60); want[gone] && i%3 == 0 {
				e.apply(driver.Write{Key: gone, Mode: driver.Always, Delete: true})
				delete(want, gone)
			}
			got := e.keys(driver.Query{KeysOnly: true})
			if len(got) != len(want) || !slices.IsSorted(got) {
				e.Fatalf("step %d: List has %d keys, sorted %v, want %d", i, len(got), slices.IsSorted(got), len(want))
			}
		}
	}},
}

var damageFacts = []fact{
	{"AFlippedBitIsReported", needsDamage, func(e *env) {
		v := e.apply(always("bad", "0123456789"), always("good", "0123456789"))
		e.h.Damage(e.T, e.db, "bad")
		version, err := e.db.ReadVersion(e.ctx, "bad", v)
		if err != nil {
			e.Fatalf("ReadVersion of a damaged entry: %v, want the entry", err)
		}
		for call, entry := range map[string]driver.Entry{
			"Read":        e.read("bad"),
			"List":        e.list(driver.Query{}).Entries[0],
			"ReadVersion": version,
		} {
			if !errors.Is(entry.Damaged, driver.ErrCorrupt) {
				e.Errorf("%s: Damaged = %v, want ErrCorrupt", call, entry.Damaged)
			}
			if entry.Version != v || len(entry.Value) != 10 || string(entry.Value) == "0123456789" {
				e.Errorf("%s = version %v, bytes %q, want %v and the bytes as found", call, entry.Version, entry.Value, v)
			}
		}
	}},
	{"OtherEntriesAreNotAffected", needsDamage, func(e *env) {
		e.apply(always("bad", "0123456789"), always("good", "0123456789"))
		e.h.Damage(e.T, e.db, "bad")
		s, err := e.db.Read(e.ctx, "bad", "good")
		if err != nil {
			e.Fatalf("Read: %v", err)
		}
		for call, entry := range map[string]driver.Entry{"Read": s.Entries[1], "List": e.list(driver.Query{}).Entries[1]} {
			if entry.Damaged != nil || string(entry.Value) != "0123456789" {
				e.Errorf("%s = %q, %v, want it whole", call, entry.Value, entry.Damaged)
			}
		}
	}},
	{"IsNotRepairedByItself", needsDamage | needsReopen, func(e *env) {
		e.apply(always("bad", "0123456789"))
		e.h.Damage(e.T, e.db, "bad")
		e.read("bad")
		e.reopen()
		if got := e.read("bad"); !errors.Is(got.Damaged, driver.ErrCorrupt) {
			e.Errorf("Damaged after reopening = %v, want ErrCorrupt", got.Damaged)
		}
	}},
	{"IsRetainedAsFound", needsDamage, func(e *env) {
		v := e.apply(always("bad", "0123456789"))
		e.h.Damage(e.T, e.db, "bad")
		e.apply(driver.Write{Key: "bad", Version: v, Value: []byte("new"), Retain: &driver.Retention{}})
		e.holds("bad", "new")
		old, err := e.db.ReadVersion(e.ctx, "bad", v)
		if err != nil || !errors.Is(old.Damaged, driver.ErrCorrupt) || len(old.Value) != 10 {
			e.Errorf("ReadVersion = %q, damaged %v, %v, want the bytes as found", old.Value, old.Damaged, err)
		}
	}},
}
