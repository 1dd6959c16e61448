package session_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/session"
)

// TestShutdown has what has broken in other systems' shutdowns, each under its
// number.
func TestShutdown(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(w *world)
	}{
		{"1FinalSavesInFlightAreNotCountedAsDone", inFlightIsNotDone},
		{"2OneSaveThatHangsDoesNotEatTheDeadlineOfAll", oneHangs},
		{"3StaleSavesDoNotRunAfterTheLast", staleSaves},
		{"4SecondCloseReturnsTheSame", secondClose},
		{"DatabaseIsDown", closeWithoutDatabase},
		{"GameDoesNotFinish", closeDuringAHandOver},
	} {
		t.Run(c.name, func(t *testing.T) { bubble(t, c.run) })
	}
	t.Run("5KillAtAnyMoment", killAtAnyMoment)
}

func inFlightIsNotDone(w *world) {
	a, b := w.server("a", nil), w.server("b", nil)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	w.sync(s)
	a.f.Use(every(faulty.Fault{Hold: true}, alice.String()))
	ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
	defer cancel()
	began := time.Now()
	results, err := a.Close(ctx)
	if took := time.Since(began); took < 4*time.Second || took > 5*time.Second {
		w.t.Errorf("Close took %v, want its deadline of 5 s, or a little less to seal the lease", took)
	}
	if len(results) != 1 || results[0].Key != alice || results[0].Err == nil {
		w.t.Errorf("Close = %v, %v; want a result that says alice was not released", results, err)
	}
	w.lost(s)
	began = time.Now()
	w.want(w.open(b, alice), "coins", "1")
	if took := time.Since(began); took > time.Second {
		w.t.Errorf("the next open took %v, though the database could be reached to seal the lease", took)
	}
}

func oneHangs(w *world) {
	a := w.server("a", nil)
	for i := range 100 {
		w.set(w.open(a, session.Key{Kind: "player", ID: fmt.Sprintf("p%03d", i)}), "coins", "1")
	}
	culprit := session.Key{Kind: "player", ID: "p050"}
	a.f.Use(every(faulty.Fault{Err: faulty.ErrDown}, culprit.String()))
	ctx, cancel := context.WithTimeout(w.ctx, 20*time.Second)
	defer cancel()
	results, _ := a.Close(ctx)
	for _, r := range results {
		if (r.Key == culprit) != (r.Err != nil) {
			w.t.Errorf("result for %v: %v; want an error for %v alone", r.Key, r.Err, culprit)
		}
	}
	if len(results) != 100 {
		w.t.Errorf("%d results, want 100", len(results))
	}
}

func staleSaves(w *world) {
	a := w.server("a", nil)
	var causes []session.Cause
	s := w.openWith(a, alice, &session.OpenOptions{Saved: func(_ *session.Session, x session.Saved) { causes = append(causes, x.Cause) }})
	w.set(s, "coins", "1")
	w.sync(s)
	a.f.Use(once(faulty.Fault{Hold: true}, writes(alice.String())))
	s.SaveSoon(session.CauseAutosave)
	time.Sleep(time.Second)
	for i := range 10 {
		w.set(s, "coins", fmt.Sprint(2+i))
		s.SaveSoon(session.CauseAutosave)
	}
	closed := background(func() error { _, err := a.Close(w.ctx); return err })
	time.Sleep(time.Second)
	a.wake()
	if err := within(w, 10*time.Second, "close", closed); err != nil {
		w.t.Errorf("Close: %v", err)
	}
	w.unlocked(alice, "coins", "11")
	if len(causes) != 2 || causes[1] != session.CauseClose {
		w.t.Errorf("saves by cause: %v, want the one under way and the final one", causes)
	}
}

func secondClose(w *world) {
	a := w.server("a", nil)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	a.f.Use(once(faulty.Fault{Hold: true}, writes(alice.String())))
	type result struct {
		rs  []session.Result
		err error
	}
	var all []<-chan result
	for range 3 {
		done := make(chan result, 1)
		go func() {
			rs, err := a.Close(w.ctx)
			done <- result{rs, err}
		}()
		all = append(all, done)
	}
	time.Sleep(time.Second)
	ctx, cancel := context.WithTimeout(w.ctx, time.Second)
	defer cancel()
	if rs, err := a.Close(ctx); err == nil {
		w.t.Errorf("Close whose context ends while another closes = %v, nil; want its cause", rs)
	}
	for _, done := range all {
		pending(w, "close", done)
	}
	a.wake()
	for _, done := range all {
		got := within(w, time.Second, "close", done)
		if got.err != nil || len(got.rs) != 1 || got.rs[0] != (session.Result{Key: alice}) {
			w.t.Errorf("Close = %v, %v; want alice without an error", got.rs, got.err)
		}
	}
	if rs, err := a.Close(w.ctx); err != nil || len(rs) != 1 {
		w.t.Errorf("Close after the end = %v, %v; want the same again", rs, err)
	}
}

func closeWithoutDatabase(w *world) {
	a, b := w.server("a", nil), w.server("b", slow())
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	w.sync(s)
	other := w.open(b, bob)
	loading := w.opening(w.ctx, a, bob)
	a.f.Use(once(faulty.Fault{Hold: true}, writes(carol.String())))
	second := w.opening(w.ctx, a, carol) // its lock is being committed
	a.kill()
	began := time.Now()
	ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
	defer cancel()
	results, err := a.Close(ctx)
	if took := time.Since(began); took > 6*time.Second {
		w.t.Errorf("Close without a database took %v, deadline 5 s", took)
	}
	if err == nil || len(results) != 1 || results[0].Err == nil {
		w.t.Errorf("Close without a database = %v, %v; want errors", results, err)
	}
	for _, o := range []<-chan opened{loading, second} {
		if got := within(w, time.Second, "open", o); got.err == nil {
			w.t.Errorf("Open during a shutdown = %v, nil", got.s)
		}
	}
	if other.Err() != nil {
		w.t.Errorf("another server's session: %v", other.Err())
	}
	w.want(w.open(b, alice), "coins", "1")
}

func closeDuringAHandOver(w *world) {
	never := make(chan struct{})
	a := w.server("a", &session.Options{HandOver: func(context.Context, *session.Session) { <-never }, HandOverTime: time.Minute})
	b := w.server("b", nil)
	s := w.open(a, alice)
	w.set(s, "coins", "1")
	moving := w.opening(w.ctx, b, alice)
	time.Sleep(time.Second)
	began := time.Now()
	w.shut(a)
	if took := time.Since(began); took > time.Second {
		w.t.Errorf("Close waited %v for a game that does not finish", took)
	}
	w.want(within(w, 5*time.Second, "open", moving).s, "coins", "1")
	close(never)
}

// killAtAnyMoment kills a server before and after each of its commits, with and
// without that commit being done, and has another take its players over.
func killAtAnyMoment(t *testing.T) {
	for _, fault := range []struct {
		name string
		last faulty.Fault
	}{
		{"Before", faulty.Fault{Err: faulty.ErrDown}},
		{"After", faulty.Fault{Lost: true}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			for n := 1; ; n++ {
				reached := false
				bubble(t, func(w *world) { reached = killed(w, n, fault.last) })
				if t.Failed() {
					t.Fatalf("killed at commit %d", n)
				}
				if !reached {
					if n < 15 {
						t.Errorf("the story has only %d commits", n)
					}
					return
				}
			}
		})
	}
}

// story is what a server was doing when it was killed.
type story struct {
	acked   map[session.Key]int // the least value of coins that must be found
	reached bool
}

// killed runs a story whose n-th commit is the server's last, and checks what
// another server finds. It reports whether the story had so many.
func killed(w *world, n int, last faulty.Fault) bool {
	a, b := w.server("a", nil), w.server("b", nil)
	st := &story{acked: make(map[session.Key]int)}
	commits := 0
	a.f.Use(func(c *faulty.Call) faulty.Fault {
		if c.Op == faulty.Commit {
			commits++
		}
		switch {
		case st.reached:
			return faulty.Fault{Err: faulty.ErrDown}
		case commits == n:
			st.reached = true
			return last
		}
		return faulty.Fault{}
	})
	ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
	defer cancel()
	st.tell(ctx, w, a)
	a.kill()
	x, y := w.open(b, alice), w.open(b, bob)
	for _, s := range []*session.Session{x, y} {
		var coins int
		_, _ = fmt.Sscan(w.get(s, "coins"), &coins)
		if coins < st.acked[s.Key()] {
			w.t.Errorf("%v has %d coins, %d were acknowledged", s.Key(), coins, st.acked[s.Key()])
		}
	}
	if of, with := w.get(x, "group"), w.get(y, "group"); of != with {
		w.t.Errorf("of a group, alice has %q and bob has %q", of, with)
	}
	return st.reached
}

// tell opens two players and changes them in all ways, until something fails.
func (st *story) tell(ctx context.Context, w *world, a host) {
	x, err := a.Open(ctx, alice, nil)
	if err != nil {
		return
	}
	y, err := a.Open(ctx, bob, nil)
	if err != nil {
		return
	}
	for i := 1; i <= 6; i++ {
		for _, s := range []*session.Session{x, y} {
			if set(s, "coins", fmt.Sprint(i)) != nil {
				return
			}
		}
		if !st.together(i, x, y) {
			return
		}
		kept := x.Sync
		if i%2 == 0 {
			kept = x.Save
		}
		if kept(ctx) != nil {
			return
		}
		st.acked[alice], st.acked[bob] = i, i // one group, so one append
		if i == 3 {
			y.SaveSoon(session.CauseAutosave)
		}
	}
	if x.Close(ctx) == nil {
		_, _ = a.Server.Close(ctx)
	}
}

// together writes a field of both players as one group.
func (st *story) together(i int, ss ...*session.Session) bool {
	txs, err := session.BeginAll(ss...)
	if err != nil {
		return false
	}
	for _, tx := range txs {
		if err := tx.Set(document.Field("group"), fmt.Append(nil, i), false); err != nil {
			session.Rollback(txs...)
			return false
		}
	}
	return session.Commit(false, txs...) == nil
}
