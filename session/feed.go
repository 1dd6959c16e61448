package session

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// A server with a feed writes each entry of its journal twice. The second one is
// for followers: it stays when the journal is trimmed, and when the lease is gone,
// until it is old.
//
//	~feeds                     how many streams were ever removed
//	~feeds/<lease>             a stream: who writes it, for how long, up to where it was pruned
//	~feed/<lease>/<number>     one append: births of the roots, then the journal entry
//
// A stream begins in the commit that takes its lease, and grows in the commits
// that append to the journal. So what is in the journal is in the feed, and what a
// crash takes back never was in it.
//
// What is deleted is noted before it is: in the stream up to which number, and of
// a whole stream that it was one more. So a follower who was away finds out whether
// he has missed anything by numbers alone, whatever the clocks did.

// Limits of Options.Feed.
const (
	MinFeed = time.Second
	MaxFeed = 366 * 24 * time.Hour
)

// FeedIfKept, as Options.Feed, keeps a feed if other servers of the database do,
// and for as long as the one that keeps it longest. It is for tools, whose changes
// a follower wants to see as well.
const FeedIfKept time.Duration = -1

// feedFormat is the number of the stored form of what belongs to a feed.
const feedFormat = 1

func streamsKey() string { return store.SystemKey("feeds") }

func streamKey(lease driver.Version) string { return store.SystemKey("feeds", lease.String()) }

func feedPrefix(lease driver.Version) string { return store.SystemKey("feed", lease.String()) + "/" }

func feedKey(lease driver.Version, number uint64) string {
	return fmt.Sprintf("%s%016x", feedPrefix(lease), number)
}

// feedValue is a feed's entry: the births of the roots that a journal entry's
// records belong to, and that entry.
func feedValue(births []driver.Version, journal []byte) []byte {
	dst := make([]byte, 0, 1+binary.MaxVarintLen32+len(births)*len(driver.Version{})+len(journal))
	dst = binary.AppendUvarint(append(dst, feedFormat), uint64(len(births)))
	for i := range births {
		dst = append(dst, births[i][:]...)
	}
	return append(dst, journal...)
}

// decodeFeed reads a feed's entry. The records share its bytes.
func decodeFeed(b []byte) ([]record, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("%w: empty feed entry", driver.ErrCorrupt)
	}
	if b[0] != feedFormat {
		return nil, fmt.Errorf("%w: feed format %d, this program reads %d", driver.ErrFormat, b[0], feedFormat)
	}
	const size = len(driver.Version{})
	n, rest, err := cutNumber(b[1:])
	if err != nil || n > uint64(len(rest)/size) {
		return nil, fmt.Errorf("%w: cut feed entry", driver.ErrCorrupt)
	}
	births := rest[:int(n)*size]
	records, err := decodeRecords(rest[len(births):])
	if err != nil {
		return nil, err
	}
	if len(records) != int(n) {
		return nil, fmt.Errorf("%w: feed entry with %d records of %d births", driver.ErrCorrupt, len(records), n)
	}
	for i := range records {
		copy(records[i].birth[:], births[i*size:])
	}
	return records, nil
}

// streamEntry is what is stored of a stream.
type streamEntry struct {
	Format int    `json:"format"`
	Server string `json:"server"`
	Keep   int64  `json:"keep_ms"`
	Pruned uint64 `json:"pruned,omitempty"` // entries up to this number may have been deleted
	Ended  bool   `json:"ended,omitempty"`  // the lease is gone or sealed: nothing is added any more
}

func (e *streamEntry) keep() time.Duration { return time.Duration(e.Keep) * time.Millisecond }

// streamsEntry is what is stored of streams that are gone.
type streamsEntry struct {
	Format  int    `json:"format"`
	Removed uint64 `json:"removed"`
}

// openStream adds to the commit that takes the lease what begins its stream, if
// this server keeps a feed.
func (l *lease) openStream(writes []driver.Write) ([]driver.Write, error) {
	srv := l.srv
	keep := srv.opts.Feed
	if keep == FeedIfKept {
		streams, err := readStreams(srv.ctx, srv.db)
		if err != nil {
			return nil, fmt.Errorf("find out whether a feed is kept: %w", err)
		}
		keep = streams.kept()
	}
	if keep == 0 {
		return writes, nil
	}
	value, err := json.Marshal(streamEntry{Format: feedFormat, Server: srv.opts.Name, Keep: keep.Milliseconds()})
	if err != nil {
		return nil, fmt.Errorf("encode stream: %w", err)
	}
	l.feed = keep
	return append(writes, driver.Write{Key: streamKey(l.id), Value: value}), nil
}

// tellExchange appends the whole state of a session whose root holds what an
// exchange made that no feed tells: whoever held it then did not live to append
// it. Where that cannot be done now it is asked for again.
func (s *Session) tellExchange() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease.feed > 0 && !s.exchange.IsZero() {
		s.appendWholeLocked()
	}
}

// tellingLocked reports whether that state is on its way, or is there and toldLocked
// comes. A closing waits for it.
func (s *Session) tellingLocked() bool {
	if s.exchange.IsZero() {
		return false
	}
	l := s.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.telling || l.carriesLocked(s)
}

// toldLocked notes that a record with the session's whole state is in the journal, and
// adds the save that has waited for that. If it is in the feed, that save takes the
// mark out of the root.
func (s *Session) toldLocked(saves []store.Attempt) []store.Attempt {
	s.lease.mu.Lock()
	s.telling = false
	s.lease.mu.Unlock()
	if s.exchange.IsZero() || s.lease.feed == 0 {
		return s.trySaveLocked(saves)
	}
	locked := s.lock
	head, err := newHeader(root{Birth: s.birth, Lock: &locked})
	if err != nil {
		s.srv.opts.Logger.Error("mark of an exchange stays", "key", s.rootKey, "err", err)
	} else {
		s.head, s.exchange = head, driver.Version{}
	}
	return s.trySaveLocked(saves)
}

// adoptedLocked notes that changes were appended, which may be those that an
// exchange made: from then on they can be saved.
func (s *Session) adoptedLocked(c *changes) {
	if c != s.adopted {
		return
	}
	s.adopted = nil
	if !s.exchange.IsZero() {
		s.srv.work(s.tellExchange)
	}
}

// The pauses between two looks for what is old.
const (
	minTend = time.Second
	maxTend = time.Minute
)

// othersEvery is how many looks at its own stream a server takes for one at those
// of servers that are gone. Each server takes that one at another time.
const othersEvery = 4

// tendFeed deletes what is old, until the server closes.
func (srv *Server) tendFeed() {
	for turn := 1; ; turn++ {
		l, err := srv.current(srv.ctx)
		if err != nil || l.feed == 0 {
			return
		}
		pause(srv.ctx, min(max(l.feed/16, minTend), maxTend))
		if srv.ctx.Err() != nil {
			return
		}
		others := (turn+int(l.id[len(l.id)-1]))%othersEvery == 0
		if err := srv.pruneFeed(srv.ctx, l.id, others); err != nil && srv.ctx.Err() == nil {
			srv.opts.Logger.Warn("old entries of the feed were not all deleted; they will be tried again", "err", err)
		}
	}
}

// pruneFeed deletes what is old of this server's stream, and of those of servers
// that are gone.
func (srv *Server) pruneFeed(ctx context.Context, own driver.Version, others bool) error {
	streams, err := readStreams(ctx, srv.db)
	if err != nil {
		return err
	}
	var failed []error
	for i := range streams.list {
		st := &streams.list[i]
		switch {
		case st.lease == own:
			err = srv.prune(ctx, st)
		case others:
			err = srv.pruneGone(ctx, streams, st)
		default:
			continue
		}
		if err != nil && !errors.Is(err, store.ErrConflict) { // else another server is at it
			failed = append(failed, fmt.Errorf("prune stream %v: %w", st.lease, err))
		}
	}
	return errors.Join(failed...)
}

// pruneGone prunes the stream of a server that is gone, and removes it in the end:
// when followers have had as long as it was kept to learn that nothing follows.
func (srv *Server) pruneGone(ctx context.Context, all *storedStreams, st *storedStream) error {
	if !st.Ended {
		gone, err := srv.leaseGone(ctx, st.lease)
		if err != nil || !gone {
			return err
		}
		st.Ended = true
		if err := srv.rewriteStream(ctx, st); err != nil {
			return err
		}
	}
	if err := srv.prune(ctx, st); err != nil {
		return err
	}
	left, err := srv.db.List(ctx, driver.Query{Prefix: feedPrefix(st.lease), After: feedKey(st.lease, st.Pruned), Limit: 1, KeysOnly: true})
	if err != nil || len(left.Entries) > 0 || age(left.Now, st.updated) < st.keep() {
		return err
	}
	return srv.removeStream(ctx, all, st)
}

// leaseGone reports whether nothing can be appended under a lease any more.
func (srv *Server) leaseGone(ctx context.Context, lease driver.Version) (bool, error) {
	snap, err := srv.db.Read(ctx, leaseKey(lease))
	if err != nil {
		return false, err
	}
	entry, err := decodeLease(&snap.Entries[0])
	return err == nil && (entry == nil || entry.Sealed != nil), err
}

// pruneAtOnce is how many entries are deleted at once.
const pruneAtOnce = 256

// prune deletes the entries of a stream that are old by the database's clock.
func (srv *Server) prune(ctx context.Context, st *storedStream) error {
	for {
		page, err := srv.db.List(ctx, driver.Query{
			Prefix: feedPrefix(st.lease), After: feedKey(st.lease, st.Pruned), Limit: pruneAtOnce, KeysOnly: true,
		})
		if err != nil {
			return err
		}
		old, more := st.Pruned, page.More
		for i := range page.Entries {
			e := &page.Entries[i]
			if age(page.Now, e.Updated) < st.keep() {
				more = false
				break
			}
			if old, err = journalNumber(e.Key); err != nil {
				return err
			}
		}
		if old == st.Pruned {
			return nil
		}
		st.Pruned = old
		if err := srv.rewriteStream(ctx, st); err != nil {
			return err
		}
		if err := srv.db.DeleteRange(ctx, feedKey(st.lease, 0), feedKey(st.lease, old+1)); err != nil || !more {
			return err
		}
	}
}

// age is how long ago something was written, by the database's clock: by its even
// one, and across its boots by the one for people.
func age(now, at driver.Moment) time.Duration {
	if d, same := now.Since(at); same {
		return d
	}
	return now.Wall.Sub(at.Wall)
}

// rewriteStream stores a stream's entry, if nobody else has meanwhile.
func (srv *Server) rewriteStream(ctx context.Context, st *storedStream) error {
	value, err := json.Marshal(&st.streamEntry)
	if err != nil {
		return fmt.Errorf("encode stream: %w", err)
	}
	at, id, err := srv.commitFeed(ctx, driver.Write{Key: streamKey(st.lease), Version: st.version, Value: value})
	if err == nil {
		st.version, st.updated = id, at
	}
	return err
}

// removeStream deletes a stream of which nothing is left, and counts that.
func (srv *Server) removeStream(ctx context.Context, all *storedStreams, st *storedStream) error {
	if err := srv.db.DeleteRange(ctx, feedPrefix(st.lease), driver.After(feedPrefix(st.lease))); err != nil {
		return err
	}
	value, err := json.Marshal(streamsEntry{feedFormat, all.removed + 1})
	if err != nil {
		return fmt.Errorf("encode streams: %w", err)
	}
	_, id, err := srv.commitFeed(ctx,
		driver.Write{Key: streamKey(st.lease), Version: st.version, Delete: true},
		driver.Write{Key: streamsKey(), Version: all.version, Value: value})
	if err == nil {
		all.removed, all.version = all.removed+1, id
	}
	return err
}

// commitFeed commits what is conditional and in no hurry.
func (srv *Server) commitFeed(ctx context.Context, writes ...driver.Write) (driver.Moment, driver.Version, error) {
	id, err := srv.db.NewVersion()
	if err != nil {
		return driver.Moment{}, id, err
	}
	at, err := srv.db.Commit(ctx, store.Attempt{Batch: driver.Batch{ID: id, Writes: writes}, Lane: store.Background})
	return at, id, err
}
