package session

import "github.com/holdfast-games/holdfast/document"

// Lazy changes wait in two ledgers, of which only the new values count: those
// since the last snapshot in the session's, those that a save under way carries
// in the save's. They may be saved at any time. They go to the journal when
// something is promised that comes after them.

// parkLazyLocked leaves the lazy changes to a save that holds them. What the
// save takes back because of a later change of the same field stays.
func (s *Session) parkLazyLocked(sv *saving, ahead *changes) {
	if ahead == nil {
		sv.lazy, s.lazy = s.lazy, ledger{}
		return
	}
	var stay ledger
	for _, c := range s.lazy.now {
		if touches(ahead.ledger.was, c.Path.Field) {
			stay.note(c.Path, nil, c.Value)
		} else {
			sv.lazy.note(c.Path, nil, c.Value)
		}
	}
	s.lazy = stay
}

// hasLazyLocked reports whether there are lazy changes that no answered save
// holds.
func (s *Session) hasLazyLocked() bool {
	return !s.lazy.empty() || s.saving != nil && !s.saving.lazy.empty()
}

// flushLazy puts the session's lazy changes into the journal's current turn, as
// they stood before the transaction: before, because the transaction's own
// changes follow, and because a snapshot in this turn may show them.
func (tx *Tx) flushLazy() {
	s := tx.s
	var began ledger
	for i := range tx.undo {
		began.noteWas(tx.undo[i].path, tx.undo[i].prev)
	}
	if s.saving != nil {
		tx.flush(&s.saving.lazy, &began)
	}
	tx.flush(&s.lazy, &began)
	s.dirtied()
}

// flush notes the paths of a lazy ledger as changed to what they held when the
// transaction began, and empties the ledger. An element whose field was no
// object then stands for the field.
func (tx *Tx) flush(lazy, began *ledger) {
	s := tx.s
	for _, c := range lazy.now {
		p := c.Path
		if p.Deep {
			field, _ := s.doc.Get(document.Field(p.Field))
			if field = began.revert(document.Field(p.Field), field); len(field) == 0 || field[0] != '{' {
				p = document.Field(p.Field)
			}
		}
		value, _ := s.doc.Get(p)
		value = began.revert(p, value)
		s.changesLocked().ledger.note(p, value, value)
	}
	lazy.reset()
}

// mixes reports whether the transaction changes a field other than lazily that
// has lazy changes pending: a replay needs them first.
func (tx *Tx) mixes() bool {
	s := tx.s
	for i := range tx.undo {
		u := &tx.undo[i]
		if u.lazy {
			continue
		}
		if touches(s.lazy.now, u.path.Field) || s.saving != nil && touches(s.saving.lazy.now, u.path.Field) {
			return true
		}
	}
	return false
}

// lazyLocked returns the lazy changes that no answered save holds, with the
// values that their paths have now.
func (s *Session) lazyLocked() document.Delta {
	lazy := s.lazy.now
	if s.saving != nil {
		lazy = s.saving.lazy.now.Merge(lazy)
	}
	now := make(document.Delta, len(lazy))
	for i, c := range lazy {
		now[i].Path = c.Path
		now[i].Value, _ = s.doc.Get(c.Path)
	}
	return now
}

// touches reports whether a delta names a field or an element of it.
func touches(d document.Delta, field string) bool {
	for i := range d {
		if d[i].Path.Field == field {
			return true
		}
	}
	return false
}
