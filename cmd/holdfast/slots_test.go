package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// What players of a game with save slots have.
var (
	diamonds = profile.Int("diamonds", 0)
	rank     = profile.Int("rank", 1, profile.PerSlot())
	minutes  = profile.PlayTime("minutes", profile.PerSlot())
	slotted  = profile.NewSchema("player", diamonds, rank, minutes).
			WithSlots(profile.SlotRules{Max: 2, Keep: time.Hour, Summary: []profile.Field{rank}, PlayTime: minutes})
)

// saver starts a game server with save slots, and makes a player in his second one.
func (w *world) saver() (*profile.Server, *profile.Profile) {
	w.Helper()
	db, err := store.New(kept{w.mem}, nil)
	if err != nil {
		w.Fatal(err)
	}
	srv, err := profile.Open(w.Context(), db, slotted, &profile.Options{Session: session.Options{Name: "game"}})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _, _ = srv.Close(context.Background()); _ = db.Close(context.Background()) })
	p, err := srv.Open(w.Context(), "1", nil)
	if err != nil {
		w.Fatal(err)
	}
	set := func(n int64) {
		if err := p.Update(func(tx *profile.Tx) error {
			_ = minutes.Set(tx, 90*time.Duration(n)*time.Second)
			return rank.Set(tx, n)
		}); err != nil {
			w.Fatal(err)
		}
	}
	set(3)
	if _, err := p.CreateSlot(w.Context(), "Second \u202e", true); err != nil {
		w.Fatal(err)
	}
	set(8)
	return srv, p
}

func (w *world) ranks(srv *profile.Server, slot string) int64 {
	w.Helper()
	p, err := srv.Open(w.Context(), "1", &profile.OpenOptions{Slot: slot})
	if err != nil {
		w.Fatalf("Open with slot %q: %v", slot, err)
	}
	defer p.Close(w.Context())
	return rank.Get(p)
}

func TestSlots(t *testing.T) {
	t.Run("ListShowsThemAndChangesNothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			_, p := w.saver()
			_ = p.Close(t.Context())
			list := w.ok("slots", "player/1")
			for _, want := range []string{"Slot 1", "parked", "loaded", `{"rank":3}`, `{"rank":8}`, "4 min 30 s"} {
				if !strings.Contains(list, want) {
					t.Errorf("slots lists\n%swithout %q", list, want)
				}
			}
			if strings.Contains(list, "\u202e") {
				t.Errorf("a name writes %q to the terminal", list)
			}
			if got := w.ok("slots", "list", "player/1", "--json"); !strings.Contains(got, `"id":"2","name":"Second`) || !strings.Contains(got, `"loaded":true`) || strings.Count(got, "\n") != 2 {
				t.Errorf("slots --json:\n%s", got)
			}
		})
	})
	t.Run("ARestoreBringsBackThoseThatAreParked", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			srv, p := w.saver()
			_ = p.Close(t.Context())
			old := p.Session().Version().String()
			time.Sleep(61 * time.Minute) // of each hour one version is kept
			for _, slot := range []string{"1", "2"} {
				p, err := srv.Open(t.Context(), "1", &profile.OpenOptions{Slot: slot})
				if err == nil {
					err = p.Update(func(tx *profile.Tx) error { return rank.Set(tx, 77) })
				}
				if err == nil {
					err = p.Close(t.Context())
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			w.run("restore", "player/1", old, "--reason", "bug 9").is(exitOK, "restored too: save slot 1")
			if one, two := w.ranks(srv, "1"), w.ranks(srv, "2"); one != 3 || two != 8 {
				t.Errorf("ranks = %d, %d, want 3, 8", one, two)
			}
		})
	})
	t.Run("SwitchRenameDeleteAndUndelete", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			srv, p := w.saver()
			_ = p.Close(t.Context())
			w.run("slots", "switch", "player/1", "1", "--reason", "he asked for it").is(exitOK, "save slot 1 is loaded")
			if got := w.ok("versions", "player/1"); !strings.Contains(got, "he asked for it") {
				t.Errorf("versions:\n%s", got)
			}
			if got := w.ranks(srv, ""); got != 3 {
				t.Errorf("rank in the first slot = %d, want 3", got)
			}
			w.run("slots", "rename", "player/1", "2", "Main").is(exitOK)
			w.run("slots", "delete", "player/1", "1", "--json").is(exitOK, `"loaded":""`)
			if got := w.ok("slots", "player/1"); !strings.Contains(got, "deleted, gone at") || !strings.Contains(got, "Main") {
				t.Errorf("slots:\n%s", got)
			}
			w.run("slots", "switch", "player/1", "1").is(exitError, "deleted")
			w.run("slots", "undelete", "player/1", "1").is(exitOK, "no save slot is loaded") // a tool loads none by itself
			w.run("slots", "switch", "player/1", "2").is(exitOK)
			w.run("slots", "switch", "player/1", "none").is(exitOK, "no save slot is loaded")
			if one, two := w.ranks(srv, "1"), w.ranks(srv, "2"); one != 3 || two != 8 {
				t.Errorf("ranks = %d, %d, want 3, 8", one, two)
			}
			if locks := w.ok("locks", "--players", "--json"); locks != "" {
				t.Errorf("slots left locks: %s", locks)
			}
		})
	})
	t.Run("CopyMakesAnother", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			srv, p := w.saver()
			if err := p.DeleteSlot(t.Context(), "1"); err != nil {
				t.Fatal(err)
			}
			_ = p.Close(t.Context())
			w.run("slots", "copy", "player/1", "2", "Copy", "--by", "ann", "--json").is(exitOK, `"slot":"3"`, `"loaded":"2"`)
			if got := w.ranks(srv, "3"); got != 8 {
				t.Errorf("rank in the copy = %d, want 8", got)
			}
			w.run("slots", "copy", "player/1", "2", "Another").is(exitError, "too many save slots")
			w.run("slots", "copy", "player/1", "1", "Another").is(exitError, "deleted")
			if got := w.ok("audit", "log", "--json"); strings.Count(got, `"what":"slots copy"`) != 1 || !strings.Contains(got, `"result":"save slot 3"`) || !strings.Contains(got, `"name":"Copy"`) || !strings.Contains(got, `"slot":"2"`) {
				t.Errorf("audit log:\n%s", got)
			}
		})
	})
	t.Run("WhoPlaysIsNotTouched", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			_, p := w.saver()
			w.run("slots", "switch", "player/1", "1").is(exitLocked, "held by")
			if p.LoadedSlot() != "2" {
				t.Errorf("slot %q is loaded", p.LoadedSlot())
			}
			w.run("slots", "switch", "player/1", "1", "--handover").is(exitOK)
			<-p.Done()
		})
	})
	t.Run("WhatIsNotThere", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			_, p := w.saver()
			_ = p.Close(t.Context())
			w.add("player/2", `{"n":1}`)
			w.run("slots", "switch", "player/1", "7").is(exitNotFound, "no such save slot")
			w.run("slots", "switch", "player/2", "1").is(exitNotFound, "no save slots")
			w.run("slots", "rename", "player/3", "1", "x").is(exitNotFound)
			w.run("slots", "rename", "player/1", "1", "a\nb").is(exitError, "control character")
			w.run("slots", "switch", "player/1", "x").is(exitUsage, "no save slot's id")
			if got := w.ok("slots", "player/2", "--json"); got != "" {
				t.Errorf("slots of who has none: %s", got)
			}
			g := w.game(kept{w.mem}, session.Options{Name: "game"}) // no import takes it
			set(t, g.open(t, "player/4"), "~0slots", "{}")
			g.close(t.Context())
			w.run("slots", "player/4").is(exitError, "damaged")
		})
	})
}
