package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/profile"
)

func TestSchemaCheck(t *testing.T) {
	w := newWorld(t)
	w.add("player/1", `{"coins":5,"bag":{"sword":{"n":1}},"pet":"cat"}`)
	w.add("player/a%2Fb", `{"coins":"many"}`)
	w.add("player/3", `{"coins":5000,"bag":[]}`)
	w.add("player/4", `{"coins":1,"~schema":{"from the future":{"at":"2030-01-01T00:00:00Z"}}}`)
	w.add("guild/1", `{"coins":"a guild's"}`)
	s := profile.NewSchema("player", profile.Int("coins", 500, profile.Max(1000)), profile.Map[map[string]int]("bag"))
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	file := w.write(t.TempDir(), "schema.json", string(text))
	t.Run("SaysWhatWouldFail", func(t *testing.T) {
		w := w.in(t)
		before := w.ok("list", "--json")
		w.run("schema", "check", "--schema", file).is(exitError,
			"SEVERITY", "a%2Fb", "wrong type", "bag", "newer schema", "migration from the future", "out of bounds", "unknown field", "pet",
			"Checked 4 of kind player: 3 could not be loaded", "some players could not be loaded")
		if after := w.ok("list", "--json"); after != before {
			t.Errorf("schema check changed\n%s\nto\n%s", before, after)
		}
	})
	t.Run("JSONHasALineForEachAndOneForAll", func(t *testing.T) {
		w := w.in(t)
		out := w.run("schema", "check", "--schema", file, "--json").is(exitError).out
		all := strings.Split(strings.TrimSpace(out), "\n")
		var last checkedJSON
		if err := json.Unmarshal([]byte(all[len(all)-1]), &last); err != nil || last != (checkedJSON{"player", 4, 3, 0}) {
			t.Errorf("the last line is %s, %v", all[len(all)-1], err)
		}
		if len(all) != 6 {
			t.Errorf("there are %d lines, want 5 problems and a last line:\n%s", len(all), out)
		}
	})
	t.Run("ReadsASampleAndStandardInput", func(t *testing.T) {
		w := w.in(t)
		w.with(strings.Replace(string(text), `"player"`, `"guild"`, 1), "schema", "check", "--schema", "-", "--sample", "3").is(exitError, "Checked 1 of kind guild: 1 could not")
		w.run("schema", "check", "--schema", file, "--sample", "2").is(exitError, "Checked 2 of")
	})
	t.Run("OfWhatFitsIsExitCode0", func(t *testing.T) {
		w := w.in(t)
		w.with(`{"format":1,"kind":"guild","fields":[{"name":"coins","type":"string"}]}`, "schema", "check", "--schema", "-").is(exitOK, "Checked 1 of kind guild: 0 could")
		w.with(`{"format":1,"kind":"nobody","fields":[]}`, "schema", "check", "--schema", "-").is(exitOK, "Checked 0 of kind nobody")
	})
	t.Run("RefusesWhatIsNoSchema", func(t *testing.T) {
		w := w.in(t)
		w.with(`{`, "schema", "check", "--schema", "-").is(exitError, "mistake in schema")
		w.run("schema", "check").is(exitUsage, "--schema")
		w.run("schema", "check", "--schema", file, "--sample", "-1").is(exitUsage, "--sample")
		w.run("schema", "check", "--schema", file, "--examples", "0").is(exitUsage, "--examples")
		w.run("schema", "check", "--schema", "/nowhere/schema.json").is(exitError, "read the schema")
	})
}
