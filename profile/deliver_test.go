package profile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// fails wants an error of a call.
func (w *world) fails(what string, err, want error) {
	w.Helper()
	if !errors.Is(err, want) {
		w.Errorf("%s = %v, want %v", what, err, want)
	}
}

// shuts waits until nobody has a person open.
func (w *world) shuts(h *post, id string) {
	w.Helper()
	settle()
	if p, ok := h.Profile(id); ok {
		w.Errorf("%v is still open", p.Key())
	}
	if owner, err := h.Session().Owner(w.ctx, person.Key(id)); err != nil || owner.Holder != nil {
		w.Errorf("Owner of %q = %+v, %v, want nobody", id, owner.Holder, err)
	}
}

func TestDeliver(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(w *world, a, b *post)
	}{
		{"IsPendingIfTheWaitEndsAndHandledOnceLater", func(w *world, a, b *post) {
			p := w.load(a.Server, "alice")
			a.f.Use(naming("~journal", faulty.Fault{Err: faulty.ErrDown})) // it cannot be on disk
			id := b.send("alice", letter("give", "1"))
			ctx, cancel := context.WithTimeout(w.ctx, 3*time.Second)
			defer cancel()
			_, err := b.Deliver(ctx, "alice", id)
			w.fails("Deliver", err, profile.ErrPending)
			w.fails("Deliver", err, context.DeadlineExceeded)
			a.f.Use()
			time.Sleep(time.Minute)
			w.has(p, "1")
			out, err := b.Deliver(w.ctx, "alice", id)
			if err != nil || string(out.Result) != "5" || out.Revision != 1 {
				w.Errorf("Deliver = %s at %d, %v, want 5 at 1", out.Result, out.Revision, err)
			}
		}},
		{"ManyAtOnceTellTheSame", func(w *world, a, b *post) {
			p := w.load(a.Server, "alice")
			ids := []string{a.send("alice", letter("give", "1")), b.send("alice", letter("give", "2")), b.send("alice", letter("bad", "3"))}
			got := make(chan string, 60)
			for i := range 60 {
				go func() {
					out, err := []*post{a, b}[i%2].Deliver(w.ctx, "alice", ids[i%3])
					got <- fmt.Sprint(i%3, string(out.Result), err)
				}()
			}
			all := make(map[string]int)
			for range 60 {
				all[<-got]++
			}
			if len(all) != 3 {
				w.Errorf("60 deliveries of three messages said %v", all)
			}
			w.has(p, "1", "2")
		}},
		{"OfWhoIsOfflineOpensAndClosesHim", func(w *world, a, b *post) {
			a.visit("alice")
			for i := range 3 {
				id := a.send("alice", letter("give", fmt.Sprint(i)))
				if out, err := b.Deliver(w.ctx, "alice", id); err != nil || string(out.Result) != fmt.Sprint(5*(i+1)) {
					w.Errorf("Deliver = %s, %v", out.Result, err)
				}
			}
			w.shuts(b, "alice")
			w.has(w.load(a.Server, "alice"), "0", "1", "2")
		}},
		{"LeavesOpenWhatTheGameHasOpenedMeanwhile", func(w *world, a, b *post) {
			a.visit("alice")
			id := a.send("alice", letter("give", "1"))
			b.f.Use(naming("person/alice", faulty.Fault{HoldAnswer: true}))
			delivered := make(chan error, 1)
			go func() { _, err := b.Deliver(w.ctx, "alice", id); delivered <- err }()
			synctest.Wait() // it has begun to load
			opened := make(chan error, 1)
			go func() { _, err := b.Open(w.ctx, "alice", nil); opened <- err }()
			synctest.Wait()
			b.f.Use()
			b.f.ReleaseAll()
			if err := errors.Join(<-delivered, <-opened); err != nil {
				w.Fatal(err)
			}
			settle()
			p, ok := b.Profile("alice")
			if !ok || p.Update(func(tx *profile.Tx) error { return given.Add(tx, 0) }) != nil {
				w.Fatal("the game's profile was closed by who had borrowed it")
			}
			w.has(p, "1")
		}},
		{"ClosesLaterIfTheFinalSaveIsRefused", func(w *world, a, b *post) {
			a.visit("alice")
			id := a.send("alice", letter("give", "1"))
			b.f.Use(func(c *faulty.Call) faulty.Fault {
				if c.Op == faulty.Commit && slices.Contains(c.Keys, "person/alice") && !slices.Contains(c.Keys, "person/alice/mail/1") {
					return faulty.Fault{}
				}
				return naming("person/alice/mail", faulty.Fault{Err: driver.ErrReadOnly})(c)
			})
			if _, err := b.Deliver(w.ctx, "alice", id); err != nil {
				w.Errorf("Deliver = %v", err)
			}
			settle()
			if _, ok := b.Profile("alice"); !ok {
				w.Fatal("the profile is closed, though its save is refused")
			}
			b.f.Use()
			time.Sleep(time.Minute)
			w.shuts(b, "alice")
			w.has(w.load(a.Server, "alice"), "1")
		}},
		{"GameThatOpensWhatWasOnlyLentWaitsForTheMail", func(w *world, a, b *post) {
			a.visit("alice")
			id := a.send("alice", letter("give", "1"))
			b.f.Use(naming("person/alice/mail", faulty.Fault{Err: driver.ErrReadOnly}))
			if _, err := b.Deliver(w.ctx, "alice", id); err != nil {
				w.Errorf("Deliver = %v", err)
			}
			settle() // it could not be closed
			b.f.Use()
			w.put("person/alice/mail/2", `{"format":1,"topic":"give","body":5,"until":"2030-01-01T00:00:00Z","for":""}`)
			p, err := b.Open(w.ctx, "alice", nil)
			if err != nil {
				w.Fatal(err)
			}
			w.has(p, "1", "2")
		}},
		{"AsksNobodyToGiveThePlayerUp", func(w *world, a, b *post) {
			p := w.load(a.Server, "alice")
			id := b.send("alice", letter("unknown", "1"))
			ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
			defer cancel()
			if _, err := b.Deliver(ctx, "alice", id); err == nil {
				w.Error("Deliver of what nobody handles succeeded")
			}
			if p.Err() != nil || !p.CanSave() {
				w.Error("the player was taken from its server")
			}
		}},
		{"TakesNobodyFromAServerThatWasFaster", func(w *world, a, b *post) {
			a.visit("alice")
			id := a.send("alice", letter("unknown", "1"))
			b.f.Use(first(func(c *faulty.Call) faulty.Fault {
				return faulty.Fault{HoldAnswer: c.Op == faulty.Read && slices.Equal(c.Keys, []string{"person/alice"})}
			}))
			ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
			defer cancel()
			delivered := make(chan error, 1)
			go func() { _, err := b.Deliver(ctx, "alice", id); delivered <- err }()
			synctest.Wait() // it has seen that nobody holds the player
			p := w.load(a.Server, "alice")
			b.f.ReleaseAll()
			w.fails("Deliver", <-delivered, profile.ErrUnhandled)
			settle()
			if now, ok := a.Profile("alice"); !ok || now != p {
				w.Error("the player was taken from the game")
			}
		}},
		{"WaitsForTheTakeOverOfWhoseServerIsDead", func(w *world, a, b *post) {
			w.load(a.Server, "alice")
			a.crash()
			id := b.send("alice", letter("give", "1"))
			if _, err := b.Deliver(w.ctx, "alice", id); err != nil {
				w.Errorf("Deliver = %v", err)
			}
			w.has(w.load(b.Server, "alice"), "1")
		}},
		{"AloneHandlesNothingThatWasSentBefore", func(w *world, a, b *post) {
			p := w.load(a.Server, "alice")
			const waits = `{"format":1,"topic":"give","body":5,"until":"2030-01-01T00:00:00Z","for":""}`
			for i, srv := range []*post{a, b} { // where the player is, and elsewhere
				w.put(fmt.Sprint("person/alice/mail/early", i), waits) // nobody is told of it
				late := fmt.Sprint("late", i)
				w.put("person/alice/mail/"+late, waits)
				out, err := srv.DeliverAlone(w.ctx, "alice", late)
				if err != nil || string(out.Result) != fmt.Sprint(5*(i+1)) {
					w.Errorf("DeliverAlone of %s = %s, %v", late, out.Result, err)
				}
			}
			w.has(p, "late0", "late1")
			if err := p.HandleMessages(w.ctx); err != nil {
				w.Fatal(err)
			}
			w.has(p, "late0", "late1", "early0", "early1")
		}},
		{"AloneManyTimesForgetsWhatHasLanded", func(w *world, a, b *post) {
			p := w.load(a.Server, "alice")
			var want []string
			for i := range 200 {
				id := fmt.Sprint(i)
				w.put("person/alice/mail/"+id, `{"format":1,"topic":"give","body":5,"until":"2030-01-01T00:00:00Z","for":""}`)
				if _, err := a.DeliverAlone(w.ctx, "alice", id); err != nil {
					w.Fatal(err)
				}
				want = append(want, id)
			}
			w.has(p, want...)
			if n := profile.Letters(p); n > 70 {
				w.Errorf("%d outcomes are kept of messages that are gone, at most 65 and those under way wanted", n)
			}
		}},
		{"OfWhatWasNeverSentOpensNobody", func(w *world, a, b *post) {
			for _, who := range []string{"alice", "nobody"} {
				if who == "alice" {
					a.visit(who)
				}
				_, err := b.Deliver(w.ctx, who, "1")
				w.fails("Deliver", err, profile.ErrGone)
				if _, ok := b.Profile(who); ok {
					w.Errorf("%s was opened", who)
				}
			}
			if owner, err := b.Session().Owner(w.ctx, person.Key("nobody")); err != nil || owner.Exists {
				w.Errorf("Deliver to nobody made a profile: %+v, %v", owner, err)
			}
		}},
		{"ToWhoeverComesWaitsForHim", func(w *world, a, b *post) {
			if _, err := a.Send(w.ctx, "newcomer", letter("give", "1"), &profile.SendOptions{Whoever: true}); err != nil {
				w.Fatal(err)
			}
			_, err := b.Deliver(w.ctx, "newcomer", "1")
			w.fails("Deliver", err, profile.ErrUnhandled)
			p, err := b.Open(w.ctx, "newcomer", nil)
			if err != nil || !p.Fresh() {
				w.Fatalf("Open of a newcomer: fresh = %v, %v", p.Fresh(), err)
			}
			w.has(p, "1")
		}},
		{"ToTheErasedIsRefused", func(w *world, a, b *post) {
			a.visit("alice")
			id := a.send("alice", letter("give", "1"))
			birth := w.load(a.Server, "alice").Session().Birth()
			w.close(w.load(a.Server, "alice"))
			w.put("person/alice", fmt.Sprintf(`{"format":1,"birth":%q,"erased":true,"revision":1}`, birth))
			w.put("person/alice/mail/2", `{"format":1,"topic":"give","body":5,"until":"2030-01-01T00:00:00Z","for":""}`)
			for _, o := range []*profile.SendOptions{nil, {Whoever: true}} {
				_, err := b.Send(w.ctx, "alice", letter("give", ""), o)
				w.fails("Send", err, session.ErrErased)
			}
			_, err := b.Deliver(w.ctx, "alice", "2")
			w.fails("Deliver", err, session.ErrErased)
			if out, err := b.Deliver(w.ctx, "alice", id); err != nil || string(out.Result) != "5" {
				w.Errorf("Deliver of what was handled before = %s, %v", out.Result, err)
			}
		}},
		{"ToAnErroredProfileIsAnErrorAndStays", func(w *world, a, b *post) {
			a.visit("alice")
			id := b.send("alice", letter("give", "1"))
			if err := w.db.Damage("person/alice"); err != nil {
				w.Fatal(err)
			}
			_, err := b.Deliver(w.ctx, "alice", id)
			w.fails("Deliver", err, driver.ErrCorrupt)
			p := w.loadAny(a.Server, "alice")
			w.fails("HandleMessages", p.HandleMessages(w.ctx), profile.ErrErrored)
			err = p.Update(func(tx *profile.Tx) error { _, err := tx.Send(person.Key("bob"), letter("give", "")); return err })
			w.fails("Tx.Send of an errored profile", err, profile.ErrNoOutbox)
			if got := w.left("alice", "mail"); !slices.Equal(got, []string{"1"}) {
				w.Errorf("mail = %q, want the message", got)
			}
		}},
		{"OfALargeResultTravels", func(w *world, a, b *post) {
			err := a.Handle("echo", func(_ *profile.Tx, m *profile.Message) (json.RawMessage, error) { return m.Body, nil })
			if err != nil {
				w.Fatal(err)
			}
			w.load(a.Server, "alice")
			for _, n := range []int{100, profile.MaxMessageBody} {
				m := profile.Message{Topic: "echo", Body: quoted(n)}
				out, err := b.Deliver(w.ctx, "alice", b.send("alice", m))
				if err != nil || len(out.Result) != n {
					w.Errorf("Deliver of %d bytes = %d bytes, %v", n, len(out.Result), err)
				}
			}
		}},
		{"EndsWithTheServer", func(w *world, a, b *post) {
			w.load(a.Server, "alice")
			a.f.Use(naming("~journal", faulty.Fault{Err: faulty.ErrDown}))
			id := b.send("alice", letter("give", "1"))
			delivered := make(chan error, 1)
			go func() { _, err := b.Deliver(w.ctx, "alice", id); delivered <- err }()
			time.Sleep(time.Second)
			if _, err := b.Close(w.ctx); err != nil {
				w.Fatal(err)
			}
			if b.Session().DB().Close(w.ctx) != nil {
				w.Fatal("the database does not close")
			}
			w.fails("Deliver", <-delivered, driver.ErrClosed)
			a.f.Use()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.posts(true)
				c.run(w, a, b)
			})
		})
	}
}

// TestGift has a gift from bob, on server a, to alice.
func TestGift(t *testing.T) {
	give := func(p *profile.Profile, fail error) error {
		return p.Update(func(tx *profile.Tx) error {
			_ = given.Add(tx, -5)
			if _, err := tx.Send(person.Key("alice"), letter("give", "gift")); err != nil {
				return err
			}
			return fail
		})
	}
	for _, c := range []struct {
		name       string
		run        func(w *world, a *post, p *profile.Profile)
		bob, alice int64
	}{
		{"LeavesWithTheUpdate", func(w *world, a *post, p *profile.Profile) {
			w.fails("Update", give(p, nil), nil)
			settle()
		}, -5, 5},
		{"StaysIfTheUpdateFails", func(w *world, a *post, p *profile.Profile) {
			fail := errors.New("no")
			w.fails("Update", give(p, fail), fail)
			settle()
		}, 0, 0},
		{"StaysIfAWriteIsRefused", func(w *world, a *post, p *profile.Profile) {
			err := p.Update(func(tx *profile.Tx) error {
				_, _ = tx.Send(person.Key("alice"), letter("give", "gift"))
				_ = given.Add(tx, 5000)
				return nil
			})
			w.fails("Update", err, profile.ErrRange)
			settle()
		}, 0, 0},
		{"StaysIfTheUpdatePanics", func(w *world, a *post, p *profile.Profile) {
			func() {
				defer func() { _ = recover() }()
				_ = p.Update(func(tx *profile.Tx) error {
					_, _ = tx.Send(person.Key("alice"), letter("give", "gift"))
					panic("in an update")
				})
			}()
			settle()
		}, 0, 0},
		{"IsNotSentWhenItsMessageIsRefused", func(w *world, a *post, p *profile.Profile) {
			err := p.Update(func(tx *profile.Tx) error {
				_ = given.Add(tx, -5)
				_, _ = tx.Send(person.Key("alice"), profile.Message{}) // no topic
				return nil
			})
			w.fails("Update", err, driver.ErrInvalid)
			settle()
		}, 0, 0},
		{"CrashBeforeTheAppendKeepsNeither", func(w *world, a *post, p *profile.Profile) {
			a.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}, faulty.Commit))
			w.fails("Update", give(p, nil), nil)
			settle()
			a.crash()
		}, 0, 0},
		{"CrashAfterTheAppendKeepsBoth", func(w *world, a *post, p *profile.Profile) {
			a.f.Use(naming("person/bob", faulty.Fault{Err: faulty.ErrDown}))
			w.fails("Update", give(p, nil), nil)
			settle()
			a.crash()
		}, -5, 5},
		{"CrashAfterTheSaveKeepsBoth", func(w *world, a *post, p *profile.Profile) {
			w.fails("Update", give(p, nil), nil)
			settle()
			a.crash()
		}, -5, 5},
		{"LostAnswerOfTheSaveSendsOne", func(w *world, a *post, p *profile.Profile) {
			a.f.Use(first(naming("person/bob", faulty.Fault{Lost: true})))
			w.fails("Update", give(p, nil), nil)
			settle()
		}, -5, 5},
		{"LateSaveAfterItWasHandledSendsNoOther", func(w *world, a *post, p *profile.Profile) {
			a.f.Use(first(naming("person/bob", faulty.Fault{Late: true})))
			w.fails("Update", give(p, nil), nil)
			settle()
			a.f.ReleaseAll()
			settle()
		}, -5, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.posts(true)
				b.visit("alice")
				alice := w.load(b.Server, "alice")
				c.run(w, a, w.load(a.Server, "bob"))
				time.Sleep(time.Minute)
				if got := given.Get(alice); got != c.alice {
					t.Errorf("alice was given %d, want %d", got, c.alice)
				}
				if got := given.Get(w.load(b.Server, "bob")); got != c.bob {
					t.Errorf("bob was given %d, want %d", got, c.bob)
				}
			})
		})
	}
	t.Run("IsRefusedWhenTheOutboxIsFull", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.post("a", nil, nil)
			p := w.load(a.Server, "bob")
			a.f.Use(naming("person/bob", faulty.Fault{Err: faulty.ErrDown}))
			sent := 0
			for {
				err := p.Update(func(tx *profile.Tx) error {
					_ = given.Add(tx, -1)
					_, err := tx.Send(person.Key("alice"), profile.Message{Topic: "give", Body: json.RawMessage("1")})
					return err
				})
				if err != nil {
					w.fails("Update", err, session.ErrOutboxFull)
					break
				}
				sent++
			}
			if sent != session.MaxOutbox || given.Get(p) != -int64(sent) {
				t.Errorf("%d gifts were sent, and bob was given %d; want %d and the opposite", sent, given.Get(p), session.MaxOutbox)
			}
			a.f.Use()
			time.Sleep(time.Minute)
			if got := w.left("alice", "mail"); len(got) != sent {
				t.Errorf("%d messages wait for alice, want %d", len(got), sent)
			}
		})
	})
}

func TestResend(t *testing.T) {
	// died has alice with a dead letter.
	died := func(w *world, a, b *post, id string) {
		w.Helper()
		m := letter("bad", id)
		m.Until = time.Now().Add(3 * time.Hour)
		b.send("alice", m)
		a.visit("alice")
		if got := w.left("alice", "dead"); !slices.Equal(got, []string{id}) {
			w.Fatalf("dead letters = %q, want %q", got, id)
		}
		a.bad, b.bad = nil, nil
	}
	for _, where := range []string{"Here", "Elsewhere", "Offline"} {
		t.Run("OfWhoIs"+where+"HasItHandledOnce", func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.posts(true)
				a.visit("alice")
				died(w, a, b, "1")
				time.Sleep(time.Hour)
				switch where {
				case "Here":
					w.load(b.Server, "alice")
				case "Elsewhere":
					w.load(a.Server, "alice")
				}
				id, err := b.Resend(w.ctx, "alice", "1", "mended")
				if err != nil {
					t.Fatalf("Resend: %v", err)
				}
				_, err = b.Resend(w.ctx, "alice", "1", "mended")
				w.fails("Resend again", err, profile.ErrGone)
				if out, err := b.Deliver(w.ctx, "alice", id); err != nil || string(out.Result) != "5" {
					t.Errorf("Deliver of what was sent again = %s, %v", out.Result, err)
				}
				w.has(w.load(b.Server, "alice"), id)
			})
		})
	}
	t.Run("ManyTimesAtOnceSendsOne", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.posts(true)
			a.visit("alice")
			died(w, a, b, "1")
			p := w.load(a.Server, "alice")
			a.f.Use(naming("person/alice", faulty.Fault{Hold: true})) // no save: the dead letter stays to be read
			errs := make(chan error, 10)
			for i := range 10 {
				go func() { _, err := []*post{a, b}[i%2].Resend(w.ctx, "alice", "1", "mended"); errs <- err }()
			}
			time.Sleep(time.Second)
			a.f.Use()
			a.f.ReleaseAll()
			for range 10 {
				if err := <-errs; err != nil && !errors.Is(err, profile.ErrGone) {
					t.Errorf("Resend = %v", err)
				}
			}
			settle()
			if got := noted(p); len(got) != 1 {
				t.Errorf("handled %q, want one", got)
			}
		})
	})
	t.Run("LivesAsLongAsAtFirst", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.posts(true)
			a.visit("alice")
			died(w, a, b, "1")
			time.Sleep(2 * time.Hour)
			a.full.Store(true)
			if err := a.Handle("other", a.answering(a.later)); err != nil {
				t.Fatal(err)
			}
			a.bad, b.bad = fmt.Errorf("full: %w", profile.ErrLater), fmt.Errorf("full: %w", profile.ErrLater)
			if _, err := b.Resend(w.ctx, "alice", "1", ""); err != nil {
				t.Fatal(err)
			}
			settle()
			for m, err := range b.Messages(w.ctx, "alice") {
				if left := time.Until(m.Until); err != nil || left < 2*time.Hour+50*time.Minute || left > 3*time.Hour || m.From != "b" {
					t.Errorf("it lives for %v, %v, want three hours", left, err)
				}
			}
		})
	})
	t.Run("OfADamagedOneIsRefusedAndItCanBeDiscarded", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.posts(true)
			a.visit("alice")
			died(w, a, b, "1")
			if err := w.db.Damage("person/alice/dead/1"); err != nil {
				t.Fatal(err)
			}
			_, err := b.Resend(w.ctx, "alice", "1", "")
			w.fails("Resend", err, driver.ErrCorrupt)
			for d, err := range b.DeadLetters(w.ctx, "alice") {
				if d.ID != "person/alice/dead/1" || !errors.Is(err, driver.ErrCorrupt) {
					t.Errorf("DeadLetters yields %q, %v", d.ID, err)
				}
			}
			if err := b.Discard(w.ctx, "alice", "1", "damaged"); err != nil {
				t.Errorf("Discard = %v", err)
			}
			w.put("person/alice/dead/2", `{"format":3}`)
			w.fails("Discard of a newer one", b.Discard(w.ctx, "alice", "2", "x"), driver.ErrCorrupt)
			if got := w.left("alice", "dead"); !slices.Equal(got, []string{"2"}) {
				t.Errorf("dead letters = %q, want the newer one", got)
			}
		})
	})
	t.Run("OfAllIsListedAcrossPlayers", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, _ := w.posts(true)
			var want []string
			for i := range 30 {
				who := fmt.Sprint("p/", 10+i)
				a.visit(who)
				a.send(who, letter("bad", "x/y"))
				a.visit(who)
				want = append(want, who)
			}
			var got []string
			for d, err := range profile.AllDeadLetters(w.ctx, a.Session().DB(), "person") {
				if err != nil || d.ID != "x/y" || !strings.Contains(d.Reason, "bad message") {
					t.Errorf("AllDeadLetters yields %+v, %v", d, err)
				}
				got = append(got, d.To.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("AllDeadLetters yields those of %q, want %q", got, want)
			}
		})
	})
}

func TestTool(t *testing.T) {
	t.Run("LeavesChangesByIDToTheGame", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.post("a", nil, nil)
			w.close(w.load(a.Server, "alice"))
			a.f.Use(naming("~journal", faulty.Fault{Err: faulty.ErrDown}))
			ctx, cancel := context.WithTimeout(w.ctx, time.Second)
			defer cancel()
			_, err := a.Change(ctx, "alice", []profile.Op{given.AddOp(5)}, nil)
			if err == nil {
				t.Fatal("the change was made at once")
			}
			a.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown})) // and its server dies
			tool := w.serverOn("tool", open{w.db}, profile.NewSchema("person"), &profile.Options{Tool: true})
			w.close(w.load(tool, "alice"))
			b := w.post("b", nil, nil)
			if got := given.Get(w.load(b.Server, "alice")); got != 5 {
				t.Errorf("given %d, want 5: a tool does not know the field", got)
			}
		})
	})
}

// Its handler has failed for good, and no save has told the database yet.
func TestResendOfALetterThatHasJustDied(t *testing.T) {
	for _, what := range []string{"Resend", "Discard"} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.posts(true)
				w.load(a.Server, "alice")
				settle()
				a.f.Use(naming("person/alice", faulty.Fault{Hold: true})) // its saves are slow
				b.send("alice", letter("bad", "1"))
				_, err := b.Deliver(w.ctx, "alice", "1")
				var dead *profile.DeadError
				if !errors.As(err, &dead) {
					t.Fatalf("Deliver = %v, want a DeadError", err)
				}
				a.bad = nil
				done := make(chan error, 1)
				go func() {
					var err error
					if what == "Resend" {
						_, err = b.Resend(w.ctx, "alice", "1", "mended")
					} else {
						err = b.Discard(w.ctx, "alice", "1", "worthless")
					}
					done <- err
				}()
				time.Sleep(time.Second)
				a.f.Use()
				a.f.ReleaseAll()
				err = <-done
				settle()
				if err != nil {
					t.Errorf("%s = %v, and the dead letters are %q", what, err, w.left("alice", "dead"))
				}
				if left := w.left("alice", "dead"); left != nil {
					t.Errorf("dead letters = %q, want none", left)
				}
			})
		})
	}
}

// A second sending of the same message lets the outcome of the first stay longer; the sweep
// must not go by what is stored.
func TestMarkerThatIsLengthenedWhileItIsSwept(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.posts(true)
		p := w.load(a.Server, "alice")
		m := letter("give", "x")
		m.Until = time.Now().Add(10 * time.Second)
		b.send("alice", m)
		settle()
		time.Sleep(time.Until(m.Until.Add(time.Hour - time.Second)))
		a.f.Use(naming("person/alice", faulty.Fault{Hold: true})) // a save takes two seconds
		m.Until = time.Now().Add(time.Hour)
		b.send("alice", m) // the same once more: its marker stays for another two hours
		time.Sleep(2 * time.Second)
		id := 0
		for { // a message after which markers are swept
			h := fnv.New32a()
			fmt.Fprintf(h, "person/alice/mail/s%d", id)
			if h.Sum32()%32 == 0 {
				break
			}
			id++
		}
		b.send("alice", letter("give", fmt.Sprint("s", id)))
		time.Sleep(time.Second)
		a.f.Use()
		a.f.ReleaseAll()
		settle()
		m.Until = time.Now().Add(time.Hour)
		b.send("alice", m) // and once more, within its life
		settle()
		w.close(p)
		p = w.load(a.Server, "alice")
		settle()
		w.has(p, "x", fmt.Sprint("s", id))
	})
}
