package session

import (
	"bytes"

	"github.com/holdfast-games/holdfast/document"
)

// Some values change by themselves, as the time that was played does. To write them
// into the document whenever they change would save a session that nobody uses, again
// and again; not to write them would lose them. So they are written at the one moment
// at which it costs nothing: when a save begins that has another reason.

// along puts values of its own into a document.
type along = func(put func(field string, value []byte) error)

// TakeAlong has fn called with put right before each save of the session is
// built, whatever its cause, the final one included; and when Save is asked for.
// What fn puts into the document is part of that save, as if it had been changed
// lazily just before: it makes nothing dirty, and is no reason for a save by
// itself. A value that is there already changes nothing. Put returns
// document.ErrTooLarge if the document has no room for the value, which must be
// compact JSON; a copy is kept of it.
//
// Fn is called with the session's lock held, between changes and never during one.
// It must not block and must not use the session but through put. The caller of
// TakeAlong holds Lock. Nil ends it.
func (s *Session) TakeAlong(fn func(put func(field string, value []byte) error)) { s.along = fn }

// alongLocked writes what a save is to take along.
func (s *Session) alongLocked() {
	if s.along != nil {
		s.along(s.putAlongLocked)
	}
}

// putAlongLocked writes one value. It is noted as a lazy change, unless a change of
// the field waits for the journal: then that goes there with the newer value, since
// the save shows the field as it was before all that waits.
func (s *Session) putAlongLocked(field string, value []byte) error {
	p := document.Field(field)
	if old, ok := s.doc.Get(p); ok && bytes.Equal(old, value) {
		return nil
	}
	prev, kept, err := s.doc.Put(p, value)
	if err != nil {
		return err
	}
	s.unsaved.noteWas(p, prev)
	l := s.lease
	l.turning.RLock()
	defer l.turning.RUnlock()
	if c := s.pending; c != nil && c.turn == l.turn && touches(c.ledger.was, field) {
		c.ledger.note(p, prev, kept)
		return nil
	}
	s.lazy.note(p, prev, kept)
	return nil
}
