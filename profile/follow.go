package profile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// FollowOptions say how Server.Follow follows a profile. Nil is the same as the
// zero value.
type FollowOptions struct {
	// Every is the time from one look into the database to the next while nobody
	// can be asked to tell what happens: nobody has the profile open, or its server
	// has no bus in common with this one. Of several followers of one profile the
	// shortest holds. Zero means 1 s; at least 10 ms.
	Every time.Duration
	// Own also tells what this server itself did by Change. Else that only
	// changes the copy.
	Own bool
}

func (o *FollowOptions) withDefaults() (FollowOptions, error) {
	var c FollowOptions
	if o != nil {
		c = *o
	}
	if c.Every == 0 {
		c.Every = time.Second
	}
	if c.Every < 10*time.Millisecond {
		return c, fmt.Errorf("%w: look every %v, at least 10ms", driver.ErrInvalid, c.Every)
	}
	return c, nil
}

// Followed is what a follower is told: first the state, and then everything that
// changes it.
type Followed struct {
	// Profile is the live copy. While the follower's function runs, it is what it
	// was right after the changes.
	Profile *Profile
	// Revision is the profile's revision then; 0 if there is no such profile.
	Revision uint64
	// Changes are what has changed since the follower was last told, in the order
	// of the paths, one of each, with the value before and after. They are shared.
	// The Field of a value that the schema does not know is nil. In the state that
	// comes first there are none.
	Changes []Change
	// Err is not nil if the profile has gone (session.ErrErased,
	// session.ErrNotFound), cannot be read (driver.ErrCorrupt, driver.ErrFormat,
	// ErrWrongType), or if this server was closed (session.ErrClosed). Except for
	// the last it is told once, and following goes on: the profile may be there
	// again later.
	Err error
}

// Follower is told of the changes of a profile, from Server.Follow to Close. It
// reads like the live copy, so that fields can be read from it.
type Follower struct {
	f     *following
	fn    func(Followed)
	own   bool
	every time.Duration
	begun chan error // told once, when the state was told, or why it never will be
	off   atomic.Bool
}

// Follow keeps a live copy of the profile of an id, wherever that is open, and
// calls fn with the state, and then with everything that has become durable of it,
// in order. It blocks until fn has been called with the state; ctx bounds that,
// not the following, which lasts until Close.
//
// The server that has the profile tells what it has put on disk, within
// milliseconds, if there is a bus; what it did within one append of its journal
// comes as one. If a message may have been lost, when the profile moves from server
// to server, and while it is open nowhere, the database is read instead, and the
// difference is told: so nothing is missed, though what has changed several times
// in the meantime is told as one change. A change is never told before it is on
// disk; changes of Lazy fields are told when a save has taken them there.
//
// Fn is called by one goroutine at a time, which all followers of one profile on
// this server share; it should be quick, and may call Close. What this server did
// by Change is not told unless FollowOptions say so, as far as nobody else changed
// anything at the same moment.
//
// It is session.ErrNotFound or session.ErrErased if there is no such profile now,
// session.ErrClosed, driver.ErrCorrupt, or ErrWrongType if a field holds a value of
// another type.
func (srv *Server) Follow(ctx context.Context, id string, fn func(Followed), o *FollowOptions) (*Follower, error) {
	key := srv.key(id)
	fail := func(err error) (*Follower, error) { return nil, fmt.Errorf("follow %v: %w", key, err) }
	opts, err := o.withDefaults()
	if err = errors.Join(err, key.Check()); err != nil {
		return fail(err)
	}
	if fn == nil {
		return fail(fmt.Errorf("%w: there is no function to tell", driver.ErrInvalid))
	}
	if err := srv.listenForSteps(); err != nil {
		return fail(err)
	}
	w := &Follower{fn: fn, own: opts.Own, every: opts.Every, begun: make(chan error, 1)}
	if err := srv.enroll(key, w); err != nil {
		return fail(err)
	}
	select {
	case err = <-w.begun:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		w.Close()
		return fail(err)
	}
	return w, nil
}

// Close ends the following: fn is not called again, except that a call under way
// goes on. The last follower of a profile drops the copy, which then stays as it
// is. Close does not block, and closing twice does nothing.
func (w *Follower) Close() {
	if !w.off.Swap(true) {
		w.f.leave(w)
	}
}

// Profile returns the live copy: its Err is ErrCopy and it cannot be updated.
// Listeners to its changes are called like the followers' functions, before those
// and also with Options.ManualEvents, and are told of this server's own changes too.
func (w *Follower) Profile() *Profile { return w.f.live }

// JSON returns all that is stored, as Copy.JSON does.
func (w *Follower) JSON() json.RawMessage { return textOf(w) }

func (w *Follower) begin() *Profile                  { return w.f.live.begin() }
func (w *Follower) end()                             { w.f.live.end() }
func (w *Follower) openDocument() *document.Document { return w.f.live.openDocument() }
func (w *Follower) closeDocument()                   { w.f.live.closeDocument() }

// follows are the profiles that a server follows.
type follows struct {
	begin sync.Mutex // held while it is begun to listen

	mu    sync.Mutex     // guards what follows
	id    driver.Version // by which the owners' servers know this one; zero: nobody has followed yet
	hears bool           // the bus brings steps
	all   map[string]*following
}

// listenForSteps begins to listen to what other servers tell, before the first
// follower. Without a bus, or if it refuses, the database is read instead.
func (c *common) listenForSteps() error {
	if c.ctx.Err() != nil {
		return session.ErrClosed
	}
	fs := &c.follows
	fs.begin.Lock()
	defer fs.begin.Unlock()
	fs.mu.Lock()
	id, ready := fs.id, fs.hears || c.opts.Session.Bus == nil && !fs.id.IsZero()
	fs.mu.Unlock()
	if ready {
		return nil
	}
	if id.IsZero() {
		var err error
		if id, err = c.ss.DB().NewVersion(); err != nil {
			return err
		}
	}
	var cancel func()
	if b := c.opts.Session.Bus; b != nil {
		var err error
		if cancel, err = b.SubscribeSystem(stepTopic(id), fs.heard(c)); err != nil {
			c.log.Warn("no bus: what is followed is read from the database", "err", err)
		}
	}
	fs.mu.Lock()
	fs.id, fs.hears = id, cancel != nil
	fs.mu.Unlock()
	if cancel != nil {
		context.AfterFunc(c.ctx, cancel)
	}
	return nil
}

// maxStepMessage bounds a message from the bus, in bytes.
const maxStepMessage = 4 * maxPost

// heard returns what is called with messages of the bus.
func (fs *follows) heard(c *common) func(bus.Message) {
	return func(msg bus.Message) {
		if msg.Missed {
			for _, f := range fs.list() {
				f.miss()
			}
			return
		}
		var steps []step
		if len(msg.Data) > maxStepMessage || json.Unmarshal(msg.Data, &steps) != nil {
			c.log.Warn("steps from the bus not understood", "bytes", len(msg.Data))
			return
		}
		for _, st := range steps {
			fs.dispatch(st)
		}
	}
}

func (fs *follows) list() []*following {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	list := make([]*following, 0, len(fs.all))
	for _, f := range fs.all {
		list = append(list, f)
	}
	return list
}

func (fs *follows) dispatch(st step) {
	fs.mu.Lock()
	f := fs.all[st.Key]
	fs.mu.Unlock()
	if f != nil {
		f.take(st)
	}
}

// take takes a step that was posted to this server itself, and returns false if it
// was posted to another.
func (fs *follows) take(to driver.Version, st step) bool {
	fs.mu.Lock()
	mine := fs.id == to
	fs.mu.Unlock()
	if mine {
		fs.dispatch(st)
	}
	return mine
}

// idFor returns the id by which followers of a key are known, or zero if nobody
// follows it here.
func (fs *follows) idFor(key session.Key) driver.Version {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.all[key.String()] == nil {
		return driver.Version{}
	}
	return fs.id
}

// changed notes that a revision is this server's own change.
func (fs *follows) changed(key session.Key, revision uint64) {
	fs.mu.Lock()
	f := fs.all[key.String()]
	fs.mu.Unlock()
	if f != nil {
		f.noteOwn(revision)
	}
}

// enroll has a follower told, with others of the same profile if there are any.
func (srv *Server) enroll(key session.Key, w *Follower) error {
	fs := &srv.follows
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if srv.ctx.Err() != nil {
		return session.ErrClosed
	}
	if fs.all == nil {
		fs.all = make(map[string]*following)
	}
	f := fs.all[key.String()]
	if f == nil {
		var err error
		if f, err = newFollowing(srv, key); err != nil {
			return err
		}
		fs.all[key.String()] = f
		srv.background(f.run)
	}
	w.f = f
	f.mu.Lock()
	f.joining = append(f.joining, w)
	f.mu.Unlock()
	f.ring()
	return nil
}

// leave ends a follower, and the following with the last one.
func (f *following) leave(w *Follower) {
	fs := &f.srv.follows
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	is := func(o *Follower) bool { return o == w }
	f.joining = slices.DeleteFunc(slices.Clone(f.joining), is)
	f.followers = slices.DeleteFunc(slices.Clone(f.followers), is)
	if len(f.joining)+len(f.followers) > 0 {
		return
	}
	if fs.all[f.key.String()] == f {
		delete(fs.all, f.key.String())
	}
	f.stop()
}
