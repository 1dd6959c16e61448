package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/session"
)

func TestActsNeedAReason(t *testing.T) {
	for _, args := range [][]string{
		{"set", "player/1", "coins", "2"}, {"restore", "player/1", "0", "--yes"}, {"restore", "--all", "--before", "1h"},
		{"unlock", "player/1"}, {"mail", "send", "player/1", "--topic", "x"}, {"mail", "resend", "player/1"}, {"grant", "create", "x", "--topic", "x"},
		{"receipts", "release", "x"}, {"receipts", "refund", "x"}, {"import", "-", "--replace"},
	} {
		w := newWorld(t)
		w.add("player/1", `{"coins":1}`)
		w.bare("", args...).is(exitUsage, "reason")
		w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"coins":1}`))
	}
}

// acts returns what the audit log says, as "what result".
func (w *world) acts(args ...string) (acts []string) {
	w.Helper()
	for _, a := range lines[actJSON](w.T, w.ok(append([]string{"audit", "log", "--json"}, args...)...)) {
		acts = append(acts, a.What+" "+a.Result)
	}
	return acts
}

func (w *world) logs(want []string, args ...string) {
	w.Helper()
	if got := w.acts(args...); fmt.Sprint(got) != fmt.Sprint(want) {
		w.Errorf("holdfast audit log %q tells %q, want %q", args, got, want)
	}
}

func TestAuditLog(t *testing.T) {
	w := newWorld(t)
	w.add("player/1", `{"coins":1}`)
	w.add("player/2", `{"coins":1}`)
	r := w.ok("set", "player/1", "coins", "2", "gems", "3", "--reason", "ticket 7", "--by", "ann", "--json")
	before := lines[struct{ Before string }](t, r)[0].Before
	w.ok("set", "player/2", "coins", "2", "--by", "bob")
	w.run("set", "player/1", "coins", "2").is(exitOK, "nothing was changed") // which is no act
	w.ok("restore", "player/1", before, "--by", "ann")
	w.logs([]string{"set done", "restore done"}, "player/1")
	w.logs([]string{"set done", "restore done"}, "--by", "ann")
	w.logs([]string{"set done"}, "--by", "ann", "--what", "set")
	w.logs([]string{"import begun", "import begun", "set done", "set done", "restore done"}, "--since", "1h")
	w.logs(nil, "--until", "1h")
	w.run("audit", "log", "player/1").is(exitOK, "WHEN", "ann", "ticket 7", "player/1")
	w.ok("import", "--replace", "--key", "player/2", w.write(t.TempDir(), "n.json", `{"coins":5}`))
	w.logs([]string{"set done", "import done"}, "player/2")
}

func TestRestoreShowsAndAsks(t *testing.T) {
	w := newWorld(t)
	w.add("player/1", `{"coins":1}`)
	w.ok("set", "player/1", "coins", "2")
	args := []string{"restore", "player/1", "1", "--reason", "x"}
	w.bare("", args...).is(exitUsage, "--yes")
	w.asks = true
	for _, no := range []string{"", "n\n", "maybe\n"} {
		w.bare(no, args...).is(exitError, "coins", "[y/N]", "nothing was changed")
	}
	w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"coins":2}`))
	w.bare("y\n", args...).is(exitOK, "To take it back: holdfast restore player/1")
	w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"coins":1}`))
	w.bare("", args[:3]...).is(exitUsage, "--reason")
}

func TestUnlock(t *testing.T) {
	t.Run("OfAPlayerWhoIsFreeChangesNothing", func(t *testing.T) {
		w := newWorld(t)
		w.add("player/1", `{"coins":1}`)
		w.run("unlock", "player/1").is(exitOK, "not locked")
		w.run("unlock", "player/2").is(exitNotFound)
		w.logs(nil, "player/1")
	})
	t.Run("SettlesWhatADeadServerLeft", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.add("player/1", `{"coins":1,"gems":0}`)
			dead := &cuttable{DB: kept{w.mem}}
			g := w.game(dead, session.Options{Name: "game-1"})
			s := g.open(t, "player/1")
			set(t, s, "gems", "7")
			if err := s.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.run("unlock", "player/1").is(exitLocked, "game-1")
			dead.cut.Store(true)
			g.close(closed())
			time.Sleep(11 * time.Second)
			w.run("unlock", "player/1").is(exitOK, "released", "game-1")
			w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"coins":1,"gems":7}`))
			if locks := w.ok("locks", "--players", "--json"); locks != "" {
				t.Errorf("the player is still locked: %s", locks)
			}
			w.logs([]string{"unlock done"}, "player/1")
		})
	})
	t.Run("StealsFromALivingServerWhenTold", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.add("player/1", `{"coins":1}`)
			g := w.game(kept{w.mem}, session.Options{Name: "game-1", HandOverTime: time.Hour, HandOver: func(ctx context.Context, _ *session.Session) { <-ctx.Done() }})
			g.open(t, "player/1")
			w.run("unlock", "player/1").is(exitLocked, `held by "game-1"`)
			w.run("unlock", "player/1", "--steal").is(exitOK, "released")
			w.logs([]string{"steal done", "unlock done"}, "player/1")
			g.close(t.Context())
		})
	})
}

// TestRestoreAllIsKilled kills a real process in the middle of a run, once within the
// first page of players and once after it, and goes on with it.
func TestRestoreAllIsKilled(t *testing.T) {
	const players = 400
	bin, w := build(t), newWorld(t)
	w.url = fileURL(filepath.Join(t.TempDir(), "players.db"))
	all := func(coins int) string {
		var text strings.Builder
		for i := range players {
			fmt.Fprintf(&text, `{"key":"player/%04d","data":{"coins":%d}}`+"\n", i, coins)
		}
		return text.String()
	}
	w.with(all(1), "import", "-").is(exitOK)
	time.Sleep(50 * time.Millisecond)
	moment := time.Now().UTC()
	time.Sleep(50 * time.Millisecond)
	w.with(all(2), "import", "-", "--replace").is(exitOK)

	args := []string{"--db", w.url, "restore", "--all", "--before", moment.Format(time.RFC3339Nano), "--run", "r", "--yes", "--reason", "x", "--by", "ann", "--json"}
	for _, done := range []int{100, 300} {
		killAfter(t, exec.Command(bin, args...), done)
		for _, v := range lines[struct {
			Data struct{ Coins int }
		}](t, w.ok("export")) {
			if c := v.Data.Coins; c != 1 && c != 2 {
				t.Fatalf("a player has %d coins", c)
			}
		}
	}
	if out, err := exec.Command(bin, args...).CombinedOutput(); err != nil {
		t.Fatalf("restore --all = %v\n%.2000s", err, out)
	}
	restores := make(map[string]int)
	for _, a := range lines[actJSON](t, w.ok("audit", "log", "--what", "restore", "--json")) {
		restores[a.Key]++
	}
	for i := range players {
		key := fmt.Sprintf("player/%04d", i)
		if restores[key] != 1 {
			t.Errorf("%s was restored %d times, want once", key, restores[key])
		}
	}
	if out := w.ok("export"); strings.Count(out, `"coins":1}`) != players {
		t.Errorf("not everybody has what he had: %.300s", out)
	}
}

// killAfter runs a command and kills it when it has written so many lines.
func killAfter(t *testing.T, cmd *exec.Cmd, n int) {
	t.Helper()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wrote := bufio.NewScanner(out)
	for range n {
		if !wrote.Scan() {
			break
		}
	}
	_ = cmd.Process.Kill()
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("%v = %v before it had written %d lines\n%.2000s", cmd.Args, err, n, &errs)
	}
}
