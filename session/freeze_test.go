package session_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// market is three servers that hold a player each: alice's makes the exchange.
// Each player has 10 coins, some of which no save holds yet.
type market struct {
	*world
	a, b, c           host
	alice, bob, carol *session.Session
	announced         driver.Version
	stills            []*session.Still // of the last exchange
}

func inMarket(t *testing.T, run func(w *market)) {
	t.Helper()
	bubble(t, func(w *world) {
		x := &market{world: w, a: w.server("a", nil), b: w.server("b", nil), c: w.server("c", nil)}
		x.alice, x.bob, x.carol = w.open(x.a, alice), w.open(x.b, bob), w.open(x.c, carol)
		for _, s := range x.all() {
			w.set(s, "coins", "10")
		}
		x.announce()
		run(x)
	})
}

func (w *market) announce() {
	w.t.Helper()
	v, err := w.a.Announce()
	if err != nil {
		w.t.Fatalf("Announce: %v", err)
	}
	w.announced = v
}

func (w *market) all() []*session.Session { return []*session.Session{w.alice, w.bob, w.carol} }

func (w *market) freeze(s *session.Session) *session.Frozen {
	w.t.Helper()
	f, err := s.Freeze(w.ctx, w.announced)
	if err != nil {
		w.t.Fatalf("Freeze of %v: %v", s.Key(), err)
	}
	return f
}

func (w *market) freezeAll() (fs []*session.Frozen) {
	w.t.Helper()
	for _, s := range w.all() {
		fs = append(fs, w.freeze(s))
	}
	return fs
}

// exchange gives each frozen player the coins of one list.
func (w *market) exchange(ctx context.Context, fs []*session.Frozen, coins ...string) error {
	w.t.Helper()
	var keys []session.Key
	var at []driver.Version
	for _, f := range fs {
		keys, at = append(keys, f.Session().Key()), append(at, f.Version())
	}
	return w.exchangeAt(ctx, keys, at, func(i int, _ string) string { return coins[i] })
}

// exchangeAt changes the coins of players who stand still at some versions.
func (w *market) exchangeAt(ctx context.Context, keys []session.Key, at []driver.Version, coins func(i int, was string) string) error {
	w.t.Helper()
	stills, err := w.a.ReadStill(ctx, keys, at)
	if err != nil {
		return err
	}
	for i, st := range stills {
		was, _ := st.Document.Get(document.Field("coins"))
		if _, err := st.Document.Set(document.Field("coins"), []byte(coins(i, string(was)))); err != nil {
			w.t.Fatal(err)
		}
	}
	w.stills = stills
	return w.a.Exchange(ctx, w.announced, stills, "a trade")
}

// apply makes in memory what an exchange made of the root.
func apply(f *session.Frozen, changed document.Delta) error {
	tx, err := f.Begin()
	if err != nil {
		return err
	}
	for _, c := range changed {
		if c.Value == nil {
			err = tx.Delete(c.Path, false)
		} else {
			err = tx.Set(c.Path, c.Value, false)
		}
		if err != nil {
			session.Rollback(tx)
			return err
		}
	}
	return session.Commit(false, tx)
}

// settle settles a frozen session and lets it go.
func (w *market) settle(f *session.Frozen) (happened bool) {
	w.t.Helper()
	changed, happened, err := f.Settle(w.ctx)
	if err == nil && happened {
		err = apply(f, changed)
	}
	if err != nil {
		w.t.Errorf("settle %v: %v", f.Session().Key(), err)
	}
	f.Release()
	return happened
}

// coins wants what memory and, after a save, the root holds of a player. So the
// session's versions fit.
func (w *market) coins(s *session.Session, coins string) {
	w.t.Helper()
	w.want(s, "coins", coins)
	w.set(s, "more", "1")
	w.save(s)
	r := w.root(s.Key())
	if string(r.Data["coins"]) != coins || string(r.Data["more"]) != "1" {
		w.t.Errorf("root of %v = %v, want %s coins and what was changed since", s.Key(), r.Data, coins)
	}
}

func TestFreeze(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(w *market)
	}{
		{"SavesEverythingFirst", func(w *market) {
			if err := change(w.alice, true, false, "seen", "1"); err != nil {
				w.t.Fatal(err)
			}
			w.attach(w.alice, "11", put(receipt, "mine"))
			f := w.freeze(w.alice)
			e := w.entry(alice.String())
			if e.Version != f.Version() || e.Version != w.alice.Version() {
				w.t.Errorf("the root is at %v, Frozen.Version = %v, Session.Version = %v", e.Version, f.Version(), w.alice.Version())
			}
			if r := w.root(alice); string(r.Data["coins"]) != "11" || string(r.Data["seen"]) != "1" || r.Lock == nil {
				w.t.Errorf("root of a frozen session = %+v, want everything, and the lock", r)
			}
			w.holds(receipt, "mine")
			f.Release()
		}},
		{"OfACleanSessionWritesNothing", func(w *market) {
			w.save(w.alice)
			before := w.alice.Version()
			f := w.freeze(w.alice)
			if f.Version() != before {
				w.t.Error("a clean session was written")
			}
			f.Release()
		}},
		{"RefusesUpdatesAndNotReading", func(w *market) {
			f := w.freeze(w.alice)
			if err := set(w.alice, "coins", "1"); !errors.Is(err, session.ErrFrozen) {
				w.t.Errorf("update of a frozen session = %v, want ErrFrozen", err)
			}
			other := w.open(w.a, session.Key{Kind: "player", ID: "zoe"})
			if _, err := session.BeginAll(other, w.alice); !errors.Is(err, session.ErrFrozen) {
				w.t.Errorf("BeginAll with a frozen session = %v, want ErrFrozen", err)
			}
			w.set(other, "coins", "1") // it is not locked
			w.want(w.alice, "coins", "10")
			w.sync(w.alice)
			w.save(w.alice)
			v, err := w.b.Peek(w.ctx, alice)
			if err != nil {
				w.t.Fatalf("Peek: %v", err)
			}
			if got, _ := v.Document.Get(document.Field("coins")); string(got) != "10" {
				w.t.Errorf("Peek of a frozen session shows coins %s, want 10", got)
			}
			f.Release()
			w.coins(w.alice, "10")
		}},
		{"EndsWithRelease", func(w *market) {
			if w.alice.Thawed() != nil {
				w.t.Error("Thawed of a session that is not frozen is not nil")
			}
			f := w.freeze(w.alice)
			thawed := w.alice.Thawed()
			pending(w.world, "thaw", thawed)
			f.Release()
			f.Release()
			within(w.world, time.Second, "thaw", thawed)
			if _, err := f.Begin(); err == nil {
				w.t.Error("Begin of a Frozen that was released is no error")
			}
			again := w.freeze(w.alice)
			f.Release() // not that one
			f.Committed(&session.Still{})
			if err := set(w.alice, "coins", "1"); !errors.Is(err, session.ErrFrozen) {
				w.t.Errorf("a former Frozen released the session: %v", err)
			}
			again.Release()
			w.coins(w.alice, "10")
		}},
		{"Queues", func(w *market) {
			f := w.freeze(w.alice)
			var frozen *session.Frozen
			second := background(func() (err error) { frozen, err = w.alice.Freeze(w.ctx, w.announced); return err })
			ctx, cancel := context.WithTimeout(w.ctx, time.Second)
			defer cancel()
			if _, err := w.alice.Freeze(ctx, w.announced); !errors.Is(err, context.DeadlineExceeded) {
				w.t.Errorf("Freeze whose context ended = %v, want the cause", err)
			}
			pending(w.world, "second freeze", second)
			f.Release()
			if err := within(w.world, time.Second, "second freeze", second); err != nil {
				w.t.Errorf("second Freeze: %v", err)
			}
			if err := set(w.alice, "coins", "1"); !errors.Is(err, session.ErrFrozen) {
				w.t.Errorf("update in the second freeze = %v, want ErrFrozen", err)
			}
			frozen.Release()
		}},
		{"WaitsForASaveUnderWay", func(w *market) {
			w.a.f.Use(once(faulty.Fault{Hold: true}, writes(alice.String())))
			w.alice.SaveSoon(session.CauseAutosave)
			time.Sleep(time.Second)
			var f *session.Frozen
			freezing := background(func() (err error) { f, err = w.alice.Freeze(w.ctx, w.announced); return err })
			pending(w.world, "freeze", freezing)
			w.a.wake()
			if err := within(w.world, time.Second, "freeze", freezing); err != nil {
				w.t.Fatalf("Freeze: %v", err)
			}
			if got := w.entry(alice.String()).Version; got != f.Version() {
				w.t.Errorf("Version = %v, the root is at %v", f.Version(), got)
			}
			f.Release()
		}},
		{"WaitsForAnOperatorsMark", func(w *market) {
			w.save(w.alice)
			w.alice.Mark("edit by hand")
			f := w.freeze(w.alice)
			if got := w.root(alice).Reason; got != "edit by hand" {
				w.t.Errorf("reason of the root = %q, want the operator's", got)
			}
			f.Release()
		}},
		{"HoldsNothingIfItsContextEnds", func(w *market) {
			w.a.f.Use(every(faulty.Fault{Hold: true}, alice.String()))
			ctx, cancel := context.WithTimeout(w.ctx, time.Second)
			defer cancel()
			if _, err := w.alice.Freeze(ctx, w.announced); !errors.Is(err, context.DeadlineExceeded) {
				w.t.Errorf("Freeze whose context ended = %v, want the cause", err)
			}
			w.set(w.alice, "coins", "11")
			w.a.wake()
			w.coins(w.alice, "11")
		}},
		{"HoldsNothingIfTheSaveIsRefused", func(w *market) {
			w.a.f.Use(every(faulty.Fault{Err: driver.ErrReadOnly}, alice.String()))
			if _, err := w.alice.Freeze(w.ctx, w.announced); !errors.Is(err, driver.ErrReadOnly) {
				w.t.Errorf("Freeze = %v, want ErrReadOnly", err)
			}
			w.set(w.alice, "coins", "11")
			w.a.f.Use()
			w.coins(w.alice, "11")
		}},
		{"RefusesWhatHasEnded", func(w *market) {
			w.close(w.alice)
			if _, err := w.alice.Freeze(w.ctx, w.announced); !errors.Is(err, session.ErrClosed) {
				w.t.Errorf("Freeze of a closed session = %v, want ErrClosed", err)
			}
			w.openWith(w.a, bob, &session.OpenOptions{Steal: "test"})
			w.lost(w.bob)
			if _, err := w.bob.Freeze(w.ctx, w.announced); !errors.Is(err, session.ErrLost) {
				w.t.Errorf("Freeze of a lost session = %v, want ErrLost", err)
			}
			w.c.kill()
			time.Sleep(20 * time.Second)
			if _, err := w.carol.Freeze(w.ctx, w.announced); !errors.Is(err, session.ErrSuspended) {
				w.t.Errorf("Freeze of a suspended session = %v, want ErrSuspended", err)
			}
		}},
		{"RefusesWhatIsClosing", func(w *market) {
			w.a.f.Use(once(faulty.Fault{Hold: true}, writes("~journal/")))
			freezing := background(func() error { _, err := w.alice.Freeze(w.ctx, w.announced); return err })
			closing := background(func() error { return w.alice.Close(w.ctx) })
			w.a.wake()
			if err := within(w.world, time.Second, "close", closing); err != nil {
				w.t.Errorf("Close: %v", err)
			}
			if err := within(w.world, time.Second, "freeze", freezing); !errors.Is(err, session.ErrClosed) {
				w.t.Errorf("Freeze of a session that is closed meanwhile = %v, want ErrClosed", err)
			}
			w.unlocked(alice, "coins", "10")
		}},
		{"MakesAutosavesWait", func(w *market) {
			f := w.freeze(w.alice)
			session.SaveAllSoon(session.CauseAutosave, w.alice)
			time.Sleep(10 * time.Second)
			if got := w.entry(alice.String()).Version; got != f.Version() {
				w.t.Errorf("the root moved from %v to %v", f.Version(), got)
			}
			f.Release()
		}},
		{"MakesAMarkWait", func(w *market) {
			f := w.freeze(w.alice)
			w.alice.Mark("edit by hand")
			saving := background(func() error { return w.alice.Save(w.ctx) })
			time.Sleep(10 * time.Second)
			if got := w.entry(alice.String()).Version; got != f.Version() {
				w.t.Errorf("the root moved from %v to %v", f.Version(), got)
			}
			f.Release()
			if err := within(w.world, time.Second, "save", saving); err != nil {
				w.t.Errorf("Save: %v", err)
			}
			if got := w.root(alice).Reason; got != "edit by hand" {
				w.t.Errorf("reason of the root = %q, want the operator's", got)
			}
		}},
		{"MakesCloseWait", func(w *market) {
			f := w.freeze(w.alice)
			closing := background(func() error { return w.alice.Close(w.ctx) })
			time.Sleep(10 * time.Second)
			pending(w.world, "close", closing)
			if got := w.entry(alice.String()).Version; got != f.Version() {
				w.t.Errorf("the root moved from %v to %v", f.Version(), got)
			}
			f.Release()
			if err := within(w.world, time.Second, "close", closing); err != nil {
				w.t.Errorf("Close: %v", err)
			}
			w.unlocked(alice, "coins", "10")
		}},
		{"MakesAHandOverWait", func(w *market) {
			f := w.freeze(w.alice)
			opening := w.opening(w.ctx, w.b, alice)
			time.Sleep(10 * time.Second)
			pending(w.world, "hand-over", opening)
			f.Release()
			if got := within(w.world, 5*time.Second, "hand-over", opening); got.err != nil {
				w.t.Errorf("Open: %v", got.err)
			}
			if err := w.alice.Err(); !errors.Is(err, session.ErrClosed) {
				w.t.Errorf("the session that was handed over ended with %v", err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) { inMarket(t, c.run) })
	}
}

func TestExchange(t *testing.T) {
	unchanged := func(w *market) {
		w.t.Helper()
		for _, s := range w.all() {
			w.coins(s, "10")
		}
	}
	for _, c := range []struct {
		name string
		run  func(w *market)
	}{
		{"ChangesAllAtOnce", func(w *market) {
			fs := w.freezeAll()
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); err != nil {
				w.t.Fatalf("Exchange: %v", err)
			}
			for i, f := range fs {
				key := f.Session().Key()
				if got := w.entry(key.String()).Version; got != w.announced {
					w.t.Errorf("the root of %v is at %v, want what was announced", key, got)
				}
				v, err := w.a.ReadVersion(w.ctx, key, w.announced)
				if err != nil || v.Reason != "a trade" || v.By != "a" || !v.Marked {
					w.t.Errorf("ReadVersion of %v = %+v, %v; want the reason and a mark", key, v, err)
				}
				if _, err := w.a.ReadVersion(w.ctx, key, f.Version()); err != nil {
					w.t.Errorf("the version of %v before the exchange was not kept: %v", key, err)
				}
				if i == 0 { // the server that made it knows
					f.Committed(w.stills[i])
					if err := apply(f, document.Delta{{Path: document.Field("coins"), Value: []byte("5")}}); err != nil {
						w.t.Fatal(err)
					}
					f.Release()
				} else if !w.settle(f) {
					w.t.Errorf("%v did not learn of the exchange", key)
				}
			}
			for i, coins := range []string{"5", "15", "10"} {
				s := w.all()[i]
				want := uint64(2)
				if coins == "10" { // nothing was changed of it
					want = 1
				}
				if got, stored := s.Revision(), w.revision(s.Key()); got != want || stored != want {
					w.t.Errorf("%v: Revision = %d, in the root %d, want %d", s.Key(), got, stored, want)
				}
				w.coins(s, coins)
				w.close(s)
				w.unlocked(s.Key(), "coins", coins)
			}
		}},
		{"TakesAReasonAsItIsKept", func(w *market) {
			f := w.freeze(w.alice)
			stills, err := w.a.ReadStill(w.ctx, []session.Key{alice}, []driver.Version{f.Version()})
			if err != nil {
				w.t.Fatal(err)
			}
			if err := w.a.Exchange(w.ctx, w.announced, stills, strings.Repeat("ü", session.MaxReason)); err != nil {
				w.t.Fatal(err)
			}
			if got := w.root(alice).Reason; got != strings.Repeat("ü", session.MaxReason/2) {
				w.t.Errorf("a reason of %d bytes was kept, at most %d", len(got), session.MaxReason)
			}
			w.settle(f)
		}},
		{"IsRefusedAfterOneHasSettled", func(w *market) {
			fs := w.freezeAll()
			if w.settle(fs[1]) {
				w.t.Error("Settle tells of an exchange that did not happen")
			}
			at := []driver.Version{fs[0].Version(), fs[1].Version()}
			if _, err := w.a.ReadStill(w.ctx, []session.Key{alice, bob}, at); err != nil {
				w.t.Errorf("ReadStill at the version of the step = %v", err)
			}
			if err := w.exchange(w.ctx, fs[:1], "5"); err != nil {
				w.t.Errorf("Exchange of those that stand still: %v", err)
			}
			w.settle(fs[0])
			w.settle(fs[2])
			w.coins(w.alice, "5")
			w.coins(w.bob, "10")
			w.coins(w.carol, "10")
		}},
		{"IsRefusedIfOneSettlesWhileItIsMade", func(w *market) {
			fs := w.freezeAll()
			w.a.f.Use(once(faulty.Fault{Hold: true}, writes(alice.String())))
			making := background(func() error { return w.exchange(w.ctx, fs, "5", "15", "9") })
			if w.settle(fs[2]) {
				w.t.Error("Settle tells of an exchange that did not happen")
			}
			w.a.wake()
			if err := within(w.world, time.Second, "exchange", making); !errors.Is(err, store.ErrConflict) {
				w.t.Errorf("Exchange after one holder moved on = %v, want ErrConflict", err)
			}
			fs[0].Release()
			fs[1].Release()
			unchanged(w)
		}},
		{"IsSettledByAHolderWhoHeardNothing", func(w *market) {
			fs := w.freezeAll()
			w.b.f.Use(once(faulty.Fault{Hold: true}, writes(bob.String())))
			done := make(chan bool, 1)
			go func() { done <- w.settle(fs[1]) }()
			synctest.Wait() // its step is on its way
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); err != nil {
				w.t.Errorf("Exchange: %v", err)
			}
			w.b.wake()
			if !within(w.world, time.Second, "settling", done) {
				w.t.Error("Settle did not find the exchange")
			}
			w.settle(fs[0])
			w.settle(fs[2])
			w.coins(w.alice, "5")
			w.coins(w.bob, "15")
			w.coins(w.carol, "10")
		}},
		{"WhoseAnswerIsLostIsRecognised", func(w *market) {
			fs := w.freezeAll()
			w.a.f.Use(once(faulty.Fault{Lost: true}, writes(alice.String())))
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); err != nil {
				w.t.Errorf("Exchange whose answer was lost once: %v", err)
			}
			for _, f := range fs {
				w.settle(f)
			}
			w.coins(w.alice, "5")
			w.coins(w.bob, "15")
		}},
		{"WhoseAnswerNeverComesIsSettled", func(w *market) {
			fs := w.freezeAll()
			w.a.f.Use(every(faulty.Fault{Lost: true}, alice.String()))
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); !errors.Is(err, store.ErrUncertain) || errors.Is(err, store.ErrConflict) {
				w.t.Errorf("Exchange without an answer = %v, want ErrUncertain", err)
			}
			w.a.f.Use()
			for _, f := range fs {
				if !w.settle(f) {
					w.t.Errorf("%v did not learn of the exchange", f.Session().Key())
				}
			}
			w.coins(w.alice, "5")
			w.coins(w.bob, "15")
		}},
		{"ThatNeverArrivedIsSettled", func(w *market) {
			fs := w.freezeAll()
			w.a.f.Use(every(faulty.Fault{Err: faulty.ErrDown}, alice.String()))
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); !errors.Is(err, store.ErrUncertain) {
				w.t.Errorf("Exchange that never arrived = %v, want ErrUncertain", err)
			}
			w.a.f.Use()
			for _, f := range fs {
				if w.settle(f) {
					w.t.Errorf("%v learnt of an exchange that did not happen", f.Session().Key())
				}
			}
			unchanged(w)
		}},
		{"ThatArrivesAfterTheSettlingIsRefused", func(w *market) {
			fs := w.freezeAll()
			w.a.f.Use(every(faulty.Fault{Late: true}, alice.String()))
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); !errors.Is(err, store.ErrUncertain) {
				w.t.Errorf("Exchange that is on its way = %v, want ErrUncertain", err)
			}
			w.a.f.Use()
			w.settle(fs[1])
			w.a.f.ReleaseAll()
			w.settle(fs[0])
			w.settle(fs[2])
			unchanged(w)
		}},
		{"ThatArrivesBeforeTheSettlingIsFound", func(w *market) {
			fs := w.freezeAll()
			w.a.f.Use(every(faulty.Fault{Late: true}, alice.String()))
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); !errors.Is(err, store.ErrUncertain) {
				w.t.Errorf("Exchange that is on its way = %v, want ErrUncertain", err)
			}
			w.a.f.Use()
			w.a.f.ReleaseAll()
			for _, f := range fs {
				w.settle(f)
			}
			w.coins(w.alice, "5")
			w.coins(w.bob, "15")
		}},
		{"IsNotSentAfterItsDeadline", func(w *market) {
			fs := w.freezeAll()
			ctx, cancel := context.WithTimeout(w.ctx, time.Second)
			defer cancel()
			w.a.f.Use(every(faulty.Fault{Hold: true}, "player/queue"))
			var at []store.Attempt // the writers of the database are busy
			for i := range 200 {
				v, err := w.a.Announce()
				if err != nil {
					w.t.Fatal(err)
				}
				at = append(at, store.Attempt{Lane: store.Waited, Batch: driver.Batch{ID: v, Writes: []driver.Write{put(fmt.Sprint("player/queue", i), "x")}}})
			}
			for _, one := range at {
				w.a.DB().Go(one)
				synctest.Wait()
			}
			err := w.exchange(ctx, fs, "5", "15", "10")
			w.a.wake()
			time.Sleep(time.Minute)
			happened := w.entry(alice.String()).Version == w.announced
			if !errors.Is(err, store.ErrLate) && !errors.Is(err, context.DeadlineExceeded) || happened {
				w.t.Errorf("Exchange that had to wait = %v, happened %v; want ErrLate", err, happened)
			}
			for _, f := range fs {
				w.settle(f)
			}
			unchanged(w)
		}},
		{"HasAHolderWhoDiesBefore", func(w *market) {
			fs := w.freezeAll()
			w.b.kill()
			taken := w.takeOver(w.c, bob)
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); !errors.Is(err, store.ErrConflict) {
				w.t.Errorf("Exchange of a key that was taken over = %v, want ErrConflict", err)
			}
			fs[0].Release()
			fs[2].Release()
			w.coins(w.alice, "10")
			w.coins(taken, "10")
			w.coins(w.carol, "10")
		}},
		{"HasAHolderWhoDiesAfter", func(w *market) {
			fs := w.freezeAll()
			w.b.kill()
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); err != nil {
				w.t.Errorf("Exchange: %v", err)
			}
			w.settle(fs[0])
			w.settle(fs[2])
			w.coins(w.takeOver(w.c, bob), "15")
			w.coins(w.alice, "5")
		}},
		{"HasAHolderWhoDiesAndIsSettled", func(w *market) {
			fs := w.freezeAll()
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); err != nil {
				w.t.Errorf("Exchange: %v", err)
			}
			changed, happened, err := fs[1].Settle(w.ctx)
			if err != nil || !happened {
				w.t.Fatalf("Settle = %v, %v", happened, err)
			}
			if err := apply(fs[1], changed); err != nil {
				w.t.Fatal(err)
			}
			fs[1].Release()
			w.set(w.bob, "more", "2")
			w.sync(w.bob)
			w.b.kill()
			time.Sleep(time.Minute)
			w.unlocked(bob, "coins", "15")
			w.unlocked(bob, "more", "2")
			w.settle(fs[0])
			w.settle(fs[2])
		}},
		{"HasAHolderWhoIsRobbedBefore", func(w *market) {
			fs := w.freezeAll()
			stolen := w.openWith(w.c, bob, &session.OpenOptions{Steal: "test"})
			w.lost(w.bob)
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); !errors.Is(err, store.ErrConflict) {
				w.t.Errorf("Exchange of a key that was stolen = %v, want ErrConflict", err)
			}
			if _, happened, err := fs[1].Settle(w.ctx); happened || !errors.Is(err, session.ErrLost) {
				w.t.Errorf("Settle of a session that was robbed = %v, %v; want ErrLost", happened, err)
			}
			for _, f := range fs {
				f.Release()
			}
			w.coins(w.alice, "10")
			w.coins(stolen, "10")
		}},
		{"HasAHolderWhoIsRobbedAfter", func(w *market) {
			fs := w.freezeAll()
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); err != nil {
				w.t.Errorf("Exchange: %v", err)
			}
			stolen := w.openWith(w.c, bob, &session.OpenOptions{Steal: "test"})
			w.lost(w.bob)
			if _, happened, err := fs[1].Settle(w.ctx); happened || !errors.Is(err, session.ErrLost) {
				w.t.Errorf("Settle of a session that was robbed = %v, %v; want ErrLost", happened, err)
			}
			if _, err := fs[1].Begin(); !errors.Is(err, session.ErrLost) {
				w.t.Errorf("Begin of a session that was robbed = %v, want ErrLost", err)
			}
			for _, f := range fs {
				f.Release()
			}
			w.coins(stolen, "15")
		}},
		{"HasAHolderWhoLosesHisLeaseBefore", func(w *market) {
			fs := w.freezeAll()
			w.b.pause()
			time.Sleep(time.Minute) // it is sealed
			taken := w.open(w.c, bob)
			w.b.wake()
			w.lost(w.bob)
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); !errors.Is(err, store.ErrConflict) {
				w.t.Errorf("Exchange of a key whose lease was sealed = %v, want ErrConflict", err)
			}
			if _, _, err := fs[1].Settle(w.ctx); !errors.Is(err, session.ErrLost) {
				w.t.Errorf("Settle under a lost lease = %v, want ErrLost", err)
			}
			for _, f := range fs {
				f.Release()
			}
			w.coins(w.alice, "10")
			w.coins(taken, "10")
		}},
		{"HasAHolderWhoLosesHisLeaseAfter", func(w *market) {
			fs := w.freezeAll()
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); err != nil {
				w.t.Errorf("Exchange: %v", err)
			}
			w.b.pause()
			time.Sleep(time.Minute) // it is sealed
			w.b.wake()
			w.lost(w.bob)
			if changed, happened, err := fs[1].Settle(w.ctx); err == nil && (!happened || !errors.Is(apply(fs[1], changed), session.ErrLost)) {
				w.t.Errorf("Settle under a lost lease = %v, and the session goes on", happened)
			}
			for _, f := range []*session.Frozen{fs[0], fs[2]} {
				w.settle(f)
			}
			fs[1].Release()
			w.coins(w.open(w.b, bob), "15")
			w.coins(w.alice, "5")
		}},
		{"LosesASessionAndWritesNothingForIt", func(w *market) {
			f := w.freeze(w.bob)
			w.b.f.Use(faulty.Naming(bob.String(), faulty.Fault{Hold: true})) // not even its settling
			w.c.f.Use(faulty.Naming(bob.String(), faulty.Fault{Hold: true}))
			stealing := background(func() error {
				_, err := w.c.Open(w.ctx, bob, &session.OpenOptions{Steal: "test"})
				return err
			})
			w.lost(w.bob)
			settling := background(func() error { _, _, err := f.Settle(w.ctx); return err })
			if err := within(w.world, time.Second, "settling", settling); !errors.Is(err, session.ErrLost) {
				w.t.Errorf("Settle of a lost session = %v, want ErrLost", err)
			}
			f.Release()
			w.b.wake()
			w.c.wake()
			if err := within(w.world, time.Minute, "opening", stealing); err != nil {
				w.t.Errorf("Open: %v", err)
			}
		}},
		{"IsAppliedWhileSuspended", func(w *market) {
			fs := w.freezeAll()
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); err != nil {
				w.t.Errorf("Exchange: %v", err)
			}
			w.b.f.Use(every(faulty.Fault{Err: faulty.ErrDown}, "~")) // it can read
			for _, srv := range []host{w.a, w.c} {
				srv.f.Use(every(faulty.Fault{Err: faulty.ErrDown}, leaseKey(w.b)))
			}
			time.Sleep(12 * time.Second)
			if !w.b.Suspended() {
				w.t.Fatal("the server is not suspended; the test shows nothing")
			}
			w.settle(fs[1])
			w.want(w.bob, "coins", "15")
			w.b.wake()
			time.Sleep(5 * time.Second)
			w.a.wake()
			w.c.wake()
			w.coins(w.bob, "15")
		}},
		{"IsSavedByACloseThatWaited", func(w *market) {
			fs := w.freezeAll()
			closing := background(func() error { return w.bob.Close(w.ctx) })
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); err != nil {
				w.t.Errorf("Exchange: %v", err)
			}
			w.settle(fs[1])
			if err := within(w.world, time.Second, "close", closing); err != nil {
				w.t.Errorf("Close: %v", err)
			}
			w.unlocked(bob, "coins", "15")
			w.settle(fs[0])
			w.settle(fs[2])
		}},
		{"IsSavedByAShutdownThatWaited", func(w *market) {
			fs := w.freezeAll()
			closing := background(func() error { _, err := w.b.Close(w.ctx); return err })
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); err != nil {
				w.t.Errorf("Exchange: %v", err)
			}
			w.settle(fs[1])
			if err := within(w.world, time.Minute, "close", closing); err != nil {
				w.t.Errorf("Close: %v", err)
			}
			w.unlocked(bob, "coins", "15")
			w.settle(fs[0])
			w.settle(fs[2])
		}},
		{"IsReportedByAShutdownThatCannotWait", func(w *market) {
			fs := w.freezeAll()
			ctx, cancel := context.WithTimeout(w.ctx, time.Second)
			defer cancel()
			results, err := w.b.Close(ctx)
			if err != nil || len(results) != 1 || results[0].Key != bob || results[0].Err == nil {
				w.t.Errorf("Close = %v, %v; want bob's name", results, err)
			}
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); err != nil {
				w.t.Errorf("Exchange: %v", err)
			}
			if _, err := fs[1].Begin(); !errors.Is(err, session.ErrLost) {
				w.t.Errorf("Begin after the server has closed = %v, want ErrLost", err)
			}
			fs[1].Release()
			w.settle(fs[0])
			w.settle(fs[2])
			w.coins(w.open(w.c, bob), "15")
		}},
		{"IsSettledWithLostAnswers", func(w *market) {
			fs := w.freezeAll()
			w.b.f.Use(once(faulty.Fault{Late: true}, writes(bob.String())))
			ctx, cancel := context.WithTimeout(w.ctx, time.Millisecond)
			defer cancel()
			if _, _, err := fs[1].Settle(ctx); !errors.Is(err, context.DeadlineExceeded) {
				w.t.Errorf("Settle whose context ended = %v, want the cause", err)
			}
			w.b.f.Use()
			w.b.f.ReleaseAll() // and now its step arrives
			time.Sleep(time.Minute)
			if w.settle(fs[1]) {
				w.t.Error("Settle tells of an exchange that did not happen")
			}
			if err := w.exchange(w.ctx, fs[:1], "10"); err != nil {
				w.t.Errorf("Exchange: %v", err)
			}
			w.settle(fs[0])
			fs[2].Release()
			unchanged(w)
		}},
		{"IsSettledWithoutAnyAnswer", func(w *market) {
			fs := w.freezeAll()
			w.b.f.Use(every(faulty.Fault{Lost: true}, bob.String()))
			ctx, cancel := context.WithTimeout(w.ctx, 30*time.Second)
			defer cancel()
			if _, _, err := fs[1].Settle(ctx); !errors.Is(err, context.DeadlineExceeded) {
				w.t.Errorf("Settle without answers = %v, want the cause", err)
			}
			w.b.f.Use()
			time.Sleep(time.Minute)
			if w.settle(fs[1]) {
				w.t.Error("Settle tells of an exchange that did not happen")
			}
			fs[0].Release()
			fs[2].Release()
			unchanged(w)
		}},
		{"IsSettledTwice", func(w *market) {
			fs := w.freezeAll()
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); err != nil {
				w.t.Errorf("Exchange: %v", err)
			}
			for range 2 { // the first time, what it returned could not be applied
				changed, happened, err := fs[1].Settle(w.ctx)
				if err != nil || !happened || len(changed) != 1 || string(changed[0].Value) != "15" {
					w.t.Errorf("Settle = %v, %v, %v; want the change of coins", changed, happened, err)
				}
			}
			w.settle(fs[1])
			w.coins(w.bob, "15")
			w.settle(fs[0])
			w.settle(fs[2])
		}},
		{"IsNotUndoneByASaveBeforeItsAppend", func(w *market) {
			fs := w.freezeAll()
			if err := w.exchange(w.ctx, fs, "5", "15", "10"); err != nil {
				w.t.Errorf("Exchange: %v", err)
			}
			w.settle(fs[1])
			w.bob.SaveSoon(session.CauseAutosave) // of what was appended, which lacks the exchange
			time.Sleep(time.Millisecond)
			if got := string(w.root(bob).Data["coins"]); got != "15" {
				w.t.Errorf("the root has %s coins before the append, want 15", got)
			}
			w.b.kill()
			w.settle(fs[0])
			w.settle(fs[2])
			w.coins(w.takeOver(w.c, bob), "15")
			w.coins(w.alice, "5")
		}},
		{"FindsThatTheDatabaseLostCommits", func(w *market) {
			f := w.freeze(w.bob)
			w.rewrite(bob, func(map[string]any) {})
			if _, _, err := f.Settle(w.ctx); !errors.Is(err, session.ErrHistoryLost) || !errors.Is(err, session.ErrLost) {
				w.t.Errorf("Settle over a version of nobody's = %v, want ErrHistoryLost", err)
			}
			f.Release()
			w.lost(w.bob)
		}},
		{"ReadsOnlyWhatStandsStill", func(w *market) {
			f := w.freeze(w.bob)
			for name, c := range map[string]struct {
				key  session.Key
				at   []driver.Version
				want error
			}{
				"OtherVersion": {bob, []driver.Version{w.announced}, store.ErrConflict},
				"Absent":       {session.Key{Kind: "player", ID: "nobody"}, []driver.Version{{}}, store.ErrConflict},
				"NoVersion":    {bob, nil, driver.ErrInvalid},
			} {
				if _, err := w.a.ReadStill(w.ctx, []session.Key{c.key}, c.at); !errors.Is(err, c.want) {
					w.t.Errorf("%s: ReadStill = %v, want %v", name, err, c.want)
				}
			}
			f.Release()
			w.close(w.bob)
			if _, err := w.a.ReadStill(w.ctx, []session.Key{bob}, []driver.Version{w.bob.Version()}); !errors.Is(err, store.ErrConflict) {
				w.t.Errorf("ReadStill of a key that nobody holds = %v, want ErrConflict", err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) { inMarket(t, c.run) })
	}
}

// A session whose save does not come has its whole state appended. If the save
// comes after all, that record still lies in the journal, behind the position that
// the root names: to replay it would undo an exchange.
func TestExchangeIsNotUndoneByAWholeState(t *testing.T) {
	whole := func(c *faulty.Call) bool {
		for _, b := range c.Group.Batches {
			for _, x := range b.Writes {
				if strings.HasPrefix(x.Key, "~journal/") && strings.Contains(string(x.Value), alice.String()+"\x02") {
					return true
				}
			}
		}
		return false
	}
	for _, name := range []string{"ThatWasAppended", "ThatIsBeingAppended"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				x := &market{world: w, a: w.server("a", &session.Options{JournalBytes: 64 << 10}), b: w.server("b", nil)}
				x.alice = w.open(x.a, alice)
				w.set(x.alice, "coins", "10")
				w.sync(x.alice)
				var seen atomic.Int64
				x.a.f.Use(every(faulty.Fault{Hold: true}, alice.String()), func(c *faulty.Call) faulty.Fault {
					if !whole(c) {
						return faulty.Fault{}
					}
					seen.Add(1)
					return faulty.Fault{Hold: name == "ThatIsBeingAppended"}
				})
				other := w.open(x.a, bob)
				for round := 0; seen.Load() == 0 && round < 1000; round++ {
					w.set(other, "text", `"`+strings.Repeat("y", 5000)+fmt.Sprint(round)+`"`)
					time.Sleep(50 * time.Millisecond)
				}
				if seen.Load() == 0 {
					t.Fatal("no whole state was appended; the test shows nothing")
				}
				x.a.f.Use() // the save goes through, and the append does not yet
				for _, c := range x.a.f.Waiting() {
					if writes(alice.String())(c) {
						x.a.f.Release(c)
					}
				}
				time.Sleep(100 * time.Millisecond)
				if x.alice.Dirty() {
					t.Fatal("the session is still dirty; the test shows nothing")
				}
				x.announce()
				var f *session.Frozen
				freezing := background(func() (err error) { f, err = x.alice.Freeze(w.ctx, x.announced); return err })
				if name == "ThatIsBeingAppended" {
					pending(w, "freeze", freezing)
				}
				x.a.wake()
				if err := within(w, time.Minute, "freeze", freezing); err != nil {
					t.Fatalf("Freeze: %v", err)
				}
				if err := x.exchange(w.ctx, []*session.Frozen{f}, "5"); err != nil {
					t.Fatalf("Exchange: %v", err)
				}
				x.a.kill()
				taken := x.takeOver(x.b, alice)
				w.want(taken, "coins", "5")
				f.Release()
			})
		})
	}
}

// Whatever fails, an exchange creates and destroys nothing.
func TestExchangesKeepTheSum(t *testing.T) {
	seeds := uint64(25)
	if testing.Short() {
		seeds = 10
	}
	var happened, failed atomic.Int64
	t.Run("seed", func(t *testing.T) {
		for seed := range seeds {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				inMarket(t, func(w *market) {
					h, f := w.keepTheSum(seed)
					happened.Add(h)
					failed.Add(f)
				})
			})
		}
	})
	t.Logf("%d trades happened, %d did not", happened.Load(), failed.Load())
	if happened.Load() == 0 || failed.Load() == 0 {
		t.Errorf("%d trades happened and %d did not; the test shows little", happened.Load(), failed.Load())
	}
}

// keepTheSum trades while every server's database fails, and counts.
func (w *market) keepTheSum(seed uint64) (happened, failed int64) {
	dice := rand.New(rand.NewPCG(seed, 1))
	servers := []host{w.a, w.b, w.c}
	for i, srv := range servers {
		late := rand.New(rand.NewPCG(seed, uint64(2+i)))
		srv.f.Use(func(c *faulty.Call) faulty.Fault {
			return faulty.Fault{Late: c.Op == faulty.Commit && late.IntN(10) == 0}
		}, faulty.Random(3*seed+uint64(i), 0.1, 0.15))
	}
	for range 12 {
		w.announce()
		if w.trade(dice) {
			happened++
		} else {
			failed++
		}
		servers[dice.IntN(3)].f.ReleaseAll()
	}
	for _, srv := range servers {
		srv.wake()
	}
	sum := 0
	for _, s := range w.all() {
		w.close(s)
		coins := string(w.root(s.Key()).Data["coins"])
		w.want(s, "coins", coins)
		n, err := strconv.Atoi(coins)
		if err != nil {
			w.t.Errorf("coins of %v: %v", s.Key(), err)
		}
		sum += n
	}
	if sum != 30 {
		w.t.Errorf("there are %d coins after all trades, want 30", sum)
	}
	return happened, failed
}

// trade freezes all players, gives a coin of bob's to each of the others, and has
// each holder find out by himself, sooner or later, whether that happened. All
// must agree.
func (w *market) trade(dice *rand.Rand) (happened bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Minute)
	defer cancel()
	var keys []session.Key
	var at []driver.Version
	told := make(chan bool)
	for _, s := range w.all() {
		f, err := s.Freeze(ctx, w.announced)
		if err != nil {
			w.t.Errorf("Freeze of %v: %v", s.Key(), err)
			return false
		}
		keys, at = append(keys, s.Key()), append(at, f.Version())
		patience := time.Duration(dice.IntN(400)) * time.Millisecond
		go func() {
			time.Sleep(patience)
			told <- w.settleStubbornly(ctx, f)
		}()
	}
	err := w.exchangeAt(ctx, keys, at, func(i int, was string) string {
		n, _ := strconv.Atoi(was)
		return strconv.Itoa(n + []int{1, -2, 1}[i])
	})
	n := 0
	for range keys {
		if <-told {
			n++
		}
	}
	if n != 0 && n != len(keys) || err == nil && n == 0 || errors.Is(err, store.ErrConflict) && n > 0 {
		w.t.Errorf("%d of %d holders learnt of an exchange whose outcome was %v", n, len(keys), err)
	}
	for _, s := range w.all() {
		s.SaveSoon(session.CauseAutosave)
		w.set(s, "more", fmt.Sprint(n))
	}
	return n > 0
}

// settleStubbornly settles until it is known what happened, with little patience
// for each try.
func (w *market) settleStubbornly(ctx context.Context, f *session.Frozen) bool {
	defer f.Release()
	for {
		try, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
		changed, happened, err := f.Settle(try)
		cancel()
		if err == nil && happened {
			err = apply(f, changed)
		}
		switch {
		case err == nil:
			return happened
		case ctx.Err() != nil || errors.Is(err, session.ErrLost):
			w.t.Errorf("settle %v: %v", f.Session().Key(), err)
			return false
		}
	}
}
