package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// follower reads streams and tells what is in them. It works in rounds of one or
// two passes.
type follower struct {
	rd    *session.Reader
	opts  Options
	yield func(Change, error) bool

	streams []*stream                 // in the order of their leases
	removed uint64                    // streams that were gone for good
	began   bool                      // the streams are those of a position, or of the first pass
	boot    string                    // of the database's clock
	pass    int                       // number of the pass
	fresh   bool                      // the pass read something
	starved bool                      // nothing could be told, as some stream has more than was read
	at      Position                  // of what was told
	any     bool                      // anything was told
	idled   bool                      // Idle was called since anything was told
	target  map[driver.Version]uint64 // last numbers of what Drain tells; nil: not known yet
}

// stream is a stream with what was read of it and not yet told.
type stream struct {
	session.Stream
	told     uint64  // number of the last entry that was told
	last     uint64  // of the last that was read
	from     uint64  // of the last that was read before the last look
	buffer   []entry // from told to last
	more     bool    // it has more than was read
	ended    bool    // its server has left, and nothing followed what was read
	finished bool    // nor had anything been deleted by then that was not read: nothing follows
}

// entry is one append that waits to be told.
type entry struct {
	session.FeedEntry
	pass int // in which it was read
	// when is when it was written, or when one before it in its stream was, if that
	// is later: a clock that is set back must not turn a stream around.
	when driver.Moment
}

// run tells what follows a position until nobody wants more, or for an error.
func (f *follower) run(ctx context.Context, from Position) error {
	if err := f.begin(from); err != nil {
		return err
	}
	for {
		err := f.look(ctx)
		if errors.Is(err, ErrExpired) && from.IsZero() && !f.any {
			// It was to begin with the oldest that is kept, and that is another now.
			*f = follower{rd: f.rd, opts: f.opts, yield: f.yield}
			continue
		}
		if err != nil {
			return err
		}
		behind := slices.ContainsFunc(f.streams, func(s *stream) bool { return s.more })
		told, on := f.tell(f.choose())
		if !on {
			return nil
		}
		f.starved = behind && told == 0
		if f.drained() {
			f.idle()
			return nil
		}
		if told == 0 && !f.waiting() {
			f.idle()
		}
		if behind || f.opts.Drain {
			continue
		}
		if err := pause(ctx, f.opts.Poll); err != nil {
			return err
		}
	}
}

// idle lets the caller know where nothing is left to tell, if that is news.
func (f *follower) idle() {
	at := f.position()
	if f.idled && at == f.at {
		return
	}
	f.at, f.idled = at, true
	if f.opts.Idle != nil {
		f.opts.Idle(at)
	}
}

// aim notes what Drain tells, once all streams were read to their ends.
func (f *follower) aim() {
	if !f.opts.Drain || f.target != nil || slices.ContainsFunc(f.streams, func(s *stream) bool { return s.more }) {
		return
	}
	f.target = make(map[driver.Version]uint64, len(f.streams))
	for _, s := range f.streams {
		f.target[s.Lease] = s.last
	}
}

// drained reports whether all has been told that Drain tells.
func (f *follower) drained() bool {
	return f.target != nil && !slices.ContainsFunc(f.streams, func(s *stream) bool { return s.told < f.target[s.Lease] })
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// begin takes up a position.
func (f *follower) begin(from Position) error {
	at, err := from.decode()
	if err != nil || at == nil {
		return err
	}
	f.began, f.removed, f.at = true, at.removed, from
	for _, r := range at.streams {
		f.streams = append(f.streams, &stream{
			Stream: session.Stream{Lease: r.lease}, told: r.number, last: r.number, from: r.number, finished: r.finished,
		})
	}
	return nil
}

// position is what has been told.
func (f *follower) position() Position {
	at := place{removed: f.removed}
	for _, s := range f.streams {
		at.streams = append(at.streams, reached{s.Lease, s.told, s.finished && len(s.buffer) == 0})
	}
	return at.encode()
}

// waiting reports whether something was read and not yet told.
func (f *follower) waiting() bool {
	return slices.ContainsFunc(f.streams, func(s *stream) bool { return len(s.buffer) > 0 })
}

// look reads what is new, and once more if there was anything: what the first pass
// read can be told after the second.
func (f *follower) look(ctx context.Context) error {
	if err := f.nextPass(ctx); err != nil || !f.fresh {
		return err
	}
	return f.nextPass(ctx)
}

// nextPass looks at all streams once.
func (f *follower) nextPass(ctx context.Context) error {
	f.pass++
	f.fresh = false
	if err := f.survey(ctx); err != nil {
		return err
	}
	most := f.most()
	for _, s := range f.streams {
		if s.finished || s.more && len(s.buffer) > most/2 && !f.starved {
			continue // nothing follows; or there is enough to tell first
		}
		if err := f.read(ctx, s, most); err != nil {
			return err
		}
	}
	f.starved = false
	f.aim()
	return nil
}

// most is how many entries are read of a stream at once: fewer of many streams, so
// that what is held in memory stays bounded.
func (f *follower) most() int {
	reading := 1
	for _, s := range f.streams {
		if !s.finished {
			reading++
		}
	}
	return min(max(4096/reading, 16), 256)
}

// survey finds out which streams there are, and whether anything was deleted that
// was not read.
func (f *follower) survey(ctx context.Context) error {
	found, err := f.rd.Streams(ctx)
	if err != nil {
		return err
	}
	known := make(map[driver.Version]*stream, len(f.streams))
	for _, s := range f.streams {
		known[s.Lease] = s
	}
	f.boot = found.Now.Boot
	var streams []*stream
	for _, st := range found.List {
		s := known[st.Lease]
		delete(known, st.Lease)
		switch {
		case s == nil && !f.began:
			s = &stream{told: st.Pruned, last: st.Pruned, from: st.Pruned}
		case s == nil:
			s = &stream{}
		}
		if st.Pruned > s.from {
			return fmt.Errorf("%w (of server %q, after entry %d of stream %v, of which all up to %d may be gone)", ErrExpired, st.Server, s.from, st.Lease, st.Pruned)
		}
		s.Stream, s.from = st, s.last
		s.finished = s.finished || s.ended
		streams = append(streams, s)
	}
	for lease, s := range known {
		if !s.finished || len(s.buffer) > 0 {
			return fmt.Errorf("%w (stream %v, after entry %d)", ErrExpired, lease, s.told)
		}
	}
	if !f.began {
		f.removed = found.Removed
	}
	if found.Removed-f.removed != uint64(len(known)) {
		return fmt.Errorf("%w (of servers that came and went since)", ErrExpired)
	}
	f.streams, f.removed = streams, found.Removed
	if !f.began {
		f.began, f.at = true, f.position()
	}
	return nil
}

// read reads the next entries of a stream.
func (f *follower) read(ctx context.Context, s *stream, most int) error {
	entries, more, err := f.rd.Feed(ctx, session.FeedQuery{Lease: s.Lease, After: s.last, Limit: most})
	if err != nil {
		return err
	}
	for _, e := range entries {
		n := entry{FeedEntry: e, pass: f.pass, when: e.Written}
		if k := len(s.buffer); k > 0 && f.before(n.when, s.buffer[k-1].when) {
			n.when = s.buffer[k-1].when
		}
		s.buffer = append(s.buffer, n)
		s.last = e.Number
	}
	s.more, f.fresh = more, f.fresh || len(entries) > 0
	if s.ended = s.Ended && !more; s.ended {
		f.fresh = true // the next survey tells whether anything was deleted before this read
	}
	return nil
}
