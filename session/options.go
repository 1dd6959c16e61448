package session

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
	"github.com/prometheus/client_golang/prometheus"
)

// The shortest and the longest lease.
const (
	MinLease = 2 * time.Second
	MaxLease = 10 * time.Minute
)

// MaxDocument is the most that a limit of a document's size may be, in bytes: a
// document must fit into an entry of the database, and into one append.
const MaxDocument = 32 << 20

// Options configure a Server. A nil *Options is the same as the zero value.
type Options struct {
	// Name is what others and people see of this server, 1 to 100 bytes of
	// text. Empty means the host's name and the process id.
	Name string
	// Lease is how long this server may be unreachable before others may take
	// its players over, MinLease to MaxLease. Zero means 10 s.
	Lease time.Duration
	// AppendEvery is the longest time from a change to the start of the append
	// that carries it: what a crash may lose, besides the append under way.
	// 1 ms to 10 s. Zero means 50 ms.
	AppendEvery time.Duration
	// JournalBytes bounds the journal, 64 KiB to 1 GiB. Zero means 16 MiB. From half of
	// it on, those with the oldest changes are saved, and where a save does not come the
	// whole state is appended in their place, a byte for each byte of changes. The bound
	// is exceeded if all that cannot be saved is more, and while a server changes more
	// than the database saves.
	JournalBytes int
	// Limits bound each document, whose size may be MaxDocument at most.
	Limits document.Limits
	// Retention says which versions of a player are kept. Nil means
	// store.DefaultRetention.
	Retention *driver.Retention
	// Feed is how long what this server appends to its journal is also kept for
	// other programs, which follow the changes of all players: see package feed.
	// It costs a second copy of what is journalled. MinFeed to MaxFeed. Zero keeps
	// nothing; FeedIfKept does as the others do.
	Feed time.Duration
	// Bus makes hand-over faster. Nil means that requests travel through the
	// database only.
	Bus Bus
	// HandOver is called on a goroutine of its own when another server wants
	// a session's key. The game may finish what it is doing and still change
	// the document; when HandOver returns, or HandOverTime after it was
	// called, the session is saved and released. Nil means at once.
	HandOver func(ctx context.Context, s *Session)
	// HandOverTime bounds HandOver. Zero means 2 s.
	HandOverTime time.Duration
	// Rung is called when something new may be in the database for a session:
	// another server has called Ring. It must not block. Nil means that nobody
	// waits for that.
	Rung func(*Session)
	// Answer deals with the questions that other servers Ask, on a goroutine of
	// its own. It may be called twice for one question. Nil answers none.
	Answer func(ctx context.Context, verb string, body []byte) ([]byte, error)
	// Suspended is called with true when the server is suspended, and with
	// false when it is trusted again. It must not block.
	Suspended func(bool)
	// Logger gets what an operator should know. Nil discards it.
	Logger *slog.Logger
	// Metrics is where the server's collectors are registered. Nil means
	// nowhere.
	Metrics prometheus.Registerer
}

func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Name == "" {
		host, _ := os.Hostname()
		c.Name = fmt.Sprintf("%.80s:%d", host, os.Getpid())
	}
	if c.Lease == 0 {
		c.Lease = 10 * time.Second
	}
	if c.AppendEvery == 0 {
		c.AppendEvery = 50 * time.Millisecond
	}
	if c.JournalBytes == 0 {
		c.JournalBytes = 16 << 20
	}
	if c.HandOverTime == 0 {
		c.HandOverTime = 2 * time.Second
	}
	if c.Retention == nil {
		c.Retention = &store.DefaultRetention
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, c.check()
}

func (o *Options) check() error {
	switch {
	case len(o.Name) > 100 || !utf8.ValidString(o.Name):
		return fmt.Errorf("%w: server name %.120q, at most 100 bytes of UTF-8", driver.ErrInvalid, o.Name)
	case o.Lease < MinLease || o.Lease > MaxLease:
		return fmt.Errorf("%w: lease of %v, %v to %v allowed", driver.ErrInvalid, o.Lease, MinLease, MaxLease)
	case o.AppendEvery < time.Millisecond || o.AppendEvery > 10*time.Second:
		return fmt.Errorf("%w: append every %v, 1ms to 10s allowed", driver.ErrInvalid, o.AppendEvery)
	case o.JournalBytes < 64<<10 || o.JournalBytes > 1<<30:
		return fmt.Errorf("%w: journal of %d bytes, 64 KiB to 1 GiB allowed", driver.ErrInvalid, o.JournalBytes)
	case o.Feed != 0 && o.Feed != FeedIfKept && (o.Feed < MinFeed || o.Feed > MaxFeed):
		return fmt.Errorf("%w: feed of %v, %v to %v allowed", driver.ErrInvalid, o.Feed, MinFeed, MaxFeed)
	case o.Limits.Size > MaxDocument:
		return fmt.Errorf("%w: documents of %d bytes, at most %d", driver.ErrInvalid, o.Limits.Size, MaxDocument)
	case o.HandOverTime < 0:
		return fmt.Errorf("%w: negative hand-over time", driver.ErrInvalid)
	}
	return nil
}

// renewEvery is the time from one renewal of the lease to the next.
func (o *Options) renewEvery() time.Duration { return min(time.Second, o.Lease/4) }

// OpenOptions say how a key is opened. Nil is the same as the zero value.
// Several calls that open one key at the same time share one opening, and the
// options of the first hold, except Steal with what belongs to it.
type OpenOptions struct {
	// MustExist makes it ErrNotFound if nothing was ever kept under the key.
	// Else a new document begins.
	MustExist bool
	// NoAsk returns a *LockedError at once if a living server holds the key,
	// which is then not asked to hand it over.
	NoAsk bool
	// Steal takes the key from a living server without asking it, and names
	// the reason, at most 200 bytes. What that server had appended is kept;
	// what it had only in memory is lost, and it reports that. It is an
	// operator's act for a server that does not hand over.
	Steal string
	// StealWith are entries that are created in the commit which takes the key away,
	// if it comes to that: the record of the act. They are of mode driver.Once.
	StealWith []driver.Write
	// First returns what the document begins with if nothing was ever kept under
	// the key. It is part of the commit that creates the root, and may be called
	// more than once. Nil means an empty document.
	First func() document.Delta
	// Ranked names the fields that feed rankings from now on, at most
	// MaxRanked, each another ranking: their rows move in the commits that write
	// the root, whoever makes these. The opening itself makes and removes rows
	// accordingly. Nil means those that feed rankings already; empty, but not
	// nil, means none.
	Ranked []Ranked
	// Waiting is told, about every second, who is being waited for.
	Waiting func(Holder)
	// Ended is told once that the session has ended: with nil after a Close,
	// else with a *LostError. It must not block.
	Ended func(*Session, error)
	// Saved is told of each save that the database has answered. It must not
	// block.
	Saved func(*Session, Saved)
}

// Cause says why a session was saved.
type Cause string

// The causes of a save.
const (
	CauseAutosave Cause = "autosave" // SaveSoon, by time
	CauseAsked    Cause = "asked"    // Save
	CauseJournal  Cause = "journal"  // the journal needed the room
	CauseOutbox   Cause = "outbox"   // something was attached to an update
	CauseClose    Cause = "close"    // the final save
)

// Saved is what became of one save.
type Saved struct {
	Cause   Cause
	Version driver.Version // that the root got
	Bytes   int            // of the root
	Took    time.Duration  // from the state's encoding to the answer
	Err     error          // nil: it is on disk
}

// Bus carries messages between servers, so that they need not wait for their
// next look into the database: it is what a server needs of a *bus.Bus. Every
// message may be lost, doubled, late or out of order. Its methods are safe for
// concurrent use.
type Bus interface {
	// PublishSystem sends a message to all subscribers of one of Holdfast's own
	// topics. It does not wait for them.
	PublishSystem(ctx context.Context, topic string, msg []byte) error
	// SubscribeSystem calls fn, which does not block, for each message of a
	// topic, and when some may have been missed, until cancel is called.
	SubscribeSystem(topic string, fn func(bus.Message)) (cancel func(), err error)
}
