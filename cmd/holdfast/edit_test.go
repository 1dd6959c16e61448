package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

func pathOf(t *testing.T, s string) document.Path {
	t.Helper()
	p, err := document.ParsePath(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSet(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		in   string
		want string
	}{
		{"ANumber", []string{"coins", "5"}, "", `{"coins":5,"bag":{"sword":1}}`},
		{"ANegativeNumber", []string{"coins", "-5"}, "", `{"coins":-5,"bag":{"sword":1}}`},
		{"AFloatAfterFlags", []string{"--reason", "x", "coins", "-0.25"}, "", `{"coins":-0.25,"bag":{"sword":1}}`},
		{"ABigInteger", []string{"coins", "9007199254740993"}, "", `{"coins":9007199254740993,"bag":{"sword":1}}`},
		{"ANewField", []string{"name", `"Ann"`}, "", `{"coins":1,"bag":{"sword":1},"name":"Ann"}`},
		{"Null", []string{"coins", "null"}, "", `{"coins":null,"bag":{"sword":1}}`},
		{"AnElement", []string{"bag/bow", `{"n": 2}`}, "", `{"coins":1,"bag":{"sword":1,"bow":{"n":2}}}`},
		{"AnElementOfANewField", []string{"hat/red", "1"}, "", `{"coins":1,"bag":{"sword":1},"hat":{"red":1}}`},
		{"AnEscapedName", []string{"a~1b", "1"}, "", `{"coins":1,"bag":{"sword":1},"a/b":1}`},
		{"StandardInput", []string{"coins", "-"}, " [1,\n 2]\n", `{"coins":[1,2],"bag":{"sword":1}}`},
		{"DeleteOfAField", []string{"--delete", "coins"}, "", `{"bag":{"sword":1}}`},
		{"DeleteOfAnElement", []string{"--delete", "bag/sword"}, "", `{"coins":1,"bag":{}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.add("player/1", `{"coins":1,"bag":{"sword":1}}`)
			w.with(c.in, append([]string{"set", "player/1"}, c.args...)...).is(exitOK, "saved as version", "holdfast restore player/1")
			w.equal("get", []byte(w.ok("get", "player/1")), []byte(c.want))
			if locks := w.ok("locks", "--json") + w.ok("locks", "--players", "--json"); locks != "" {
				t.Errorf("set left locks or leases: %s", locks)
			}
		})
	}
	t.Run("ToWhatIsThereChangesNothing", func(t *testing.T) {
		w := newWorld(t)
		w.add("player/1", `{"coins":1}`)
		w.run("set", "player/1", "coins", "1.0").is(exitOK, "nothing was changed")
		w.run("set", "player/1", "--delete", "gems").is(exitOK, "nothing was changed")
		w.run("set", "player/1", "coins", "1", "--json").is(exitOK, `"changed":false`)
		for _, v := range lines[versionJSON](t, w.ok("versions", "player/1", "--json")) {
			if v.Reason == "a test" {
				t.Errorf("a set that changed nothing made version %+v", v)
			}
		}
	})
	t.Run("KeepsItsVersionAndTheOneBefore", func(t *testing.T) {
		w := newWorld(t)
		w.add("player/1", `{"coins":1}`)
		r := w.run("set", "player/1", "coins", "2", "--reason", "refund #7", "--json").is(exitOK)
		done := lines[struct{ Version, Before string }](t, r.out)[0]
		w.ok("set", "player/1", "coins", "3")
		var kept []string
		for _, v := range lines[versionJSON](t, w.ok("versions", "player/1", "--json")) {
			if id := v.Version.String(); id == done.Version || id == done.Before {
				kept = append(kept, fmt.Sprint(v.Kept, " ", v.Reason, " ", strings.HasPrefix(v.By, "holdfast set (")))
			}
		}
		if d := cmp.Diff([]string{"true  false", "true refund #7 true"}, kept); d != "" {
			t.Errorf("versions of the set: %s", d)
		}
		w.equal("the version before", []byte(w.ok("get", "player/1", "--version", done.Before)), []byte(`{"coins":1}`))
		w.ok("restore", "player/1", done.Before)
		w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"coins":1}`))
	})
	t.Run("NeedsThePlayerAndTheDatabase", func(t *testing.T) {
		w := newWorld(t)
		w.run("set", "player/1", "coins", "1").is(exitNotFound, "no such player")
		w.run("restore", "player/1", "0").is(exitNotFound, "no such player")
		f, _ := newFile(t)
		f.run("set", "player/1", "coins", "1").is(exitNotFound, "no such database")
		f.run("restore", "player/1", "1").is(exitNotFound, "no such database")
	})
	t.Run("RefusesWhatIsOverALimitAndKeepsThePlayer", func(t *testing.T) {
		w := newWorld(t)
		w.add("player/1", `{"coins":1}`)
		long := `"` + strings.Repeat("x", 5000) + `"`
		w.run("set", "player/1", "name", long, "--max-bytes", "4096").is(exitError, "too large", "--max-bytes")
		w.run("set", "player/1", "name", strings.Repeat("[", 70)+strings.Repeat("]", 70)).is(exitError, "too deep", "--max-depth")
		w.run("set", "player/1", "name", `{"a":1,"b":2}`, "--max-fields", "3").is(exitError, "too large", "--max-fields")
		w.run("set", "player/1", "coins/x", "1").is(exitError, "not an object")
		w.with(long+long, "set", "player/1", "name", "-", "--max-bytes", "1").is(exitError, "too large")
		w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"coins":1}`))
		w.ok("set", "player/1", "name", long)
	})
}

func TestRestore(t *testing.T) {
	w := newWorld(t)
	w.add("player/1", `{"a":{"x":1,"y":2},"b":1,"c":"old"}`)
	w.ok("set", "player/1", "--delete", "a/x")
	w.ok("set", "player/1", "a/z", `"a longer value than there was before"`)
	w.ok("set", "player/1", "--delete", "c")
	w.ok("set", "player/1", "d", `{"new":{"deep":true}}`)
	list := lines[versionJSON](t, w.ok("versions", "player/1", "--json"))
	for _, v := range list {
		data := w.ok("get", "player/1", "--version", v.Version.String())
		w.run("restore", "player/1", v.Version.String()).is(exitOK)
		w.equal(fmt.Sprintf("get after restore of version %d", v.Number), []byte(w.ok("get", "player/1")), []byte(data))
	}
	t.Run("ByNumberMeansTheListBeforeIt", func(t *testing.T) {
		w := w.in(t)
		data := w.ok("get", "player/1", "--version", "4")
		w.run("restore", "player/1", "4", "--reason", "undo").is(exitOK)
		w.equal("get", []byte(w.ok("get", "player/1")), []byte(data))
		w.run("versions", "player/1").is(exitOK, "undo")
	})
	t.Run("KeepsTheBirth", func(t *testing.T) {
		w := w.in(t)
		if list := lines[rootJSON](t, w.ok("list", "--json")); len(list) != 1 || !list[0].Created.Before(list[0].Updated) {
			t.Errorf("list = %+v, want the one player, created before its last update", list)
		}
	})
	t.Run("FitsBetweenTwoDocumentsAtTheLimit", func(t *testing.T) {
		w := newWorld(t)
		big := strings.Repeat("x", 3000)
		w.add("player/1", `{"a":"`+big+`"}`)
		w.ok("import", "--replace", "--key", "player/1", w.write(t.TempDir(), "n.json", `{"b":"`+big+`"}`))
		w.ok("restore", "player/1", "2", "--max-bytes", "3020")
		w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"a":"`+big+`"}`))
	})
}

func TestHeld(t *testing.T) {
	t.Run("PlayerIsRefusedWithTheHoldersName", func(t *testing.T) {
		w := newWorld(t)
		w.add("player/1", `{"coins":1}`)
		var asked atomic.Bool
		g := w.game(kept{w.mem}, session.Options{Name: "game-1", HandOver: func(context.Context, *session.Session) { asked.Store(true) }})
		defer g.close(t.Context())
		s := g.open(t, "player/1")
		w.run("set", "player/1", "coins", "2").is(exitLocked, `held by "game-1"`, "ends in", "nothing was changed", "--handover", "--steal")
		w.with(`{"key":"player/1","data":{"coins":9}}`, "import", "-", "--replace").is(exitError, `held by "game-1"`, "REFUSED")
		w.run("import", "--key", "player/1", "--replace", w.write(t.TempDir(), "a.json", `{"coins":9}`)).is(exitError, `held by "game-1"`)
		if asked.Load() || s.Err() != nil {
			t.Errorf("the player was taken from his server (asked %v, session %v)", asked.Load(), s.Err())
		}
		w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"coins":1}`))
	})
	t.Run("PlayerIsWaitedFor", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.add("player/1", `{"coins":1}`)
			g := w.game(kept{w.mem}, session.Options{Name: "game-1"})
			defer g.close(t.Context())
			s := g.open(t, "player/1")
			leave := time.AfterFunc(3*time.Second, func() { _ = s.Close(context.Background()) })
			defer leave.Stop()
			began := time.Now()
			w.run("set", "player/1", "coins", "2", "--wait", "2s").is(exitLocked, "game-1")
			if waited := time.Since(began); waited < 2*time.Second {
				t.Errorf("--wait 2s gave up after %v", waited)
			}
			w.run("set", "player/1", "coins", "2", "--wait", "1m").is(exitOK)
			w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"coins":2}`))
		})
	})
	t.Run("PlayerIsHandedOver", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.add("player/1", `{"coins":1,"gems":0}`)
			g := w.game(kept{w.mem}, session.Options{Name: "game-1", HandOver: func(_ context.Context, s *session.Session) { set(t, s, "gems", "7") }})
			defer g.close(t.Context())
			s := g.open(t, "player/1")
			w.run("set", "player/1", "coins", "2", "--handover").is(exitOK)
			w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"coins":2,"gems":7}`))
			if err := s.Err(); err == nil {
				t.Error("the session of the server that was asked is still open")
			}
		})
	})
	t.Run("PlayerThatIsNotHandedOverIsRefused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.add("player/1", `{"coins":1}`)
			stay := make(chan struct{})
			g := w.game(kept{w.mem}, session.Options{
				Name: "game-1", HandOverTime: time.Hour, HandOver: func(context.Context, *session.Session) { <-stay },
			})
			g.open(t, "player/1")
			w.run("set", "player/1", "coins", "2", "--handover", "--wait", "5s").is(exitLocked, `Waiting for "game-1"`, `held by "game-1"`)
			close(stay)
			g.close(t.Context())
			w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"coins":1}`))
		})
	})
	t.Run("PlayerIsStolen", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.add("player/1", `{"coins":1,"gems":0}`)
			g := w.game(kept{w.mem}, session.Options{Name: "game-1", HandOverTime: time.Hour, HandOver: func(ctx context.Context, _ *session.Session) { <-ctx.Done() }})
			s := g.open(t, "player/1")
			set(t, s, "gems", "7")
			if err := s.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.run("set", "player/1", "coins", "2", "--steal").is(exitOK)
			w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"coins":2,"gems":7}`))
			g.close(t.Context())
		})
	})
	t.Run("PlayerOfADeadServerIsTakenOver", func(t *testing.T) {
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
			dead.cut.Store(true)
			g.close(closed())
			w.run("set", "player/1", "coins", "2").is(exitLocked, "game-1")
			w.run("set", "player/1", "coins", "2", "--wait", "15s").is(exitOK, `Waiting for the lease of "game-1" to be sealed`)
			w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"coins":2,"gems":7}`))
		})
	})
	t.Run("PlayersOfADeadServerAreImportedOver", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			dead := &cuttable{DB: kept{w.mem}}
			g := w.game(dead, session.Options{Name: "game-1"})
			g.open(t, "player/1")
			g.open(t, "player/2")
			dead.cut.Store(true)
			g.close(closed())
			time.Sleep(11 * time.Second)
			both := `{"key":"player/1","data":{"n":1}}` + "\n" + `{"key":"player/2","data":{"n":2}}`
			r := w.with(both, "import", "-").is(exitOK)
			if n := strings.Count(r.err, "Waiting for the lease"); n != 1 {
				t.Errorf("import told %d times that it waits for a lease, want once: %s", n, r.err)
			}
			w.equal("get", []byte(w.ok("get", "player/2")), []byte(`{"n":2}`))
		})
	})
}

// cuttable is a database that can be cut off for ever.
type cuttable struct {
	driver.DB
	cut atomic.Bool
}

func (c *cuttable) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	if c.cut.Load() {
		return nil, driver.ErrUnavailable
	}
	return c.DB.Commit(ctx, g)
}
