package session

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// RootsOptions say which keys are listed. Nil is the same as the zero value.
type RootsOptions struct {
	Kind  string // only keys of this kind; empty: all
	ID    string // only ids that begin with this; it needs a Kind
	After Key    // only keys that sort after this one; zero: from the first
}

func (o *RootsOptions) query() driver.Query {
	q := driver.Query{Limit: listPage}
	if o == nil {
		return q
	}
	if o.Kind != "" {
		q.Prefix = store.JoinKey(o.Kind, o.ID)
	}
	if o.After != (Key{}) {
		q.After = o.After.String()
	}
	return q
}

// listPage is how many roots are read at a time.
const listPage = 256

// RootInfo is what a listing tells of a key.
type RootInfo struct {
	Key     Key
	Version driver.Version
	Created time.Time
	Updated time.Time
	Bytes   int     // of the root as it is stored
	Holder  *Holder // who holds the lock; nil: nobody
	Erased  bool    // only a tombstone is left
	Err     error   // why the root cannot be read; nil: it can
}

// Roots yields what is kept, in the order of the keys' text. It reads a page at
// a time; keys that come or go meanwhile may be seen or not. A root that cannot
// be read is yielded with its Err set; an error beside it ends the listing.
func (rd *Reader) Roots(ctx context.Context, o *RootsOptions) iter.Seq2[RootInfo, error] {
	return func(yield func(RootInfo, error) bool) {
		q := o.query()
		for {
			page, err := rd.db.List(ctx, q)
			if err != nil {
				yield(RootInfo{}, fmt.Errorf("list keys: %w", err))
				return
			}
			infos, err := rd.describe(ctx, page.Entries)
			if err != nil {
				yield(RootInfo{}, fmt.Errorf("list keys: %w", err))
				return
			}
			for _, info := range infos {
				if !yield(info, nil) {
					return
				}
			}
			if !page.More {
				return
			}
			q.After = page.Entries[len(page.Entries)-1].Key
		}
	}
}

// describe tells what the roots among entries hold. What is no root is left
// out.
func (rd *Reader) describe(ctx context.Context, entries []driver.Entry) ([]RootInfo, error) {
	var infos []RootInfo
	var locks []*lock
	leases := make(map[driver.Version]int)
	var keys []string
	for i := range entries {
		e := &entries[i]
		key, err := ParseKey(e.Key)
		if err != nil {
			continue // the system's own, or what belongs to a root
		}
		info := RootInfo{Key: key, Version: e.Version, Created: e.Created, Updated: e.Updated.Wall, Bytes: len(e.Value)}
		r, err := decodeRoot(e)
		if info.Err = err; err == nil {
			info.Erased = r.Erased
		}
		var held *lock
		if err == nil && r.Lock != nil {
			held = r.Lock
			if _, ok := leases[held.Lease]; !ok {
				leases[held.Lease] = len(keys)
				keys = append(keys, leaseKey(held.Lease))
			}
		}
		infos, locks = append(infos, info), append(locks, held)
	}
	if len(keys) == 0 {
		return infos, nil
	}
	snap, err := rd.db.Read(ctx, keys...)
	if err != nil {
		return nil, err
	}
	for i, held := range locks {
		if held != nil {
			h := held.holderUnder(&snap.Entries[leases[held.Lease]], snap.Now)
			infos[i].Holder = &h
		}
	}
	return infos, nil
}

// LeaseInfo is what a listing tells of a server's lease.
type LeaseInfo struct {
	ID       string
	Server   string        // the name that the server gave itself
	Length   time.Duration // how long the lease holds without a renewal
	Taken    time.Time
	Renewed  time.Time
	Expires  time.Time // when it ends unless it is renewed; zero if it is sealed
	SealedBy string    // who sealed it; empty: it is not sealed
	Reason   string    // why it was sealed
	Revoked  int       // sessions that operators took away from it
	Err      error     // why the entry cannot be read; nil: it can
}

// Leases yields the leases of all servers, in the order in which they were
// taken. One whose entry cannot be read is yielded with its Err set; an error
// beside it ends the listing.
func (rd *Reader) Leases(ctx context.Context) iter.Seq2[LeaseInfo, error] {
	return func(yield func(LeaseInfo, error) bool) {
		q := driver.Query{Prefix: store.SystemKey("lease") + "/", Limit: listPage}
		for {
			page, err := rd.db.List(ctx, q)
			if err != nil {
				yield(LeaseInfo{}, fmt.Errorf("list leases: %w", err))
				return
			}
			for i := range page.Entries {
				q.After = page.Entries[i].Key
				if !yield(leaseInfo(&page.Entries[i], page.Now), nil) {
					return
				}
			}
			if !page.More {
				return
			}
		}
	}
}

func leaseInfo(e *driver.Entry, now driver.Moment) LeaseInfo {
	_, id, _ := strings.Cut(e.Key, "/")
	info := LeaseInfo{ID: id, Taken: e.Created, Renewed: e.Updated.Wall}
	entry, err := decodeLease(e)
	if err != nil {
		info.Err = err
		return info
	}
	info.Server, info.Length, info.Revoked = entry.Name, entry.length(), len(entry.Revoked)
	if entry.Sealed == nil {
		info.Expires = entry.expires(e, now)
	} else {
		info.SealedBy, info.Reason = entry.Sealed.By, entry.Sealed.Reason
	}
	return info
}

// eachKey calls fn with the key of each entry under a prefix. One for which it fails holds
// up no other; the error names them all.
func (srv *Server) eachKey(ctx context.Context, prefix string, fn func(entry string) error) error {
	var failed []error
	q := driver.Query{Prefix: prefix, KeysOnly: true, Limit: listPage}
	for {
		page, err := srv.db.List(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Entries {
			q.After = page.Entries[i].Key
			if err := fn(q.After); err != nil {
				failed = append(failed, fmt.Errorf("entry %q: %w", q.After, err))
			}
		}
		if !page.More || ctx.Err() != nil {
			return errors.Join(failed...)
		}
	}
}
