package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// How processes share the file. SQLite's own wait for a lock sleeps longer and
// longer, up to 100 ms at a time, and so loses against a writer that is away
// for a moment only.
const (
	lookAgain = time.Millisecond     // between two looks at a locked file
	patience  = 5 * time.Second      // after which a locked file is ErrUnavailable
	pause     = 2 * time.Millisecond // long enough for everyone who looks to find the file open

	// scattered is how long a writer must have been away in all, a little at a
	// time, so that others found the file open by chance and it need not pause.
	scattered = 2 * pause

	// busyAlone and busyShared are how long a writer may go on without a
	// pause: while it has seen no other, and for sharedFor after it saw one
	// commit. The first costs 4% and bounds how long a newcomer waits.
	busyAlone  = 50 * time.Millisecond
	busyShared = 5 * time.Millisecond
	sharedFor  = 3 * time.Second
)

// poll calls f until it no longer reports a locked file.
func poll(ctx context.Context, f func() error) error {
	start := time.Now()
	for {
		err := f()
		if !isBusy(err) {
			return err
		}
		if time.Since(start) > patience {
			return fmt.Errorf("file locked for %v: %w", patience, explain(err))
		}
		if err := sleep(ctx, lookAgain); err != nil {
			return err
		}
	}
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}

// share is what a writer knows of the other processes, to leave them room. The
// turn guards it.
type share struct {
	since    time.Time     // when it began to write without a pause
	away     time.Duration // how long the file was open since then, in all
	left     time.Time     // when it last let go of the file
	other    time.Time     // when another process was last seen to have committed
	commits  int64         // SQLite's count of others' commits, as last seen
	observed bool          // commits was set
}

// due returns how long to wait before the file is locked again; a wait that it
// returns counts as made.
func (s *share) due(now time.Time) time.Duration {
	open := now.Sub(s.left)
	s.away += open
	limit := busyAlone
	if now.Sub(s.other) < sharedFor {
		limit = busyShared
	}
	var wait time.Duration
	switch {
	case open >= pause:
	case now.Sub(s.since) < limit:
		return 0
	case s.away < scattered:
		wait = pause - open
	}
	s.since, s.away = now.Add(wait), 0
	return wait
}

// observe takes note of the count of others' commits.
func (s *share) observe(commits int64, now time.Time) {
	if s.observed && commits != s.commits {
		s.other = now
	}
	s.commits, s.observed = commits, true
}

// lock begins a transaction that writes, in its turn. Unless it returns an
// error, the caller ends the transaction and calls unlock.
func (w *writer) lock(ctx context.Context, urgent bool) error {
	if err := w.turn.take(ctx, urgent); err != nil {
		return err
	}
	mine := true
	err := w.reopen(ctx)
	if err == nil {
		if d := w.share.due(time.Now()); d > 0 {
			err = sleep(ctx, d)
		}
	}
	if err == nil {
		err = poll(ctx, func() error {
			_, err := w.conn.exec("BEGIN IMMEDIATE")
			if isBusy(err) && !urgent {
				if e := w.turn.yield(ctx); e != nil {
					mine = false
					return e
				}
			}
			return err
		})
	}
	if err == nil {
		err = w.observe()
	}
	if err != nil && mine {
		w.turn.pass()
	}
	return err
}

// observe looks whether another process has committed. It is called in a
// transaction, and ends it if it cannot tell.
func (w *writer) observe() error {
	n, err := w.conn.number("PRAGMA data_version")
	if err != nil {
		return errors.Join(err, w.abort())
	}
	w.share.observe(n, time.Now())
	return nil
}

// unlock passes the turn on, after the transaction.
func (w *writer) unlock() {
	w.share.left = time.Now()
	w.turn.pass()
}

// abort rolls a transaction back. If that cannot be, the connection is closed,
// and with it the transaction.
func (w *writer) abort() error {
	if w.conn.run("ROLLBACK") == nil {
		return nil
	}
	c := w.conn
	w.conn = nil
	if err := c.close(); err != nil {
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	}
	return nil
}
