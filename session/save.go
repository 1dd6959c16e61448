package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// saving is a save under way.
type saving struct {
	id      driver.Version
	cause   Cause
	final   bool // it releases the lock
	marked  string
	began   time.Time
	since   time.Time // of the oldest change in it
	bytes   int
	unsaved ledger // what the root's paths held before it
	lazy    ledger // changes in it that are in no journal
	outbox  outbox
	rows    rows // as it leaves them
	reasons reasons
	keep    bool
	last    *changes // that it holds and the journal perhaps does not, with what goes with them
	attempt store.Attempt
	waiters []func(error)
}

// saveWaiter waits for a save that holds all changes up to some.
type saveWaiter struct {
	after *changes // not before these are appended; nil: at once
	done  func(error)
}

// Save saves the document and returns when everything that was committed so
// far, lazy changes and what TakeAlong adds included, is in the root on disk. A
// clean session returns at once. If ctx ends first, the save goes on.
func (s *Session) Save(ctx context.Context) error {
	done := make(chan error, 1)
	s.mu.Lock()
	if s.err != nil {
		err := s.err
		s.mu.Unlock()
		return err
	}
	if s.state == stateOpen && !s.stillLocked() {
		s.alongLocked()
	}
	if !s.changedLocked() && s.mark == "" {
		if s.saving == nil {
			s.mu.Unlock()
			return nil
		}
		s.saving.waiters = append(s.saving.waiters, func(err error) { done <- err })
		s.mu.Unlock()
		return s.await(ctx, done, "save")
	}
	after := s.latestLocked()
	s.waiters = append(s.waiters, saveWaiter{after, func(err error) { done <- err }})
	saves := s.trySaveLocked(nil)
	s.mu.Unlock()
	s.srv.db.Go(saves...)
	if after != nil {
		s.lease.begin(false)
	}
	return s.await(ctx, done, "save")
}

// SaveSoon saves the document in the background, if it is dirty or has lazy
// changes.
func (s *Session) SaveSoon(c Cause) { s.srv.db.Go(s.wantSave(c, nil)...) }

// SaveAllSoon is SaveSoon of several sessions, which then share groups.
func SaveAllSoon(c Cause, ss ...*Session) {
	var saves []store.Attempt
	for _, s := range ss {
		saves = s.wantSave(c, saves)
	}
	if len(ss) > 0 {
		ss[0].srv.db.Go(saves...)
	}
}

// wantSave asks for a save and adds its attempt to saves if it can begin now.
func (s *Session) wantSave(c Cause, saves []store.Attempt) []store.Attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wantSaveLocked(c, saves)
}

func (s *Session) wantSaveLocked(c Cause, saves []store.Attempt) []store.Attempt {
	if s.want == "" && s.state == stateOpen && s.changedLocked() {
		s.want = c
	}
	return s.trySaveLocked(saves)
}

// changedLocked reports whether there is anything, lazy changes included, that
// no save holds.
func (s *Session) changedLocked() bool { return s.dirty || len(s.unsaved.was) > 0 }

// appendedLocked notes that changes are on disk, and adds the save that this
// makes possible.
func (s *Session) appendedLocked(c *changes, saves []store.Attempt) []store.Attempt {
	switch c {
	case s.turned:
		s.turned = nil
	case s.pending:
		s.pending = nil
	}
	s.adoptedLocked(c)
	s.tail += c.bytes
	s.outbox, s.reasons = s.outbox.with(c.outbox...), s.reasons.with(c.reasons...)
	s.keep = s.keep || c.keep
	switch {
	case s.want != "" || s.state != stateOpen:
	case len(s.outbox) > 0:
		s.want = CauseOutbox
	case s.tail > max(minTail, s.doc.Size()):
		s.want = CauseJournal
	}
	return s.trySaveLocked(saves)
}

// minTail is the size up to which a session's part of the journal is no reason
// to save it.
const minTail = 16 << 10

// trySaveLocked adds the session's next save, if one is wanted and may begin:
// none is under way, and everything up to the journal's last turn is on disk.
// What changed in the present turn is taken back in what is saved.
func (s *Session) trySaveLocked(saves []store.Attempt) []store.Attempt {
	if s.saving != nil || s.state == stateClosed || s.state == stateLost || s.turned != nil || s.stillLocked() || s.adopted != nil {
		return saves
	}
	final := s.state == stateClosing
	ahead := s.aheadLocked()
	if final && (ahead != nil || s.tellingLocked()) {
		return saves
	}
	ready := slices.ContainsFunc(s.waiters, s.ready)
	if !final && !ready && s.want == "" {
		return saves
	}
	position, ok := s.positionLocked(ahead)
	if !ok {
		return saves
	}
	s.alongLocked()
	at, err := s.snapshotLocked(final, position, ahead)
	if err != nil {
		s.srv.opts.Logger.Error("save could not be built", "key", s.rootKey, "err", err)
		s.reopenLocked(err)
		return saves
	}
	return append(saves, at)
}

// reopenLocked gives up a closing whose final save could not be made.
func (s *Session) reopenLocked(err error) {
	if s.state != stateClosing {
		return
	}
	s.state = stateOpen
	s.ending.Store(false)
	closers := s.closers
	s.closers = nil
	s.srv.work(func() {
		for _, fn := range closers {
			fn(fmt.Errorf("close %v, which stays open: %w", s.key, err))
		}
	})
}

// aheadLocked returns the changes that a save which begins now leaves out, as the
// journal does not hold them yet; nil if there are none. A final save holds the last
// changes as well, unless they are one group with another session's, of which it would
// show half, or have to be told to followers: they are on disk with the save or with
// their append, whichever comes first.
func (s *Session) aheadLocked() *changes {
	if c := s.pending; c != nil && (s.state != stateClosing || c.linked || s.lease.feed > 0) {
		return c
	}
	return nil
}

// positionLocked returns the position of a snapshot that is taken now: the last
// answered append. It reports false if changes that the snapshot leaves out have
// turned and are not answered. Both are seen at one moment, in which the journal cannot
// turn: else an append could come in between that the position would claim and
// the data lack. It also reports false while the session's whole state is on its way
// to the journal, unless the save is final: that record would come after the position,
// and a replay of it take back what is lazy and newer, which no other record has.
func (s *Session) positionLocked(ahead *changes) (position uint64, ok bool) {
	l := s.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	if ahead != nil && ahead.turn != l.turn || s.state != stateClosing && l.carriesLocked(s) {
		return 0, false
	}
	s.next = 0
	return l.answered, true
}

// ready reports whether a save that begins now serves a waiter.
func (s *Session) ready(w saveWaiter) bool { return w.after == nil || w.after != s.aheadLocked() }

// snapshotLocked encodes the state without the changes that are ahead as a save. An
// operator's mark waits until what was changed with it is part of the snapshot.
func (s *Session) snapshotLocked(final bool, position uint64, ahead *changes) (store.Attempt, error) {
	id, err := s.srv.db.NewVersion()
	if err != nil {
		return store.Attempt{}, err
	}
	sv := &saving{id: id, cause: s.causeLocked(final), final: final, began: time.Now(), since: s.since}
	if ahead == nil {
		sv.marked, sv.last = s.mark, s.pending
	}
	var moves []driver.Write
	sv.rows, moves = s.followLocked(ahead)
	reasons, attached, keep := s.reasons, s.outbox, s.keep
	if c := sv.last; c != nil {
		reasons, attached, keep = reasons.with(c.reasons...), attached.with(c.outbox...), keep || c.keep
	}
	value, err := s.encodeLocked(sv, position, ahead, reasons)
	if err != nil {
		return store.Attempt{}, err
	}
	sv.bytes = len(value)
	s.waiters = slices.DeleteFunc(s.waiters, func(w saveWaiter) bool {
		if s.ready(w) {
			sv.waiters = append(sv.waiters, w.done)
		}
		return s.ready(w)
	})
	sv.unsaved = s.takeUnsavedLocked()
	s.dirty, s.since = false, time.Time{}
	if ahead != nil {
		for _, c := range ahead.ledger.was {
			s.unsaved.noteWas(c.Path, c.Value)
		}
		s.dirtied()
	}
	sv.outbox, s.outbox = s.outbox, nil
	sv.reasons, s.reasons = s.reasons, nil
	sv.keep, s.keep = s.keep, false
	s.parkLazyLocked(sv, ahead)
	s.saving, s.want, s.tail = sv, "", 0
	if sv.marked != "" {
		s.mark = ""
	}
	lane := store.Background
	if final || len(sv.waiters) > 0 || sv.cause == CauseJournal || sv.cause == CauseOutbox {
		lane = store.Waited
	}
	w := driver.Write{Key: s.rootKey, Version: s.version, Value: value, Retain: s.srv.opts.Retention, Mark: sv.marked != "" || keep}
	batch := driver.Batch{ID: id, Writes: slices.Concat([]driver.Write{w}, attached.writes(&w, s.srv.opts.Retention), moves)}
	sv.attempt = store.Attempt{
		Batch: batch,
		Lane:  lane,
		Tries: -1,
		Done:  func(_ driver.Moment, err error) { s.saved(sv, err) },
	}
	return sv.attempt, nil
}

// takeUnsavedLocked returns what the changed paths held, and begins anew.
func (s *Session) takeUnsavedLocked() ledger {
	l := s.unsaved
	if len(l.was) <= len(s.room) { // perhaps it is in the room
		l.was = slices.Clone(l.was)
		clear(s.room[:])
	}
	s.unsaved = ledger{was: s.room[:0]}
	return l
}

func (s *Session) causeLocked(final bool) Cause {
	switch {
	case final:
		return CauseClose
	case s.want == "":
		return CauseAsked
	}
	return s.want
}

// encodeLocked returns the root as it stood before the changes that are ahead, with its
// position.
func (s *Session) encodeLocked(sv *saving, position uint64, ahead *changes, reasons reasons) ([]byte, error) {
	dst := buffer(s.doc.Size() + len(s.head) + rootRoom)
	revision := s.revisionLocked(ahead)
	if !sv.final && sv.marked == "" && len(reasons) == 0 {
		dst, err := s.head.append(dst, position, revision, sv.rows)
		return append(s.dataLocked(dst, ahead), '}'), err
	}
	r := root{Birth: s.birth, Exchange: s.exchange, Revision: revision, Rows: sv.rows, Reason: sv.marked}
	if r.Reason == "" {
		r.Reason = reasons.String()
	}
	r.Origins = reasons.origins()
	if r.Reason != "" || len(r.Origins) > 0 {
		r.By = s.srv.opts.Name
	}
	if !sv.final {
		held := s.lock
		held.Position = position
		r.Lock = &held
	}
	return r.append(dst, func(dst []byte) []byte { return s.dataLocked(dst, ahead) })
}

// revisionLocked returns the document's revision before the changes that are ahead.
func (s *Session) revisionLocked(ahead *changes) uint64 {
	if ahead == nil {
		return s.revision
	}
	return ahead.before
}

// dataLocked appends the document as it was before the changes that are ahead.
func (s *Session) dataLocked(dst []byte, ahead *changes) []byte {
	if ahead == nil {
		return s.doc.AppendJSON(dst)
	}
	return s.doc.AppendBefore(dst, ahead.ledger.was)
}

// dirtied notes a change that is not lazy.
func (s *Session) dirtied() {
	if !s.dirty {
		s.dirty = true
		if s.since.IsZero() {
			s.since = time.Now()
		}
	}
}

// appendWholeLocked puts the session's whole state into the next append: because its
// save does not come and its records stand in the journal's way, or because it must be
// told.
func (s *Session) appendWholeLocked() {
	if s.state == stateLost || s.state == stateClosed || s.turned != nil || s.stillLocked() || s.adopted != nil {
		return // not now; the next append asks again
	}
	l := s.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.pending != nil && s.pending.turn != l.turn {
		return // likewise: the record would stand for changes that it lacks
	}
	if l.over.Load() || l.carriesLocked(s) {
		return
	}
	h := held{revision: s.revisionLocked(s.pending), outbox: s.outbox, reasons: s.reasons}
	if s.saving != nil {
		h.outbox, h.reasons = s.saving.outbox.with(h.outbox...), s.saving.reasons.with(h.reasons...)
	}
	body := s.dataLocked(nil, s.pending)
	l.wholes = append(l.wholes, whole{s, h, body})
	l.spare -= len(body)
	if l.flight == nil {
		l.beginLocked(false)
	}
}

// saved deals with the answer to a save.
func (s *Session) saved(sv *saving, err error) {
	switch {
	case err == nil && s.mu.TryLock():
		// Here and now, so that what follows keeps the order of the answers.
		s.mu.Unlock()
		s.landed(sv)
	case err == nil:
		s.srv.work(func() { s.landed(sv) }) // an update is at it
	case errors.Is(err, driver.ErrClosed):
		s.lose(fmt.Errorf("%w: the store was closed", ErrClosed))
		s.failed(sv, s.Err())
	case errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUncertain):
		s.srv.work(func() { s.examine(sv, err) })
	default:
		s.failed(sv, err)
	}
}

// landed notes that a save is on disk.
func (s *Session) landed(sv *saving) {
	last, waiters := s.cover(sv)
	s.mu.Lock()
	if last != nil {
		s.pending = nil
		last.tellDurable()
	}
	s.tellLazyLocked(sv)
	s.version, s.rows, s.saving = sv.id, sv.rows, nil
	final := sv.final && s.state == stateClosing
	var closers []func(error)
	if final {
		s.state, s.err = stateClosed, ErrClosed
		closers, s.closers = s.closers, nil
		s.gone.Store(true)
	}
	saves := s.trySaveLocked(nil)
	s.mu.Unlock()
	s.srv.db.Go(saves...)
	s.srv.ringAll(sv.attempt.Batch.Writes)
	reuse(sv.attempt.Batch.Writes[0].Value)
	sv.attempt = store.Attempt{}
	for _, fn := range waiters {
		fn(nil)
	}
	s.report(sv, nil)
	if final {
		s.ended(nil)
	}
	for _, fn := range closers {
		fn(nil)
	}
	s.lease.trim()
}

// cover tells the journal which of the session's records its root holds by now.
// It returns the changes that a final save has brought there before their append was
// answered, if any, and who waits for them.
func (s *Session) cover(sv *saving) (last *changes, waiters []func(error)) {
	l := s.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	next := s.next
	if sv.final {
		next = 0
	}
	l.unsaved.saved(s, next)
	c := sv.last
	if c == nil || c.settled { // the append was faster after all, or the session is lost
		return nil, nil
	}
	c.saved = true
	return c, c.settleLocked()
}

// failed takes a save back that the database refused without deciding whose the
// key is: what it held is unsaved again, and a final one leaves the session open.
func (s *Session) failed(sv *saving, err error) {
	s.mu.Lock()
	for _, c := range s.unsaved.was {
		sv.unsaved.noteWas(c.Path, c.Value)
	}
	s.unsaved, s.saving = sv.unsaved, nil
	for _, c := range s.lazy.now {
		sv.lazy.note(c.Path, nil, c.Value)
	}
	s.lazy = sv.lazy
	s.outbox, s.reasons = sv.outbox.with(s.outbox...), sv.reasons.with(s.reasons...)
	s.keep = s.keep || sv.keep
	s.dirty = true
	if s.since = sv.since; s.since.IsZero() {
		s.since = sv.began
	}
	if s.mark == "" {
		s.mark = sv.marked
	}
	var closers []func(error)
	if sv.final && s.state == stateClosing {
		s.state = stateOpen
		s.ending.Store(false)
		closers, s.closers = s.closers, nil
	}
	saves := s.trySaveLocked(nil)
	s.mu.Unlock()
	s.srv.db.Go(saves...)
	s.report(sv, err)
	s.srv.reopened(s)
	for _, fn := range closers {
		fn(fmt.Errorf("close %v, which stays open: %w", s.key, err))
	}
}

// report tells everybody who waits for a save what became of it.
func (s *Session) report(sv *saving, err error) {
	took := time.Since(sv.began)
	s.srv.mx.saved(sv, took, err)
	if err != nil {
		s.srv.opts.Logger.Error("save failed", "key", s.rootKey, "cause", sv.cause, "bytes", sv.bytes, "err", err)
		err = fmt.Errorf("save %v: %w", s.key, err)
	}
	if s.opts.Saved != nil {
		s.opts.Saved(s, Saved{Cause: sv.cause, Version: sv.id, Bytes: sv.bytes, Took: took, Err: err})
	}
	for _, fn := range sv.waiters {
		fn(err)
	}
}

// examine finds out what a refused save means. It never saves again on top of
// what it finds: that is somebody else's, or the database has lost commits.
func (s *Session) examine(sv *saving, refusal error) {
	r, e, err := s.srv.readRoot(s.srv.ctx, s.rootKey)
	switch {
	case err == nil && r != nil && slices.Contains(e.Recent, sv.id):
		s.landed(sv)
		return
	case err != nil:
		err = fmt.Errorf("%w: %w", refusal, err)
	case r != nil && e.Version == s.Version() && errors.Is(refusal, store.ErrUncertain):
		// Nobody was there: the same attempt goes again until it is known.
		pause(s.srv.ctx, s.srv.opts.renewEvery())
		s.srv.db.Go(sv.attempt)
		return
	case r != nil && r.Lock.names(s.lease.id, s.id):
		err = fmt.Errorf("%w: the root is at %v, this session wrote %v", ErrHistoryLost, e.Version, s.Version())
	default:
		err = ownerOf(r)
	}
	s.lose(err)
	s.failed(sv, s.Err())
}
