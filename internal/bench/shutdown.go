package bench

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/holdfast-games/holdfast/session"
)

// shutdownMost is how long a server may take to hand all its players over.
const shutdownMost = 10 * time.Second

// handOverAtShutdown measures how long it takes until all players of a server
// that shuts down are open on another one, which wants them from that moment on.
func (r *run) handOverAtShutdown() (figures []Figure, err error) {
	p, err := r.openPeers("handover.shutdown")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := seed(r.ctx, p.srvs[0], 0, r.sizes.crowd, smallBag); err != nil {
		return nil, err
	}
	var all, closing []time.Duration
	for i := range r.sizes.kills {
		took, closed, err := p.shutDown(i)
		if err != nil {
			return nil, err
		}
		all, closing = append(all, took), append(closing, closed)
	}
	f := Figure{Name: "handover.shutdown", Value: milliseconds(quantile(all, 1)), Unit: "ms"}.atMost(milliseconds(shutdownMost))
	return []Figure{f.noted("until all %d players, each changed just before, were open elsewhere, %d at a time, the slowest of %d; its Close took %.0f ms; %s",
		r.sizes.crowd, min(opening, r.sizes.crowd), len(all), milliseconds(quantile(closing, 1)), p.about())}, nil
}

// shutDown gives all players to one server, and measures how long it takes
// until the other has them and the first is closed. In its place a new one is
// started.
func (p *peers) shutDown(round int) (took, closed time.Duration, err error) {
	r, from, to := p.r, round%2, (round+1)%2
	ss, err := openAll(r.ctx, p.srvs[from], r.sizes.crowd)
	if err != nil {
		return 0, 0, err
	}
	for _, s := range ss {
		if err := setCoins(s, int64(round+1), false); err != nil {
			return 0, 0, err
		}
	}
	began := time.Now()
	ended := make(chan error, 1)
	go func() {
		err := r.closeServer(p.srvs[from])
		closed = time.Since(began)
		ended <- err
	}()
	ss, err = openAll(r.ctx, p.srvs[to], r.sizes.crowd)
	err = errors.Join(err, <-ended)
	took = time.Since(began)
	p.srvs[from] = nil
	for i := 0; i < len(ss) && err == nil; i++ {
		err = hasCoins(ss[i], int64(round+1))
	}
	if err != nil {
		return took, closed, err
	}
	return took, closed, p.start(from)
}

// hasCoins is an error if a session holds another number than was set.
func hasCoins(s *session.Session, want int64) error {
	s.Lock()
	value, _ := s.Document().Get(coinsPath)
	s.Unlock()
	if got := string(value); got != strconv.FormatInt(want, 10) {
		return fmt.Errorf("%v was handed over with %s coins, not %d", s.Key(), got, want)
	}
	return nil
}
