package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// Attempt is a batch on its way, with what its sender wants of it.
type Attempt struct {
	Batch driver.Batch
	Lane  Lane
	// Tries is how often it is sent before it is given up as ErrUncertain.
	// Zero means the DB's Tries; negative means until an answer comes.
	Tries int
	// Before is when it must have been sent for the first time. One that is
	// still waiting then, for its turn or for a database that does not answer,
	// is given up as ErrLate. Zero means that it waits.
	Before time.Time
	// Done is called once, with the time of the commit or an error. For an
	// attempt that was recognised after its answer was lost, the time is that
	// of the commit which confirmed it. Done runs on a goroutine of the DB and
	// must not block; it may start other attempts. An attempt that names a key
	// of this one is not sent before Done has returned. Nil is not called.
	Done func(driver.Moment, error)
}

// attempt is an Attempt within the DB. The DB's mutex guards it.
type attempt struct {
	Attempt
	turn  turn
	order uint64 // its number, in the order in which attempts came
	lost  int    // tries that were not answered, and may have been applied
	alone int    // if not 0: the largest group in which it may travel
	bytes int

	waiter chan result // of capacity one; nil if nobody waits
}

// late reports whether the attempt may not be sent any more.
func (a *attempt) late(now time.Time) bool {
	return a.lost == 0 && !a.Before.IsZero() && !now.Before(a.Before)
}

// result is an outcome for one who waits.
type result struct {
	at  driver.Moment
	err error
}

// newAttempt returns an attempt, and an error if it breaks a limit.
func (db *DB) newAttempt(at Attempt) (*attempt, error) {
	a := &attempt{Attempt: at}
	if a.Lane >= lanes {
		return a, fmt.Errorf("%w: lane %d", driver.ErrInvalid, a.Lane)
	}
	if err := a.Batch.Validate(); err != nil {
		return a, err
	}
	if a.Tries == 0 {
		a.Tries = db.opts.Tries
	}
	a.turn.keys, a.bytes = batchKeys(&a.Batch)
	return a, nil
}

// Go starts attempts and returns at once; each one's Done learns its outcome.
// The batches must not be changed afterwards. Attempts that are started
// together are admitted together, so that they can share a group. One that
// breaks a limit, or comes after Close, is told so without being sent.
func (db *DB) Go(ats ...Attempt) {
	good := make([]*attempt, 0, len(ats))
	var bad settled
	for _, at := range ats {
		a, err := db.newAttempt(at)
		if err != nil {
			bad = append(bad, outcome{a: a, err: err})
			continue
		}
		good = append(good, a)
	}
	db.start(good, bad)
}

// start admits what is good, and tells what is bad.
func (db *DB) start(good []*attempt, bad settled) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closing {
		for _, a := range good {
			bad = append(bad, outcome{a: a, err: driver.ErrClosed})
		}
		go func() {
			bad.tell()
			bad.wake()
		}()
		return
	}
	if len(bad) > 0 {
		db.open += len(bad) // so that Close waits until they have been told
		go func() {
			bad.tell()
			db.mu.Lock()
			db.endLocked(len(bad))
			db.mu.Unlock()
			bad.wake()
		}()
	}
	for _, a := range good {
		db.admitLocked(a)
	}
	db.pumpLocked()
}

func (db *DB) admitLocked(a *attempt) {
	db.open++
	db.came++
	a.order = db.came
	db.mx.queue[a.Lane].Inc()
	db.owner[&a.turn] = a
	if db.turns.join(&a.turn) {
		db.ready[a.Lane].push(a)
	}
}

// Commit starts an attempt and waits for its outcome; at.Done is not called.
// If ctx ends first, Commit returns an error that matches its cause and
// ErrUncertain, and the attempt goes on.
func (db *DB) Commit(ctx context.Context, at Attempt) (driver.Moment, error) {
	r, _ := db.commit(ctx, at)
	return r.at, r.err
}

// commit is Commit. If ctx ends first, the outcome is still to come on rest,
// which is nil otherwise.
func (db *DB) commit(ctx context.Context, at Attempt) (r result, rest <-chan result) {
	at.Done = nil
	a, err := db.newAttempt(at)
	a.waiter = make(chan result, 1)
	if err != nil {
		db.start(nil, settled{{a: a, err: err}})
	} else {
		db.start([]*attempt{a}, nil)
	}
	select {
	case r := <-a.waiter:
		return r, nil
	case <-ctx.Done():
	}
	select {
	case r := <-a.waiter: // both came at once: what is known is told
		return r, nil
	default:
		return result{err: fmt.Errorf("%w: stopped waiting: %w", ErrUncertain, context.Cause(ctx))}, a.waiter
	}
}

// batchKeys returns every key that a batch names, and the bytes it carries.
func batchKeys(b *driver.Batch) (keys []string, bytes int) {
	keys = make([]string, 0, len(b.Writes)+len(b.Checks)+len(b.Forget))
	for i := range b.Writes {
		keys = append(keys, b.Writes[i].Key)
		bytes += len(b.Writes[i].Key) + len(b.Writes[i].Value)
	}
	for _, c := range b.Checks {
		keys = append(keys, c.Key)
	}
	for _, key := range b.Forget {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys, bytes
}

// verdict is what an answer says of an attempt.
type verdict int

const (
	applied    verdict = iota // by this try
	recognised                // by an earlier try, as the entries show
	refused
	uncertain
)

// judge decides what an answer means. With an empty refusal the try itself was
// applied. Otherwise only the entries that the batch writes can tell whether an
// earlier try was, and only those that it expects at a version can tell that
// none was: it still stands there, or its recent versions reach back to there
// and the attempt's is not among them.
func (a *attempt) judge(refusal []driver.State) verdict {
	if len(refusal) == 0 {
		return applied
	}
	told := false
	for i := range a.Batch.Writes {
		w := &a.Batch.Writes[i]
		at := slices.IndexFunc(refusal, func(s driver.State) bool { return s.Key == w.Key })
		if at < 0 {
			told = told || w.Mode == driver.Expect
			continue
		}
		recent := refusal[at].Recent
		if slices.Contains(recent, a.Batch.ID) {
			return recognised
		}
		told = told || knows(recent, w.Version)
	}
	if a.lost > 0 && !told {
		return uncertain
	}
	return refused
}

// knows reports whether an entry's recent versions reach back to v: then every
// version that came after v is among them.
func knows(recent []driver.Version, v driver.Version) bool {
	if v.IsZero() {
		return len(recent) > 0 && len(recent) < driver.RecentVersions
	}
	return slices.Contains(recent, v)
}

// settled collects outcomes while the mutex is held, to be told after it is
// released.
type settled []outcome

type outcome struct {
	a   *attempt
	at  driver.Moment
	err error
}

// tell calls each attempt's Done, in order.
func (s settled) tell() {
	for _, o := range s {
		if o.a.Done != nil {
			o.a.Done(o.at, o.err)
		}
	}
}

// wake tells those who wait. It comes last: what they do next then finds the
// DB as it was left, and does not depend on who is faster.
func (s settled) wake() {
	for _, o := range s {
		if o.a.waiter != nil {
			o.a.waiter <- result{o.at, o.err}
		}
	}
}

// settle notes an attempt's outcome. Its turn ends with finish.
func (db *DB) settle(out *settled, a *attempt, at driver.Moment, err error) {
	db.mx.settled(a, err)
	*out = append(*out, outcome{a, at, err})
}

// finish tells outcomes and then lets those behind go on: the callbacks of
// attempts with a common key run one after another, in the attempts' order.
// It is called without the mutex.
func (db *DB) finish(out settled) {
	if len(out) == 0 {
		return
	}
	out.tell()
	db.mu.Lock()
	for _, o := range out {
		delete(db.owner, &o.a.turn)
		db.mx.queue[o.a.Lane].Dec()
		db.turns.leave(&o.a.turn, func(t *turn) {
			next := db.owner[t]
			db.ready[next.Lane].push(next)
		})
	}
	db.endLocked(len(out))
	db.pumpLocked()
	db.mu.Unlock()
	out.wake()
}

// endLocked counts attempts that have ended.
func (db *DB) endLocked(n int) {
	db.open -= n
	if db.closing && db.open == 0 {
		close(db.idle)
	}
}

// repeatLocked pauses an attempt whose outcome is unknown, or gives it up.
func (db *DB) repeatLocked(out *settled, a *attempt, cause error) {
	a.lost++
	switch {
	case db.ctx.Err() != nil:
		db.settle(out, a, driver.Moment{}, fmt.Errorf("%w: %w", ErrUncertain, driver.ErrClosed))
	case a.Tries > 0 && a.lost >= a.Tries:
		db.settle(out, a, driver.Moment{}, fmt.Errorf("%w after %d tries: %w", ErrUncertain, a.lost, cause))
	default:
		db.mx.retries.Inc()
		db.pauseLocked(a)
	}
}

// confirm makes what was learnt by reading back count: it starts one further
// commit, and settles the attempts when that has been answered. They keep
// their turns until then.
func (db *DB) confirm(seen []*attempt) {
	if len(seen) == 0 {
		return
	}
	lane, tries := seen[0].Lane, seen[0].Tries
	for _, a := range seen[1:] {
		lane = min(lane, a.Lane)
		if tries = max(tries, a.Tries); a.Tries < 0 {
			tries = a.Tries
		}
	}
	b, err := db.confirmation(lane)
	if err != nil {
		db.confirmed(seen, driver.Moment{}, err)
		return
	}
	b.Tries = tries
	b.Done = func(at driver.Moment, err error) { db.confirmed(seen, at, err) }
	db.mu.Lock()
	db.admitLocked(b) // also while closing: those seen are open and waited for
	db.pumpLocked()
	db.mu.Unlock()
}

// confirmation returns an attempt that cannot be refused. Each lane has a key
// of its own, so that an urgent one never waits for another lane's.
func (db *DB) confirmation(lane Lane) (*attempt, error) {
	id, err := db.NewVersion()
	if err != nil {
		return nil, err
	}
	return db.newAttempt(Attempt{Lane: lane, Batch: driver.Batch{
		ID:     id,
		Writes: []driver.Write{{Key: SystemKey("confirm", lane.String()), Mode: driver.Always}},
	}})
}

func (db *DB) confirmed(seen []*attempt, at driver.Moment, err error) {
	if err != nil && !errors.Is(err, ErrUncertain) {
		err = fmt.Errorf("%w: confirm what was read back: %w", ErrUncertain, err)
	}
	var out settled
	for _, a := range seen {
		db.settle(&out, a, at, err)
	}
	db.finish(out)
}
