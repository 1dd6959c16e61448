package replica

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/profile"
)

// Watcher is one reader of one player's frames, from Server.Watch to Close. Its
// methods are safe for concurrent use, but frames have an order: only one goroutine at
// a time should ask for them.
type Watcher struct {
	st   *stream
	bell func()        // that there may be something; must not block
	rung chan struct{} // level: likewise, for Next
	off  atomic.Bool

	// The stream's mu guards these.
	from     Position // where it comes from; of no use once begun
	begun    bool     // it has been given a first frame
	at       uint64   // the revision of its last frame
	patience *time.Timer
	reason   Reason // why it ends by itself; empty: it does not
	ended    bool   // it has been given the last frame
}

// Watch begins to watch the player of an id, whether he is loaded here or not. From is
// where the client stands, the zero Position if it is new: if that can be continued,
// the first frame is of TypeResumed, else of TypeState. Ready is called whenever there
// may be a frame to Poll, also for no reason, by whatever goroutine finds out: it must
// not block and must not use the Watcher. It may be nil for who calls Next.
//
// It does not block. The error matches driver.ErrInvalid for an id that cannot be one,
// ErrCrowded if too many watch the player, or ErrClosed.
func (s *Server) Watch(id string, from Position, ready func()) (*Watcher, error) {
	fail := func(err error) (*Watcher, error) { return nil, fmt.Errorf("watch %q: %w", id, err) }
	if err := s.profiles.Schema().Key(id).Check(); err != nil {
		return fail(err)
	}
	w := &Watcher{bell: ready, from: from}
	if ready == nil {
		w.rung = make(chan struct{}, 1)
	}
	for {
		st, err := s.stream(id)
		if err != nil {
			return fail(err)
		}
		w.st = st
		joined, err := st.join(w)
		if err != nil {
			return fail(err)
		}
		if joined {
			break
		}
	}
	s.metrics.watchers.Inc()
	if p, ok := s.profiles.Opened(id); ok {
		w.st.attach(p)
	}
	w.awaitProfile()
	w.ready()
	return w, nil
}

// awaitProfile gives the watcher up if no profile comes in time.
func (w *Watcher) awaitProfile() {
	w.st.mu.Lock()
	defer w.st.mu.Unlock()
	if w.st.p != nil {
		return
	}
	w.patience = time.AfterFunc(max(0, w.st.srv.opts.Patience), func() {
		w.st.mu.Lock()
		absent := w.st.p == nil
		w.st.mu.Unlock()
		if absent {
			w.finish(Absent)
		}
	})
}

// ready says that there may be a frame.
func (w *Watcher) ready() {
	if w.off.Load() {
		return
	}
	if w.bell != nil {
		w.bell()
		return
	}
	select {
	case w.rung <- struct{}{}:
	default:
	}
}

// finish ends the watcher for a reason of its own.
func (w *Watcher) finish(r Reason) {
	w.st.mu.Lock()
	if w.reason == "" {
		w.reason = r
	}
	w.st.mu.Unlock()
	w.ready()
}

// Poll returns the next frame, and false if there is none now. The last one is of
// TypeEnd; after it there is none. To make a state it reads the profile, and waits for
// an update of it that is under way.
func (w *Watcher) Poll() (Frame, bool) {
	if w.off.Load() {
		return Frame{}, false
	}
	f, ok, state := w.next()
	if state {
		return w.state(), true
	}
	return f, ok
}

// next returns the next frame, or says that it is a state, which has to be made.
func (w *Watcher) next() (f Frame, ok, state bool) {
	st := w.st
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case w.ended:
		return f, false, false
	case w.reason != "":
		return w.endLocked(w.reason), true, false
	case st.p == nil:
		return f, false, false
	case !w.begun && w.resumesLocked():
		w.begun, w.at = true, w.from.Revision
		return resumedFrame(w.at, st.srv.opts.Ping), true, false
	case st.done && (!w.begun || w.at < st.baseLocked()), st.done && w.at == st.revision:
		return w.endLocked(st.over), true, false
	case !w.begun || w.at < st.baseLocked():
		return f, false, true
	case w.at < st.revision:
		f = st.ring[w.at-st.baseLocked()]
		w.at++
		return f, true, false
	}
	return f, false, false
}

func (w *Watcher) endLocked(r Reason) Frame {
	w.ended = true
	return endFrame(r)
}

// resumesLocked reports whether the watcher can go on from where it comes from.
func (w *Watcher) resumesLocked() bool {
	st := w.st
	return w.from.Epoch == st.epoch && w.from.Revision >= st.baseLocked() && w.from.Revision <= st.revision
}

// state makes the state. What was not told yet is told before it, so that it is that
// of a revision.
func (w *Watcher) state() (f Frame) {
	st := w.st
	st.p.View(func(r profile.Reader) {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.srv.metrics.states.WithLabelValues(w.whyStateLocked()).Inc()
		st.makeLocked(r)
		f = st.stateLocked(r)
		w.begun, w.at = true, st.revision
	})
	st.wake()
	return f
}

// whyStateLocked returns why the next frame is a state.
func (w *Watcher) whyStateLocked() string {
	switch {
	case w.begun:
		return stateBehind
	case w.from.Epoch == "":
		return stateNew
	}
	return stateGone
}

// Next returns the next frame, and waits until there is one or ctx ends. It is for a
// Watcher without a function that is told. After a frame of TypeEnd, or Close, it is
// ErrClosed.
func (w *Watcher) Next(ctx context.Context) (Frame, error) {
	for {
		if f, ok := w.Poll(); ok {
			return f, nil
		}
		w.st.mu.Lock()
		ended := w.ended
		w.st.mu.Unlock()
		if ended || w.off.Load() || w.rung == nil {
			return Frame{}, fmt.Errorf("next frame of %q: %w", w.st.id, ErrClosed)
		}
		select {
		case <-w.rung:
		case <-ctx.Done():
			return Frame{}, fmt.Errorf("next frame of %q: %w", w.st.id, context.Cause(ctx))
		}
	}
}

// Close ends the watching: there are no more frames. Closing twice does nothing.
func (w *Watcher) Close() {
	if w.off.Swap(true) {
		return
	}
	if w.rung != nil {
		select {
		case w.rung <- struct{}{}:
		default:
		}
	}
	w.st.mu.Lock()
	if w.patience != nil {
		w.patience.Stop()
	}
	w.st.mu.Unlock()
	w.st.srv.metrics.watchers.Dec()
	w.st.part(w)
}
