package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// erases runs an erase with --yes that must succeed, and returns its report.
func (w *world) erases(args ...string) eraseJSON {
	w.Helper()
	return lines[eraseJSON](w.T, w.ok(append([]string{"erase", "--reason", "asked for", "--yes", "--json"}, args...)...))[0]
}

func TestErase(t *testing.T) {
	t.Run("OneLeavesNothing", func(t *testing.T) {
		inBubble(t, func(w *world) {
			w.add("player/ann", `{"secret":7}`)
			w.add("player/bob", `{"secret":8}`)
			w.ok("set", "player/ann", "secret", "9")
			w.ok("mail", "send", "player/ann", "--topic", "news", "--body", `{"secret":1}`)
			r := w.erases("player/ann")
			if r.Erased != 1 || len(r.Players) != 1 || !r.Players[0].Swept || r.Players[0].Deleted != 3 {
				t.Errorf("erase = %+v, want one that is swept, with the mail and two operators' acts", r)
			}
			w.run("get", "player/ann").is(exitError, "erased", "nothing brings that data back")
			if log := w.ok("audit", "log", "--json"); strings.Contains(log, "ann") || !strings.Contains(log, `"erase"`) || !strings.Contains(log, "asked for") {
				t.Errorf("the audit log says\n%swant that somebody was erased, and not who", log)
			}
			w.run("versions", "player/ann").is(exitError)
			w.run("get", "player/bob").is(exitOK, "8")
			w.run("erase", "--verify", "player/ann").is(exitOK, "player/ann")
			if v := lines[verifiedJSON](t, w.ok("erase", "--verify", "player/ann", "--json"))[0]; !v.Clean || v.Erased == nil {
				t.Errorf("verify = %+v, want it clean", v)
			}
			w.with(`{"key":"player/ann","data":{"secret":7}}`+"\n", "import", "-").is(exitError, "erased")
			if again := w.erases("player/ann"); again.Before != 1 || again.Erased != 0 {
				t.Errorf("erase again = %+v, want it to have been before", again)
			}
			if never := w.erases("player/zoe"); never.NeverSeen != 1 || !never.Players[0].Swept {
				t.Errorf("erase of who was never there = %+v", never)
			}
		})
	})
	t.Run("WithoutYesShowsWhoItWouldBe", func(t *testing.T) {
		w := newWorld(t)
		w.add("player/ann", `{"secret":7}`)
		w.run("erase", "player/ann", "--reason", "r").is(exitUsage, "WOULD ERASE", "player/ann", "--yes")
		w.run("get", "player/ann").is(exitOK, "7")
	})
	t.Run("BadCommandLines", func(t *testing.T) {
		w := newWorld(t)
		w.add("player/ann", `{"secret":7}`)
		empty := w.write(t.TempDir(), "empty.txt", "\n# nobody\n")
		for _, args := range [][]string{
			{}, {"player/ann"}, {"player/ann", "--reason", "r", "--file", "x"}, {"player/ann", "--reason", strings.Repeat("x", 201), "--yes"},
			{"player/ann", "--verify", "--yes"}, {"player/ann", "--verify", "--reason", "r"}, {"player/ann", "--reason", "r", "--yes", "--wait", "1s"},
			{"player/ann", "--verify", "--wait=-1s"}, {"ann", "--reason", "r", "--yes"}, {"~lease/x", "--reason", "r", "--yes"},
			{"--file", "-", "--kind", "a\x00", "--reason", "r", "--yes"}, {"--file", empty, "--reason", "r", "--yes"},
		} {
			w.run(append([]string{"erase"}, args...)...).is(exitUsage)
		}
		w.run("erase", "--file", "/nowhere.txt", "--reason", "r", "--yes").is(exitError)
		w.run("get", "player/ann").is(exitOK, "7")
	})
	t.Run("HeldByALivingServerEndsThere", func(t *testing.T) {
		inBubble(t, func(w *world) {
			g := w.game(kept{w.mem}, session.Options{Name: "game"})
			defer g.close(w.Context())
			s := g.open(w.T, "player/ann")
			r := w.erases("player/ann")
			if r.Erased != 1 || r.Players[0].From == nil || r.Players[0].From.Server != "game" {
				t.Errorf("erase = %+v, want it taken from the game", r)
			}
			<-s.Done()
			if !errors.Is(s.Err(), session.ErrErased) || !strings.Contains(s.Err().Error(), "asked for") {
				t.Errorf("the session ended with %v", s.Err())
			}
		})
	})
	t.Run("VerifySaysWhatIsLeft", func(t *testing.T) {
		inBubble(t, func(w *world) {
			w.add("player/ann", `{"secret":7}`)
			w.run("erase", "--verify", "player/ann").is(exitError, "it is not erased", "not everything is gone")
			w.run("erase", "--verify", "player/zoe").is(exitError, "nothing was ever kept")
			g := w.game(kept{w.mem}, session.Options{Name: "game", Feed: time.Minute})
			s := g.open(w.T, "player/ann")
			synced(w.T, s, "secret", "8")
			w.erases("player/ann", "--no-wait")
			w.run("erase", "--verify", "player/ann").is(exitError, "feed", "being swept")
			time.Sleep(20 * time.Second)
			w.run("erase", "--verify", "player/ann", "--json").is(exitError, `"feed"`, `"until"`)
			w.run("erase", "--verify", "player/ann", "--wait", "3m").is(exitOK)
			g.close(w.Context())
		})
	})
	t.Run("TaggedValuesAreListed", func(t *testing.T) {
		inBubble(t, func(w *world) {
			w.add("player/ann", `{"secret":7}`)
			db, err := store.New(kept{w.mem}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close(w.Context())
			guilds, err := db.Store("guilds")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := guilds.Set(w.Context(), "g1", []byte("x"), &store.WriteOptions{Users: []string{"ann", "bob"}}); err != nil {
				t.Fatal(err)
			}
			if r := w.erases("player/ann"); len(r.Tagged) != 1 || r.Tagged[0].Store != "guilds" || r.Tagged[0].Key != "g1" {
				t.Errorf("erase = %+v, want the guild's entry listed", r)
			}
			w.run("erase", "--verify", "player/ann").is(exitError, "tagged", "~store/guilds/g1")
			w.run("find", "bob").is(exitOK, "guilds", "g1", "ann bob")
			if found := lines[foundJSON](t, w.ok("find", "zoe", "ann", "--json")); len(found) != 1 || found[0].Key != "g1" || found[0].Bytes != 1 {
				t.Errorf("find = %+v, want the guild's entry", found)
			}
			if found := w.ok("find", "zoe", "--json"); found != "" {
				t.Errorf("find of nobody = %s", found)
			}
			w.run("find", "").is(exitUsage)
		})
	})
}

// eraseFile is a file of many forms, with lines that name nobody.
const eraseFile = "\ufeff# asked for by the platform\n" +
	"1001\n" + // 2
	"player/1002\n" +
	"{\"id\":1003}\n" +
	"{\"key\":\"guild/7\"}\n" + // 5
	"{\"id\":\"a/b\",\"kind\":\"guild\"}\n" +
	"\"with space\"\n" +
	"\n" +
	"1001\n" + // 9: again
	"two words\n" + // 10
	"{\"id\":1.5}\n" +
	"{\"user\":5}\n" +
	"player/a/b\n" +
	"{\"key\":\"player/1\",\"id\":1}\n" +
	"\xff\xfe\n" +
	"9999"

func TestEraseFile(t *testing.T) {
	t.Run("RefusesBadLinesAndGoesOn", func(t *testing.T) {
		inBubble(t, func(w *world) {
			path := w.write(t.TempDir(), "ids.txt", eraseFile)
			for _, key := range []string{"player/1001", "player/1002", "player/1003", "guild/7", "guild/a%2Fb", "player/with space", "player/1004"} {
				w.add(key, `{"secret":7}`)
			}
			out := w.run("erase", "--file", path, "--reason", "r", "--yes", "--json").is(exitError, "not everybody was erased").out
			r := lines[eraseJSON](t, out)[0]
			if r.Erased != 6 || r.NeverSeen != 1 || r.Duplicates != 1 || len(r.Refused) != 6 {
				t.Errorf("erase = %+v, want 6 erased, 1 never seen, 1 twice, 6 refused", r)
			}
			for i, n := range []int{10, 11, 12, 13, 14, 15} {
				if want := fmt.Sprintf("%s:%d", path, n); i < len(r.Refused) && (r.Refused[i].From != want || r.Refused[i].Reason == "") {
					t.Errorf("refused is %+v, want %s", r.Refused[i], want)
				}
			}
			w.run("get", "player/1004").is(exitOK, "7")
			w.run("erase", "--file", path, "--reason", "r", "--yes").is(exitError, "REFUSED", ":10")
			w.run("erase", "--verify", "--file", path).is(exitError, "guild/a%2Fb")
		})
	})
	t.Run("GoesOnWhereItStopped", func(t *testing.T) {
		inBubble(t, func(w *world) {
			const n = 600
			var ids strings.Builder
			var all strings.Builder
			for i := range n {
				fmt.Fprintf(&all, "{\"key\":\"player/%d\",\"data\":{\"secret\":7}}\n", i)
				fmt.Fprintln(&ids, i)
			}
			w.with(all.String(), "import", "-").is(exitOK)
			path := w.write(t.TempDir(), "ids.txt", ids.String())
			var commits atomic.Int64
			w.wrap = func(db driver.DB) driver.DB {
				return &cutAfter{DB: db, left: &commits}
			}
			commits.Store(6)
			out := w.run("erase", "--file", path, "--reason", "r", "--yes", "--json", "--timeout", "5s").is(exitError).out
			if r := lines[eraseJSON](t, out)[0]; r.Failed+r.NotTried == 0 {
				t.Errorf("erase on a database that goes away = %+v", r)
			}
			w.wrap = nil
			time.Sleep(time.Minute)
			r := w.erases("--file", path)
			if r.Erased+r.Before != n {
				t.Errorf("erase again = %d erased, %d before, want %d in all", r.Erased, r.Before, n)
			}
			time.Sleep(time.Minute)
			w.run("erase", "--verify", "--file", path).is(exitOK)
		})
	})
}

// cutAfter is a database that goes away after some commits.
type cutAfter struct {
	driver.DB
	left *atomic.Int64
}

func (c *cutAfter) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	if c.left.Add(-1) < 0 {
		return nil, fmt.Errorf("%w: cut off", driver.ErrUnavailable)
	}
	return c.DB.Commit(ctx, g)
}

// TestEraseOnEngines erases on real engines, what can be read and what cannot.
func TestEraseOnEngines(t *testing.T) {
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w, path := newFile(t)
			if engine == "PostgreSQL" {
				w.url = pgtest.URL(t)
			}
			w.add("player/ann", `{"secret":"only ann"}`)
			for i := range 3 {
				w.ok("set", "player/ann", "n", fmt.Sprint(i))
			}
			w.add("player/bob", `{"secret":"bob"}`)
			if engine == "SQLite" {
				w.add("player/eve", `{"secret":"only eve"}`)
				execSQL(t, path, `UPDATE entries SET value = x'6f6e6c7920657665ff' WHERE key = 'player/eve'`)
				w.run("get", "player/eve").is(exitError, "damaged")
				if r := w.erases("player/eve"); !r.Players[0].Damaged || !r.Players[0].Swept {
					t.Errorf("erase of what is damaged = %+v", r)
				}
			}
			r := w.erases("player/ann")
			if r.Erased != 1 || !r.Players[0].Swept {
				t.Errorf("erase = %+v", r)
			}
			w.run("erase", "--verify", "player/ann").is(exitOK)
			w.run("get", "player/bob").is(exitOK, "bob")
			if out := w.run("versions", "player/ann", "--json").out; strings.Count(out, "\n") != 1 || strings.Contains(out, "only") {
				t.Errorf("ann has the versions %s, want a tombstone", out)
			}
		})
	}
}

// TestParseErased shows which lines name whom.
func TestParseErased(t *testing.T) {
	for line, want := range map[string]session.Key{
		"42":                             {Kind: "player", ID: "42"},
		"guild/7":                        {Kind: "guild", ID: "7"},
		"guild/a%2Fb":                    {Kind: "guild", ID: "a/b"},
		`"42"`:                           {Kind: "player", ID: "42"},
		`{"id":9007199254740993}`:        {Kind: "player", ID: "9007199254740993"},
		`{"id":"x y","kind":"guild"}`:    {Kind: "guild", ID: "x y"},
		`{"key":"guild/7"}`:              {Kind: "guild", ID: "7"},
		"x@example.com":                  {Kind: "player", ID: "x@example.com"},
		"3fa85f64-5717-4562-b3fc-2c963f": {Kind: "player", ID: "3fa85f64-5717-4562-b3fc-2c963f"},
	} {
		if got, err := parseErased(line, "player"); err != nil || got != want {
			t.Errorf("parseErased(%s) = %v, %v, want %v", line, got, err, want)
		}
	}
	for _, line := range []string{
		"1,2", "1\t2", `{"id":-1.5}`, `{"id":1e3}`, `{"id":null}`, `{"id":true}`, `{"id":[1]}`, `{}`, `{"id":1`, `""`, "a/b/c", "/x", "~lease/1",
		strings.Repeat("x", 201), `{"id":99999999999999999999}`, `{"id":"1","id":"2"}`,
	} {
		if got, err := parseErased(line, "player"); err == nil {
			t.Errorf("parseErased(%s) = %v, want an error", line, got)
		}
	}
}

func FuzzParseErased(f *testing.F) {
	for _, line := range strings.Split(eraseFile, "\n") {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		list, err := readEraseList(strings.NewReader(line), "f", "player")
		if err != nil {
			t.Skip()
		}
		for _, key := range list.keys {
			if err := key.Check(); err != nil {
				t.Errorf("%q names %v: %v", line, key, err)
			}
		}
		if _, err := json.Marshal(list.refused); err != nil {
			t.Error(err)
		}
	})
}
