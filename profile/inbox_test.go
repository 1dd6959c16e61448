package profile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// TestMessageIsHandledOnce has what may go wrong with a message to alice, who is on
// server a when it begins.
func TestMessageIsHandledOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(w *world, a, b *post, p *profile.Profile)
	}{
		{"ThoughTheOwnerCrashesBeforeTheAppend", func(w *world, a, b *post, p *profile.Profile) {
			a.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}, faulty.Commit))
			b.send("alice", letter("give", "1"))
			a.mailNow(p)
			a.crash()
			time.Sleep(time.Minute)
			w.has(w.load(b.Server, "alice"), "1")
		}},
		{"ThoughTheOwnerCrashesBetweenAppendAndSave", func(w *world, a, b *post, p *profile.Profile) {
			a.f.Use(naming("person/alice", faulty.Fault{Err: faulty.ErrDown}))
			b.send("alice", letter("give", "1"))
			a.mailNow(p)
			w.has(p, "1")
			if got := w.left("alice", "mail"); len(got) != 1 {
				w.Errorf("mail before the save = %q, want the message", got)
			}
			a.crash()
			time.Sleep(time.Minute)
			w.has(w.load(b.Server, "alice"), "1")
			if got := w.left("alice", "mail"); len(got) > 0 {
				w.Errorf("mail after the take-over = %q, want none", got)
			}
		}},
		{"ThoughTheOwnerCrashesAfterTheSave", func(w *world, a, b *post, p *profile.Profile) {
			b.send("alice", letter("give", "1"))
			settle()
			a.crash()
			time.Sleep(time.Minute)
			w.has(w.load(b.Server, "alice"), "1")
		}},
		{"ThoughTheAnswerOfItsSaveIsLost", func(w *world, a, b *post, p *profile.Profile) {
			a.f.Use(first(naming("person/alice", faulty.Fault{Lost: true})))
			b.send("alice", letter("give", "1"))
			time.Sleep(time.Minute)
			w.has(p, "1")
			w.close(p)
			w.has(w.load(b.Server, "alice"), "1")
		}},
		{"ThoughTheAnswerOfItsSendingIsLost", func(w *world, a, b *post, p *profile.Profile) {
			b.f.Use(first(naming("person/alice/mail", faulty.Fault{Lost: true})))
			b.send("alice", letter("give", "1"))
			time.Sleep(time.Minute)
			w.has(p, "1")
		}},
		{"ThoughItsSendingIsCarriedOutAgainLongAfter", func(w *world, a, b *post, p *profile.Profile) {
			b.f.Use(first(naming("person/alice/mail", faulty.Fault{Late: true})))
			b.send("alice", letter("give", "1")) // by a second try
			settle()
			w.has(p, "1")
			time.Sleep(time.Hour)
			b.f.ReleaseAll() // the first one arrives
			if got := w.left("alice", "mail"); len(got) != 1 {
				w.Fatalf("mail = %q, want the late one", got)
			}
			w.close(p)
			w.has(w.load(b.Server, "alice"), "1")
			settle()
			if got := w.left("alice", "mail"); len(got) > 0 {
				w.Errorf("mail = %q, want none", got)
			}
		}},
		{"ThoughTwoServersSendItAtOnce", func(w *world, a, b *post, p *profile.Profile) {
			sent := make(chan error, 8)
			for i := range 8 {
				go func() {
					_, err := []*post{a, b}[i%2].Send(w.ctx, "alice", letter("give", "1"), nil)
					sent <- err
				}()
			}
			for range 8 {
				if err := <-sent; err != nil {
					w.Errorf("Send = %v", err)
				}
			}
			settle()
			w.has(p, "1")
		}},
		{"ThoughItIsSentAgainWithALongerLifeAndAgain", func(w *world, a, b *post, p *profile.Profile) {
			m := letter("give", "1")
			m.Until = time.Now().Add(2 * time.Second)
			b.send("alice", m)
			settle()
			m.Until = time.Now().Add(100 * time.Hour)
			b.send("alice", m)
			settle()
			time.Sleep(5 * time.Hour) // the first one's end is long over
			b.send("alice", letter("give", "2"))
			settle()
			b.send("alice", m) // the second one, carried out late
			settle()
			w.has(p, "1", "2")
		}},
		{"ThoughThePlayerIsHandedOverMeanwhile", func(w *world, a, b *post, p *profile.Profile) {
			for i := range 20 {
				b.send("alice", letter("give", fmt.Sprint(100+i)))
				if i == 10 {
					go func() { _, _ = b.Open(w.ctx, "alice", nil) }()
				}
			}
			settle()
			q, ok := b.Profile("alice")
			if !ok {
				w.Fatal("the player is not on b")
			}
			var want []string
			for i := range 20 {
				want = append(want, fmt.Sprint(100+i))
			}
			w.has(q, want...)
		}},
		{"ThoughItComesWhileThePlayerIsLoaded", func(w *world, a, b *post, p *profile.Profile) {
			w.close(p)
			a.f.Use(func(c *faulty.Call) faulty.Fault {
				if c.Op == faulty.List && strings.HasPrefix(c.Keys[0], "person/alice/mail") {
					return faulty.Fault{HoldAnswer: true}
				}
				return faulty.Fault{}
			})
			opened := make(chan error, 1)
			go func() { _, err := a.Open(w.ctx, "alice", nil); opened <- err }()
			synctest.Wait()
			b.send("alice", letter("give", "1")) // after the look
			synctest.Wait()
			a.f.Use()
			a.f.ReleaseAll()
			if err := <-opened; err != nil {
				w.Fatalf("Open = %v", err)
			}
			settle()
			p, _ = a.Profile("alice")
			w.has(p, "1")
		}},
		{"ThoughTheDatabaseIsAwayWhenItShouldBeHandled", func(w *world, a, b *post, p *profile.Profile) {
			a.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}))
			b.send("alice", letter("give", "1"))
			time.Sleep(3 * time.Second)
			a.f.Use()
			b.send("alice", letter("give", "2"))
			time.Sleep(time.Minute)
			w.has(p, "1", "2")
		}},
	} {
		for _, linked := range []bool{true, false} {
			name := c.name
			if !linked {
				name += "WithoutABus"
			}
			t.Run(name, func(t *testing.T) {
				bubble(t, func(w *world) {
					a, b := w.posts(linked)
					c.run(w, a, b, w.load(a.Server, "alice"))
				})
			})
		}
	}
}

// mailNow has a person's messages looked at, whatever rings, and waits for a while.
func (h *post) mailNow(p *profile.Profile) {
	h.w.Helper()
	ctx, cancel := context.WithTimeout(h.w.ctx, 2*time.Second)
	defer cancel()
	_ = p.HandleMessages(ctx)
}

func TestMessagesAreHandledInTheOrderOfTheirSending(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.posts(true)
		a.visit("alice")
		giver := w.load(b.Server, "bob")
		var want []string
		for range 4 { // many with one update, at one moment
			w.update(giver, func(tx *profile.Tx) {
				for range 40 {
					id, err := tx.Send(person.Key("alice"), letter("give", ""))
					if err != nil {
						t.Fatalf("Tx.Send: %v", err)
					}
					want = append(want, id)
				}
			})
			if err := giver.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			want = append(want, b.send("alice", letter("give", "")))
		}
		p := w.load(a.Server, "alice")
		w.has(p, want...) // though it is more than an outbox holds
		settle()
		if got := w.left("alice", "mail"); len(got) > 0 {
			t.Errorf("%d messages are left", len(got))
		}
	})
}

func TestRingThatIsLost(t *testing.T) {
	t.Run("IsMadeGoodByTheNextLook", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.posts(true)
			p := w.load(a.Server, "alice")
			b.deaf.Store(true)
			b.send("alice", letter("give", "1"))
			settle()
			w.has(p)
			b.deaf.Store(false)
			b.send("alice", letter("give", "2"))
			settle()
			w.has(p, "1", "2")
		})
	})
	t.Run("KeepsNoDeliveryFromItsEnd", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.posts(true)
			p := w.load(a.Server, "alice")
			a.deaf.Store(true) // neither question nor answer arrives
			b.deaf.Store(true)
			id := b.send("alice", letter("give", "1"))
			out, err := b.Deliver(w.ctx, "alice", id)
			if err != nil || string(out.Result) != "5" {
				t.Errorf("Deliver = %s, %v, want 5", out.Result, err)
			}
			w.has(p, "1")
		})
	})
}

func TestMessageEnds(t *testing.T) {
	t.Run("WhenItsTimeIsOver", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.posts(true)
			a.visit("alice")
			m := letter("give", "1")
			m.Until = time.Now().Add(time.Hour)
			b.send("alice", m)
			time.Sleep(time.Hour + time.Second)
			w.has(w.load(a.Server, "alice"))
			settle()
			if got := w.left("alice", "mail"); len(got) > 0 {
				t.Errorf("mail = %q, want none", got)
			}
			_, err := b.Deliver(w.ctx, "alice", "1")
			if !errors.Is(err, profile.ErrGone) {
				t.Errorf("Deliver of what came too late = %v, want ErrGone", err)
			}
		})
	})
	t.Run("ByTheDatabasesClock", func(t *testing.T) {
		bubble(t, func(w *world) {
			drv := &skewed{DB: w.db, by: 48 * time.Hour} // the servers' clocks are two days behind
			a := handleGiven(w, w.serverOn("a", drv, person, nil))
			p := w.load(a, "alice")
			w.close(p)
			m := letter("give", "1")
			m.Until = time.Now().Add(time.Hour)
			if _, err := a.Send(w.ctx, "alice", m, nil); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Send of what is over by the database's clock = %v, want ErrInvalid", err)
			}
			m.Until = time.Now().Add(49 * time.Hour)
			for range 2 {
				if _, err := a.Send(w.ctx, "alice", m, nil); err != nil {
					t.Fatalf("Send: %v", err)
				}
			}
			drv.set(-48 * time.Hour) // the clock is set back
			w.has(w.load(a, "alice"), "1")
		})
	})
	t.Run("IfAnotherProfileIsThere", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.posts(true)
			a.visit("alice")
			a.visit("bob")
			bob := w.load(a.Server, "bob").Session().Birth()
			m := letter("give", "1")
			m.For = bob
			b.send("alice", m)
			b.send("alice", letter("give", "2"))
			w.has(w.load(a.Server, "alice"), "2")
			if _, err := b.Deliver(w.ctx, "alice", "1"); !errors.Is(err, profile.ErrGone) {
				t.Errorf("Deliver of a message for another = %v, want ErrGone", err)
			}
		})
	})
}

func handleGiven(w *world, srv *profile.Server) *profile.Server {
	w.Helper()
	h := &post{w: w, Server: srv}
	if err := srv.Handle("give", h.answering(h.give)); err != nil {
		w.Fatal(err)
	}
	return srv
}

// skewed is a database whose wall clock goes wrong.
type skewed struct {
	driver.DB
	by    time.Duration
	extra atomic.Int64
}

func (s *skewed) set(more time.Duration) { s.extra.Add(int64(more)) }

func (s *skewed) Close() error { return nil }

func (s *skewed) shift(t *time.Time) {
	if !t.IsZero() {
		*t = t.Add(s.by + time.Duration(s.extra.Load()))
	}
}

func (s *skewed) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	out, err := s.DB.Commit(ctx, g)
	for i := range out {
		s.shift(&out[i].Updated.Wall)
	}
	return out, err
}

func (s *skewed) Read(ctx context.Context, keys ...string) (driver.Snapshot, error) {
	return s.snapshot(s.DB.Read(ctx, keys...))
}

func (s *skewed) List(ctx context.Context, q driver.Query) (driver.Snapshot, error) {
	return s.snapshot(s.DB.List(ctx, q))
}

func (s *skewed) snapshot(snap driver.Snapshot, err error) (driver.Snapshot, error) {
	s.shift(&snap.Now.Wall)
	for i := range snap.Entries {
		s.shift(&snap.Entries[i].Created)
		s.shift(&snap.Entries[i].Updated.Wall)
	}
	return snap, err
}

func TestMarker(t *testing.T) {
	t.Run("OutlivesItsMessage", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.posts(false)
			p := w.load(a.Server, "alice")
			m := letter("give", "1")
			m.Until = time.Now().Add(time.Hour)
			b.send("alice", m)
			settle()
			time.Sleep(time.Hour + 50*time.Minute)
			a.send("alice", letter("give", "2"))
			settle()
			if got := w.left("alice", "done"); !slices.Equal(got, []string{"1", "2"}) {
				t.Errorf("markers = %q, want both", got)
			}
			w.has(p, "1", "2")
		})
	})
	t.Run("IsSweptLater", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, _ := w.posts(false)
			p := w.load(a.Server, "alice")
			var want []string
			for round := range 3 { // more than one look sweeps
				for i := range 150 {
					m := letter("give", fmt.Sprintf("%d-%03d", round, i))
					m.Body, m.Until = json.RawMessage("0"), time.Now().Add(10*time.Second)
					a.send("alice", m)
					want = append(want, m.ID)
				}
				time.Sleep(2 * time.Hour)
			}
			if got := noted(p); !slices.Equal(got, want) {
				t.Errorf("%d messages were handled, want %d", len(got), len(want))
			}
			if got := w.left("alice", "done"); len(got) > 320 {
				t.Errorf("%d markers are left of 450, most of whose time is over", len(got))
			}
			a.sweeps("alice")
			settle()
			for _, id := range w.left("alice", "done") {
				if strings.Contains(id, "-") {
					t.Errorf("marker %q is left, whose time is over", id)
				}
			}
		})
	})
}

// sweeps sends so many messages that all markers are looked at.
func (h *post) sweeps(id string) {
	h.w.Helper()
	for i := range 400 {
		h.send(id, profile.Message{ID: fmt.Sprint("sweep", i), Topic: "give", Body: json.RawMessage("0")})
	}
	settle()
}

func TestHandlerThatFails(t *testing.T) {
	for _, topic := range []string{"bad", "panic", "mute", "flood", "large"} {
		t.Run(topic+"MakesADeadLetterAndNothingIsKept", func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.posts(true)
				p := w.load(a.Server, "alice")
				sent := time.Now()
				b.send("alice", letter(topic, "1"))
				_, err := b.Deliver(w.ctx, "alice", "1")
				var dead *profile.DeadError
				if !errors.As(err, &dead) || dead.Reason == "" {
					t.Fatalf("Deliver = %v, want a DeadError with a reason", err)
				}
				b.send("alice", letter("give", "2")) // it is in nobody's way
				settle()
				w.has(p, "2")
				n := 0
				for d, err := range b.DeadLetters(w.ctx, "alice") {
					if n++; err != nil || d.ID != "1" || d.Topic != topic || d.Reason != dead.Reason || !d.Sent.Equal(sent) || d.Died.Before(sent) || d.From != "b" {
						t.Errorf("DeadLetters yields %+v, %v", d, err)
					}
				}
				if n != 1 || len(w.left("alice", "mail")) > 0 {
					t.Errorf("%d dead letters, mail %q; want one and none", n, w.left("alice", "mail"))
				}
				b.send("alice", letter(topic, "1")) // the same message
				settle()
				if got := w.left("alice", "dead"); len(got) != 1 {
					t.Errorf("dead letters after it was sent again = %q", got)
				}
			})
		})
	}
	t.Run("BoundsRefusedInItMakeADeadLetter", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, _ := w.posts(true)
			p := w.load(a.Server, "alice")
			m := letter("give", "1")
			m.Body = json.RawMessage("5000") // over the field's maximum; the handler ignores that
			a.send("alice", m)
			_, err := a.Deliver(w.ctx, "alice", "1")
			var dead *profile.DeadError
			if !errors.As(err, &dead) || !strings.Contains(dead.Reason, "given") {
				t.Errorf("Deliver = %v, want a DeadError that names the field", err)
			}
			w.has(p)
		})
	})
	t.Run("ItsDeadLetterOutlivesTheMarkerOfAnotherOfItsID", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, _ := w.posts(true)
			p := w.load(a.Server, "alice")
			m := letter("bad", "1")
			m.Until = time.Now().Add(time.Minute)
			a.send("alice", m)
			time.Sleep(3 * time.Hour)
			a.sweeps("alice")
			m.Topic, m.Body, m.Until = "give", json.RawMessage("7"), time.Time{}
			a.send("alice", m)
			settle()
			if got := given.Get(p); got != 0 {
				t.Errorf("given %d, want 0: the id is taken by a dead letter", got)
			}
			for d, err := range a.DeadLetters(w.ctx, "alice") {
				if err != nil || string(d.Body) != "5" {
					t.Errorf("the dead letter is %s, %v, want that of the first", d.Body, err)
				}
			}
		})
	})
	t.Run("LaterStaysAndIsHandledLater", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.posts(true)
			p := w.load(a.Server, "alice")
			a.full.Store(true)
			b.send("alice", letter("later", "1"))
			b.send("alice", letter("give", "2"))
			_, err := b.Deliver(w.ctx, "alice", "1")
			var unhandled *profile.UnhandledError
			if !errors.As(err, &unhandled) || !strings.Contains(err.Error(), "no room") {
				t.Errorf("Deliver = %v, want an UnhandledError that says why", err)
			}
			w.has(p, "2")
			a.full.Store(false)
			if err := p.HandleMessages(w.ctx); err != nil {
				t.Errorf("HandleMessages = %v", err)
			}
			w.has(p, "2", "1")
		})
	})
	t.Run("NoHandlerLeavesIt", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.posts(true)
			p := w.load(a.Server, "alice")
			b.send("alice", letter("unknown", "1"))
			if _, err := b.Deliver(w.ctx, "alice", "1"); !errors.Is(err, profile.ErrUnhandled) {
				t.Errorf("Deliver = %v, want ErrUnhandled", err)
			}
			w.close(p)
			if _, err := b.Deliver(w.ctx, "alice", "1"); !errors.Is(err, profile.ErrUnhandled) {
				t.Errorf("Deliver of who is offline = %v, want ErrUnhandled", err)
			}
			if got := w.left("alice", "mail"); len(got) != 1 {
				t.Errorf("mail = %q, want the message", got)
			}
		})
	})
	t.Run("PreparationThatFails", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.post("a", nil, nil)
			var away atomic.Bool
			away.Store(true)
			err := a.HandlePrepared("prepared", func(_ context.Context, _ *profile.Profile, m *profile.Message) (any, error) {
				switch string(m.Body) {
				case "1":
					return nil, errors.New("cannot be")
				case "2":
					panic("in a preparation")
				}
				if away.Load() {
					return nil, driver.ErrUnavailable
				}
				return "ready", nil
			}, func(tx *profile.Tx, m *profile.Message) (json.RawMessage, error) {
				if m.Prepared() != "ready" {
					return nil, fmt.Errorf("prepared is %v", m.Prepared())
				}
				return nil, a.give(tx, m)
			})
			if err != nil {
				t.Fatal(err)
			}
			p := w.load(a.Server, "alice")
			for i := range 3 {
				a.send("alice", profile.Message{ID: fmt.Sprint(i + 1), Topic: "prepared", Body: json.RawMessage(fmt.Sprint(i + 1))})
			}
			time.Sleep(5 * time.Second)
			if got := w.left("alice", "dead"); !slices.Equal(got, []string{"1", "2"}) {
				t.Errorf("dead letters = %q, want 1 and 2", got)
			}
			if got := noted(p); len(got) > 0 {
				t.Errorf("handled without preparation: %q", got)
			}
			away.Store(false) // it was the database, and is tried again
			time.Sleep(5 * time.Second)
			if got := noted(p); !slices.Equal(got, []string{"3"}) {
				t.Errorf("handled %q, want 3", got)
			}
		})
	})
}

func TestMessagesThatCannotBeRead(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.posts(true)
		a.visit("alice")
		b.send("alice", letter("give", "damaged"))
		if err := w.db.Damage("person/alice/mail/damaged"); err != nil {
			t.Fatal(err)
		}
		w.put("person/alice/mail/malformed", "no json")
		w.put("person/alice/mail/newer", `{"format":3,"topic":["give"]}`)
		w.put("person/alice/mail/a/b", `{"format":1}`)
		b.send("alice", letter("give", "good"))
		p := w.load(a.Server, "alice")
		w.has(p, "good")
		settle()
		if got := w.left("alice", "mail"); !slices.Equal(got, []string{"a/b", "damaged", "malformed", "newer"}) {
			t.Errorf("mail = %q, want all that cannot be read", got)
		}
		want := map[string]error{
			"person/alice/mail/damaged": driver.ErrCorrupt, "person/alice/mail/malformed": driver.ErrCorrupt,
			"person/alice/mail/newer": driver.ErrFormat, "person/alice/mail/a/b": driver.ErrCorrupt,
		}
		for m, err := range a.Messages(w.ctx, "alice") {
			if !errors.Is(err, want[m.ID]) || want[m.ID] == nil {
				t.Errorf("Messages yields %q, %v, want %v", m.ID, err, want[m.ID])
			}
			delete(want, m.ID)
		}
		if len(want) > 0 {
			t.Errorf("Messages did not yield %v", want)
		}
		if _, err := b.Deliver(w.ctx, "alice", "damaged"); !errors.Is(err, profile.ErrUnhandled) {
			t.Errorf("Deliver of a damaged message = %v, want ErrUnhandled", err)
		}
	})
}

func TestIDsOfMessagesMayBeAnyText(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.posts(true)
		who := "al/ice%~\n" + strings.Repeat("é", 20)
		p := w.load(a.Server, who)
		ids := []string{"a/b", "%2F", "~x", "../done/1", "идея", "tab\t", " ", strings.Repeat("x", profile.MaxMessageID)}
		for _, id := range ids {
			b.send(who, letter("give", id))
			if out, err := b.Deliver(w.ctx, who, id); err != nil || out.Result == nil {
				t.Errorf("Deliver(%q) = %s, %v", id, out.Result, err)
			}
			b.send(who, letter("give", id))
		}
		settle()
		w.has(p, ids...)
		for _, id := range []string{strings.Repeat("x", profile.MaxMessageID+1), "a\x00b", "\xff"} {
			if _, err := b.Send(w.ctx, who, letter("give", id), nil); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Send(%q) = %v, want ErrInvalid", id, err)
			}
			if _, err := b.Deliver(w.ctx, who, id); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Deliver(%q) = %v, want ErrInvalid", id, err)
			}
		}
	})
}

func TestSendRefusesWhatBreaksALimit(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.post("a", nil, nil)
		a.visit("alice")
		now := time.Now()
		for name, c := range map[string]struct {
			m    profile.Message
			o    profile.SendOptions
			want error
		}{
			"NoTopic":    {profile.Message{}, profile.SendOptions{}, driver.ErrInvalid},
			"LongTopic":  {profile.Message{Topic: strings.Repeat("x", profile.MaxTopic+1)}, profile.SendOptions{}, driver.ErrInvalid},
			"Over":       {profile.Message{Topic: "x", Until: now}, profile.SendOptions{}, driver.ErrInvalid},
			"TooLong":    {profile.Message{Topic: "x", Until: now.Add(profile.MaxMessageLife + time.Minute)}, profile.SendOptions{}, driver.ErrInvalid},
			"LongReason": {profile.Message{Topic: "x", Reason: strings.Repeat("x", session.MaxReason+1)}, profile.SendOptions{}, driver.ErrInvalid},
			"NoJSON":     {profile.Message{Topic: "x", Body: json.RawMessage("{")}, profile.SendOptions{}, document.ErrInvalid},
			"Large":      {profile.Message{Topic: "x", Body: quoted(profile.MaxMessageBody + 1)}, profile.SendOptions{}, document.ErrTooLarge},
			"Most":       {profile.Message{Topic: "x"}, profile.SendOptions{Most: profile.MaxMessages + 1}, driver.ErrInvalid},
			"Largest":    {profile.Message{Topic: "x", Body: quoted(profile.MaxMessageBody)}, profile.SendOptions{}, nil},
		} {
			if _, err := a.Send(w.ctx, "alice", c.m, &c.o); !errors.Is(err, c.want) {
				t.Errorf("%s: Send = %v, want %v", name, err, c.want)
			}
		}
		if got := w.left("alice", "mail"); len(got) != 1 {
			t.Errorf("mail = %q, want the largest only", got)
		}
	})
}

// quoted returns JSON text of n bytes.
func quoted(n int) json.RawMessage { return json.RawMessage(`"` + strings.Repeat("x", n-2) + `"`) }

func TestMailboxIsBounded(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.post("a", nil, nil)
		a.visit("alice")
		message := func(id string) profile.Message {
			return profile.Message{ID: id, Topic: "give", Body: json.RawMessage("0")}
		}
		for i := range profile.MaxMessages {
			a.send("alice", message(fmt.Sprint(1000+i)))
		}
		_, err := a.Send(w.ctx, "alice", message("one more"), nil)
		if !errors.Is(err, profile.ErrFull) {
			t.Errorf("Send to a full mailbox = %v, want ErrFull", err)
		}
		a.send("alice", message("1500")) // it is there
		p := w.load(a.Server, "alice")   // far more than an outbox holds
		if n := len(noted(p)); n != profile.MaxMessages {
			t.Errorf("%d messages were handled with the load, want %d", n, profile.MaxMessages)
		}
		settle()
		a.send("alice", message("one more"))
	})
}

func TestClosingWhileMessagesAreHandled(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.posts(true)
		w.load(a.Server, "alice")
		for i := range 50 {
			b.send("alice", letter("give", fmt.Sprint(100+i)))
		}
		if _, err := a.Close(w.ctx); err != nil {
			t.Fatalf("Close: %v", err)
		}
		p := w.load(b.Server, "alice")
		if got := noted(p); len(got) != 50 || len(slices.Compact(got)) != 50 {
			t.Errorf("handled %q, want each of 50 once", got)
		}
	})
}
