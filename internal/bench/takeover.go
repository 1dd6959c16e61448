package bench

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/holdfast-games/holdfast/session"
)

// appendEvery is the interval of a server's appends, the default of package
// session.
const appendEvery = 50 * time.Millisecond

// killed is what was seen of one killed process.
type killed struct {
	opened  time.Duration // from the kill until its player was open elsewhere
	lost    time.Duration // from the oldest change that was lost to the kill
	changes int64         // that were lost
	slowest time.Duration // append of the process
}

// takeOver kills processes that hold a player and measures how long it takes
// until another server that has long been up has opened him, and what the
// crash has cost.
func (r *run) takeOver() (figures []Figure, err error) {
	const name = "takeover"
	db, err := r.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.finish(db)) }()
	if !r.processes(db) {
		return skipped(alone, name, "takeover.lost"), nil
	}
	srv, err := session.Open(r.ctx, db.DB, &session.Options{Name: name, Lease: shortLease})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.closeServer(srv)) }()
	up := time.After(shortLease) // only then may it judge others
	var all []killed
	for i := range r.sizes.kills {
		k, err := r.killOne(srv, i, up)
		if err != nil {
			return nil, err
		}
		up = nil
		all = append(all, k)
	}
	return takeOverFigures(all), nil
}

// killOne lets a process hold and change a player, kills it, and opens the
// player. The process is killed no sooner than up, if that is not nil.
func (r *run) killOne(srv *session.Server, i int, up <-chan time.Time) (k killed, err error) {
	other, err := r.hire("takeover", roleHold)
	if err != nil {
		return k, err
	}
	ended := false
	defer func() {
		if !ended {
			err = errors.Join(err, other.kill())
		}
	}()
	if _, err := other.tell(order{Player: i}); err != nil {
		return k, err
	}
	changes, err := watchChanges(other, r.sizes.watch/10+time.Duration(i)*17*time.Millisecond, up)
	if err != nil {
		return k, err
	}
	ended = true
	at := time.Now()
	if err := other.cmd.Process.Kill(); err != nil {
		return k, err
	}
	for { // what it had said before it was killed
		a, err := other.hear()
		if err != nil {
			break
		}
		changes = append(changes, a)
	}
	_ = other.cmd.Wait() // says that it was killed
	s, err := srv.Open(r.ctx, playerKey(i), nil)
	if err != nil {
		return k, err
	}
	k.opened = time.Since(at)
	return k, k.count(s, changes, at)
}

// watchChanges listens to a worker that changes its player for a while, and at
// least until up.
func watchChanges(other *worker, d time.Duration, up <-chan time.Time) (changes []answer, err error) {
	end := time.Now().Add(d)
	for {
		a, err := other.hear()
		if err != nil {
			return nil, err
		}
		changes = append(changes, a)
		if up != nil {
			select {
			case <-up:
				up = nil
			default:
			}
		}
		if up == nil && time.Now().After(end) {
			return changes, nil
		}
	}
}

// count finds out which of the changes are not in the session that was opened
// after the kill.
func (k *killed) count(s *session.Session, changes []answer, at time.Time) error {
	s.Lock()
	value, _ := s.Document().Get(coinsPath)
	s.Unlock()
	kept, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return fmt.Errorf("the player who was taken over: %w", err)
	}
	for _, c := range changes {
		k.slowest = max(k.slowest, c.Slowest)
		if c.Coins <= kept {
			continue
		}
		k.changes++
		k.lost = max(k.lost, at.Sub(time.Unix(0, c.At)))
	}
	return nil
}

func takeOverFigures(all []killed) []Figure {
	var opened, lost, slowest []time.Duration
	var changes int64
	for _, k := range all {
		opened, lost, slowest = append(opened, k.opened), append(lost, k.lost), append(slowest, k.slowest)
		changes += k.changes
	}
	bound := appendEvery + quantile(slowest, 1)
	f := Figure{Name: "takeover", Value: milliseconds(quantile(opened, 1)), Unit: "ms"}
	l := Figure{Name: "takeover.lost", Value: milliseconds(quantile(lost, 1)), Unit: "ms"}
	return []Figure{
		f.atMost(milliseconds(shortLease+time.Second)).noted("from kill -9 of a process to its player open elsewhere, the slowest of %d; lease %v", len(all), shortLease),
		l.limited(fmt.Sprintf("at most %.1f ms", milliseconds(bound)), l.Value <= milliseconds(bound)).
			noted("%d changes lost; appends every %v, the slowest took %.1f ms", changes, appendEvery, milliseconds(quantile(slowest, 1))),
	}
}
