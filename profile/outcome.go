package profile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// OutcomeError means that an exchange was sent to the database and its answer was
// lost: it has happened for all, may yet happen for all, or never will for any. The
// profiles are held still until that is known, each by who has it. Find tells. It
// matches ErrUnknownOutcome.
type OutcomeError struct {
	Roots     []OutcomeRoot  // of all the profiles
	Announced driver.Version // of each root, with the exchange
	Cause     error
}

// OutcomeRoot is one profile of an exchange.
type OutcomeRoot struct {
	Key session.Key
	At  driver.Version // of its root, without the exchange
}

func (e *OutcomeError) Error() string {
	return fmt.Sprintf("exchange %v: %v: %v", e.Announced, ErrUnknownOutcome, e.Cause)
}

// Is reports that the error is an ErrUnknownOutcome.
func (e *OutcomeError) Is(target error) bool { return target == ErrUnknownOutcome }

// Unwrap returns why the answer is not known.
func (e *OutcomeError) Unwrap() error { return e.Cause }

// Find reports whether the exchange has happened, on any server of the database. It
// blocks until that is decided, which those see to who have the profiles, or until
// ctx ends; then its error is an *OutcomeError again. Profiles whose servers have died
// it opens for a moment, if srv has their schema, as that decides it too. It tells as
// long as the history of one of the profiles is kept.
func (e *OutcomeError) Find(ctx context.Context, srv *Server) (happened bool, err error) {
	wait := 10 * time.Millisecond
	for {
		happened, decided, err := e.lookAll(ctx, srv)
		if decided && happened {
			err = e.confirm(ctx, srv)
		}
		if decided && err == nil {
			return happened, nil
		}
		pause(ctx, wait)
		if wait = min(2*wait, time.Second); wait == time.Second {
			e.openOrphans(ctx, srv)
		}
		if ctx.Err() != nil {
			return false, &OutcomeError{e.Roots, e.Announced, errors.Join(context.Cause(ctx), err)}
		}
	}
}

// lookAll looks at all roots once. One that has moved decides for all, unless its
// history tells nothing of that any more, as after an erasure: then the others do, and
// if one of them still stands where it stood, nothing has happened, nor will.
func (e *OutcomeError) lookAll(ctx context.Context, srv *Server) (happened, decided bool, err error) {
	keys := make([]string, len(e.Roots))
	for i, r := range e.Roots {
		keys[i] = r.Key.String()
	}
	snap, err := srv.ss.DB().Read(ctx, keys...)
	if err != nil {
		return false, false, err
	}
	forgotten := false
	for i := range keys {
		happened, decided, err = e.look(ctx, srv, &snap.Entries[i], e.Roots[i].At)
		switch {
		case errors.Is(err, driver.ErrNotFound):
			forgotten = true
		case err != nil || decided:
			return happened, decided, err
		}
	}
	return false, forgotten, nil
}

// openOrphans opens profiles for a moment that nobody alive has: that moves their
// roots.
func (e *OutcomeError) openOrphans(ctx context.Context, srv *Server) {
	for _, r := range e.Roots {
		srv.mu.Lock()
		schema := srv.schemas[r.Key.Kind]
		srv.mu.Unlock()
		owner, err := srv.ss.Owner(ctx, r.Key)
		if schema == nil || err != nil || owner.Holder != nil {
			continue
		}
		_, done, err := (&Server{common: srv.common, schema: schema}).borrow(ctx, r.Key.ID, &OpenOptions{MustExist: true, NoAsk: true})
		if err == nil {
			done()
			return
		}
	}
}

// look looks at one root. It has moved when the outcome is decided, and also with
// driver.ErrNotFound, when its history does not say any more to what.
func (e *OutcomeError) look(ctx context.Context, srv *Server, root *driver.Entry, at driver.Version) (happened, decided bool, err error) {
	switch {
	case slices.Contains(root.Recent, e.Announced):
		return true, true, nil
	case root.Version == at:
		return false, false, nil
	case slices.Contains(root.Recent, at):
		return false, true, nil // what came after it is known, and this is not among it
	}
	_, err = srv.ss.DB().ReadVersion(ctx, root.Key, e.Announced)
	return err == nil, err == nil, err
}

// confirm makes a commit of our own: what was only read back may be lost with a
// database that fails over, unless a commit after it was answered.
func (e *OutcomeError) confirm(ctx context.Context, srv *Server) error {
	id, err := srv.ss.DB().NewVersion()
	if err != nil {
		return err
	}
	_, err = srv.ss.DB().Commit(ctx, store.Attempt{
		Batch: driver.Batch{ID: id, Writes: []driver.Write{{Key: store.SystemKey("confirm", "exchange"), Mode: driver.Always}}},
		Lane:  store.Waited,
	})
	return err
}

// findWithin is how much longer than its ctx an exchange takes to find out what
// became of it.
const findWithin = 2 * time.Second

// find finds out what became of an exchange whose answer did not come. If that
// takes too long, the profiles that are held still here stay so until it is known.
func (x *exchange) find(ctx context.Context, cause error) error {
	x.over = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), findWithin)
	defer cancel()
	x.log.Warn("the answer to an exchange is lost", "exchange", x.announced.String(), "err", cause)
	settled := make(chan struct{})
	x.background(func() {
		defer close(settled)
		x.settleHere()
	})
	select {
	case <-settled:
	case <-ctx.Done():
	}
	unknown := &OutcomeError{Announced: x.announced, Cause: cause}
	for _, sd := range x.sides {
		unknown.Roots = append(unknown.Roots, OutcomeRoot{sd.key, sd.at})
	}
	happened, err := unknown.Find(ctx, x.sides[0].Server)
	if err != nil {
		return err
	}
	x.tell(happened)
	if !happened {
		return fmt.Errorf("exchange: %w: %w", ErrBusy, cause)
	}
	return nil
}

// settleHere settles the profiles that are held still on this server.
func (x *exchange) settleHere() {
	for _, sd := range x.sides {
		if sd.frozen != nil {
			happened := sd.p.settle(sd.frozen)
			x.mx.thawed(time.Since(sd.since), happened)
		}
	}
}
