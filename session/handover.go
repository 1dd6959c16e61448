package session

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// request asks a lease's server for what one of its sessions holds.
type request struct {
	Key     string         `json:"key"`            // of the root
	Session driver.Version `json:"session"`        // that holds it
	From    driver.Version `json:"from"`           // the asker's lease
	Server  string         `json:"server"`         // the asker's name
	Ring    bool           `json:"ring,omitempty"` // nothing is asked: there is something new for the key
	entry   string         // under which it is stored; empty: it came by the bus
}

// ask rings, and creates a request to the holder of a lock, each once per lock.
// With a bus, which is likely to be heard and answered before the next look, the
// request waits for that: the release need not queue behind it. If the bus
// refuses the message, it does not wait.
func (op *opening) ask(l *lease, held *lock) error {
	if op.asked == held.Session {
		return nil
	}
	rung := op.srv.publish(held.Lease, message{Ask: op.rootKey, Session: held.Session, From: l.id})
	if rung && op.rung != held.Session {
		op.rung = held.Session
		return nil
	}
	value, err := json.Marshal(request{Key: op.rootKey, Session: held.Session, From: l.id, Server: op.srv.opts.Name})
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	id, err := op.srv.db.NewVersion()
	if err != nil {
		return err
	}
	op.withdraw()
	op.asked, op.request = held.Session, requestKey(held.Lease, l.id, id)
	op.srv.db.Go(store.Attempt{
		Batch: driver.Batch{ID: id, Writes: []driver.Write{{Key: op.request, Mode: driver.Always, Value: value}}},
		Lane:  store.Waited,
		Tries: -1,
		Done: func(_ driver.Moment, err error) {
			if err != nil {
				op.srv.opts.Logger.Warn("request not written", "key", op.rootKey, "err", err)
			}
		},
	})
	return nil
}

// withdraw deletes the opening's request, if it made one: it was answered, or
// nobody wants the answer any more.
func (op *opening) withdraw() {
	if op.request == "" {
		return
	}
	op.srv.drop(op.request)
	op.asked, op.request = driver.Version{}, ""
}

// asked deals with a request, from the database or by the bus: an open session
// is handed over, and one that is not open here is settled.
func (srv *Server) asked(l *lease, rq request) {
	s := srv.byID(rq.Session)
	switch {
	case rq.Ring:
		srv.rung(rq.Key)
		srv.drop(rq.entry)
	case s == nil:
		srv.settleLater(l, rq.Key, rq.Session, func() { srv.answer(l, rq) })
	case s.opening.Load():
		// Whoever opens it gets it first; the request is seen again.
	case s.handing.Swap(true):
		// It is being handed over to somebody.
	default:
		srv.handOver(s, func() { srv.answer(l, rq) })
	}
}

// answer tells the asker that the key is free. A request that came by the bus
// has no entry in most cases, and its asker deletes the one that it makes.
func (srv *Server) answer(l *lease, rq request) {
	srv.publish(rq.From, message{Free: rq.Key, Session: rq.Session})
	if rq.entry != "" {
		srv.drop(rq.entry)
	}
}

// handOver lets the game finish, closes the session and calls done. If the
// closing is refused, the session stays open; the request stays too, and is
// looked at again after a while.
func (srv *Server) handOver(s *Session, done func()) {
	began := time.Now()
	closed := func(err error) {
		if err == nil {
			srv.mx.handOver.Observe(time.Since(began).Seconds())
			done()
			return
		}
		srv.work(func() {
			pause(srv.ctx, handOverPause)
			s.handing.Store(false)
		})
	}
	if srv.opts.HandOver == nil {
		s.closeSoon(closed)
		return
	}
	srv.work(func() {
		srv.finish(s)
		s.close(closed)
	})
}

// handOverPause is the time from a hand-over that failed to the next.
const handOverPause = time.Second

// finish lets the game finish with a session, as long as it may take.
func (srv *Server) finish(s *Session) {
	ctx, cancel := context.WithTimeout(srv.ctx, srv.opts.HandOverTime)
	defer cancel()
	finished := make(chan struct{})
	// Close does not wait for a game that does not listen to its context.
	go func() {
		defer close(finished)
		srv.opts.HandOver(ctx, s)
	}()
	select {
	case <-finished:
	case <-ctx.Done():
		srv.opts.Logger.Warn("the game did not finish before the hand-over", "key", s.rootKey)
	}
}

// lookForRequests reads the requests to this server's lease.
func (srv *Server) lookForRequests(l *lease) error {
	q := driver.Query{Prefix: requestPrefix(l.id), Limit: 1024}
	for {
		page, err := srv.db.List(srv.ctx, q)
		if err != nil {
			return fmt.Errorf("look for requests: %w", err)
		}
		for i := range page.Entries {
			e := &page.Entries[i]
			q.After = e.Key
			var rq request
			if e.Damaged != nil || json.Unmarshal(e.Value, &rq) != nil || rq.Session.IsZero() || driver.CheckKey(rq.Key) != nil {
				srv.opts.Logger.Error("request not understood, deleted", "entry", e.Key)
				srv.drop(e.Key)
				continue
			}
			rq.entry = e.Key
			srv.asked(l, rq)
		}
		if !page.More {
			return nil
		}
	}
}

// dropRequests deletes the requests to servers that are gone. A server that leaves
// deletes those to it, and who seals a dead one does; nobody else would delete one that
// was written by then and came later. No lease ever comes again.
func (srv *Server) dropRequests(ctx context.Context) error {
	var seen driver.Version
	return srv.eachKey(ctx, requestsPrefix(), func(entry string) error {
		lease, err := requestedOf(entry)
		if err != nil || lease == seen {
			return err
		}
		seen = lease
		return srv.dropRequestsOf(ctx, lease)
	})
}

func (srv *Server) dropRequestsOf(ctx context.Context, lease driver.Version) error {
	snap, err := srv.db.Read(ctx, leaseKey(lease))
	if err != nil || snap.Entries[0].Found() {
		return err
	}
	return srv.db.DeleteRange(ctx, requestPrefix(lease), driver.After(requestPrefix(lease)))
}
