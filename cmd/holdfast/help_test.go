package main

import (
	"strings"
	"testing"
)

// commands are the names of all commands of this program.
func commands(t *testing.T) []string {
	t.Helper()
	w := newWorld(t)
	w.url = ""
	_, list, _ := strings.Cut(w.ok("--help"), "Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	var names []string
	for line := range strings.Lines(list) {
		// What goes on from the line above stands further right.
		if name, ok := strings.CutPrefix(line, "  "); ok && name[0] != ' ' {
			names = append(names, strings.Fields(name)[0])
		}
	}
	return names
}

func TestHelp(t *testing.T) {
	names := commands(t)
	if len(names) < 10 {
		t.Fatalf("holdfast --help lists %q, want ten commands or more", names)
	}
	for _, name := range names {
		t.Run(name+"SaysHowAndTheExitCodes", func(t *testing.T) {
			w := newWorld(t)
			w.url = ""
			w.run(name, "--help").is(exitOK, "Usage: holdfast "+name, "Exit codes:", "3  another server holds the player")
		})
	}
}

func TestUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"NoCommand":           {},
		"UnknownCommand":      {"frobnicate"},
		"UnknownFlag":         {"get", "player/1", "--frob"},
		"KeyWithoutKind":      {"get", "steve"},
		"KeyOfTheSystem":      {"get", "~lease/x"},
		"KeyWithNUL":          {"get", "player/a%00b"},
		"KeyThatIsNotUTF8":    {"get", "player/\xff"},
		"KeyTooLong":          {"get", "player/" + strings.Repeat("x", 201)},
		"KeyWithABadEscape":   {"get", "player/50%"},
		"PathThatIsTooDeep":   {"set", "player/1", "a/b/c", "1"},
		"PathThatIsNotUTF8":   {"set", "player/1", "\xff", "1"},
		"PathOfHoldfastsOwn":  {"set", "player/1", "~0schema", "{}"},
		"PathWithNUL":         {"set", "player/1", "a\x00", "1"},
		"ValueThatIsNoJSON":   {"set", "player/1", "a", "hello"},
		"ValueThatIsNotUTF8":  {"set", "player/1", "a", "\"\xff\""},
		"TwoValues":           {"set", "player/1", "a", "1 2"},
		"NameTwiceInAnObject": {"set", "player/1", "a", `{"x":1,"x":2}`},
		"NoValue":             {"set", "player/1", "a"},
		"PathTwice":           {"set", "player/1", "a", "1", "a", "2"},
		"PathInAPath":         {"set", "player/1", "a", "{}", "--delete", "a/b"},
		"PairWithoutAValue":   {"set", "player/1", "a", "1", "b"},
		"StandardInputTwice":  {"set", "player/1", "a", "-", "b", "-"},
		"SetOfNothing":        {"set", "player/1"},
		"LongOperator":        {"set", "player/1", "a", "1", "--by", strings.Repeat("x", 101)},
		"ReasonOfTwoLines":    {"set", "player/1", "a", "1", "--reason", "a\nb"},
		"RestoreOfNothing":    {"restore"},
		"RestoreWithoutATime": {"restore", "--all"},
		"RestoreToNoTime":     {"restore", "--all", "--before", "soon"},
		"RestoreToTheFuture":  {"restore", "--all", "--before", "2999-01-01"},
		"RestoreAllOfOne":     {"restore", "player/1", "0", "--all", "--before", "1h"},
		"RestoreOneBefore":    {"restore", "player/1", "0", "--before", "1h"},
		"DryRunAndYes":        {"restore", "--all", "--before", "1h", "--dry-run", "--yes"},
		"UnlockNoWait":        {"unlock", "player/1", "--wait", "0s"},
		"AuditSinceNever":     {"audit", "log", "--since", "never"},
		"HandoverAndSteal":    {"set", "player/1", "a", "1", "--handover", "--steal"},
		"NegativeWait":        {"set", "player/1", "a", "1", "--wait=-1s"},
		"LongReason":          {"set", "player/1", "a", "1", "--reason", strings.Repeat("x", 201)},
		"NoSuchVersionForm":   {"restore", "player/1", "newest"},
		"NegativeLimit":       {"list", "--limit=-1"},
		"NoTimeout":           {"list", "--timeout", "0s"},
		"ListOfNoKey":         {"list", "a/b/c"},
		"ImportOfABadKind":    {"import", "--kind", "a\x00", "."},
		"ImportLinesWithKey":  {"import", "--key", "player/1", "-"},
	} {
		t.Run(name+"IsExitCode2", func(t *testing.T) {
			w := newWorld(t)
			r := w.run(args...).is(exitUsage, "holdfast: ")
			if r.out != "" {
				t.Errorf("holdfast %q wrote %q, want nothing but an error", args, r.out)
			}
			if list := w.ok("list", "--json"); list != "" {
				t.Errorf("after holdfast %q there are players %q, want none", args, list)
			}
		})
	}
}

func TestEngine(t *testing.T) {
	for name, url := range map[string]string{
		"NoDatabase":        "",
		"NoURL":             "players.db",
		"UnknownEngine":     "oracle://host/db",
		"SQLiteWithAHost":   "sqlite://players.db",
		"SQLiteWithoutPath": "sqlite:",
		"SQLiteWithAQuery":  "sqlite:a.db?mode=rw",
		"BadEscape":         "sqlite:100%.db",
		"MemWithAName":      "mem:x",
	} {
		t.Run(name+"IsRefused", func(t *testing.T) {
			t.Setenv("HOLDFAST_DB", "")
			w := newWorld(t)
			w.url = url
			r := w.run("list").is(exitUsage)
			if name == "UnknownEngine" || name == "NoURL" || name == "NoDatabase" {
				r.is(exitUsage, "sqlite:players.db", "mem:")
			}
		})
	}
	t.Run("ComesFromTheEnvironment", func(t *testing.T) {
		w, path := newFile(t)
		w.add("player/1", `{"coins":5}`)
		t.Setenv("HOLDFAST_DB", fileURL(path))
		w.url = ""
		w.run("get", "player/1").is(exitOK, `"coins": 5`)
	})
	t.Run("MemIsEmpty", func(t *testing.T) {
		w := newWorld(t)
		w.url = "mem:"
		w.run("get", "player/1").is(exitNotFound, "no such player")
	})
}
