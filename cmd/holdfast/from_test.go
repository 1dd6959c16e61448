package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

// profileLine is a line of an export of ProfileStore. More goes into MetaData.
func profileLine(key, data, more, messages string) string {
	return fmt.Sprintf(`{"key":%q,"value":{"Data":%s,"MetaData":{"ProfileCreateTime":1700000000,"SessionLoadCount":2,"LastUpdate":1700000300,"MetaTags":[]%s},`+
		`"RobloxMetaData":[],"UserIds":[],"GlobalUpdates":[0,%s]}}`, key, data, more, messages)
}

// backupLines are an export of numbered backups of DataStore2 of one player, all
// of them listed.
func backupLines(user string, from, to int) string {
	var b strings.Builder
	for n := from; n <= to; n++ {
		fmt.Fprintf(&b, `{"store":"DATA/%s","key":"%d","value":{"coins":%d}}`+"\n", user, n, 10*n)
		fmt.Fprintf(&b, `{"store":"DATA/%s","key":"%d","value":%d,"ordered":true}`+"\n", user, n, n)
	}
	return b.String()
}

// summary runs an import with --json and returns what it said.
func (w *world) summary(code int, args ...string) importJSON {
	w.Helper()
	got := lines[importJSON](w.T, w.run(append([]string{"import", "--json"}, args...)...).is(code).out)
	if len(got) != 1 {
		w.Fatalf("import --json wrote %d lines, want one", len(got))
	}
	return got[0]
}

// reasons are the reasons of a player's versions that begin so, oldest first.
func (w *world) reasons(key, prefix string) []string {
	w.Helper()
	var all []string
	for _, v := range lines[versionJSON](w.T, w.ok("versions", key, "--json")) {
		if strings.HasPrefix(v.Reason, prefix) {
			all = append(all, strings.TrimPrefix(v.Reason, prefix))
		}
	}
	return all
}

func TestImportFrom(t *testing.T) {
	for name, c := range map[string]struct {
		form, text string
		flags      []string
		want       string // of player/42
	}{
		"Nexus":          {"nexus", `{"key":"PlayerList$42","value":{"coins":5,"bag":{"sword":1}}}`, nil, `{"coins":5,"bag":{"sword":1}}`},
		"ProfileStore":   {"profilestore", profileLine("Player_42", `{"xp":9}`, "", `[]`), nil, `{"xp":9}`},
		"ProfileService": {"profilestore", profileLine("42", `{"xp":9}`, "", `[[1,1,false,{"gift":1}]]`), []string{"--drop-beside"}, `{"xp":9}`},
		"Lapis":          {"lapis", `{"key":"Player42","value":{"migrationVersion":2,"lastCompatibleVersion":1,"data":{"level":3}}}`, nil, `{"level":3}`},
		"PlainTable":     {"plain", `{"key":"42","value":{"bag":[],"best":1e+15}}`, []string{"--maps", "bag"}, `{"bag":{},"best":1000000000000000}`},
		"PlainField":     {"plain", `{"key":"coins:42","value":5}`, []string{"--field", "coins", "--id", `coins:(\d+)`}, `{"coins":5}`},
		"DataStore2InBackups": {
			"datastore2", backupLines("42", 8, 11), []string{"--main", "DATA"}, `{"coins":110}`,
		},
		"DataStore2InStandard": {
			"datastore2", `{"store":"coins","key":"42","value":5}` + "\n" + `{"store":"bag","key":"42","value":["sword"]}`, nil, `{"coins":5,"bag":["sword"]}`,
		},
		"AsOpenCloudReturnsIt": {
			"nexus", `{"path":"universes/1/data-stores/PlayerDataStore_PlayerData/scopes/global/entries/PlayerList%2442","id":"PlayerList$42","value":{"n":1},"state":"ACTIVE"}`, nil, `{"n":1}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := newFile(t)
			path := w.write(t.TempDir(), "export.jsonl", c.text)
			args := append([]string{"import", "--from", c.form, path}, c.flags...)
			w.ok(args...)
			w.equal("get", []byte(w.ok("get", "player/42")), []byte(c.want))
			versions := w.ok("versions", "player/42", "--json")
			if got := w.summary(exitOK, args[1:]...); got.Imported != 0 || got.Unchanged != 1 {
				t.Errorf("second import = %+v, want the player unchanged", got)
			}
			if again := w.ok("versions", "player/42", "--json"); again != versions {
				t.Errorf("a second import made versions\n%s\nout of\n%s", again, versions)
			}
		})
	}
	t.Run("HalfAFileTakesTheGoodLinesAndGoesOn", func(t *testing.T) {
		w := newWorld(t)
		whole := profileLine("1", `{"n":1}`, "", `[]`) + "\n" + profileLine("2", `{"n":2}`, "", `[]`) + "\n" + profileLine("3", `{"n":3}`, "", `[]`) + "\n"
		path := w.write(t.TempDir(), "export.jsonl", whole[:len(whole)-60])
		got := w.summary(exitError, "--from", "profilestore", path)
		if got.Imported != 2 || len(got.Refused) != 1 || got.Refused[0].From != path+":3" || !strings.Contains(got.Refused[0].Reason, "EOF") {
			t.Errorf("import of half a file = %+v, want two imported and line 3 refused", got)
		}
		w.write(filepath.Dir(path), "export.jsonl", whole)
		if got := w.summary(exitOK, "--from", "profilestore", path); got.Imported != 1 || got.Unchanged != 2 {
			t.Errorf("import of the whole file = %+v, want one imported and two unchanged", got)
		}
	})
	t.Run("TwoKeysOfOnePlayerAreBothRefused", func(t *testing.T) {
		w := newWorld(t)
		path := w.write(t.TempDir(), "export.jsonl", `{"key":"Player_1","value":{"n":1}}`+"\n"+`{"key":"2","value":{"n":2}}`+"\n"+`{"key":"1","value":{"n":3}}`)
		w.run("import", "--from", "plain", path).is(exitError, "player/1", `"Player_1" at `+path+":1", `"1" at `+path+":3")
		if list := lines[rootJSON](t, w.ok("list", "--json")); len(list) != 1 || list[0].Key != "player/2" {
			t.Errorf("list = %+v, want player/2 alone", list)
		}
	})
	t.Run("LockedPlayersAreImportedAndTold", func(t *testing.T) {
		w := newWorld(t)
		path := w.write(t.TempDir(), "export.jsonl", profileLine("1", `{"n":1}`, `,"ActiveSession":[7,"job"]`, `[]`)+"\n"+profileLine("2", `{"n":2}`, "", `[]`))
		w.run("import", "--from", "profilestore", path).is(exitOK, "Locked by the old system when they were exported: 1 (player/1)")
		if got := w.summary(exitOK, "--from", "profilestore", path); got.Notes.Locked != 1 || len(got.Notes.LockedKeys) != 1 {
			t.Errorf("import = %+v, want one locked", got)
		}
	})
	t.Run("WhatIsTheGamesBesideTheDataIsNeverDroppedUnsaid", func(t *testing.T) {
		w := newWorld(t)
		dir := t.TempDir()
		path := w.write(dir, "export.jsonl", profileLine("1", `{"n":1}`, "", `[[1,{"gift":5}]]`)+"\n"+`{"key":"2","value":{"GlobalUpdates":[1,[[1,{"gift":6}]]]}}`+"\n"+
			`{"key":"3","value":{"GlobalUpdates":[1,[]]}}`)
		got := w.summary(exitError, "--from", "profilestore", path)
		if len(got.Refused) != 2 || got.Empty != 1 || !strings.Contains(got.Refused[0].Reason, "--beside") {
			t.Errorf("import = %+v, want two refused because of --beside and one empty", got)
		}
		w.run("import", "--from", "profilestore", path, "--beside", "n").is(exitError, "have a field of this name")
		w.ok("import", "--from", "profilestore", path, "--beside", "old", "--replace")
		for key, gift := range map[string]string{"player/1": "5", "player/2": "6"} {
			if text := strings.Join(strings.Fields(w.ok("get", key)), ""); !strings.Contains(text, `{"gift":`+gift+`}`) {
				t.Errorf("get %s = %s, want the gift in it", key, text)
			}
		}
		w.run("get", "player/3").is(exitNotFound)
	})
	t.Run("EmptyTablesAndMigrationsAreTold", func(t *testing.T) {
		w := newWorld(t)
		path := w.write(t.TempDir(), "export.jsonl", `{"key":"1","value":{"migrationVersion":3,"data":{"bag":[],"pets":[[]]}}}`+"\n"+`{"key":"2","value":{"migrationVersion":2,"data":{"bag":[]}}}`)
		w.run("import", "--from", "lapis", path).is(exitOK, "bag in 2, pets/* in 1", "Migrations that Lapis had applied: 2 in 1, 3 in 1")
	})
	t.Run("FoldersHoldValues", func(t *testing.T) {
		w, dir := newWorld(t), t.TempDir()
		w.write(dir, "PlayerList%241.json", "\ufeff"+`{"key":"sword","value":1}`)
		w.write(dir, "PlayerList$2.json", `{"n":[1,null]}`)
		w.write(dir, "bad%2.json", `{}`)
		w.run("import", "--from", "nexus", dir).is(exitError, `null at "/n/1"`, "no key")
		w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"key":"sword","value":1}`))
		stores := t.TempDir()
		for _, n := range []int{9, 10} {
			if err := os.MkdirAll(filepath.Join(stores, "DATA%2F7"), 0o777); err != nil {
				t.Fatal(err)
			}
			w.write(filepath.Join(stores, "DATA%2F7"), fmt.Sprintf("%d.json", n), fmt.Sprintf(`{"n":%d}`, n))
		}
		w.ok("import", "--from", "datastore2", "--main", "DATA", stores, "--kind", "hero")
		w.equal("get", []byte(w.ok("get", "hero/7")), []byte(`{"n":10}`))
	})
}

func TestImportBackups(t *testing.T) {
	export := func(w *world, text string) string { return w.write(w.TempDir(), "export.jsonl", text) }
	t.Run("OlderOnesAreVersionsThatAreKept", func(t *testing.T) {
		w := newWorld(t)
		w.ok("import", "--from", "datastore2", "--main", "DATA", export(w, backupLines("1", 8, 11)))
		if got, want := fmt.Sprint(w.reasons("player/1", "holdfast import: backup ")), "[8 9 10 11]"; got != want {
			t.Errorf("versions of backups %s, want %s", got, want)
		}
		for _, v := range lines[versionJSON](t, w.ok("versions", "player/1", "--json")) {
			if n, ok := strings.CutPrefix(v.Reason, "holdfast import: backup "); ok {
				w.equal("backup "+n, []byte(w.ok("get", "player/1", "--version", v.Version.String())), []byte(`{"coins":`+n+`0}`))
				if !v.Kept {
					t.Errorf("the version of backup %s is not kept", n)
				}
			}
		}
	})
	t.Run("TheirNumberCanBeLimited", func(t *testing.T) {
		w := newWorld(t)
		path := export(w, backupLines("1", 1, 5))
		w.ok("import", "--from", "datastore2", "--main", "DATA", "--backups", "1", "--reason", "move", path)
		if got := fmt.Sprint(w.reasons("player/1", "move: backup ")); got != "[4 5]" {
			t.Errorf("versions of backups %s, want [4 5]", got)
		}
	})
	t.Run("AnInterruptedImportGoesOnWhereItStopped", func(t *testing.T) {
		w := newWorld(t)
		// What is in the database is as if the import of all six had been killed
		// after the third.
		w.ok("import", "--from", "datastore2", "--main", "DATA", export(w, backupLines("1", 1, 3)))
		path := export(w, backupLines("1", 1, 6))
		if got := w.summary(exitOK, "--from", "datastore2", "--main", "DATA", path); got.Imported != 1 {
			t.Errorf("import = %+v, want one imported", got)
		}
		if got := fmt.Sprint(w.reasons("player/1", "holdfast import: backup ")); got != "[1 2 3 4 5 6]" {
			t.Errorf("versions of backups %s, want each once", got)
		}
	})
	t.Run("WhatAKilledImportHadOnlyInItsJournalIsGoneOnFrom", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			dead := &cuttable{DB: kept{w.mem}}
			g, other := w.game(dead, session.Options{Name: importServer + "test)"}), w.game(dead, session.Options{Name: "game-1"})
			killed := g.open(t, "player/1")
			doc, err := document.Parse([]byte(`{"coins":10}`), nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := apply(g.db, g.Server, killed, document.Diff(snapshot(killed), doc), session.OriginImport, &audit.Act{Reason: backupReason("holdfast import", 1)}); err != nil {
				t.Fatal(err)
			}
			played := other.open(t, "player/2") // has the same, and from no import
			set(t, played, "coins", "10")
			if err := errors.Join(killed.Sync(t.Context()), played.Sync(t.Context())); err != nil {
				t.Fatal(err)
			}
			dead.cut.Store(true)
			g.close(closed())
			other.close(closed())
			time.Sleep(11 * time.Second)
			path := export(w, backupLines("1", 1, 3)+backupLines("2", 1, 3))
			got := w.summary(exitError, "--from", "datastore2", "--main", "DATA", path)
			if got.Imported != 1 || len(got.Refused) != 1 || got.Refused[0].Key != "player/2" {
				t.Errorf("import = %+v, want player/1 imported and player/2 refused", got)
			}
			w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"coins":30}`))
			w.equal("get", []byte(w.ok("get", "player/2")), []byte(`{"coins":10}`))
			if got := fmt.Sprint(w.reasons("player/1", "holdfast import: backup ")); !strings.HasSuffix(got, "2 3]") {
				t.Errorf("versions of backups %s, want 2 and 3 once", got)
			}
			// The first became a version when the player was taken over, which is kept
			// with the next one, whether or not it has its number.
			first := false
			for _, v := range lines[versionJSON](t, w.ok("versions", "player/1", "--json")) {
				first = first || v.Kept && document.Equal([]byte(w.ok("get", "player/1", "--version", v.Version.String())), []byte(`{"coins":10}`))
			}
			if !first {
				t.Error("no version that is kept has the first backup")
			}
		})
	})
	t.Run("WhoWasChangedOrRestoredSinceStaysAsHeIs", func(t *testing.T) {
		w := newWorld(t)
		w.ok("import", "--from", "datastore2", "--main", "DATA", export(w, backupLines("1", 1, 3)+backupLines("2", 1, 3)))
		w.ok("set", "player/1", "coins", "31")
		for _, v := range lines[versionJSON](t, w.ok("versions", "player/2", "--json")) {
			if v.Reason == "holdfast import: backup 2" {
				w.ok("restore", "player/2", v.Version.String())
			}
		}
		path := export(w, backupLines("1", 1, 6)+backupLines("2", 1, 6))
		if got := w.summary(exitError, "--from", "datastore2", "--main", "DATA", path); len(got.Refused) != 2 {
			t.Errorf("import = %+v, want both refused", got)
		}
		w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"coins":31}`))
		w.equal("get", []byte(w.ok("get", "player/2")), []byte(`{"coins":20}`))
	})
	t.Run("ANewestThatIsBrokenOrMissingIsNotReplacedByAnOlderOne", func(t *testing.T) {
		w := newWorld(t)
		broken := backupLines("1", 1, 2) + `{"store":"DATA/1","key":"3","value":{"coins":null}}` + "\n"
		missing := backupLines("2", 1, 2) + `{"store":"DATA/2","key":"3","value":3,"ordered":true}` + "\n"
		path := export(w, broken+missing)
		w.run("import", "--from", "datastore2", "--main", "DATA", path).is(exitError, "player/2", "backup 3 of the data store \"DATA\" is listed and missing")
		w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"coins":20}`)) // the third is not listed: it was cut short
		path = export(w, broken+`{"store":"DATA/1","key":"3","value":3,"ordered":true}`)
		w.run("import", "--from", "datastore2", "--main", "DATA", "--replace", path).is(exitError, "null at")
		w.equal("get", []byte(w.ok("get", "player/1")), []byte(`{"coins":20}`))
	})
	t.Run("AnOlderOneThatIsBrokenIsToldAndLeftOut", func(t *testing.T) {
		w := newWorld(t)
		path := export(w, backupLines("1", 1, 1)+`{"store":"DATA/1","key":"2","value":[1]}`+"\n"+backupLines("1", 3, 3))
		w.run("import", "--from", "datastore2", "--main", "DATA", path).is(exitOK, "could not become versions: 1", "backup 2 at "+path+":3")
		if got := fmt.Sprint(w.reasons("player/1", "holdfast import: backup ")); got != "[1 3]" {
			t.Errorf("versions of backups %s, want [1 3]", got)
		}
	})
	t.Run("AMainKeyThatWasForgottenIsTold", func(t *testing.T) {
		w := newWorld(t)
		w.run("import", "--from", "datastore2", export(w, backupLines("1", 1, 2))).is(exitOK, "--main DATA --replace")
	})
}

func TestImportFromUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"UnknownForm":      {"--from", "suphi"},
		"StandardInput":    {"--from", "plain", "-"},
		"Key":              {"--from", "plain", "--key", "player/1"},
		"IDWithoutFrom":    {"--id", "(.*)"},
		"IDWithoutGroup":   {"--from", "plain", "--id", ".*"},
		"IDNoPattern":      {"--from", "plain", "--id", "("},
		"IDOfDataStore2":   {"--from", "datastore2", "--id", "(.*)"},
		"MainOfPlain":      {"--from", "plain", "--main", "DATA"},
		"FieldOfNexus":     {"--from", "nexus", "--field", "x"},
		"FieldOfHoldfast":  {"--from", "plain", "--field", "~x"},
		"BesideOfNoName":   {"--from", "plain", "--beside", "a\x00"},
		"BesideAndDrop":    {"--from", "plain", "--beside", "a", "--drop-beside"},
		"NegativeBackups":  {"--from", "datastore2", "--backups=-1"},
		"LongReason":       {"--from", "datastore2", "--reason", strings.Repeat("x", 190)},
		"DropWithoutFrom":  {"--drop-beside"},
		"MapsWithoutFrom":  {"--maps", "bag"},
		"FieldWithoutFrom": {"--field", "bag"},
	} {
		t.Run(name+"IsExitCode2", func(t *testing.T) {
			w := newWorld(t)
			path := w.write(t.TempDir(), "export.jsonl", `{"key":"1","value":{}}`)
			w.run(append([]string{"import", path}, args...)...).is(exitUsage, "holdfast: ")
			if list := w.ok("list", "--json"); list != "" {
				t.Errorf("after a wrong command line there are players %q", list)
			}
		})
	}
}
