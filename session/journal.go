package session

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// appendBytes bounds one append, unless a single group is larger.
const appendBytes = 4 << 20

// appending is an append or a renewal under way.
type appending struct {
	id      driver.Version
	first   uint64       // number of the first of its journal entries
	number  uint64       // of the last, and so of the append; 0: there is none
	sizes   []int        // bytes of each entry
	groups  [][]*changes // what it carries
	records []*changes   // the same, flat, in order
	wholes  []whole      // states that are appended whole
	renews  bool
	sent    time.Time
}

// whole is a session's state up to the last answered append, as JSON. It goes
// into the next append, before the changes that came after it.
type whole struct {
	s    *Session
	held held // without its document, which is the body
	body []byte
}

// journalSize is what a lease's journal holds in the database.
type journalSize struct {
	first   uint64 // number of the oldest entry
	entries []int  // bytes of each entry from first on
	bytes   int
	trimmed time.Time
	busy    bool // a deletion is under way
}

// carriesLocked reports whether a session's whole state waits for an append, or is in
// the one under way.
func (l *lease) carriesLocked(s *Session) bool {
	own := func(w whole) bool { return w.s == s }
	return slices.ContainsFunc(l.wholes, own) || l.flight != nil && slices.ContainsFunc(l.flight.wholes, own)
}

// changesLocked returns the changes of the journal's current turn. The caller
// holds the session's lock and keeps the journal from turning.
func (s *Session) changesLocked() *changes {
	l := s.lease
	if c := s.pending; c != nil {
		if c.turn == l.turn {
			return c
		}
		s.turned = c
	}
	c := &changes{s: s, turn: l.turn, before: s.revision, after: s.revision}
	c.ledger.now, c.ledger.was = c.now[:0], c.was[:0]
	s.pending = c
	l.page.Lock()
	l.page.changes = append(l.page.changes, c)
	if len(l.page.changes) == 1 {
		l.page.since = time.Now()
		l.pageTimer.Reset(l.srv.opts.AppendEvery)
	}
	l.page.Unlock()
	return c
}

// link makes two changes of this turn one group. The caller holds both sessions' locks.
func (l *lease) link(a, b *changes) {
	l.page.Lock()
	a.join(b)
	l.page.Unlock()
	a.linked, b.linked = true, true
}

// turnPage ends the current turn and returns its changes, group by group, in
// the order in which each group's first session changed.
func (l *lease) turnPage() [][]*changes {
	l.turning.Lock()
	l.turn++
	l.page.Lock()
	all := l.page.changes
	l.page.changes = nil
	l.page.Unlock()
	l.turning.Unlock()
	var groups [][]*changes
	at := make(map[*changes]int, len(all))
	for _, c := range all {
		if c.saved {
			continue
		}
		first := c.first()
		i, ok := at[first]
		if !ok {
			i = len(groups)
			at[first] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}

// append begins an append when it is due, renew a renewal.
func (l *lease) append() { l.begin(false) }

func (l *lease) renew() { l.begin(true) }

// begin begins what there is at once, or lets it follow what is under way.
func (l *lease) begin(renew bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flight != nil {
		l.due = true
		return
	}
	l.beginLocked(renew)
}

// beginLocked starts the next append, or a renewal if it is asked for or time.
func (l *lease) beginLocked(renew bool) {
	if l.over.Load() || l.leaving || l.srv.ctx.Err() != nil {
		return
	}
	l.due = false
	if len(l.queue) == 0 {
		l.queue = l.turnPage()
	}
	l.refuseLocked()
	renew = renew || time.Since(l.renewed) >= l.srv.opts.renewEvery()
	if len(l.queue) == 0 && len(l.wholes) == 0 && !renew {
		return
	}
	a, batch, err := l.buildLocked(renew)
	if err != nil {
		l.srv.opts.Logger.Error("append could not be built", "lease", l.id.String(), "err", err)
		l.renewal.Reset(l.srv.opts.renewEvery())
		return
	}
	l.flight = a
	l.srv.db.Go(store.Attempt{
		Batch: batch, Lane: store.Urgent, Tries: -1,
		Done: func(at driver.Moment, err error) {
			l.srv.wall.heard(at)
			l.done(a, err)
		},
	})
}

// buildLocked takes as many groups from the queue as fit and encodes them.
func (l *lease) buildLocked(renew bool) (*appending, driver.Batch, error) {
	id, err := l.srv.db.NewVersion()
	if err != nil {
		return nil, driver.Batch{}, err
	}
	a := &appending{id: id, renews: renew, sent: time.Now()}
	b := driver.Batch{ID: id}
	if renew {
		value, err := l.entry.encode()
		if err != nil {
			return nil, b, err
		}
		b.Writes = append(b.Writes, driver.Write{Key: leaseKey(l.id), Version: l.version, Value: value})
	} else {
		b.Checks = append(b.Checks, driver.Check{Key: leaseKey(l.id), Version: l.version})
	}
	if len(l.queue) > 0 || len(l.wholes) > 0 {
		a.first = l.number + 1
		p := l.encodeLocked(a)
		for i, value := range p.values {
			l.number++
			a.sizes = append(a.sizes, len(value))
			b.Writes = append(b.Writes, driver.Write{Key: journalKey(l.id, l.number), Value: value})
			if l.feed > 0 {
				b.Writes = append(b.Writes, driver.Write{Key: feedKey(l.id, l.number), Value: feedValue(p.births[i], value)})
			}
		}
		a.number = l.number
	}
	return a, b, nil
}

// encodeLocked moves groups from the queue to the append and encodes them as
// the values of one entry, or of several if a single group is too much for one.
// Their ledgers have turned and do not change any more.
func (l *lease) encodeLocked(a *appending) pages {
	var p pages
	for len(l.wholes) > 0 && p.bytes < appendBytes {
		w := l.wholes[0]
		l.wholes[0] = whole{}
		l.wholes = l.wholes[1:]
		p.add(&record{
			session: w.s.id, birth: w.s.birth, key: w.s.rootKey, kind: recordWhole,
			revision: w.held.revision, body: w.body, outbox: w.held.outbox, reasons: w.held.reasons,
		})
		a.wholes = append(a.wholes, w)
	}
	if len(l.wholes) > 0 || len(a.wholes) > 0 && p.bytes >= appendBytes {
		return p // changes come after the states that they are built on
	}
	for len(l.queue) > 0 && (len(a.groups) == 0 || p.bytes < appendBytes) {
		g := l.queue[0]
		l.queue[0] = nil
		l.queue = l.queue[1:]
		for _, c := range g {
			c.bytes = p.add(&record{
				session: c.s.id, birth: c.s.birth, key: c.s.rootKey, kind: recordDelta, revision: c.after,
				body: c.ledger.now.AppendBinary(nil), outbox: c.outbox, reasons: c.reasons,
			})
		}
		a.groups = append(a.groups, g)
		a.records = append(a.records, g...)
	}
	return p
}

// pageBytes is what one journal entry holds, unless a single record is larger.
const pageBytes = 8 << 20

// pages are the values of journal entries under construction.
type pages struct {
	values [][]byte
	births [][]driver.Version // of the roots that each one's records belong to
	bytes  int                // of the values in all
}

// add appends a record and returns its size.
func (p *pages) add(r *record) int {
	last := len(p.values) - 1
	if last < 0 || len(p.values[last]) > pageBytes {
		p.values, p.births = append(p.values, []byte{journalFormat}), append(p.births, nil)
		last++
	}
	before := len(p.values[last])
	p.values[last], p.births[last] = appendRecord(p.values[last], r), append(p.births[last], r.birth)
	size := len(p.values[last]) - before
	p.bytes += size
	return size
}

// done deals with the answer to an append or renewal.
func (l *lease) done(a *appending, err error) {
	switch {
	case err == nil:
		l.appended(a)
	case errors.Is(err, driver.ErrClosed):
		l.end(fmt.Errorf("%w: the store was closed", ErrClosed))
	case errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUncertain):
		l.srv.work(func() { l.examine(a, err) })
	default:
		l.srv.opts.Logger.Error("append refused by the database", "lease", l.id.String(), "err", err)
		l.mu.Lock()
		l.trouble = err
		l.mu.Unlock()
		l.again(a, l.srv.opts.renewEvery())
	}
}

// appended notes that an append is on disk, tells those who waited for it, and
// begins the next if somebody waits for that.
func (l *lease) appended(a *appending) {
	l.mu.Lock()
	l.flight, l.trouble = nil, nil
	trusted := false
	if a.renews {
		l.version = a.id
		trusted = l.trustedLocked(a.sent)
		l.renewal.Reset(l.srv.opts.renewEvery())
		if l.suspended.Load() {
			l.renewal.Reset(0) // that one was sent too long ago to be trusted
		}
	}
	if a.number > 0 {
		l.answered = a.number
		for i, n := range a.sizes {
			l.journal.add(a.first+uint64(i), n)
		}
		l.srv.mx.appendSeconds.Observe(time.Since(a.sent).Seconds())
	}
	a.records = slices.DeleteFunc(a.records, func(c *changes) bool { return c.saved })
	var waiters []func(error)
	for _, c := range a.records {
		waiters = append(waiters, c.settleLocked()...)
		l.unsaved.note(c.s, a.first)
		l.spare = min(l.spare+c.bytes, spareBytes)
	}
	for _, w := range a.wholes {
		l.unsaved.replace(w.s, a.first)
		w.s.telling = true
	}
	idle := l.idle
	l.idle = nil
	press, stuck := l.pressLocked()
	l.beginNextLocked()
	l.mu.Unlock()
	for _, fn := range idle {
		fn()
	}
	l.tell(a, waiters, press)
	l.unpin(stuck)
	if trusted {
		l.srv.tellSuspended()
	}
}

// beginNextLocked begins the next append if it is due, or was turned already.
func (l *lease) beginNextLocked() {
	if l.due || len(l.queue) > 0 || len(l.wholes) > 0 {
		l.beginLocked(false)
		return
	}
	l.page.Lock()
	if n := len(l.page.changes); n > 0 {
		l.pageTimer.Reset(max(0, l.srv.opts.AppendEvery-time.Since(l.page.since)))
	}
	l.page.Unlock()
}

// tell lets sessions and callers know that an append is on disk, and begins the saves
// that it makes possible: before the callers are told, who will want the sessions'
// locks. It does not wait for one itself: an update that hangs must not cost the
// server its lease.
func (l *lease) tell(a *appending, waiters []func(error), press []*Session) {
	var saves []store.Attempt
	for _, c := range a.records {
		c.s.soon(func() { saves = c.s.appendedLocked(c, saves) }, func() {
			l.srv.db.Go(c.s.appendedLocked(c, nil)...)
		})
	}
	for _, s := range press {
		s.soon(func() { saves = s.wantSaveLocked(CauseJournal, saves) }, func() {
			l.srv.db.Go(s.wantSaveLocked(CauseJournal, nil)...)
		})
	}
	for _, w := range a.wholes {
		w.s.soon(func() { saves = w.s.toldLocked(saves) }, func() {
			l.srv.db.Go(w.s.toldLocked(nil)...)
		})
	}
	for _, c := range a.records {
		c.tellDurable()
	}
	l.srv.db.Go(saves...)
	for _, fn := range waiters {
		fn(nil)
	}
	l.trim()
}

// examine finds out what a refusal means: somebody has moved the lease.
func (l *lease) examine(a *appending, refusal error) {
	keys := []string{leaseKey(l.id)}
	if a.number > 0 {
		keys = append(keys, journalKey(l.id, a.number))
	}
	snap, err := l.srv.db.Read(l.srv.ctx, keys...)
	if err != nil {
		if l.srv.ctx.Err() == nil {
			l.again(a, l.srv.opts.renewEvery())
		}
		return
	}
	if a.number > 0 && slices.Contains(snap.Entries[1].Recent, a.id) {
		l.appended(a)
		return
	}
	entry, err := decodeLease(&snap.Entries[0])
	switch {
	case err != nil:
		l.lose(err)
	case entry == nil:
		l.lose(fmt.Errorf("%w: the lease is gone: another server settled it", ErrLease))
	case entry.Sealed != nil:
		l.lose(fmt.Errorf("%w: sealed by server %q: %s", ErrLease, entry.Sealed.By, entry.Sealed.Reason))
	case slices.Contains(snap.Entries[0].Recent, l.version):
		l.adopt(a, &snap.Entries[0], entry)
	case slices.Contains(snap.Entries[0].Recent, a.id):
		l.adopt(a, &snap.Entries[0], entry)
	default:
		l.lose(fmt.Errorf("%w: the lease stands at version %v: %w", ErrHistoryLost, snap.Entries[0].Version, refusal))
	}
}

// adopt takes over a lease entry that somebody has written revocations into.
// The changes go in a new append, without the groups that name a revoked
// session: all their sessions end, as their memory holds what never happened.
func (l *lease) adopt(a *appending, e *driver.Entry, entry *leaseEntry) {
	var revoked []*Session
	for _, r := range entry.Revoked {
		if s := l.srv.byID(r.Session); s != nil {
			s.gone.Store(true)
			revoked = append(revoked, s)
		}
	}
	l.mu.Lock()
	l.version, l.entry = e.Version, *entry
	l.requeueLocked(a)
	l.beginLocked(true)
	l.mu.Unlock()
	for _, s := range revoked {
		if !s.opening.Load() { // else its opening finds out
			s.lose(entry.revocation(s.id).cause())
		}
	}
}

// requeueLocked puts what an append carried back in front of the queue.
func (l *lease) requeueLocked(a *appending) {
	l.queue = append(a.groups, l.queue...)
	l.wholes = append(a.wholes, l.wholes...)
	l.flight = nil
}

// refuseLocked takes the groups out of the queue that name a session which can
// no longer be appended. Their other sessions end with it.
func (l *lease) refuseLocked() {
	isGone := func(c *changes) bool { return c.s.gone.Load() }
	var refused []*changes
	l.queue = slices.DeleteFunc(l.queue, func(g []*changes) bool {
		if !slices.ContainsFunc(g, isGone) {
			return false
		}
		refused = append(refused, g...)
		return true
	})
	l.wholes = slices.DeleteFunc(l.wholes, func(w whole) bool { return w.s.gone.Load() })
	if len(refused) == 0 {
		return
	}
	// Marking them may condemn further groups that are queued.
	for _, c := range refused {
		c.s.gone.Store(true)
	}
	entry := l.entry
	l.srv.work(func() {
		for _, c := range refused {
			if r := entry.revocation(c.s.id); r != (revocation{}) {
				c.s.lose(r.cause())
				continue
			}
			c.s.lose(fmt.Errorf("%w: changed together with a session that was revoked", ErrLease))
		}
	})
	l.refuseLocked()
}

// again sends the changes of an append that got no clear answer in a new one,
// after a pause.
func (l *lease) again(a *appending, pause time.Duration) {
	l.mu.Lock()
	l.requeueLocked(a)
	if !l.over.Load() {
		l.renewal.Reset(pause)
	}
	idle := l.idle
	l.idle = nil
	l.mu.Unlock()
	for _, fn := range idle {
		fn()
	}
}

// lose ends a lease that is no longer this server's.
func (l *lease) lose(cause error) {
	if l.end(cause) {
		l.srv.opts.Logger.Error("lease lost", "lease", l.id.String(), "err", cause)
		l.srv.retake()
	}
}

// whenIdle returns when no append is under way: now, or after the answer.
func (l *lease) whenIdle(ctx context.Context) error { return wait(ctx, l.idleSoon()) }

// idleSoon returns a channel that is closed when the append that is under way
// now has been answered; it is closed already if there is none.
func (l *lease) idleSoon() <-chan struct{} {
	done := make(chan struct{})
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flight == nil || l.over.Load() {
		close(done)
		return done
	}
	l.idle = append(l.idle, func() { close(done) })
	return done
}

// wait waits for a channel to be closed, or for ctx to end. If both have come,
// the channel counts.
func wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
	case <-ctx.Done():
		select {
		case <-done:
		default:
			return context.Cause(ctx)
		}
	}
	return nil
}

// wait calls fn when the changes have been appended, or cannot be any more.
func (l *lease) wait(c *changes, fn func(error)) {
	l.mu.Lock()
	if c.settled {
		err := c.err
		l.mu.Unlock()
		fn(err)
		return
	}
	if l.over.Load() {
		cause := l.cause
		l.mu.Unlock()
		fn(fmt.Errorf("%w: %w", ErrLost, cause))
		return
	}
	c.waiters = append(c.waiters, fn)
	l.mu.Unlock()
	l.begin(false)
}

// settleLocked notes that changes are on disk and returns who waits for that.
func (c *changes) settleLocked() (waiters []func(error)) {
	waiters, c.waiters = c.waiters, nil
	c.settled = true
	return waiters
}

// settle tells those who wait for changes that they will never be appended.
func (l *lease) settle(c *changes, err error) {
	l.mu.Lock()
	waiters := c.waiters
	c.waiters = nil
	if !c.settled {
		c.settled, c.err = true, err
	}
	l.mu.Unlock()
	for _, fn := range waiters {
		fn(err)
	}
}

func (j *journalSize) add(number uint64, bytes int) {
	if len(j.entries) == 0 {
		j.first = number
	}
	// Numbers that were given up leave gaps of no bytes.
	for j.first+uint64(len(j.entries)) < number {
		j.entries = append(j.entries, 0)
	}
	j.entries = append(j.entries, bytes)
	j.bytes += bytes
}

// pressLocked returns the sessions whose records stand in the way of a short
// journal: those with a record in its older half, once it is half full. What
// was asked before and is still there cannot be saved; near the limit it is
// returned as stuck, the oldest first, unless nothing is left to pay with.
func (l *lease) pressLocked() (press, stuck []*Session) {
	limit := l.srv.opts.JournalBytes
	if l.journal.bytes < limit/2 {
		return nil, nil
	}
	left, cut := l.journal.bytes, l.journal.first
	for _, n := range l.journal.entries {
		if left < limit/4 {
			break
		}
		left -= n
		cut++
	}
	for _, s := range l.unsaved {
		switch {
		case s.oldest >= cut || s.gone.Load():
		case !s.pressed:
			s.pressed = true
			press = append(press, s)
		case l.spare > 0 && l.journal.bytes > limit/4*3:
			stuck = append(stuck, s)
		}
	}
	sortByKey(press)
	slices.SortFunc(stuck, func(a, b *Session) int {
		return cmp.Or(cmp.Compare(a.oldest, b.oldest), compareKeys(a, b))
	})
	return press, stuck
}

// spareBytes bounds what may be saved up for whole states.
const spareBytes = appendBytes / 8

// unpin puts the whole states of stuck sessions into the next append, so that their
// records pin nothing. Whole states are paid for with the bytes of the changes that were
// appended: where there are more of them than the journal may hold, they would else be
// appended again and again for one another's sake, and neither saves nor changes, which
// come after them, would ever have their turn. A session that is locked is left for a
// later append.
func (l *lease) unpin(stuck []*Session) {
	for _, s := range stuck {
		l.mu.Lock()
		paid := l.spare > 0
		l.mu.Unlock()
		if !paid {
			return
		}
		if s.mu.TryLock() {
			s.appendWholeLocked()
			s.mu.Unlock()
		}
	}
}

// trim deletes the entries that all roots hold, about once a second.
func (l *lease) trim() {
	l.mu.Lock()
	j := &l.journal
	end := l.answered + 1
	if len(l.unsaved) > 0 {
		end = l.unsaved[0].oldest
	}
	if j.busy || l.over.Load() || len(j.entries) == 0 || end <= j.first || time.Since(j.trimmed) < time.Second && j.bytes < l.srv.opts.JournalBytes/4 {
		l.mu.Unlock()
		return
	}
	j.busy, j.trimmed = true, time.Now()
	from := j.first
	l.mu.Unlock()
	l.srv.work(func() {
		err := l.srv.db.DeleteRange(l.srv.ctx, journalKey(l.id, from), journalKey(l.id, end))
		l.mu.Lock()
		defer l.mu.Unlock()
		j.busy = false
		if err != nil {
			return // the next trim deletes it too
		}
		for j.first < end && len(j.entries) > 0 {
			j.bytes -= j.entries[0]
			j.entries = j.entries[1:]
			j.first++
		}
		l.srv.mx.journalBytes.Set(float64(j.bytes))
	})
}

// oldestFirst is a heap of the sessions that have records which their roots
// lack, the one with the oldest record on top. The lease's mu guards it and
// the sessions' fields oldest, next, tail, slot and pressed.
type oldestFirst []*Session

// note adds a record to a session.
func (h *oldestFirst) note(s *Session, number uint64) {
	if s.next == 0 {
		s.next = number
	}
	if s.oldest == 0 {
		s.oldest = number
		heap.Push(h, s)
	}
}

// replace says that a session's record stands for all before it. If the root
// holds all those by now, the record need not be kept; but it lies there, and
// would be replayed.
func (h *oldestFirst) replace(s *Session, number uint64) {
	if s.oldest == 0 {
		s.next = number
		return
	}
	s.oldest, s.next, s.pressed = number, number, false
	heap.Fix(h, s.slot)
}

// saved says that a session's root holds all records up to a number, after
// which next is the first.
func (h *oldestFirst) saved(s *Session, next uint64) {
	if s.oldest == 0 {
		return
	}
	s.pressed = false
	s.oldest = next
	if next == 0 {
		heap.Remove(h, s.slot)
		return
	}
	heap.Fix(h, s.slot)
}

func (h oldestFirst) Len() int           { return len(h) }
func (h oldestFirst) Less(i, j int) bool { return h[i].oldest < h[j].oldest }
func (h oldestFirst) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].slot, h[j].slot = i, j
}

// Push and Pop are for container/heap.
func (h *oldestFirst) Push(x any) {
	s := x.(*Session)
	s.slot = len(*h)
	*h = append(*h, s)
}

// Pop removes the last session.
func (h *oldestFirst) Pop() any {
	old := *h
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return s
}
