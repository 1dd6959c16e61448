package audit

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// Limits of an Act, in bytes.
const (
	MaxBy      = 100
	MaxWhat    = 50
	MaxReason  = session.MaxReason
	MaxResult  = 500
	MaxDetails = 4 << 10
)

// Done is the result of an act that was done as it was asked for.
const Done = "done"

// Act is one thing that an operator did.
type Act struct {
	// ID names the act. Ids sort by the database's time, and those of one process within
	// a millisecond in the order of writing. Writing sets it, unless it is set: then it
	// is an act that was written before, or in another commit too.
	ID driver.Version
	// At is when it was done, by the database's clock. Writing sets it.
	At time.Time
	// By is who did it, as he calls himself: 1 to MaxBy bytes of text.
	By string
	// Server is the server that wrote it. Writing sets it.
	Server string
	// What says what he did, 1 to MaxWhat bytes of text: "restore", "refund".
	What string
	// Key is whom it concerns; zero: nobody, or everybody.
	Key session.Key
	// Reason says why, 1 to MaxReason bytes of text.
	Reason string
	// Result says what came of it, at most MaxResult bytes of text. Empty means Done.
	Result string
	// Details are what else there is to know: JSON of at most MaxDetails bytes, or nil.
	Details json.RawMessage
}

// Check returns an error that matches driver.ErrInvalid unless the act is within the
// limits and says who, what and why.
func (a *Act) Check() error {
	for _, f := range []struct {
		what, text  string
		least, most int
	}{{"its By", a.By, 1, MaxBy}, {"its What", a.What, 1, MaxWhat}, {"its Reason", a.Reason, 1, MaxReason}, {"its Result", a.Result, 0, MaxResult}} {
		if err := checkText(f.what, f.text, f.least, f.most); err != nil {
			return fmt.Errorf("act: %w", err)
		}
	}
	if a.Key != (session.Key{}) {
		if err := a.Key.Check(); err != nil {
			return fmt.Errorf("act: %w", err)
		}
	}
	if len(a.Details) > MaxDetails {
		return fmt.Errorf("act: %w: details of %d bytes, at most %d", driver.ErrInvalid, len(a.Details), MaxDetails)
	}
	if len(a.Details) > 0 {
		if _, err := document.Compact(a.Details, nil); err != nil {
			return fmt.Errorf("act: %w: details: %w", driver.ErrInvalid, err)
		}
	}
	return nil
}

func checkText(what, s string, least, most int) error {
	switch {
	case len(s) < least || len(s) > most:
		return fmt.Errorf("%w: %s has %d bytes, %d to %d allowed: %.60q", driver.ErrInvalid, what, len(s), least, most, s)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("%w: %s %.60q is not UTF-8 text without control characters", driver.ErrInvalid, what, s)
	}
	return nil
}

// Clean returns what is text of s, without control characters and cut to a number of
// bytes: for a name that the environment gives, which may be anything.
func Clean(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
}

const (
	system    = "audit"
	actFormat = 1
)

// storedAct is an act as it is stored.
type storedAct struct {
	Format  int             `json:"format"`
	At      time.Time       `json:"at"`
	By      string          `json:"by"`
	Server  string          `json:"server,omitempty"`
	What    string          `json:"what"`
	Key     string          `json:"key,omitempty"`
	Reason  string          `json:"reason"`
	Result  string          `json:"result,omitempty"` // empty: done
	Details json.RawMessage `json:"details,omitempty"`
}

// EntryKey returns the key of an act's entry in the database.
func EntryKey(id driver.Version) string { return store.SystemKey(system, id.String()) }

// IndexPrefix is what the keys of the index entries of somebody's acts begin with. Their
// last parts are the acts' ids.
func IndexPrefix(key session.Key) string { return session.IndexPrefix(key, system) }

// Prepare checks an act and fills in when it is done, where, and its id: for who writes
// it with other entries in one commit. Now is the database's time, and db gives the id.
func (a *Act) Prepare(db *store.DB, now time.Time, server string) error {
	if err := a.Check(); err != nil {
		return err
	}
	a.At, a.Server = now.UTC().Round(time.Millisecond), Clean(server, 100)
	if !a.ID.IsZero() {
		return nil
	}
	id, err := db.NewVersion()
	if err != nil {
		return err
	}
	a.ID = inOrder(idAt(id, a.At))
	return nil
}

// idAt returns an id with a time of the database's, by which ids are found.
func idAt(id driver.Version, at time.Time) driver.Version {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(at.UnixMilli(), 0))<<16)
	copy(id[:6], ms[:6])
	return id
}

// Writes returns the entries of an act that was prepared: the act and, if it concerns
// somebody, his index. They are of mode driver.Once, for a commit of its own; what is
// attached to an update of his may be of mode driver.Always as well.
func (a *Act) Writes() ([]driver.Write, error) {
	if a.ID.IsZero() {
		return nil, fmt.Errorf("act: %w: it was not prepared", driver.ErrInvalid)
	}
	st := storedAct{Format: actFormat, At: a.At, By: a.By, Server: a.Server, What: a.What, Reason: a.Reason, Result: a.Result, Details: a.Details}
	if st.Result == Done {
		st.Result = ""
	}
	if a.Key != (session.Key{}) {
		st.Key = a.Key.String()
	}
	value, err := json.Marshal(st)
	if err != nil {
		return nil, fmt.Errorf("encode act: %w", err)
	}
	ws := []driver.Write{{Key: EntryKey(a.ID), Mode: driver.Once, Value: value}}
	if st.Key != "" {
		index, err := session.IndexValue(nil) // an erasure deletes the act too
		if err != nil {
			return nil, err
		}
		ws = append(ws, driver.Write{Key: session.IndexKey(a.Key, EntryKey(a.ID)), Mode: driver.Once, Value: index})
	}
	return ws, nil
}

// decode reads the entry of an act.
func decode(e *driver.Entry) (Act, error) {
	var a Act
	fail := func(err error) (Act, error) { return a, fmt.Errorf("read act %q: %w", e.Key, err) }
	parts, err := store.SplitKey(e.Key)
	if err == nil && len(parts) == 2 {
		a.ID, err = driver.ParseVersion(parts[1])
	}
	switch {
	case err != nil || len(parts) != 2:
		return fail(fmt.Errorf("%w: not an act's key", driver.ErrCorrupt))
	case e.Damaged != nil:
		return fail(e.Damaged)
	}
	var head struct {
		Format int `json:"format"`
	}
	var st storedAct
	if err := json.Unmarshal(e.Value, &head); err == nil && head.Format > actFormat {
		return fail(fmt.Errorf("%w: format %d, this program reads up to %d", driver.ErrFormat, head.Format, actFormat))
	}
	if err := json.Unmarshal(e.Value, &st); err != nil || st.Format != actFormat {
		return fail(fmt.Errorf("%w: format %d: %w", driver.ErrCorrupt, st.Format, errors.Join(err)))
	}
	a.At, a.By, a.Server, a.What, a.Reason, a.Result, a.Details = st.At, st.By, st.Server, st.What, st.Reason, st.Result, st.Details
	if a.Result == "" {
		a.Result = Done
	}
	if st.Key != "" {
		if a.Key, err = session.ParseKey(st.Key); err != nil {
			return fail(fmt.Errorf("%w: its key: %w", driver.ErrCorrupt, err))
		}
	}
	return a, nil
}
