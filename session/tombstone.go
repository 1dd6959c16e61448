package session

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// sweepState says how far the deletion of what belonged to an erased key is.
type sweepState string

const (
	sweeping  sweepState = ""      // there may be something
	sweptOnce sweepState = "quiet" // a listing has found nothing; the entry's time of writing says when
	swept     sweepState = "swept" // nor has another one, a lease later
)

// tombstone is what is stored in place of a root whose key was erased. It names
// nobody: no data, no lock, no birth, no reason.
type tombstone struct {
	Format   int        `json:"format"`
	Erased   bool       `json:"erased"`
	ErasedAt time.Time  `json:"erased_at"`
	Sweep    sweepState `json:"sweep,omitempty"`
}

func (t *tombstone) encode() ([]byte, error) {
	t.Format, t.Erased = rootFormat, true
	b, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("encode tombstone: %w", err)
	}
	return b, nil
}

// erasedPrefix is where the keys stand whose erasure is not swept yet, so that any
// server can go on with it.
func erasedPrefix() string { return store.SystemKey("erased") + "/" }

func erasedKey(key Key) string { return store.SystemKey("erased", key.Kind, key.ID) }

// write returns the writes that store a tombstone in place of what stands at a
// version, and that keep the list of what is to be swept.
func (t *tombstone) write(key Key, at driver.Version) ([]driver.Write, error) {
	value, err := t.encode()
	if err != nil {
		return nil, err
	}
	listed := driver.Write{Key: erasedKey(key), Mode: driver.Always}
	if listed.Delete = t.Sweep == swept; !listed.Delete {
		listed.Value = []byte(`{"format":1}`)
	}
	return []driver.Write{{Key: key.String(), Version: at, Value: value}, listed}, nil
}

// ErasedError says that what was kept under a key was erased, and how far that is.
// It matches ErrErased.
type ErasedError struct {
	Key Key
	At  time.Time // when it was decided, by the database's clock as the eraser knew it
	// Swept says that all that belonged to the key is deleted: a new document may
	// begin under it. Else it will be soon, and the same may be tried again.
	Swept bool
}

func (e *ErasedError) Error() string {
	text := fmt.Sprintf("%v was %v", e.Key, ErrErased)
	if !e.At.IsZero() {
		text += " at " + e.At.UTC().Format(time.RFC3339)
	}
	if !e.Swept {
		text += ", and what belonged to it is still being deleted: try again in a while"
	}
	return text
}

// Is reports that the error is an ErrErased.
func (e *ErasedError) Is(target error) bool { return target == ErrErased }

// erasedErr returns the error that a tombstone stands for.
func (r *root) erasedErr(key Key) error {
	return &ErasedError{Key: key, At: r.ErasedAt, Swept: r.Sweep == swept}
}
