package driver

import (
	"context"
	"time"
)

// Limits that every driver keeps. Callers set lower ones of their own.
const (
	MaxKey         = 1024     // bytes in a key
	MaxValue       = 64 << 20 // bytes in a value
	MaxBatch       = 1024     // writes, checks and forgets in one batch, together
	MaxGroup       = 1024     // batches in one call of Commit
	MaxRead        = 4096     // keys in one call of Read
	MaxCount       = 100_000  // entries that one call of Count counts
	RecentVersions = 16       // version ids that an entry carries, its present one included
)

// DB is a database that Holdfast can stand on.
//
// All methods are safe for concurrent use and may block on I/O; a context that
// ends makes them return early with an error that matches both its cause and
// [ErrUnavailable]. Byte slices that a caller hands in are not retained after
// the call returns; byte slices that a method returns belong to the caller.
// After Close every method returns [ErrClosed].
type DB interface {
	// Info says how the database wants to be used. It does no I/O and always
	// returns the same.
	Info() Info

	// Commit makes one attempt to apply a group of batches and returns one
	// outcome for each, in their order. A batch whose entries are all at the
	// versions that it names is applied whole; otherwise nothing of it is, and
	// its outcome lists every entry that was not. The outcome of one batch does
	// not depend on the others': they must not touch each other's entries
	// (no key that one batch writes may be written, checked or forgotten by
	// another), and a group that breaks this rule is ErrInvalid.
	//
	// When Commit returns without an error, everything that it reports as
	// applied is durable and visible to every later call of any process.
	// A commit that checks an entry excludes one that moves it, whichever began
	// first: of two batches that each check what the other writes, at most one
	// is applied.
	//
	// An error is for the group: ErrUnavailable means that the outcome is
	// unknown and that the same group may be sent again; with any other error
	// (ErrInvalid, ErrReadOnly, ErrCorrupt, ErrClosed) nothing was applied.
	Commit(ctx context.Context, g Group) ([]Outcome, error)

	// Read returns the entries under keys as they were at one moment, in the
	// order of keys; one that is absent has the zero version and only its key.
	// It sees every commit that was answered before the call began.
	Read(ctx context.Context, keys ...string) (Snapshot, error)

	// List returns entries in the order of their keys' bytes, as they were at
	// one moment.
	List(ctx context.Context, q Query) (Snapshot, error)

	// Count counts the entries with from <= key < to as they were at one
	// moment, in the order of their keys, and stops at limit, which is 1 to
	// MaxCount. Next is the key of the first entry that it did not count, empty
	// if it counted all. It reads no values: what it costs is a walk over so
	// many keys, not more. An empty bound sorts before every key.
	Count(ctx context.Context, from, to string, limit int) (n int, next string, err error)

	// Versions returns what is known of the versions of one key that can still
	// be read, the present one included, oldest first, without their values.
	// A key that never was has none.
	Versions(ctx context.Context, key string) ([]Entry, error)

	// ReadVersion returns one version of an entry with its value, the present
	// one or a retained one. It is ErrNotFound if there is no such version.
	ReadVersion(ctx context.Context, key string, v Version) (Entry, error)

	// DeleteRange deletes the entries with from <= key < to, and all their
	// versions, and returns how many entries it deleted. It asks for no
	// version, so it is only for entries that nobody writes any more, such as
	// a journal's tail that has been saved.
	DeleteRange(ctx context.Context, from, to string) (int, error)

	// Close waits for the calls under way and releases the database. Closing
	// twice is ErrClosed.
	Close() error
}

// Backuper is implemented by a database that can copy itself while it is in
// use, by the engine's own means.
type Backuper interface {
	// Backup writes a consistent copy to path, which must not exist. It calls
	// progress (unless nil) now and then with bytes done and in all.
	Backup(ctx context.Context, path string, progress func(done, total int64)) error
}

// Info says how a database wants to be used.
type Info struct {
	Name    string        // the engine: "mem", "sqlite", "postgres"
	Look    time.Duration // how often to look for another server's requests; zero means with each renewal of a lease
	Writers int           // calls of Commit at one time that still raise the rate; at least 1
	Readers int           // calls of Read at one time that still raise the rate, beyond which reads travel together; zero means any number
	Group   int           // batches in one call beyond which the rate no longer rises; 1 to MaxGroup
}

// Group is what one call of Commit applies.
type Group struct {
	Batches []Batch
	// Urgent says that a lease's life hangs on this group: a driver with
	// several connections sends it on one that is kept for such groups.
	Urgent bool
}

// Batch is applied whole or not at all.
type Batch struct {
	ID     Version  // the version that every entry it writes gets; not zero
	Checks []Check  // entries that must stand at a version, and are not written
	Writes []Write  // at least one; no key twice, nor one that is also checked
	Forget []string // keys whose retained versions (not the present one) are deleted
}

// Check names the version that an entry must have.
type Check struct {
	Key     string
	Version Version // zero: the entry must be absent
}

// Mode says what a write asks of the entry that it replaces.
type Mode uint8

// The modes of a write.
const (
	// Expect writes if the entry is at Write.Version (zero: if it is absent),
	// and otherwise refuses the batch.
	Expect Mode = iota
	// Always writes whatever is there. The batch's other conditions must fence
	// it, or it must not matter who writes last.
	Always
	// Once creates the entry if it is absent, and otherwise leaves it as it
	// is; it never refuses the batch.
	Once
)

// Write is one entry's new value, or its deletion.
type Write struct {
	Key     string
	Mode    Mode
	Version Version // what Expect expects
	Value   []byte  // may be empty; must be nil if Delete
	// Delete removes the entry and all its versions. To delete what is absent
	// is no error.
	Delete bool
	// Retain keeps the version that this write replaces, by a schedule. Nil
	// keeps nothing.
	Retain *Retention
	// Mark keeps the version that this write makes, and the one that it
	// replaces, whatever the schedule's Every and For. It needs Retain.
	Mark bool
}

// Retention is the schedule by which replaced versions are kept. It is applied
// when a version is replaced, by the database's wall clock.
type Retention struct {
	// Every is the time span of which one version is kept: the last that was
	// written in it. Spans are counted from the Unix epoch. Zero keeps every
	// version; negative keeps only those that are marked.
	Every time.Duration
	// For is how long a version that is not marked is kept after it was
	// replaced. Zero means for ever.
	For time.Duration
	// Max is how many retained versions a key has at most; beyond it the
	// oldest go first, those that are not marked before those that are. Zero
	// means no limit.
	Max int
}

// Outcome is what became of one batch.
type Outcome struct {
	// Refused is empty if the batch was applied. Otherwise it has the present
	// state of every entry that was not at the version that the batch named,
	// in the order of the batch's checks and then writes.
	Refused []State
	// Updated is the database's time of the commit, if the batch was applied.
	Updated Moment
}

// State is where an entry stands.
type State struct {
	Key    string
	Recent []Version // as in Entry; empty if the entry is absent
}

// Query says what List returns.
type Query struct {
	Prefix string // only keys that begin with it; empty: all
	After  string // only keys that come after it in the listing; empty: from the first
	Limit  int    // at most so many entries, 1 to MaxRead; zero means MaxRead
	// KeysOnly leaves out the values; Damaged is then not determined.
	KeysOnly bool
	// Reverse lists from the last key to the first. What comes after a key are
	// then those that sort before it.
	Reverse bool
}

// Snapshot is what was read at one moment.
type Snapshot struct {
	Entries []Entry
	Now     Moment // the database's time when they were read
	// More says that List stopped at its limit, of entries or of about
	// MaxValue bytes, before the last entry that the query names.
	More bool
}

// Entry is a value under a key, with what the database knows of it.
type Entry struct {
	Key     string
	Value   []byte
	Version Version   // zero: there is no such entry
	Recent  []Version // ids of its last versions, the present one first; nil in what Versions and ReadVersion return of old ones
	Created time.Time // when the entry's first version was written
	Updated Moment    // when this version was written
	Marked  bool      // this version was written with Mark
	// Damaged is nil, or an error that matches ErrCorrupt and says what did
	// not verify, or ErrFormat if a newer program wrote it. Value then holds the bytes as they were found.
	Damaged error
}

// Found reports whether there is such an entry.
func (e *Entry) Found() bool { return !e.Version.IsZero() }

// Moment is a point in the database's time.
type Moment struct {
	Wall time.Time     // for people; may be set forwards and back
	Boot string        // names the run of the clock that Tick belongs to
	Tick time.Duration // runs evenly; compares only within one Boot
}

// Since returns how much time passed from an earlier moment, and false if the
// two belong to different boots and cannot be compared.
func (m Moment) Since(earlier Moment) (time.Duration, bool) {
	return m.Tick - earlier.Tick, m.Boot == earlier.Boot
}
