package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-games/holdfast/internal/console"
)

// Of what an export says besides, this many names are shown.
const maxShown = 10

// asides are what an export of another system says besides the data, and what an
// operator should know of it. The zero value is ready to use. It is guarded by
// the importer's mutex.
type asides struct {
	locked     int
	lockedKeys []string // some of them
	lists      map[string]int
	migrations map[int64]int
	unused     int
	failed     []string // backups that did not become versions
	tables     map[string]int
	players    int
}

// asidesJSON is what is told with --json.
type asidesJSON struct {
	Locked     int            `json:"locked"`                 // had a session lock when they were exported
	LockedKeys []string       `json:"lockedKeys,omitempty"`   // some of these players
	Lists      map[string]int `json:"emptyLists,omitempty"`   // players by the path of a table that is empty and may be a map
	Migrations map[int64]int  `json:"migrations,omitempty"`   // players by how many migrations of Lapis were applied
	Unused     int            `json:"unusedBackups"`          // backups that were not taken
	Failed     []string       `json:"failedBackups,omitzero"` // backups that could not become versions, and why
}

// add notes what an item says, and lets go of what was read of it. The importer's
// mutex is held.
func (a *asides) add(it *item, st state) {
	if it.moved == nil {
		return
	}
	m, r := it.moved, it.moved.record
	m.record = nil
	if r == nil || st == refused {
		return
	}
	a.unused += m.unused
	a.failed = append(a.failed, m.failed...)
	if r.Lock != "" {
		a.locked++
		if len(a.lockedKeys) < maxShown {
			a.lockedKeys = append(a.lockedKeys, it.key.String())
		}
	}
	for _, path := range r.Lists {
		count(&a.lists, path)
	}
	if r.Migration > 0 {
		count(&a.migrations, r.Migration)
	}
	if st == empty {
		return
	}
	a.players++
	for name, v := range r.Fields {
		if len(r.Fields) == 1 && m.places[m.newest[0]].Store == name && v[0] == '{' {
			count(&a.tables, name)
		}
	}
}

// count adds one to a counter, unless there are too many to show.
func count[K comparable](m *map[K]int, k K) {
	const most = 1000
	if *m == nil {
		*m = make(map[K]int)
	}
	if _, ok := (*m)[k]; ok || len(*m) < most {
		(*m)[k]++
	}
}

func (a *asides) json() *asidesJSON {
	return &asidesJSON{a.locked, a.lockedKeys, a.lists, a.migrations, a.unused, a.failed}
}

// print tells what there is to tell.
func (a *asides) print(w io.Writer) {
	if a.locked > 0 {
		fmt.Fprintf(w, "\nLocked by the old system when they were exported: %d (%s). What their servers had not saved yet is not in the export.\n",
			a.locked, ellipsis(a.lockedKeys, a.locked))
	}
	if len(a.lists) > 0 {
		fmt.Fprintf(w, "\nEmpty tables, kept as lists [] (--maps PATH makes them maps {}): %s.\n", counted(a.lists))
	}
	if len(a.migrations) > 0 {
		fmt.Fprintf(w, "\nMigrations that Lapis had applied: %s.\n", counted(a.migrations))
	}
	if a.unused > 0 {
		fmt.Fprintf(w, "\nBackups that did not become versions: %d. Those of several data stores have no common order, and what the ordered data store does not list was cut short.\n", a.unused)
	}
	if len(a.failed) > 0 {
		fmt.Fprintf(w, "\nOlder backups that could not become versions: %d.\n", len(a.failed))
		for _, f := range a.failed[:min(len(a.failed), maxShown)] {
			fmt.Fprintf(w, "  %s\n", console.Clean(f))
		}
	}
	for name, n := range a.tables {
		if n == a.players {
			fmt.Fprintf(w, "\nAll that players have is the one field %s, a table. If that was the main key of Combine, its members should be the fields: run it again with --main %s --replace.\n",
				console.Clean(name), console.Clean(name))
		}
	}
}

// ellipsis lists the first names of total.
func ellipsis(names []string, total int) string {
	text := console.Clean(strings.Join(names, ", "))
	if total > len(names) {
		text += ", …"
	}
	return text
}

// counted lists how often there was what, the most frequent first.
func counted[K cmp.Ordered](m map[K]int) string {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b K) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
	var names []string
	for _, k := range keys[:min(len(keys), maxShown)] {
		names = append(names, fmt.Sprintf("%v in %d", k, m[k]))
	}
	return ellipsis(names, len(keys))
}
