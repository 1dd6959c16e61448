package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// Erasing a key has two parts: a decision, which is one commit, and a sweep, which
// any server goes on with.
//
//	root, of any state ──▶ sweeping ──▶ quiet ──a lease later──▶ swept ──▶ a new root
//	                          ▲           │                        │
//	                          └───────────┴── something was found ─┘
//
// The decision. Whoever holds the key loses it as by a Steal: his lease names the
// session revoked, so no append can follow. Then one commit, which names the root's
// version, replaces the root by a tombstone and deletes its history. A tombstone has
// no lock, and nothing here writes to a root whose lock it does not find there: no
// save, settling or take-over, no step of a frozen session and no exchange. So
// nothing that a journal still holds of the key can come back; its bytes go when the
// journal is trimmed. What the holder had in memory is lost on purpose. What he had
// sent to others with updates that were in the journal is not his any more: it goes
// with the tombstone's commit, as it would have gone with his next save.
//
// The sweep deletes everything under the root's key, and what index entries there
// name (see belongings.go), in commits that check the tombstone's version. So a sweep
// that is late, or forgotten and carried out after a pause, is refused as soon as the
// tombstone has moved: it can never touch what a new document under the key has.
//
// Others may still be about to create something under the key, who looked before the
// tombstone was there: a message, the claim of a purchase. Their commits name nothing
// that an erasure moves. So a listing that finds nothing proves nothing yet: it is
// noted in the tombstone (quiet), by the database's clock, and another one follows a
// lease later, which is longer than a server lives that cannot commit. What comes
// later still, from a process that was stopped for longer, does no harm: nobody
// handles it under a tombstone; before a new document begins the key is listed once
// more, and what is found starts the sweep anew; and under the new document a message
// to the old one, whose birth it names, ends unhandled.
//
// The tombstone never goes, as absence would be a version that recurs. It keeps the
// key, when it was erased, and what a database keeps of every entry: when the key
// was first written, and the ids of its last versions.
//
// Any number of servers may erase and sweep one key at a time. Each step is a
// conditional commit on the tombstone, and their deletions are the same.

// EraseOptions say how a key is erased. Nil is the same as the zero value.
type EraseOptions struct {
	// Reason is told to the server that holds the key, at most 200 bytes of text.
	// It is kept with that server's lease until it has heard of it, and nowhere else.
	Reason string
	// NoWait returns when a listing has found nothing any more, a lease before it is
	// known that nothing came late. Any server goes on with it then.
	NoWait bool
}

func (o *EraseOptions) check() error {
	if len(o.Reason) > 200 || !utf8.ValidString(o.Reason) {
		return fmt.Errorf("%w: reason of %d bytes, at most 200 of UTF-8", driver.ErrInvalid, len(o.Reason))
	}
	return nil
}

// Erasure is what has become of a key that was erased.
type Erasure struct {
	Key     Key
	At      time.Time // when it was decided; zero: it is not yet
	Existed bool      // something was kept under the key when this call came
	Damaged bool      // and it could not be read
	Before  bool      // the key had been erased before this call came
	From    *Holder   // who lost it; nil: nobody held it
	Deleted int       // entries that this call deleted beside the root
	Swept   bool      // nothing is left
}

// NeverSeen reports whether nothing was ever kept under the key.
func (e *Erasure) NeverSeen() bool { return !e.At.IsZero() && !e.Existed && !e.Before }

// Erase deletes for ever what is kept under a key, whether it is open here, on
// another server, or nowhere, can be read or not; a key that was never used gets a
// tombstone, so that nothing that is on its way to it survives. A session that is
// open ends with ErrErased: here at once, elsewhere with the next renewal of that
// server's lease. To erase again what was erased finds and deletes what has come
// since.
//
// It blocks until everything is swept, which is a lease after the last deletion, or
// with NoWait until nothing is found. If ctx ends before, or the database fails, the
// error comes beside what is known: with a time in At the key is erased for good, and
// any server, or another Erase, goes on with the sweep. Without one, nothing was
// changed, or store.ErrUncertain says that nobody knows; erase it again. What a newer
// program wrote is driver.ErrFormat and stays.
func (srv *Server) Erase(ctx context.Context, key Key, o *EraseOptions) (Erasure, error) {
	if o == nil {
		o = &EraseOptions{}
	}
	done := Erasure{Key: key}
	err := errors.Join(key.Check(), o.check())
	for err == nil && done.At.IsZero() {
		if err = context.Cause(ctx); err == nil {
			err = srv.tryErase(ctx, key, o, &done)
		}
	}
	if err == nil {
		err = srv.sweepUp(ctx, key, o.NoWait, &done)
	}
	if err != nil {
		err = fmt.Errorf("erase %v: %w", key, err)
	}
	return done, err
}

// tryErase does what the root's state asks for. If it is not erased by then, it has
// to be looked at again.
func (srv *Server) tryErase(ctx context.Context, key Key, o *EraseOptions, done *Erasure) error {
	l, err := srv.current(ctx)
	if err != nil {
		return err
	}
	r, e, err := srv.readRoot(ctx, key.String())
	switch {
	case err != nil && !errors.Is(err, driver.ErrCorrupt):
		return err
	case err != nil:
		srv.opts.Logger.Warn("what is erased could not be read; if a server holds it, it finds out with its next save", "key", key.String(), "err", err)
		done.Existed, done.Damaged = true, true
		return srv.entomb(ctx, key, &e, nil, done)
	case r == nil:
		return srv.entomb(ctx, key, &e, nil, done)
	case r.Erased:
		done.At, done.Before = r.ErasedAt, done.From == nil && !done.Existed
		return nil
	}
	done.Existed = true
	if r.Lock == nil {
		return srv.entomb(ctx, key, &e, nil, done)
	}
	sent, dead, err := srv.wrest(ctx, l, r.Lock, o)
	if err != nil || !dead {
		return err
	}
	h := r.Lock.holder()
	done.From = &h
	return srv.entomb(ctx, key, &e, sent, done)
}

// wrest takes a key from a session: it revokes that, or finds that it is dead, and
// then returns what it had sent to others that is in its journal only.
func (srv *Server) wrest(ctx context.Context, l *lease, held *lock, o *EraseOptions) (sent outbox, dead bool, err error) {
	snap, err := srv.db.Read(ctx, leaseKey(held.Lease))
	if err != nil {
		return nil, false, err
	}
	entry, err := decodeLease(&snap.Entries[0])
	if err != nil {
		// Nobody can be told, and the root's version is fence enough.
		srv.opts.Logger.Error("who holds what is erased has a lease that cannot be read", "lease", held.Lease.String(), "err", err)
		return nil, true, nil
	}
	if !entry.dead(held.Session) {
		err = srv.revoke(ctx, &snap.Entries[0], entry, revocation{Session: held.Session, Reason: o.Reason, Erased: true})
		if held.Lease == l.id {
			l.renew() // and so finds it
		}
		return nil, false, err
	}
	t, err := srv.readTail(ctx, held.Lease, held.Position)
	if errors.Is(err, driver.ErrCorrupt) || errors.Is(err, driver.ErrFormat) {
		srv.opts.Logger.Error("what the erased had sent to others cannot be read", "lease", held.Lease.String(), "err", err)
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	return t.sent(held), true, nil
}

// sent returns what the records of a lock's session create elsewhere once its root
// is saved.
func (t *tail) sent(held *lock) outbox {
	of := t.session[held.Session]
	if of == nil {
		return nil
	}
	var all, elsewhere outbox
	for _, n := range of.records {
		switch {
		case n.number <= held.Position:
		case n.record.kind == recordWhole:
			all = n.record.outbox
		default:
			all = all.with(n.record.outbox...)
		}
	}
	for i := range all {
		if all[i].Mode == driver.Once && !strings.HasPrefix(all[i].Key, of.key+"/") {
			elsewhere = append(elsewhere, all[i])
		}
	}
	return elsewhere
}

// entomb replaces what stands under a key by a tombstone, if it is still the version
// that was read, and deletes its history.
func (srv *Server) entomb(ctx context.Context, key Key, e *driver.Entry, sent outbox, done *Erasure) error {
	t := tombstone{ErasedAt: srv.Now().UTC().Round(time.Millisecond)}
	writes, err := t.write(key, e.Version)
	if err != nil {
		return err
	}
	if r, err := decodeRoot(e); err == nil && r != nil {
		_, rows := r.Rows.follow(key, nil, nil) // those in rankings go with what feeds them
		writes = append(writes, rows...)
	}
	err = srv.commitErasure(ctx, driver.Batch{Writes: append(writes, sent...), Forget: []string{key.String()}}, store.Waited)
	switch {
	case errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUncertain):
		return nil // it has moved: look again
	case err != nil:
		return err
	}
	done.At = t.ErasedAt
	srv.ringAll(sent)
	srv.opts.Logger.Info("erased", "key", key.String())
	srv.mx.erased.Inc()
	return nil
}

func (srv *Server) commitErasure(ctx context.Context, b driver.Batch, lane store.Lane) (err error) {
	if b.ID, err = srv.db.NewVersion(); err != nil {
		return err
	}
	_, err = srv.db.Commit(ctx, store.Attempt{Batch: b, Lane: lane})
	return err
}

// afterErasure is what an opening does with a tombstone: if nothing is left that
// belonged to the key, a new document begins in its place.
func (op *opening) afterErasure(l *lease, r *root, e *driver.Entry, mustExist bool) (*Session, error) {
	if r.Sweep != swept || mustExist {
		return nil, fmt.Errorf("open %v: %w", op.key, r.erasedErr(op.key))
	}
	late, err := op.srv.left(op.ctx, op.key)
	if err != nil {
		return nil, fmt.Errorf("open %v: %w", op.key, err)
	}
	if !late {
		return op.acquire(l, nil, e, nil)
	}
	if _, err := op.srv.advance(op.ctx, op.key); err != nil {
		return nil, fmt.Errorf("open %v: %w", op.key, err)
	}
	op.wake()
	return nil, nil
}
