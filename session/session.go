package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// state says where a session is in its life.
type state uint8

const (
	stateOpen state = iota
	stateClosing
	stateClosed
	stateLost
)

// Session is this server's hold on a key, with the key's document in memory.
// All its methods are safe for concurrent use.
//
// The session's lock guards the document. Begin takes it for a change; Lock
// and RLock give it to whoever keeps data of his own beside the document.
type Session struct {
	lease *lease

	// mu guards what follows, up to the next comment of this sort. What every update
	// touches comes first, and as little of it as possible lies elsewhere: of many
	// players, none is in a cache, and an update takes the longer the more places it must
	// look at.
	mu       sync.RWMutex
	state    state
	dirty    bool     // changed since the last snapshot for a save, other than lazily
	pending  *changes // of the journal's current turn, or of one that turned since
	revision uint64   // of the document
	saving   *saving
	frozen   *Frozen   // nil, or who holds the session still
	since    time.Time // of the oldest change that is not saved
	doc      document.Document
	tx       Tx
	unsaved  ledger // only was: what the paths changed since the last snapshot for a save held then
	room     room   // of unsaved
	lazy     ledger // changes that are not for the journal

	err      error          // why it ended, or nil
	turned   *changes       // of a former turn, not yet answered
	outbox   outbox         // appended, and in no save yet
	keep     bool           // the next save's version is kept whatever the schedule, for what was appended
	reasons  reasons        // likewise
	origins  uint64         // updates with an origin so far, and exchanges
	along    along          // nil, or what saves take along
	adopted  *changes       // nil, or those in which what an exchange made waits for its append
	exchange driver.Version // that the root holds and no record of the feed tells; zero: none
	tail     int            // bytes appended since the last snapshot
	version  driver.Version
	rows     rows     // in rankings, as the root has them
	ranked   []Ranked // what feeds rankings, from now on
	want     Cause    // of a save that should begin
	mark     string   // reason of the operator whose act the next save is
	waiters  []saveWaiter
	closers  []func(error)

	// The lease's mu guards these: numbers of the oldest record that the root
	// lacks and of the first after the last snapshot (0: none), place in the
	// lease's heap, whether the journal has asked for a save, and whether the whole
	// state was appended and toldLocked has not heard of it.
	oldest, next uint64
	slot         int
	pressed      bool
	telling      bool

	reopened chan struct{} // nil, or closed when a closing was refused; the server's mu guards it

	// What follows stays as it is.
	srv     *Server
	key     Key
	rootKey string
	id      driver.Version
	birth   driver.Version
	fresh   bool
	opts    OpenOptions
	head    header
	lock    lock          // as it stands in the root
	done    chan struct{} // closed when it has ended

	gone    atomic.Bool                   // nothing of it may be appended any more
	ending  atomic.Bool                   // closing
	handing atomic.Bool                   // a hand-over is under way
	opening atomic.Bool                   // whoever opens it has not got it yet
	durable atomic.Pointer[func(Durable)] // who is told of what is on disk
}

// Key returns the session's key.
func (s *Session) Key() Key { return s.key }

// ID returns the session's id, which is unique to this Open.
func (s *Session) ID() string { return s.id.String() }

// Birth returns the id of the version that created what is under the key.
func (s *Session) Birth() driver.Version { return s.birth }

// Fresh reports whether nothing was kept under the key before.
func (s *Session) Fresh() bool { return s.fresh }

// Lock locks the session against changes, readers and snapshots, and Unlock
// ends that. They are for reading the document and for data that its keeper
// changes without changing the document.
func (s *Session) Lock() { s.mu.Lock() }

// Unlock ends Lock.
func (s *Session) Unlock() { s.mu.Unlock() }

// TryLock locks the session if that takes no waiting, and reports whether it did.
func (s *Session) TryLock() bool { return s.mu.TryLock() }

// RLock locks the session against changes. It allows to read what the session's
// lock guards beside the document; the document itself needs Lock.
func (s *Session) RLock() { s.mu.RLock() }

// RUnlock ends RLock.
func (s *Session) RUnlock() { s.mu.RUnlock() }

// Document returns the document. It is for reading, with Lock held.
func (s *Session) Document() *document.Document { return &s.doc }

// SavedValue returns what the last saved root holds under a path. The caller
// holds Lock.
func (s *Session) SavedValue(p document.Path) ([]byte, bool) {
	now, _ := s.doc.Get(p)
	v := s.savedLocked(p, now)
	return v, v != nil
}

func (s *Session) savedLocked(p document.Path, now []byte) []byte {
	v := s.unsaved.revert(p, now)
	if s.saving != nil {
		v = s.saving.unsaved.revert(p, v)
	}
	return v
}

// Dirty reports whether there are changes that are not saved, other than lazy
// ones.
func (s *Session) Dirty() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.dirty || s.saving != nil
}

// Revision returns how many changes were ever committed of what is under the
// key, lazy ones aside. It grows by one with each Commit that changes or attaches
// anything; what a crash takes back, it takes back too.
func (s *Session) Revision() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.revision
}

// Version returns the id of the root's version that this session wrote last.
func (s *Session) Version() driver.Version {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.version
}

// Mark makes the next save an operator's act: its version carries the reason
// (at most 200 bytes are kept), and it and the one before it are kept beyond
// the retention's schedule. It asks for a save even if nothing else changed.
func (s *Session) Mark(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reason == "" {
		reason = "edit"
	}
	s.mark = strings.ToValidUTF8(reason[:min(len(reason), 200)], "")
}

// Done is closed when the session has ended; Err then says how.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err returns nil while the session is open, ErrClosed after Close, and a
// *LostError if it was lost.
func (s *Session) Err() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.err
}

// writableLocked says why the document may not be changed now.
func (s *Session) writableLocked() error {
	switch {
	case s.state == stateLost:
		return s.err
	case s.state != stateOpen:
		return fmt.Errorf("change %v: %w", s.key, ErrClosed)
	case s.lease.suspended.Load():
		return fmt.Errorf("change %v: %w", s.key, ErrSuspended)
	case s.frozen != nil:
		return fmt.Errorf("change %v: %w", s.key, ErrFrozen)
	}
	return nil
}

// Sync waits until everything that was committed so far, lazy changes aside,
// is in the journal: then it is on disk and no crash takes it back. It joins
// the append that starts next. If ctx ends first, the append goes on.
func (s *Session) Sync(ctx context.Context) error {
	s.mu.RLock()
	c, state, err := s.latestLocked(), s.state, s.err
	s.mu.RUnlock()
	switch {
	case state == stateLost:
		return err
	case c == nil: // also after Close, whose save held everything
		return nil
	}
	done := make(chan error, 1)
	s.lease.wait(c, func(err error) { done <- err })
	return s.await(ctx, done, "wait for the journal of")
}

// latestLocked returns the newest changes that may not have been answered yet.
func (s *Session) latestLocked() *changes {
	if s.pending != nil {
		return s.pending
	}
	return s.turned
}

// await waits for the outcome of what was begun, or until ctx ends: then the
// error says what keeps the journal, if anything does.
func (s *Session) await(ctx context.Context, done <-chan error, what string) error {
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	s.lease.mu.Lock()
	trouble := s.lease.trouble
	s.lease.mu.Unlock()
	if trouble != nil {
		return fmt.Errorf("%s %v: %w: %w: the journal waits: %w", what, s.key, store.ErrUncertain, context.Cause(ctx), trouble)
	}
	return fmt.Errorf("%s %v: %w: %w", what, s.key, store.ErrUncertain, context.Cause(ctx))
}

// Close saves everything and releases the lock in one commit, and returns when that
// is on disk. What was changed together with other sessions is appended before. Changes are refused from now on.
// If ctx ends first, Close returns and the session goes on closing. If the save
// is refused for a reason that may be mended (driver.ErrReadOnly and the
// like), the session is open again, nothing is released and nothing is lost. A
// session that was lost returns its *LostError, one that was closed before nil.
func (s *Session) Close(ctx context.Context) error {
	done := make(chan error, 1)
	s.close(func(err error) { done <- err })
	return s.await(ctx, done, "close")
}

// StartClose is Close for who does not wait for its end: when it returns, changes are
// refused, and Open gives the session to nobody any more. Fn is told what Close would
// return; it must not block. StartClose itself waits only for a change under way.
func (s *Session) StartClose(fn func(error)) { s.close(fn) }

// close starts closing and calls fn when it has come to its end.
func (s *Session) close(fn func(error)) {
	s.mu.Lock()
	s.closeLocked(fn)
}

// closeSoon is close for who must not wait: if somebody holds the session's
// lock, a goroutine of its own waits for that. Sessions that are closed one
// after another are otherwise saved in that order.
func (s *Session) closeSoon(fn func(error)) {
	if s.mu.TryLock() {
		s.closeLocked(fn)
		return
	}
	s.srv.work(func() { s.close(fn) })
}

// soon calls now with the session's lock held, if that takes no waiting, and
// else later, likewise, on a goroutine that waits for it.
func (s *Session) soon(now, later func()) {
	if s.mu.TryLock() {
		defer s.mu.Unlock()
		now()
		return
	}
	s.srv.work(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		later()
	})
}

// closeLocked is close with the session's lock held; it unlocks it.
func (s *Session) closeLocked(fn func(error)) {
	switch s.state {
	case stateClosed:
		s.mu.Unlock()
		fn(nil)
		return
	case stateLost:
		err := s.err
		s.mu.Unlock()
		fn(err)
		return
	}
	s.state = stateClosing
	s.ending.Store(true)
	s.closers = append(s.closers, fn)
	saves := s.trySaveLocked(nil)
	waits := s.latestLocked() != nil && len(saves) == 0 // the final save comes after an append
	s.mu.Unlock()
	s.srv.db.Go(saves...)
	if waits {
		s.lease.begin(false)
	}
}

// lose ends the session against its will. It returns false if it had ended.
func (s *Session) lose(cause error) bool {
	s.gone.Store(true)
	s.mu.Lock()
	if s.state == stateClosed || s.state == stateLost {
		s.mu.Unlock()
		return false
	}
	held := s.heldLocked()
	lost := &LostError{Key: s.key, Cause: cause, Unsaved: held}
	s.state, s.err = stateLost, lost
	page := []*changes{s.turned, s.pending}
	closers, waiters := s.closers, s.waiters
	s.closers, s.waiters = nil, nil
	s.mu.Unlock()
	for _, c := range page {
		if c != nil {
			s.lease.settle(c, lost)
		}
	}
	s.srv.opts.Logger.Error("session lost", "key", s.rootKey, "session", s.id.String(), "changes", len(held), "err", cause)
	s.srv.mx.lost.Inc()
	s.ended(lost)
	for _, w := range waiters {
		w.done(lost)
	}
	for _, fn := range closers {
		fn(lost)
	}
	s.srv.settleSoon(s)
	return true
}

// heldLocked returns what is in memory and not known to be in the database.
func (s *Session) heldLocked() document.Delta {
	var held document.Delta
	for _, c := range []*changes{s.turned, s.pending} {
		if c != nil {
			held = held.Merge(c.ledger.now)
		}
	}
	return held.Merge(s.lazyLocked())
}

// ended takes the session out of its server and tells who asked to be told.
func (s *Session) ended(err error) {
	s.srv.forget(s)
	close(s.done)
	if s.opts.Ended != nil {
		s.opts.Ended(s, err)
	}
}

func compareKeys(a, b *Session) int { return strings.Compare(a.rootKey, b.rootKey) }

func sortByKey(ss []*Session) { slices.SortFunc(ss, compareKeys) }
