package profile_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// erased erases a profile to its end.
func (h *post) erased(id string) {
	h.w.Helper()
	done, err := h.Erase(h.w.ctx, id, &session.EraseOptions{Reason: "asked for"})
	if err != nil || !done.Swept {
		h.w.Fatalf("Erase(%q) = %+v, %v", id, done, err)
	}
}

// TestErase shows what the erasure of a profile does to what is under way with it.
func TestErase(t *testing.T) {
	t.Run("EndsAnOpenProfileForThatReason", func(t *testing.T) {
		for _, here := range []bool{true, false} {
			bubble(t, func(w *world) {
				a, b := w.posts(true)
				p := w.load(a.Server, "alice")
				w.update(p, func(tx *profile.Tx) { given.Set(tx, 7) })
				by := b
				if here {
					by = a
				}
				by.erased("alice")
				<-p.Done()
				var lost *session.LostError
				if end, ok := p.Ended(); !ok || end.Reason != profile.Erased || !errors.As(end.Err, &lost) || !errors.Is(end.Err, session.ErrErased) {
					w.Errorf("the profile ended as %+v, want Erased", end)
				}
				fresh := w.load(a.Server, "alice")
				if given.Get(fresh) != 0 || !fresh.Session().Fresh() {
					w.Errorf("who comes back has %d, want a new profile", given.Get(fresh))
				}
			})
		}
	})
	t.Run("ALoadIsToldToTryAgain", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.post("a", nil, &profile.Options{OnLoadError: profile.GiveErrored})
			w.close(w.load(a.Server, "alice"))
			if _, err := a.Erase(w.ctx, "alice", &session.EraseOptions{NoWait: true}); err != nil {
				w.Fatal(err)
			}
			var erased *session.ErasedError
			if p, err := a.Open(w.ctx, "alice", nil); !errors.As(err, &erased) || erased.Swept {
				w.Errorf("Open = %v, %v, want an error that passes, and no errored profile", p, err)
			}
			time.Sleep(time.Minute)
			w.load(a.Server, "alice")
		})
	})
	t.Run("AnErroredProfileCanBeErased", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.post("a", nil, nil)
			w.put("person/alice", `{"format":1,"birth":"","data":[1]}`)
			p := w.loadAny(a.Server, "alice")
			if p.Err() == nil {
				w.Fatal("the profile is not errored")
			}
			a.erased("alice")
			w.close(p)
			if p := w.load(a.Server, "alice"); p.Err() != nil {
				w.Errorf("the new profile is errored: %v", p.Err())
			}
		})
	})
	t.Run("MailThatWaitsGoesWithIt", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.posts(false)
			w.close(w.load(a.Server, "alice"))
			b.send("alice", letter("give", "1"))
			b.send("alice", letter("bad", "2"))
			b.erased("alice")
			if _, err := b.Send(w.ctx, "alice", letter("give", "3"), &profile.SendOptions{Whoever: true}); !errors.Is(err, session.ErrErased) {
				w.Errorf("Send to who was erased = %v, want ErrErased", err)
			}
			w.has(w.load(a.Server, "alice"))
			for _, folder := range []string{"mail", "done", "dead"} {
				if left := w.left("alice", folder); len(left) > 0 {
					w.Errorf("%s has %q", folder, left)
				}
			}
		})
	})
	t.Run("MailThatIsLateIsNotForWhoComesBack", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.posts(false)
			w.close(w.load(a.Server, "alice"))
			b.f.Use(naming("person/alice/mail/late", faulty.Fault{Hold: true}))
			m := letter("give", "1")
			m.ID = "late"
			ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
			defer cancel()
			sent := make(chan error, 1)
			go func() {
				_, err := b.Send(ctx, "alice", m, nil)
				sent <- err
			}()
			synctest.Wait()
			a.erased("alice")
			p := w.load(a.Server, "alice")
			b.f.Use()
			b.f.ReleaseAll()
			<-sent
			a.mailNow(p)
			w.has(p) // it was meant for the other one
			time.Sleep(time.Second)
			if left := w.left("alice", "mail"); len(left) > 0 {
				w.Errorf("mail has %q, want the late one deleted", left)
			}
		})
	})
	t.Run("WhoWaitsForADeliveryGetsAFinalAnswer", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.posts(true)
			p := w.load(a.Server, "alice")
			a.full.Store(true)
			b.full.Store(true) // who may take alice over when a does not renew its lease
			id := b.send("alice", letter("later", "1"))
			delivered := make(chan error, 1)
			a.f.Use(faulty.All(faulty.Fault{Hold: true}, faulty.Commit))
			go func() {
				_, err := b.Deliver(w.within(time.Minute), "alice", id)
				delivered <- err
			}()
			b.erased("alice")
			a.f.Use()
			a.f.ReleaseAll()
			if err := <-delivered; !errors.Is(err, session.ErrErased) && !errors.Is(err, profile.ErrGone) && !errors.Is(err, profile.ErrUnhandled) {
				w.Errorf("Deliver = %v, want a final answer", err)
			}
			<-p.Done()
			if _, err := b.Deliver(w.within(time.Minute), "alice", id); !errors.Is(err, profile.ErrGone) && !errors.Is(err, session.ErrErased) {
				w.Errorf("Deliver afterwards = %v, want a final answer", err)
			}
			if _, err := b.Change(w.within(time.Minute), "alice", []profile.Op{given.AddOp(1)}, nil); !errors.Is(err, session.ErrErased) {
				w.Errorf("Change of who was erased = %v, want ErrErased", err)
			}
		})
	})
	t.Run("AGiftThatWasDurableReachesTheOther", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.posts(true)
			w.close(w.load(b.Server, "bob"))
			p := w.load(a.Server, "alice")
			a.f.Use(naming("person/alice", faulty.Fault{Err: faulty.ErrDown}))
			err := p.Update(func(tx *profile.Tx) error {
				_, err := tx.Send(person.Key("bob"), profile.Message{ID: "gift", Topic: "give", Body: []byte("5")})
				return err
			}, profile.Durable(w.ctx))
			if err != nil {
				w.Fatal(err)
			}
			b.erased("alice")
			w.has(w.load(b.Server, "bob"), "gift")
		})
	})
	t.Run("DuringAHandOver", func(t *testing.T) {
		bubble(t, func(w *world) {
			hook := make(chan struct{})
			o := &profile.Options{HandOver: func(ctx context.Context, _ *profile.Profile) { <-hook }}
			a, b, c := w.post("a", nil, o), w.post("b", nil, nil), w.post("c", nil, nil)
			p := w.load(a.Server, "alice")
			w.update(p, func(tx *profile.Tx) { given.Set(tx, 7) })
			opened := make(chan error, 1)
			go func() {
				_, err := b.Open(w.within(time.Minute), "alice", nil)
				opened <- err
			}()
			time.Sleep(time.Second)
			erased := make(chan error, 1)
			go func() { _, err := c.Erase(w.ctx, "alice", nil); erased <- err }()
			time.Sleep(100 * time.Millisecond)
			close(hook)
			if err := <-opened; !errors.Is(err, session.ErrErased) {
				w.Errorf("Open during the erasure = %v, want ErrErased", err)
			}
			if err := <-erased; err != nil {
				w.Error(err)
			}
			<-p.Done()
			if fresh := w.load(b.Server, "alice"); given.Get(fresh) != 0 {
				w.Errorf("who comes back has %d", given.Get(fresh))
			}
		})
	})
	t.Run("DuringALoad", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.posts(false)
			p := w.load(b.Server, "alice")
			w.update(p, func(tx *profile.Tx) { given.Set(tx, 7) })
			w.close(p)
			a.f.Use(naming("person/alice", faulty.Fault{HoldAnswer: true})) // it has the lock, and does not know
			opened := make(chan error, 1)
			go func() {
				p, err := a.Open(w.within(time.Minute), "alice", nil)
				if err == nil && given.Get(p) == 7 {
					<-p.Done()
					if end, _ := p.Ended(); end.Reason == profile.Erased {
						err = session.ErrErased
					}
				}
				opened <- err
			}()
			synctest.Wait()
			b.erased("alice")
			a.f.Use()
			a.f.ReleaseAll()
			if err := <-opened; err != nil && !errors.Is(err, session.ErrErased) && !errors.Is(err, session.ErrLost) {
				w.Errorf("Open = %v", err)
			}
			time.Sleep(time.Minute)
			if snap, err := w.db.Read(w.ctx, "person/alice"); err != nil || snap.Entries[0].Version == (driver.Version{}) {
				w.Errorf("the root is %v, %v", snap.Entries, err)
			}
		})
	})
}
