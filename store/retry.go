package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// retry repeats a read until it is answered or ctx ends.
func retry[T any](ctx context.Context, db *DB, read func(context.Context) (T, error)) (T, error) {
	for n := 1; ; n++ {
		v, err := readOnce(ctx, db, read)
		switch {
		case err == nil || !errors.Is(err, driver.ErrUnavailable):
			return v, err
		case db.ctx.Err() != nil:
			return v, driver.ErrClosed
		}
		if ctx.Err() == nil {
			db.mx.retries.Inc()
			if db.sleep(ctx, db.pauseOfRead(n)) == nil {
				continue
			}
		}
		cause := context.Cause(ctx)
		switch {
		case cause == nil:
			err = driver.ErrClosed
		case !errors.Is(err, cause):
			err = fmt.Errorf("%w: %w", err, cause)
		}
		return v, err
	}
}

// pauseOfRead returns the pause after so many failed calls, between half and the whole of
// the longest. It hangs on the moment and on nothing that others draw: so those who have
// read the same at one time go on at one time, whoever of them comes first, and their
// reads can share a call again.
func (db *DB) pauseOfRead(failures int) time.Duration {
	dice := rand.New(rand.NewPCG(db.seed, uint64(time.Now().UnixNano())))
	return jitter(dice, db.opts.pause(failures))
}

// readOnce makes one call within the budget, which ends with the DB at the
// latest. It makes none if ctx has ended.
func readOnce[T any](ctx context.Context, db *DB, read func(context.Context) (T, error)) (T, error) {
	var none T
	if err := db.sleep(ctx, 0); err != nil {
		return none, fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	}
	if db.limit != nil {
		r := db.limit.Reserve()
		if err := db.sleep(ctx, r.Delay()); err != nil {
			r.Cancel()
			return none, fmt.Errorf("%w: wait for the budget: %w", driver.ErrUnavailable, err)
		}
	}
	call, cancel := context.WithTimeout(ctx, db.opts.Timeout)
	defer cancel()
	defer context.AfterFunc(db.ctx, cancel)()
	v, err := read(call)
	if ctx.Err() == nil && db.ctx.Err() == nil {
		db.alert.note(err)
	}
	return v, err
}

// sleep waits. It returns an error if ctx or the DB ends first, or had ended.
func (db *DB) sleep(ctx context.Context, d time.Duration) error {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		case <-db.ctx.Done():
		}
	}
	if db.ctx.Err() != nil {
		return driver.ErrClosed
	}
	return context.Cause(ctx)
}
