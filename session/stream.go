package session

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// MaxStreams is how many streams a feed may have: one for each server process that
// keeps one, and for those that are gone until what they wrote is old.
const MaxStreams = driver.MaxRead - 1

// Streams are the streams of a feed, as they were at one moment.
type Streams struct {
	List    []Stream // in the order of their leases
	Removed uint64   // how many there were besides, of which nothing is kept any more
	Now     driver.Moment
}

// Stream is what one lease's server appends to the feed.
type Stream struct {
	Lease  driver.Version
	Server string        // the name that the server gave itself
	Keep   time.Duration // how long an entry is kept
	Pruned uint64        // entries up to this number may have been deleted
	Ended  bool          // nothing follows what is there
}

// FeedEntry is one append of a stream.
type FeedEntry struct {
	Key     string // in the database
	Number  uint64
	Written driver.Moment
	Records []FeedRecord
	Err     error // why the entry cannot be read; nil: it can
}

// FeedRecord is what one session changed in one append, or its whole state.
type FeedRecord struct {
	Key      Key
	Birth    driver.Version // of what is under the key
	Session  driver.Version
	Revision uint64 // of the document, with this record
	// Whole says that Delta names every field that the document has: those that it
	// does not name are gone.
	Whole   bool
	Delta   document.Delta
	Reasons []string
}

// Streams returns the streams of the database's feed. There are none if no server
// keeps one.
func (rd *Reader) Streams(ctx context.Context) (*Streams, error) {
	stored, err := readStreams(ctx, rd.db)
	if err != nil {
		return nil, err
	}
	s := &Streams{Removed: stored.removed, Now: stored.now}
	for i := range stored.list {
		st := &stored.list[i]
		s.List = append(s.List, Stream{st.lease, st.Server, st.keep(), st.Pruned, st.Ended})
	}
	return s, nil
}

// FeedQuery says what Feed returns.
type FeedQuery struct {
	Lease driver.Version
	After uint64 // entries with greater numbers
	Limit int    // at most so many, 1 to driver.MaxRead
	// NumbersOnly leaves out the records, and does not find out whether they can be
	// read.
	NumbersOnly bool
}

// Feed returns entries of one stream in the order in which they were written, and
// whether there are more. Numbers that were given up leave gaps.
func (rd *Reader) Feed(ctx context.Context, q FeedQuery) (entries []FeedEntry, more bool, err error) {
	page, err := rd.db.List(ctx, driver.Query{
		Prefix: feedPrefix(q.Lease), After: feedKey(q.Lease, q.After), Limit: q.Limit, KeysOnly: q.NumbersOnly,
	})
	if err != nil {
		return nil, false, fmt.Errorf("read the feed: %w", err)
	}
	entries = make([]FeedEntry, len(page.Entries))
	for i := range page.Entries {
		e, found := &page.Entries[i], &entries[i]
		found.Key, found.Written = e.Key, e.Updated
		if found.Number, err = journalNumber(e.Key); err != nil {
			return nil, false, fmt.Errorf("read the feed: %w", err)
		}
		if !q.NumbersOnly {
			if found.Records, err = rd.feedRecords(e); err != nil {
				found.Err = fmt.Errorf("read feed entry %q: %w", e.Key, err)
			}
		}
	}
	return entries, page.More, nil
}

// feedRecords decodes an entry.
func (rd *Reader) feedRecords(e *driver.Entry) ([]FeedRecord, error) {
	if e.Damaged != nil {
		return nil, e.Damaged
	}
	stored, err := decodeFeed(e.Value)
	if err != nil {
		return nil, err
	}
	records := make([]FeedRecord, len(stored))
	for i := range stored {
		r := &stored[i]
		key, err := ParseKey(r.key)
		if err != nil {
			return nil, fmt.Errorf("%w: record %d: %w", driver.ErrCorrupt, i+1, err)
		}
		records[i] = FeedRecord{
			Key: key, Birth: r.birth, Session: r.session, Revision: r.revision,
			Whole: r.kind == recordWhole, Reasons: r.reasons.texts(),
		}
		if records[i].Delta, err = r.changes(&rd.limits); err != nil {
			return nil, fmt.Errorf("%w: record %d, of %v: %w", driver.ErrCorrupt, i+1, key, err)
		}
	}
	return records, nil
}

// changes returns what the record changes, or all fields if it is a whole state.
func (r *record) changes(l *document.Limits) (document.Delta, error) {
	if r.kind == recordDelta {
		return document.DecodeDelta(r.body, l)
	}
	doc, err := document.Parse(r.body, l)
	if err != nil {
		return nil, err
	}
	all := make(document.Delta, 0, doc.Len())
	for name, value := range doc.Fields() {
		all = append(all, document.Change{Path: document.Field(name), Value: value})
	}
	return all, nil
}

// storedStreams are the streams as they are stored.
type storedStreams struct {
	list    []storedStream
	removed uint64
	version driver.Version // of the entry with removed
	now     driver.Moment
}

type storedStream struct {
	streamEntry
	lease   driver.Version
	version driver.Version
	updated driver.Moment
}

// kept returns for how long the feed is kept by those who keep it longest.
func (s *storedStreams) kept() time.Duration {
	var longest time.Duration
	for i := range s.list {
		longest = max(longest, s.list[i].keep())
	}
	return longest
}

// readStreams reads all streams at one moment.
func readStreams(ctx context.Context, db *store.DB) (*storedStreams, error) {
	page, err := db.List(ctx, driver.Query{Prefix: streamsKey()})
	if err != nil {
		return nil, fmt.Errorf("list the streams of the feed: %w", err)
	}
	if page.More {
		return nil, fmt.Errorf("list the streams of the feed: %w: more than %d", driver.ErrInvalid, MaxStreams)
	}
	s := &storedStreams{now: page.Now}
	for i := range page.Entries {
		if err := s.add(&page.Entries[i]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *storedStreams) add(e *driver.Entry) error {
	if e.Key == streamsKey() {
		var all streamsEntry
		err := decodeStream(e, &all, &all.Format)
		s.removed, s.version = all.Removed, e.Version
		return err
	}
	st := storedStream{version: e.Version, updated: e.Updated}
	lease, err := leaseOf(e.Key)
	if err == nil {
		err = decodeStream(e, &st.streamEntry, &st.Format)
	}
	if err == nil && (st.keep() < MinFeed || st.keep() > MaxFeed) {
		err = fmt.Errorf("read %q: %w: kept for %v", e.Key, driver.ErrCorrupt, st.keep())
	}
	st.lease = lease
	s.list = append(s.list, st)
	return err
}

// decodeStream reads the entry of a stream, or of all.
func decodeStream(e *driver.Entry, into any, format *int) error {
	if e.Damaged != nil {
		return fmt.Errorf("read %q: %w", e.Key, e.Damaged)
	}
	if err := json.Unmarshal(e.Value, into); err != nil {
		return fmt.Errorf("read %q: %w: %w", e.Key, driver.ErrCorrupt, err)
	}
	if *format != feedFormat {
		return fmt.Errorf("read %q: %w: format %d, this program reads %d", e.Key, driver.ErrFormat, *format, feedFormat)
	}
	return nil
}
