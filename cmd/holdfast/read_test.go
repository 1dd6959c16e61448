package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

func TestGet(t *testing.T) {
	w := newWorld(t)
	w.add("player/1", `{"coins":9007199254740993,"ratio":1.0,"bag":{"a\/b":[1,2]},"empty":{}}`)
	t.Run("KeepsEveryDigit", func(t *testing.T) {
		w := w.in(t)
		got := w.ok("get", "player/1")
		w.equal("get", []byte(got), []byte(`{"coins":9007199254740993,"ratio":1.0,"bag":{"a/b":[1,2]},"empty":{}}`))
		if !strings.Contains(got, "9007199254740993") || !strings.Contains(got, "1.0") {
			t.Errorf("get = %s, want the digits as they were written", got)
		}
	})
	t.Run("JSONSaysWhichVersion", func(t *testing.T) {
		w := w.in(t)
		got := lines[struct {
			Key, Version string
			Holder       *struct{ Server string }
			Data         struct{ Coins int }
		}](t, w.ok("get", "player/1", "--json"))
		if len(got) != 1 || got[0].Key != "player/1" || len(got[0].Version) != 26 || got[0].Holder != nil || got[0].Data.Coins != 9007199254740993 {
			t.Errorf("get --json = %+v", got)
		}
	})
	t.Run("SaysThatAPlayerIsPlaying", func(t *testing.T) {
		w := w.in(t)
		g := w.game(kept{w.mem}, session.Options{Name: "game-1"})
		defer g.close(t.Context())
		s := g.open(t, "player/1")
		set(t, s, "coins", "6")
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.run("get", "player/1").is(exitOK, `"coins": 6`, `Held by "game-1"`)
		w.run("get", "player/1", "--json").is(exitOK, `"server":"game-1"`)
		w.run("list").is(exitOK, "game-1")
		w.run("locks").is(exitOK, "game-1", "10 s")
		w.run("locks", "--players").is(exitOK, "player/1", "game-1")
		w.run("locks", "--players", "--json").is(exitOK, `"key":"player/1"`)
		got := lines[leaseJSON](t, w.ok("locks", "--json"))
		if len(got) != 1 || got[0].Server != "game-1" || got[0].Sealed || got[0].Expires == nil {
			t.Errorf("locks --json = %+v, want the one lease of game-1", got)
		}
	})
	t.Run("OfNobodyIsExitCode4", func(t *testing.T) {
		w := w.in(t)
		w.run("get", "player/2").is(exitNotFound, "no such player")
		w.run("versions", "player/2").is(exitNotFound, "no such player")
		w.run("diff", "player/2", "0").is(exitNotFound, "no such player")
		w.run("get", "player/1", "--version", "99").is(exitNotFound, "there are 0 to")
		w.add("player/3", `{}`)
		other := lines[rootJSON](t, w.ok("list", "player/3", "--json"))[0].Version
		w.run("get", "player/1", "--version", other).is(exitNotFound, "not found")
	})
}

func set(t *testing.T, s *session.Session, field, value string) {
	t.Helper()
	tx, err := s.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Set(pathOf(t, field), []byte(value), false); err != nil {
		t.Fatal(err)
	}
	if err := session.Commit(false, tx); err != nil {
		t.Fatal(err)
	}
}

func TestList(t *testing.T) {
	w := newWorld(t)
	for _, key := range []string{"guild/1", "player/1", "player/10", "player/2", "player/a%2Fb", "players/1"} {
		w.add(key, `{"n":1}`)
	}
	keys := func(args ...string) []string {
		t.Helper()
		var keys []string
		for _, r := range lines[rootJSON](t, w.ok(append([]string{"list", "--json"}, args...)...)) {
			keys = append(keys, r.Key)
		}
		return keys
	}
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"ShowsEverything", nil, []string{"guild/1", "player/1", "player/10", "player/2", "player/a%2Fb", "players/1"}},
		{"OfAKindShowsNoOther", []string{"player"}, []string{"player/1", "player/10", "player/2", "player/a%2Fb"}},
		{"OfABeginningShowsWhatBeginsSo", []string{"player/1"}, []string{"player/1", "player/10"}},
		{"OfAnEscapedBeginning", []string{"player/a%2F"}, []string{"player/a%2Fb"}},
		{"StopsAtItsLimit", []string{"--limit", "2"}, []string{"guild/1", "player/1"}},
		{"GoesOnAfterAKey", []string{"player", "--after", "player/10"}, []string{"player/2", "player/a%2Fb"}},
		{"OfNothingIsEmpty", []string{"monster"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := keys(c.args...); !slices.Equal(got, c.want) {
				t.Errorf("list %q = %q, want %q", c.args, got, c.want)
			}
		})
	}
	t.Run("SaysThatThereAreMore", func(t *testing.T) {
		w := w.in(t)
		w.run("list", "--limit", "5").is(exitOK, "There are more: go on with --after 'player/a%2Fb'", "KEY", "SIZE")
		if r := w.run("list", "--limit", "6").is(exitOK); r.err != "" {
			t.Errorf("list --limit 6 of 6 wrote %q, want nothing", r.err)
		}
	})
	t.Run("ShowsWhatIsDamagedAndGoesOn", func(t *testing.T) {
		w := newWorld(t)
		for _, key := range []string{"player/1", "player/2", "player/3"} {
			w.add(key, `{"n":1}`)
		}
		if err := w.mem.Damage("player/2"); err != nil {
			t.Fatal(err)
		}
		w.run("list").is(exitError, "player/1", "! read root", "damaged", "player/3")
		w.run("get", "player/2").is(exitError, "damaged", "left as it is")
		w.run("set", "player/2", "n", "2").is(exitError, "damaged", "left as it is")
		w.run("versions", "player/2").is(exitError, "damaged")
		r := w.run("export").is(exitError, "player/2", "damaged", "could not export 1")
		if got := lines[map[string]any](t, r.out); len(got) != 2 {
			t.Errorf("export wrote %d players, want the 2 that are not damaged", len(got))
		}
	})
}

func TestDiff(t *testing.T) {
	w := newWorld(t)
	w.add("player/1", `{"coins":1,"bag":{"sword":1,"bow":1},"name":"a","same":{"x":1,"y":2}}`)
	w.add("player/2", `{}`)
	w.ok("import", "--replace", "--key", "player/1", w.write(t.TempDir(), "n.json",
		`{"coins":2,"bag":{"sword":1,"axe":{"n":3}},"same":{"y":2.0,"x":1},"long":"`+strings.Repeat("z", 500)+`"}`))
	want := map[string][2]string{"bag/axe": {"", `{"n":3}`}, "bag/bow": {"1", ""}, "coins": {"1", "2"}, "name": {`"a"`, ""}, "long": {"", `"` + strings.Repeat("z", 500) + `"`}}
	t.Run("IsFieldByField", func(t *testing.T) {
		w := w.in(t)
		got := make(map[string][2]string)
		for _, c := range lines[struct {
			Path     string
			Old, New rawText
		}](t, w.ok("diff", "player/1", "1", "--json")) {
			got[c.Path] = [2]string{string(c.Old), string(c.New)}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("diff --json: %s", d)
		}
	})
	t.Run("CutsLongValuesUnlessFull", func(t *testing.T) {
		w := w.in(t)
		if out := w.run("diff", "player/1", "1").is(exitOK, "coins", "changed", "added", "deleted", "…").out; strings.Contains(out, strings.Repeat("z", 100)) {
			t.Errorf("diff = %s, want long values cut", out)
		}
		w.run("diff", "player/1", "1", "0", "--full").is(exitOK, strings.Repeat("z", 500))
	})
	t.Run("OfTheSameIsNone", func(t *testing.T) { w.in(t).run("diff", "player/1", "0").is(exitOK, "No difference.") })
}

// rawText is a JSON value as it is written.
type rawText string

func (r *rawText) UnmarshalJSON(text []byte) error {
	*r = rawText(text)
	return nil
}

// TestReadOnly runs each command that reads on a file, and on a database that
// fails the test at any write.
func TestReadOnly(t *testing.T) {
	w, path := newFile(t)
	shared := newWorld(t)
	for _, w := range []*world{w, shared} {
		w.add("player/1", `{"coins":1}`)
		w.add("player/2", `{"coins":2}`)
		w.ok("set", "player/1", "coins", "3")
	}
	g := shared.game(kept{shared.mem}, session.Options{Name: "game-1"})
	defer g.close(t.Context())
	g.open(t, "player/2")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"get", "player/1"}, {"get", "player/1", "--version", "1"}, {"list"}, {"versions", "player/1"}, {"diff", "player/1", "1"},
		{"locks"}, {"locks", "--players"}, {"export"}, {"audit", "items"}, {"export", "-o", "OUT"},
		{"export", "-o", "OUT/all.jsonl"}, {"backup", "OUT/copy.db"},
	} {
		t.Run(args[0]+"ChangesNothing", func(t *testing.T) {
			w, shared := w.in(t), shared.in(t)
			for i, a := range args {
				// A folder or file of its own for each.
				args[i] = strings.ReplaceAll(a, "OUT", t.TempDir())
			}
			w.ok(args...)
			after, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(before, after) {
				t.Errorf("holdfast %q changed the file (%v)", args, err)
			}
			if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
				t.Errorf("holdfast %q left a log of %d bytes", args, info.Size())
			}
			if n := len(args) - 1; args[0] == "export" && n > 0 {
				args[n] += "-shared.jsonl"
			}
			if args[0] != "backup" {
				shared.ok(args...)
			}
		})
		t.Run(args[0]+"CreatesNothing", func(t *testing.T) {
			dir := t.TempDir()
			w := newWorld(t)
			w.url = fileURL(filepath.Join(dir, "players.db"))
			w.run(args...).is(exitNotFound, "no such database", "players.db", "Nothing was created")
			if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
				t.Errorf("holdfast %q left %v (%v), want an empty folder", args, entries, err)
			}
		})
	}
}

func TestBackup(t *testing.T) {
	w, _ := newFile(t)
	w.add("player/1", `{"coins":1}`)
	dest := filepath.Join(t.TempDir(), "copy.db")
	t.Run("IsADatabase", func(t *testing.T) {
		w := w.in(t)
		w.run("backup", dest).is(exitOK, "Backed up")
		b := newWorld(t)
		b.url = fileURL(dest)
		b.run("get", "player/1").is(exitOK, `"coins": 1`)
	})
	t.Run("RefusesAFileThatExists", func(t *testing.T) {
		w := w.in(t)
		before, _ := os.ReadFile(dest)
		w.run("backup", dest).is(exitError, "exists")
		if after, err := os.ReadFile(dest); err != nil || !bytes.Equal(before, after) {
			t.Errorf("the refused backup changed the file (%v)", err)
		}
	})
	t.Run("OfMemIsRefused", func(t *testing.T) {
		newWorld(t).run("backup", filepath.Join(t.TempDir(), "x")).is(exitError, "by its own means", "export")
	})
}

var _ driver.DB = readOnly{}
