package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

func TestCloseSavesAndReleases(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.server("a", nil), w.server("b", nil)
		s := w.open(a, alice)
		w.set(s, "coins", "100")
		w.close(s)
		began := time.Now()
		s = w.open(b, alice)
		w.want(s, "coins", "100")
		if took := time.Since(began); took > time.Millisecond {
			t.Errorf("opening a released key took %v of simulated time", took)
		}
	})
}

func TestHandOverMovesAnOpenSession(t *testing.T) {
	for _, name := range []string{"bus", "database"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				var o session.Options
				if name == "bus" {
					o.Bus = w.bus()
				}
				a, b := w.server("a", &o), w.server("b", &o)
				s := w.open(a, alice)
				w.set(s, "coins", "100")
				began := time.Now()
				moved := w.open(b, alice)
				w.want(moved, "coins", "100")
				if err := s.Err(); err == nil {
					t.Error("the former session is still open")
				}
				if took := time.Since(began); took > 100*time.Millisecond {
					t.Errorf("hand-over took %v of simulated time", took)
				}
				time.Sleep(100 * time.Millisecond)
				if keys := w.keys("~request/"); len(keys) > 0 {
					t.Errorf("requests left behind: %q", keys)
				}
			})
		})
	}
}

func TestTakeOverReplaysTheJournal(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.server("a", nil), w.server("b", nil)
		s := w.open(a, alice)
		w.set(s, "coins", "100")
		w.sync(s)
		w.set(s, "coins", "200") // in memory only
		a.kill()
		began := time.Now()
		taken := w.open(b, alice)
		w.want(taken, "coins", "100")
		if took := time.Since(began); took < 8*time.Second || took > 11*time.Second {
			t.Errorf("take-over took %v, want about the lease's 10 s", took)
		}
	})
}

// An update that does not return holds its own session up and nobody else. It
// runs in real time: who waits for a mutex is not idle to a bubble.
func TestUpdateThatHangsCostsNobodyElse(t *testing.T) {
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		t.Fatal(err)
	}
	const lease = session.MinLease
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	srv, err := session.Open(ctx, db, &session.Options{Lease: lease})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := srv.Close(ctx); err != nil {
			t.Errorf("close the server: %v", err)
		}
		_ = db.Close(ctx)
	}()
	hung, err := srv.Open(ctx, alice, nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := srv.Open(ctx, bob, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := set(hung, "coins", "1"); err != nil { // its append is answered while the lock is held
		t.Fatal(err)
	}
	tx, err := hung.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < lease+lease/4; {
		if err := errors.Join(set(other, "coins", "2"), other.Sync(ctx), other.Save(ctx)); err != nil {
			t.Fatalf("another session after %v: %v", time.Since(began), err)
		}
	}
	session.Rollback(tx)
}

func TestNoAskLeavesALivingHolderAlone(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.server("a", nil), w.server("b", nil)
		s := w.open(a, alice)
		_, err := b.Open(w.ctx, alice, &session.OpenOptions{NoAsk: true})
		var locked *session.LockedError
		if !errors.As(err, &locked) || locked.Holder.Server != "a" {
			t.Errorf("Open with NoAsk = %v, want a LockedError that names a", err)
		}
		time.Sleep(time.Minute)
		if err := s.Err(); err != nil {
			t.Errorf("the holder was asked: %v", err)
		}
	})
}

func TestFirstIsPartOfTheCommitThatCreatesTheRoot(t *testing.T) {
	bubble(t, func(w *world) {
		first := func() document.Delta {
			return document.Delta{{Path: document.Field("born"), Value: []byte("true")}}
		}
		srv := w.server("a", nil)
		for range 2 { // the second time there is a root
			s, err := srv.Open(w.ctx, session.Key{Kind: "player", ID: "p"}, &session.OpenOptions{First: first})
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			v, err := srv.Peek(w.ctx, s.Key())
			if err != nil || string(v.Document.AppendJSON(nil)) != `{"born":true}` {
				t.Errorf("on disk is %v, %v; want what it begins with", v, err)
			}
			if s.Dirty() || s.Revision() != 0 {
				t.Errorf("the session is dirty: %v, at revision %d; want false and 0", s.Dirty(), s.Revision())
			}
			if err := s.Close(w.ctx); err != nil {
				t.Fatal(err)
			}
		}
	})
}
