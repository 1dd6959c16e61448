package outage_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/internal/wire"
	"github.com/holdfast-games/holdfast/postgres"
	"github.com/holdfast-games/holdfast/store"
)

const theKey = "player/alice"

// eachIsolation runs a test at every isolation level that the driver knows.
func eachIsolation(t *testing.T, run func(t *testing.T, isolation postgres.Isolation)) {
	for _, isolation := range isolations {
		t.Run(string(isolation), func(t *testing.T) { run(t, isolation) })
	}
}

// confirming matches the commit that makes what was read back count.
var confirming = wire.CommitOf(store.SystemKey("confirm", "waited"))

func TestALostAnswer(t *testing.T) {
	eachIsolation(t, func(t *testing.T, isolation postgres.Isolation) {
		for _, at := range []wire.Point{wire.Answer, wire.MidAnswer} {
			t.Run("IsRecognisedAndConfirmed/"+fmt.Sprint(at), func(t *testing.T) { newLine(t, isolation, nil).recognises(at) })
		}
		t.Run("OfAConfirmationIsWaitedForToo", func(t *testing.T) { newLine(t, isolation, nil).confirms() })
		t.Run("OfAGroupIsRecognisedForEachOfIt", func(t *testing.T) { newLine(t, isolation, nil).recognisesGroup() })
		t.Run("OfAnUrgentAttemptIsRecognised", func(t *testing.T) { newLine(t, isolation, nil).recognisesUrgent() })
	})
}

// recognises loses an answer. The attempt is applied once, and its success is
// told when a further commit has been answered, and not before.
func (l *line) recognises(at wire.Point) {
	lost := l.proxy.Trap(1, wire.CommitOf(theKey), wire.Fault{At: at, Do: wire.Cut})
	confirm := l.proxy.Trap(1, confirming, wire.Fault{At: wire.Before, Do: wire.Hold})
	v := l.version()
	done := l.begin(write(theKey, driver.Version{}, v))
	l.hit(lost)
	l.hit(confirm)
	l.wants(theKey, v)
	l.waits(done, "the confirming commit has not been sent")
	confirm.Release()
	l.succeeds(done)
	l.wants(theKey, v)
}

func (l *line) confirms() {
	l.proxy.Trap(1, wire.CommitOf(theKey), wire.Fault{At: wire.Answer, Do: wire.Cut})
	first := l.proxy.Trap(1, confirming, wire.Fault{At: wire.Answer, Do: wire.Cut})
	second := l.proxy.Trap(1, confirming, wire.Fault{At: wire.Answer, Do: wire.Hold})
	done := l.begin(write(theKey, driver.Version{}, l.version()))
	l.hit(first)
	l.hit(second)
	l.waits(done, "no confirming commit was answered")
	second.Release()
	l.succeeds(done)
}

func (l *line) recognisesGroup() {
	stale, v := l.version(), l.version()
	l.must(write("player/bob", driver.Version{}, v))
	lost := l.proxy.Trap(1, wire.CommitOf(theKey), wire.Fault{At: wire.Answer, Do: wire.Cut})
	w := l.version()
	alice := l.begin(write(theKey, driver.Version{}, w))
	bob := l.begin(write("player/bob", v, w))
	carol := l.begin(write("player/carol", stale, w))
	l.hit(lost)
	l.succeeds(alice)
	l.succeeds(bob)
	l.conflicts(carol)
	l.wants(theKey, w)
	l.wants("player/bob", w, v)
}

func (l *line) recognisesUrgent() {
	lost := l.proxy.Trap(1, wire.CommitOf("~lease/x"), wire.Fault{At: wire.Answer, Do: wire.Cut})
	v := l.version()
	at := write("~lease/x", driver.Version{}, v)
	at.Lane = store.Urgent
	done := l.begin(at)
	l.hit(lost)
	l.succeeds(done)
	l.wants("~lease/x", v)
}

func TestALostRequest(t *testing.T) {
	eachIsolation(t, func(t *testing.T, isolation postgres.Isolation) {
		for _, at := range []wire.Point{wire.Before, wire.Middle, wire.BeforeCommit} {
			t.Run("IsAppliedOnce/"+fmt.Sprint(at), func(t *testing.T) { newLine(t, isolation, nil).appliesOnce(at) })
		}
		for _, at := range []wire.Point{wire.Before, wire.Answer} {
			t.Run("OrAnswerThatNeverComesIsEndedByTheTimeout/"+fmt.Sprint(at), func(t *testing.T) {
				l := newLine(t, isolation, &store.Options{Timeout: 300 * time.Millisecond})
				mute := l.proxy.Trap(1, wire.CommitOf(theKey), wire.Fault{At: at, Do: wire.Mute})
				v := l.version()
				done := l.begin(write(theKey, driver.Version{}, v))
				l.hit(mute)
				l.succeeds(done)
				l.wants(theKey, v)
			})
		}
	})
}

// appliesOnce loses a request. Its second try is applied, so nothing has to be
// recognised or confirmed.
func (l *line) appliesOnce(at wire.Point) {
	v, w := l.version(), l.version()
	l.must(write(theKey, driver.Version{}, v))
	lost := l.proxy.Trap(1, wire.CommitOf(theKey), wire.Fault{At: at, Do: wire.Cut})
	done := l.begin(write(theKey, v, w))
	l.hit(lost)
	l.succeeds(done)
	l.wants(theKey, w, v)
	if e := l.entry(store.SystemKey("confirm", "waited")); e.Found() {
		l.t.Error("it was confirmed as if it had been recognised")
	}
}

func TestALateFirstTry(t *testing.T) {
	eachIsolation(t, func(t *testing.T, isolation postgres.Isolation) {
		t.Run("AfterTheSecondChangesNothing", func(t *testing.T) { newLine(t, isolation, nil).ignoresLate() })
		t.Run("AfterLaterAttemptsChangesNothing", func(t *testing.T) { newLine(t, isolation, nil).ignoresVeryLate() })
		for _, creates := range []bool{false, true} {
			what := map[bool]string{false: "replaces", true: "creates"}[creates]
			t.Run("HalfOfWhichCameIsNoHarm/"+what, func(t *testing.T) {
				l := newLine(t, isolation, nil)
				l.halves(l.start(creates))
			})
			t.Run("AndTheSecondMeetAtALock/"+what, func(t *testing.T) {
				l := newLine(t, isolation, nil)
				l.meet(l.start(creates))
			})
		}
	})
}

// ignoresLate lets a first try arrive when the second has been answered.
func (l *line) ignoresLate() {
	late := l.proxy.Trap(1, wire.CommitOf(theKey), wire.Fault{At: wire.Before, Do: wire.Leave})
	v := l.version()
	l.succeeds(l.begin(write(theKey, driver.Version{}, v)))
	before := l.entry(theKey)
	late.Release()
	if code := l.answered(late); code == "" {
		l.t.Error("the server took the late try")
	}
	l.wants(theKey, v)
	if after := l.entry(theKey); !after.Updated.Wall.Equal(before.Updated.Wall) {
		l.t.Errorf("the late try wrote the entry at %v, it was written at %v", after.Updated.Wall, before.Updated.Wall)
	}
}

func (l *line) ignoresVeryLate() {
	late := l.proxy.Trap(1, wire.CommitOf(theKey), wire.Fault{At: wire.Before, Do: wire.Leave})
	u, v, w := l.version(), l.version(), l.version()
	l.must(write(theKey, driver.Version{}, u))
	l.must(write(theKey, u, v))
	l.must(write(theKey, v, w))
	late.Release()
	l.answered(late)
	l.wants(theKey, w, v, u)
}

// start returns the version from which an attempt starts: none, or one that it
// writes.
func (l *line) start(creates bool) (v driver.Version) {
	if !creates {
		v = l.version()
		l.must(write(theKey, driver.Version{}, v))
	}
	return v
}

// halves lets half of a first try arrive, whose locks are then in the way of the
// second, and the other half later, unless the server has been told to end it.
func (l *line) halves(from driver.Version) {
	late := l.proxy.Trap(1, wire.CommitOf(theKey), wire.Fault{At: wire.BeforeCommit, Do: wire.Leave})
	second := l.proxy.Trap(1, wire.CommitOf(theKey), wire.Fault{At: wire.Sent, Do: wire.Hold})
	to := l.version()
	done := l.begin(write(theKey, from, to))
	l.hit(late)
	l.hit(second)
	second.Release()
	late.Release()
	l.succeeds(done)
	l.over(late)
	l.wants(theKey, history(to, from)...)
}

// meet lets both tries wait at the server for another to go on: then they run at
// the same time, and either may come first.
func (l *line) meet(from driver.Version) {
	table := l.schema + ".entries"
	c, err := pgx.Connect(l.ctx, pgtest.Shared(l.t).URL("postgres"))
	if err != nil {
		l.t.Fatalf("Connect: %v", err)
	}
	defer c.Close(context.Background())
	late := l.proxy.Trap(1, wire.CommitOf(theKey), wire.Fault{At: wire.Before, Do: wire.Leave})
	second := l.proxy.Trap(1, wire.CommitOf(theKey), wire.Fault{At: wire.Before, Do: wire.Hold})
	to := l.version()
	done := l.begin(write(theKey, from, to))
	l.hit(late)
	l.hit(second)
	if _, err := c.Exec(l.ctx, "BEGIN; LOCK TABLE "+table+" IN EXCLUSIVE MODE"); err != nil {
		l.t.Fatalf("lock the table: %v", err)
	}
	late.Release()
	second.Release()
	for waiting, slept := 0, ""; waiting < 2; {
		err := c.QueryRow(l.ctx, "SELECT count(*), pg_sleep(0.01)::text FROM pg_locks WHERE NOT granted AND relation = $1::regclass", table).Scan(&waiting, &slept)
		if err != nil {
			l.t.Fatalf("wait until both tries are at the lock: %v", err)
		}
	}
	if _, err := c.Exec(l.ctx, "ROLLBACK"); err != nil {
		l.t.Fatalf("unlock the table: %v", err)
	}
	l.succeeds(done)
	l.over(late)
	l.wants(theKey, history(to, from)...)
}

// history returns the versions that an entry has had, the newest first, without
// the one that stands for absence.
func history(newest, before driver.Version) []driver.Version {
	if before.IsZero() {
		return []driver.Version{newest}
	}
	return []driver.Version{newest, before}
}

func TestARefusal(t *testing.T) {
	eachIsolation(t, func(t *testing.T, isolation postgres.Isolation) {
		t.Run("WhoseAnswerIsLostStaysOne", func(t *testing.T) {
			newLine(t, isolation, nil).refusesFaulty(wire.Fault{At: wire.Answer, Do: wire.Cut})
		})
		t.Run("StaysOneWhenItsFirstTryArrivesLate", func(t *testing.T) {
			newLine(t, isolation, nil).refusesFaulty(wire.Fault{At: wire.Before, Do: wire.Leave})
		})
		t.Run("IsOneAlsoWhenAnotherCameBetweenTwoTries", func(t *testing.T) { newLine(t, isolation, nil).refusesSecond() })
		t.Run("IsUncertainWhenTheEntryHasMovedTooFar", func(t *testing.T) { newLine(t, isolation, nil).cannotTell() })
	})
}

// refusesFaulty sends a stale attempt whose first try goes wrong.
func (l *line) refusesFaulty(f wire.Fault) {
	v, w, stale := l.version(), l.version(), l.version()
	l.must(write(theKey, driver.Version{}, v))
	l.must(write(theKey, v, w))
	trap := l.proxy.Trap(1, wire.CommitOf(theKey), f)
	l.conflicts(l.begin(write(theKey, v, stale)))
	l.hit(trap)
	trap.Release()
	l.answered(trap)
	l.wants(theKey, w, v)
}

func (l *line) refusesSecond() {
	v, w, mine := l.version(), l.version(), l.version()
	l.must(write(theKey, driver.Version{}, v))
	l.conflicts(l.between(write(theKey, v, mine), func() { l.commitDirectly(write(theKey, v, w).Batch) }))
	l.wants(theKey, w, v)
}

// cannotTell lets others write so often between two tries that the entry's
// recent versions no longer reach back to the first.
func (l *line) cannotTell() {
	v := l.version()
	l.must(write(theKey, driver.Version{}, v))
	done := l.between(write(theKey, v, l.version()), func() {
		for range driver.RecentVersions {
			next := l.version()
			l.commitDirectly(write(theKey, v, next).Batch)
			v = next
		}
	})
	if err := l.outcome(done); !errors.Is(err, store.ErrUncertain) {
		l.t.Errorf("Commit = %v, want ErrUncertain", err)
	}
	if e := l.entry(theKey); e.Version != v {
		l.t.Errorf("the entry is at %v, want %v", e.Version, v)
	}
}

// succeeds checks that an attempt is applied.
func (l *line) succeeds(done <-chan error) {
	l.t.Helper()
	if err := l.outcome(done); err != nil {
		l.t.Errorf("Commit = %v, want nil", err)
	}
}

// conflicts checks that an attempt is refused for certain.
func (l *line) conflicts(done <-chan error) {
	l.t.Helper()
	if err := l.outcome(done); !errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUncertain) {
		l.t.Errorf("Commit = %v, want ErrConflict and certain", err)
	}
}

// must commits an attempt.
func (l *line) must(at store.Attempt) {
	l.t.Helper()
	if _, err := l.db.Commit(l.ctx, at); err != nil {
		l.t.Fatalf("Commit: %v", err)
	}
}

// between starts an attempt whose first try is lost, and does something before
// its second.
func (l *line) between(at store.Attempt, do func()) (done <-chan error) {
	l.t.Helper()
	key := at.Batch.Writes[0].Key
	first := l.proxy.Trap(1, wire.CommitOf(key), wire.Fault{At: wire.Before, Do: wire.Cut})
	second := l.proxy.Trap(1, wire.CommitOf(key), wire.Fault{At: wire.Before, Do: wire.Hold})
	done = l.begin(at)
	l.hit(first)
	l.hit(second)
	do()
	second.Release()
	return done
}

// commitDirectly commits a batch as another process would.
func (l *line) commitDirectly(b driver.Batch) {
	l.t.Helper()
	outcomes, err := l.direct.Commit(l.ctx, driver.Group{Batches: []driver.Batch{b}})
	if err != nil || len(outcomes[0].Refused) > 0 {
		l.t.Fatalf("Commit by another process: %v, %v", outcomes, err)
	}
}

func TestACancelledContext(t *testing.T) {
	eachIsolation(t, func(t *testing.T, isolation postgres.Isolation) {
		for _, at := range []wire.Point{wire.Before, wire.Answer} {
			t.Run("EndsTheWaitAndNotTheAttempt/"+fmt.Sprint(at), func(t *testing.T) { newLine(t, isolation, nil).isLeft(at) })
		}
	})
}

// isLeft lets a caller leave while his attempt is under way.
func (l *line) isLeft(at wire.Point) {
	held := l.proxy.Trap(1, wire.CommitOf(theKey), wire.Fault{At: at, Do: wire.Hold})
	left := errors.New("the caller has left")
	ctx, cancel := context.WithCancelCause(l.ctx)
	go func() {
		_, _ = held.Wait(l.ctx)
		cancel(left)
	}()
	v, w := l.version(), l.version()
	if _, err := l.db.Commit(ctx, write(theKey, driver.Version{}, v)); !errors.Is(err, store.ErrUncertain) || !errors.Is(err, left) {
		l.t.Errorf("Commit = %v, want ErrUncertain and the context's cause", err)
	}
	next := l.begin(write(theKey, v, w))
	l.waits(next, "the attempt before it on its key is under way")
	held.Release()
	l.succeeds(next)
	l.wants(theKey, w, v)
}

// TestOrderPerKeyIsKept sends chains of attempts, each of which names the
// version before it, over a wire on which nearly half of all commits go wrong.
// One that is lost, doubled, or overtaken by the next breaks its chain.
func TestOrderPerKeyIsKept(t *testing.T) {
	t.Parallel() // it waits more than it works
	eachIsolation(t, func(t *testing.T, isolation postgres.Isolation) {
		const keys, links = 8, 12
		seed := rand.Uint64N(1 << 32)
		t.Logf("seed %d", seed)
		l := newLine(t, isolation, &store.Options{Timeout: 400 * time.Millisecond, Pause: time.Millisecond, MaxPause: 20 * time.Millisecond})
		l.proxy.Use(wire.Randomly(seed, 0.4, wire.Commits, heard(commitFaults(20*time.Millisecond, 500*time.Millisecond))...))
		var all sync.WaitGroup
		for k := range keys {
			all.Go(func() { l.chain(fmt.Sprintf("player/%02d", k), links) })
		}
		all.Wait()
		for _, do := range []wire.Action{wire.Cut, wire.Leave, wire.Hold} {
			n := 0
			for at := wire.Before; at <= wire.MidAnswer; at++ {
				n += l.proxy.Happened(at, do)
			}
			if n == 0 {
				t.Errorf("%v happened to no commit", do)
			}
		}
	})
}

// heard returns the faults that are not silent: those cost a time-out each.
func heard(faults []wire.Fault) []wire.Fault {
	return slices.DeleteFunc(faults, func(f wire.Fault) bool { return f.Do == wire.Mute })
}

// chain commits a chain of attempts on one key, all started at once, and checks
// that they were applied in their order.
func (l *line) chain(key string, links int) {
	ids := make([]driver.Version, links+1)
	var settled []int // in order; Done is called by one goroutine at a time per key
	ended := make(chan error, links)
	for i := range links {
		var err error
		if ids[i+1], err = l.db.NewVersion(); err != nil {
			l.t.Errorf("NewVersion: %v", err)
			return
		}
		at := write(key, ids[i], ids[i+1])
		at.Done = func(_ driver.Moment, err error) {
			settled = append(settled, i)
			ended <- err
		}
		l.db.Go(at)
	}
	for range links {
		select {
		case err := <-ended:
			if err != nil {
				l.t.Errorf("an attempt on %q = %v, want nil", key, err)
			}
		case <-l.ctx.Done():
			l.t.Errorf("%q was not settled in time", key)
			return
		}
	}
	if !slices.IsSorted(settled) {
		l.t.Errorf("attempts on %q were settled in the order %v", key, settled)
	}
	l.kept(key, ids[1:])
}

// kept checks that the database kept exactly these versions of a key, oldest
// first, each with what it wrote.
func (l *line) kept(key string, ids []driver.Version) {
	entries, err := l.direct.Versions(l.ctx, key)
	if err != nil {
		l.t.Errorf("Versions of %q: %v", key, err)
		return
	}
	var got []driver.Version
	for _, e := range entries {
		got = append(got, e.Version)
	}
	if diff := cmp.Diff(texts(ids), texts(got)); diff != "" {
		l.t.Errorf("versions of %q (-want +got):\n%s", key, diff)
	}
}
