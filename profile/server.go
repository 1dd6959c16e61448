package profile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// Server opens profiles of one schema. Servers of other schemas that With
// returns share everything else with it. All its methods are safe for concurrent
// use.
type Server struct {
	*common
	schema *Schema
	by     string // see As
}

// common is what the servers of all schemas share.
type common struct {
	ss       *session.Server
	opts     Options
	log      *slog.Logger
	mx       *metrics
	patience time.Duration
	ended    func(*session.Session, error)         // told to every session
	saved    func(*session.Session, session.Saved) // likewise
	autosave autosaver
	ids      ids
	holds    holds
	follows  follows
	posted   post
	lost     atomic.Int32 // runs of migrations that did not end in time and go on

	ctx  context.Context // ends when the server has closed
	stop context.CancelFunc

	mu        sync.Mutex // guards what follows
	handlers  map[handlerKey]handler
	sources   map[string][]Source     // by kind
	tellers   map[string][]DeedTeller // likewise
	hearers   map[string][]func()     // by what they want to hear of
	openings  []*opening
	schemas   map[string]*Schema
	profiles  map[session.Key]*Profile
	loaded    uint64     // loads that have succeeded
	ring      []*Profile // all of profiles and some that have ended, in the order of their loads
	loads     map[session.Key]*load
	strangers map[*field]bool
	closing   bool
	running   int           // goroutines of background
	idle      chan struct{} // closed when running drops to 0; nil unless somebody waits
}

// Open starts a server for profiles of a schema: it takes a lease, and blocks
// until that is held or ctx ends. A schema with mistakes is ErrSchema. The db
// stays the caller's, who closes it after the server.
func Open(ctx context.Context, db *store.DB, schema *Schema, o *Options) (*Server, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open profiles: %w", err)
	}
	c := &common{
		opts: opts, log: opts.Session.Logger, patience: lockPatience,
		handlers:  make(map[handlerKey]handler),
		sources:   make(map[string][]Source),
		tellers:   make(map[string][]DeedTeller),
		hearers:   make(map[string][]func()),
		schemas:   make(map[string]*Schema),
		profiles:  make(map[session.Key]*Profile),
		loads:     make(map[session.Key]*load),
		strangers: make(map[*field]bool),
	}
	srv, err := (&Server{common: c}).With(schema)
	if err != nil {
		return nil, err
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	if c.mx, err = newMetrics(opts.Session.Metrics); err != nil {
		return nil, err
	}
	c.ended, c.saved = c.sessionEnded, c.sessionSaved
	so := opts.Session
	so.HandOver, so.Rung, so.Answer = c.handOver, c.rung, c.answer
	if c.ss, err = session.Open(ctx, db, &so); err != nil {
		c.mx.set.Unregister()
		return nil, fmt.Errorf("open profiles: %w", err)
	}
	if worst := db.WorstCase(); opts.Autosave > 0 && (worst < 0 || worst > opts.Autosave) {
		c.log.Warn("a request to the store may take longer than the time between two autosaves", "worst", worst, "autosave", opts.Autosave)
	}
	c.autosave.start(c, db.Driver().Info().Group)
	return srv, nil
}

// With returns a server for profiles of another schema, which shares the lease,
// the autosaves and the options with this one, and is closed with it. A kind has
// one schema: another one is ErrSchema.
func (srv *Server) With(schema *Schema) (*Server, error) {
	if schema == nil {
		return nil, fmt.Errorf("%w: there is none", ErrSchema)
	}
	if err := schema.Err(); err != nil {
		return nil, err
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if other := srv.schemas[schema.kind]; other != nil && other != schema {
		return nil, fmt.Errorf("%w %q: the kind has another schema in this server", ErrSchema, schema.kind)
	}
	srv.schemas[schema.kind] = schema
	return &Server{common: srv.common, schema: schema, by: srv.by}, nil
}

// Schema returns the schema of the server's profiles.
func (srv *Server) Schema() *Schema { return srv.schema }

// Session returns the session server underneath.
func (srv *Server) Session() *session.Server { return srv.ss }

// Suspended reports whether the server has not reached the database for so
// long that others may take it for dead. Updates are refused until it does.
func (srv *Server) Suspended() bool { return srv.ss.Suspended() }

// Profile returns the open profile of an id, and false if there is none.
func (srv *Server) Profile(id string) (*Profile, bool) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	p := srv.profiles[srv.key(id)]
	return p, p != nil
}

// Profiles returns the open profiles of the server's schema, in the order in
// which they were loaded.
func (srv *Server) Profiles() []*Profile {
	return slices.DeleteFunc(srv.all(), func(p *Profile) bool { return p.schema != srv.schema })
}

// all returns the open profiles of all schemas.
func (c *common) all() []*Profile {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tidyLocked()
	return slices.Clone(c.ring)
}

// tidyLocked takes those that have ended off the ring.
func (c *common) tidyLocked() {
	c.ring = slices.DeleteFunc(c.ring, func(p *Profile) bool { return c.profiles[p.key] != p })
}

// forgetLocked takes a profile that has ended off the list, and now and then
// those that have ended off the ring, so that they do not stay in memory.
func (c *common) forgetLocked(p *Profile) {
	if c.profiles[p.key] == p {
		delete(c.profiles, p.key)
	}
	if len(c.ring) > 2*len(c.profiles)+64 {
		c.tidyLocked()
	}
}

func (srv *Server) key(id string) session.Key { return srv.schema.Key(id) }

func (c *common) limits() *document.Limits { return &c.opts.Session.Limits }

// emptyDocument returns a document with the server's limits.
func (c *common) emptyDocument() *document.Document {
	d, err := document.Parse([]byte("{}"), c.limits())
	if err != nil {
		return new(document.Document) // limits so tight that not even this fits
	}
	return d
}

// stranger logs the use of a field with a profile that does not have it, once
// per field.
func (c *common) stranger(p *Profile, f *field) {
	c.mu.Lock()
	known := c.strangers[f]
	c.strangers[f] = true
	c.mu.Unlock()
	if !known {
		c.log.Error("field is used with a profile whose schema does not have it", "field", f.name, "key", p.key.String())
	}
}

// background runs fn on a goroutine that Close waits for.
func (c *common) background(fn func()) {
	c.mu.Lock()
	c.running++
	c.mu.Unlock()
	go func() {
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.running--; c.running == 0 && c.idle != nil {
				close(c.idle)
				c.idle = nil
			}
		}()
		fn()
	}()
}

// whenIdle waits until no goroutine of background runs.
func (c *common) whenIdle(ctx context.Context) {
	c.mu.Lock()
	if c.running == 0 {
		c.mu.Unlock()
		return
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// sessionEnded is told by a session that it has ended.
func (c *common) sessionEnded(s *session.Session, err error) {
	if p := c.profileOf(s); p != nil {
		c.finish(p, err)
	}
}

// sessionSaved is told by a session what became of a save.
func (c *common) sessionSaved(s *session.Session, saved session.Saved) {
	p := c.profileOf(s)
	if p == nil {
		return
	}
	if saved.Cause == session.CauseClose && saved.Err != nil {
		p.stayOpen()
	}
	p.tellTaps(func(t *Tap) { t.Saved(saved) })
	p.post(event{saved: &saved})
}

func (c *common) profileOf(s *session.Session) *Profile {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.profiles[s.Key()]; p != nil && p.s == s {
		return p
	}
	return nil
}

// Close saves and releases every profile of all the server's schemas, and then
// the lease. It opens no more profiles, cancels the loads under way, lets
// OnRelease finish, and returns what became of each player, in the order of
// their keys, at the latest when ctx ends; see session.Server.Close. Errored
// profiles have nothing to save and no result. A second call waits for the
// first.
func (srv *Server) Close(ctx context.Context) ([]session.Result, error) {
	if srv.stopLoads() {
		srv.autosave.close()
		srv.releaseAll(ctx)
	}
	results, err := srv.ss.Close(ctx)
	for _, p := range srv.all() {
		if p.failed != nil {
			srv.finish(p, nil)
		}
	}
	srv.stop()
	srv.whenIdle(ctx)
	srv.mx.set.Unregister()
	if err != nil && !errors.Is(err, session.ErrClosed) {
		return results, fmt.Errorf("close profiles: %w", err)
	}
	return results, err
}

// stopLoads lets no load begin or succeed any more. It reports whether it is
// the first to do that.
func (c *common) stopLoads() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := !c.closing
	c.closing = true
	for _, l := range c.loads {
		l.leaving = true
		l.cancel(session.ErrClosed)
	}
	return first
}

// releaseAll lets the game's OnRelease see every profile, all at the same time.
func (c *common) releaseAll(ctx context.Context) {
	if c.opts.OnRelease == nil {
		return
	}
	limit := c.opts.ReleaseTime
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)/2)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var all sync.WaitGroup
	for _, p := range c.all() {
		all.Go(func() { p.release(ctx) })
	}
	all.Wait()
}

// certain reports whether an error of a load lies in the player's data, or in
// who holds them, so that it would not help to wait.
func certain(err error) bool {
	if errors.Is(err, session.ErrLocked) {
		return errors.Is(err, context.DeadlineExceeded)
	}
	for _, e := range []error{driver.ErrCorrupt, driver.ErrFormat, ErrWrongType} {
		if errors.Is(err, e) {
			return true
		}
	}
	return unusable(err)
}
