package session

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
)

// maxGroup bounds what one group of an append may weigh, in bytes.
const maxGroup = 32 << 20

// Tx is a change of one session's document under way. It holds the session's
// lock from Begin to Commit or Rollback, and one goroutine uses it.
type Tx struct {
	s      *Session
	undo   []undo
	room   [1]undo // of undo: see room
	outbox outbox
	reason string
	origin string
	keeps  bool
	weight int // bytes of the values that were set
}

type undo struct {
	path        document.Path
	prev, value []byte
	lazy        bool
}

// Begin locks the session for a change. It is ErrSuspended or ErrClosed, or a
// *LostError, if the session may not be changed; the session is not locked
// then. It blocks only while another change or a reader holds the lock.
func (s *Session) Begin() (*Tx, error) {
	s.mu.Lock()
	if err := s.writableLocked(); err != nil {
		s.mu.Unlock()
		return nil, err
	}
	return &s.tx, nil
}

// BeginAll locks several sessions for one change, in the order of their keys,
// and returns their transactions in the order of ss. If one of them may not be
// changed, none is locked and that one's error is returned. A session that is
// named twice, or sessions of several servers, are driver.ErrInvalid.
func BeginAll(ss ...*Session) ([]*Tx, error) {
	sorted := slices.Clone(ss)
	slices.SortFunc(sorted, func(a, b *Session) int { return strings.Compare(a.rootKey, b.rootKey) })
	for i, s := range sorted {
		if i > 0 && (s == sorted[i-1] || s.srv != sorted[0].srv) {
			return nil, fmt.Errorf("begin on %v: %w: a session is named twice or belongs to another server", s.key, driver.ErrInvalid)
		}
	}
	for i, s := range sorted {
		if _, err := s.Begin(); err != nil {
			for _, locked := range sorted[:i] {
				locked.mu.Unlock()
			}
			return nil, err
		}
		if s.lease != sorted[0].lease { // one of them is about to be told that it is lost
			for _, locked := range sorted[:i+1] {
				locked.mu.Unlock()
			}
			return nil, fmt.Errorf("begin on %v: %w: its server holds a new lease", s.key, ErrLost)
		}
	}
	txs := make([]*Tx, len(ss))
	for i, s := range ss {
		txs[i] = &s.tx
	}
	return txs, nil
}

// Session returns the session that is being changed.
func (tx *Tx) Session() *Session { return tx.s }

// Document returns the document with the changes of this Tx. It is for
// reading, and only until Commit or Rollback.
func (tx *Tx) Document() *document.Document { return &tx.s.doc }

// Set writes a copy of a value, which must be compact JSON as document.Compact
// returns it. A lazy write is not appended to the journal, and is no reason to
// save; it travels with the next save. A write over a limit is
// document.ErrTooLarge, one into a field that is no object
// document.ErrNotObject; nothing is changed then.
func (tx *Tx) Set(p document.Path, value []byte, lazy bool) error {
	_, _, err := tx.Put(p, value, lazy)
	return err
}

// Put is Set for a caller who wants to know more: it also returns the value
// that was there, nil if there was none, and the copy that is kept. Both are
// shared and must not be changed.
func (tx *Tx) Put(p document.Path, value []byte, lazy bool) (prev, kept []byte, err error) {
	if p.Deep && !tx.s.doc.Has(document.Field(p.Field)) {
		return tx.putFirst(p, value, lazy)
	}
	prev, kept, err = tx.s.doc.Put(p, value)
	if err != nil {
		return nil, nil, err
	}
	tx.weight += len(value)
	tx.undo = append(tx.undo, undo{p, prev, kept, lazy})
	return prev, kept, nil
}

// putFirst writes the first element of a field, which begins with it.
func (tx *Tx) putFirst(p document.Path, value []byte, lazy bool) (prev, kept []byte, err error) {
	fresh, field := scratch(), document.Field(p.Field)
	if _, kept, err = fresh.Put(p, value); err != nil {
		return nil, nil, err
	}
	whole, _ := fresh.Get(field)
	_, _, err = tx.Put(field, whole, lazy)
	return nil, kept, err
}

// Delete removes what is under a path; nothing there is no error.
func (tx *Tx) Delete(p document.Path, lazy bool) error {
	if err := p.Check(); err != nil {
		return err
	}
	if prev := tx.s.doc.Delete(p); prev != nil {
		tx.undo = append(tx.undo, undo{p, prev, nil, lazy})
	}
	return nil
}

// Commit keeps the changes of one or several transactions of one BeginAll, and
// unlocks their sessions. Those of several are one group: no crash keeps the
// changes of some and not of others. Durable puts pending lazy changes into the
// journal too and starts the append at once; Sync then waits for it. It is
// document.ErrTooLarge, and all is taken back, if the changes are too much for
// one append.
func Commit(durable bool, txs ...*Tx) error {
	if len(txs) == 0 {
		return nil
	}
	weight := 0
	for _, tx := range txs {
		weight += tx.weight
	}
	if weight > maxGroup {
		Rollback(txs...)
		return fmt.Errorf("%w: changes of %d bytes in one group, at most %d", document.ErrTooLarge, weight, maxGroup)
	}
	l := txs[0].s.lease
	l.turning.RLock()
	var first *changes
	for _, tx := range txs {
		writes := len(tx.undo)+len(tx.outbox) > 0
		c := tx.keep(durable || len(txs) > 1)
		switch {
		case c == nil || !writes:
		case first == nil:
			first = c
		default:
			l.link(first, c)
		}
	}
	l.turning.RUnlock()
	for _, tx := range txs {
		tx.end()
	}
	if durable {
		l.begin(false)
	}
	return nil
}

// keep adds the writes to the session's ledgers and returns the changes that
// will be appended, or nil if there are none. The caller holds the session's
// lock and keeps the journal from turning.
func (tx *Tx) keep(all bool) *changes {
	s := tx.s
	noted, all := false, all || len(tx.outbox) > 0
	if s.hasLazyLocked() && (all || tx.mixes()) {
		tx.flushLazy()
		noted = true
	}
	for i := range tx.undo {
		u := &tx.undo[i]
		s.unsaved.noteWas(u.path, u.prev)
		if u.lazy && !all {
			s.lazy.note(u.path, u.prev, u.value)
			continue
		}
		s.changesLocked().ledger.note(u.path, u.prev, u.value)
		s.dirtied()
		noted = true
	}
	if noted || len(tx.outbox) > 0 {
		tx.revise()
	}
	if s.pending == nil || s.pending.turn != s.lease.turn {
		return nil
	}
	return s.pending
}

// revise counts the update, with what goes with it beside the document.
func (tx *Tx) revise() {
	s := tx.s
	c := s.changesLocked()
	s.revision++
	c.after = s.revision
	if len(tx.outbox) > 0 {
		c.outbox = c.outbox.with(tx.outbox...)
		s.dirtied()
	}
	if tx.reason != "" || tx.origin != "" {
		c.reasons = c.reasons.with(noted(tx.origin, tx.reason))
	}
	if tx.origin != "" {
		s.origins++
	}
	c.keep = c.keep || tx.keeps
}

// Rollback takes the changes back and unlocks the sessions.
func Rollback(txs ...*Tx) {
	for _, tx := range txs {
		for i := len(tx.undo) - 1; i >= 0; i-- {
			u := &tx.undo[i]
			if u.prev == nil {
				tx.s.doc.Delete(u.path)
				continue
			}
			if _, err := tx.s.doc.Set(u.path, u.prev); err != nil {
				// What stood there before always fits again.
				tx.s.srv.opts.Logger.Error("undo refused", "key", tx.s.rootKey, "path", u.path.String(), "err", err)
			}
		}
		tx.end()
	}
}

func (tx *Tx) end() {
	clear(tx.undo)
	if tx.undo = tx.undo[:0]; cap(tx.undo) > 64 {
		tx.undo = tx.room[:0]
	}
	tx.weight, tx.outbox, tx.reason, tx.origin, tx.keeps = 0, nil, "", "", false
	tx.s.mu.Unlock()
}
