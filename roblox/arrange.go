package roblox

import (
	"cmp"
	stdjson "encoding/json"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
)

// Arrangement says which of one player's entries hold what. Its numbers are
// places in the list that was arranged.
type Arrangement struct {
	// Newest are the entries that together hold what the player has: one, or for
	// DataStore2 one for each data store, in the order of their names.
	Newest []int
	// Older are the backups before the newest one, oldest first. There are none if
	// the player has several data stores: their backups have no common order.
	Older []int
	// Unused are the backups that are neither: older ones of several data stores,
	// and those beyond the newest that the ordered data store lists. The module
	// would not have read these: their saving was cut short.
	Unused []int
}

// Arrange finds the newest backup and the older ones among the entries of one
// player, which are all that an export has of him. It refuses, with an error that
// matches ErrForm, two entries for one place, and an ordered data store whose
// newest backup is missing: an export of a part of his data.
func Arrange(places []Place) (*Arrangement, error) {
	stores := make(map[string][]int)
	for i, p := range places {
		stores[p.Store] = append(stores[p.Store], i)
	}
	a := &Arrangement{}
	for _, name := range slices.Sorted(maps.Keys(stores)) {
		newest, older, unused, err := arrange(places, stores[name])
		if err != nil {
			return nil, err
		}
		a.Newest, a.Older, a.Unused = append(a.Newest, newest), append(a.Older, older...), append(a.Unused, unused...)
	}
	if len(stores) > 1 {
		a.Older, a.Unused = nil, append(a.Unused, a.Older...)
		slices.Sort(a.Unused)
	}
	return a, nil
}

// arrange arranges the entries of one data store.
func arrange(places []Place, of []int) (newest int, older, unused []int, err error) {
	var backups []int
	var top int64 // the newest that is listed; zero: none is
	for _, i := range of {
		if p := places[i]; p.Listed {
			top = max(top, p.Backup)
		} else {
			backups = append(backups, i)
		}
	}
	slices.SortFunc(backups, func(i, j int) int { return cmp.Compare(places[i].Backup, places[j].Backup) })
	for k, i := range backups {
		switch p := places[i]; {
		case k > 0 && p.Backup == places[backups[k-1]].Backup:
			return 0, nil, nil, twice(p)
		case top > 0 && p.Backup > top:
			unused = append(unused, i)
		default:
			older = append(older, i)
		}
	}
	if n := len(older); n > 0 && (top == 0 || places[older[n-1]].Backup == top) {
		return older[n-1], older[:n-1], unused, nil
	}
	return 0, nil, nil, wrong("backup %d of the data store %s is listed and missing: the export is not whole", top, shown(places[of[0]].Store))
}

func twice(p Place) error {
	switch {
	case p.Backup > 0:
		return wrong("backup %d of the data store %s is there twice", p.Backup, shown(p.Store))
	case p.Store != "":
		return wrong("the data store %s has the player twice", shown(p.Store))
	}
	return wrong("several entries are of this player")
}

// Join makes one record of the newest entries of a player, in the order of
// Arrangement.Newest. The error matches ErrForm if two of them have a field of the
// same name. What stood beside the data is listed under "entries" if they are
// several.
func Join(records []*Record) (*Record, error) {
	if len(records) == 1 {
		return records[0], nil
	}
	all := &Record{Fields: make(map[string]stdjson.RawMessage)}
	var besides []stdjson.RawMessage
	for _, r := range records {
		for name, v := range r.Fields {
			if _, ok := all.Fields[name]; ok {
				return nil, wrong("two data stores have the field %s", shown(name))
			}
			all.Fields[name] = v
		}
		if r.Beside != nil {
			besides = append(besides, r.Beside)
		}
		all.Owned = append(all.Owned, r.Owned...)
		all.Lists = append(all.Lists, r.Lists...)
		all.Lock = cmp.Or(all.Lock, r.Lock)
		all.Migration = max(all.Migration, r.Migration)
	}
	slices.Sort(all.Owned)
	all.Owned = slices.Compact(all.Owned)
	var err error
	all.Beside, err = marshal(map[string][]stdjson.RawMessage{"entries": besides})
	return all, err
}

func marshal(v any) (stdjson.RawMessage, error) {
	text, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil, wrong("%w", err)
	}
	return text, nil
}
