package session

import (
	"encoding/binary"
	"fmt"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// A journal entry's value is a format byte and then records, each with a
// session, a root's key, a kind and a body. Groups need no mark of their own:
// what is in one entry is there whole or not at all.
const journalFormat = 1

// recordKind says what a record's body is.
type recordKind byte

const (
	recordDelta recordKind = 1 // a document.Delta
	recordWhole recordKind = 2 // a document as JSON, which stands for all before it
)

// record is one session's part of one append.
type record struct {
	session  driver.Version
	birth    driver.Version // of the root; it is in the feed only
	key      string         // of the root
	kind     recordKind
	revision uint64 // of the document, with this record applied
	body     []byte
	outbox   outbox  // what was attached to the changes
	reasons  reasons // that were given for them
}

func appendRecord(dst []byte, r *record) []byte {
	dst = append(dst, r.session[:]...)
	dst = binary.AppendUvarint(dst, uint64(len(r.key)))
	dst = append(dst, r.key...)
	dst = append(dst, byte(r.kind))
	dst = binary.AppendUvarint(dst, r.revision)
	dst = binary.AppendUvarint(dst, uint64(len(r.body)))
	dst = append(dst, r.body...)
	dst = r.outbox.appendBinary(dst)
	return r.reasons.appendBinary(dst)
}

// decodeRecords reads a journal entry's value. The records share its bytes.
func decodeRecords(b []byte) ([]record, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("%w: empty journal entry", driver.ErrCorrupt)
	}
	if b[0] != journalFormat {
		return nil, fmt.Errorf("%w: journal format %d, this program reads %d", driver.ErrFormat, b[0], journalFormat)
	}
	var rs []record
	for b = b[1:]; len(b) > 0; {
		var r record
		if len(b) < len(r.session) {
			return nil, fmt.Errorf("%w: cut journal record", driver.ErrCorrupt)
		}
		copy(r.session[:], b)
		key, rest, err := cutBytes(b[len(r.session):])
		if err != nil {
			return nil, err
		}
		if len(rest) == 0 {
			return nil, fmt.Errorf("%w: cut journal record", driver.ErrCorrupt)
		}
		r.key, r.kind = string(key), recordKind(rest[0])
		if r.kind != recordDelta && r.kind != recordWhole {
			return nil, fmt.Errorf("%w: journal record of kind %d", driver.ErrFormat, r.kind)
		}
		if r.revision, rest, err = cutNumber(rest[1:]); err != nil {
			return nil, err
		}
		if r.body, rest, err = cutBytes(rest); err != nil {
			return nil, err
		}
		if r.outbox, rest, err = decodeOutbox(rest); err != nil {
			return nil, err
		}
		if r.reasons, b, err = decodeReasons(rest); err != nil {
			return nil, err
		}
		rs = append(rs, r)
	}
	return rs, nil
}

// cutNumber splits off a number.
func cutNumber(b []byte) (n uint64, rest []byte, err error) {
	n, used := binary.Uvarint(b)
	if used <= 0 {
		return 0, nil, fmt.Errorf("%w: cut journal record", driver.ErrCorrupt)
	}
	return n, b[used:], nil
}

// cutBytes splits off a slice that follows its length.
func cutBytes(b []byte) (head, rest []byte, err error) {
	n, rest, err := cutNumber(b)
	if err == nil && n > uint64(len(rest)) {
		err = fmt.Errorf("%w: cut journal record", driver.ErrCorrupt)
	}
	if err != nil {
		return nil, nil, err
	}
	return rest[:n], rest[n:], nil
}

// held is what a root and the records after it make: what a session held that
// was on disk.
type held struct {
	doc      *document.Document
	revision uint64
	outbox   outbox
	reasons  reasons
}

// replay applies a record to what the root and the records before it made.
func (r *record) replay(h *held, l *document.Limits) error {
	if r.kind == recordWhole {
		whole, err := document.Parse(r.body, l)
		if err != nil {
			return fmt.Errorf("replay whole state of %q: %w: %w", r.key, driver.ErrCorrupt, err)
		}
		*h = held{whole, r.revision, r.outbox, r.reasons}
		return nil
	}
	delta, err := document.DecodeDelta(r.body, l)
	if err == nil {
		err = h.doc.Apply(delta)
	}
	if err != nil {
		return fmt.Errorf("replay changes of %q: %w: %w", r.key, driver.ErrCorrupt, err)
	}
	h.revision, h.outbox, h.reasons = r.revision, h.outbox.with(r.outbox...), h.reasons.with(r.reasons...)
	return nil
}

// Keys of the entries beside the roots.

func leaseKey(lease driver.Version) string { return store.SystemKey("lease", lease.String()) }

// leaseOf is the inverse of leaseKey.
func leaseOf(key string) (driver.Version, error) {
	parts, err := store.SplitKey(key)
	if err != nil || len(parts) != 2 {
		return driver.Version{}, fmt.Errorf("%w: lease key %q", driver.ErrCorrupt, key)
	}
	return driver.ParseVersion(parts[1])
}

func journalPrefix(lease driver.Version) string {
	return store.SystemKey("journal", lease.String()) + "/"
}

func journalKey(lease driver.Version, number uint64) string {
	return fmt.Sprintf("%s%016x", journalPrefix(lease), number)
}

func journalNumber(key string) (uint64, error) {
	var n uint64
	if len(key) < 16 {
		return 0, fmt.Errorf("%w: journal key %q", driver.ErrCorrupt, key)
	}
	if _, err := fmt.Sscanf(key[len(key)-16:], "%016x", &n); err != nil {
		return 0, fmt.Errorf("%w: journal key %q", driver.ErrCorrupt, key)
	}
	return n, nil
}

func requestPrefix(lease driver.Version) string {
	return store.SystemKey("request", lease.String()) + "/"
}

// requestsPrefix is where all requests stand, and requestedOf returns to whose lease one
// of them is.
func requestsPrefix() string { return store.SystemKey("request") + "/" }

func requestedOf(entry string) (driver.Version, error) {
	parts, err := store.SplitKey(entry)
	if err != nil || len(parts) != 4 {
		return driver.Version{}, fmt.Errorf("%w: %q is no request", driver.ErrCorrupt, entry)
	}
	return driver.ParseVersion(parts[1])
}

// requestKey has an id of its own for each request, so that a deletion which is
// carried out late, after its answer was lost, never hits a newer one.
func requestKey(lease, from, id driver.Version) string {
	return store.SystemKey("request", lease.String(), from.String(), id.String())
}
