package profile

import (
	"context"
	"time"
)

// borrow opens a profile for a short time, for who is not the game: to give a
// player who is offline what was sent to him, or to trade with him. A profile
// that is open here already is used as it is. Done gives it back: what was opened
// by borrowers alone is closed after the last of them, unless the game has opened
// it meanwhile.
func (srv *Server) borrow(ctx context.Context, id string, o *OpenOptions) (p *Profile, done func(), err error) {
	opts := *o
	opts.lent = true
	p, l, err := srv.open(ctx, id, &opts, (*Profile).lend)
	if err != nil {
		return nil, nil, err
	}
	return p, func() { p.giveBackAfter(l) }, nil
}

// giveBackAfter gives the profile back when all who loaded it together have taken
// it: the game may be among them.
func (p *Profile) giveBackAfter(l *load) {
	if l == nil {
		p.giveBack()
		return
	}
	select {
	case <-l.done:
		p.giveBack()
	default:
		p.srv.background(func() {
			<-l.done
			p.giveBack()
		})
	}
}

// keep notes that the game has opened the profile. It returns false if the
// profile is being closed because its last borrower has left.
func (p *Profile) keep() bool {
	if !p.kept.Swap(true) { // before it looks: a borrower who leaves looks the other way round
		p.startPlayTime()
		p.srv.tellOpened(p)
	}
	x := p.ext.Load()
	if x == nil {
		return true
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.closing == nil || !x.closing.lent
}

// lend counts a borrower. It returns false if the profile is being closed.
func (p *Profile) lend() bool {
	x := p.extras()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closing != nil {
		return false
	}
	x.borrowers++
	return true
}

// giveBack ends a borrower's use.
func (p *Profile) giveBack() {
	x := p.extras()
	x.mu.Lock()
	x.borrowers--
	if x.borrowers > 0 || x.closing != nil || p.kept.Load() {
		x.mu.Unlock()
		return
	}
	c := newClosing() // here, so that whoever comes now waits for the end
	c.lent = true
	x.closeLocked(c)
	x.mu.Unlock()
	p.srv.background(func() { p.endLoan(c) })
}

// loanRetry is the time from a refused final save of a profile that was lent to the
// next try.
const loanRetry = 10 * time.Second

// endLoan closes a profile that nobody uses any more. If the database refuses its
// final save, it is open again, and is closed later unless the game has opened it
// meanwhile.
func (p *Profile) endLoan(c *closing) {
	p.letGo(context.Background(), c)
	err := p.shut(context.Background())
	if err == nil || p.ended() || p.srv.ctx.Err() != nil {
		return
	}
	p.srv.log.Error("close a profile that was opened for a moment", "key", p.key.String(), "err", err)
	time.AfterFunc(loanRetry, func() {
		if !p.ended() && p.srv.ctx.Err() == nil && p.lend() {
			p.giveBack()
		}
	})
}
