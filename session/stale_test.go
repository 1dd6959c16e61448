package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/session"
)

// rewrite changes the lock in a stored root behind the servers' backs.
func (w *world) rewrite(key session.Key, edit func(root map[string]any)) string {
	w.t.Helper()
	var root map[string]any
	if err := json.Unmarshal(w.entry(key.String()).Value, &root); err != nil {
		w.t.Fatalf("root of %v: %v", key, err)
	}
	edit(root)
	b, err := json.Marshal(root)
	if err != nil {
		w.t.Fatal(err)
	}
	w.put(key.String(), string(b))
	return string(b)
}

// untouched wants an entry's bytes to be what they were.
func (w *world) untouched(key, value string) {
	w.t.Helper()
	if got := string(w.entry(key).Value); got != value {
		w.t.Errorf("entry %q was overwritten: %s, want %s", key, got, value)
	}
}

func lockDeleted(w *world) {
	a, b := w.server("a", nil), w.server("b", nil)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	w.save(s)
	w.rewrite(alice, func(root map[string]any) { delete(root, "lock") })
	taken := w.open(b, alice)
	w.want(taken, "coins", "1")
	w.set(taken, "coins", "2")
	w.save(taken)
	w.set(s, "coins", "3")
	if err := s.Save(w.ctx); !errors.Is(err, session.ErrLost) {
		w.t.Errorf("Save of a session whose lock was deleted = %v, want ErrLost", err)
	}
	w.lost(s)
	w.close(taken)
	w.unlocked(alice, "coins", "2")
}

func lockMalformed(w *world) {
	a, b := w.server("a", nil), w.server("b", nil)
	w.close(w.open(a, alice))
	for _, bad := range []any{"locked", map[string]any{}, map[string]any{"lease": "x", "session": 7}, []any{}} {
		value := w.rewrite(alice, func(root map[string]any) { root["lock"] = bad })
		if s, err := b.Open(w.ctx, alice, nil); !errors.Is(err, driver.ErrCorrupt) {
			w.t.Errorf("Open with lock %v = %v, %v; want ErrCorrupt", bad, s, err)
		}
		if v, err := b.Peek(w.ctx, alice); !errors.Is(err, driver.ErrCorrupt) {
			w.t.Errorf("Peek with lock %v = %v, %v; want ErrCorrupt", bad, v, err)
		}
		w.untouched(alice.String(), value)
	}
}

func lockWithoutATime(w *world) {
	a, b := w.server("a", slow()), w.server("b", nil)
	s := w.open(a, alice)
	w.rewrite(alice, func(root map[string]any) { delete(root["lock"].(map[string]any), "since") })
	staysWith(w, s, b)
	a.kill()
	if taken := w.open(b, alice); taken.Err() != nil {
		w.t.Errorf("taken over: %v", taken.Err())
	}
}

func leaseDeleted(w *world) {
	a, b := w.server("a", nil), w.server("b", nil)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	w.sync(s)
	former := a.LeaseID()
	w.remove(leaseKey(a))
	began := time.Now()
	taken := w.open(b, alice)
	w.want(taken, "coins", "1")
	if took := time.Since(began); took > 2*time.Second {
		w.t.Errorf("a missing lease counts as sealed, and yet Open took %v", took)
	}
	w.lost(s)
	time.Sleep(5 * time.Second)
	if a.LeaseID() == former || a.Suspended() {
		w.t.Error("the server took no new lease")
	}
	w.want(w.open(a, alice), "coins", "1")
}

func leaseMalformed(w *world) {
	for _, bad := range []string{"", "{", `{"format":1}`, `{"format":99,"length_ms":1000}`, `{"format":1,"name":"x","length_ms":-1}`} {
		a, b := w.server("a", nil), w.server("b", nil)
		key := session.Key{Kind: "player", ID: fmt.Sprintf("%q", bad)}
		s := w.open(a, key)
		lease := leaseKey(a)
		w.set(s, "coins", "1")
		w.sync(s)
		a.kill()
		w.put(lease, bad)
		if taken, err := b.Open(w.ctx, key, nil); !errors.Is(err, driver.ErrCorrupt) && !errors.Is(err, driver.ErrFormat) {
			w.t.Errorf("Open under lease %q = %v, %v; want ErrCorrupt or ErrFormat", bad, taken, err)
		}
		time.Sleep(time.Minute)
		w.untouched(lease, bad)
		if got := w.root(key).Lock; got == nil || got.Session != s.ID() {
			w.t.Errorf("under lease %q the lock became %v", bad, got)
		}
		w.remove(lease)
		w.want(w.open(b, key), "coins", "1")
	}
}

// deaf is a bus that carries nothing and says so.
type deaf struct{}

func (deaf) PublishSystem(context.Context, string, []byte) error { return errors.New("bus down") }

func (deaf) SubscribeSystem(string, func(bus.Message)) (func(), error) {
	return nil, errors.New("bus down")
}

func busDown(w *world) {
	o := &session.Options{Bus: deaf{}}
	a, b := w.server("a", o), w.server("b", o)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	began := time.Now()
	w.want(w.open(b, alice), "coins", "1")
	if took := time.Since(began); took > time.Second {
		w.t.Errorf("hand-over without the bus took %v", took)
	}
}

func databaseDown(w *world) {
	o := &session.Options{Bus: w.bus()}
	a, b := w.server("a", o), w.server("b", o)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	opening := w.opening(w.ctx, b, bob)
	within(w, time.Second, "open", opening)
	a.kill()
	b.kill()
	moving := w.opening(w.ctx, b, alice)
	time.Sleep(5 * time.Second)
	pending(w, "open without a database", moving)
	w.set(s, "coins", "2")
	a.wake()
	b.wake()
	got := within(w, 10*time.Second, "open", moving)
	if got.err != nil {
		w.t.Fatalf("Open after the database came back: %v", got.err)
	}
	w.want(got.s, "coins", "2")
}

func thirdServerAsks(w *world) {
	asked := make(chan struct{}, 9)
	a := w.server("a", &session.Options{HandOver: func(ctx context.Context, s *session.Session) {
		asked <- struct{}{}
		_ = set(s, "last words", "1")
		<-ctx.Done()
	}})
	b, c := w.server("b", nil), w.server("c", nil)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	ofB := w.opening(w.ctx, b, alice)
	within(w, time.Second, "hand-over", asked)
	ofC := w.opening(w.ctx, c, alice)
	var first, second opened
	var next <-chan opened
	select {
	case first = <-ofB:
		next = ofC
	case first = <-ofC:
		next = ofB
	}
	if first.err != nil {
		w.t.Fatalf("first Open: %v", first.err)
	}
	w.want(first.s, "last words", "1")
	_ = set(first.s, "coins", "2") // it may be asked for already
	got := w.get(first.s, "coins")
	second = within(w, 10*time.Second, "second open", next)
	if second.err != nil {
		w.t.Fatalf("second Open: %v", second.err)
	}
	w.want(second.s, "coins", got)
	if s.Err() == nil || first.s.Err() == nil || second.s.Err() != nil {
		w.t.Errorf("ends of the three sessions: %v, %v, %v; want only the last open", s.Err(), first.s.Err(), second.s.Err())
	}
	if len(asked) > 0 {
		w.t.Error("the game was asked again while it was handing over")
	}
	time.Sleep(time.Second)
	if keys := w.keys("~request/"); len(keys) > 0 {
		w.t.Errorf("requests left behind: %q", keys)
	}
}

func erasedUnderASession(w *world) {
	a, b := w.server("a", nil), w.server("b", nil)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	w.save(s)
	tombstone := w.rewrite(alice, func(root map[string]any) {
		delete(root, "lock")
		delete(root, "data")
		root["erased"] = true
	})
	w.set(s, "coins", "2")
	if err := s.Save(w.ctx); !errors.Is(err, session.ErrErased) || !errors.Is(err, session.ErrLost) {
		w.t.Errorf("Save over a tombstone = %v, want a LostError of ErrErased", err)
	}
	w.lost(s)
	for _, h := range []host{a, b} {
		if s, err := h.Open(w.ctx, alice, nil); !errors.Is(err, session.ErrErased) {
			w.t.Errorf("Open of what was erased = %v, %v; want ErrErased", s, err)
		}
		if v, err := h.Peek(w.ctx, alice); !errors.Is(err, session.ErrErased) {
			w.t.Errorf("Peek of what was erased = %v, %v; want ErrErased", v, err)
		}
	}
	w.untouched(alice.String(), tombstone)
}

func overwrittenUnderASession(w *world) {
	a := w.server("a", nil)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	w.save(s)
	other := w.version().String()
	foreign := w.rewrite(alice, func(root map[string]any) {
		held := root["lock"].(map[string]any)
		held["lease"], held["session"] = other, other
		root["data"] = map[string]any{"coins": 7}
	})
	w.set(s, "coins", "2")
	if err := s.Close(w.ctx); !errors.Is(err, session.ErrLost) {
		w.t.Errorf("Close over a foreign root = %v, want ErrLost", err)
	}
	w.untouched(alice.String(), foreign)
}

func finalSaveNeverSucceeds(w *world) {
	a, b := w.server("a", nil), w.server("b", nil)
	s, other := w.open(a, alice), w.open(a, bob)
	w.set(s, "coins", "1")
	w.set(other, "coins", "1")
	a.f.Use(every(faulty.Fault{Err: faulty.ErrDown}, alice.String()))
	ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
	defer cancel()
	if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		w.t.Errorf("Close that cannot save = %v, want the deadline", err)
	}
	if got := w.root(alice).Lock; got == nil || got.Session != s.ID() {
		w.t.Errorf("the lock became %v although the final save did not succeed", got)
	}
	w.want(s, "coins", "1") // still there to be read
	ctx, cancel = context.WithTimeout(w.ctx, 5*time.Second)
	defer cancel()
	began := time.Now()
	results, _ := a.Close(ctx)
	if took := time.Since(began); took > 6*time.Second {
		w.t.Errorf("Close with a deadline of 5 s took %v", took)
	}
	if len(results) != 2 || results[0].Key != alice || results[0].Err == nil || results[1].Key != bob || results[1].Err != nil {
		w.t.Errorf("Close = %v, want an error for alice only", results)
	}
	began = time.Now()
	w.want(w.open(b, alice), "coins", "1")
	if took := time.Since(began); took > time.Second {
		w.t.Errorf("the next open took %v, though the lease was sealed", took)
	}
}

func oneSessionPerServer(w *world) {
	a := w.server("a", nil)
	a.f.Use(once(faulty.Fault{Hold: true}, writes(alice.String())))
	var all []<-chan opened
	for range 20 {
		all = append(all, w.opening(w.ctx, a, alice))
	}
	a.wake()
	s := within(w, time.Second, "open", all[0]).s
	for _, o := range all[1:] {
		if got := within(w, time.Second, "open", o); got.s != s || got.err != nil {
			w.t.Fatalf("concurrent Open = %p, %v; want %p as the others", got.s, got.err, s)
		}
	}
	if again := w.open(a, alice); again != s {
		w.t.Errorf("another Open = %p, want %p", again, s)
	}
	if n := a.Len(); n != 1 {
		w.t.Errorf("%d sessions, want 1", n)
	}
}

func orphanOfOnesOwn(w *world) {
	a := w.server("a", slow())
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	w.close(s)
	w.orphan(a)
	began := time.Now()
	w.want(w.open(a, alice), "coins", "1")
	if took := time.Since(began); took > time.Second {
		w.t.Errorf("the server took %v to see that the orphan is its own", took)
	}
}

// orphan locks alice for a session that the server does not know.
func (w *world) orphan(h host) {
	w.t.Helper()
	nobody := w.version().String()
	w.rewrite(alice, func(root map[string]any) {
		root["lock"] = map[string]any{"lease": h.LeaseID(), "session": nobody, "server": h.Name(), "since": time.Now(), "position": 0}
	})
}

func orphanOfAnother(w *world) {
	a, b := w.server("a", slow()), w.server("b", nil)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	w.close(s)
	w.orphan(a)
	began := time.Now()
	w.want(w.open(b, alice), "coins", "1")
	if took := time.Since(began); took > time.Second {
		w.t.Errorf("the orphan kept others out for %v", took)
	}
}

// A lease that has expired and was not sealed binds both sides: nobody takes
// over, and the owner goes on.
func expiredOnBothSides(w *world) {
	a := w.server("a", slow())
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	w.sync(s)
	a.pause()
	time.Sleep(30 * time.Second)
	b := w.server("b", nil) // too young to judge
	ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
	defer cancel()
	if taken, err := b.Open(ctx, alice, nil); !errors.Is(err, session.ErrLocked) {
		w.t.Errorf("Open under a lease that has only expired = %v, %v; want ErrLocked", taken, err)
	}
	a.wake()
	time.Sleep(time.Second)
	w.set(s, "coins", "2")
	w.save(s)
	staysWith(w, s, b)
}

func sealedOnBothSides(w *world) {
	a, b := w.server("a", nil), w.server("b", nil)
	s := w.open(a, alice)
	other := w.open(a, bob)
	w.set(s, "coins", "1")
	w.sync(s)
	a.pause()
	w.want(w.open(b, alice), "coins", "1")
	a.wake()
	w.lost(s)
	w.lost(other) // of the same lease, although nobody wanted it yet
	began := time.Now()
	w.open(b, bob)
	if took := time.Since(began); took > time.Second {
		w.t.Errorf("a lock under a sealed lease kept others out for %v", took)
	}
}

func loadAfterAnEviction(w *world) {
	a, b := w.server("a", nil), w.server("b", nil)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	w.sync(s)
	for i := range 3 {
		stolen := w.openWith(b, alice, &session.OpenOptions{Steal: "test"})
		w.want(stolen, "coins", fmt.Sprint(i+1))
		if lost := w.lost(s); !errors.Is(lost, session.ErrLease) {
			w.t.Errorf("cause of the loss = %v, want the revocation", lost.Cause)
		}
		w.set(stolen, "coins", fmt.Sprint(i+2))
		s = w.open(a, alice)
		w.want(s, "coins", fmt.Sprint(i+2))
	}
	w.close(s)
	w.unlocked(alice, "coins", "4")
}

func lockNeverRenewed(w *world) {
	var mu sync.Mutex
	var told []bool
	a := w.server("a", &session.Options{Suspended: func(on bool) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, on)
	}})
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	w.sync(s)
	a.f.Use(every(faulty.Fault{Err: faulty.ErrDown}, "~"))
	time.Sleep(8 * time.Second)
	if err := set(s, "coins", "2"); err != nil {
		w.t.Errorf("change before the lease ran out: %v", err)
	}
	time.Sleep(3 * time.Second)
	if err := set(s, "coins", "3"); !errors.Is(err, session.ErrSuspended) || !a.Suspended() {
		w.t.Errorf("change after the lease ran out = %v, Suspended() = %v; want ErrSuspended", err, a.Suspended())
	}
	time.Sleep(time.Hour)
	a.wake()
	time.Sleep(time.Second)
	w.set(s, "coins", "3")
	w.close(s)
	w.unlocked(alice, "coins", "3")
	mu.Lock()
	defer mu.Unlock()
	if len(told) != 2 || !told[0] || told[1] {
		w.t.Errorf("the game was told %v, want true and then false", told)
	}
}

func validLockStays(w *world) {
	a, b := w.server("a", slow()), w.server("b", nil)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	w.save(s)
	root, version := w.entry(alice.String()), s.Version()
	for range 3 {
		// The one who waits has troubles of its own.
		b.f.Use(faulty.Random(1, 0.3, 0.3))
		staysWith(w, s, b)
		b.f.Use()
	}
	synctest.Wait()
	if got := w.entry(alice.String()); got.Version != root.Version || s.Version() != version {
		w.t.Errorf("the root of a valid lock moved from %v to %v", root.Version, got.Version)
	}
	w.set(s, "coins", "2")
	w.save(s)
}

func lockStaysAfterAFailedSave(w *world) {
	a := w.server("a", nil)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	w.save(s)
	w.set(s, "coins", "2")
	refused := fmt.Errorf("%w: test", driver.ErrReadOnly)
	a.f.Use(every(faulty.Fault{Err: refused}, alice.String()), once(faulty.Fault{Hold: true}, writes("~journal/")))
	closed := background(func() error { return s.Close(w.ctx) })
	again := w.opening(w.ctx, a, alice) // waits for the final save
	a.f.ReleaseAll()
	if err := within(w, time.Second, "close", closed); !errors.Is(err, driver.ErrReadOnly) {
		w.t.Errorf("Close whose save is refused = %v, want ErrReadOnly", err)
	}
	if got := within(w, time.Second, "open", again); got.s != s || got.err != nil {
		w.t.Errorf("Open that waited for it = %p, %v; want the session, which is open again: %p", got.s, got.err, s)
	}
	r := w.root(alice)
	if r.Lock == nil || r.Lock.Session != s.ID() || string(r.Data["coins"]) != "1" {
		w.t.Errorf("after a final save that was refused, the root is %+v", r)
	}
	if s.Err() != nil || !s.Dirty() {
		w.t.Errorf("after a final save that was refused: Err = %v, Dirty = %v; want an open and dirty session", s.Err(), s.Dirty())
	}
	w.set(s, "more", "3")
	a.f.Use()
	w.close(s)
	w.unlocked(alice, "coins", "2")
	w.unlocked(alice, "more", "3")
}
