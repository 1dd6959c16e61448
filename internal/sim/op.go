package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// op is something that a caller waits for.
type op struct {
	in     *instance
	name   string
	cancel context.CancelFunc
	until  time.Time     // its context's deadline; zero: none
	slack  time.Duration // how long it may go on after that
	told   chan func()
}

func (o *op) String() string { return o.name }

// slack is how long a call may go on after its context has ended, and tradeSlack
// how long a trade may, which finds out what became of it.
const (
	slack      = time.Second
	tradeSlack = 4 * time.Second
)

// begin starts an operation on a server: run on a goroutine of its own, and
// what it returns on the world's when it has come to its end. A limit of 0
// means none: it must end when the world has become calm.
func (w *world) begin(in *instance, limit time.Duration, what string, run func(context.Context) func()) *op {
	w.calls++
	o := &op{in: in, name: fmt.Sprintf("%s %s (%d)", in.name, what, w.calls), told: make(chan func(), 1), slack: slack}
	ctx, cancel := context.WithCancel(context.Background())
	if limit > 0 {
		o.until = time.Now().Add(limit)
		ctx, cancel = context.WithDeadline(context.Background(), o.until)
	}
	o.cancel = cancel
	w.ops = append(w.ops, o)
	w.trace.add("%s begins", o.name)
	w.callers.Go(func() {
		defer w.signal()
		o.told <- run(ctx)
	})
	return o
}

// tellAll lets callers know what became of their operations.
func (w *world) tellAll() {
	var ended []func()
	w.ops = slices.DeleteFunc(w.ops, func(o *op) bool {
		select {
		case tell := <-o.told:
			o.cancel()
			ended = append(ended, func() { w.tell(o, tell) })
			return true
		default:
			w.checkWait(o)
			return false
		}
	})
	for _, tell := range ended { // may begin others
		tell()
	}
}

func (w *world) tell(o *op, tell func()) {
	if !o.in.dead {
		w.current = o
		tell()
	}
}

// checkWait checks that an operation does not outlast its context.
func (w *world) checkWait(o *op) {
	if o.until.IsZero() || o.in.dead || o.in.paused || time.Since(o.until) < o.slack {
		return
	}
	if time.Since(o.in.resumed) < o.slack {
		return
	}
	w.fail(fmt.Errorf("%s still waits %v after its context has ended", o.name, time.Since(o.until)))
}

// heard traces what a caller was told, and checks that it is an error that can
// be: the database loses nothing and damages nothing in this world.
func (w *world) heard(err error) {
	w.trace.add("%s ends: %v", w.current, errText(err))
	switch {
	case err == nil:
	case errors.Is(err, session.ErrHistoryLost), isCorrupt(err), errors.Is(err, driver.ErrNotFound):
		w.fail(fmt.Errorf("%s was told: %w", w.current, err))
	}
}

// errText describes an error for the trace. Several things may end a wait that
// is given up, at one time, and which of them a caller sees is left to chance;
// so the trace only says that it was.
func errText(err error) string {
	if err == nil {
		return "done"
	}
	for _, end := range []error{session.ErrLost, session.ErrClosed, driver.ErrClosed, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, end) {
			return end.Error()
		}
	}
	return err.Error()
}
