package profile

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// thawing is an update's wait for profiles that are held still. The zero thawing has
// not waited yet.
type thawing struct{ until time.Time }

// wait waits until one of the profiles that are held still is so no longer, and
// reports whether the update may try again: false when all its waiting together
// has come to the limit. The caller holds no lock.
func (t *thawing) wait(ps ...*Profile) bool {
	limit := ps[0].srv.opts.FreezeLimit
	if limit < 0 {
		return false
	}
	if t.until.IsZero() {
		t.until = time.Now().Add(limit)
	}
	left := time.Until(t.until)
	if left <= 0 {
		return false
	}
	for _, p := range ps {
		thawed := p.s.Thawed()
		if thawed == nil {
			continue
		}
		timer := time.NewTimer(left)
		defer timer.Stop()
		select {
		case <-thawed:
			return true
		case <-timer.C:
			return false
		}
	}
	return true // it was let go in the meantime
}

// untilThawed waits until the profile is not held still, or ctx ends.
func (p *Profile) untilThawed(ctx context.Context) {
	for p.s != nil {
		thawed := p.s.Thawed()
		if thawed == nil {
			return
		}
		select {
		case <-thawed:
		case <-ctx.Done():
			return
		}
	}
}

// freeze holds the profile still for an exchange, unless it is being closed: the
// game may then have a last word in OnRelease, for which a freeze that is still is
// waited for, and which those that are not must not forestall.
func (p *Profile) freeze(ctx context.Context, announced driver.Version) (*session.Frozen, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if !p.startFreeze(announced, cancel) {
		return nil, fmt.Errorf("freeze %v: %w", p.key, session.ErrClosed)
	}
	defer p.endFreeze(announced)
	f, err := p.s.Freeze(ctx, announced)
	if err == nil && p.closingDone() != nil {
		f.Release()
		return nil, fmt.Errorf("freeze %v: %w", p.key, session.ErrClosed)
	}
	return f, err
}

// startFreeze notes a freeze, and returns false if the profile is being closed.
func (p *Profile) startFreeze(announced driver.Version, cancel context.CancelCauseFunc) bool {
	x := p.extras()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closing != nil {
		return false
	}
	if x.freezing == nil {
		x.freezing = make(map[driver.Version]context.CancelCauseFunc)
	}
	x.freezing[announced] = cancel
	return true
}

func (p *Profile) endFreeze(announced driver.Version) {
	x := p.extras()
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.freezing, announced)
}

// closeLocked begins a closing.
func (x *extras) closeLocked(c *closing) {
	x.closing = c
	for _, cancel := range x.freezing {
		cancel(session.ErrClosed)
	}
}
