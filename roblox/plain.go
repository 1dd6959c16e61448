package roblox

import (
	stdjson "encoding/json"

	"github.com/go-json-experiment/json/jsontext"
)

// absent is what the SessionLockedDataStoreWrapper of Roblox's own sample stores
// in place of nil, so that the key can carry its lock.
const absent = `"<nil>"`

// decodeTable reads a value that is the data, without an envelope: Nexus, Plain.
func decodeTable(e *Entry, o *Options) (*Record, error) {
	r := &Record{}
	e, err := r.unlock(e)
	if err != nil {
		return nil, err
	}
	switch {
	case string(e.Value) == absent:
	case o.Field != "":
		r.Fields, r.Lists, err = oneField(o.Field, e.Value, o)
	default:
		r.Fields, r.Lists, err = fields(e.Value, "the value", o)
	}
	if err != nil {
		return nil, err
	}
	return r, r.beside(e, nil)
}

// unlock reads what a module keeps in the metadata: SessionLockedDataStoreWrapper
// its lock, which is not the game's, and Suphi's DataStore module that the value is
// compressed, which is refused. It returns the entry without the lock.
func (r *Record) unlock(e *Entry) (*Entry, error) {
	if len(e.Metadata) == 0 || jsontext.Value(e.Metadata).Kind() != '{' {
		return e, nil
	}
	m, err := split(e.Metadata, "metadata")
	if err != nil {
		return nil, err
	}
	if k := m["Compress"].Kind(); k == '{' || k == '[' {
		return nil, wrong("the value is compressed, as its metadata say (Compress): save it once without compression")
	}
	if m["lockId"].Kind() != '"' {
		return e, nil
	}
	r.Lock = plainText(m["lockId"])
	delete(m, "lockId")
	free := *e
	free.Metadata, err = marshal(m)
	return &free, err
}

// oneField makes a value the only field.
func oneField(name string, value []byte, o *Options) (map[string]stdjson.RawMessage, []string, error) {
	if err := checkField(name); err != nil {
		return nil, nil, err
	}
	text, lists, err := convert(value, o, name)
	if err != nil {
		return nil, nil, err
	}
	return map[string]stdjson.RawMessage{name: text}, lists, nil
}
