package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/driver"
)

// Limits of what travels beside a value.
const (
	MaxMeta   = 300 // bytes of metadata, as JSON
	MaxUsers  = 16  // user ids of one entry
	MaxUserID = 64  // bytes of one user id
)

// Entry is a value with what the store knows of it.
type Entry struct {
	Key     string
	Value   []byte
	Version driver.Version // zero: the key has never been written
	Created time.Time      // when the key was first written
	Updated time.Time      // when this version was written
	Meta    map[string]string
	Users   []string // ids of the users that the value is about
	Deleted bool     // this version is a deletion; Value is nil
	Marked  bool     // kept beyond the schedule of the retention
}

// Found reports whether the key has a value.
func (e *Entry) Found() bool { return !e.Version.IsZero() && !e.Deleted }

// header is what is stored before the value's bytes.
type header struct {
	Meta    map[string]string `json:"meta,omitempty"`
	Users   []string          `json:"users,omitempty"`
	Deleted bool              `json:"deleted,omitempty"`
}

const (
	entryFormat = 1    // first byte of a stored value
	maxHeader   = 8192 // more bytes than a header within the limits takes, with format and length
)

// encode returns the stored form: format, length of the header, header as
// JSON, value. An empty header has length zero.
func (e *Entry) encode() ([]byte, error) {
	h := header{Meta: e.Meta, Users: e.Users, Deleted: e.Deleted}
	if err := h.check(); err != nil {
		return nil, err
	}
	var text []byte
	if len(h.Meta) > 0 || len(h.Users) > 0 || h.Deleted {
		var err error
		if text, err = json.Marshal(h); err != nil {
			return nil, fmt.Errorf("encode metadata: %w", err)
		}
	}
	b := make([]byte, 0, 4+len(text)+len(e.Value))
	b = binary.AppendUvarint(append(b, entryFormat), uint64(len(text)))
	b = append(b, text...)
	return append(b, e.Value...), nil
}

func (h *header) check() error {
	meta, err := json.Marshal(h.Meta)
	if err != nil {
		return fmt.Errorf("encode metadata: %w", err)
	}
	if len(h.Meta) > 0 && len(meta) > MaxMeta {
		return fmt.Errorf("%w: metadata of %d bytes, at most %d", ErrTooLarge, len(meta), MaxMeta)
	}
	for k, v := range h.Meta {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return fmt.Errorf("%w: metadata %q is not valid UTF-8", driver.ErrInvalid, k)
		}
	}
	if len(h.Users) > MaxUsers {
		return fmt.Errorf("%w: %d user ids, at most %d", ErrTooLarge, len(h.Users), MaxUsers)
	}
	for _, u := range h.Users {
		if u == "" || len(u) > MaxUserID || !utf8.ValidString(u) {
			return fmt.Errorf("%w: user id %.70q, 1 to %d bytes of UTF-8 allowed", driver.ErrInvalid, u, MaxUserID)
		}
	}
	return nil
}

// decodeEntry turns what the driver read into an Entry. An absent entry gives
// one that is not found.
func decodeEntry(key string, d *driver.Entry) (Entry, error) {
	e := Entry{Key: key, Version: d.Version, Created: d.Created, Updated: d.Updated.Wall, Marked: d.Marked}
	if !d.Found() {
		return e, nil
	}
	if d.Damaged != nil {
		return e, d.Damaged
	}
	h, value, err := decodeHeader(d.Value)
	if err != nil {
		return e, fmt.Errorf("decode %q: %w", key, err)
	}
	e.Meta, e.Users, e.Deleted = h.Meta, h.Users, h.Deleted
	if !h.Deleted {
		e.Value = value
	}
	return e, nil
}

func decodeHeader(b []byte) (h header, value []byte, err error) {
	if len(b) == 0 {
		return h, nil, fmt.Errorf("%w: empty", driver.ErrCorrupt)
	}
	if b[0] != entryFormat {
		return h, nil, fmt.Errorf("%w: value format %d, this program reads %d", driver.ErrFormat, b[0], entryFormat)
	}
	n, used := binary.Uvarint(b[1:])
	if used <= 0 || n > maxHeader || n > uint64(len(b)-1-used) {
		return h, nil, fmt.Errorf("%w: bad header length", driver.ErrCorrupt)
	}
	text, value := b[1+used:1+used+int(n)], b[1+used+int(n):]
	if n == 0 {
		return h, value, nil
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return h, nil, fmt.Errorf("%w: bad header: %w", driver.ErrCorrupt, err)
	}
	return h, value, nil
}
