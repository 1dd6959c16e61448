package profile

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// inbox handles the messages to one profile, in the order in which they were
// sent. It looks after the load, and whenever the bell rings.
type inbox struct {
	p *Profile

	mu       sync.Mutex
	next     *pass              // wanted, and not begun
	running  bool               // a goroutine of background goes through them
	retrying bool               // a look failed, and the next one is set
	handled  map[string]*letter // by id: whose outcome may not have landed yet
	later    map[string]string  // by id: why it was left for later

	// These are the passes' own: how many pages of outcomes are to be searched for
	// what may go, and where that begins.
	sweeps int
	cursor string
}

// pass is one look at the messages.
type pass struct {
	done chan struct{}
	only []string // ids of the messages that are looked at; nil: all that there are
	err  error
}

// manyHandled is how many outcomes may be kept that may have landed: then the next
// pass looks at all messages, and forgets those that have.
const manyHandled = 64

// letter is what became of a message in this session.
type letter struct{ outcome storedOutcome }

// mailPage is how many messages are read at a time.
const mailPage = 32

// mailRetry is the time from a look that failed to the next.
const mailRetry = time.Second

func (p *Profile) mail() *inbox {
	x := p.extras()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.inbox == nil {
		x.inbox = &inbox{p: p, handled: make(map[string]*letter), later: make(map[string]string)}
	}
	return x.inbox
}

// rung is told by the session server that there may be messages.
func (c *common) rung(s *session.Session) {
	if p := c.profileOf(s); p != nil {
		p.mail().want()
	}
}

// want asks for a look that begins from now on, at the messages of these ids, or at
// all.
func (b *inbox) want(ids ...string) *pass {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := &pass{done: make(chan struct{}), only: ids}
	if len(b.handled) > manyHandled {
		now.only = nil
	}
	switch {
	case !b.running: // it begins here, so that who comes next gets the next one, whatever the scheduler does
		b.running = true
		b.p.srv.background(func() { b.run(now) })
		return now
	case b.next == nil:
		b.next = now
	case now.only == nil:
		b.next.only = nil
	case b.next.only != nil:
		b.next.only = append(b.next.only, now.only...)
	}
	return b.next
}

func (b *inbox) run(now *pass) {
	for now != nil {
		now.err = b.look(b.p.srv.ctx, now)
		close(now.done)
		b.sweep(b.p.srv.ctx) // nobody waits for it
		if now.err != nil && !b.over() {
			b.p.srv.log.Warn("messages wait", "key", b.p.key.String(), "err", now.err)
			b.tryAgain()
		}
		b.mu.Lock()
		now, b.next = b.next, nil
		b.running = now != nil
		b.mu.Unlock()
	}
}

// over reports whether no look will succeed any more.
func (b *inbox) over() bool { return b.p.ended() || b.p.srv.ctx.Err() != nil }

// tryAgain sets the next look, unless it is set.
func (b *inbox) tryAgain() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.retrying {
		return
	}
	b.retrying = true
	time.AfterFunc(mailRetry, func() {
		b.mu.Lock()
		b.retrying = false
		b.mu.Unlock()
		if !b.over() {
			b.want()
		}
	})
}

// wait waits for a look that was asked for.
func (b *inbox) wait(ctx context.Context, ids ...string) error {
	now := b.want(ids...)
	select {
	case <-now.done:
		return now.err
	case <-ctx.Done():
		return fmt.Errorf("handle messages to %v: %w", b.p.key, context.Cause(ctx))
	}
}

// takeMail begins to handle what waits for a profile that has just been loaded.
// Trouble with it is no trouble with the load: the look is repeated. An errored
// profile handles nothing.
func (p *Profile) takeMail() *pass {
	if p.failed != nil {
		return nil
	}
	return p.mail().want()
}

// HandleMessages handles the messages that wait for the profile, also those that
// their handlers have left for later, and returns when what they changed is on
// disk. Messages are handled by themselves after the load and when they come; this
// is for what was left. It is ErrErrored for an errored profile.
func (p *Profile) HandleMessages(ctx context.Context) error {
	if p.failed != nil {
		return p.erroredErr("handle messages to")
	}
	return p.mail().wait(ctx)
}

// look handles the messages that are there, and what the sources offer, or only
// those that the pass names, and returns when that is on disk.
func (b *inbox) look(ctx context.Context, now *pass) error {
	look := b.takeWaiting
	if now.only != nil {
		look = func(ctx context.Context) (int, error) { return b.takeAll(ctx, b.named(now.only)) }
	}
	took, err := look(ctx)
	if err != nil || took == 0 {
		return err
	}
	return b.p.s.Sync(ctx)
}

// takeWaiting deals with all messages that wait and all that the sources offer, and
// returns how many have come to their end.
func (b *inbox) takeWaiting(ctx context.Context) (int, error) {
	waiting, err := waiting(ctx, b.p.srv.ss.DB(), b.p.key, mailFolder)
	if err != nil {
		return 0, err
	}
	b.forgetLanded(waiting)
	took, err := b.takeAll(ctx, waiting)
	if err != nil {
		return took, err
	}
	given, err := b.takeOffers(ctx)
	return took + given, err
}

// named returns the keys of the messages of some ids, as waiting does.
func (b *inbox) named(ids []string) []driver.Entry {
	all := make([]driver.Entry, len(ids))
	for i, id := range ids {
		all[i].Key = entryKey(b.p.key, mailFolder, id)
	}
	return all
}

// takeAll deals with the messages that wait, and returns how many of them have
// come to their end.
func (b *inbox) takeAll(ctx context.Context, waiting []driver.Entry) (took int, err error) {
	for page := range slices.Chunk(waiting, mailPage) {
		snap, err := b.p.srv.ss.DB().Read(ctx, mailAndOutcomes(b.p.key, page)...)
		if err != nil {
			return took, err
		}
		for i := range page {
			did, err := b.take(ctx, &snap.Entries[i], &snap.Entries[len(page)+i], snap.Now)
			if err != nil {
				return took, err
			}
			if did {
				took++
				b.sweepsAfter(page[i].Key)
			}
		}
	}
	return took, nil
}

// waiting lists the entries of a folder of a profile's, in the order in which they
// came, without their values.
func waiting(ctx context.Context, db *store.DB, key session.Key, name string) ([]driver.Entry, error) {
	q := driver.Query{Prefix: folder(key, name), KeysOnly: true}
	var all []driver.Entry
	for {
		page, err := db.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list messages to %v: %w", key, err)
		}
		all = append(all, page.Entries...)
		if !page.More {
			break
		}
		q.After = page.Entries[len(page.Entries)-1].Key
	}
	slices.SortStableFunc(all, func(a, b driver.Entry) int {
		if n := a.Created.Compare(b.Created); n != 0 {
			return n
		}
		return strings.Compare(a.Key, b.Key)
	})
	return all, nil
}

func mailAndOutcomes(key session.Key, page []driver.Entry) []string {
	keys := make([]string, 0, 2*len(page))
	for i := range page {
		keys = append(keys, page[i].Key)
	}
	for i := range page {
		keys = append(keys, folder(key, doneFolder)+strings.TrimPrefix(page[i].Key, folder(key, mailFolder)))
	}
	return keys
}

// forgetLanded forgets the outcomes of messages that are gone: they are on disk.
func (b *inbox) forgetLanded(waiting []driver.Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.later)
	if len(b.handled) == 0 {
		return
	}
	left := make(map[string]bool, len(waiting))
	for i := range waiting {
		if parts, err := store.SplitKey(waiting[i].Key); err == nil && len(parts) == 4 {
			left[parts[3]] = true
		}
	}
	for id := range b.handled {
		if !left[id] {
			delete(b.handled, id)
		}
	}
}

// take deals with one message, and reports whether that was its end. An error
// means that the profile cannot be changed now; what is wrong with the message
// alone is logged, and the message stays as it is.
func (b *inbox) take(ctx context.Context, e, outcome *driver.Entry, now driver.Moment) (bool, error) {
	p := b.p
	if !e.Found() {
		return false, nil // handled since it was listed
	}
	m, _, err := decodeMessage(e)
	if err != nil {
		p.srv.log.Error("a message cannot be read and stays as it is", "entry", e.Key, "err", err)
		b.postpone(idOf(e.Key), err.Error())
		return false, nil
	}
	switch {
	case outcome.Found():
		return b.discard(ctx, e.Key, m, "it was handled before", lengthened(outcome, m)...)
	case b.letter(m.ID) != nil:
		return false, nil // that has not landed yet
	case now.Wall.After(m.Until):
		p.srv.mx.mail("expired")
		return b.discard(ctx, e.Key, m, "its time is over")
	case !m.For.IsZero() && m.For != p.s.Birth():
		p.srv.mx.mail("other")
		return b.discard(ctx, e.Key, m, "it was meant for another profile")
	}
	return b.handle(ctx, &task{m: m, end: func(tx *Tx, o *storedOutcome) error { return conclude(tx, e.Key, m, o) }})
}

// idOf returns the id of the message under a key, or the key if it is no message's.
func idOf(key string) string {
	if parts, err := store.SplitKey(key); err == nil && len(parts) == 4 {
		return parts[3]
	}
	return key
}

// lengthened returns what keeps an outcome for as long as a message that came after
// it may come again, if it would go before that.
func lengthened(outcome *driver.Entry, m *Message) []driver.Write {
	o, err := decodeOutcome(outcome)
	if err != nil || !o.Until.Before(m.Until.Add(outcomeStays)) {
		return nil
	}
	o.Until = m.Until.Add(outcomeStays)
	value, err := json.Marshal(o)
	if err != nil {
		return nil
	}
	return []driver.Write{{Key: outcome.Key, Mode: driver.Always, Value: value}}
}

func (b *inbox) letter(id string) *letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.handled[id]
}

// update changes the profile. If the outbox is full it saves first.
func (b *inbox) update(ctx context.Context, fn func(*Tx) error) error {
	return b.p.updateWithRoom(ctx, fn)
}

// discard deletes a message unhandled.
func (b *inbox) discard(ctx context.Context, entry string, m *Message, why string, also ...driver.Write) (bool, error) {
	b.p.srv.log.Info("message not handled: "+why, "key", b.p.key.String(), "message", m.ID, "topic", m.Topic)
	err := b.update(ctx, func(tx *Tx) error {
		return attachAll(tx, append(also, deletion(entry))...)
	})
	return err == nil, err
}

// deletion deletes an entry that belongs to the profile.
func deletion(key string) driver.Write {
	return driver.Write{Key: key, Mode: driver.Always, Delete: true}
}

func attachAll(tx *Tx, ws ...driver.Write) error {
	for _, w := range ws {
		if err := tx.Attach(w); err != nil {
			return err
		}
	}
	return nil
}

// task is one message that is to be handled, and the note that it was, which goes
// with the update that handles it.
type task struct {
	m   *Message
	end func(tx *Tx, o *storedOutcome) error
}

// handle calls a message's handler and keeps what it changed, with the outcome. It
// reports whether that was the message's end.
func (b *inbox) handle(ctx context.Context, t *task) (bool, error) {
	p, m := b.p, t.m
	h := p.srv.handler(p.key.Kind, m.Topic)
	if h.handle == nil {
		b.postpone(m.ID, "no handler takes its topic here")
		return false, nil
	}
	done := &letter{outcome: storedOutcome{Topic: m.Topic, Until: m.Until.Add(outcomeStays)}}
	if err := b.awaitsSlot(m); err != nil {
		return b.slotless(ctx, t, done, err)
	}
	if h.prepare != nil {
		var err error
		if m.prepared, err = prepared(ctx, h.prepare, p, m); err != nil {
			return b.failed(ctx, t, done, err)
		}
	}
	var failed, missing error
	ran := false
	err := b.update(ctx, func(tx *Tx) error {
		ran = true
		if missing = b.p.awaits(m, tx.w.Document()); missing != nil { // it was switched meanwhile
			return missing
		}
		failed = b.try(tx, h, t, done)
		return failed
	})
	switch {
	case missing != nil:
		return b.slotless(ctx, t, done, missing)
	case err == nil:
		p.srv.mx.mail("handled")
		b.keep(m.ID, done)
		return true, nil
	case failed != nil:
		return b.failed(ctx, t, done, failed)
	case ran && errors.Is(err, document.ErrTooLarge): // all of it together
		return b.failed(ctx, t, done, err)
	}
	return false, err // it is the profile that cannot be changed
}

// try handles a message in an update.
func (b *inbox) try(tx *Tx, h handler, t *task, done *letter) (err error) {
	if t.m.Reason != "" {
		tx.Because(t.m.Reason)
	}
	done.outcome.Result, err = call(h.handle, tx, t.m)
	if err = firstError(err, tx.Err()); err != nil {
		return err
	}
	done.outcome.Revision = tx.Revision()
	return t.end(tx, &done.outcome)
}

// failed deals with a message whose handler, or its preparation, failed.
func (b *inbox) failed(ctx context.Context, t *task, done *letter, cause error) (bool, error) {
	switch {
	case errors.Is(cause, ErrLater):
		b.postpone(t.m.ID, cause.Error())
		return false, nil
	case errors.Is(cause, driver.ErrUnavailable), b.p.srv.ctx.Err() != nil:
		return false, cause // it is the database
	}
	var no *refusal
	if errors.As(cause, &no) {
		return b.refuse(ctx, t, done, no)
	}
	return b.bury(ctx, t, done, cause)
}

// postpone notes why a message stays.
func (b *inbox) postpone(id, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.later[id] = why
}

// why returns why a message was left for later, or an empty text.
func (b *inbox) why(id string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.later[id]
}

// prepared calls a Preparer, which may panic.
func prepared(ctx context.Context, fn Preparer, p *Profile, m *Message) (result any, err error) {
	defer func() {
		if r := recover(); r != nil {
			p.srv.log.Error("the preparation of a message panicked", "key", p.key.String(), "message", m.ID, "topic", m.Topic, "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("its preparation panicked: %v", r)
		}
	}()
	return fn(ctx, p, m)
}

// call calls a handler, which may panic.
func call(fn Handler, tx *Tx, m *Message) (result json.RawMessage, err error) {
	defer func() {
		if r := recover(); r != nil {
			tx.p.srv.log.Error("a message's handler panicked", "key", tx.p.key.String(), "message", m.ID, "topic", m.Topic, "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("its handler panicked: %v", r)
		}
	}()
	result, err = fn(tx, m)
	if err != nil || len(result) == 0 {
		return nil, err
	}
	if len(result) > MaxMessageBody {
		return nil, fmt.Errorf("%w: result of %d bytes, at most %d", document.ErrTooLarge, len(result), MaxMessageBody)
	}
	if result, err = document.Compact(result, nil); err != nil {
		return nil, fmt.Errorf("its handler's result: %w", err)
	}
	return result, nil
}

// conclude attaches the end of a message to the update that handled it.
func conclude(tx *Tx, entry string, m *Message, o *storedOutcome) error {
	w, err := o.write(tx.p.key, m.ID)
	if err != nil {
		return err
	}
	if err := m.auditEnd(tx, o); err != nil {
		return err
	}
	return attachAll(tx, deletion(entry), w)
}

// bury makes a dead letter of a message whose handler failed.
func (b *inbox) bury(ctx context.Context, t *task, done *letter, cause error) (bool, error) {
	p, m := b.p, t.m
	text := cmp.Or(cause.Error(), "an error without a text")
	done.outcome = storedOutcome{Topic: m.Topic, Until: done.outcome.Until, Error: strings.ToValidUTF8(text[:min(len(text), 1<<10)], "?")}
	st := m.stored()
	st.Error, st.Died, st.Sent = done.outcome.Error, p.srv.ss.Now().UTC(), m.Sent.UTC()
	value, err := json.Marshal(st)
	if err != nil {
		return false, fmt.Errorf("encode dead letter: %w", err)
	}
	err = b.update(ctx, func(tx *Tx) error {
		if err := tx.Attach(driver.Write{Key: entryKey(p.key, deadFolder, m.ID), Mode: driver.Always, Value: value}); err != nil {
			return err
		}
		return t.end(tx, &done.outcome)
	})
	if err != nil {
		return false, err
	}
	p.srv.log.Error("a message's handler failed: it is a dead letter", "key", p.key.String(), "message", m.ID, "topic", m.Topic, "err", cause)
	p.srv.mx.mail("dead")
	b.keep(m.ID, done)
	return true, nil
}

func (b *inbox) keep(id string, done *letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handled[id] = done
}
