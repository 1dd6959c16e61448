package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// hold is an open session, as its caller sees it.
type hold struct {
	in      *instance
	p       *player
	s       *session.Session
	profile *profile.Profile // nil where games use sessions
	session string
	head    *update // the last one that was made in it
	lazy    int     // the last lazy value
	fleet   int     // the last volatile value
}

// ending is a session that has ended.
type ending struct {
	in  *instance
	s   *session.Session
	err error
}

func (in *instance) openOptions(steal string) *session.OpenOptions {
	return &session.OpenOptions{
		Steal:  steal,
		Ranked: rankedOf,
		Ended: func(s *session.Session, err error) {
			in.w.mu.Lock()
			in.w.inbox.ends = append(in.w.inbox.ends, ending{in, s, err})
			in.w.mu.Unlock()
			in.w.signal()
		},
	}
}

// open wants a player on a server.
func (w *world) open(in *instance, p *player, act opening) {
	what := "open " + p.key.ID
	if act.steal != "" {
		what = "steal " + p.key.ID
	}
	w.begin(in, act.limit, what, func(ctx context.Context) func() {
		h, err := in.open(ctx, p, act.steal)
		return func() {
			w.heard(err)
			if err != nil {
				w.notOpened(err)
				return
			}
			w.opened(h)
		}
	})
}

// open opens a player as the world's games do.
func (in *instance) open(ctx context.Context, p *player, steal string) (*hold, error) {
	h := &hold{in: in, p: p}
	var err error
	if in.profiles == nil {
		h.s, err = in.srv.Open(ctx, p.key, in.openOptions(steal))
	} else if h.profile, err = in.profiles.Open(ctx, p.key.ID, &profile.OpenOptions{Steal: steal}); err == nil {
		h.s = h.profile.Session()
	}
	return h, err
}

func (h *hold) save(ctx context.Context) error {
	if h.profile != nil {
		return h.profile.Save(ctx)
	}
	return h.s.Save(ctx)
}

func (h *hold) close(ctx context.Context) error {
	if h.profile != nil {
		return h.profile.Close(ctx)
	}
	return h.s.Close(ctx)
}

// notOpened checks the reason for which an Open failed.
func (w *world) notOpened(err error) {
	if w.calm && w.current.until.IsZero() && !errors.Is(err, session.ErrErased) && !errors.Is(err, session.ErrClosed) && !errors.Is(err, session.ErrLost) {
		w.fail(fmt.Errorf("%v failed in a healthy world: %w", w.current, err))
	}
}

// opened checks what an Open gave: the session that took the lock, with
// everything in it that was durable when it took it.
func (w *world) opened(h *hold) {
	in, p, s, id := h.in, h.p, h.s, h.s.ID()
	taken := w.check.sessions[id]
	if taken == nil {
		w.fail(fmt.Errorf("%s gave session %s, which never took the lock of %v", w.current, id, p.key))
		return
	}
	if s.Fresh() != taken.fresh {
		w.fail(fmt.Errorf("%s: Fresh() = %v, want %v", w.current, s.Fresh(), taken.fresh))
	}
	select {
	case <-s.Done():
		return // it ended before its caller heard of it
	default:
	}
	if slices.ContainsFunc(in.holds, func(h *hold) bool { return h.s == s }) {
		return
	}
	if o := in.holdOf(p); o != nil {
		w.fail(fmt.Errorf("%s gave session %s beside session %s", w.current, id, o.session))
	}
	h.session, h.head, h.lazy = id, taken.last, taken.lazy
	in.holds = append(in.holds, h)
	s.Lock()
	data := s.Document().AppendJSON(nil)
	s.Unlock()
	w.fail(w.checkMemory(h, data))
}

// watchProfiles notes which sessions under profiles have ended. Their ends are
// told to the profile server.
func (w *world) watchProfiles() {
	for _, in := range w.all {
		if in.profiles == nil || in.dead {
			continue
		}
		for _, h := range slices.Clone(in.holds) {
			select {
			case <-h.s.Done():
				err := h.s.Err()
				if !errors.Is(err, session.ErrLost) {
					err = nil
				}
				w.sessionEnded(ending{in, h.s, err})
			default:
			}
		}
	}
}

// checkMemory checks that a session's document is what its caller left.
func (w *world) checkMemory(h *hold, data []byte) error {
	u, c, err := w.check.find(h.p, data)
	switch {
	case err != nil:
		return fmt.Errorf("memory of session %s: %w", h.session, err)
	case u != h.head:
		return fmt.Errorf("session %s of %v holds update %v, its last was %v", h.session, h.p.key, u, h.head)
	case c.lazy() != h.lazy:
		return fmt.Errorf("session %s of %v holds lazy value %d, its last was %d", h.session, h.p.key, c.lazy(), h.lazy)
	}
	return nil
}

// sessionEnded checks why a session has ended.
func (w *world) sessionEnded(e ending) {
	if e.in.dead {
		return
	}
	id := e.s.ID()
	w.trace.add("%s: session %s of %s ended: %v", e.in.name, id, e.s.Key().ID, cmp.Or(e.err, errors.New("released")))
	taken := w.check.sessions[id]
	if taken == nil {
		w.fail(fmt.Errorf("session %s ended, which never took a lock", id))
		return
	}
	head := taken.last
	if i := slices.IndexFunc(e.in.holds, func(h *hold) bool { return h.s == e.s }); i >= 0 {
		head = e.in.holds[i].head
		e.in.holds = slices.Delete(e.in.holds, i, i+1)
	}
	if e.err == nil {
		w.fail(w.check.released(head, id, "the caller of session "+id))
		return
	}
	p := w.check.byRoot[e.s.Key().String()]
	switch {
	case !errors.Is(e.err, session.ErrLost) || errors.Is(e.err, session.ErrHistoryLost):
		w.fail(fmt.Errorf("session %s of %v ended with %w", id, e.s.Key(), e.err))
	case !w.check.lossExcused(p, taken) && !e.in.closing:
		w.fail(fmt.Errorf("session %s of %v was lost without a cause: %w", id, e.s.Key(), e.err))
	}
}
