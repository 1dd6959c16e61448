package roblox

import (
	stdjson "encoding/json"
	"regexp"
)

// Form is how a module lays out what it keeps in a data store.
type Form string

// The forms that can be read; the package comment describes them.
const (
	Nexus        Form = "nexus"
	ProfileStore Form = "profilestore"
	DataStore2   Form = "datastore2"
	Lapis        Form = "lapis"
	Plain        Form = "plain"
)

// form is what this package knows of a form.
type form struct {
	// id finds the player's id in a key; nil: place does it otherwise.
	id     *regexp.Regexp
	place  func(f *form, e *Entry, o *Options) (Place, error)
	decode func(e *Entry, o *Options) (*Record, error)
}

var forms = map[Form]*form{
	Nexus:        {regexp.MustCompile(`^(?:global/)?PlayerList\$([0-9]+)$`), placeByKey, decodeTable},
	ProfileStore: {byUser, placeByKey, decodeProfileStore},
	DataStore2:   {nil, placeDataStore2, decodeDataStore2},
	Lapis:        {byUser, placeByKey, decodeLapis},
	Plain:        {byUser, placeByKey, decodeTable},
}

// byUser finds the user's id in the keys that games choose most often: 42,
// Player_42, player-42, User_42, with the scope before them or not.
var byUser = regexp.MustCompile(`^(?:global/)?(?:[Pp]layer|PLAYER|[Uu]ser|USER)?[-_:]?([0-9]+)$`)

// Options say what a module's form leaves open. The nil pointer and the zero
// value stand for what each field says. Options may be shared and must not be
// changed while in use.
type Options struct {
	// ID finds the player's id in a key: what its one group matches, if it
	// matches the whole key. Nil means PlayerList$42 for Nexus, and else 42,
	// Player_42 and the like, the id being digits. It must be nil for DataStore2,
	// which writes the id as digits itself.
	ID *regexp.Regexp
	// Maps are paths of tables that are maps, so that an empty one, which Roblox
	// stores as [], becomes {}. The parts of a path are separated by '/'; the
	// first is a field, and "*" stands for any part: "bag", "pets/*/skills". A '/'
	// inside a name is written ~1 and a '~' is written ~0.
	Maps []string
	// Main are those data stores of DataStore2 whose table holds the fields: the
	// first argument of its Combine. Any other data store is one field, of the
	// same name.
	Main []string
	// Field makes the value itself one field of that name, whatever its type.
	// Empty means that the value is a table that holds the fields. For Plain only.
	Field string
}

// Place says what an entry is to whom.
type Place struct {
	// ID is the player's id: the key's, as Options.ID finds it.
	ID string
	// Store is the part of the player's data that the entry belongs to, for
	// DataStore2 the name of its data store; empty in the other forms.
	Store string
	// Backup is the number of a backup. Zero means that the entry is the only one.
	Backup int64
	// Listed says that the entry holds no data, but says that the backup exists.
	Listed bool
}

// Record is what an entry holds.
type Record struct {
	// Fields is the player's data: values by the names of fields. Nil means that
	// the entry holds none: it was deleted, or the player has messages and never
	// played.
	Fields map[string]stdjson.RawMessage
	// Beside is an object of what stood beside the data: the entry's key,
	// metadata, user ids, version and times under "entry", and the envelope's own
	// members apart from the data and the session lock.
	Beside stdjson.RawMessage
	// Owned names what in Beside is the game's own, so that it would miss it:
	// messages that wait, tags, metadata.
	Owned []string
	// Lock says who held a session lock when the entry was exported; empty: nobody.
	// What the holder had not saved yet is not in the entry.
	Lock string
	// Migration is how many migrations Lapis had applied; zero in other forms.
	Migration int64
	// Lists are paths of empty tables that were left as lists, a list's elements
	// written as "*". At most 100.
	Lists []string
}

// JSON returns the fields as one JSON object, in the order of their names, or nil
// if there are none.
func (r *Record) JSON() (stdjson.RawMessage, error) {
	if r.Fields == nil {
		return nil, nil
	}
	return marshal(r.Fields)
}

// Known reports whether the form can be read.
func (f Form) Known() bool { return forms[f] != nil }

// Place says what an entry is to whom, without reading its value, that of an
// ordered data store aside. The error matches ErrForm.
func (f Form) Place(e *Entry, o *Options) (Place, error) {
	known := forms[f]
	if known == nil {
		return Place{}, wrong("no form is called %s", shown(string(f)))
	}
	if o == nil {
		o = &Options{}
	}
	return known.place(known, e, o)
}

// Decode reads an entry. The error matches ErrForm. Nothing in the record shares
// bytes with the entry.
func (f Form) Decode(e *Entry, o *Options) (*Record, error) {
	known := forms[f]
	if known == nil {
		return nil, wrong("no form is called %s", shown(string(f)))
	}
	if o == nil {
		o = &Options{}
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	if e.Deleted {
		return &Record{}, nil
	}
	return known.decode(e, o)
}

// placeByKey finds the player's id in the key.
func placeByKey(f *form, e *Entry, o *Options) (Place, error) {
	id := f.id
	if o.ID != nil {
		id = o.ID
	}
	if id.NumSubexp() != 1 {
		return Place{}, wrong("the pattern %s has %d groups, and needs one", shown(id.String()), id.NumSubexp())
	}
	if e.Ordered {
		return Place{}, wrong("the entry %s is of an ordered data store, which this form has none of", shown(e.Key))
	}
	m := id.FindStringSubmatch(e.Key)
	if m == nil || m[0] != e.Key || m[1] == "" {
		return Place{}, wrong("the key %s names no player: it does not match %s", shown(e.Key), id)
	}
	return Place{ID: m[1]}, nil
}
