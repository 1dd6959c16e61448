package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// watchMost is how long it may take, in milliseconds, until a change of a player
// who is on one server, made by id from another, is seen on a third.
const watchMost = 20

// trio are three servers in this process that have a bus in common. As on three
// machines, each has a connection to it of its own, and to the database too where
// that is a server.
type trio struct {
	r     *run
	dbs   []*database
	buses []*bus.Bus
	name  string // of the bus
	srvs  []*profile.Server
}

// openTrio starts three servers on a database of a measurement's own.
func (r *run) openTrio(name string) (_ *trio, err error) {
	t := &trio{r: r}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.close())
		}
	}()
	var connect func(context.Context) (*bus.Bus, error)
	connect, t.name = r.busOrLocal()
	for i := range 3 {
		if i == 0 || t.dbs[0].isPostgres() {
			db, err := r.reopen(r.ctx, name, i == 0)
			if err != nil {
				return nil, err
			}
			t.dbs = append(t.dbs, db)
		}
		b, err := connect(r.ctx)
		if err != nil {
			return nil, fmt.Errorf("connect to the bus: %w", err)
		}
		t.buses = append(t.buses, b)
		o := &profile.Options{Session: session.Options{Name: fmt.Sprint(name, i), Bus: b}}
		srv, err := profile.Open(r.ctx, t.dbs[len(t.dbs)-1].DB, schema, o)
		if err != nil {
			return nil, err
		}
		t.srvs = append(t.srvs, srv)
	}
	return t, nil
}

// close ends the servers, and then what they stand on.
func (t *trio) close() (err error) {
	for _, srv := range t.srvs {
		err = errors.Join(err, t.r.closeServer(srv))
	}
	for _, b := range t.buses {
		err = errors.Join(err, b.Close())
	}
	for _, db := range t.dbs[min(1, len(t.dbs)):] {
		err = errors.Join(err, db.Close(context.WithoutCancel(t.r.ctx)))
	}
	if len(t.dbs) > 0 {
		err = errors.Join(err, t.r.finish(t.dbs[0]))
	}
	return err
}

// watch measures how long it takes until a change, made by id on one server, of a
// player who is on a second server is seen by a follower on a third; and until the
// first server knows that it was made.
func (r *run) watch() (figures []Figure, err error) {
	t, err := r.openTrio("watch")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	if err := seed(r.ctx, t.srvs[1].Session(), 0, 1, smallBag); err != nil {
		return nil, err
	}
	if _, err := t.srvs[1].Open(r.ctx, playerID(0), nil); err != nil {
		return nil, err
	}
	told := make(chan time.Time, 1)
	first := true
	f, err := t.srvs[2].Follow(r.ctx, playerID(0), func(now profile.Followed) {
		if !first && now.Err == nil {
			told <- time.Now()
		}
		first = false
	}, nil)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var seen, changed, commits []time.Duration
	for range r.sizes.samples {
		began := time.Now()
		if _, err := t.srvs[0].Change(r.ctx, playerID(0), []profile.Op{coins.AddOp(1)}, nil); err != nil {
			return nil, err
		}
		changed = append(changed, time.Since(began))
		select {
		case at := <-told:
			seen = append(seen, at.Sub(began))
		case <-r.ctx.Done():
			return nil, context.Cause(r.ctx)
		}
		began = time.Now()
		if err := bareCommit(r.ctx, t.dbs[0]); err != nil {
			return nil, err
		}
		commits = append(commits, time.Since(began))
	}
	return watchFigures(seen, changed, commits, t.name), nil
}

// watchFigures limits what was measured.
func watchFigures(seen, changed, commits []time.Duration, busName string) []Figure {
	beside := func(name string, took []time.Duration) Figure {
		p99, commit := milliseconds(quantile(took, 0.99)), milliseconds(median(commits))
		return Figure{Name: name, Unit: "ms"}.beside("median of one bare commit", pair{p99, commit, p99 / commit})
	}
	return []Figure{
		beside("watch", seen).atMost(watchMost).noted("p99 from the call of Change on one server to the follower on a third; p50 %.2f ms, longest %.2f ms; bus: %s",
			milliseconds(median(seen)), milliseconds(quantile(seen, 1)), busName),
		beside("watch.change", changed).noted("p99 of Change, which waits for two commits; p50 %.2f ms, longest %.2f ms; p99 of a bare commit %.2f ms",
			milliseconds(median(changed)), milliseconds(quantile(changed, 1)), milliseconds(quantile(commits, 0.99))),
	}
}
