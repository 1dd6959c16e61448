package roblox

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// decodeProfileStore reads a profile of ProfileStore, or of ProfileService, which
// differ in their messages: {id, data} in the one, {id, version, locked, data} in
// the other. Both take a profile that lacks Data, MetaData or GlobalUpdates for
// broken and begin anew; here it is refused.
func decodeProfileStore(e *Entry, o *Options) (*Record, error) {
	m, err := split(e.Value, "the value")
	if err != nil {
		return nil, err
	}
	r := &Record{}
	waiting, err := messages(m["GlobalUpdates"])
	if err != nil {
		return nil, err
	}
	if waiting > 0 {
		r.Owned = append(r.Owned, fmt.Sprintf("GlobalUpdates (messages: %d)", waiting))
	}
	if m["Data"] == nil && m["MetaData"] == nil && m["GlobalUpdates"] != nil {
		return r, r.beside(e, m) // he was sent something and never played
	}
	meta, err := profileMeta(m)
	if err != nil {
		return nil, err
	}
	if r.Lock, err = session(meta["ActiveSession"]); err != nil {
		return nil, err
	}
	if !nothing(meta["MetaTags"]) {
		r.Owned = append(r.Owned, "MetaTags")
	}
	if !nothing(m["RobloxMetaData"]) {
		r.Owned = append(r.Owned, "RobloxMetaData")
	}
	if r.Fields, r.Lists, err = fields(m["Data"], "Data", o); err != nil {
		return nil, err
	}
	delete(m, "Data")
	return r, r.beside(e, m)
}

// profileMeta returns the members of MetaData, and takes the session lock out of
// the envelope.
func profileMeta(m map[string]jsontext.Value) (map[string]jsontext.Value, error) {
	for _, name := range []string{"Data", "MetaData", "GlobalUpdates"} {
		if m[name] == nil {
			return nil, wrong("no profile: %s is missing", name)
		}
	}
	meta, err := split(m["MetaData"], "MetaData")
	if err != nil {
		return nil, err
	}
	rest := make(map[string]jsontext.Value, len(meta))
	for name, v := range meta {
		if name != "ActiveSession" && name != "ForceLoadSession" {
			rest[name] = v
		}
	}
	text, err := json.Marshal(rest, json.Deterministic(true))
	if err != nil {
		return nil, wrong("MetaData: %w", err)
	}
	m["MetaData"] = text
	return meta, nil
}

// session says who a session lock names: {place, job} or {place, job, session}.
func session(v jsontext.Value) (string, error) {
	if nothing(v) {
		return "", nil
	}
	var parts []jsontext.Value
	if err := json.Unmarshal(v, &parts); err != nil || len(parts) < 2 {
		return "", wrong("MetaData.ActiveSession is not a list of place and job")
	}
	return fmt.Sprintf("place %s, job %s", plainText(parts[0]), plainText(parts[1])), nil
}

// plainText is a number or a string for people.
func plainText(v jsontext.Value) string {
	var s string
	if err := json.Unmarshal(v, &s); err == nil {
		return s
	}
	return string(v)
}

// messages returns how many messages wait in GlobalUpdates, {index, {message, …}}.
func messages(v jsontext.Value) (int, error) {
	if nothing(v) {
		return 0, nil
	}
	var parts []jsontext.Value
	if err := json.Unmarshal(v, &parts); err != nil || len(parts) != 2 {
		return 0, wrong("GlobalUpdates is not a list of an index and messages")
	}
	if nothing(parts[1]) {
		return 0, nil
	}
	var waiting []jsontext.Value
	if err := json.Unmarshal(parts[1], &waiting); err != nil {
		return 0, wrong("the messages in GlobalUpdates are not a list")
	}
	return len(waiting), nil
}
