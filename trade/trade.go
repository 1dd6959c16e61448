package trade

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
)

// Do changes the profiles of several ids, wherever they are: all that fn does to
// any of them has happened and is on disk when Do returns nil, or none of it ever
// happens. The transactions come in the order of the ids. It is Between for
// profiles of one kind.
func Do(ctx context.Context, srv *profile.Server, ids []string, fn func([]*profile.Tx) error, o *Options) error {
	parties := make([]profile.Party, len(ids))
	for i, id := range ids {
		parties[i] = profile.Party{Server: srv, ID: id}
	}
	return Between(ctx, parties, fn, o)
}

// Between changes several profiles, which may be of several kinds, each with a
// server of its schema; the servers are those of one process that belong together
// (profile.Server.With).
//
// Fn may be called several times, and must have no effects but on the transactions.
// It may run on copies: so it must not use the profiles past the transactions, and
// cannot send or attach anything with them (profile.ErrNoOutbox). Its error ends the
// trade, undoes everything, and is returned as it is; so does the refusal of a write
// (*profile.RefusedError).
//
// Between blocks until the trade is done or refused, ctx ends, or Options.Wait is
// over; only to find out what became of a commit whose answer is lost it takes up to
// two seconds longer. The package comment says what each error means.
func Between(ctx context.Context, parties []profile.Party, fn func([]*profile.Tx) error, o *Options) error {
	wait, err := o.wait()
	if err != nil {
		return fmt.Errorf("trade: %w", err)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, wait, ErrTime)
	defer cancel()
	t := trade{parties: parties, reason: o.reason(), fn: fn}
	err = t.try(ctx)
	o.metrics().did(&t, time.Since(began), err)
	return err
}

// trade is one trade under way.
type trade struct {
	parties []profile.Party
	reason  string
	fn      func([]*profile.Tx) error
	tries   int
	own     bool // fn ended it
}

// try tries until the trade is done, or a further try would be of no use.
func (t *trade) try(ctx context.Context) error {
	for {
		t.tries++
		var own error // of fn, which may well look like one of ours
		err := profile.Exchange(ctx, t.parties, t.reason, func(txs []*profile.Tx) error {
			own = t.fn(txs)
			return own
		})
		if t.own = own != nil; t.own {
			return own
		}
		if err == nil || !again(err) {
			return err
		}
		if !pause(ctx, t.tries) {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// again reports whether what was in the way may have gone by the next try.
func again(err error) bool {
	if errors.Is(err, profile.ErrNoBus) {
		return false
	}
	return errors.Is(err, profile.ErrBusy) || errors.Is(err, profile.ErrElsewhere)
}

// The pauses between two tries are up to these.
const (
	firstPause = 4 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// pause waits between two tries, by chance: trades that cross one another do not
// meet again in step. It reports false when ctx ends.
func pause(ctx context.Context, tries int) bool {
	most := lastPause
	if tries < 7 {
		most = min(most, firstPause<<tries)
	}
	timer := time.NewTimer(time.Millisecond + rand.N(most))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Options say how a trade is made. Nil is the same as the zero value. One may be
// used for many trades at once.
type Options struct {
	// Wait is how long the trade may take, the tries after others were in the way
	// included. 10 ms to 1 min. Zero means 5 s.
	Wait time.Duration
	// Reason says why, for the history of each profile: at most session.MaxReason
	// bytes of it are kept. Empty: none is told.
	Reason string
	// Metrics counts the trades. Nil means that nobody does.
	Metrics *Metrics
}

func (o *Options) wait() (time.Duration, error) {
	if o == nil || o.Wait == 0 {
		return 5 * time.Second, nil
	}
	if o.Wait < 10*time.Millisecond || o.Wait > time.Minute {
		return 0, fmt.Errorf("%w: wait of %v, 10ms to 1m allowed", driver.ErrInvalid, o.Wait)
	}
	return o.Wait, nil
}

func (o *Options) reason() string {
	if o == nil {
		return ""
	}
	return o.Reason
}

func (o *Options) metrics() *Metrics {
	if o == nil {
		return nil
	}
	return o.Metrics
}

// ErrTime means that Options.Wait was over before the trade was done. Nothing has
// happened, unless the error also matches profile.ErrNotDurable or
// profile.ErrUnknownOutcome. What was in the way last is wrapped with it.
var ErrTime = fmt.Errorf("the trade's time is over: %w", context.DeadlineExceeded)
