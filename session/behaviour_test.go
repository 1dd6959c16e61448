package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
	"github.com/prometheus/client_golang/prometheus"
)

func TestSaveAndSync(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(w *world, a host, s *session.Session)
	}{
		{"SyncIsInTheJournalAndNotInTheRoot", func(w *world, a host, s *session.Session) {
			w.set(s, "coins", "1")
			w.sync(s)
			if got := w.root(alice).Data["coins"]; got != nil {
				w.t.Errorf("Sync wrote the root: coins %s", got)
			}
			if !s.Dirty() {
				w.t.Error("Sync made the session clean")
			}
			v, err := a.Peek(w.ctx, alice)
			if err != nil {
				w.t.Fatalf("Peek: %v", err)
			}
			if got, _ := v.Document.Get(document.Field("coins")); string(got) != "1" {
				w.t.Errorf("Peek of a player who is playing shows coins %q, want 1", got)
			}
			if v.Holder == nil || v.Holder.Session != s.ID() || v.Holder.Server != "a" {
				w.t.Errorf("Peek's Holder = %v, want the session", v.Holder)
			}
		}},
		{"SaveIsInTheRootAndCleans", func(w *world, a host, s *session.Session) {
			w.set(s, "coins", "1")
			if !s.Dirty() {
				w.t.Error("a changed session is clean")
			}
			w.save(s)
			if got := w.root(alice).Data["coins"]; string(got) != "1" {
				w.t.Errorf("Save left coins %s in the root", got)
			}
			if s.Dirty() {
				w.t.Error("a saved session is dirty")
			}
		}},
		{"SaveOfACleanSessionWritesNothing", func(w *world, a host, s *session.Session) {
			before := s.Version()
			w.save(s)
			w.sync(s)
			s.SaveSoon(session.CauseAutosave)
			time.Sleep(time.Second)
			if s.Version() != before {
				w.t.Error("a clean session was written")
			}
		}},
		{"SaveJoinsTheOneUnderWay", func(w *world, a host, s *session.Session) {
			w.set(s, "coins", "1")
			w.sync(s)
			a.f.Use(once(faulty.Fault{Hold: true}, writes(alice.String())))
			first := background(func() error { return s.Save(w.ctx) })
			second := background(func() error { return s.Save(w.ctx) })
			if !s.Dirty() {
				w.t.Error("a session whose save is not answered is clean")
			}
			pending(w, "save", first)
			pending(w, "save", second)
			a.wake()
			for _, done := range []<-chan error{first, second} {
				if err := within(w, time.Second, "save", done); err != nil {
					w.t.Errorf("Save: %v", err)
				}
			}
		}},
		{"ChangesDuringASaveTravelWithTheNext", func(w *world, a host, s *session.Session) {
			w.set(s, "coins", "1")
			w.sync(s)
			a.f.Use(once(faulty.Fault{Hold: true}, writes(alice.String())))
			first := background(func() error { return s.Save(w.ctx) })
			w.set(s, "coins", "2")
			second := background(func() error { return s.Save(w.ctx) })
			a.wake()
			if err := within(w, time.Second, "save", first); err != nil {
				w.t.Errorf("Save: %v", err)
			}
			if err := within(w, time.Second, "save", second); err != nil {
				w.t.Errorf("Save: %v", err)
			}
			if got := w.root(alice).Data["coins"]; string(got) != "2" {
				w.t.Errorf("after both saves the root has coins %s, want 2", got)
			}
		}},
		{"ContextEndsTheWaitOnly", func(w *world, a host, s *session.Session) {
			w.set(s, "coins", "1")
			a.f.Use(once(faulty.Fault{Hold: true}, writes("~journal/")))
			ctx, cancel := context.WithTimeout(w.ctx, time.Second)
			defer cancel()
			if err := s.Sync(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, store.ErrUncertain) {
				w.t.Errorf("Sync whose context ended = %v, want the cause and ErrUncertain", err)
			}
			ctx, cancel = context.WithTimeout(w.ctx, time.Second)
			defer cancel()
			if err := s.Save(ctx); !errors.Is(err, context.DeadlineExceeded) {
				w.t.Errorf("Save whose context ended = %v, want the cause", err)
			}
			a.wake()
			time.Sleep(time.Second)
			if got := w.root(alice).Data["coins"]; string(got) != "1" {
				w.t.Errorf("the save did not go on: root has coins %s", got)
			}
		}},
		{"FailedSaveKeepsTheSessionDirty", func(w *world, a host, s *session.Session) {
			w.set(s, "coins", "1")
			a.f.Use(every(faulty.Fault{Err: driver.ErrReadOnly}, alice.String()))
			if err := s.Save(w.ctx); !errors.Is(err, driver.ErrReadOnly) {
				w.t.Errorf("Save = %v, want ErrReadOnly", err)
			}
			if !s.Dirty() || s.Err() != nil {
				w.t.Errorf("after a save that failed: Dirty = %v, Err = %v", s.Dirty(), s.Err())
			}
			a.f.Use()
			w.save(s)
			if got := w.root(alice).Data["coins"]; string(got) != "1" {
				w.t.Errorf("after the next save the root has coins %s, want 1", got)
			}
		}},
		{"UncertainSaveIsRepeatedUntilItIsKnown", func(w *world, a host, s *session.Session) {
			w.set(s, "coins", "1")
			w.sync(s)
			tries := 0
			a.f.Use(func(c *faulty.Call) faulty.Fault {
				if c.Op != faulty.Commit || !writes(alice.String())(c) {
					return faulty.Fault{}
				}
				switch tries++; tries {
				case 1:
					return faulty.Fault{Err: faulty.ErrDown}
				case 2:
					return faulty.Fault{Err: driver.ErrReadOnly} // a replica answers meanwhile
				}
				return faulty.Fault{}
			})
			w.save(s)
			if got := w.root(alice).Data["coins"]; string(got) != "1" || s.Err() != nil {
				w.t.Errorf("after a save without a clear answer: coins %s, Err = %v", got, s.Err())
			}
		}},
		{"AfterCloseEverythingIsOnDisk", func(w *world, a host, s *session.Session) {
			w.set(s, "coins", "1")
			w.close(s)
			w.sync(s)
			w.close(s)
			if _, err := s.Begin(); !errors.Is(err, session.ErrClosed) {
				w.t.Errorf("Begin after Close = %v, want ErrClosed", err)
			}
			if err := s.Err(); !errors.Is(err, session.ErrClosed) {
				w.t.Errorf("Err after Close = %v, want ErrClosed", err)
			}
		}},
		{"SavedValueIsWhatTheRootHolds", func(w *world, a host, s *session.Session) {
			w.set(s, "coins", "1")
			w.save(s)
			w.set(s, "coins", "2")
			savedValue(w, s, "1")
			w.sync(s)
			a.f.Use(once(faulty.Fault{Hold: true}, writes(alice.String())))
			saving := background(func() error { return s.Save(w.ctx) })
			w.set(s, "coins", "3")
			savedValue(w, s, "1")
			a.wake()
			if err := within(w, time.Second, "save", saving); err != nil {
				w.t.Fatal(err)
			}
			savedValue(w, s, "2")
			w.save(s)
			savedValue(w, s, "3")
		}},
		{"MarkKeepsTheVersionAndTheOneBefore", func(w *world, a host, s *session.Session) {
			w.set(s, "coins", "1")
			w.save(s)
			before := s.Version()
			w.set(s, "coins", "2")
			s.Mark("a refund")
			w.save(s)
			marked := s.Version()
			for i := range 5 {
				w.set(s, "coins", fmt.Sprint(3+i))
				w.save(s)
			}
			kept, err := a.Versions(w.ctx, alice)
			if err != nil {
				w.t.Fatal(err)
			}
			found := make(map[driver.Version]bool)
			for _, v := range kept {
				found[v.Version] = true
			}
			if !found[before] || !found[marked] {
				w.t.Errorf("versions %v, want the marked one %v and the one before it %v", kept, marked, before)
			}
			v, err := a.ReadVersion(w.ctx, alice, marked)
			if err != nil {
				w.t.Fatalf("ReadVersion: %v", err)
			}
			if got, _ := v.Document.Get(document.Field("coins")); v.Reason != "a refund" || v.By != "a" || string(got) != "2" {
				w.t.Errorf("marked version: reason %q by %q with coins %s", v.Reason, v.By, got)
			}
		}},
		{"MarkWaitsForWhatWasChangedWithIt", func(w *world, a host, s *session.Session) {
			s.Mark("a refund")
			w.set(s, "coins", "2")
			s.SaveSoon(session.CauseAutosave) // a snapshot in the middle of the turn
			w.save(s)
			v, err := a.ReadVersion(w.ctx, alice, s.Version())
			if err != nil {
				w.t.Fatalf("ReadVersion: %v", err)
			}
			if got, _ := v.Document.Get(document.Field("coins")); v.Reason != "a refund" || string(got) != "2" {
				w.t.Errorf("the saved version has reason %q with coins %s, want the mark on the change", v.Reason, got)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a := w.server("a", nil)
				c.run(w, a, w.open(a, alice))
			})
		})
	}
}

func savedValue(w *world, s *session.Session, want string) {
	w.t.Helper()
	s.Lock()
	defer s.Unlock()
	if got, _ := s.SavedValue(document.Field("coins")); string(got) != want {
		w.t.Errorf("SavedValue = %q, want %q", got, want)
	}
}

func TestTxKeepsAllOrNothing(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", nil)
		s, other := w.open(a, alice), w.open(a, bob)
		w.set(s, "coins", "1")
		tx, err := s.Begin()
		if err != nil {
			t.Fatal(err)
		}
		for _, do := range []func() error{
			func() error { return tx.Set(document.Field("coins"), []byte("2"), false) },
			func() error { return tx.Set(document.Element("bag", "sword"), []byte("1"), false) },
			func() error { return tx.Delete(document.Field("coins"), false) },
		} {
			if err := do(); err != nil {
				t.Errorf("change: %v", err)
			}
		}
		if got := string(tx.Document().AppendJSON(nil)); got != `{"bag":{"sword":1}}` {
			t.Errorf("the transaction sees %s", got)
		}
		session.Rollback(tx)
		s.Lock()
		if got := string(s.Document().AppendJSON(nil)); got != `{"coins":1}` {
			t.Errorf("after Rollback the document is %s", got)
		}
		s.Unlock()
		if _, err := session.BeginAll(s, other, s); !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("BeginAll of a session twice = %v, want ErrInvalid", err)
		}
		if err := session.Commit(true); err != nil {
			t.Errorf("Commit of nothing = %v", err)
		}
		w.close(other)
		if _, err := session.BeginAll(s, other); !errors.Is(err, session.ErrClosed) {
			t.Errorf("BeginAll with a closed session = %v, want ErrClosed", err)
		}
		w.set(s, "coins", "3") // none stayed locked
	})
}

func TestBlinkOfTheDatabaseKillsNoFleet(t *testing.T) {
	bubble(t, func(w *world) {
		var fleet []host
		var ss []*session.Session
		for i := range 5 {
			h := w.server(fmt.Sprintf("s%d", i), slow())
			fleet = append(fleet, h)
			s := w.open(h, session.Key{Kind: "player", ID: fmt.Sprint(i)})
			w.set(s, "coins", "1")
			ss = append(ss, s)
		}
		time.Sleep(20 * time.Second)
		for round := range 3 {
			for _, h := range fleet {
				h.kill()
			}
			w.set(ss[0], "blink", fmt.Sprint(round))
			time.Sleep(time.Minute)
			// They come back one after another, the first long before the last.
			for _, h := range fleet {
				h.wake()
				time.Sleep(1500 * time.Millisecond)
			}
			time.Sleep(15 * time.Second)
		}
		for i, s := range ss {
			if err := s.Err(); err != nil {
				t.Errorf("session of server %d: %v", i, err)
				continue
			}
			w.set(s, "coins", "2")
			w.save(s)
		}
		w.want(ss[0], "blink", "2")
	})
}

// A database that takes no writes for a while, and still answers reads, looks
// to a server whose own lease still stands as if the others had died.
func TestOutageThatOneLeaseOutlivesKillsNobody(t *testing.T) {
	for end := 9400 * time.Millisecond; end < 10600*time.Millisecond; end += 30 * time.Millisecond {
		bubble(t, func(w *world) {
			var fleet []host
			var ss []*session.Session
			for i, name := range []string{"birch", "cedar", "elder"} {
				h := w.server(name, slow())
				fleet = append(fleet, h)
				s := w.open(h, session.Key{Kind: "player", ID: fmt.Sprint(i)})
				w.set(s, "coins", "1")
				ss = append(ss, s)
				time.Sleep(350 * time.Millisecond)
			}
			time.Sleep(20 * time.Second)
			for _, h := range fleet {
				h.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}, faulty.Commit))
			}
			time.Sleep(end)
			for _, h := range fleet {
				h.wake()
			}
			time.Sleep(15 * time.Second)
			for i, s := range ss {
				if err := s.Err(); err != nil {
					t.Errorf("after %v without writes, session of server %d: %v", end, i, err)
				}
			}
		})
	}
}

func TestHandOverLetsTheGameFinish(t *testing.T) {
	for _, c := range []struct {
		name   string
		finish func(ctx context.Context)
		took   time.Duration
	}{
		{"InItsTime", func(context.Context) { time.Sleep(500 * time.Millisecond) }, 500 * time.Millisecond},
		{"UntilTheDeadline", func(ctx context.Context) { <-ctx.Done() }, 2 * time.Second},
		{"OrNotAtAll", func(context.Context) { time.Sleep(10 * time.Second) }, 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a := w.server("a", &session.Options{HandOver: func(ctx context.Context, s *session.Session) {
					_ = set(s, "last words", "1")
					c.finish(ctx)
				}})
				b := w.server("b", nil)
				s := w.open(a, alice)
				w.set(s, "coins", "1")
				began := time.Now()
				moved := w.open(b, alice)
				if took := time.Since(began); took < c.took || took > c.took+200*time.Millisecond {
					t.Errorf("hand-over took %v, want %v", took, c.took)
				}
				w.want(moved, "coins", "1")
				w.want(moved, "last words", "1")
				if err := s.Err(); !errors.Is(err, session.ErrClosed) {
					t.Errorf("Err of the session that was handed over = %v, want ErrClosed", err)
				}
				time.Sleep(10 * time.Second)
			})
		})
	}
}

// A hand-over whose save is refused leaves the session with its owner, and is
// tried again when the database takes it.
func TestHandOverThatFailsIsTriedAgain(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.server("a", nil), w.server("b", nil)
		tries := 0
		s := w.openWith(a, alice, &session.OpenOptions{Saved: func(*session.Session, session.Saved) { tries++ }})
		w.set(s, "coins", "1")
		w.sync(s)
		a.f.Use(every(faulty.Fault{Err: driver.ErrReadOnly}, alice.String()))
		moving := w.opening(w.ctx, b, alice)
		time.Sleep(5 * time.Second)
		pending(w, "open", moving)
		synctest.Wait()
		if s.Err() != nil || tries < 2 || tries > 10 {
			t.Errorf("after 5 s: Err = %v, %d tries; want an open session and a try about every second", s.Err(), tries)
		}
		a.f.Use()
		got := within(w, 5*time.Second, "open", moving)
		if got.err != nil {
			t.Fatalf("Open: %v", got.err)
		}
		w.want(got.s, "coins", "1")
	})
}

func TestOpen(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", nil)
		if s, err := a.Open(w.ctx, alice, &session.OpenOptions{MustExist: true}); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Open(MustExist) of nobody = %v, %v; want ErrNotFound", s, err)
		}
		if v, err := a.Peek(w.ctx, alice); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Peek of nobody = %v, %v; want ErrNotFound", v, err)
		}
		if n := len(w.keys("player/")); n != 0 {
			t.Errorf("looking made %d roots", n)
		}
		s := w.open(a, alice)
		if !s.Fresh() || s.Key() != alice {
			t.Errorf("a new player: Fresh = %v, Key = %v", s.Fresh(), s.Key())
		}
		birth := s.Birth()
		w.close(s)
		s = w.open(a, alice)
		if s.Fresh() || s.Birth() != birth {
			t.Errorf("the same player again: Fresh = %v, Birth = %v, want %v", s.Fresh(), s.Birth(), birth)
		}
		for _, key := range []session.Key{{}, {Kind: "player"}, {Kind: "player", ID: "a\x00b"}, {Kind: "player", ID: "\xff"}, {Kind: strings.Repeat("k", 51), ID: "x"}, {Kind: "k", ID: strings.Repeat("x", 201)}} {
			if s, err := a.Open(w.ctx, key, nil); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Open(%q) = %v, %v; want ErrInvalid", key, s, err)
			}
		}
		if s, err := a.Open(w.ctx, bob, &session.OpenOptions{Steal: strings.Repeat("x", 201)}); !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("Open with a long reason = %v, %v; want ErrInvalid", s, err)
		}
	})
}

// One who leaves at the very moment in which the load ends has the session, or
// the session is closed: nobody keeps a player without knowing.
func TestNoSessionWithoutAnOwner(t *testing.T) {
	for i := range 50 {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			ctx, cancel := context.WithCancel(w.ctx)
			a.f.Use(once(faulty.Fault{Hold: true}, writes(alice.String())))
			loading := w.opening(ctx, a, alice)
			if i%2 == 0 {
				a.wake()
				cancel()
			} else {
				cancel()
				a.wake()
			}
			got := within(w, time.Second, "open", loading)
			time.Sleep(time.Second)
			if open := len(a.Sessions()); open == 1 != (got.err == nil) {
				t.Errorf("Open = %v, %v, and %d sessions are open", got.s, got.err, open)
			}
		})
	}
}

func TestOpenReturnsWhenItsContextEnds(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", nil)
		a.f.Use(every(faulty.Fault{Err: faulty.ErrDown}, alice.String()))
		ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
		defer cancel()
		began := time.Now()
		s, err := a.Open(ctx, alice, nil)
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 5*time.Second {
			t.Errorf("Open while the lock cannot be committed = %v, %v after %v; want the deadline after 5 s", s, err, took)
		}
		a.f.Use()
		time.Sleep(5 * time.Second)
		if r := w.root(alice); r.Lock != nil {
			t.Errorf("the lock that was committed later is still there: %+v", *r.Lock)
		}
	})
}

func TestHistoryLost(t *testing.T) {
	bubble(t, func(w *world) {
		shared := &swap{DB: open{w.db}}
		a := w.serverOn("a", shared, nil)
		s := w.open(a, alice)
		w.set(s, "coins", "1")
		w.save(s)
		older := w.copy()
		w.set(s, "coins", "2")
		w.save(s)
		shared.set(open{older})
		if err := change(s, true, false, "coins", "3"); err != nil { // lazy: in no journal that a settling would replay
			t.Fatal(err)
		}
		if err := s.Save(w.ctx); !errors.Is(err, session.ErrHistoryLost) {
			t.Errorf("Save after the database was set back = %v, want ErrHistoryLost", err)
		}
		if lost := w.lost(s); !errors.Is(lost, session.ErrHistoryLost) {
			t.Errorf("cause of the loss = %v, want ErrHistoryLost", lost.Cause)
		}
		w.db = older
		time.Sleep(time.Second)
		if got := string(w.root(alice).Data["coins"]); got != "1" {
			t.Errorf("the session wrote over what it found: coins %s", got)
		}
	})
}

// copy returns a database that holds what the world's holds now, and never
// heard of what comes later.
func (w *world) copy() *mem.DB {
	w.t.Helper()
	snap, err := w.db.List(w.ctx, driver.Query{})
	if err != nil {
		w.t.Fatal(err)
	}
	db := mem.Open()
	for _, e := range snap.Entries {
		_, err := db.Commit(w.ctx, driver.Group{Batches: []driver.Batch{{
			ID: e.Version, Writes: []driver.Write{{Key: e.Key, Value: e.Value}},
		}}})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return db
}

func TestIdleSessionsCostOneRenewal(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", nil)
		for i := range 10_000 {
			w.open(a, session.Key{Kind: "player", ID: fmt.Sprint(i)})
		}
		commits, other := 0, 0
		a.f.Use(func(c *faulty.Call) faulty.Fault {
			if c.Op == faulty.Commit {
				commits++
				if len(c.Keys) != 1 || c.Keys[0] != leaseKey(a) {
					other++
				}
			}
			return faulty.Fault{}
		})
		time.Sleep(time.Minute)
		a.f.Use()
		if commits < 50 || commits > 61 || other > 0 {
			t.Errorf("%d commits in a minute, %d of them no renewal; want one renewal per second and nothing else", commits, other)
		}
	})
}

func TestMetrics(t *testing.T) {
	bubble(t, func(w *world) {
		registry := prometheus.NewRegistry()
		a := w.server("a", &session.Options{Metrics: registry})
		s := w.open(a, alice)
		w.set(s, "coins", "1")
		w.save(s)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		found := make(map[string]bool)
		for _, f := range families {
			found[f.GetName()] = true
		}
		for _, name := range []string{
			"saves_total", "save_seconds", "append_seconds", "open_seconds", "handover_seconds", "journal_bytes", "suspended",
			"lost_total", "leases_sealed_total", "settled_total", "open", "unsaved_age_seconds", "unappended_age_seconds",
		} {
			if !found["holdfast_session_"+name] {
				t.Errorf("no metric %q among %v", name, found)
			}
		}
		w.shut(a)
		if families, _ := registry.Gather(); len(families) > 0 {
			t.Errorf("%d metrics stay after Close", len(families))
		}
	})
}

func TestServerThatCannotOpenLeavesNothing(t *testing.T) {
	bubble(t, func(w *world) {
		registry := prometheus.NewRegistry()
		f := faulty.New(open{w.db})
		f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}))
		db, err := store.New(f, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
		defer cancel()
		if srv, err := session.Open(ctx, db, &session.Options{Metrics: registry}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Open without a database = %v, %v; want the deadline", srv, err)
		}
		f.Use()
		time.Sleep(5 * time.Second)
		if keys := w.keys("~lease/"); len(keys) > 0 {
			t.Errorf("leases left behind: %q", keys)
		}
		srv, err := session.Open(w.ctx, db, &session.Options{Metrics: registry})
		if err != nil {
			t.Fatalf("Open after one that failed: %v", err)
		}
		if _, err := srv.Close(w.ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := db.Close(w.ctx); err != nil {
			t.Errorf("store Close: %v", err)
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	bubble(t, func(w *world) {
		db, err := store.New(open{w.db}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range []session.Options{
			{Name: strings.Repeat("x", 101)}, {Name: "\xff"}, {Lease: time.Second}, {Lease: time.Hour}, {AppendEvery: time.Minute},
			{AppendEvery: -1}, {JournalBytes: 1}, {JournalBytes: 2 << 30}, {HandOverTime: -1}, {Limits: document.Limits{Size: 1 << 30}},
		} {
			if srv, err := session.Open(w.ctx, db, &o); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Open(%+v) = %v, %v; want ErrInvalid", o, srv, err)
			}
		}
		if err := db.Close(w.ctx); err != nil {
			t.Errorf("store Close: %v", err)
		}
	})
}
