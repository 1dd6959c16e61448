package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/internal/bench"
)

// asProgram makes the test program be the program itself, so that a command
// which runs the program again can do so in a test.
const asProgram = "HOLDFAST_AS_PROGRAM"

func init() {
	if os.Getenv(asProgram) != "" {
		main()
	}
}

func TestBench(t *testing.T) {
	t.Run("QuickYieldsEveryFigureAsJSON", func(t *testing.T) {
		t.Setenv(asProgram, "1")
		w := newWorld(t)
		w.url = ""
		var figures []bench.Figure
		args, want := []string{"bench", "--quick", "--json"}, bench.Names()
		if os.Getenv("HOLDFAST_SOAK") == "" { // package bench measures each
			args = append(args, "--only", "disk,append,takeover,save.clients,idle")
			want = slices.DeleteFunc(want, func(name string) bool {
				part, _, _ := strings.Cut(name, ".")
				return name != "save.clients" && !slices.Contains([]string{"disk", "append", "takeover", "idle"}, part)
			})
		}
		if err := json.Unmarshal([]byte(w.ok(args...)), &figures); err != nil {
			t.Fatalf("the output is no list of figures: %v", err)
		}
		var names []string
		for _, f := range figures {
			names = append(names, f.Name)
			if f.Value < 0 || (f.Unit == "") != (f.Skipped != "") || f.Ratio < 0 || (f.Limit == "") != (f.OK == nil) {
				t.Errorf("holdfast bench yields %+v", f)
			}
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("holdfast bench yields other figures (-want +got):\n%s", diff)
		}
	})
	t.Run("TableNamesFigureYardstickAndLimit", func(t *testing.T) {
		w := newWorld(t)
		w.url = ""
		w.run("bench", "--quick", "--only", "disk.fsync,profile.read").is(exitOK,
			"FIGURE", "disk.fsync", "µs", "profile.read", "at most 2 times", "RWMutex and map")
	})
	t.Run("TableSaysWhyAFigureWasNotMeasured", func(t *testing.T) {
		w := newWorld(t)
		w.url = ""
		out := w.ok("bench", "--quick", "--only", "save.clients")
		if !strings.Contains(out, "–\n") || !strings.Contains(out, "not measured: ") {
			t.Errorf("holdfast bench wrote\n%s\nwant that save.clients was not measured, and why", out)
		}
	})
	t.Run("LeavesNothingBesideTheDatabase", func(t *testing.T) {
		w, path := newFile(t)
		w.add("player/1", `{"n":1}`)
		w.run("bench", "--quick", "--only", "append").is(exitOK, "append.latency")
		left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
		if err != nil || !slices.Equal(left, []string{path}) {
			t.Errorf("holdfast bench leaves %q (%v), want %q alone", left, err, path)
		}
		if list := w.ok("list", "--json"); strings.Count(list, "\n") != 1 || !strings.Contains(list, "player/1") {
			t.Errorf("holdfast bench leaves the players %s, want player/1 alone", list)
		}
	})
	t.Run("MeasuresNoDatabaseFromTheEnvironment", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "players.db")
		t.Setenv("HOLDFAST_DB", fileURL(path))
		w := newWorld(t)
		w.url = ""
		w.ok("bench", "--quick", "--only", "append.latency")
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("holdfast bench has touched the database of HOLDFAST_DB (%v)", err)
		}
	})
	t.Run("RefusesUnknownName", func(t *testing.T) {
		w := newWorld(t)
		w.url = ""
		w.run("bench", "--only", "speed").is(exitUsage, `"speed"`, "save.grouped")
	})
	t.Run("RefusesUnknownEngine", func(t *testing.T) {
		w := newWorld(t)
		w.url = "oracle:players"
		w.run("bench", "--quick", "--only", "append").is(exitUsage, "oracle", "sqlite:")
	})
}

func TestBenchStrict(t *testing.T) {
	yes, no := true, false
	reached, missed := bench.Figure{Name: "load", OK: &yes}, bench.Figure{Name: "takeover", OK: &no}
	for _, c := range []struct {
		strict  bool
		figures []bench.Figure
		want    string
	}{
		{false, []bench.Figure{reached, missed}, ""},
		{true, []bench.Figure{reached, {Name: "save"}}, ""},
		{true, []bench.Figure{reached, missed}, "missed the limit: takeover"},
	} {
		err := (&benchCmd{Strict: c.strict}).judge(c.figures)
		if errText(err) != c.want {
			t.Errorf("judge with Strict %v = %v, want %q", c.strict, err, c.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.00", 0.123: "0.12", 9.99: "9.99", 12.34: "12.3", 123.4: "123", 999: "999",
		1000: "1,000", 37516.15: "37,516", 1234567: "1,234,567",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}
