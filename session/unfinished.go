package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// ErrUnfinished means that the database is the target of a copy that has not
// come to its end. No server takes a lease on it: players would be missing, and
// new ones made in their place. Finish the copy by running it again, or begin
// with an empty database.
var ErrUnfinished = errors.New("a copy into this database is unfinished")

// Unfinished is the entry that stands in a database while a copy into it is
// unfinished. Whoever takes a lease names its absence in the same commit, so of
// a server and a copy that begin at one time only one does.
type Unfinished struct {
	Source string    // names the database that is copied, without secrets; 1 to maxSource bytes of text
	By     string    // who copies, for people
	Began  time.Time // when the copy was first begun
	// Claimed says that nothing was copied yet: the target must still be found empty,
	// now that no server takes a lease on it any more.
	Claimed bool
}

// unfinishedEntry is the stored form of Unfinished.
type unfinishedEntry struct {
	Format  int       `json:"format"`
	Source  string    `json:"source"`
	By      string    `json:"by"`
	Began   time.Time `json:"began"`
	Claimed bool      `json:"claimed,omitempty"`
}

const (
	unfinishedFormat = 1
	maxSource        = 4096
)

// UnfinishedKey returns the key of the entry that Unfinished describes.
func UnfinishedKey() string { return store.SystemKey("unfinished") }

// Encode returns the entry's stored form.
func (u *Unfinished) Encode() ([]byte, error) {
	if u.Source == "" || len(u.Source) > maxSource || !utf8.ValidString(u.Source) {
		return nil, fmt.Errorf("%w: name of a source of %d bytes, 1 to %d of UTF-8 allowed", driver.ErrInvalid, len(u.Source), maxSource)
	}
	b, err := json.Marshal(unfinishedEntry{unfinishedFormat, u.Source, u.By, u.Began.UTC(), u.Claimed})
	if err != nil {
		return nil, fmt.Errorf("encode the mark of an unfinished copy: %w", err)
	}
	return b, nil
}

// DecodeUnfinished reads the stored form. It returns nil if the entry is
// absent: then no copy is unfinished.
func DecodeUnfinished(e *driver.Entry) (*Unfinished, error) {
	if !e.Found() {
		return nil, nil
	}
	if e.Damaged != nil {
		return nil, fmt.Errorf("read the mark of an unfinished copy: %w", e.Damaged)
	}
	var u unfinishedEntry
	if err := json.Unmarshal(e.Value, &u); err != nil {
		return nil, fmt.Errorf("read the mark of an unfinished copy: %w: %w", driver.ErrCorrupt, err)
	}
	if u.Format != unfinishedFormat {
		return nil, fmt.Errorf("read the mark of an unfinished copy: %w: format %d, this program reads %d", driver.ErrFormat, u.Format, unfinishedFormat)
	}
	return &Unfinished{u.Source, u.By, u.Began, u.Claimed}, nil
}

// unfinished returns why a lease was refused, if it was because of an unfinished
// copy, and otherwise the error as it is.
func (srv *Server) unfinished(ctx context.Context, err error) error {
	var conflict *store.ConflictError
	marked := func(s driver.State) bool { return s.Key == UnfinishedKey() }
	if !errors.As(err, &conflict) || !slices.ContainsFunc(conflict.Refused, marked) {
		return err
	}
	snap, readErr := srv.db.Read(ctx, UnfinishedKey())
	if readErr != nil {
		return fmt.Errorf("%w: %w", ErrUnfinished, readErr)
	}
	u, readErr := DecodeUnfinished(&snap.Entries[0])
	switch {
	case readErr != nil:
		return fmt.Errorf("%w: %w", ErrUnfinished, readErr)
	case u == nil:
		return fmt.Errorf("%w: it has just come to its end; try again", ErrUnfinished)
	}
	return fmt.Errorf("%w: from %q, begun %s by %q: finish it by running it again",
		ErrUnfinished, u.Source, u.Began.UTC().Format(time.RFC3339), u.By)
}
