package session

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
)

// rootFormat is the number of the root's stored form.
const rootFormat = 1

// root is what is stored under a key, as JSON that people can read.
type root struct {
	Format int            `json:"format"`
	Birth  driver.Version `json:"birth"` // id of the version that created it
	// Exchange is the version of an exchange that the data hold and that no record
	// of the feed tells yet.
	Exchange driver.Version `json:"exchange,omitzero"`
	Lock     *lock          `json:"lock,omitempty"` // nil: nobody owns it, and it holds everything
	// Erased says that this is a tombstone, of which nothing else but the two fields
	// after it is set: see tombstone.
	Erased   bool       `json:"erased,omitempty"`
	ErasedAt time.Time  `json:"erased_at,omitzero"`
	Sweep    sweepState `json:"sweep,omitempty"`
	// Revision counts the changes that were ever made of the data, lazy ones aside.
	Revision uint64 `json:"revision"`
	Rows     rows   `json:"rows,omitempty"`   // in rankings, and what feeds them
	Reason   string `json:"reason,omitempty"` // of the operator whose act this version is, or of changes in it
	// Origins are what sorts of acts the changes are that are new in this version.
	Origins []string `json:"origins,omitempty"`
	By      string   `json:"by,omitempty"` // the server that wrote a version with a reason
	Data    rawData  `json:"data,omitempty"`
}

// explain says in a root why this server writes it.
func (srv *Server) explain(r *root, why reasons) {
	r.Reason, r.Origins, r.By = why.String(), why.origins(), ""
	if len(why) > 0 {
		r.By = srv.opts.Name
	}
}

// rawData is a document's JSON, kept as it is.
type rawData = json.RawMessage

// lock says who owns a root, and which part of its journal the data holds.
type lock struct {
	Lease    driver.Version `json:"lease"`
	Session  driver.Version `json:"session"`
	Server   string         `json:"server"`
	Since    time.Time      `json:"since"`
	Position uint64         `json:"position"` // records of the session with a number up to this are in the data
}

func (l *lock) holder() Holder {
	return Holder{Server: l.Server, Lease: l.Lease.String(), Session: l.Session.String(), Since: l.Since}
}

// names reports whether the lock is the one that a session took.
func (l *lock) names(lease, session driver.Version) bool {
	return l != nil && l.Lease == lease && l.Session == session
}

// append returns dst with the stored form of the root, its data written by
// data.
func (r *root) append(dst []byte, data func([]byte) []byte) ([]byte, error) {
	head := *r
	head.Format, head.Data = rootFormat, nil
	b, err := json.Marshal(head)
	if err != nil {
		return nil, fmt.Errorf("encode root: %w", err)
	}
	dst = append(dst, b[:len(b)-1]...) // without its closing brace
	dst = append(dst, `,"data":`...)
	dst = data(dst)
	return append(dst, '}'), nil
}

// decodeRoot reads a stored root. It returns nil if the entry is absent.
func decodeRoot(e *driver.Entry) (*root, error) {
	if !e.Found() {
		return nil, nil
	}
	if e.Damaged != nil {
		return nil, fmt.Errorf("read root %q: %w", e.Key, e.Damaged)
	}
	r, err := splitRoot(e.Value)
	if err != nil {
		return nil, fmt.Errorf("read root %q: %w: %w", e.Key, driver.ErrCorrupt, err)
	}
	switch {
	case r.Format > rootFormat:
		return nil, fmt.Errorf("read root %q: %w: format %d, this program reads up to %d", e.Key, driver.ErrFormat, r.Format, rootFormat)
	case r.Format != rootFormat:
		return nil, fmt.Errorf("read root %q: %w: format %d", e.Key, driver.ErrCorrupt, r.Format)
	case r.Lock != nil && (r.Lock.Lease.IsZero() || r.Lock.Session.IsZero()):
		return nil, fmt.Errorf("read root %q: %w: lock names no lease or no session", e.Key, driver.ErrCorrupt)
	}
	if err := checkRanked(r.Rows.spec()); err != nil {
		return nil, fmt.Errorf("read root %q: %w: %w", e.Key, driver.ErrCorrupt, err)
	}
	return &r, nil
}

// splitRoot reads the text of a root. The data are its last member, as append writes
// it, and by far the largest part: they are left for whoever parses them to check, and
// shared with the text. No string can hold what begins them, as its quotes would be
// escaped there. What another program has written in another order is read whole.
func splitRoot(text []byte) (r root, err error) {
	if head, data, ok := bytes.Cut(text, []byte(`,"data":{`)); ok && text[len(text)-1] == '}' {
		if json.Unmarshal(append(slices.Clip(head), '}'), &r) == nil && r.Data == nil && r.Format != 0 {
			r.Data = text[len(text)-len(data)-1 : len(text)-1]
			return r, nil
		}
	}
	r = root{}
	err = json.Unmarshal(text, &r)
	return r, err
}

// document parses the root's data.
func (r *root) document(key string, l *document.Limits) (*document.Document, error) {
	text := []byte("{}")
	if r != nil && len(r.Data) > 0 {
		text = r.Data
	}
	d, err := document.Adopt(text, l)
	if err != nil {
		return nil, fmt.Errorf("read root %q: %w: %w", key, driver.ErrCorrupt, err)
	}
	return d, nil
}

// rootRoom is how many bytes a root mostly has besides its header and its data.
const rootRoom = 64

// header is a session's root encoded up to its position, once, so that a save
// only adds the position, the revision, the rows and the data.
type header []byte

func newHeader(r root) (header, error) {
	r.Format, r.Revision, r.Rows, r.Data = rootFormat, 0, nil, nil
	r.Lock.Position = 0
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode root: %w", err)
	}
	// The lock's position is its last member, and only the revision follows the lock.
	const tail = `0},"revision":0}`
	if len(b) < len(tail) || string(b[len(b)-len(tail):]) != tail {
		return nil, fmt.Errorf("encode root: unexpected form %s", b)
	}
	return header(b[:len(b)-len(tail)]), nil
}

func (h header) append(dst []byte, position, revision uint64, rs rows) ([]byte, error) {
	dst = append(dst, h...)
	dst = strconv.AppendUint(dst, position, 10)
	dst = append(dst, `},"revision":`...)
	dst = strconv.AppendUint(dst, revision, 10)
	dst, err := rs.appendMember(dst)
	return append(dst, `,"data":`...), err
}
