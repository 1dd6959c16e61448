package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// leaseEntry is what is stored for a server. Its expiry is when the entry was
// written, by the database's clock, plus its length.
type leaseEntry struct {
	Format  int          `json:"format"`
	Name    string       `json:"name"`
	Length  int64        `json:"length_ms"`
	Revoked []revocation `json:"revoked,omitempty"`
	Sealed  *seal        `json:"sealed,omitempty"`
}

// revocation takes one session away from a living server.
type revocation struct {
	Session driver.Version `json:"session"`
	By      string         `json:"by"`
	Reason  string         `json:"reason"`
	Erased  bool           `json:"erased,omitempty"` // because its key is erased
}

// cause is why a revoked session is lost.
func (r revocation) cause() error {
	if r.Erased {
		return fmt.Errorf("%w by %q: %s", ErrErased, r.By, r.Reason)
	}
	return fmt.Errorf("%w: revoked by %q: %s", ErrLease, r.By, r.Reason)
}

// seal ends a lease.
type seal struct {
	By     string `json:"by"`
	Reason string `json:"reason"`
}

const leaseFormat = 1

func (e *leaseEntry) length() time.Duration { return time.Duration(e.Length) * time.Millisecond }

func (e *leaseEntry) revokes(session driver.Version) bool {
	return e.revocation(session) != revocation{}
}

// revocation returns the revocation of a session, if there is one.
func (e *leaseEntry) revocation(session driver.Version) revocation {
	for _, r := range e.Revoked {
		if r.Session == session {
			return r
		}
	}
	return revocation{}
}

func (e *leaseEntry) encode() ([]byte, error) {
	e.Format = leaseFormat
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode lease: %w", err)
	}
	return b, nil
}

// decodeLease reads a stored lease; it returns nil if the entry is absent.
func decodeLease(e *driver.Entry) (*leaseEntry, error) {
	if !e.Found() {
		return nil, nil
	}
	if e.Damaged != nil {
		return nil, fmt.Errorf("read lease %q: %w", e.Key, e.Damaged)
	}
	var l leaseEntry
	if err := json.Unmarshal(e.Value, &l); err != nil {
		return nil, fmt.Errorf("read lease %q: %w: %w", e.Key, driver.ErrCorrupt, err)
	}
	if l.Format != leaseFormat {
		return nil, fmt.Errorf("read lease %q: %w: format %d, this program reads %d", e.Key, driver.ErrFormat, l.Format, leaseFormat)
	}
	if l.length() < time.Millisecond || l.length() > MaxLease {
		return nil, fmt.Errorf("read lease %q: %w: length of %d ms", e.Key, driver.ErrCorrupt, l.Length)
	}
	return &l, nil
}

// dead is the one verdict on a lock: whether the session that it names can
// never write again. Expiry alone does not make it so.
func (e *leaseEntry) dead(session driver.Version) bool {
	return e == nil || e.Sealed != nil || e.revokes(session)
}

// lease is this server's lease with its journal, from the commit that creates
// it until it is deleted, sealed or found lost. A server that has lost one
// takes another; sessions belong to the lease under which they were opened.
//
// Two locks guard it. Turning is held for reading while a change enters its
// session's ledger, and for writing for the instant in which the journal turns
// to a new page: so the changes of a group are on one page. Mu guards the rest.
// A session's lock is taken before turning, and neither is taken under mu,
// except turning.
type lease struct {
	srv  *Server
	id   driver.Version
	feed time.Duration // how long what it appends is kept for followers; 0: not at all

	suspended atomic.Bool
	over      atomic.Bool // lost or closed: sessions can no longer change

	turning sync.RWMutex
	turn    uint64 // number of the journal's page
	page    struct {
		sync.Mutex
		changes []*changes // of the current turn, in the order in which their sessions first changed
		since   time.Time  // of the first
	}

	mu        sync.Mutex
	entry     leaseEntry
	version   driver.Version
	renewed   time.Time     // before the last good renewal was sent
	heard     time.Time     // when that was answered
	stood     time.Time     // since when the lease has stood without running out
	queue     [][]*changes  // groups that have turned and wait for an append
	flight    *appending    // the append or renewal under way
	due       bool          // somebody waits: begin the next at once
	number    uint64        // of the last append that was begun
	answered  uint64        // of the last append that was answered
	journal   journalSize   // what lies in the database
	unsaved   oldestFirst   // sessions with records that their roots lack
	idle      []func()      // to call when no append is under way
	leaving   bool          // it is being given back: no append begins any more
	wholes    []whole       // wait for the next append
	spare     int           // bytes of changes appended, less those of whole states: what pays for more
	trust     *time.Timer   // suspends
	renewal   *time.Timer   // renews
	pageTimer *time.Timer   // begins an append
	trouble   error         // why the last append was not taken, until one is
	cause     error         // why it is over
	lost      chan struct{} // closed when it is over
}

// take creates a lease for the server.
func (srv *Server) take() (*lease, error) {
	id, err := srv.db.NewVersion()
	if err != nil {
		return nil, err
	}
	l := &lease{srv: srv, id: id, version: id, turn: 1, lost: make(chan struct{})}
	l.entry = leaseEntry{Name: srv.opts.Name, Length: srv.opts.Lease.Milliseconds()}
	value, err := l.entry.encode()
	if err != nil {
		return nil, err
	}
	writes := []driver.Write{{Key: leaseKey(id), Value: value}}
	if writes, err = l.openStream(writes); err != nil {
		return nil, err
	}
	sent := time.Now()
	at, err := srv.db.Commit(srv.ctx, store.Attempt{
		Batch: driver.Batch{
			ID:     id,
			Checks: []driver.Check{{Key: UnfinishedKey()}},
			Writes: writes,
		},
		Lane:  store.Urgent,
		Tries: -1,
	})
	if err = srv.unfinished(srv.ctx, err); errors.Is(err, ErrUnfinished) {
		return nil, fmt.Errorf("take a lease: %w", err)
	}
	if err != nil {
		srv.drop(leaseKey(id)) // it may have been taken, or may yet be
		return nil, fmt.Errorf("take a lease: %w", err)
	}
	srv.wall.heard(at)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.renewed, l.heard, l.stood = sent, time.Now(), time.Now()
	l.trust = time.AfterFunc(time.Until(sent.Add(srv.opts.Lease)), l.suspend)
	l.renewal = time.AfterFunc(srv.opts.renewEvery(), l.renew)
	l.pageTimer = time.AfterFunc(time.Hour, l.append)
	l.pageTimer.Stop()
	return l, nil
}

// suspend stops the server's trust in itself: its lease was not renewed for its
// whole length, so another may have sealed it.
func (l *lease) suspend() {
	l.mu.Lock()
	if l.over.Load() || time.Since(l.renewed) < l.srv.opts.Lease {
		l.mu.Unlock()
		return
	}
	l.suspended.Store(true)
	l.mu.Unlock()
	l.srv.tellSuspended()
}

// trustedLocked notes a good renewal and reports whether it ends a suspension.
func (l *lease) trustedLocked(sent time.Time) bool {
	if time.Since(sent) >= l.srv.opts.Lease {
		return false // too old to mean anything; the next renewal decides
	}
	if time.Since(l.renewed) >= l.srv.opts.Lease {
		l.stood = time.Now() // and not when it was sent: the database may have been away until now
	}
	l.renewed, l.heard = sent, time.Now()
	l.trust.Reset(time.Until(sent.Add(l.srv.opts.Lease)))
	return l.suspended.Swap(false)
}

// standing reports whether the lease has stood for d without once running out,
// by this server's own clock. Only then may it judge others' leases.
func (l *lease) standing(d time.Duration) (ok bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over.Load() || l.suspended.Load() || time.Since(l.renewed) >= l.srv.opts.Lease {
		return false, l.srv.opts.renewEvery()
	}
	left := d - time.Since(l.stood)
	return left <= 0, left
}

// trustedUntil returns when the lease runs out unless it is renewed, by this
// server's own clock.
func (l *lease) trustedUntil() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.renewed.Add(l.srv.opts.Lease)
}

// renewedSince returns when the last renewal was answered, if it was sent after
// t. If none was sent since, it sends one.
func (l *lease) renewedSince(t time.Time) (heard time.Time, ok bool) {
	l.mu.Lock()
	ok, heard = l.renewed.After(t), l.heard
	l.mu.Unlock()
	if !ok {
		l.renew()
	}
	return heard, ok
}

// end makes the lease over, and ends its sessions. It returns false if it was
// over already. Changes that were not appended are lost.
func (l *lease) end(cause error) bool {
	l.mu.Lock()
	if l.over.Swap(true) {
		l.mu.Unlock()
		return false
	}
	l.cause = cause
	l.trust.Stop()
	l.renewal.Stop()
	l.pageTimer.Stop()
	idle := l.idle
	l.idle = nil
	l.mu.Unlock()
	close(l.lost)
	l.srv.endSessions(l, cause)
	for _, fn := range idle {
		fn()
	}
	return true
}
