package session

import "github.com/holdfast-games/holdfast/document"

// Durable is a step of what is on disk of a session's document.
type Durable struct {
	// Before and After are the document's revisions without the step and with
	// it. They are equal for lazy changes that went to disk with a save.
	Before, After uint64
	// Delta has the last value of each path that was changed. It is shared and
	// must not be changed.
	Delta document.Delta
}

// OnDurable has fn called with each step from now on, as soon as it is on disk,
// in place of the function that was given before; nil ends that. What several
// updates changed until the journal's next append is one step. Fn must not block
// and must not use the session. It is called for one step after another, except
// that two may come at a time, in any order, after the answer to an append was lost.
// A step that was on its way to the disk while OnDurable was called may be told or
// not.
func (s *Session) OnDurable(fn func(Durable)) {
	if fn == nil {
		s.durable.Store(nil)
		return
	}
	s.durable.Store(&fn)
}

// tellDurable tells that changes are on disk. They do not change any more.
func (c *changes) tellDurable() {
	if fn := c.s.durable.Load(); fn != nil {
		(*fn)(Durable{c.before, c.after, c.ledger.now})
	}
}

// tellLazyLocked tells that the lazy changes of a save are on disk. It is called
// with the session's lock held, so that no later step overtakes it.
func (s *Session) tellLazyLocked(sv *saving) {
	fn := s.durable.Load()
	if fn == nil || sv.lazy.empty() {
		return
	}
	revision := s.revisionLocked(s.pending)
	if s.turned != nil {
		revision = s.turned.before
	}
	(*fn)(Durable{revision, revision, sv.lazy.now})
}
