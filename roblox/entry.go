package roblox

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Entry is one entry of a data store. Only Key and Value must be set, and Store
// for DataStore2.
type Entry struct {
	Store    string             // the data store's name
	Scope    string             // within the store
	Key      string             // as the module wrote it
	Value    stdjson.RawMessage // JSON as Roblox stores it
	Ordered  bool               // it is of an ordered data store
	Deleted  bool               // it was deleted; the value says nothing
	Metadata stdjson.RawMessage // the key's metadata, an object; nil: none
	UserIDs  []string           // the users that the key is tagged with
	Version  string             // of the key
	Created  time.Time          // zero: not known
	Updated  time.Time          // zero: not known
}

// mark is what some programs begin a file of UTF-8 with.
var mark = []byte("\ufeff")

// lineEntry is an entry as a line of an export.
type lineEntry struct {
	Store       string         `json:"store"`
	Scope       string         `json:"scope"`
	Key         *string        `json:"key"`
	Value       jsontext.Value `json:"value"`
	Ordered     bool           `json:"ordered"`
	Deleted     bool           `json:"deleted"`
	Metadata    jsontext.Value `json:"metadata"`
	UserIDs     []userID       `json:"userIds"`
	Version     string         `json:"version"`
	CreatedTime moment         `json:"createdTime"`
	UpdatedTime moment         `json:"updatedTime"`
}

// resource is an entry as Open Cloud returns it.
type resource struct {
	Path               string         `json:"path"`
	ID                 string         `json:"id"`
	State              string         `json:"state"`
	Value              jsontext.Value `json:"value"`
	Attributes         jsontext.Value `json:"attributes"`
	Users              []userID       `json:"users"`
	RevisionID         string         `json:"revisionId"`
	CreateTime         moment         `json:"createTime"`
	RevisionCreateTime moment         `json:"revisionCreateTime"`
}

// ParseEntry reads an entry from one JSON object, in either of two forms. One has
// the members key and value, and may have store, scope, ordered, deleted,
// metadata, userIds (numbers or strings), version, createdTime and updatedTime
// (RFC 3339, or milliseconds since 1970); any other member is refused. The other
// is what Open Cloud returns for an entry (GET …/data-stores/…/entries/…), as it
// is. The error matches ErrForm.
//
// The entry's bytes are parts of text, which must not change while it is in use.
func ParseEntry(text []byte) (*Entry, error) {
	text = bytes.TrimPrefix(text, mark)
	if e, ok, err := parseResource(text); ok {
		return e, err
	}
	var l lineEntry
	if err := json.Unmarshal(text, &l, json.RejectUnknownMembers(true)); err != nil {
		return nil, wrong(`an entry is {"key":…,"value":…}: %w`, err)
	}
	switch {
	case l.Key == nil:
		return nil, wrong("the entry has no key")
	case len(l.Value) == 0 && !l.Deleted:
		return nil, wrong("the entry has no value")
	}
	e := &Entry{
		Store: l.Store, Scope: l.Scope, Key: *l.Key, Value: stdjson.RawMessage(l.Value),
		Ordered: l.Ordered, Deleted: l.Deleted, Metadata: stdjson.RawMessage(l.Metadata), UserIDs: texts(l.UserIDs), Version: l.Version,
		Created: time.Time(l.CreatedTime), Updated: time.Time(l.UpdatedTime),
	}
	return e, e.check()
}

// FileEntry returns the entry that is in a file of its own: what Open Cloud
// returns for an entry, as it is, or else the value alone, whose store and key the
// file's place tells. The value is not looked at yet. The error matches ErrForm.
//
// The entry's bytes are parts of text, which must not change while it is in use.
func FileEntry(store, key string, text []byte) (*Entry, error) {
	text = bytes.TrimPrefix(text, mark)
	if e, ok, err := parseResource(text); ok {
		return e, err
	}
	e := &Entry{Store: store, Key: key, Value: text}
	return e, e.check()
}

// parseResource reads an entry as Open Cloud returns it, and reports whether the
// text is one: it has a path that leads to an entry.
func parseResource(text []byte) (*Entry, bool, error) {
	var r resource
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, false, err
	}
	e, ok := splitPath(r.Path)
	if !ok {
		return nil, false, nil
	}
	e.Value, e.Deleted = stdjson.RawMessage(r.Value), r.State == "DELETED"
	e.Metadata, e.UserIDs, e.Version = stdjson.RawMessage(r.Attributes), texts(r.Users), r.RevisionID
	e.Created, e.Updated = time.Time(r.CreateTime), time.Time(r.RevisionCreateTime)
	switch {
	case r.ID != "":
		e.Key = r.ID
	case e.Key == "":
		return nil, true, wrong("the entry at %s has no id", shown(r.Path))
	}
	if len(e.Value) == 0 && !e.Deleted {
		return nil, true, wrong("the entry has no value: a listing holds none, each entry has to be asked for")
	}
	return e, true, e.check()
}

// splitPath reads a path of Open Cloud:
// universes/1/data-stores/NAME/scopes/SCOPE/entries/KEY, the scope being optional.
func splitPath(path string) (*Entry, bool) {
	parts := strings.SplitN(path, "/", 4)
	if len(parts) < 4 || parts[0] != "universes" {
		return nil, false
	}
	e := &Entry{Ordered: parts[2] == "ordered-data-stores"}
	if !e.Ordered && parts[2] != "data-stores" {
		return nil, false
	}
	store, key, ok := strings.Cut(parts[3], "/entries/")
	if i := strings.LastIndex(store, "/scopes/"); i >= 0 {
		e.Scope, store = unescaped(store[i+len("/scopes/"):]), store[:i]
	}
	e.Store, e.Key = unescaped(store), unescaped(key)
	return e, ok
}

// unescaped returns a part of a path as it is called, if it is escaped as in a
// URL.
func unescaped(s string) string {
	if t, err := url.PathUnescape(s); err == nil {
		return t
	}
	return s
}

// check refuses what no key of Roblox has.
func (e *Entry) check() error {
	switch {
	case e.Key == "":
		return wrong("the entry's key is empty")
	case len(e.Metadata) > 0 && e.Metadata[0] != '{' && string(e.Metadata) != "null" && !emptyTable(e.Metadata):
		return wrong("metadata are not an object")
	}
	return nil
}

// texts returns user ids as strings.
func texts(ids []userID) []string {
	var s []string
	for _, id := range ids {
		s = append(s, string(id))
	}
	return s
}

// userID is an id that is written as a number or as a string.
type userID string

// UnmarshalJSON implements json.Unmarshaler.
func (u *userID) UnmarshalJSON(text []byte) error {
	var n int64
	if err := json.Unmarshal(text, &n); err == nil {
		*u = userID(strconv.FormatInt(n, 10))
		return nil
	}
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return errors.New("a user id is a whole number")
	}
	*u = userID(strings.TrimPrefix(s, "users/"))
	return nil
}

// moment is a time that is written as RFC 3339 has it, or in milliseconds since
// 1970. Zero and the empty string say that it is not known.
type moment time.Time

// UnmarshalJSON implements json.Unmarshaler.
func (m *moment) UnmarshalJSON(text []byte) error {
	var n int64
	if err := json.Unmarshal(text, &n); err == nil {
		if n != 0 {
			*m = moment(time.UnixMilli(n).UTC())
		}
		return nil
	}
	var s string
	if err := json.Unmarshal(text, &s); err != nil || s == "" {
		return err
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	*m = moment(t.UTC())
	return err
}
