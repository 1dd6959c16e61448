package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// A change of several keys, which may be open on several servers, is one commit
// of all their roots, made by one server: an exchange. Whoever holds one of the
// keys holds its session still meanwhile:
//
//	open ──▶ freezing ──▶ still ──▶ open
//	         everything     │        ▲ Release: the exchange was never sent, or was refused
//	         is saved       └────────┘ Settle: find out, and adopt what it wrote
//
// While the session is still, its root holds everything: no record follows its
// position, and nothing is attached. The exchange names the version that the root
// had, and gives it one that was announced. So at most one of the two happens: the
// exchange, or the holder's next commit. A holder that hears nothing commits his
// own next version: if that is refused, and the root bears the announced version,
// then the exchange happened, and what it wrote is read from there; and if it is
// taken, the exchange never can be. If the holder dies meanwhile, whoever takes
// the key over moves the root likewise.

// Frozen is a session that is held still for an exchange. Release ends it. One
// goroutine at a time uses it.
type Frozen struct {
	s         *Session
	announced driver.Version
	at        driver.Version   // of the root
	steps     []driver.Version // that Settle tried to give to the root
	still     bool             // everything is saved, and no save begins; the session's mu guards it
	thawed    chan struct{}

	// The session's mu guards these.
	turn  chan struct{} // closed when it is the turn of a freeze that waits
	left  bool          // it does not wait any more
	queue []*Frozen     // who waits for this one, in the order in which they came
}

// Freeze holds the session still for an exchange whose version will be the
// announced one: updates are refused as ErrFrozen, and it returns when everything
// that was changed before, lazy changes included, is in the root. It waits for a
// freeze that is under way; those that wait take turns. It blocks until then or until
// ctx ends, and then holds nothing. Reading goes on. A closing that begins meanwhile waits for Release.
func (s *Session) Freeze(ctx context.Context, announced driver.Version) (*Frozen, error) {
	f := &Frozen{s: s, announced: announced, thawed: make(chan struct{})}
	for {
		turn, err := f.take()
		if err != nil {
			return nil, fmt.Errorf("freeze %v: %w", s.key, err)
		}
		if turn == nil {
			break
		}
		if err := wait(ctx, turn); err != nil {
			f.leave()
			return nil, fmt.Errorf("freeze %v: wait for another freeze: %w", s.key, err)
		}
	}
	for {
		done, err := f.quieten(ctx)
		switch {
		case err != nil:
			f.Release()
			return nil, fmt.Errorf("freeze %v: %w", s.key, err)
		case done:
			return f, nil
		}
	}
}

// quieten saves what there is, and reports whether that was all.
func (f *Frozen) quieten(ctx context.Context) (bool, error) {
	if err := f.s.Save(ctx); err != nil {
		return false, err
	}
	done, appending, err := f.quiet()
	if appending {
		err = f.s.lease.whenIdle(ctx)
	}
	return done, err
}

// take makes the session's updates stop, or returns a channel to wait for.
func (f *Frozen) take() (turn <-chan struct{}, err error) {
	s := f.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.frozen; before != nil && s.state == stateOpen {
		f.turn = make(chan struct{})
		before.queue = append(append(before.queue, f), f.queue...)
		f.queue = nil
		return f.turn, nil
	}
	if err := s.writableLocked(); err != nil {
		f.passLocked()
		return nil, err
	}
	s.frozen = f
	return nil, nil
}

// passLocked lets the next one try that waits. Only one does at a time: so they take
// turns, and an update may come in between.
func (f *Frozen) passLocked() {
	for i, next := range f.queue {
		if next.left {
			continue
		}
		next.queue = f.queue[i+1:]
		close(next.turn)
		break
	}
	f.queue = nil
}

// leave ends the wait for a turn.
func (f *Frozen) leave() {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.left = true
	select {
	case <-f.turn: // which has come at the same time
		f.passLocked()
	default:
	}
}

// quiet reports whether nothing is left to be saved, and keeps it so. It also
// reports whether a record of the session is being appended, after which there
// will be.
func (f *Frozen) quiet() (done, appending bool, err error) {
	s := f.s
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state == stateLost:
		return false, false, s.err
	case s.state != stateOpen:
		return false, false, ErrClosed
	case s.changedLocked() || s.saving != nil || s.latestLocked() != nil || len(s.outbox) > 0 || s.mark != "":
		return false, false, nil
	}
	switch covered, appending := s.coveredLocked(); {
	case appending:
		return false, true, nil
	case !covered:
		s.dirtied()
		return false, false, nil
	}
	f.still, f.at = true, s.version
	return true, false, nil
}

// coveredLocked reports whether no record of the session follows its root's
// position, and whether one is being appended. The session has nothing that is
// not saved: so only a whole state can follow, which was appended when the save
// did not come. To replay it would undo the exchange. One that waits for an append
// is not needed any more.
func (s *Session) coveredLocked() (covered, appending bool) {
	l := s.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	own := func(w whole) bool { return w.s == s }
	l.wholes = slices.DeleteFunc(l.wholes, own)
	if l.flight != nil && slices.ContainsFunc(l.flight.wholes, own) {
		return false, true
	}
	return s.oldest == 0 && s.next == 0, false
}

// stillLocked reports whether the session is held still.
func (s *Session) stillLocked() bool { return s.frozen != nil && s.frozen.still }

// Thawed returns a channel that is closed when the session is no longer frozen,
// or nil if it is not frozen.
func (s *Session) Thawed() <-chan struct{} {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.frozen == nil {
		return nil
	}
	return s.frozen.thawed
}

// Version returns the version at which the root stands still.
func (f *Frozen) Version() driver.Version { return f.at }

// Session returns the session that is held still.
func (f *Frozen) Session() *Session { return f.s }

// Release lets the session go on. It is for an exchange that was never sent or
// that was refused, and for the end after Settle; an exchange that may have
// happened must be settled first. A second call does nothing.
func (f *Frozen) Release() {
	s := f.s
	s.mu.Lock()
	if s.frozen != f {
		s.mu.Unlock()
		return
	}
	s.frozen = nil
	if f.still {
		// The root has what is adopted already: no save may take it back.
		s.adopted = s.latestLocked()
	}
	close(f.thawed)
	f.passLocked()
	saves := s.trySaveLocked(nil)
	s.mu.Unlock()
	s.srv.db.Go(saves...)
	s.tellExchange()
}

// Settle finds out whether the exchange happened. If it did, the session's next
// commit goes on top of it, and Settle returns what it changed, to be applied
// by Begin and Commit before Release. If it did not, it never will. With an error
// nothing is known, unless the session is lost; Settle can be tried again.
func (f *Frozen) Settle(ctx context.Context) (changed document.Delta, happened bool, err error) {
	for {
		r, e, err := f.s.srv.readRoot(ctx, f.s.rootKey)
		if err != nil {
			return nil, false, fmt.Errorf("settle an exchange of %v: %w", f.s.key, err)
		}
		switch {
		case r == nil || !r.Lock.names(f.s.lease.id, f.s.id):
			f.s.lose(ownerOf(r))
			return nil, false, f.s.Err()
		case e.Version == f.announced:
			changed, err = f.adopt(r)
			return changed, err == nil, err
		case slices.Contains(f.steps, e.Version):
			// A step of ours, whose answer did not come. What was only read may yet be
			// lost with a database that fails over; so one more is made, and answered.
			f.stoodAt(e.Version)
		case e.Version != f.at:
			f.s.lose(fmt.Errorf("%w: the root is at %v, this session left it at %v", ErrHistoryLost, e.Version, f.at))
			return nil, false, f.s.Err()
		}
		if err = f.step(ctx); err == nil {
			return nil, false, nil
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUncertain) {
			return nil, false, fmt.Errorf("settle an exchange of %v: %w", f.s.key, err)
		}
	}
}

// Committed is Settle for who has made the exchange himself, of st among others,
// and knows that it happened.
func (f *Frozen) Committed(st *Still) { f.exchangedTo(st.rows) }

// exchangedTo notes that the root is as the exchange wrote it, with these rows.
func (f *Frozen) exchangedTo(rs rows) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if f.s.frozen == f {
		f.s.version, f.at, f.s.rows = f.announced, f.announced, rs
	}
}

// stoodAt notes the version of the root, whose content is as before.
func (f *Frozen) stoodAt(v driver.Version) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if f.s.frozen == f {
		f.s.version, f.at = v, v
		if v == f.announced {
			f.s.origins++
		}
	}
}

// adopt takes the root that the exchange wrote as the session's own.
func (f *Frozen) adopt(r *root) (document.Delta, error) {
	h, err := f.s.srv.parse(r, f.s.rootKey)
	if err != nil {
		f.s.lose(err)
		return nil, err
	}
	f.exchangedTo(r.Rows)
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	return document.Diff(&f.s.doc, h.doc), nil
}

// step moves the root to a version of the session's own, with the same data.
func (f *Frozen) step(ctx context.Context) error {
	s := f.s
	id, err := s.srv.db.NewVersion()
	if err != nil {
		return err
	}
	value, err := f.stillValue()
	if err != nil {
		return err
	}
	f.steps = append(f.steps, id)
	_, err = s.srv.db.Commit(ctx, store.Attempt{
		Batch: driver.Batch{ID: id, Writes: []driver.Write{{Key: s.rootKey, Version: f.at, Value: value, Retain: s.srv.opts.Retention}}},
		Lane:  store.Waited,
	})
	if err == nil {
		f.stoodAt(id)
	}
	return err
}

// stillValue returns the root as the session has it. A session that was lost
// writes nothing any more.
func (f *Frozen) stillValue() ([]byte, error) {
	s := f.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateLost || s.frozen != f {
		return nil, f.overLocked()
	}
	position, ok := s.positionLocked(s.pending)
	if !ok {
		return nil, fmt.Errorf("%w: it was changed before it was settled", driver.ErrInvalid)
	}
	value, err := s.head.append(nil, position, s.revision, s.rows)
	return append(s.dataLocked(value, s.pending), '}'), err
}

// overLocked is why the session is not held still any more.
func (f *Frozen) overLocked() error {
	if f.s.err != nil {
		return f.s.err
	}
	return fmt.Errorf("change %v: it is not frozen any more: %w", f.s.key, ErrClosed)
}

// Begin is Session.Begin for who holds the session still, to apply what the
// exchange changed. It also works while the session is closing or suspended: its
// memory must not lag behind its root.
func (f *Frozen) Begin() (*Tx, error) {
	s := f.s
	s.mu.Lock()
	if s.frozen != f || s.state == stateLost || s.state == stateClosed {
		defer s.mu.Unlock()
		return nil, f.overLocked()
	}
	return &s.tx, nil
}

// ownerOf is why a session is lost that finds a root in other hands.
func ownerOf(r *root) error {
	switch {
	case r == nil:
		return fmt.Errorf("%w: the root is gone", ErrHistoryLost)
	case r.Erased:
		return ErrErased
	case r.Lock == nil:
		return errors.New("another server settled and released it")
	}
	return fmt.Errorf("now held by %v", r.Lock.holder())
}

// Still is what a key's root holds while its session is frozen, here or on
// another server. Whoever makes the exchange changes the document in place.
type Still struct {
	Key      Key
	Document *document.Document
	Revision uint64
	at       driver.Version
	root     *root
	rows     rows // as the exchange leaves them
}

// Announce returns a version for an exchange.
func (srv *Server) Announce() (driver.Version, error) { return srv.db.NewVersion() }

// ReadStill reads the roots of frozen sessions, each at the version that its
// holder told, in the order of keys. It is store.ErrConflict if one has moved.
func (srv *Server) ReadStill(ctx context.Context, keys []Key, at []driver.Version) ([]*Still, error) {
	if len(keys) != len(at) {
		return nil, fmt.Errorf("read frozen keys: %w: %d keys, %d versions", driver.ErrInvalid, len(keys), len(at))
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.String()
	}
	snap, err := srv.db.Read(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("read %d frozen keys: %w", len(keys), err)
	}
	stills := make([]*Still, len(keys))
	for i := range keys {
		e := &snap.Entries[i]
		r, err := decodeRoot(e)
		if err != nil {
			return nil, err
		}
		if r == nil || r.Lock == nil || e.Version != at[i] {
			return nil, fmt.Errorf("read frozen %v: %w: it has moved", keys[i], store.ErrConflict)
		}
		h, err := srv.parse(r, names[i])
		if err != nil {
			return nil, err
		}
		stills[i] = &Still{Key: keys[i], Document: h.doc, Revision: r.Revision, at: at[i], root: r}
	}
	return stills, nil
}

// Exchange commits the documents of several frozen keys at once under the version
// that was announced, and keeps the versions that it replaces in their history.
// Nil means that it happened and is on disk; store.ErrConflict that it did not and
// never will, as one of the roots had moved; store.ErrLate that it was not sent
// before ctx's deadline; any other error, that it may happen or not: those who
// hold the keys find out by Settle. The reason, of which MaxReason bytes are kept,
// goes into each root's history.
func (srv *Server) Exchange(ctx context.Context, announced driver.Version, stills []*Still, reason string) error {
	b := driver.Batch{ID: announced}
	for _, st := range stills {
		ws, err := srv.exchanged(st, announced, reason)
		if err != nil {
			return fmt.Errorf("exchange of %d keys: %w", len(stills), err)
		}
		b.Writes = append(b.Writes, ws...)
	}
	slices.SortFunc(b.Writes, func(x, y driver.Write) int { return strings.Compare(x.Key, y.Key) })
	at := store.Attempt{Batch: b, Lane: store.Waited}
	if deadline, ok := ctx.Deadline(); ok {
		at.Before = deadline
	}
	if _, err := srv.db.Commit(ctx, at); err != nil {
		return fmt.Errorf("exchange of %d keys: %w", len(stills), err)
	}
	return nil
}

// exchanged is what an exchange makes of one root: the revision grows if the
// document was changed, as it does in the holder's memory when he applies that,
// and the root is marked: no feed tells that change before he does. Its rows go along.
func (srv *Server) exchanged(st *Still, announced driver.Version, reason string) ([]driver.Write, error) {
	before, err := srv.parse(st.root, st.Key.String())
	if err != nil {
		return nil, err
	}
	r := *st.root
	srv.explain(&r, reasons{noted(OriginTrade, keptReason(reason))})
	if len(document.Diff(before.doc, st.Document)) > 0 {
		r.Revision, r.Exchange = r.Revision+1, announced
	}
	moves, err := r.follow(st.Key.String(), st.Document)
	if err != nil {
		return nil, err
	}
	st.rows = r.Rows
	value, err := r.append(nil, st.Document.AppendJSON)
	w := driver.Write{Key: st.Key.String(), Version: st.at, Value: value, Retain: srv.opts.Retention, Mark: true}
	return append([]driver.Write{w}, moves...), err
}

// Owner is who has a key, as its root tells.
type Owner struct {
	Exists bool // something was kept under the key, and was not erased
	Erased bool
	Birth  driver.Version
	// Holder is who holds the key; nil if nobody does, or only a server that is
	// known to be dead. Expires is not set.
	Holder *Holder
	Here   bool // the holder is this server
}

// Owner tells who holds a key. It blocks to read.
func (srv *Server) Owner(ctx context.Context, key Key) (Owner, error) {
	if err := key.Check(); err != nil {
		return Owner{}, err
	}
	r, _, err := srv.readRoot(ctx, key.String())
	if err != nil || r == nil {
		return Owner{}, err
	}
	o := Owner{Exists: !r.Erased, Erased: r.Erased, Birth: r.Birth}
	if r.Lock == nil {
		return o, nil
	}
	snap, err := srv.db.Read(ctx, leaseKey(r.Lock.Lease))
	if err != nil {
		return Owner{}, err
	}
	entry, err := decodeLease(&snap.Entries[0])
	if err != nil {
		return Owner{}, err
	}
	if !entry.dead(r.Lock.Session) {
		h := r.Lock.holder()
		o.Holder = &h
		o.Here = h.Lease == srv.LeaseID()
	}
	return o, nil
}
