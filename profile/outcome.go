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
	Key       session.Key    // of one of the profiles
	At        driver.Version // of its root, without the exchange
	Announced driver.Version // of its root, with the exchange
	Cause     error
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
// ctx ends; then its error is an *OutcomeError again. It tells as long as the
// history of the profile is kept.
func (e *OutcomeError) Find(ctx context.Context, srv *Server) (happened bool, err error) {
	wait := 10 * time.Millisecond
	for {
		happened, decided, err := e.look(ctx, srv)
		if decided && happened {
			err = e.confirm(ctx, srv)
		}
		if decided && err == nil {
			return happened, nil
		}
		pause(ctx, wait)
		wait = min(2*wait, time.Second)
		if ctx.Err() != nil {
			return false, &OutcomeError{e.Key, e.At, e.Announced, errors.Join(context.Cause(ctx), err)}
		}
	}
}

// look looks at the root once. It has moved when the outcome is decided.
func (e *OutcomeError) look(ctx context.Context, srv *Server) (happened, decided bool, err error) {
	snap, err := srv.ss.DB().Read(ctx, e.Key.String())
	if err != nil {
		return false, false, err
	}
	switch root := &snap.Entries[0]; {
	case slices.Contains(root.Recent, e.Announced):
		return true, true, nil
	case root.Version == e.At:
		return false, false, nil
	case slices.Contains(root.Recent, e.At):
		return false, true, nil // what came after it is known, and this is not among it
	}
	_, err = srv.ss.DB().ReadVersion(ctx, e.Key.String(), e.Announced)
	switch {
	case err == nil:
		return true, true, nil
	case errors.Is(err, driver.ErrNotFound):
		return false, true, nil
	}
	return false, false, err
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
	sd := x.sides[0]
	unknown := &OutcomeError{Key: sd.key, At: sd.at, Announced: x.announced, Cause: cause}
	happened, err := unknown.Find(ctx, sd.Server)
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
