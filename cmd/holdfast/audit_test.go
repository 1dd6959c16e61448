package main

import "testing"

func TestAuditItems(t *testing.T) {
	const (
		one = `"sword#0CTAO4HEIG07V8D96H4ND5S8G8":{"p":{"durability":5},"h":{"to":"player/1"}}`
		two = `"sword#0CTAO4HEIG07V8D96H4ND5S8GC":{"h":{"to":"player/1"}}`
	)
	t.Run("FindsNothingWhereNothingIsTwice", func(t *testing.T) {
		w := newWorld(t)
		w.add("player/1", `{"bag":{`+one+`,"arrow":{"n":5}}}`)
		w.add("player/2", `{"bag":{`+two+`,"arrow":{"n":5}}}`)
		w.run("audit", "items").is(exitOK, "Read 2 profiles with 2 unique items: 0 are in several places")
		if got := w.ok("audit", "items", "--json"); got != "" {
			t.Errorf("audit items --json = %q, want nothing", got)
		}
	})
	t.Run("FindsWhatIsTwiceWithExitCode1", func(t *testing.T) {
		w, _ := newFile(t)
		w.add("player/1", `{"bag":{`+one+`},"worn":{`+two+`}}`)
		w.add("player/2", `{"bag":{`+one+`}}`)
		w.add("guild/a b", `{"bag":{`+two+`}}`)
		w.run("audit", "items").is(exitError, "sword", "0CTAO4HEIG07V8D96H4ND5S8G8", "player/1 bag/sword#", "player/2 bag/", "2 are in several places", "stand in several places")
		got := lines[duplicateJSON](t, w.run("audit", "items", "--json").is(exitError).out)
		if len(got) != 2 || got[0].ID != "0CTAO4HEIG07V8D96H4ND5S8G8" || got[0].Item != "sword" || len(got[0].Places) != 2 ||
			got[0].Places[1] != (placeJSON{Key: "player/2", Path: "bag/sword#0CTAO4HEIG07V8D96H4ND5S8G8"}) {
			t.Errorf("audit items --json = %+v", got)
		}
	})
	t.Run("OfNoDatabaseIsExitCode4", func(t *testing.T) {
		w, _ := newFile(t)
		w.run("audit", "items").is(exitNotFound, "Nothing was created")
	})
}
