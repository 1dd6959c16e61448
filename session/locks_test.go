package session_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/session"
)

// TestLocks has what has broken in other systems' session locks, each under
// its number.
func TestLocks(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(w *world)
	}{
		{"01TwoServersAcquireAtOnce", twoServersAcquireAtOnce},
		{"02AnswerOfAnAcquireIsLost", answerOfAnAcquireIsLost},
		{"02AskedForWhileTheAnswerIsOnItsWay", askedForBeforeTheAnswer},
		{"03AnswerOfARenewalIsLost", answerOfARenewalIsLost},
		{"04AnswerOfASaveIsLost", answerOfASaveIsLost},
		{"05AnswerOfAReleaseIsLost", answerOfAReleaseIsLost},
		{"06RetryAfterARefusalSucceeds", retryAfterARefusal},
		{"07OwnerPausesPastExpiryThenWrites", ownerPausesThenWrites},
		{"08ClockOfTheOwnerIsAhead", func(w *world) { clocksDiffer(w, time.Hour, 0) }},
		{"08ClockOfTheOwnerIsBehind", func(w *world) { clocksDiffer(w, -time.Hour, 0) }},
		{"08ClockOfTheTakerIsAhead", func(w *world) { clocksDiffer(w, 0, time.Hour) }},
		{"08ClockOfTheTakerIsBehind", func(w *world) { clocksDiffer(w, 0, -time.Hour) }},
		{"08ClockOfTheDatabaseJumpsAhead", func(w *world) { clockJumps(w, time.Hour) }},
		{"08ClockOfTheDatabaseJumpsBack", func(w *world) { clockJumps(w, -time.Hour) }},
		{"09CrashRightAfterARenewal", crashAfterARenewal},
		{"10RejoinWhileTheFinalSaveRuns", rejoinDuringTheFinalSave},
		{"11LeaveWhileTheLoadRuns", leaveDuringTheLoad},
		{"12LoadDuringShutdown", loadDuringShutdown},
		{"13LockDeleted", lockDeleted},
		{"13LockMalformed", lockMalformed},
		{"13LockWithoutATime", lockWithoutATime},
		{"13LeaseDeleted", leaseDeleted},
		{"13LeaseMalformed", leaseMalformed},
		{"14BusDownAndDatabaseUp", busDown},
		{"14DatabaseDownAndBusUp", databaseDown},
		{"15ThirdServerAsksDuringAHandOver", thirdServerAsks},
		{"16ErasedUnderALiveSession", erasedUnderASession},
		{"16OverwrittenUnderALiveSession", overwrittenUnderASession},
		{"17FinalSaveThatNeverSucceeds", finalSaveNeverSucceeds},
		{"18TwoSessionsForOnePlayerOnOneServer", oneSessionPerServer},
		{"19OrphanLockOfOnesOwn", orphanOfOnesOwn},
		{"19OrphanLockOfALivingServer", orphanOfAnother},
		{"20ExpiredIsNotDeadOnEitherSide", expiredOnBothSides},
		{"20SealedIsDeadOnBothSides", sealedOnBothSides},
		{"21SameServerLoadsAgainAfterAnEviction", loadAfterAnEviction},
		{"22LockThatIsNeverRenewed", lockNeverRenewed},
		{"23ValidLockIsNeverRepaired", validLockStays},
		{"24LockStaysWhenTheFinalSaveFails", lockStaysAfterAFailedSave},
	} {
		t.Run(c.name, func(t *testing.T) { bubble(t, c.run) })
	}
}

// slow is a server's options that keep what it has for as long as they may.
func slow() *session.Options {
	return &session.Options{
		HandOver:     func(ctx context.Context, _ *session.Session) { <-ctx.Done() },
		HandOverTime: time.Hour,
	}
}

func twoServersAcquireAtOnce(w *world) {
	a, b := w.server("a", slow()), w.server("b", slow())
	for _, h := range []host{a, b} {
		h.f.Use(once(faulty.Fault{Hold: true}, writes(alice.String())))
	}
	ofA, ofB := w.opening(w.ctx, a, alice), w.opening(w.ctx, b, alice)
	if x, y := len(a.f.Waiting()), len(b.f.Waiting()); x != 1 || y != 1 {
		w.t.Fatalf("%d and %d commits of a lock are held, want one of each server", x, y)
	}
	b.wake()
	first := within(w, time.Second, "open by b", ofB)
	a.wake()
	time.Sleep(time.Minute)
	pending(w, "open by a", ofA)
	if first.err != nil {
		w.t.Fatalf("b.Open: %v", first.err)
	}
	if got := w.root(alice).Lock.Session; got != first.s.ID() {
		w.t.Errorf("the root is locked by session %s, want %s", got, first.s.ID())
	}
	w.set(first.s, "coins", "1")
	w.close(first.s)
	second := within(w, time.Second, "open by a", ofA)
	if second.err != nil {
		w.t.Fatalf("a.Open: %v", second.err)
	}
	w.want(second.s, "coins", "1")
}

func answerOfAnAcquireIsLost(w *world) {
	a := w.server("a", nil)
	a.f.Use(once(faulty.Fault{Lost: true}, writes(alice.String())))
	began := time.Now()
	s := w.open(a, alice)
	if took := time.Since(began); took > time.Second {
		w.t.Errorf("the server took %v to recognise its own lock", took)
	}
	if got := w.root(alice).Lock.Session; got != s.ID() {
		w.t.Errorf("the root is locked by session %s, want %s", got, s.ID())
	}
	w.set(s, "coins", "1")
	w.close(s)
	w.unlocked(alice, "coins", "1")
}

// The lock is visible to others before its owner knows of it. They may ask for
// it, and must not get it before the owner has it: what it appends then would
// be in nobody's root.
func askedForBeforeTheAnswer(w *world) {
	a, b := w.server("a", nil), w.server("b", nil)
	a.f.Use(once(faulty.Fault{HoldAnswer: true}, writes(alice.String())))
	ofA := w.opening(w.ctx, a, alice)
	ofB := w.opening(w.ctx, b, alice)
	time.Sleep(time.Second)
	pending(w, "open by a", ofA)
	pending(w, "open by b", ofB)
	a.wake()
	first := within(w, time.Second, "open by a", ofA)
	if first.err != nil {
		w.t.Fatalf("a.Open: %v", first.err)
	}
	w.set(first.s, "coins", "1")
	w.sync(first.s)
	second := within(w, time.Second, "open by b", ofB)
	if second.err != nil {
		w.t.Fatalf("b.Open: %v", second.err)
	}
	w.want(second.s, "coins", "1")
	if err := first.s.Err(); !errors.Is(err, session.ErrClosed) {
		w.t.Errorf("Err of the session that was handed over = %v, want ErrClosed", err)
	}
}

func answerOfARenewalIsLost(w *world) {
	told := 0
	a := w.server("a", &session.Options{Suspended: func(bool) { told++ }})
	w.server("b", nil)
	s := w.open(a, alice)
	n := 0
	a.f.Use(func(c *faulty.Call) faulty.Fault {
		if c.Op != faulty.Commit || !writes("~lease/")(c) {
			return faulty.Fault{}
		}
		n++
		return faulty.Fault{Lost: n%2 == 1}
	})
	for range 60 {
		w.set(s, "coins", "1")
		time.Sleep(time.Second)
	}
	a.f.Use()
	if s.Err() != nil || told > 0 || n < 60 {
		w.t.Errorf("after %d renewals, every other answer lost: Err = %v, told of a suspension %d times", n, s.Err(), told)
	}
	w.close(s)
}

func answerOfASaveIsLost(w *world) {
	a := w.server("a", nil)
	var saves []session.Saved
	s := w.openWith(a, alice, &session.OpenOptions{Saved: func(_ *session.Session, x session.Saved) { saves = append(saves, x) }})
	w.set(s, "coins", "1")
	a.f.Use(once(faulty.Fault{Lost: true}, writes(alice.String())))
	w.save(s)
	if len(saves) != 1 || saves[0].Err != nil {
		w.t.Errorf("told of saves %+v, want one without an error", saves)
	}
	if got := w.entry(alice.String()).Version; got != s.Version() {
		w.t.Errorf("root is at %v, session at %v", got, s.Version())
	}
	w.set(s, "coins", "2")
	w.close(s)
	w.unlocked(alice, "coins", "2")
}

func answerOfAReleaseIsLost(w *world) {
	a, b := w.server("a", nil), w.server("b", nil)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	w.sync(s)
	a.f.Use(once(faulty.Fault{Lost: true}, writes(alice.String())))
	closed := background(func() error { return s.Close(w.ctx) })
	// Somebody else may have it before its former owner knows.
	taken := w.open(b, alice)
	w.want(taken, "coins", "1")
	if err := within(w, time.Second, "close", closed); err != nil {
		w.t.Errorf("Close with its answer lost: %v", err)
	}
	if s := w.open(a, alice); s.Err() != nil {
		w.t.Errorf("the former owner cannot open it again: %v", s.Err())
	}
}

func retryAfterARefusal(w *world) {
	a, b := w.server("a", nil), w.server("b", nil)
	a.f.Use(once(faulty.Fault{Hold: true}, writes(alice.String())))
	ofA := w.opening(w.ctx, a, alice)
	s := w.open(b, alice)
	w.set(s, "coins", "1")
	w.close(s)
	a.wake() // and is refused, since the root has moved
	got := within(w, time.Second, "open by a", ofA)
	if got.err != nil {
		w.t.Fatalf("Open whose first attempt was refused: %v", got.err)
	}
	w.want(got.s, "coins", "1")
	a.f.Use(once(faulty.Fault{Err: faulty.ErrDown}, writes(alice.String())))
	w.set(got.s, "coins", "2")
	w.save(got.s)
	w.close(got.s)
	w.unlocked(alice, "coins", "2")
}

func ownerPausesThenWrites(w *world) {
	a, b := w.server("a", nil), w.server("b", nil)
	s := w.open(a, alice)
	w.set(s, "coins", "100")
	w.sync(s)
	w.set(s, "coins", "200")
	a.pause()
	taken := w.open(b, alice)
	w.want(taken, "coins", "100")
	w.set(taken, "coins", "300")
	w.save(taken)
	saved := background(func() error { return s.Save(w.ctx) })
	a.wake()
	lost := w.lost(s)
	if err := within(w, time.Second, "save by the former owner", saved); !errors.Is(err, session.ErrLost) {
		w.t.Errorf("Save by the former owner = %v, want ErrLost", err)
	}
	if len(lost.Unsaved) != 1 || string(lost.Unsaved[0].Value) != "200" {
		w.t.Errorf("LostError.Unsaved = %v, want the 200 coins that were in memory only", lost.Unsaved)
	}
	w.set(taken, "more", "1")
	w.close(taken)
	w.unlocked(alice, "coins", "300")
	again := w.open(a, alice)
	w.want(again, "coins", "300")
}

func crashAfterARenewal(w *world) {
	a, b := w.server("a", nil), w.server("b", nil)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	w.sync(s)
	renewed := make(chan struct{})
	a.f.Use(once(faulty.Fault{Lost: true}, func(c *faulty.Call) bool {
		if !writes("~lease/")(c) {
			return false
		}
		close(renewed)
		return true
	}))
	<-renewed
	a.kill()
	began := time.Now()
	w.want(w.open(b, alice), "coins", "1")
	if took := time.Since(began); took < 9*time.Second || took > 12*time.Second {
		w.t.Errorf("take-over right after a renewal took %v, want the lease's 10 s and a little", took)
	}
}

func rejoinDuringTheFinalSave(w *world) {
	a := w.server("a", nil)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	w.sync(s)
	a.f.Use(once(faulty.Fault{Hold: true}, writes(alice.String())))
	closed := background(func() error { return s.Close(w.ctx) })
	again := w.opening(w.ctx, a, alice)
	time.Sleep(time.Second)
	pending(w, "open during the final save", again)
	a.wake()
	if err := within(w, time.Second, "close", closed); err != nil {
		w.t.Errorf("Close: %v", err)
	}
	got := within(w, time.Second, "open", again)
	if got.err != nil || got.s == s || got.s.Err() != nil {
		w.t.Fatalf("Open during the final save = %v, %v; want another session, open", got.s, got.err)
	}
	w.want(got.s, "coins", "1")
}

func leaveDuringTheLoad(w *world) {
	a, b := w.server("a", nil), w.server("b", nil)
	for _, fault := range []faulty.Fault{{Hold: true}, {HoldAnswer: true}} {
		a.f.Use(once(fault, writes(alice.String())))
		ctx, cancel := context.WithCancel(w.ctx)
		loading := w.opening(ctx, a, alice)
		cancel()
		if got := within(w, time.Second, "open", loading); !errors.Is(got.err, context.Canceled) {
			w.t.Errorf("Open that was left = %v, %v; want the cause", got.s, got.err)
		}
		a.wake()
		synctest.Wait()
		time.Sleep(time.Second)
		if ss := a.Sessions(); len(ss) > 0 {
			w.t.Errorf("after the player left, sessions %v came to life", ss[0].Key())
		}
		if r := w.root(alice); r.Lock != nil {
			w.t.Errorf("after the player left, the root is locked by %+v", *r.Lock)
		}
		w.close(w.open(b, alice))
	}
}

func loadDuringShutdown(w *world) {
	a := w.server("a", nil)
	w.close(w.open(a, alice))
	a.f.Use(once(faulty.Fault{HoldAnswer: true}, writes(alice.String())))
	loading := w.opening(w.ctx, a, alice)
	closed := background(func() error { _, err := a.Close(w.ctx); return err })
	if s, err := a.Open(w.ctx, bob, nil); !errors.Is(err, session.ErrClosed) {
		w.t.Errorf("Open during shutdown = %v, %v; want ErrClosed", s, err)
	}
	a.wake()
	if got := within(w, time.Minute, "open", loading); !errors.Is(got.err, session.ErrClosed) {
		w.t.Errorf("Open that a shutdown met = %v, %v; want ErrClosed", got.s, got.err)
	}
	if err := within(w, time.Minute, "close of the server", closed); err != nil {
		w.t.Errorf("Close: %v", err)
	}
	if r := w.root(alice); r.Lock != nil {
		w.t.Errorf("after the shutdown the root is locked by %+v", *r.Lock)
	}
	if keys := w.keys("~lease/"); len(keys) > 0 {
		w.t.Errorf("after the shutdown there are leases %q", keys)
	}
}
