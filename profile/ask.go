package profile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

const (
	// askAgain is the time from a freeze question that was not answered to its
	// repetition: any message may be lost.
	askAgain = 250 * time.Millisecond
	// silence is how long a server may say nothing before an exchange gives up, so
	// that the others' profiles are not held still for nothing.
	silence = time.Second
	// silentFor is how long after that it is asked for a sign of life before
	// anything is held still for it again.
	silentFor = 30 * time.Second
	// tellWithin bounds how long the news of an exchange wait to be confirmed.
	tellWithin = time.Second
)

// ask has another server hold a profile still.
func (x *exchange) ask(ctx context.Context, sd *side) error {
	id, err := driver.ParseVersion(sd.holder.Session)
	if err != nil {
		return err
	}
	heard := time.Now()
	for {
		body, err := json.Marshal(freezeQuestion{Key: sd.key.String(), Session: id, Announced: x.announced, Patience: x.timeLeft(ctx)})
		if err != nil {
			return err
		}
		sd.asked = true
		answer, err := x.question(ctx, sd.holder.Lease, verbFreeze, body, askAgain)
		var a freezeAnswer
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%w: it waits for other trades: %w", ErrBusy, context.Cause(ctx))
		case errors.Is(err, session.ErrNoAnswer):
			if time.Since(heard) < silence {
				continue
			}
			x.holds.notHeard(sd.holder.Lease)
			return fmt.Errorf("%w: %v: %w", ErrElsewhere, sd.holder, err)
		case err != nil:
			return fmt.Errorf("%w: %v: %w", ErrBusy, sd.holder, err)
		case json.Unmarshal(answer, &a) != nil:
			return fmt.Errorf("%w: %v: its answer was not understood: %.80q", ErrElsewhere, sd.holder, answer)
		case a.Refused != "":
			return fmt.Errorf("%w: %v: %s", ErrBusy, sd.holder, a.Refused)
		case !a.Version.IsZero():
			sd.at = a.Version
			return nil
		}
		heard = time.Now() // it is queued there
	}
}

// timeLeft is how long the other servers are asked to wait for this one.
func (x *exchange) timeLeft(ctx context.Context) time.Duration {
	left := x.opts.FreezePatience
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(deadline))
	}
	return max(left, time.Millisecond)
}

// question asks another server, and waits for the answer for some time. If the
// question cannot even be sent, it waits as long before it says so.
func (c *common) question(ctx context.Context, lease, verb string, body []byte, within time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	answer, err := c.ss.Ask(ctx, lease, verb, body)
	if errors.Is(err, session.ErrNoAnswer) {
		<-ctx.Done()
	}
	return answer, err
}

// reachable returns ErrElsewhere if a server is not heard of that has one of the
// profiles. Only one that said nothing not long ago is asked for that.
func (x *exchange) reachable(ctx context.Context) error {
	for _, sd := range x.sides {
		switch {
		case !sd.elsewhere():
		case x.opts.Session.Bus == nil:
			return fmt.Errorf("exchange with %v: %w: %v: %w", sd.key, ErrElsewhere, sd.holder, ErrNoBus)
		case x.holds.isSilent(sd.holder.Lease):
			if _, err := x.question(ctx, sd.holder.Lease, verbHello, nil, askAgain); err != nil {
				return fmt.Errorf("exchange with %v: %w: %v: %w", sd.key, ErrElsewhere, sd.holder, err)
			}
			x.holds.wasHeard(sd.holder.Lease)
		}
	}
	return nil
}

// notHeard notes that a server did not answer.
func (hs *holds) notHeard(lease string) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if hs.silent == nil {
		hs.silent = make(map[string]time.Time)
	}
	for l, since := range hs.silent {
		if time.Since(since) > silentFor {
			delete(hs.silent, l)
		}
	}
	hs.silent[lease] = time.Now()
}

func (hs *holds) wasHeard(lease string) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	delete(hs.silent, lease)
}

func (hs *holds) isSilent(lease string) bool {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	since, ok := hs.silent[lease]
	return ok && time.Since(since) <= silentFor
}

// tell tells the other servers what became of the exchange. It does not wait: who
// hears nothing finds out by himself.
func (x *exchange) tell(committed bool) {
	body, err := json.Marshal(thawMessage{Announced: x.announced, Committed: committed})
	if err != nil {
		return
	}
	told := make(map[string]bool)
	for _, sd := range x.sides {
		if !sd.asked || told[sd.holder.Lease] {
			continue
		}
		lease := sd.holder.Lease
		told[lease] = true
		x.background(func() {
			ctx, cancel := context.WithTimeout(x.ctx, tellWithin)
			defer cancel()
			if _, err := x.ss.Ask(ctx, lease, verbThaw, body); err != nil {
				x.log.Debug("news of an exchange not confirmed", "exchange", x.announced.String(), "lease", lease, "err", err)
			}
		})
	}
}
