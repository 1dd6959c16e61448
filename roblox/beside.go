package roblox

import (
	stdjson "encoding/json"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// besideEntry is what Record.Beside says of the entry itself.
type besideEntry struct {
	Store    string         `json:"store,omitzero"`
	Scope    string         `json:"scope,omitzero"`
	Key      string         `json:"key"`
	Version  string         `json:"version,omitzero"`
	Created  time.Time      `json:"created,omitzero"`
	Updated  time.Time      `json:"updated,omitzero"`
	UserIDs  []string       `json:"userIds,omitempty"`
	Metadata jsontext.Value `json:"metadata,omitzero"`
}

// beside makes Record.Beside of an entry and what its envelope holds, and adds
// the entry's metadata to what the game would miss.
func (r *Record) beside(e *Entry, envelope map[string]jsontext.Value) error {
	b := besideEntry{Store: e.Store, Scope: e.Scope, Key: e.Key, Version: e.Version, Created: e.Created, Updated: e.Updated, UserIDs: e.UserIDs}
	if !nothing(jsontext.Value(e.Metadata)) {
		b.Metadata = jsontext.Value(e.Metadata)
		if nothing(envelope["RobloxMetaData"]) { // else it is the same again
			r.Owned = append(r.Owned, "metadata")
		}
	}
	all := make(map[string]any, len(envelope)+1)
	for name, v := range envelope {
		all[name] = v
	}
	all["entry"] = b
	text, err := json.Marshal(all, json.Deterministic(true))
	if err != nil {
		return wrong("what stands beside the data: %w", err)
	}
	r.Beside = stdjson.RawMessage(text)
	return nil
}

// nothing reports whether a value is absent, null or an empty table.
func nothing(v jsontext.Value) bool {
	return len(v) == 0 || v.Kind() == 'n' || emptyTable(v)
}

// split reads the members of an object.
func split(value []byte, what string) (map[string]jsontext.Value, error) {
	if jsontext.Value(value).Kind() != '{' {
		return nil, wrong("%s is not a table with names", what)
	}
	var m map[string]jsontext.Value
	if err := json.Unmarshal(value, &m); err != nil {
		return nil, wrong("%s: %w", what, err)
	}
	return m, nil
}
