package profile

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/session"
)

// closing is the closing of one profile under way.
type closing struct {
	released chan struct{} // closed when the game has let go
	done     chan struct{} // closed when the profile has ended, or is open again
	lent     bool          // its last borrower has left
}

func newClosing() *closing {
	return &closing{released: make(chan struct{}), done: make(chan struct{})}
}

// Close lets the game finish (Options.OnRelease), saves the profile and
// releases it, and returns when that is on disk. If ctx ends first, the closing
// goes on. If the database refuses the final save for a reason that may be
// mended, the error says so, the profile is open again and nothing is lost; see
// session.Session.Close. To close again what has ended is no error, except that
// one that was lost returns its *session.LostError.
func (p *Profile) Close(ctx context.Context) error {
	if p.failed != nil {
		p.srv.finish(p, nil)
		return nil
	}
	p.release(ctx)
	return p.shut(ctx)
}

// shut saves and releases the profile, whose game has let go.
func (p *Profile) shut(ctx context.Context) error {
	if p.failed != nil {
		p.srv.finish(p, nil)
		return nil
	}
	err := p.s.Close(ctx)
	if err == nil {
		p.srv.finish(p, nil)
	}
	return err
}

// release begins the closing and lets the game finish. Those who come later
// wait for the same.
func (p *Profile) release(ctx context.Context) {
	c, first := p.startClosing()
	if first {
		p.letGo(ctx, c)
		return
	}
	select {
	case <-c.released:
	case <-ctx.Done():
	}
}

// letGo lets the game finish, for who has begun a closing.
func (p *Profile) letGo(ctx context.Context, c *closing) {
	defer close(c.released)
	if fn := p.srv.opts.OnRelease; fn != nil {
		p.callRelease(ctx, fn)
	}
}

// callRelease calls the game's function, and waits for it as long as it may
// take.
func (p *Profile) callRelease(ctx context.Context, fn func(context.Context, *Profile)) {
	ctx, cancel := context.WithTimeout(ctx, p.srv.opts.ReleaseTime)
	defer cancel()
	finished := make(chan struct{})
	p.srv.background(func() {
		defer close(finished)
		p.untilThawed(ctx)
		fn(ctx, p)
	})
	select {
	case <-finished:
	case <-ctx.Done():
		p.srv.log.Warn("OnRelease did not return in time", "key", p.key.String())
	}
}

// startClosing returns the closing that is under way, and whether it has just
// begun.
func (p *Profile) startClosing() (*closing, bool) {
	x := p.extras()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closing != nil {
		return x.closing, false
	}
	x.closeLocked(newClosing())
	if x.end != nil {
		close(x.closing.done)
	}
	return x.closing, true
}

// closingDone returns the channel that is closed when a closing under way has
// come to its end, or nil if there is none.
func (p *Profile) closingDone() <-chan struct{} {
	x := p.ext.Load()
	if x == nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closing == nil {
		return nil
	}
	return x.closing.done
}

// stayOpen ends a closing whose final save was refused.
func (p *Profile) stayOpen() {
	x := p.extras()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closing != nil && x.end == nil {
		close(x.closing.done)
		x.closing, x.handed = nil, false
	}
}

// handOver is called by the session server when another server wants a player.
func (c *common) handOver(ctx context.Context, s *session.Session) {
	p := c.profileOf(s)
	if p == nil {
		return
	}
	x := p.extras()
	x.mu.Lock()
	x.handed = x.closing == nil
	x.mu.Unlock()
	if c.opts.HandOver != nil {
		c.opts.HandOver(ctx, p)
	}
	p.release(ctx)
}

// finish notes that a profile has ended, once, and tells those who listen.
func (c *common) finish(p *Profile, err error) {
	if p.failed != nil && p.failed.err == ErrCopy {
		return // it was never the server's
	}
	c.mu.Lock()
	c.forgetLocked(p)
	c.mu.Unlock()
	x := p.extras()
	x.mu.Lock()
	if x.end != nil {
		x.mu.Unlock()
		return
	}
	end := &End{Reason: Closed}
	var lost *session.LostError
	switch {
	case errors.As(err, &lost):
		if end.Reason = Lost; errors.Is(lost, session.ErrErased) {
			end.Reason = Erased
		}
		end.Err = fmt.Errorf("profile ended: %w", lost)
	case x.handed:
		end.Reason = HandedOver
	}
	x.end = end
	if x.closing != nil {
		close(x.closing.done)
	}
	audience := x.audience
	x.mu.Unlock()
	p.stopPlayTime()
	if audience != nil {
		audience.end()
	}
	if p.failed != nil {
		close(p.failed.done)
	}
	c.mx.loaded.Dec()
	p.uncountLevel()
	p.tellTaps(func(t *Tap) { t.Ended(*end) })
	p.post(event{end: end})
}
