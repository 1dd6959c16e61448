package session

import (
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// watch looks for requests, as often as the database likes, and for dead
// servers about twice a second, until the server closes. If a message of the bus
// may have been missed, it looks at once.
func (srv *Server) watch() {
	every := srv.db.Driver().Info().Look
	if every <= 0 {
		every = srv.opts.renewEvery()
	}
	patrol := min(500*time.Millisecond, srv.opts.Lease/4)
	last, again := time.Now(), time.Now()
	for srv.ctx.Err() == nil {
		rung := srv.nextLook(every)
		l, err := srv.current(srv.ctx)
		if err != nil {
			return
		}
		if err := srv.lookForRequests(l); err != nil && srv.ctx.Err() == nil {
			srv.opts.Logger.Error("look failed", "err", err)
		}
		if rung {
			srv.wakeOpenings()
		}
		if time.Since(last) >= patrol {
			last = time.Now()
			srv.patrol(l)
		}
		if time.Since(again) >= srv.opts.Lease {
			again = time.Now()
			srv.settleAgain(l)
			srv.sweepSoon()
		}
	}
}

// lookPause is the shortest time between two looks, however often messages are
// missed.
const lookPause = 5 * time.Millisecond

// nextLook waits until it is time to look, and reports whether that is so
// because a message may have been missed.
func (srv *Server) nextLook(every time.Duration) (rung bool) {
	first := min(every, lookPause)
	pause(srv.ctx, first)
	t := time.NewTimer(every - first)
	defer t.Stop()
	select {
	case <-t.C:
	case <-srv.bell:
		return true
	case <-srv.ctx.Done():
	}
	return false
}

// settleGrace is how long after a seal the other servers leave the settling to
// the one that sealed.
const settleGrace = 3 * time.Second

// patrol seals the leases that have expired and settles those that are sealed.
func (srv *Server) patrol(own *lease) {
	q := driver.Query{Prefix: store.SystemKey("lease") + "/"}
	defer srv.forgetSeen(time.Now().Add(-2 * MaxLease))
	for {
		page, err := srv.db.List(srv.ctx, q)
		if err != nil {
			return // it comes again
		}
		for i := range page.Entries {
			e := &page.Entries[i]
			q.After = e.Key
			if e.Key != leaseKey(own.id) {
				srv.inspect(e, page.Now)
			}
		}
		if !page.More {
			return
		}
	}
}

// forgetSeen drops what was not seen again since some time: its lease is gone.
func (srv *Server) forgetSeen(since time.Time) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for key, s := range srv.seen {
		if s.at.Before(since) {
			delete(srv.seen, key)
		}
	}
}

func (srv *Server) inspect(e *driver.Entry, now driver.Moment) {
	entry, err := decodeLease(e)
	switch {
	case err != nil || entry == nil:
		srv.quarantine(e, err)
	case entry.Sealed != nil:
		if age, same := now.Since(e.Updated); same && age >= 0 && age < settleGrace {
			return // whoever sealed it is at it
		}
		if err := srv.settleLease(srv.ctx, e.Key); err != nil && srv.ctx.Err() == nil {
			srv.quarantine(e, err)
		}
	default:
		if x := srv.expiry(e, entry, now); x.left <= 0 {
			if _, err := srv.sealExpired(srv.ctx, e, entry, x); err != nil && srv.ctx.Err() == nil {
				srv.quarantine(e, err)
			}
		}
	}
}

// quarantine reports, once for each version, a lease that cannot be dealt
// with. It stays as it is.
func (srv *Server) quarantine(e *driver.Entry, err error) {
	name := "quarantine of " + e.Key
	srv.mu.Lock()
	was, ok := srv.seen[name]
	srv.seen[name] = sighting{version: e.Version, at: time.Now()}
	srv.mu.Unlock()
	if !ok || was.version != e.Version {
		srv.opts.Logger.Error("a lease cannot be dealt with and stays as it is", "lease", e.Key, "err", err)
	}
}
