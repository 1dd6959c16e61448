package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/roblox"
)

// errNoData means that an export has an entry for a player, and no data in it.
var errNoData = errors.New("the entry holds no data")

// maxNamed is how many entries an error names.
const maxNamed = 5

// moved is what an export has of one player.
type moved struct {
	of     *exported
	places []place
	newest []int // of places: what he has
	older  []int // backups, oldest first
	unused int   // backups that are neither
	// record is what newest holds, once it was read.
	record *roblox.Record
	failed []string // backups that could not become versions, and why
}

// arrange finds out which entry is what. Several entries that are not backups are
// several keys for one player, and which of them is right is for people to say.
func (m *moved) arrange() error {
	list := make([]roblox.Place, len(m.places))
	for i := range m.places {
		list[i] = m.places[i].Place
	}
	a, err := roblox.Arrange(list)
	if err != nil {
		return fmt.Errorf("%w: %s", err, m.named())
	}
	m.newest, m.older, m.unused = a.Newest, a.Older, len(a.Unused)
	if n := len(m.older) - m.of.cmd.Backups; n > 0 {
		m.older = m.older[n:]
	}
	return nil
}

// named names the player's entries.
func (m *moved) named() string {
	var names []string
	for i := range m.places {
		if i == maxNamed {
			return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), len(m.places)-i)
		}
		names = append(names, fmt.Sprintf("%q at %s", m.places[i].key, m.from(i)))
	}
	return strings.Join(names, ", ")
}

func (m *moved) from(i int) string { return m.of.from(&m.places[i]) }

// document returns what the player has.
func (m *moved) document(limits *document.Limits) (*document.Document, error) {
	records := make([]*roblox.Record, len(m.newest))
	for i, n := range m.newest {
		r, err := m.read(n)
		if err != nil {
			return nil, err
		}
		records[i] = r
	}
	r, err := roblox.Join(records)
	if err != nil {
		return nil, err
	}
	m.record = r
	return m.parse(r, limits)
}

// backup returns what the player had at the time of an older backup.
func (m *moved) backup(i int, limits *document.Limits) (*document.Document, error) {
	r, err := m.read(m.older[i])
	if err != nil {
		return nil, err
	}
	return m.parse(r, limits)
}

// number is the number of an older backup, or of the newest.
func (m *moved) number(i int) int64 {
	if i == len(m.older) {
		return m.places[m.newest[0]].Backup
	}
	return m.places[m.older[i]].Backup
}

// read reads and decodes an entry.
func (m *moved) read(i int) (*roblox.Record, error) {
	e, err := m.of.entry(&m.places[i])
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", m.from(i), err)
	}
	r, err := m.of.cmd.form().Decode(e, m.of.o)
	if err != nil && len(m.places) > 1 {
		err = fmt.Errorf("%s: %w", m.from(i), err)
	}
	return r, err
}

// parse makes a document of a record.
func (m *moved) parse(r *roblox.Record, limits *document.Limits) (*document.Document, error) {
	cmd := m.of.cmd
	if len(r.Owned) > 0 && cmd.Beside == "" && !cmd.DropBeside {
		return nil, fmt.Errorf("%s: beside the data, and the game's own: --beside FIELD keeps it, --drop-beside leaves it out", strings.Join(r.Owned, ", "))
	}
	all := make(map[string]json.RawMessage, len(r.Fields)+1)
	for name, v := range r.Fields {
		all[name] = v
	}
	if cmd.Beside != "" && r.Beside != nil && (r.Fields != nil || len(r.Owned) > 0) {
		if _, ok := all[cmd.Beside]; ok {
			return nil, fmt.Errorf("--beside %s: the data have a field of this name", cmd.Beside)
		}
		all[cmd.Beside] = r.Beside
	}
	if r.Fields == nil && len(all) == 0 {
		return nil, errNoData
	}
	text, err := (&roblox.Record{Fields: all}).JSON()
	if err != nil {
		return nil, err
	}
	return document.Parse(text, limits)
}
