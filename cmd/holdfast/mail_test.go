package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/mailbox"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// What the game of these tests gives to players by mail.
var (
	stars  = profile.Int("stars", 0)
	reader = profile.NewSchema("player", stars, mailbox.Received)
	prize  = mailbox.Topic[int64]("prize")
)

// office is a game server with a mailbox.
type office struct {
	*profile.Server
	box *mailbox.Mailbox
	w   *world
	bad error // of the handler
}

func (w *world) office() *office {
	w.Helper()
	db, err := store.New(kept{w.mem}, nil)
	if err != nil {
		w.Fatal(err)
	}
	srv, err := profile.Open(w.Context(), db, reader, &profile.Options{Session: session.Options{Name: "game"}})
	if err != nil {
		w.Fatal(err)
	}
	box, err := mailbox.Open(w.Context(), srv, &mailbox.Options{Poll: time.Second})
	if err != nil {
		w.Fatal(err)
	}
	o := &office{srv, box, w, nil}
	err = prize.Handle(box, func(tx *profile.Tx, m *mailbox.Mail[int64]) error {
		return errors.Join(stars.Add(tx, m.Body), o.bad)
	})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		_ = box.Close()
		_, _ = srv.Close(context.Background())
		_ = db.Close(context.Background())
	})
	return o
}

// visit loads a player, and returns him.
func (o *office) visit(id string) *profile.Profile {
	o.w.Helper()
	p, err := o.Open(o.w.Context(), id, nil)
	if err != nil {
		o.w.Fatal(err)
	}
	return p
}

func (o *office) leave(p *profile.Profile) {
	o.w.Helper()
	if err := p.Close(o.w.Context()); err != nil {
		o.w.Fatal(err)
	}
}

func (o *office) has(p *profile.Profile, want int64) {
	o.w.Helper()
	if got := stars.Get(p); got != want {
		o.w.Errorf("%v has %d stars, want %d", p.Key(), got, want)
	}
}

// inBubble runs fn in simulated time, with a database that outlives commands.
func inBubble(t *testing.T, fn func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fn(newWorld(t))
		synctest.Wait()
	})
}

func TestMail(t *testing.T) {
	t.Run("IsSentToWhoIsOfflineAndToWhoPlays", func(t *testing.T) {
		inBubble(t, func(w *world) {
			o := w.office()
			o.leave(o.visit("1"))
			w.run("mail", "send", "player/1", "--topic", "prize", "--body", "5", "--id", "x", "--reason", "won").is(exitOK, "Sent to player/1 as x: waits")
			w.run("mail", "send", "player/1", "--topic", "prize", "--body", "5", "--id", "x").is(exitOK) // the same
			got := lines[mailJSON](t, w.ok("mail", "list", "player/1", "--json"))
			if len(got) != 1 || got[0].ID != "x" || got[0].Topic != "prize" || string(got[0].Body) != "5" || got[0].Reason != "won" || got[0].To != "player/1" {
				t.Errorf("mail list --json = %+v", got)
			}
			w.run("mail", "player/1").is(exitOK, "TOPIC", "prize", "holdfast mail send")
			p := o.visit("1")
			o.has(p, 5)
			if got := w.ok("mail", "list", "player/1", "--json"); got != "" {
				t.Errorf("mail that was handled is listed: %s", got)
			}
			w.with(" 7\n", "mail", "send", "player/1", "--topic", "prize", "--body", "-").is(exitOK, "handled")
			o.has(p, 12)
		})
	})
	t.Run("ToNobodyIsExitCode4", func(t *testing.T) {
		inBubble(t, func(w *world) {
			o := w.office()
			w.run("mail", "send", "player/9", "--topic", "prize", "--body", "5").is(exitNotFound)
			w.run("mail", "send", "player/9", "--topic", "prize", "--body", "5", "--whoever").is(exitOK)
			o.has(o.visit("9"), 5)
		})
	})
	t.Run("ThatDiedIsListedSentAgainAndDiscarded", func(t *testing.T) {
		inBubble(t, func(w *world) {
			o := w.office()
			o.bad = errors.New("no such prize")
			o.leave(o.visit("1"))
			plays := o.visit("2")
			for _, who := range []string{"player/1", "player/2"} {
				for _, id := range []string{"a", "b", "c"} {
					want := map[string]int{"player/1": exitOK, "player/2": exitError}[who]
					w.run("mail", "send", who, "--topic", "prize", "--body", "5", "--id", id).is(want, "Sent to")
				}
			}
			o.leave(o.visit("1"))
			w.run("mail", "dead", "player/1").is(exitOK, "no such prize", "a", "b", "c")
			if got := lines[mailJSON](t, w.ok("mail", "dead", "player", "--json")); len(got) != 6 || got[0].Why != "no such prize" || got[5].To != "player/2" || got[5].Died == nil {
				t.Fatalf("mail dead --json = %+v", got)
			}
			o.bad = nil
			w.run("mail", "discard", "player/1", "a", "--reason", "forged").is(exitOK, "Discarded a")
			w.run("mail", "discard", "player/1", "a", "--reason", "forged").is(exitNotFound)
			w.run("mail", "resend", "player/1", "a").is(exitNotFound)
			w.run("mail", "resend", "player/1", "b").is(exitOK, "Sent b to player/1 again")
			w.run("mail", "resend", "player", "--topic", "other").is(exitOK)
			sent := lines[sentJSON](t, w.ok("mail", "resend", "player", "--json"))
			if len(sent) != 4 || sent[0].Was != "c" || sent[0].To != "player/1" {
				t.Errorf("mail resend --json = %+v, want c of player/1 and three of player/2", sent)
			}
			time.Sleep(time.Second)
			o.has(plays, 15)
			o.has(o.visit("1"), 10)
			if got := w.ok("mail", "dead", "player", "--json"); got != "" {
				t.Errorf("dead letters are left: %s", got)
			}
		})
	})
	t.Run("OfATopicThatNobodyTakesStays", func(t *testing.T) {
		inBubble(t, func(w *world) {
			o := w.office()
			o.leave(o.visit("1"))
			w.run("mail", "send", "player/1", "--topic", "other", "--body", `{"a":[1,2]}`).is(exitOK)
			o.leave(o.visit("1"))
			w.run("mail", "list", "player/1").is(exitOK, "other", `{"a":[1,2]}`)
			if locks := w.ok("locks", "--players", "--json"); locks != "" {
				t.Errorf("the commands left locks: %s", locks)
			}
		})
	})
	t.Run("ThatCannotBeReadIsToldAndExitCode1", func(t *testing.T) {
		inBubble(t, func(w *world) {
			o := w.office()
			o.leave(o.visit("1"))
			for _, id := range []string{"a", "b"} {
				w.run("mail", "send", "player/1", "--topic", "prize", "--body", "5", "--id", id).is(exitOK)
			}
			if err := w.mem.Damage("player/1/mail/a"); err != nil {
				t.Fatal(err)
			}
			w.run("mail", "list", "player/1").is(exitError, "! player/1/mail/a", "prize", "not everything could be read")
			w.run("mail", "list", "player/1", "--json").is(exitError, `"error":`, `"id":"b"`)
			o.has(o.visit("1"), 5)
		})
	})
}

func TestGrants(t *testing.T) {
	t.Run("AreMadeListedAndCancelled", func(t *testing.T) {
		inBubble(t, func(w *world) {
			o := w.office()
			p := o.visit("1")
			time.Sleep(time.Second)
			create := []string{"grant", "create", "sorry", "--topic", "prize", "--body", "5", "--reason", "outage", "--until", "2000-02-01T00:00:00Z"}
			w.run(create...).is(exitOK, "Grant sorry is given from")
			w.run(create...).is(exitOK) // the same
			w.run(append(create, "--newcomers")...).is(exitError, "another grant has that id")
			time.Sleep(5 * time.Second)
			o.has(p, 5)
			got := lines[grantJSON](t, w.ok("grant", "list", "--json"))
			if len(got) != 1 || got[0].ID != "sorry" || got[0].Reason != "outage" || got[0].Until == nil || !strings.HasPrefix(got[0].By, "holdfast grant create") {
				t.Errorf("grant list --json = %+v", got)
			}
			w.run("grant").is(exitOK, "given", "who was there", "outage")
			w.run("grant", "cancel", "sorry", "--reason", "enough").is(exitOK, "was cancelled")
			w.run("grant", "list").is(exitOK, "cancelled", "enough")
			w.run("grant", "cancel", "other", "--reason", "enough").is(exitNotFound)
			o.has(o.visit("2"), 0)
			if got := w.ok("grant", "list", "--kind", "guild", "--json"); got != "" {
				t.Errorf("grants of guilds = %s, want none", got)
			}
		})
	})
	t.Run("WaitForTheirTime", func(t *testing.T) {
		inBubble(t, func(w *world) {
			o := w.office()
			w.run("grant", "create", "x", "--topic", "prize", "--body", "5", "--newcomers", "--from", "2000-01-01T01:00:00Z").is(exitOK)
			w.run("grant", "list").is(exitOK, "to come", "everybody")
			p := o.visit("1")
			time.Sleep(time.Hour + time.Minute)
			o.has(p, 5)
		})
	})
}

func TestMailUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"NoTopic":          {"mail", "send", "player/1"},
		"SystemTopic":      {"mail", "send", "player/1", "--topic", "~resend"},
		"SystemID":         {"mail", "send", "player/1", "--topic", "x", "--id", "~1"},
		"BodyThatIsNoJSON": {"mail", "send", "player/1", "--topic", "x", "--body", "hello"},
		"LargeBody":        {"mail", "send", "player/1", "--topic", "x", "--body", `"` + strings.Repeat("x", profile.MaxMessageBody) + `"`},
		"ShortLife":        {"mail", "send", "player/1", "--topic", "x", "--life", "1ms"},
		"NoWait":           {"mail", "send", "player/1", "--topic", "x", "--wait", "0s"},
		"DeadOfNobody":     {"mail", "dead", "player/"},
		"DiscardNoReason":  {"mail", "discard", "player/1", "x"},
		"ResendIDOfAll":    {"mail", "resend", "player", "x"},
		"GrantSystemTopic": {"grant", "create", "x", "--topic", "~x"},
		"GrantLongID":      {"grant", "create", strings.Repeat("x", 51), "--topic", "x"},
		"GrantBadTime":     {"grant", "create", "x", "--topic", "x", "--until", "tomorrow"},
		"CancelNoReason":   {"grant", "cancel", "x"},
		"BadKind":          {"grant", "list", "--kind", strings.Repeat("x", 51)},
	} {
		t.Run(name+"IsExitCode2", func(t *testing.T) {
			w := newWorld(t)
			if r := w.bare("", args...).is(exitUsage, "holdfast: "); r.out != "" {
				t.Errorf("holdfast %q wrote %q, want nothing but an error", args, r.out)
			}
		})
	}
}
