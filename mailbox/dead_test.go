package mailbox_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mailbox"
	"github.com/holdfast-games/holdfast/profile"
)

// dead returns the dead letters of all players, as <player>/<id>.
func (h *host) dead() []string {
	h.w.Helper()
	var all []string
	for d, err := range h.box.AllDead(h.w.ctx) {
		if err != nil {
			h.w.Fatalf("AllDead: %v", err)
		}
		all = append(all, d.To.ID+"/"+d.ID)
	}
	return all
}

func TestDeadLetters(t *testing.T) {
	t.Run("OfAllPlayersAreListedAndSentAgain", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			var want []string
			for i := range 5 {
				id := fmt.Sprint("p", i)
				a.visit(id)
				a.send(id, Present{Coins: 5, Do: "fail"}, &mailbox.SendOptions{ID: "first"})
				a.send(id, Present{Coins: 5}, &mailbox.SendOptions{ID: "good"})
				if got := a.visit(id); got != 105 {
					t.Errorf("coins of %s = %d, want 105", id, got)
				}
				want = append(want, id+"/first")
			}
			if got := b.dead(); !slices.Equal(got, want) {
				t.Fatalf("dead letters = %v, want %v", got, want)
			}
			p := a.load("p1") // one is playing elsewhere
			a.fail, b.fail = nil, nil
			n := 0
			for d, err := range b.box.ResendAll(w.ctx, "mended", func(d profile.DeadLetter) bool { return d.To.ID != "p4" }) {
				if n++; err != nil {
					t.Errorf("Resend of %v: %v", d.To, err)
				}
			}
			if n != 4 {
				t.Errorf("%d were sent again, want 4", n)
			}
			settle()
			w.has(p, 110)
			if got := b.visit("p3"); got != 110 {
				t.Errorf("coins of p3 = %d, want 110", got)
			}
			if got := b.dead(); !slices.Equal(got, want[4:]) {
				t.Errorf("dead letters = %v, want %v", got, want[4:])
			}
		})
	})
	t.Run("ThatDieAgainAreNotSentForEver", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			a.visit("alice")
			for range 3 {
				a.send("alice", Present{Do: "panic"}, nil)
			}
			p := a.load("alice")
			settle()
			n := 0
			for _, err := range a.box.ResendAll(w.ctx, "try", nil) {
				if n++; err != nil {
					t.Fatal(err)
				}
			}
			settle()
			if got := a.dead(); n != 3 || len(got) != 3 {
				t.Errorf("%d were sent again, and %v are dead; want 3 and 3", n, got)
			}
			w.has(p, 100)
		})
	})
	t.Run("AreDiscardedForAReason", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			a.visit("alice")
			a.send("alice", Present{Do: "fail"}, &mailbox.SendOptions{ID: "x"})
			a.visit("alice")
			w.refused("Discard without a reason", a.box.Discard(w.ctx, "alice", "x", ""), driver.ErrInvalid)
			if err := a.box.Discard(w.ctx, "alice", "x", "worthless"); err != nil {
				t.Fatalf("Discard: %v", err)
			}
			w.refused("Discard again", a.box.Discard(w.ctx, "alice", "x", "worthless"), profile.ErrGone)
			_, err := a.box.Resend(w.ctx, "alice", "x", "")
			w.refused("Resend of what was discarded", err, profile.ErrGone)
			if got := a.dead(); len(got) > 0 {
				t.Errorf("dead letters = %v, want none", got)
			}
			if got := a.reason("alice"); got != "worthless" {
				t.Errorf("the history tells the reason %q, want %q", got, "worthless")
			}
		})
	})
}

// reason returns the reason of the newest version of a player that was marked.
func (h *host) reason(id string) string {
	h.w.Helper()
	rd, key := h.Session().Reader(), player.Key(id)
	list, err := rd.Versions(h.w.ctx, key)
	if err != nil {
		h.w.Fatal(err)
	}
	for _, info := range slices.Backward(list) {
		if !info.Marked {
			continue
		}
		v, err := rd.ReadVersion(h.w.ctx, key, info.Version)
		if err != nil {
			h.w.Fatal(err)
		}
		return v.Reason
	}
	return ""
}
