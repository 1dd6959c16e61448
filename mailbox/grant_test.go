package mailbox_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/mailbox"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

func (h *host) grants() []mailbox.Grant {
	h.w.Helper()
	var all []mailbox.Grant
	for g, err := range mailbox.Grants(h.w.ctx, h.Session().DB(), "player") {
		if err != nil {
			h.w.Fatalf("Grants: %v", err)
		}
		all = append(all, g)
	}
	return all
}

func TestGrant(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(w *world, a, b *host)
	}{
		{"ReachesEverybodyOnce", func(w *world, a, b *host) {
			a.visit("offline")
			here, there := a.load("here"), b.load("there")
			a.grant(mailbox.Grant{ID: "sorry"}, Present{Coins: 7})
			time.Sleep(time.Minute) // the other server looks
			w.has(here, 107)
			w.has(there, 107)
			for _, h := range []*host{a, b, a} {
				if got := h.visit("offline"); got != 107 {
					w.Errorf("coins of who was offline = %d, want 107", got)
				}
			}
			w.close(there)
			if got := a.visit("there"); got != 107 {
				w.Errorf("coins on another server = %d, want 107", got)
			}
			if got := told(here); !slices.Equal(got, []string{"sorry 7"}) {
				w.Errorf("the handler was told %q", got)
			}
		}},
		{"IsNotForNewcomersUnlessItSaysSo", func(w *world, a, b *host) {
			time.Sleep(time.Second)
			a.grant(mailbox.Grant{ID: "old"}, Present{Coins: 1})
			a.grant(mailbox.Grant{ID: "all", Newcomers: true}, Present{Coins: 10})
			time.Sleep(time.Minute)
			w.has(b.load("new"), 110)
		}},
		{"IsWrittenOnceHoweverManyThereAre", func(w *world, a, b *host) {
			for i := range 20 {
				a.visit(fmt.Sprint(i))
			}
			before := w.keys("player/")
			a.grant(mailbox.Grant{ID: "sorry"}, Present{Coins: 7})
			time.Sleep(time.Minute)
			if after := w.keys("player/"); !slices.Equal(before, after) {
				w.Errorf("keys of players = %v, before %v", after, before)
			}
		}},
		{"MadeAgainIsTheSame", func(w *world, a, b *host) {
			p := a.load("alice")
			g := mailbox.Grant{ID: "sorry", Reason: "the server was down"}
			first := a.grant(g, Present{Coins: 7})
			time.Sleep(time.Hour)
			second := b.grant(g, Present{Coins: 7})
			if diff := cmp.Diff(first, second); diff != "" {
				w.Errorf("made again it is another one:\n%s", diff)
			}
			time.Sleep(time.Minute)
			w.has(p, 107)
			for _, other := range []mailbox.Grant{
				{ID: "sorry"}, {ID: "sorry", Reason: g.Reason, Newcomers: true}, {ID: "sorry", Reason: g.Reason, Until: first.Until.Add(time.Hour)},
			} {
				_, err := gift.Grant(w.ctx, b.box, Present{Coins: 7}, other)
				w.refused("another grant of that id", err, mailbox.ErrTaken)
			}
			_, err := gift.Grant(w.ctx, b.box, Present{Coins: 8}, g)
			w.refused("another body", err, mailbox.ErrTaken)
		}},
		{"MadeAgainAfterALostAnswerIsTheSame", func(w *world, a, b *host) {
			p := a.load("alice")
			lost := 0
			a.f.Use(func(c *faulty.Call) faulty.Fault {
				if c.Op == faulty.Commit && slices.Contains(c.Keys, "~grant/player/sorry") {
					lost++
					return faulty.Fault{Lost: lost < 4}
				}
				return faulty.Fault{}
			})
			a.grant(mailbox.Grant{ID: "sorry"}, Present{Coins: 7})
			time.Sleep(time.Minute)
			w.has(p, 107)
		}},
		{"BeginsWhenItSays", func(w *world, a, b *host) {
			p := b.load("alice")
			from := time.Now().Add(time.Hour)
			a.grant(mailbox.Grant{ID: "sorry", From: from}, Present{Coins: 7})
			time.Sleep(time.Hour - time.Second)
			w.has(p, 100)
			time.Sleep(5 * time.Second) // it is not the poll that finds it
			w.has(p, 107)
		}},
		{"EndsWhenItSays", func(w *world, a, b *host) {
			a.visit("alice")
			a.grant(mailbox.Grant{ID: "sorry", Until: time.Now().Add(time.Hour)}, Present{Coins: 7})
			time.Sleep(time.Hour + time.Second)
			if got := b.visit("alice"); got != 100 {
				w.Errorf("coins = %d, want 100", got)
			}
			time.Sleep(2 * time.Hour)
			if left := w.keys("~grant/"); len(left) > 0 {
				w.Errorf("grants that are over are kept: %v", left)
			}
		}},
		{"ThatIsCancelledIsNotGivenAnyMore", func(w *world, a, b *host) {
			a.visit("late")
			w.has(a.load("early"), 100)
			a.grant(mailbox.Grant{ID: "sorry"}, Present{Coins: 7})
			settle()
			for _, h := range []*host{b, a} { // again changes nothing
				g, err := h.box.Cancel(w.ctx, "sorry", "a mistake")
				if err != nil || g.Why != "a mistake" || g.Cancelled.IsZero() {
					w.Fatalf("Cancel = %+v, %v", g, err)
				}
			}
			time.Sleep(time.Minute)
			if got := a.visit("late"); got != 100 {
				w.Errorf("coins of who came late = %d, want 100", got)
			}
			w.has(a.load("early"), 107)
			_, err := gift.Grant(w.ctx, a.box, Present{Coins: 7}, mailbox.Grant{ID: "sorry"})
			w.refused("Grant of one that was cancelled", err, mailbox.ErrTaken)
			_, err = a.box.Cancel(w.ctx, "other", "a mistake")
			w.refused("Cancel of none", err, mailbox.ErrNoGrant)
			_, err = a.box.Cancel(w.ctx, "sorry", "")
			w.refused("Cancel without a reason", err, driver.ErrInvalid)
		}},
		{"OfAnIDThatIsFreeAgainIsAnotherOne", func(w *world, a, b *host) {
			p := a.load("alice")
			for i := range 3 {
				a.grant(mailbox.Grant{ID: "weekly", Until: time.Now().Add(time.Hour)}, Present{Coins: 7})
				time.Sleep(3 * time.Hour)
				w.has(p, 107+7*int64(i))
			}
			if got, _ := json.Marshal(mapOf(mailbox.Received.All(p))); len(mapOf(mailbox.Received.All(p))) != 1 {
				w.Errorf("notes = %s, want one: those that are over go", got)
			}
		}},
		{"LaterComesWithTheNextLoad", func(w *world, a, b *host) {
			p := a.load("alice")
			a.grant(mailbox.Grant{ID: "sorry"}, Present{Coins: 7, Do: "later"})
			settle()
			w.has(p, 100)
			if n := len(mapOf(mailbox.Received.All(p))); n > 0 {
				w.Errorf("%d grants are noted, want none", n)
			}
		}},
		{"ThatFailsIsADeadLetterAndCanBeSentAgain", func(w *world, a, b *host) {
			p := a.load("alice")
			a.grant(mailbox.Grant{ID: "sorry"}, Present{Coins: 7, Do: "fail"})
			settle()
			w.has(p, 100)
			var dead []profile.DeadLetter
			for d, err := range a.box.Dead(w.ctx, "alice") {
				if err != nil {
					w.Fatal(err)
				}
				dead = append(dead, d)
			}
			if len(dead) != 1 || !strings.HasSuffix(dead[0].ID, "/sorry") || dead[0].Reason != "no" {
				w.Fatalf("dead letters = %+v", dead)
			}
			a.fail, b.fail = nil, nil
			if _, err := b.box.Resend(w.ctx, "alice", dead[0].ID, "mended"); err != nil {
				w.Fatalf("Resend: %v", err)
			}
			settle()
			w.has(p, 107)
			w.close(p)
			w.has(b.load("alice"), 107)
		}},
		{"IsGivenAgainWithDataFromBeforeIt", func(w *world, a, b *host) {
			p := a.load("alice")
			a.grant(mailbox.Grant{ID: "sorry"}, Present{Coins: 7})
			time.Sleep(time.Minute) // the other server knows of it too
			w.has(p, 107)
			if err := p.Update(func(tx *profile.Tx) error { // as a restore does
				return errors.Join(coins.Set(tx, 50), mailbox.Received.Reset(tx))
			}); err != nil {
				w.Fatal(err)
			}
			w.close(p)
			w.has(b.load("alice"), 57)
		}},
		{"CannotBeForgedAsMail", func(w *world, a, b *host) {
			a.visit("alice")
			_, err := gift.Send(w.ctx, a.box, "alice", Present{}, &mailbox.SendOptions{ID: "~grant/x/y"})
			w.refused("Send with the id of a grant", err, driver.ErrInvalid)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) { c.run(w, w.server("a", nil), w.server("b", nil)) })
		})
	}
}

func mapOf(seq func(func(string, int64) bool)) map[string]int64 {
	m := make(map[string]int64)
	for k, v := range seq {
		m[k] = v
	}
	return m
}

func TestGrantReachesOtherServersAtOnceByTheBus(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.linked("a", &mailbox.Options{Poll: time.Hour}), w.linked("b", &mailbox.Options{Poll: time.Hour})
		time.Sleep(time.Second)
		p := b.load("alice")
		a.grant(mailbox.Grant{ID: "sorry"}, Present{Coins: 7})
		settle()
		w.has(p, 107)
		if _, err := a.box.Cancel(w.ctx, "sorry", "enough"); err != nil {
			t.Fatal(err)
		}
		settle()
		b.visit("bob")
		w.has(b.load("carol"), 100)
	})
}

func TestGrantSurvivesACrash(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault faulty.Plan
	}{
		{"BeforeTheAppend", func(c *faulty.Call) faulty.Fault {
			if c.Op == faulty.Commit {
				return faulty.Fault{Err: faulty.ErrDown}
			}
			return faulty.Fault{}
		}},
		{"AfterTheAppend", faulty.Naming("player/alice", faulty.Fault{Err: faulty.ErrDown})},
		{"AfterTheSave", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.server("a", nil), w.server("b", nil)
				p := a.load("alice")
				if c.fault != nil {
					a.f.Use(c.fault)
				}
				b.grant(mailbox.Grant{ID: "sorry"}, Present{Coins: 7})
				time.Sleep(40 * time.Second) // a looks
				if c.fault == nil {
					_ = p.Save(w.ctx)
				}
				a.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}))
				time.Sleep(time.Minute)
				for range 2 {
					if got := b.visit("alice"); got != 107 {
						t.Errorf("coins after the crash = %d, want 107", got)
					}
				}
			})
		})
	}
}

func TestGrantsAreReadAgainAfterAnOutage(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.server("a", nil), w.server("b", nil)
		p := b.load("alice")
		b.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}, faulty.List))
		a.grant(mailbox.Grant{ID: "sorry"}, Present{Coins: 7})
		time.Sleep(5 * time.Minute)
		w.has(p, 100)
		b.f.Use()
		time.Sleep(time.Minute)
		w.has(p, 107)
	})
}

func TestLoadReadsNothingForGrants(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", &mailbox.Options{Poll: time.Hour})
		a.visit("alice")
		calls := func(with string) (n int) {
			a.f.Use(func(c *faulty.Call) faulty.Fault {
				if c.Op == faulty.Read || c.Op == faulty.List {
					if slices.ContainsFunc(c.Keys, func(k string) bool {
						return !strings.HasPrefix(k, "~lease") && !strings.HasPrefix(k, "~request") && !strings.HasPrefix(k, "~journal")
					}) {
						n++
					}
				}
				return faulty.Fault{}
			})
			a.visit(with)
			a.f.Use()
			return n
		}
		without := calls("alice")
		for i := range 5 {
			a.grant(mailbox.Grant{ID: fmt.Sprint(i)}, Present{Coins: 1})
		}
		settle()
		a.visit("alice")
		if with := calls("alice"); with != without || without == 0 {
			t.Errorf("a load that knows five grants makes %d reads, without grants %d", with, without)
		}
	})
}

func TestGrantOutOfBoundsIsRefused(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", nil)
		now := time.Now()
		for name, c := range map[string]struct {
			g    mailbox.Grant
			body Present
			want error
		}{
			"EmptyID":    {mailbox.Grant{}, Present{}, driver.ErrInvalid},
			"LongID":     {mailbox.Grant{ID: strings.Repeat("x", mailbox.MaxGrantID+1)}, Present{}, driver.ErrInvalid},
			"NUL":        {mailbox.Grant{ID: "a\x00"}, Present{}, driver.ErrInvalid},
			"Over":       {mailbox.Grant{ID: "x", Until: now.Add(-time.Hour)}, Present{}, driver.ErrInvalid},
			"TooLong":    {mailbox.Grant{ID: "x", Until: now.Add(mailbox.MaxLife + time.Hour)}, Present{}, driver.ErrInvalid},
			"Reversed":   {mailbox.Grant{ID: "x", From: now.Add(2 * time.Hour), Until: now.Add(time.Hour)}, Present{}, driver.ErrInvalid},
			"LongReason": {mailbox.Grant{ID: "x", Reason: strings.Repeat("x", session.MaxReason+1)}, Present{}, driver.ErrInvalid},
			"LargeBody":  {mailbox.Grant{ID: "x"}, Present{Do: strings.Repeat("x", profile.MaxMessageBody)}, document.ErrTooLarge},
			"AllWell":    {mailbox.Grant{ID: "ид/%~\n" + strings.Repeat("x", 40)}, Present{}, nil},
		} {
			if _, err := gift.Grant(w.ctx, a.box, c.body, c.g); !errors.Is(err, c.want) {
				t.Errorf("%s: Grant = %v, want %v", name, err, c.want)
			}
		}
		_, err := a.box.Grant(w.ctx, mailbox.Grant{ID: "x", Topic: "~resend"})
		w.refused("Grant of a system topic", err, driver.ErrInvalid)
		_, err = a.box.Grant(w.ctx, mailbox.Grant{ID: "x", Topic: "gift", Body: json.RawMessage(`{`)})
		w.refused("Grant of no JSON", err, document.ErrInvalid)
		for i := range mailbox.MaxGrants - 1 {
			a.grant(mailbox.Grant{ID: fmt.Sprint(i)}, Present{})
		}
		_, err = gift.Grant(w.ctx, a.box, Present{}, mailbox.Grant{ID: "one more"})
		w.refused("one more than may stand", err, mailbox.ErrTooMany)
		a.grant(mailbox.Grant{ID: "3"}, Present{}) // it is there
		if n := len(a.grants()); n != mailbox.MaxGrants {
			t.Errorf("%d grants stand, want %d", n, mailbox.MaxGrants)
		}
	})
}

func TestGrantThatCannotBeReadIsReportedAndNotGiven(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", nil)
		p := a.load("alice")
		a.grant(mailbox.Grant{ID: "bad"}, Present{Coins: 7})
		settle()
		if err := w.db.Damage("~grant/player/bad"); err != nil {
			t.Fatal(err)
		}
		for key, value := range map[string]string{"~grant/player/newer": `{"format":2,"until":5}`, "~grant/player/odd": `[]`} {
			w.put(key, value)
		}
		a.grant(mailbox.Grant{ID: "good"}, Present{Coins: 1})
		time.Sleep(time.Minute)
		a.visit("bob")
		w.has(p, 108)
		bad := 0
		for g, err := range mailbox.Grants(w.ctx, a.Session().DB(), "player") {
			switch {
			case err == nil && g.ID != "good":
				t.Errorf("Grants yields %q", g.ID)
			case err != nil && (g.ID == "" || !errors.Is(err, driver.ErrCorrupt) && !errors.Is(err, driver.ErrFormat)):
				t.Errorf("Grants yields %q, %v", g.ID, err)
			case err != nil:
				bad++
			}
		}
		if bad != 3 {
			t.Errorf("%d grants cannot be read, want 3", bad)
		}
		if left := w.keys("~grant/player/"); len(left) != 4 {
			t.Errorf("entries of grants = %v, want 4", left)
		}
		_, err := a.box.Cancel(w.ctx, "newer", "test")
		w.refused("Cancel of a newer one", err, driver.ErrFormat)
	})
}

// put stores an entry past everything.
func (w *world) put(key, value string) {
	w.Helper()
	db, err := store.New(open{w.db}, nil)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = db.Close(w.ctx) }()
	id, err := db.NewVersion()
	if err == nil {
		_, err = db.Commit(w.ctx, store.Attempt{Batch: driver.Batch{ID: id, Writes: []driver.Write{{Key: key, Mode: driver.Always, Value: []byte(value)}}}})
	}
	if err != nil {
		w.Fatal(err)
	}
}

func TestCloseEndsTheLooks(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", nil)
		if err := a.box.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
		w.refused("Close again", a.box.Close(), mailbox.ErrClosed)
		synctest.Wait()
	})
}
