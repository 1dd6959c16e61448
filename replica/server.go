package replica

import (
	"fmt"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/profile"
)

// Server makes frames of what the profiles of a profile.Server go through. All its
// methods are safe for concurrent use.
type Server struct {
	profiles *profile.Server
	opts     Options
	shape    *shape
	pool     *pool
	metrics  *metrics
	cancel   func() // ends the being told of profiles

	mu      sync.Mutex // guards what follows; the last one to be taken
	streams map[string]*stream
	due     []*stream // of which frames are to be made
	tick    *time.Timer
	armed   bool // it will fire
	closed  bool
}

// NewServer returns a server that shows the profiles of a profile.Server to those who
// watch them. It must be closed before that. The error is ErrOption, or that of
// registering metrics.
func NewServer(profiles *profile.Server, o *Options) (*Server, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("replicate: %w", err)
	}
	if profiles == nil {
		return nil, fmt.Errorf("replicate: %w: there is no profile server", ErrOption)
	}
	m, err := newMetrics(opts.Metrics)
	if err != nil {
		return nil, fmt.Errorf("replicate: %w", err)
	}
	s := &Server{profiles: profiles, opts: opts, shape: newShape(profiles.Schema()), pool: newPool(), metrics: m, streams: make(map[string]*stream)}
	s.tick = time.AfterFunc(time.Hour, s.flush)
	s.tick.Stop()
	s.cancel = profiles.OnOpened(s.opened)
	return s, nil
}

// opened is told of each profile that the game opens.
func (s *Server) opened(p *profile.Profile) {
	s.mu.Lock()
	st := s.streams[p.ID()]
	s.mu.Unlock()
	if st != nil {
		st.attach(p)
	}
}

// stream returns the stream of a player.
func (s *Server) stream(id string) (*stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	st := s.streams[id]
	if st == nil {
		st = &stream{srv: s, id: id}
		s.streams[id] = st
	}
	return st, nil
}

// forget has a stream found by nobody any more.
func (s *Server) forget(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[st.id] == st {
		delete(s.streams, st.id)
	}
}

// schedule has the frames of a stream made at the next tick.
func (s *Server) schedule(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due = append(s.due, st)
	if !s.armed {
		s.armed = true
		s.tick.Reset(max(0, s.opts.Tick))
	}
}

// flush has the frames made of all streams that are due.
func (s *Server) flush() {
	s.mu.Lock()
	due := s.due
	s.due, s.armed = nil, false
	s.mu.Unlock()
	for _, st := range due {
		s.pool.add(st)
	}
}

// Close ends all watching, with Leaving, and returns when nothing runs any more. The
// profiles are left as they are. Closing twice does nothing.
func (s *Server) Close() {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	streams := make([]*stream, 0, len(s.streams))
	for _, st := range s.streams {
		streams = append(streams, st)
	}
	s.mu.Unlock()
	s.cancel()
	for _, st := range streams {
		st.close()
	}
	s.tick.Stop()
	s.flush()
	s.pool.wait()
	if !again { // by then the names may be those of another server
		s.metrics.set.Unregister()
	}
}

// close ends a stream and its watchers.
func (st *stream) close() {
	st.mu.Lock()
	watchers := st.watchers
	if st.idle != nil {
		st.idle.Stop()
	}
	st.leaveLocked()
	st.mu.Unlock()
	for _, w := range watchers {
		w.finish(Leaving)
	}
}
