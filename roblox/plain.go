package roblox

import (
	stdjson "encoding/json"

	"github.com/go-json-experiment/json/jsontext"
)

// decodeTable reads a value that is the data, without an envelope: Nexus, Plain.
func decodeTable(e *Entry, o *Options) (*Record, error) {
	r := &Record{}
	if err := uncompressed(e); err != nil {
		return nil, err
	}
	var err error
	if o.Field != "" {
		r.Fields, r.Lists, err = oneField(o.Field, e.Value, o)
	} else {
		r.Fields, r.Lists, err = fields(e.Value, "the value", o)
	}
	if err != nil {
		return nil, err
	}
	return r, r.beside(e, nil)
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

// uncompressed refuses what Suphi's DataStore module has compressed, which its
// metadata say.
func uncompressed(e *Entry) error {
	if len(e.Metadata) == 0 || jsontext.Value(e.Metadata).Kind() != '{' {
		return nil
	}
	m, err := split(e.Metadata, "metadata")
	if err != nil {
		return err
	}
	if k := m["Compress"].Kind(); k == '{' || k == '[' {
		return wrong("the value is compressed, as its metadata say (Compress): save it once without compression")
	}
	return nil
}
