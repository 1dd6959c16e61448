package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// expiry is what the database's clock says of a lease.
type expiry struct {
	left      time.Duration // until it expires; not positive if it has
	watched   time.Duration // for how long this server has seen this version of it
	since     time.Time     // when this server first found it expired, if it has
	otherBoot bool          // it is from before the machine's last boot
}

// expiry judges a lease by the database's clock alone. A lease that seems to
// have been written in the future, because that clock went back, counts from
// when this version of it was first seen.
func (srv *Server) expiry(e *driver.Entry, entry *leaseEntry, now driver.Moment) expiry {
	age, same := now.Since(e.Updated)
	if !same {
		return expiry{otherBoot: true}
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	was, ok := srv.seen[e.Key]
	if !ok || was.version != e.Version {
		was = sighting{version: e.Version, at: time.Now()}
	}
	watched := time.Since(was.at)
	if age < 0 {
		age = watched
	}
	left := entry.length() - age
	if left <= 0 && was.expired.IsZero() {
		was.expired = time.Now()
	}
	srv.seen[e.Key] = was
	return expiry{left: left, watched: watched, since: was.expired}
}

// sealGrace is how long a database that takes writes must have taken them
// before a lease is sealed for not having been renewed: longer than any server's
// pause between two tries to renew.
const sealGrace = 400 * time.Millisecond

// sealExpired seals an expired lease, if this server may judge it: its own
// lease must have stood for the longer of the two lengths, and it must have seen
// the other's unmoved for that one's length. So a database's clock that jumps
// ahead, as after the machine has slept, makes nobody seal the living. And its
// own lease must have been renewed after the other was found expired, and a
// little time have passed: so a database that was away, or took no writes, while
// one lease ran out and the other did not yet, gives both the time to renew. It
// reports whether the lease is sealed now.
func (srv *Server) sealExpired(ctx context.Context, e *driver.Entry, entry *leaseEntry, x expiry) (bool, error) {
	var before time.Time
	if !x.otherBoot {
		l, err := srv.current(ctx)
		if err != nil {
			return false, err
		}
		if ok, _ := l.standing(max(entry.length(), srv.opts.Lease)); !ok || x.watched < entry.length() {
			return false, nil
		}
		if !srv.stoodSince(l, e.Key, x.since) {
			return false, nil
		}
		before = l.trustedUntil()
	}
	sealed := *entry
	sealed.Sealed = &seal{By: srv.opts.Name, Reason: "expired"}
	// It is tried once, and not after one's own lease has run out: what was decided
	// before the database went away must not be carried out when it is back.
	if err := srv.rewriteLease(ctx, e, &sealed, store.Attempt{Tries: 1, Before: before}); err != nil {
		if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUncertain) || errors.Is(err, store.ErrLate) {
			return false, nil // renewed, or sealed by somebody: the next look tells
		}
		return false, fmt.Errorf("seal the lease of %q: %w", entry.Name, err)
	}
	srv.opts.Logger.Warn("sealed an expired lease", "key", e.Key, "server", entry.Name)
	srv.mx.seals.Inc()
	srv.settleSoonAll(e.Key, entry.Name)
	return true, nil
}

// stoodSince reports whether this server's own lease has been renewed since
// another was found expired, and sealGrace has passed since that was known: since the
// first such renewal, as there is always a last one that is young.
func (srv *Server) stoodSince(l *lease, key string, expired time.Time) bool {
	heard, ok := l.renewedSince(expired)
	srv.mu.Lock()
	defer srv.mu.Unlock()
	was := srv.seen[key]
	if ok && was.stood.IsZero() {
		was.stood = heard
		srv.seen[key] = was
	}
	return ok && time.Since(was.stood) >= sealGrace
}

// revoke takes one session from a living server, for an operator, and creates the
// record of that.
func (srv *Server) revoke(ctx context.Context, e *driver.Entry, entry *leaseEntry, r revocation, record ...driver.Write) error {
	r.By = srv.opts.Name
	revoked := *entry
	revoked.Revoked = append(slices.Clone(entry.Revoked), r)
	err := srv.rewriteLease(ctx, e, &revoked, store.Attempt{}, record...)
	if err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUncertain) {
		return fmt.Errorf("revoke a session of %q: %w", entry.Name, err)
	}
	return nil
}

// rewriteLease replaces another's lease entry, by an attempt of some tries, and writes
// what goes with that.
func (srv *Server) rewriteLease(ctx context.Context, e *driver.Entry, entry *leaseEntry, at store.Attempt, with ...driver.Write) error {
	value, err := entry.encode()
	if err != nil {
		return err
	}
	id, err := srv.db.NewVersion()
	if err != nil {
		return err
	}
	at.Batch = driver.Batch{ID: id, Writes: append([]driver.Write{{Key: e.Key, Version: e.Version, Value: value}}, with...)}
	at.Lane = store.Urgent
	_, err = srv.db.Commit(ctx, at)
	return err
}

// tail is what a lease's journal holds after some number, by session.
type tail struct {
	order   []*tailOf
	session map[driver.Version]*tailOf
	last    uint64
}

type tailOf struct {
	session driver.Version
	key     string
	records []numbered
}

type numbered struct {
	number uint64
	record record
}

// readTail reads a journal after a number. The lease must be sealed, or one of
// its sessions revoked: what is read is then all that there will ever be.
func (srv *Server) readTail(ctx context.Context, lease driver.Version, after uint64) (*tail, error) {
	return readTail(ctx, srv.db, lease, after)
}

func readTail(ctx context.Context, db *store.DB, lease driver.Version, after uint64) (*tail, error) {
	t := &tail{session: make(map[driver.Version]*tailOf)}
	q := driver.Query{Prefix: journalPrefix(lease), After: journalKey(lease, after), Limit: 256}
	for {
		page, err := db.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("read a journal: %w", err)
		}
		for i := range page.Entries {
			if err := t.add(&page.Entries[i]); err != nil {
				return nil, err
			}
			q.After = page.Entries[i].Key
		}
		if !page.More {
			return t, nil
		}
	}
}

func (t *tail) add(e *driver.Entry) error {
	if e.Damaged != nil {
		return fmt.Errorf("read journal entry %q: %w", e.Key, e.Damaged)
	}
	number, err := journalNumber(e.Key)
	if err != nil {
		return err
	}
	records, err := decodeRecords(e.Value)
	if err != nil {
		return fmt.Errorf("read journal entry %q: %w", e.Key, err)
	}
	t.last = number
	for _, r := range records {
		of := t.session[r.session]
		if of == nil {
			of = &tailOf{session: r.session, key: r.key}
			t.session[r.session] = of
			t.order = append(t.order, of)
		}
		of.records = append(of.records, numbered{number, r})
	}
	return nil
}

// replay applies to what a root holds the records of the lock's session after
// the lock's position.
func (t *tail) replay(h *held, lock *lock, limits *document.Limits) error {
	of := t.session[lock.Session]
	if of == nil {
		return nil
	}
	for i := range of.records {
		if of.records[i].number <= lock.Position {
			continue
		}
		if err := of.records[i].record.replay(h, limits); err != nil {
			return err
		}
	}
	return nil
}

// settleSoonAll settles a sealed lease in the background.
func (srv *Server) settleSoonAll(key, name string) {
	srv.work(func() {
		if err := srv.settleLease(srv.ctx, key); err != nil && srv.ctx.Err() == nil {
			srv.opts.Logger.Error("a dead server's players could not all be settled", "lease", key, "server", name, "err", err)
		}
	})
}

// settleLease replays, saves and unlocks every player that a sealed lease's
// journal names, those first who are being waited for, and then deletes the
// lease. Anybody may do so at any time: each step is a conditional commit.
func (srv *Server) settleLease(ctx context.Context, key string) error {
	snap, err := srv.db.Read(ctx, key)
	if err != nil {
		return err
	}
	e := &snap.Entries[0]
	entry, err := decodeLease(e)
	if err != nil || entry == nil || entry.Sealed == nil {
		return err
	}
	id, err := leaseOf(key)
	if err != nil {
		return err
	}
	t, err := srv.readTail(ctx, id, 0)
	if err != nil {
		return err
	}
	srv.joinersFirst(t.order)
	var failed []error
	for _, of := range t.order {
		if err := srv.settle(ctx, of.key, id, of.session, t); err != nil {
			failed = append(failed, fmt.Errorf("settle %q: %w", of.key, err))
		}
	}
	if len(failed) > 0 { // one player that cannot be read must not hold up the others
		return errors.Join(failed...)
	}
	return srv.dropLease(ctx, e, id)
}

func (srv *Server) joinersFirst(order []*tailOf) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	slices.SortStableFunc(order, func(a, b *tailOf) int {
		_, x := srv.opens[a.key]
		_, y := srv.opens[b.key]
		switch {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
}

// settle brings one root to rest: if a session's lock is still in it, its
// records are replayed, and the root is saved without a lock.
func (srv *Server) settle(ctx context.Context, key string, lease, session driver.Version, t *tail) error {
	for {
		r, e, err := srv.readRoot(ctx, key)
		if err != nil {
			return err
		}
		if r == nil || !r.Lock.names(lease, session) {
			return nil
		}
		h, err := srv.parse(r, key)
		if err != nil {
			return err
		}
		if err = t.replay(h, r.Lock, &srv.opts.Limits); err != nil {
			return err
		}
		r.Lock, r.Revision = nil, h.revision
		srv.explain(r, h.reasons)
		moves, err := r.follow(key, h.doc)
		if err != nil {
			return err
		}
		value, err := r.append(nil, h.doc.AppendJSON)
		if err != nil {
			return err
		}
		id, err := srv.db.NewVersion()
		if err != nil {
			return err
		}
		w := driver.Write{Key: key, Version: e.Version, Value: value, Retain: srv.opts.Retention, Mark: len(r.Origins) > 0}
		_, err = srv.db.Commit(ctx, store.Attempt{
			Batch: driver.Batch{ID: id, Writes: slices.Concat([]driver.Write{w}, h.outbox.writes(&w, srv.opts.Retention), moves)},
			Lane:  store.Waited,
		})
		if err == nil {
			srv.mx.settled.Inc()
			srv.ringAll(h.outbox)
			return nil
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUncertain) {
			return err
		}
	}
}

// dropLease deletes a sealed lease that has been settled, its journal first.
func (srv *Server) dropLease(ctx context.Context, e *driver.Entry, id driver.Version) error {
	if err := srv.db.DeleteRange(ctx, journalPrefix(id), driver.After(journalPrefix(id))); err != nil {
		return fmt.Errorf("delete a settled journal: %w", err)
	}
	if err := srv.db.DeleteRange(ctx, requestPrefix(id), driver.After(requestPrefix(id))); err != nil {
		return fmt.Errorf("delete the requests to a dead server: %w", err)
	}
	version, err := srv.db.NewVersion()
	if err != nil {
		return err
	}
	_, err = srv.db.Commit(ctx, store.Attempt{
		Batch: driver.Batch{ID: version, Writes: []driver.Write{{Key: e.Key, Version: e.Version, Delete: true}}},
		Lane:  store.Waited,
	})
	if err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUncertain) {
		return fmt.Errorf("delete a settled lease: %w", err)
	}
	return nil
}

// settleSoon settles what a session left that ended while its lease stands.
func (srv *Server) settleSoon(s *Session) {
	l := s.lease
	if l.over.Load() {
		return
	}
	srv.settleLater(l, s.rootKey, s.id, func() {})
}

// settling is the settling of one lock that is under way. All who want it
// share it.
type settling struct {
	then []func()      // to be called if it succeeds; the server's mu guards it
	done chan struct{} // closed at the end, when err is set
	err  error
}

// settleLater settles a lock on this server's own lease in the background, and
// calls then if it has been settled.
func (srv *Server) settleLater(l *lease, key string, session driver.Version, then func()) *settling {
	srv.mu.Lock()
	st, busy := srv.settling[session]
	if !busy {
		st = &settling{done: make(chan struct{})}
		srv.settling[session] = st
	}
	st.then = append(st.then, then)
	srv.mu.Unlock()
	if busy {
		return st
	}
	idle := l.idleSoon() // here, not whenever the goroutine gets to it: a simulation replays exactly
	srv.work(func() {
		settled, err := srv.settleOwn(srv.ctx, l, key, session, idle)
		srv.mu.Lock()
		delete(srv.settling, session)
		then := st.then
		srv.mu.Unlock()
		if err != nil && srv.ctx.Err() == nil {
			srv.opts.Logger.Error("a lost session could not be settled yet; the journal keeps what it needs", "key", key, "err", err)
		}
		st.err = err
		close(st.done)
		for _, fn := range then {
			if settled {
				fn()
			}
		}
	})
	return st
}

// settleAgain tries once more to settle the lost sessions whose records still
// lie in the journal.
func (srv *Server) settleAgain(l *lease) {
	l.mu.Lock()
	var lost []*Session
	for _, s := range l.unsaved {
		if s.gone.Load() {
			lost = append(lost, s)
		}
	}
	l.mu.Unlock()
	sortByKey(lost)
	for _, s := range lost {
		srv.settleSoon(s)
	}
}

// settleOwn settles a lock on this server's own lease whose session is not
// open: it was lost, or its opening was cancelled or its answer never came. It
// reports whether the lock is gone. Idle is closed when no append is under way
// any more that may still carry records of the session.
func (srv *Server) settleOwn(ctx context.Context, l *lease, key string, session driver.Version, idle <-chan struct{}) (bool, error) {
	if s := srv.byID(session); s != nil && !s.gone.Load() {
		return false, nil // it is open, or closing: whoever wants it waits for that
	}
	// If the lease is lost, whoever settles that settles this too.
	if err := wait(ctx, idle); err != nil || l.over.Load() {
		return false, err
	}
	r, _, err := srv.readRoot(ctx, key)
	if err != nil {
		return false, err
	}
	if r != nil && r.Lock.names(l.id, session) {
		t, err := srv.readTail(ctx, l.id, r.Lock.Position)
		if err != nil {
			return false, err
		}
		if err := srv.settle(ctx, key, l.id, session, t); err != nil {
			return false, err
		}
	}
	l.acquit(session)
	return true, nil
}

// acquit forgets a session of which nothing is left to do: the journal keeps
// nothing for it, and its revocation, if there was one, has done its work.
func (l *lease) acquit(session driver.Version) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.IndexFunc(l.unsaved, func(s *Session) bool { return s.id == session }); i >= 0 {
		l.unsaved.saved(l.unsaved[i], 0)
	}
	l.entry.Revoked = slices.DeleteFunc(slices.Clone(l.entry.Revoked), func(r revocation) bool { return r.Session == session })
}
