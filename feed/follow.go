package feed

import (
	"context"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// Options configure Follow. A nil *Options is the same as the zero value.
type Options struct {
	// Poll is the pause before the database is looked into again, 1 ms to 1 h. Zero
	// means 200 ms.
	Poll time.Duration
	// Drain ends the iteration when everything has been told that was in the feed
	// when it was first looked at. Else it waits for more until its context ends.
	Drain bool
	// Idle is called when there is nothing to tell for now, and just before Drain
	// ends the iteration, with the position at which that is so. Who stores it is
	// not taken for one who was away when nobody played for long. It runs between
	// two steps of the iteration. Nil is not called.
	Idle func(Position)
}

// The bounds of Options.Poll.
const (
	minPoll = time.Millisecond
	maxPoll = time.Hour
)

func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Poll == 0 {
		c.Poll = 200 * time.Millisecond
	}
	if c.Poll < minPoll || c.Poll > maxPoll {
		return c, fmt.Errorf("%w: poll every %v, %v to %v allowed", driver.ErrInvalid, c.Poll, minPoll, maxPoll)
	}
	return c, nil
}

// Follow yields the changes of all players after a position, in the order of their
// revisions for each of them, and waits for more. It reads only; the db stays the
// caller's. The database is asked again until it answers.
//
// An error ends the iteration, unless it is a *DamagedError: whoever goes on after
// that goes on with the changes behind it. It is ErrExpired if changes are gone,
// driver.ErrInvalid for options out of bounds, and the context's cause, with
// driver.ErrUnavailable if the database did not answer, when ctx ends.
func Follow(ctx context.Context, db *store.DB, from Position, o *Options) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		opts, err := o.withDefaults()
		if err == nil {
			f := &follower{rd: reader(db), opts: opts, yield: yield}
			err = f.run(ctx, from)
		}
		if err != nil {
			yield(Change{}, fmt.Errorf("follow the feed: %w", err))
		}
	}
}

// reader returns a reader that takes whatever was stored.
func reader(db *store.DB) *session.Reader {
	return session.NewReader(db, document.Limits{Size: math.MaxInt, Depth: math.MaxInt, Fields: math.MaxInt})
}

// End returns the position after everything that the feed holds now. What is read
// of the players later holds at least what lies before it.
func End(ctx context.Context, db *store.DB) (Position, error) {
	rd := reader(db)
	streams, err := rd.Streams(ctx)
	if err != nil {
		return Position{}, fmt.Errorf("find the end of the feed: %w", err)
	}
	at := place{removed: streams.Removed}
	for _, st := range streams.List {
		last, err := lastNumber(ctx, rd, st)
		if err != nil {
			return Position{}, fmt.Errorf("find the end of the feed: %w", err)
		}
		at.streams = append(at.streams, reached{lease: st.Lease, number: last})
	}
	return at.encode(), nil
}

// lastNumber returns the number of the last entry of a stream.
func lastNumber(ctx context.Context, rd *session.Reader, st session.Stream) (uint64, error) {
	last := st.Pruned
	for {
		entries, more, err := rd.Feed(ctx, session.FeedQuery{Lease: st.Lease, After: last, Limit: driver.MaxRead, NumbersOnly: true})
		if err != nil {
			return 0, err
		}
		if len(entries) > 0 {
			last = entries[len(entries)-1].Number
		}
		if !more {
			return last, nil
		}
	}
}
