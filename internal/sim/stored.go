package sim

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
)

// What follows reads the stored forms of package session independently of it,
// so that the checker does not believe its own subject.

// storedRoot is a root entry.
type storedRoot struct {
	Lock *struct {
		Lease    string `json:"lease"`
		Session  string `json:"session"`
		Position uint64 `json:"position"`
	} `json:"lock"`
	Data   json.RawMessage `json:"data"`
	Erased bool            `json:"erased"`
	Sweep  string          `json:"sweep"`
}

// storedLease is a lease entry.
type storedLease struct {
	Revoked []struct {
		Session string `json:"session"`
	} `json:"revoked"`
	Sealed *struct{} `json:"sealed"`
}

// storedRecord is one record of a journal entry.
type storedRecord struct {
	session string
	key     string
	whole   bool
	body    []byte
	outbox  []storedWrite
	bytes   []byte // all of it
	counted bool   // it sets the counter
	counter int64
}

// storedWrite is an entry that goes with the next commit of the record's root.
type storedWrite struct {
	key   string
	value []byte
	form  byte // 1: written, 2: deleted, 3: created if it is absent
}

var errRecord = errors.New("journal record is cut")

// splitRecords reads a journal entry.
func splitRecords(b []byte) ([]storedRecord, error) {
	if len(b) == 0 || b[0] != 1 {
		return nil, errRecord
	}
	var rs []storedRecord
	for b = b[1:]; len(b) > 0; {
		var r storedRecord
		if len(b) < 16 {
			return nil, errRecord
		}
		all := b
		r.session = driver.Version(b[:16]).String()
		key, rest, ok := cut(b[16:])
		if !ok || len(rest) == 0 {
			return nil, errRecord
		}
		r.key, r.whole = string(key), rest[0] == 2
		_, used := binary.Uvarint(rest[1:]) // the revision
		if used <= 0 {
			return nil, errRecord
		}
		if r.body, rest, ok = cut(rest[1+used:]); !ok {
			return nil, errRecord
		}
		if b, ok = r.cutOutbox(rest); !ok {
			return nil, errRecord
		}
		r.bytes = all[:len(all)-len(b)]
		rs = append(rs, r)
	}
	return rs, nil
}

// cutOutbox splits off a record's outbox and reasons.
func (r *storedRecord) cutOutbox(b []byte) (rest []byte, ok bool) {
	n, used := binary.Uvarint(b)
	if used <= 0 {
		return nil, false
	}
	for b = b[used:]; n > 0; n-- {
		if len(b) == 0 {
			return nil, false
		}
		w := storedWrite{form: b[0]}
		var key []byte
		if key, b, ok = cut(b[1:]); !ok {
			return nil, false
		}
		if w.value, b, ok = cut(b); !ok {
			return nil, false
		}
		w.key = string(key)
		r.outbox = append(r.outbox, w)
	}
	n, used = binary.Uvarint(b)
	if used <= 0 {
		return nil, false
	}
	for b = b[used:]; n > 0; n-- {
		if _, b, ok = cut(b); !ok {
			return nil, false
		}
	}
	return b, true
}

func cut(b []byte) (head, rest []byte, ok bool) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, nil, false
	}
	return b[used : used+int(n)], b[used+int(n):], true
}

// head returns the number of the last update that a record carries; ok is false
// if it carries none, only what goes with the root's next commit, or a change by id.
// It notes the counter.
func (r *storedRecord) head() (n int, ok bool, err error) {
	if r.whole {
		c, err := parseContent(r.body)
		r.counter, r.counted = c.counter, true
		return c.head(), true, err
	}
	delta, err := document.DecodeDelta(r.body, nil)
	if err != nil {
		return 0, false, fmt.Errorf("decode delta: %w", err)
	}
	var fields []string
	for _, c := range delta {
		switch c.Path.Field {
		case headField:
			ok = true
			n, err = strconv.Atoi(string(c.Value))
		case counterField:
			r.counted = true
			r.counter, err = strconv.ParseInt(cmp.Or(string(c.Value), "0"), 10, 64) // a restore may delete it
		case fleetField, twiceOf.Name():
			err = errFleet
		}
		if err != nil {
			return 0, false, fmt.Errorf("delta with %v = %.80q: %w", c.Path, c.Value, err)
		}
		fields = append(fields, c.Path.Field)
	}
	if len(fields) == 1 && fields[0] == importField {
		return 0, false, nil
	}
	if !ok && (!onlyCounts(fields) || len(r.outbox) == 0 && !r.counted) {
		return 0, false, fmt.Errorf("delta of %v names no update", fields)
	}
	return n, ok, nil
}

// headField is the field in which a document names the last update that it
// holds. bagField is an object whose elements are changed one by one. lazyField
// is written lazily, always with a higher number, and is no part of an update.
// coinsField is a sum, and gotField an object that names what was received.
const (
	headField  = "head"
	bagField   = "bag"
	lazyField  = "lazy"
	coinsField = "coins"
	gotField   = "got"
)

// content is a document as the model of a player sees it.
type content struct {
	fields  map[string]string
	objects map[string]map[string]string // by field: bag, got and items
	late    string                       // the lazy field's value
	counter int64
	played  int64 // ms
}

// objectFields are the fields whose elements are changed one by one.
var objectFields = []string{bagField, gotField, itemsField}

func (c content) clone() content {
	n := content{fields: maps.Clone(c.fields), objects: make(map[string]map[string]string), late: c.late, counter: c.counter, played: c.played}
	for field, o := range c.objects {
		n.objects[field] = maps.Clone(o)
	}
	return n
}

// head returns the number of the last update in it; 0: there was none.
func (c content) head() int {
	n, err := strconv.Atoi(c.fields[headField])
	if err != nil {
		return 0
	}
	return n
}

// coins returns the sum that a document holds.
func (c content) coins() int {
	n, err := strconv.Atoi(c.fields[coinsField])
	if err != nil {
		return 0
	}
	return n
}

// got reports whether something was received.
func (c content) got(id string) bool { return c.objects[gotField][id] != "" }

// lazy returns the lazy field's value; 0: there is none.
func (c content) lazy() int {
	n, err := strconv.Atoi(c.late)
	if err != nil {
		return 0
	}
	return n
}

// String is the same for two contents that mean the same, lazy fields aside.
func (c content) String() string {
	var b strings.Builder
	write := func(prefix string, m map[string]string) {
		keys := make([]string, 0, len(m))
		for k := range m {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			fmt.Fprintf(&b, "%s%s=%s;", prefix, k, m[k])
		}
	}
	write("", c.fields)
	for _, field := range objectFields {
		if o := c.objects[field]; o != nil {
			b.WriteString(field + ":")
			write(".", o)
		}
	}
	return b.String()
}

// parseContent reads a document's JSON.
func parseContent(b []byte) (content, error) {
	c := content{fields: make(map[string]string), objects: make(map[string]map[string]string)}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return c, fmt.Errorf("read document %.80q: %w", b, err)
	}
	for k, v := range fields {
		late, err := c.parseLate(k, string(v))
		if err != nil {
			return c, err
		}
		if late {
			continue
		}
		if !slices.Contains(objectFields, k) {
			c.fields[k] = string(v)
			continue
		}
		var o map[string]json.RawMessage
		if err := json.Unmarshal(v, &o); err != nil {
			return c, fmt.Errorf("read %s %.80q: %w", k, v, err)
		}
		c.objects[k] = make(map[string]string)
		for name, v := range o {
			c.objects[k][name] = string(v)
		}
	}
	return c, nil
}
