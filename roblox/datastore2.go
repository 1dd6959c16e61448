package roblox

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// placeDataStore2 reads a name that DataStore2 made. It saves in one of two ways:
//
//   - ordered backups, each under its number in the data store NAME/42, and its
//     number under itself in the ordered data store of that name, which is what
//     makes it count;
//   - the standard way, under the key 42 of the data store NAME.
func placeDataStore2(_ *form, e *Entry, o *Options) (Place, error) {
	if o.ID != nil {
		return Place{}, wrong("DataStore2 writes user ids as digits: a pattern for them has no use")
	}
	if e.Store == "" {
		return Place{}, wrong("the entry %s does not say of which data store it is", shown(e.Key))
	}
	if i := strings.LastIndexByte(e.Store, '/'); i >= 0 && isUser(e.Store[i+1:]) {
		p := Place{ID: e.Store[i+1:], Store: e.Store[:i], Listed: e.Ordered}
		number := e.Key
		if e.Ordered {
			number = string(jsontext.Value(e.Value))
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n <= 0 {
			return Place{}, wrong("%s in the data store %s is not the number of a backup", shown(number), shown(e.Store))
		}
		p.Backup = n
		return p, nil
	}
	if e.Ordered {
		return Place{}, wrong("the ordered data store %s lists the backups of no player", shown(e.Store))
	}
	if !isUser(e.Key) {
		return Place{}, wrong("the key %s is not a user id, and the data store %s names none", shown(e.Key), shown(e.Store))
	}
	return Place{ID: e.Key, Store: e.Store}, nil
}

// isUser reports whether s is a user id.
func isUser(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}

// decodeDataStore2 reads one backup, or what was saved the standard way.
func decodeDataStore2(e *Entry, o *Options) (*Record, error) {
	p, err := placeDataStore2(nil, e, o)
	if err != nil {
		return nil, err
	}
	if p.Listed {
		return nil, wrong("an entry of an ordered data store holds no data")
	}
	r := &Record{}
	if slices.Contains(o.Main, p.Store) {
		r.Fields, r.Lists, err = fields(e.Value, "the value of "+shown(p.Store), o)
	} else {
		r.Fields, r.Lists, err = oneField(p.Store, e.Value, o)
	}
	if err != nil {
		return nil, err
	}
	return r, r.beside(e, nil)
}
