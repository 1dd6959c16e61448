package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// opening is a load under way, shared by all who want the key.
type opening struct {
	srv     *Server
	key     Key
	rootKey string
	opts    OpenOptions // of the first
	ctx     context.Context
	cancel  context.CancelCauseFunc
	ring    chan struct{} // level: look at the root now
	done    chan struct{}
	s       *Session // when done, or err
	err     error

	// The server's mu guards these.
	waiting   int    // callers; at 0 the opening is cancelled
	ended     bool   // there is a result, which waits to be told
	steal     string // a reason, as soon as one caller steals
	stealWith []driver.Write
	noAsk     bool   // no caller wants the holder to be asked
	mustExist bool   // no caller wants what is not there to be created
	holder    Holder // who was last in the way; only the opening's goroutine sets it

	// Only the opening's goroutine uses these.
	rung      driver.Version // the session whose server was told by the bus
	asked     driver.Version // the session whose server was asked for the key
	request   string         // the entry of that request
	told      time.Time
	began     time.Time
	takenOver bool
}

// Open takes the session lock of a key and loads its document. If this server
// has the key open already, it returns that session. A final save of this
// server that is under way is waited for. If another living server holds the
// key, it is asked to hand it over; if that server is dead, the key is taken
// over with everything that had reached its journal.
//
// Open blocks until the session is open or ctx ends, then with a *LockedError
// if another server is in the way. When the contexts of all who opened the key
// have ended, what was locked meanwhile is released.
//
// What was erased begins anew as soon as everything is deleted that belonged to it;
// until then, and with MustExist, it is an *ErasedError. It returns ErrNotFound with
// MustExist, ErrClosed if the server is closing, and driver.ErrCorrupt or driver.ErrFormat if what is stored cannot
// be read; nothing is changed then.
func (srv *Server) Open(ctx context.Context, key Key, o *OpenOptions) (*Session, error) {
	if o == nil {
		o = &OpenOptions{}
	}
	if err := key.Check(); err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	if err := checkRanked(o.Ranked); err != nil {
		return nil, fmt.Errorf("open %v: %w", key, err)
	}
	if len(o.Steal) > 200 || !utf8.ValidString(o.Steal) {
		return nil, fmt.Errorf("open %v: %w: reason of %d bytes, at most 200 of UTF-8", key, driver.ErrInvalid, len(o.Steal))
	}
	for _, w := range o.StealWith {
		if w.Mode != driver.Once || o.Steal == "" {
			return nil, fmt.Errorf("open %v: %w: StealWith %q is not created by a theft", key, driver.ErrInvalid, w.Key)
		}
	}
	for {
		s, op, waits, err := srv.join(key, o)
		switch {
		case err != nil:
			return nil, fmt.Errorf("open %v: %w", key, err)
		case s != nil:
			return s, nil
		case op != nil:
			return op.wait(ctx)
		}
		select {
		case <-waits.end:
		case <-waits.again:
		case <-ctx.Done():
			return nil, fmt.Errorf("open %v: wait for its final save: %w", key, context.Cause(ctx))
		}
	}
}

// waits are channels after one of which a key can be tried again: what is in
// the way has ended, or is open again after all (nil: it cannot be).
type waits struct{ end, again <-chan struct{} }

// join returns the open session, or the opening to wait for, or what to wait
// for before trying again.
func (srv *Server) join(key Key, o *OpenOptions) (*Session, *opening, waits, error) {
	rootKey := key.String()
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.closing {
		return nil, nil, waits{}, ErrClosed
	}
	if s := srv.sessions[rootKey]; s != nil {
		if !s.ending.Load() && !s.gone.Load() && !s.lease.over.Load() {
			return s, nil, waits{}, nil
		}
		if s.reopened == nil {
			s.reopened = make(chan struct{})
		}
		return nil, nil, waits{s.done, s.reopened}, nil
	}
	op := srv.opens[rootKey]
	switch {
	case op == nil:
		op = &opening{
			srv: srv, key: key, rootKey: rootKey, opts: *o, noAsk: o.NoAsk, mustExist: o.MustExist,
			ring: make(chan struct{}, 1), done: make(chan struct{}), began: time.Now(),
		}
		op.ctx, op.cancel = context.WithCancelCause(srv.ctx)
		srv.opens[rootKey] = op
		srv.work(op.run)
	case op.waiting == 0: // cancelled, and on its way out
		return nil, nil, waits{end: op.done}, nil
	}
	op.waiting++
	if o.Steal != "" {
		op.steal, op.stealWith = o.Steal, o.StealWith
		op.wake()
	}
	op.noAsk, op.mustExist = op.noAsk && o.NoAsk, op.mustExist && o.MustExist
	return nil, op, waits{}, nil
}

// wait returns what the opening comes to. The last caller who leaves cancels
// it, and does not wait for its end: a lock that is being committed is released
// when the database has answered.
func (op *opening) wait(ctx context.Context) (*Session, error) {
	select {
	case <-op.done:
		return op.s, op.err
	case <-ctx.Done():
	}
	op.srv.mu.Lock()
	if op.ended { // at the same time: the session, if there is one, is this caller's
		op.srv.mu.Unlock()
		<-op.done
		return op.s, op.err
	}
	op.waiting--
	last, holder := op.waiting == 0, op.holder
	op.srv.mu.Unlock()
	if last {
		op.cancel(nil)
	}
	return nil, op.lockedOut(holder, context.Cause(ctx))
}

func (op *opening) wake() {
	select {
	case op.ring <- struct{}{}:
	default:
	}
}

// run opens the key and publishes the result. If nobody waits for it any more,
// the session is closed again.
func (op *opening) run() {
	srv := op.srv
	s, err := op.open()
	op.withdraw()
	srv.mu.Lock()
	for op.wantsMoreLocked(err) {
		srv.mu.Unlock()
		s, err = op.open()
		op.withdraw()
		srv.mu.Lock()
	}
	if err == nil {
		srv.mx.opened(op)
	}
	delete(srv.opens, op.rootKey)
	op.ended = true
	abandoned := op.waiting == 0 || srv.closing
	if err == nil {
		srv.sessions[op.rootKey] = s
		s.opening.Store(false)
	}
	srv.mu.Unlock()
	if err == nil {
		s, err = op.deliver(s, abandoned)
	}
	op.s, op.err = s, err
	op.cancel(nil)
	close(op.done)
}

// wantsMoreLocked reports whether the opening failed for a reason that does not
// hold for who has joined it meanwhile.
func (op *opening) wantsMoreLocked(err error) bool {
	return errors.Is(err, errNotAsked) && !op.noAsk || errors.Is(err, ErrNotFound) && !op.mustExist
}

// wants returns how all callers want it.
func (op *opening) wants() (noAsk, mustExist bool) {
	op.srv.mu.Lock()
	defer op.srv.mu.Unlock()
	return op.noAsk, op.mustExist
}

// deliver returns a session that has just been opened, unless it is over by now
// or nobody is there to take it.
func (op *opening) deliver(s *Session, abandoned bool) (*Session, error) {
	l := s.lease
	l.mu.Lock()
	over, cause, revoked := l.over.Load(), l.cause, l.entry.revocation(s.id)
	l.mu.Unlock()
	switch {
	case over:
		s.lose(cause)
	case revoked != revocation{}:
		s.lose(revoked.cause())
	case abandoned:
		op.srv.leave(s)
		return nil, fmt.Errorf("open %v: %w", op.key, ErrClosed)
	default:
		return s, nil
	}
	return nil, fmt.Errorf("open %v: %w", op.key, s.Err())
}

// open looks at the root until its lock can be taken.
func (op *opening) open() (*Session, error) {
	wait := op.srv.firstLook()
	for {
		s, err := op.look()
		if s != nil || err != nil {
			return s, err
		}
		if op.ctx.Err() != nil {
			return nil, op.lockedOut(op.holder, context.Cause(op.ctx))
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			wait = min(wait*3/2, op.srv.lastLook())
		case <-op.ring:
			timer.Stop()
		case <-op.ctx.Done():
			timer.Stop()
			return nil, op.lockedOut(op.holder, context.Cause(op.ctx))
		}
	}
}

// lockedOut is the error of a wait that ended, with who was in the way.
func (op *opening) lockedOut(holder Holder, cause error) error {
	if holder.Lease == "" {
		return fmt.Errorf("open %v: %w", op.key, cause)
	}
	return &LockedError{Key: op.key, Holder: holder, Cause: cause}
}

// blockedBy notes who is in the way.
func (op *opening) blockedBy(h Holder) {
	op.srv.mu.Lock()
	op.holder = h
	op.srv.mu.Unlock()
}

// firstLook and lastLook bound the time between two looks at a locked root.
func (srv *Server) firstLook() time.Duration {
	if look := srv.db.Driver().Info().Look; look > 0 {
		return max(look/3, time.Millisecond)
	}
	return 50 * time.Millisecond
}

func (srv *Server) lastLook() time.Duration { return max(50*time.Millisecond, 3*srv.firstLook()) }

// look reads the root once and does what its state asks for. It returns nothing
// if it has to look again.
func (op *opening) look() (*Session, error) {
	l, err := op.srv.current(op.ctx)
	if err != nil {
		return nil, fmt.Errorf("open %v: %w", op.key, err)
	}
	r, e, err := op.srv.readRoot(op.ctx, op.rootKey)
	_, mustExist := op.wants()
	switch {
	case err != nil:
		return nil, fmt.Errorf("open %v: %w", op.key, err)
	case r == nil && mustExist:
		return nil, fmt.Errorf("open %v: %w", op.key, ErrNotFound)
	case r != nil && r.Erased:
		return op.afterErasure(l, r, &e, mustExist)
	case r == nil || r.Lock == nil:
		return op.acquire(l, r, &e, nil)
	case r.Lock.Lease == l.id:
		return nil, op.settleFirst(l, r.Lock.Session)
	}
	return op.contend(l, r, &e)
}

// settleFirst waits until a lock on this server's own lease, whose session is
// not open, has been settled.
func (op *opening) settleFirst(l *lease, session driver.Version) error {
	st := op.srv.settleLater(l, op.rootKey, session, op.wake)
	select {
	case <-st.done:
		return st.err
	case <-op.ctx.Done():
		return nil // what to say of that is open's
	}
}

// acquire commits the lock. Doc is the replayed document, or nil if the root
// holds everything.
func (op *opening) acquire(l *lease, r *root, e *driver.Entry, h *held) (*Session, error) {
	if h == nil {
		var err error
		if h, err = op.srv.parse(r, op.rootKey); err != nil {
			return nil, fmt.Errorf("open %v: %w", op.key, err)
		}
	}
	if first := op.opts.First; r == nil && first != nil {
		if err := h.doc.Apply(first()); err != nil {
			return nil, fmt.Errorf("open %v: what it begins with: %w", op.key, err)
		}
	}
	s, err := op.newSession(l, r, h)
	if err != nil {
		return nil, err
	}
	was := rows(nil)
	if r != nil {
		was = r.Rows
	}
	var moves []driver.Write
	s.rows, moves = was.follow(op.key, s.ranked, fieldsOf(h.doc))
	value, err := s.firstValue(h)
	if err != nil {
		return nil, fmt.Errorf("open %v: %w", op.key, err)
	}
	w := driver.Write{Key: op.rootKey, Version: e.Version, Value: value, Retain: op.srv.opts.Retention, Mark: len(h.reasons.origins()) > 0}
	if r == nil {
		w.Retain, w.Mark = nil, false // of what was there, a tombstone at most, nothing is to be kept
	}
	at := store.Attempt{
		Batch: driver.Batch{ID: s.id, Writes: slices.Concat([]driver.Write{w}, h.outbox.writes(&w, op.srv.opts.Retention), moves)},
		Lane:  store.Waited,
		Tries: -1,
	}
	// From here on others may see the lock and ask for it. The attempt is waited
	// for even if everybody has left: what it took must be released.
	op.srv.mu.Lock()
	op.srv.ids[s.id] = s
	op.srv.mu.Unlock()
	_, err = op.srv.db.Commit(op.srv.ctx, at)
	if err != nil {
		s.gone.Store(true)
		op.srv.forget(s)
	}
	switch {
	case err == nil:
		reuse(value)
		op.srv.ringAll(h.outbox)
		s.tellExchange()
		return s, nil
	case errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUncertain):
		op.wake() // somebody was faster: look again at once
		return nil, nil
	case errors.Is(err, store.ErrUncertain):
		op.wake() // what was locked in vain is settled at the next look
		return nil, nil
	}
	return nil, fmt.Errorf("open %v: %w", op.key, err)
}

// firstValue returns the root with the session's lock.
func (s *Session) firstValue(h *held) ([]byte, error) {
	if len(h.reasons) == 0 {
		value := buffer(len(s.head) + h.doc.Size() + rootRoom)
		value, err := s.head.append(value, s.lock.Position, h.revision, s.rows)
		return append(h.doc.AppendJSON(value), '}'), err
	}
	r := root{Birth: s.birth, Exchange: s.exchange, Lock: &s.lock, Revision: h.revision, Rows: s.rows}
	s.srv.explain(&r, h.reasons)
	return r.append(buffer(len(s.head)+h.doc.Size()+rootRoom), h.doc.AppendJSON)
}

// newSession builds the session that will own the root if the commit succeeds.
// Its id is the version's.
func (op *opening) newSession(l *lease, r *root, h *held) (*Session, error) {
	id, err := op.srv.db.NewVersion()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	position := l.answered
	l.mu.Unlock()
	s := &Session{
		srv: op.srv, lease: l, key: op.key, rootKey: op.rootKey, id: id, birth: id, fresh: r == nil,
		opts: op.opts, revision: h.revision, version: id, done: make(chan struct{}),
		lock: lock{Lease: l.id, Session: id, Server: op.srv.opts.Name, Since: id.Time().UTC(), Position: position},
	}
	if s.ranked = op.opts.Ranked; r != nil {
		s.birth, s.exchange = r.Birth, r.Exchange
		if s.ranked == nil {
			s.ranked = r.Rows.spec()
		}
	}
	h.doc.MoveTo(&s.doc)
	h.doc = &s.doc
	s.tx.s, s.tx.undo = s, s.tx.room[:0]
	s.unsaved.was = s.room[:0]
	s.opening.Store(true)
	locked := s.lock
	if s.head, err = newHeader(root{Birth: s.birth, Exchange: s.exchange, Lock: &locked}); err != nil {
		return nil, err
	}
	return s, nil
}

// parse returns what a root holds; nil stands for one that is absent.
func (srv *Server) parse(r *root, key string) (*held, error) {
	doc, err := r.document(key, &srv.opts.Limits)
	if err != nil || r == nil {
		return &held{doc: doc}, err
	}
	return &held{doc: doc, revision: r.Revision}, nil
}

// contend deals with a root that another lease's session holds.
func (op *opening) contend(l *lease, r *root, e *driver.Entry) (*Session, error) {
	srv, held := op.srv, r.Lock
	op.blockedBy(held.holder())
	snap, err := srv.db.Read(op.ctx, leaseKey(held.Lease))
	if err != nil {
		return nil, fmt.Errorf("open %v: %w", op.key, err)
	}
	entry, err := decodeLease(&snap.Entries[0])
	if err != nil {
		return nil, fmt.Errorf("open %v: %w", op.key, err)
	}
	if entry.dead(held.Session) {
		op.takenOver = true
		// The root is read again now that no append can follow: a live owner
		// might have saved and trimmed after the first read.
		return op.takeOver(l)
	}
	verdict := srv.expiry(&snap.Entries[0], entry, snap.Now)
	srv.mu.Lock()
	op.holder.Expires = time.Now().Add(verdict.left)
	steal, with := op.steal, op.stealWith
	srv.mu.Unlock()
	switch {
	case steal != "":
		op.wake()
		return nil, srv.revoke(op.ctx, &snap.Entries[0], entry, revocation{Session: held.Session, Reason: steal}, with...)
	case verdict.left <= 0:
		sealed, err := srv.sealExpired(op.ctx, &snap.Entries[0], entry, verdict)
		if sealed {
			op.wake()
		}
		op.tell()
		return nil, err
	}
	op.tell()
	if noAsk, _ := op.wants(); noAsk {
		return nil, &LockedError{Key: op.key, Holder: op.holder, Cause: errNotAsked}
	}
	return nil, op.ask(l, held)
}

// tell lets the caller know who is waited for, about every second.
func (op *opening) tell() {
	if op.opts.Waiting != nil && time.Since(op.told) >= time.Second {
		op.told = time.Now()
		op.opts.Waiting(op.holder)
	}
}

// takeOver reads a dead session's root and tail and commits them under a new
// lock.
func (op *opening) takeOver(l *lease) (*Session, error) {
	r, e, err := op.srv.readRoot(op.ctx, op.rootKey)
	if err != nil {
		return nil, fmt.Errorf("open %v: %w", op.key, err)
	}
	if r == nil || r.Lock == nil || r.Lock.Lease == l.id {
		op.wake()
		return nil, nil
	}
	snap, err := op.srv.db.Read(op.ctx, leaseKey(r.Lock.Lease))
	if err != nil {
		return nil, fmt.Errorf("open %v: %w", op.key, err)
	}
	entry, err := decodeLease(&snap.Entries[0])
	if err != nil || !entry.dead(r.Lock.Session) {
		op.wake()
		return nil, err
	}
	h, err := op.srv.parse(r, op.rootKey)
	if err != nil {
		return nil, fmt.Errorf("open %v: %w", op.key, err)
	}
	tail, err := op.srv.readTail(op.ctx, r.Lock.Lease, r.Lock.Position)
	if err != nil {
		return nil, fmt.Errorf("open %v: %w", op.key, err)
	}
	if err = tail.replay(h, r.Lock, &op.srv.opts.Limits); err != nil {
		return nil, fmt.Errorf("open %v: %w", op.key, err)
	}
	return op.acquire(l, r, &e, h)
}
