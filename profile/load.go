package profile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/session"
)

// load is the opening of one profile, shared by all who want it.
type load struct {
	ctx    context.Context // ends when the player leaves
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the last caller has gone
	mail   *pass         // over the messages that wait; set before built is closed

	// The server's mu guards these.
	calls   int
	leaving bool
	// building says that one of the calls is the goroutine of buildSlowly.
	building bool
	built    chan struct{} // closed when p or err is known; nil until somebody builds
	p        *Profile
	err      error
}

// Open loads the profile of an id, or returns the one that is open. Concurrent
// calls for one id share one load. It blocks until the profile's lock and data
// are held, as session.Server.Open does: it waits for a final save of this
// server, and asks another server that has the profile to hand it over. When the
// contexts of all callers have ended, or the player leaves (ErrLeft), the load
// is given up and what it locked is released.
//
// With the policy GiveErrored, a player whose data cannot be loaded gets an
// errored profile and no error: ask Profile.Err. A *session.LockedError is returned
// nevertheless while others wait longer for the same player, who may still get him.
func (srv *Server) Open(ctx context.Context, id string, o *OpenOptions) (*Profile, error) {
	if o == nil {
		o = &OpenOptions{}
	}
	if err := o.checkSlot(); err != nil {
		return nil, fmt.Errorf("open %v: %w", srv.key(id), err)
	}
	var refused error
	p, _, err := srv.open(ctx, id, o, func(p *Profile) (took bool) {
		took, refused = p.keepWith(ctx, o)
		return took
	})
	if err == nil && refused != nil {
		return nil, refused
	}
	return p, err
}

// open is Open for who takes a profile by a function of his own, which returns
// false if it has to be opened anew. It also returns the load by which it came,
// or nil if it was open.
func (srv *Server) open(ctx context.Context, id string, o *OpenOptions, take func(*Profile) bool) (*Profile, *load, error) {
	key := srv.key(id)
	if err := key.Check(); err != nil {
		return nil, nil, fmt.Errorf("open: %w", err)
	}
	for {
		p, l, wait, err := srv.join(key)
		took, built := false, false
		lent := p != nil && !p.kept.Load()
		if l != nil {
			p, took, built, err = srv.enter(ctx, l, key, o, take)
		} else if p != nil {
			took = take(p)
		}
		switch {
		case err != nil && l == nil:
			return nil, nil, fmt.Errorf("open %v: %w", key, err)
		case othersChoice(err, built) && ctx.Err() == nil:
			wait = l.done
		case err != nil:
			return nil, nil, err
		case took && l != nil:
			l.awaitMail(ctx) // not within the load: who comes now gets the profile, or a new load if it has ended
			return p, l, nil
		case took && lent && p.kept.Load():
			p.awaitMail(ctx) // to the game this is its load
			return p, nil, nil
		case took:
			return p, nil, nil
		case p != nil:
			wait = p.closingDone()
		}
		if wait == nil { // the closing has been given up meanwhile
			continue
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("open %v: wait until it is closed: %w", key, context.Cause(ctx))
		}
	}
}

// join returns the open profile, or the load to take part in, or a channel
// after which to try again, or nothing: at once.
func (c *common) join(key session.Key) (*Profile, *load, <-chan struct{}, error) {
	c.mu.Lock()
	p := c.profiles[key]
	if p != nil && p.s != nil && p.ended() {
		c.mu.Unlock()
		// Its session is about to tell. Of a profile that has made room for another
		// one nobody would hear that.
		c.finish(p, p.s.Err())
		return nil, nil, nil, nil
	}
	defer c.mu.Unlock()
	if c.closing {
		return nil, nil, nil, session.ErrClosed
	}
	if p != nil {
		if closing := p.closingDone(); closing != nil {
			return nil, nil, closing, nil
		}
		return p, nil, nil, nil
	}
	l := c.loads[key]
	if l == nil {
		l = &load{done: make(chan struct{})}
		l.ctx, l.cancel = context.WithCancelCause(context.Background())
		c.loads[key] = l
	}
	if l.leaving {
		return nil, nil, l.done, nil
	}
	l.calls++
	return nil, l, nil, nil
}

// enter takes part in a load, and takes the profile before it leaves that.
func (srv *Server) enter(ctx context.Context, l *load, key session.Key, o *OpenOptions, take func(*Profile) bool) (p *Profile, took, built bool, err error) {
	began := time.Now()
	defer srv.leave(l, key)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.ctx, func() { cancel(context.Cause(l.ctx)) })()
	s, err := srv.ss.Open(ctx, key, srv.openOptions(o))
	if errors.Is(err, session.ErrLocked) && (o.lent || srv.shared(l)) {
		return nil, false, false, err // his patience is at its end, not the load
	}
	p, built, err = srv.build(ctx, l, key, o, s, err)
	srv.mx.loadedIn(time.Since(began), p, err)
	return p, err == nil && take(p), built, err
}

// shared reports whether several callers take part in a load.
func (c *common) shared(l *load) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return l.calls > 1
}

// awaitMail waits until the messages have been looked at that were there when the
// profile was loaded.
func (l *load) awaitMail(ctx context.Context) {
	if l.mail != nil {
		l.mail.wait(ctx)
	}
}

// awaitMail waits until the messages have been looked at that are there now.
func (p *Profile) awaitMail(ctx context.Context) {
	if now := p.takeMail(); now != nil {
		now.wait(ctx)
	}
}

// wait waits for the end of a look, or of ctx.
func (now *pass) wait(ctx context.Context) {
	select {
	case <-now.done:
	case <-ctx.Done():
	}
}

// leave ends one caller's part in a load. If only the goroutine is left that builds
// the profile, it is told to give up.
func (c *common) leave(l *load, key session.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.calls--; l.calls > 0 {
		if l.calls == 1 && l.building {
			l.leaving = true
			l.cancel(nil)
		}
		return
	}
	delete(c.loads, key)
	l.cancel(nil)
	close(l.done)
}

// build makes the profile of a load, once for all its callers, of the session
// or error that each of them got. It reports whether this caller made it, so that
// it has the save slot that he asked for.
func (srv *Server) build(ctx context.Context, l *load, key session.Key, o *OpenOptions, s *session.Session, err error) (p *Profile, builder bool, failed error) {
	if err != nil && (!certain(err) || srv.opts.OnLoadError == RefusePlayer) {
		srv.log.Warn("load failed", "key", key.String(), "err", err)
		srv.mu.Lock()
		l.err = firstError(l.err, err)
		srv.mu.Unlock()
		return nil, true, err
	}
	srv.mu.Lock()
	builder = l.built == nil
	if builder {
		l.built = make(chan struct{})
	}
	srv.mu.Unlock()
	if builder {
		var todo *todo
		if err == nil {
			todo = srv.todo(s)
		}
		if todo.slow() || err == nil && srv.mayReadSlot(o) {
			srv.buildSlowly(l, key, o, s, todo)
		} else {
			srv.finishBuild(l, key, o, s, todo, err)
		}
	}
	if err := l.awaitBuilt(ctx, key); err != nil {
		return nil, builder, err
	}
	srv.mu.Lock()
	p, err = l.p, l.err
	srv.mu.Unlock()
	if s != nil && (p == nil || p.s != s) { // the load came to its end without it
		srv.discard(l, s)
	}
	return p, builder, err
}

// awaitBuilt waits until the profile is known, or why there is none.
func (l *load) awaitBuilt(ctx context.Context, key session.Key) error {
	select {
	case <-l.built:
		return nil
	default:
	}
	select {
	case <-l.built:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("open %v: %w", key, context.Cause(ctx))
	}
}

// finishBuild makes the profile and lets everybody know. It returns an error if
// nothing could be made of the session.
func (srv *Server) finishBuild(l *load, key session.Key, o *OpenOptions, s *session.Session, t *todo, err error) error {
	defer close(l.built)
	p, err := srv.make(l, key, o, s, t, err)
	srv.admit(l, p, err)
	if l.p != nil {
		l.mail = l.p.takeMail()
	}
	if err == nil && p.s != s {
		return p.failed.err
	}
	return err
}

// mayReadSlot reports whether a load may have to read a parked save slot.
func (srv *Server) mayReadSlot(o *OpenOptions) bool { return !o.lent && srv.schema.hasSlots() }

// buildSlowly is finishBuild on a goroutine of its own, as it takes as long as the
// game's code does, or as a read, which callers need not wait for. The load goes on until it
// is over: who wants the player after all others have left comes after it.
func (srv *Server) buildSlowly(l *load, key session.Key, o *OpenOptions, s *session.Session, t *todo) {
	srv.mu.Lock()
	l.calls++
	l.building = true
	srv.mu.Unlock()
	srv.background(func() {
		defer srv.leave(l, key)
		err := srv.finishBuild(l, key, o, s, t, nil)
		srv.mu.Lock()
		l.building = false
		l.leaving = l.leaving || err != nil
		srv.mu.Unlock()
		if err != nil {
			srv.discard(l, s)
		}
	})
}

// discard gives the lock of a session back that has become no profile: nothing was
// changed in it. When it returns, no other load gets that session any more. If the
// player has left, the load ends after that.
func (c *common) discard(l *load, s *session.Session) {
	c.mu.Lock()
	left := l.leaving
	if left {
		l.calls++
	}
	c.mu.Unlock()
	s.StartClose(func(err error) {
		if err != nil {
			c.log.Error("release a player who was not loaded", "key", s.Key().String(), "err", err)
		}
		if left {
			c.leave(l, s.Key())
		}
	})
}

// make makes a profile of a session, or of an error that is certain.
func (srv *Server) make(l *load, key session.Key, o *OpenOptions, s *session.Session, t *todo, err error) (*Profile, error) {
	var p *Profile
	if err == nil {
		if p, err = newProfile(l.ctx, srv, s, t); err == nil {
			err = p.chosen(l.ctx, o)
		}
		if err != nil {
			srv.discard(l, s)
		}
		if err != nil && l.ctx.Err() != nil {
			return nil, fmt.Errorf("open %v: %w", key, context.Cause(l.ctx)) // whatever that has made of its end
		}
		if choice, ok := errors.AsType[*choiceError](err); ok {
			return nil, choice
		}
		if err != nil && !certain(err) {
			srv.log.Warn("load failed", "key", key.String(), "err", err)
			return nil, fmt.Errorf("open %v: %w", key, err)
		}
	}
	if err != nil {
		srv.log.Error("load failed: the profile is errored", "key", key.String(), "err", err)
		if srv.opts.OnLoadError == RefusePlayer {
			return nil, fmt.Errorf("open %v: %w", key, err)
		}
		p = newErrored(srv, key, err)
	}
	srv.mx.loaded.Inc() // finish takes it back
	if srv.opts.OnOpen != nil {
		srv.opts.OnOpen(p)
	}
	if p.failed == nil {
		p.tellGrowth(p.reached())
	}
	return p, nil
}

// admit makes a profile known, unless its player has left meanwhile.
func (srv *Server) admit(l *load, p *Profile, err error) {
	srv.mu.Lock()
	if err == nil && l.leaving {
		err = fmt.Errorf("open %v: %w", p.key, context.Cause(l.ctx))
		left := p
		l.calls++ // until it is closed nobody else loads the player
		defer srv.background(func() {
			_ = left.Close(context.Background())
			srv.leave(l, left.key)
		})
		p = nil
	}
	if err != nil {
		l.err = err
		srv.mu.Unlock()
		return
	}
	l.p, l.err = p, nil
	srv.profiles[p.key] = p
	srv.loaded++
	p.number = srv.loaded
	srv.ring = append(srv.ring, p)
	srv.mu.Unlock()
	if p.s != nil && p.ended() { // before it was known
		srv.finish(p, p.s.Err())
	}
}

// Loading reports whether a profile is being loaded.
func (srv *Server) Loading(id string) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	l := srv.loads[srv.key(id)]
	return l != nil && srv.profiles[srv.key(id)] == nil && !l.leaving
}

// WaitLoaded waits for a load that somebody else has begun, and returns its
// profile. It returns ErrNotOpen if there is neither a profile nor a load,
// ErrLeft if the player leaves, and the load's error if it fails. It does not
// keep the load going.
func (srv *Server) WaitLoaded(ctx context.Context, id string) (*Profile, error) {
	key := srv.key(id)
	srv.mu.Lock()
	p, l := srv.profiles[key], srv.loads[key]
	srv.mu.Unlock()
	switch {
	case p != nil:
		return p, nil
	case l == nil:
		return nil, fmt.Errorf("wait for %v: %w", key, ErrNotOpen)
	}
	select {
	case <-l.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for %v: %w", key, context.Cause(ctx))
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	switch {
	case l.p != nil:
		return l.p, nil
	case l.err != nil:
		return nil, l.err
	}
	return nil, fmt.Errorf("wait for %v: %w", key, ErrLeft)
}

// Leave says that a player has left: a load under way is cancelled and comes
// to nothing, and an open profile is closed. Leave returns when that is done or
// ctx ends, which ends only the wait. A player who is not here is no error.
func (srv *Server) Leave(ctx context.Context, id string) error {
	key := srv.key(id)
	srv.mu.Lock()
	p, l := srv.profiles[key], srv.loads[key]
	if p == nil && l != nil {
		l.leaving = true
		l.cancel(ErrLeft)
	}
	srv.mu.Unlock()
	switch {
	case p != nil:
		return p.Close(ctx)
	case l == nil:
		return nil
	}
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("leave %v: %w", key, context.Cause(ctx))
	}
}
