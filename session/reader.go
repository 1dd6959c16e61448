package session

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// Reader reads what servers keep without a lease and without a lock. It never
// writes, so a database that was opened for reading alone is enough. All its
// methods are safe for concurrent use; they block only to read.
type Reader struct {
	db     *store.DB
	limits document.Limits
}

// NewReader returns a reader of a database. The limits are those of the
// documents that it returns; a larger one is driver.ErrCorrupt. The db stays
// the caller's.
func NewReader(db *store.DB, limits document.Limits) *Reader {
	return &Reader{db: db, limits: limits}
}

// Peek reads a key without its lock. It is ErrNotFound if nothing was ever kept
// under it, ErrErased, or driver.ErrCorrupt.
func (rd *Reader) Peek(ctx context.Context, key Key) (*View, error) {
	if err := key.Check(); err != nil {
		return nil, fmt.Errorf("peek: %w", err)
	}
	for {
		v, again, err := rd.peek(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("peek %v: %w", key, err)
		}
		if !again {
			return v, nil
		}
	}
}

// peek reads root and tail, and reports whether the root moved meanwhile.
func (rd *Reader) peek(ctx context.Context, key Key) (v *View, again bool, err error) {
	r, e, err := readRoot(ctx, rd.db, key.String())
	switch {
	case err != nil:
		return nil, false, err
	case r == nil:
		return nil, false, ErrNotFound
	case r.Erased:
		return nil, false, r.erasedErr(key)
	}
	v = &View{Key: key, Revision: r.Revision, Version: e.Version, Birth: r.Birth, Created: e.Created, Updated: e.Updated.Wall}
	v.Saved = r.Lock == nil
	if v.Document, err = r.document(e.Key, &rd.limits); err != nil || v.Saved {
		return v, false, err
	}
	t, err := readTail(ctx, rd.db, r.Lock.Lease, r.Lock.Position)
	if err != nil {
		return nil, false, err
	}
	snap, err := rd.db.Read(ctx, e.Key, leaseKey(r.Lock.Lease))
	if err != nil {
		return nil, false, err
	}
	if snap.Entries[0].Version != e.Version {
		return nil, true, nil // and the tail may have been cut before it was read
	}
	h := held{doc: v.Document, revision: r.Revision}
	if err = t.replay(&h, r.Lock, &rd.limits); err != nil {
		return nil, false, err
	}
	v.Document, v.Revision, v.Saved = h.doc, h.revision, h.revision == r.Revision
	holder := r.Lock.holderUnder(&snap.Entries[1], snap.Now)
	v.Holder = &holder
	return v, false, nil
}

// holderUnder returns who holds a lock, with what its lease's entry tells of
// its end.
func (l *lock) holderUnder(e *driver.Entry, now driver.Moment) Holder {
	held := l.holder()
	if entry, err := decodeLease(e); err == nil && !entry.dead(l.Session) {
		held.Expires = entry.expires(e, now)
	}
	return held
}

// expires returns when a lease ends unless it is renewed, for people: a lease
// that seems to have been written in the future counts from now, and one from
// before the machine's last boot has ended.
func (e *leaseEntry) expires(stored *driver.Entry, now driver.Moment) time.Time {
	age, same := now.Since(stored.Updated)
	if !same {
		return time.Now()
	}
	return time.Now().Add(e.length() - max(age, 0))
}

// Versions returns the versions of a key that can be read, oldest first.
func (rd *Reader) Versions(ctx context.Context, key Key) ([]VersionInfo, error) {
	if err := key.Check(); err != nil {
		return nil, fmt.Errorf("versions: %w", err)
	}
	list, err := rd.db.Versions(ctx, key.String())
	if err != nil {
		return nil, fmt.Errorf("versions of %v: %w", key, err)
	}
	infos := make([]VersionInfo, len(list))
	for i, e := range list {
		infos[i] = VersionInfo{Version: e.Version, Updated: e.Updated.Wall, Marked: e.Marked}
	}
	return infos, nil
}

// ReadVersion returns one version, as its root was stored: without what lay in
// the journal only. It is store.ErrNotFound if there is no such version, and
// ErrErased for a tombstone.
func (rd *Reader) ReadVersion(ctx context.Context, key Key, v driver.Version) (*VersionView, error) {
	if err := key.Check(); err != nil {
		return nil, fmt.Errorf("read version: %w", err)
	}
	view, err := rd.readVersion(ctx, key.String(), v)
	if err != nil {
		return nil, fmt.Errorf("read version %v of %v: %w", v, key, err)
	}
	return view, nil
}

func (rd *Reader) readVersion(ctx context.Context, key string, v driver.Version) (*VersionView, error) {
	e, err := rd.db.ReadVersion(ctx, key, v)
	if err != nil {
		return nil, err
	}
	r, err := decodeRoot(&e)
	switch {
	case err != nil:
		return nil, err
	case r.Erased:
		return nil, ErrErased
	}
	view := &VersionView{VersionInfo: VersionInfo{e.Version, e.Updated.Wall, e.Marked}, Birth: r.Birth, Revision: r.Revision, By: r.By}
	view.Reason, view.Origins = r.why()
	view.Document, err = r.document(e.Key, &rd.limits)
	return view, err
}
