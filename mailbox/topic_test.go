package mailbox_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/mailbox"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

func TestSend(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(w *world, a, b *host)
	}{
		{"ReachesAPlayerWhoIsHere", func(w *world, a, b *host) {
			p := a.load("alice")
			a.send("alice", Present{Coins: 5}, nil)
			settle()
			w.has(p, 105)
		}},
		{"ReachesAPlayerWhoIsElsewhere", func(w *world, a, b *host) {
			p := b.load("alice")
			a.send("alice", Present{Coins: 5}, nil)
			settle()
			w.has(p, 105)
		}},
		{"ReachesAPlayerWhoIsOffline", func(w *world, a, b *host) {
			a.visit("alice")
			a.send("alice", Present{Coins: 5}, nil)
			for range 3 {
				if got := b.visit("alice"); got != 105 {
					w.Errorf("coins = %d, want 105", got)
				}
			}
		}},
		{"TwiceWithOneIDIsHandledOnce", func(w *world, a, b *host) {
			a.visit("alice")
			for _, h := range []*host{a, b} {
				h.send("alice", Present{Coins: 5}, &mailbox.SendOptions{ID: "daily"})
			}
			p := b.load("alice")
			a.send("alice", Present{Coins: 5}, &mailbox.SendOptions{ID: "daily"})
			settle()
			w.has(p, 105)
		}},
		{"ToNobodyIsRefusedUnlessWhoeverComesIsMeant", func(w *world, a, b *host) {
			_, err := gift.Send(w.ctx, a.box, "nobody", Present{}, nil)
			w.refused("Send to nobody", err, session.ErrNotFound)
			a.send("nobody", Present{Coins: 7}, &mailbox.SendOptions{Whoever: true})
			w.has(b.load("nobody"), 107)
		}},
		{"EndsAfterItsLife", func(w *world, a, b *host) {
			a.visit("alice")
			a.send("alice", Present{Coins: 5}, &mailbox.SendOptions{Life: time.Hour})
			time.Sleep(time.Hour + time.Second)
			if got := b.visit("alice"); got != 100 {
				w.Errorf("coins after the mail's end = %d, want 100", got)
			}
			if left := w.keys("player/alice/mail/"); len(left) > 0 {
				w.Errorf("mail that is over is still there: %v", left)
			}
		}},
		{"LaterStaysAndComesWithTheNextLoad", func(w *world, a, b *host) {
			p := a.load("alice")
			a.send("alice", Present{Coins: 5, Do: "later"}, nil)
			settle()
			w.has(p, 100)
			n := 0
			for m, err := range a.box.Waiting(w.ctx, "alice") {
				if n++; err != nil || m.Topic != "gift" {
					w.Errorf("Waiting yields %+v, %v", m, err)
				}
			}
			if n != 1 {
				w.Errorf("%d wait, want 1", n)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) { c.run(w, w.server("a", nil), w.server("b", nil)) })
		})
	}
}

func TestFullMailboxIsAnError(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", &mailbox.Options{Most: 3})
		p := a.load("bob")
		a.visit("alice")
		for i := range 3 {
			if n, err := a.box.Room(w.ctx, "alice"); n != 3-i || err != nil {
				t.Errorf("Room = %d, %v, want %d", n, err, 3-i)
			}
			a.send("alice", Present{Coins: 1}, &mailbox.SendOptions{ID: strings.Repeat("x", i+1)})
		}
		_, err := gift.Send(w.ctx, a.box, "alice", Present{Coins: 1}, nil)
		w.refused("Send to a full mailbox", err, profile.ErrFull)
		a.send("alice", Present{Coins: 1}, &mailbox.SendOptions{ID: "x"}) // it is there
		_, err = gift.Give(w.ctx, a.box, p, "alice", Present{Coins: 1}, nil, func(tx *profile.Tx) error { return coins.Add(tx, -1) })
		w.refused("Give to a full mailbox", err, profile.ErrFull)
		w.has(p, 100)
		if got := a.visit("alice"); got != 103 {
			t.Errorf("coins = %d, want 103", got)
		}
		a.send("alice", Present{Coins: 1}, nil)
	})
}

func TestWhatIsOutOfBoundsIsRefused(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", nil)
		a.visit("alice")
		for name, c := range map[string]struct {
			topic mailbox.Topic[Present]
			body  Present
			o     mailbox.SendOptions
			want  error
		}{
			"EmptyTopic":    {"", Present{}, mailbox.SendOptions{}, driver.ErrInvalid},
			"LongTopic":     {mailbox.Topic[Present](strings.Repeat("x", 51)), Present{}, mailbox.SendOptions{}, driver.ErrInvalid},
			"SystemTopic":   {"~gift", Present{}, mailbox.SendOptions{}, driver.ErrInvalid},
			"SystemID":      {"gift", Present{}, mailbox.SendOptions{ID: "~1"}, driver.ErrInvalid},
			"LongID":        {"gift", Present{}, mailbox.SendOptions{ID: strings.Repeat("x", 101)}, driver.ErrInvalid},
			"NoUTF8":        {"gift", Present{}, mailbox.SendOptions{ID: "\xff"}, driver.ErrInvalid},
			"ShortLife":     {"gift", Present{}, mailbox.SendOptions{Life: time.Second}, driver.ErrInvalid},
			"NegativeLife":  {"gift", Present{}, mailbox.SendOptions{Life: -time.Hour}, driver.ErrInvalid},
			"LongLife":      {"gift", Present{}, mailbox.SendOptions{Life: mailbox.MaxLife + 1}, driver.ErrInvalid},
			"LongReason":    {"gift", Present{}, mailbox.SendOptions{Reason: strings.Repeat("x", 201)}, driver.ErrInvalid},
			"LargeBody":     {"gift", Present{Do: strings.Repeat("x", profile.MaxMessageBody)}, mailbox.SendOptions{}, document.ErrTooLarge},
			"ShortestLives": {"gift", Present{}, mailbox.SendOptions{Life: mailbox.MinLife}, nil},
			"LongestLives":  {"gift", Present{}, mailbox.SendOptions{Life: mailbox.MaxLife}, nil},
		} {
			if _, err := c.topic.Send(w.ctx, a.box, "alice", c.body, &c.o); !errors.Is(err, c.want) {
				t.Errorf("%s: Send = %v, want %v", name, err, c.want)
			}
		}
		for _, o := range []mailbox.Options{{Most: -1}, {Most: profile.MaxMessages + 1}, {Poll: time.Millisecond}, {Poll: 2 * time.Hour}} {
			_, err := mailbox.Open(w.ctx, a.Server, &o)
			w.refused("Open", err, driver.ErrInvalid)
		}
		w.refused("a second handler", gift.Handle(a.box, a.take), driver.ErrInvalid)
		other, err := a.With(profile.NewSchema("guild"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = mailbox.Open(w.ctx, other, nil)
		w.refused("Open without the field", err, mailbox.ErrNoField)
	})
}

func TestGift(t *testing.T) {
	give := func(w *world, a *host, p *profile.Profile) (string, error) {
		return gift.Give(w.ctx, a.box, p, "bob", Present{Coins: 30}, nil, func(tx *profile.Tx) error { return coins.Add(tx, -30) })
	}
	t.Run("LeavesItsGiverAndReachesItsReceiver", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			p, q := a.load("alice"), b.load("bob")
			if _, err := give(w, a, p); err != nil {
				t.Fatalf("Give: %v", err)
			}
			settle()
			w.has(p, 70)
			w.has(q, 130)
			if got := told(q); len(got) != 1 || got[0] != " from alice 30" {
				t.Errorf("the receiver was told %q", got)
			}
		})
	})
	t.Run("StaysIfItIsRefused", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			p := a.load("alice")
			_, err := give(w, a, p)
			w.refused("Give to nobody", err, session.ErrNotFound)
			a.visit("bob")
			poor := errors.New("poor")
			_, err = gift.Give(w.ctx, a.box, p, "bob", Present{}, nil, func(tx *profile.Tx) error { _ = coins.Add(tx, -1); return poor })
			w.refused("Give of who has nothing", err, poor)
			_, err = gift.Give(w.ctx, a.box, p, "bob", Present{}, nil, func(tx *profile.Tx) error { _ = coins.Add(tx, -1000); return nil })
			w.refused("Give of too much", err, profile.ErrRange)
			settle()
			w.has(p, 100)
			if left := w.keys("player/bob/mail/"); len(left) > 0 {
				t.Errorf("a gift that was refused was sent: %v", left)
			}
		})
	})
	t.Run("HappensInMemoryIfTheWaitForTheDiskEnds", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			p := a.load("alice")
			a.visit("bob")
			a.f.Use(faulty.All(faulty.Fault{Hold: true}, faulty.Commit))
			ctx, cancel := context.WithTimeout(w.ctx, time.Second)
			defer cancel()
			id, err := gift.Give(ctx, a.box, p, "bob", Present{Coins: 30}, nil, func(tx *profile.Tx) error { return coins.Add(tx, -30) })
			w.refused("Give", err, profile.ErrNotDurable)
			if id == "" {
				t.Error("Give returned no id")
			}
			a.f.Use()
			a.f.ReleaseAll()
			settle()
			if got := w.keys("player/bob/mail/"); len(got) != 1 || got[0] != id {
				t.Errorf("mail of bob = %v, want %q", got, id)
			}
			w.has(p, 70)
		})
	})
	for _, c := range []struct {
		name       string
		fault      faulty.Plan
		alice, bob int64
	}{
		{"CrashBeforeTheAppendKeepsNeither", faulty.All(faulty.Fault{Err: faulty.ErrDown}, faulty.Commit), 100, 100},
		{"CrashAfterTheAppendKeepsBoth", faulty.Naming("player/alice", faulty.Fault{Err: faulty.ErrDown}), 70, 130},
		{"CrashAfterTheSaveKeepsBoth", nil, 70, 130},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.server("a", nil), w.server("b", nil)
				p := a.load("alice")
				b.visit("bob")
				if c.fault != nil {
					a.f.Use(c.fault)
				}
				ctx, cancel := context.WithTimeout(w.ctx, time.Second)
				defer cancel()
				_, _ = gift.Give(ctx, a.box, p, "bob", Present{Coins: 30}, nil, func(tx *profile.Tx) error { return coins.Add(tx, -30) })
				a.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}))
				time.Sleep(time.Minute)
				if alice, bob := b.visit("alice"), b.visit("bob"); alice != c.alice || bob != c.bob {
					t.Errorf("alice and bob have %d and %d, want %d and %d", alice, bob, c.alice, c.bob)
				}
			})
		})
	}
}
