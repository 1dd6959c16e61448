package profile

import (
	"slices"

	"github.com/holdfast-games/holdfast/session"
)

// Tap is what a layer over this package is told of a profile at the moment at which it
// happens, whoever delivers the events and whenever: package replica shows clients
// what it is told. All its functions must be set, must not block, and must not use the
// profile.
type Tap struct {
	// Changed is told what an update has changed, as listeners are, while the
	// profile is still locked for it: so no reader has seen it, and updates come in
	// their order. The list must not be kept. A change may be none: what was written
	// was there before.
	Changed func(changes []Change)
	// Switched is told that SetPrivate was called for a field. Profile.Private tells
	// what holds from then on, and may be called.
	Switched func(f Field)
	// Saved is told what OnSaved tells.
	Saved func(session.Saved)
	// Ended is told what OnEnded tells. Nothing is told after it.
	Ended func(End)
}

// Tap begins to tell a tap. Updates of a profile that has none pay nothing for there
// being taps. What was told before is not told again, and of a profile that has ended
// nothing: ask Ended after Tap. It returns a function that ends the telling; what is
// under way then may still be told.
func (p *Profile) Tap(t *Tap) (end func()) {
	x := p.extras()
	p.watched.Store(true)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.setTapsLocked(append(slices.Clip(x.tapped()), t))
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.setTapsLocked(slices.DeleteFunc(slices.Clone(x.tapped()), func(o *Tap) bool { return o == t }))
	}
}

// tapped returns the taps, a list that is never changed in place, or nil.
func (x *extras) tapped() []*Tap {
	if ts := x.taps.Load(); ts != nil {
		return *ts
	}
	return nil
}

func (x *extras) setTapsLocked(ts []*Tap) {
	if len(ts) == 0 {
		x.taps.Store(nil)
		return
	}
	x.taps.Store(&ts)
}

// tellTaps tells the taps what the update has changed. It has been committed and still
// holds the profile's lock.
func (tx *Tx) tellTaps() {
	if len(tx.changes.list) == 0 {
		return
	}
	for _, t := range tx.taps {
		t.Changed(tx.changes.list)
	}
}

// tellTaps tells the taps something.
func (p *Profile) tellTaps(tell func(*Tap)) {
	if x := p.ext.Load(); x != nil {
		for _, t := range x.tapped() {
			tell(t)
		}
	}
}

// opening is a function that is told of profiles that the game opens.
type opening struct {
	schema *Schema
	fn     func(*Profile)
}

// OnOpened has fn called with each profile of the server's schema that the game opens
// from now on, once for each, in Server.Open, which waits for it. One that is open
// only to be given messages is told when the game opens it too. It is for layers over
// this package. It returns a function that ends this.
func (srv *Server) OnOpened(fn func(*Profile)) (cancel func()) {
	o := &opening{srv.schema, fn}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.openings = append(slices.Clip(srv.openings), o)
	return func() {
		srv.mu.Lock()
		defer srv.mu.Unlock()
		srv.openings = slices.DeleteFunc(slices.Clone(srv.openings), func(other *opening) bool { return other == o })
	}
}

// tellOpened tells that the game has opened a profile.
func (c *common) tellOpened(p *Profile) {
	c.mu.Lock()
	openings := c.openings
	c.mu.Unlock()
	for _, o := range openings {
		if o.schema == p.schema {
			o.fn(p)
		}
	}
}

// Opened returns the profile of an id that the game has open, and false if there is
// none. Unlike Profile it passes over one that is open only to be given messages, and
// one that has ended.
func (srv *Server) Opened(id string) (*Profile, bool) {
	p, ok := srv.Profile(id)
	if !ok || !p.kept.Load() || p.ended() {
		return nil, false
	}
	return p, true
}
