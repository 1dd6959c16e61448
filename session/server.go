package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// Server is one running process, with the lease that it holds and the sessions
// under it. All its methods are safe for concurrent use.
type Server struct {
	db   *store.DB
	opts Options
	mx   *metrics
	ctx  context.Context // ends when the server has closed
	stop context.CancelFunc
	jobs struct {
		sync.Mutex
		sync.WaitGroup      // goroutines of the server
		over           bool // Close waits, or has waited
	}

	mu       sync.Mutex
	lease    *lease
	fresh    chan struct{} // closed and replaced when a new lease was taken
	sessions map[string]*Session
	ids      map[driver.Version]*Session
	opens    map[string]*opening
	settling map[driver.Version]*settling // by session
	closing  bool
	closed   chan struct{} // closed when Close has come to its end
	results  []Result      // of Close, with closeErr
	closeErr error
	telling  sync.Mutex          // held while the game is told of a suspension
	told     bool                // the game was told that the server is suspended
	seen     map[string]sighting // by lease key
	unsub    func()              // from the bus
	bell     chan struct{}       // level: look into the database now
	calls    calls
	rings    rings
	wall     wallClock
	chores   chores
	sweeps   atomic.Bool // somebody goes on with what others have left
}

// sighting is when a version of a lease was first seen, and first found expired,
// by this server's clock.
type sighting struct {
	version driver.Version
	at      time.Time
	expired time.Time // zero: it was not
	stood   time.Time // when this server first knew that its own lease was renewed after that; zero: not yet
}

// Open starts a server: it takes a lease and begins to look for requests and
// for the leases of dead servers. It blocks until the lease is held, or returns
// an error; ctx bounds the call, not the server's life. The db stays the
// caller's, who closes it after the server.
func Open(ctx context.Context, db *store.DB, o *Options) (*Server, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	srv := &Server{
		db: db, opts: opts,
		fresh: make(chan struct{}), closed: make(chan struct{}),
		sessions: make(map[string]*Session), ids: make(map[driver.Version]*Session),
		opens: make(map[string]*opening), seen: make(map[string]sighting),
		settling: make(map[driver.Version]*settling), bell: make(chan struct{}, 1),
		calls: calls{waiting: make(map[uint64]chan call)},
		wall:  wallClock{began: time.Now()},
	}
	srv.ctx, srv.stop = context.WithCancel(context.Background())
	if srv.mx, err = newMetrics(opts.Metrics, srv); err != nil {
		return nil, err
	}
	taken := make(chan error, 1)
	srv.work(func() {
		l, err := srv.take()
		if err == nil {
			srv.install(l)
		}
		taken <- err
	})
	select {
	case err = <-taken:
	case <-ctx.Done():
		err = fmt.Errorf("open server: %w", context.Cause(ctx))
	}
	if err != nil {
		srv.stop()
		srv.rest()
		srv.abandon()
		srv.mx.set.Unregister()
		return nil, err
	}
	srv.work(srv.watch)
	if opts.Feed != 0 {
		srv.work(srv.tendFeed)
	}
	return srv, nil
}

// abandon gives back a lease that was taken after its opener had left.
func (srv *Server) abandon() {
	srv.mu.Lock()
	l := srv.lease
	srv.mu.Unlock()
	if l != nil {
		l.end(ErrClosed)
		srv.drop(leaseKey(l.id))
	}
}

// work runs fn on a goroutine that Close waits for. What begins after that has
// an ended context and comes to its end by itself.
func (srv *Server) work(fn func()) {
	srv.jobs.Lock()
	defer srv.jobs.Unlock()
	if srv.jobs.over {
		go fn()
		return
	}
	srv.jobs.Go(fn)
}

// rest waits for the server's goroutines, whose context has ended.
func (srv *Server) rest() {
	srv.jobs.Lock()
	srv.jobs.over = true
	srv.jobs.Unlock()
	srv.jobs.Wait()
}

// install makes a lease the server's.
func (srv *Server) install(l *lease) {
	unsub := srv.subscribe(l)
	srv.mu.Lock()
	former, old := srv.lease, srv.unsub
	srv.lease, srv.unsub = l, unsub
	close(srv.fresh)
	srv.fresh = make(chan struct{})
	srv.mu.Unlock()
	if old != nil {
		old()
	}
	if former != nil {
		srv.tellSuspended()
	}
	srv.opts.Logger.Info("lease taken", "lease", l.id.String(), "server", srv.opts.Name, "length", srv.opts.Lease)
}

// retake takes a new lease after one was lost.
func (srv *Server) retake() {
	srv.work(func() {
		for srv.ctx.Err() == nil && !srv.isClosing() {
			l, err := srv.take()
			if err == nil {
				srv.install(l)
				return
			}
			srv.opts.Logger.Error("no new lease yet", "err", err)
			pause(srv.ctx, srv.opts.renewEvery())
		}
	})
}

func (srv *Server) isClosing() bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.closing
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// current returns a lease that is not over, and waits for one if need be.
func (srv *Server) current(ctx context.Context) (*lease, error) {
	for {
		srv.mu.Lock()
		l, fresh, closing := srv.lease, srv.fresh, srv.closing
		srv.mu.Unlock()
		if closing {
			return nil, ErrClosed
		}
		if l != nil && !l.over.Load() {
			return l, nil
		}
		select {
		case <-fresh:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for a lease: %w", context.Cause(ctx))
		}
	}
}

// Name returns the name that the server was given.
func (srv *Server) Name() string { return srv.opts.Name }

// DB returns the store that the server stands on.
func (srv *Server) DB() *store.DB { return srv.db }

// LeaseID returns the id of the lease that the server holds now.
func (srv *Server) LeaseID() string {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.lease.id.String()
}

// Suspended reports whether the server is suspended, or without a lease.
func (srv *Server) Suspended() bool {
	srv.mu.Lock()
	l := srv.lease
	srv.mu.Unlock()
	return l.suspended.Load() || l.over.Load()
}

// Sessions returns the sessions that have not ended, in the order of their
// keys.
func (srv *Server) Sessions() []*Session {
	srv.mu.Lock()
	ss := make([]*Session, 0, len(srv.sessions))
	for _, s := range srv.sessions {
		ss = append(ss, s)
	}
	srv.mu.Unlock()
	sortByKey(ss)
	return ss
}

// Len returns how many sessions have not ended.
func (srv *Server) Len() int {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return len(srv.sessions)
}

// reopened wakes those who wait for the end of a session that stays open.
func (srv *Server) reopened(s *Session) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if s.reopened != nil {
		close(s.reopened)
		s.reopened = nil
	}
}

func (srv *Server) byID(id driver.Version) *Session {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.ids[id]
}

// forget takes an ended session off the list.
func (srv *Server) forget(s *Session) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.sessions[s.rootKey] == s {
		delete(srv.sessions, s.rootKey)
	}
	delete(srv.ids, s.id)
}

// endSessions ends all sessions of a lease that is over.
func (srv *Server) endSessions(l *lease, cause error) {
	for _, s := range srv.Sessions() {
		switch {
		case s.lease != l:
		case s.mu.TryLock():
			s.mu.Unlock()
			s.lose(cause)
		default: // an update is at it
			s.gone.Store(true)
			srv.work(func() { s.lose(cause) })
		}
	}
}

// tellSuspended tells the game whether the server is suspended, if that has
// changed since it was told last: so it is never told an old state after a newer
// one.
func (srv *Server) tellSuspended() {
	srv.telling.Lock()
	defer srv.telling.Unlock()
	srv.mu.Lock()
	l := srv.lease
	srv.mu.Unlock()
	now := l != nil && l.suspended.Load()
	if now == srv.told {
		return
	}
	srv.told = now
	if now {
		srv.mx.suspended.Set(1)
		srv.opts.Logger.Warn("suspended: the lease was not renewed in time", "lease", l.id.String())
	} else {
		srv.mx.suspended.Set(0)
		srv.opts.Logger.Info("trusted again", "lease", l.id.String())
	}
	if srv.opts.Suspended != nil {
		srv.opts.Suspended(now)
	}
}

// readRoot reads a root with its entry; the root is nil if it is absent.
func (srv *Server) readRoot(ctx context.Context, key string) (*root, driver.Entry, error) {
	return readRoot(ctx, srv.db, key)
}

func readRoot(ctx context.Context, db *store.DB, key string) (*root, driver.Entry, error) {
	snap, err := db.Read(ctx, key)
	if err != nil {
		return nil, driver.Entry{}, err
	}
	r, err := decodeRoot(&snap.Entries[0])
	return r, snap.Entries[0], err
}

// Result is what became of one session when its server closed.
type Result struct {
	Key Key
	Err error // nil: everything is saved and the lock is released
}

// Close opens no more keys, saves and releases every session, and gives the
// lease back. It returns a result for each session, in the order of their keys,
// at the latest when ctx ends: then with an error for those that could not be
// released in time. Their locks are not released, their lease is sealed if the
// database can be reached, and what was appended of them is found by whoever
// opens them next. Later calls wait for the first and return the same.
func (srv *Server) Close(ctx context.Context) ([]Result, error) {
	srv.mu.Lock()
	if srv.closing {
		srv.mu.Unlock()
		select {
		case <-srv.closed:
			return srv.results, srv.closeErr
		case <-ctx.Done():
			return nil, fmt.Errorf("close server: %w", context.Cause(ctx))
		}
	}
	srv.closing = true
	var loads []*opening
	for _, op := range srv.opens {
		op.cancel(ErrClosed)
		loads = append(loads, op)
	}
	l := srv.lease
	srv.mu.Unlock()
	for _, op := range loads {
		select {
		case <-op.done:
		case <-ctx.Done():
		}
	}
	results, err := srv.release(ctx, l)
	srv.rings.rest(ctx) // the last saves may have left something for others
	l.end(ErrClosed)
	srv.stop()
	srv.rest()
	srv.doChores()
	srv.mu.Lock()
	late, unsub := srv.lease, srv.unsub
	srv.results, srv.closeErr = results, err
	srv.mu.Unlock()
	if unsub != nil {
		unsub()
	}
	if late != l { // it was being taken when Close began
		srv.abandon()
	}
	srv.mx.set.Unregister()
	close(srv.closed)
	return results, err
}

// release closes all sessions and gives the lease back.
func (srv *Server) release(ctx context.Context, l *lease) ([]Result, error) {
	ss := srv.Sessions()
	results := make([]Result, len(ss))
	done := make(chan released, len(ss))
	for i, s := range ss {
		results[i] = Result{s.key, fmt.Errorf("close %v: %w: not released in time", s.key, store.ErrUncertain)}
		s.closeSoon(func(err error) { done <- released{i, err} })
	}
	wait, cancel := withReserve(ctx)
	defer cancel()
	collect(wait, results, done)
	failed := slices.ContainsFunc(results, func(r Result) bool { return r.Err != nil && !errors.Is(r.Err, ErrLost) })
	return results, srv.giveBack(ctx, l, !failed)
}

// withReserve returns a context that ends a little before ctx has to: what is
// left is for sealing the lease.
func withReserve(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(time.Until(deadline)/10, 500*time.Millisecond)))
}

// released is the end of the closing of one session among several.
type released struct {
	i   int
	err error
}

// collect waits for results until ctx ends. What had come by then counts.
func collect(ctx context.Context, results []Result, done <-chan released) {
	for range results {
		select {
		case r := <-done:
			results[r.i].Err = r.err
			continue
		default:
		}
		select {
		case r := <-done:
			results[r.i].Err = r.err
		case <-ctx.Done():
			return
		}
	}
}

// giveBack ends the lease in the database: deletes it if everything was
// released, and else seals it, so that nobody has to wait for its expiry.
func (srv *Server) giveBack(ctx context.Context, l *lease, clean bool) error {
	if l.over.Load() {
		return nil
	}
	if err := l.whenIdle(ctx); err != nil {
		return fmt.Errorf("give the lease back: %w", err)
	}
	l.mu.Lock()
	again := l.flight != nil
	l.leaving = !again
	entry, version, unsettled := l.entry, l.version, len(l.unsaved)
	l.mu.Unlock()
	if again {
		return srv.giveBack(ctx, l, clean)
	}
	w := driver.Write{Key: leaseKey(l.id), Version: version}
	if clean && unsettled == 0 {
		if err := srv.clearLease(ctx, l); err != nil {
			return fmt.Errorf("give the lease back: %w", err)
		}
		w.Delete = true
	} else {
		entry.Sealed = &seal{By: srv.opts.Name, Reason: "closed with sessions that could not be released"}
		value, err := entry.encode()
		if err != nil {
			return err
		}
		w.Value = value
	}
	id, err := srv.db.NewVersion()
	if err != nil {
		return err
	}
	_, err = srv.db.Commit(ctx, store.Attempt{Batch: driver.Batch{ID: id, Writes: []driver.Write{w}}, Lane: store.Urgent, Tries: -1})
	if errors.Is(err, store.ErrConflict) {
		again, err = srv.leaseMoved(ctx, l)
	}
	if err != nil {
		return fmt.Errorf("give the lease back: %w", err)
	}
	if again {
		return srv.giveBack(ctx, l, clean)
	}
	return nil
}

// clearLease deletes what lies under a lease of which nothing is needed any
// more.
func (srv *Server) clearLease(ctx context.Context, l *lease) error {
	if err := srv.db.DeleteRange(ctx, journalKey(l.id, 0), driver.After(journalPrefix(l.id))); err != nil {
		return err
	}
	return srv.db.DeleteRange(ctx, requestPrefix(l.id), driver.After(requestPrefix(l.id)))
}

// leaseMoved finds out why a lease could not be given back: somebody has
// revoked a session meanwhile, and it is to be tried again, or sealed it.
func (srv *Server) leaseMoved(ctx context.Context, l *lease) (again bool, err error) {
	snap, err := srv.db.Read(ctx, leaseKey(l.id))
	if err != nil {
		return false, err
	}
	e := &snap.Entries[0]
	entry, err := decodeLease(e)
	if err != nil || entry == nil || entry.Sealed != nil {
		return false, err
	}
	l.mu.Lock()
	l.version, l.entry = e.Version, *entry
	l.mu.Unlock()
	return true, nil
}

// message is what servers tell each other over the bus: a request for a
// session's key, that one was released, that there is something new for one, or a
// question or an answer.
type message struct {
	Ask     string         `json:"ask,omitempty"`  // root key
	Session driver.Version `json:"session"`        // that holds it
	From    driver.Version `json:"from,omitempty"` // the asker's lease
	Free    string         `json:"free,omitempty"` // root key
	Ring    string         `json:"ring,omitempty"` // root key
	Call    *call          `json:"call,omitempty"`
}

func topic(lease driver.Version) string { return bus.SystemPrefix + "lease." + lease.String() }

// maxMessage bounds a message from the bus, in bytes.
const maxMessage = 2 * MaxCall

// subscribe listens to what other servers tell the holder of a lease. Without
// a bus, or if it refuses, the database is looked into instead.
func (srv *Server) subscribe(l *lease) func() {
	if srv.opts.Bus == nil {
		return nil
	}
	cancel, err := srv.opts.Bus.SubscribeSystem(topic(l.id), func(msg bus.Message) {
		if msg.Missed {
			srv.lookNow()
			srv.work(srv.rungAll)
			return
		}
		var m message
		b := msg.Data
		if len(b) > maxMessage || json.Unmarshal(b, &m) != nil {
			srv.opts.Logger.Warn("message from the bus not understood", "bytes", len(b), "text", strings.ToValidUTF8(string(b[:min(len(b), 80)]), "?"))
			return
		}
		srv.heard(l, m)
	})
	if err != nil {
		srv.opts.Logger.Warn("no bus: requests travel through the database", "err", err)
		return nil
	}
	return cancel
}

// publish tells the holder of a lease something, and reports whether it is on
// its way.
func (srv *Server) publish(to driver.Version, m message) bool {
	if srv.opts.Bus == nil {
		return false
	}
	b, err := json.Marshal(m)
	if err == nil {
		err = srv.opts.Bus.PublishSystem(srv.ctx, topic(to), b)
	}
	if err != nil {
		srv.opts.Logger.Debug("message not published", "err", err)
	}
	return err == nil
}

// lookNow has the server look into the database without waiting for its time:
// it may have missed a message.
func (srv *Server) lookNow() {
	select {
	case srv.bell <- struct{}{}:
	default:
	}
}

// wakeOpenings has all keys that are being opened looked at again.
func (srv *Server) wakeOpenings() {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for _, op := range srv.opens {
		op.wake()
	}
}

// heard deals with a message.
func (srv *Server) heard(l *lease, m message) {
	if m.Free != "" {
		srv.mu.Lock()
		op := srv.opens[m.Free]
		srv.mu.Unlock()
		if op != nil {
			op.wake()
		}
	}
	if m.Ring != "" {
		srv.rung(m.Ring)
	}
	if m.Call != nil {
		srv.called(m.Call)
	}
	if m.Ask != "" && !l.over.Load() {
		srv.asked(l, request{Key: m.Ask, Session: m.Session, From: m.From})
	}
}
