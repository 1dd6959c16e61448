package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// pumpLocked starts as many calls of Commit as the database likes at a time.
// There is no goroutine that waits for work: each call has its own, and the
// end of one starts the next.
func (db *DB) pumpLocked() {
	if !db.urgent && db.ready[Urgent].len() > 0 {
		db.urgent = true
		g := db.newGroup()
		g.fill(&db.ready[Urgent], g.most)
		go db.send(g.attempts, true, 0)
	}
	for db.inFlight < db.info.Writers && db.ready[Waited].len()+db.ready[Background].len() > 0 {
		db.inFlight++
		as := db.takeLocked()
		go db.send(as, false, db.reserve(len(as)))
	}
}

// takeLocked takes a group of Waited and Background attempts. An eighth of the
// room is for Background ones. In a small group that is none, and large values
// may leave no bytes for them; so after seven groups in a row without one, one
// goes first.
func (db *DB) takeLocked() []*attempt {
	waited, background := &db.ready[Waited], &db.ready[Background]
	before := background.len()
	g := db.newGroup()
	if db.passed >= 7 {
		g.fill(background, 1)
	}
	g.fill(waited, g.most-min(g.most/8, background.len()))
	g.fill(background, g.most)
	db.passed++
	if before == 0 || background.len() < before {
		db.passed = 0
	}
	return g.attempts
}

// reserve takes n batches from the budget, and returns how long to wait until
// they may be sent. A group is never larger than the budget's burst.
func (db *DB) reserve(n int) time.Duration {
	if db.limit == nil {
		return 0
	}
	return db.limit.ReserveN(time.Now(), n).Delay()
}

// group is a group under construction.
type group struct {
	attempts []*attempt
	most     int // attempts
	bytes    int // left
}

func (db *DB) newGroup() group { return group{most: db.group, bytes: db.opts.GroupBytes} }

// fill moves attempts from the list until the group has upTo, or is full.
func (g *group) fill(from *list, upTo int) {
	for len(g.attempts) < min(upTo, g.most) {
		a := from.front()
		if a == nil || len(g.attempts) > 0 && (a.bytes > g.bytes || a.alone > 0 && len(g.attempts) >= a.alone) {
			return
		}
		from.pop()
		g.bytes -= a.bytes
		if a.alone > 0 {
			g.most = min(g.most, a.alone)
		}
		g.attempts = append(g.attempts, a)
	}
}

// send waits for the budget, makes one call of Commit and deals with its
// answer.
func (db *DB) send(as []*attempt, urgent bool, wait time.Duration) {
	if err := db.sleep(db.ctx, wait); err != nil {
		db.answered(as, urgent, nil, driver.ErrClosed)
		return
	}
	if as = db.dropLate(as); len(as) == 0 {
		db.answered(nil, urgent, nil, nil)
		return
	}
	g := driver.Group{Batches: make([]driver.Batch, len(as)), Urgent: urgent}
	for i, a := range as {
		g.Batches[i] = a.Batch
	}
	timeout := db.opts.Timeout
	if urgent {
		timeout = min(timeout, urgentTimeout)
	}
	ctx, cancel := context.WithTimeout(db.ctx, timeout)
	defer cancel()
	began := time.Now()
	outcomes, err := db.drv.Commit(ctx, g)
	if err == nil && len(outcomes) != len(as) {
		err = fmt.Errorf("%w: %d outcomes for %d batches", driver.ErrUnavailable, len(outcomes), len(as))
	}
	db.mx.sent(urgent, len(as), time.Since(began), err)
	if db.ctx.Err() == nil {
		db.alert.note(err)
	}
	db.answered(as, urgent, outcomes, err)
}

// dropLate gives up the attempts that may not be sent any more, and returns the
// others.
func (db *DB) dropLate(as []*attempt) []*attempt {
	now := time.Now()
	if !slices.ContainsFunc(as, func(a *attempt) bool { return a.late(now) }) {
		return as
	}
	var ended settled
	var rest []*attempt
	db.mu.Lock()
	for _, a := range as {
		if !a.late(now) {
			rest = append(rest, a)
			continue
		}
		db.settle(&ended, a, driver.Moment{}, ErrLate)
	}
	db.mu.Unlock()
	db.finish(ended)
	return rest
}

// answered settles, repeats or confirms each attempt of a group.
func (db *DB) answered(as []*attempt, urgent bool, outcomes []driver.Outcome, err error) {
	var ended settled
	var seen []*attempt
	db.mu.Lock()
	if urgent {
		db.urgent = false
	} else {
		db.inFlight--
	}
	if err != nil {
		db.groupFailedLocked(&ended, as, err)
	} else {
		seen = db.judge(&ended, as, outcomes)
	}
	db.pumpLocked()
	db.mu.Unlock()
	db.confirm(seen)
	db.finish(ended)
}

// judge settles the attempts of a group that was answered, and returns those
// that an earlier try had applied.
func (db *DB) judge(ended *settled, as []*attempt, outcomes []driver.Outcome) (seen []*attempt) {
	for i, a := range as {
		conflict := &ConflictError{outcomes[i].Refused}
		switch a.judge(outcomes[i].Refused) {
		case applied:
			db.settle(ended, a, outcomes[i].Updated, nil)
		case recognised:
			seen = append(seen, a)
		case refused:
			db.settle(ended, a, driver.Moment{}, conflict)
		case uncertain:
			db.settle(ended, a, driver.Moment{}, fmt.Errorf("%w: %w", ErrUncertain, conflict))
		}
	}
	return seen
}

// groupFailedLocked deals with an error that stands for the whole group. What
// may pass is repeated. What will not pass is the fault of one batch at least:
// the group is sent again in halves until that one is alone.
func (db *DB) groupFailedLocked(ended *settled, as []*attempt, err error) {
	switch {
	case errors.Is(err, driver.ErrUnavailable):
		db.opts.Logger.Warn("commit not answered", "batches", len(as), "lost", as[0].lost+1, "err", err)
		for _, a := range as {
			db.repeatLocked(ended, a, err)
		}
	case len(as) > 1 && !errors.Is(err, driver.ErrClosed) && !errors.Is(err, driver.ErrReadOnly):
		for _, a := range as {
			a.alone = (len(as) + 1) / 2
			db.ready[a.Lane].pushAgain(a)
		}
	default:
		for _, a := range as {
			if a.lost > 0 {
				db.settle(ended, a, driver.Moment{}, fmt.Errorf("%w: %w", ErrUncertain, err))
				continue
			}
			db.settle(ended, a, driver.Moment{}, err)
		}
	}
}
