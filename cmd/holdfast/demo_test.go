package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/holdfast-games/holdfast/bus/natsbus"
)

// TestDemo builds the program and runs the newcomer's first command. Its
// servers are processes of the same program.
func TestDemo(t *testing.T) {
	bin := build(t)
	w, path := newFile(t)
	cmd := exec.Command(bin, "demo", "--seconds", "6", "--players", "12", "--json", "--db", w.url)
	var out, view bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &view
	// A limit in time that was missed gives an exit code too, and depends on the
	// machine: what is judged here is in the report.
	err := cmd.Run()
	var r struct {
		Broken         []string `json:"broken"`
		Late           []string `json:"late"`
		Players        int      `json:"players"`
		Acknowledged   int      `json:"updates_acknowledged"`
		DocumentsEqual int      `json:"documents_equal"`
	}
	if e := json.Unmarshal(out.Bytes(), &r); e != nil {
		t.Fatalf("holdfast demo --json = %v and printed %q, which is no object: %v\n%s", err, out.Bytes(), e, view.Bytes())
	}
	if len(r.Broken) > 0 || r.Players != 12 || r.DocumentsEqual != 12 || r.Acknowledged == 0 {
		t.Errorf("holdfast demo --json = %+v, want 12 players, all equal, and nothing broken\n%s", r, view.Bytes())
	}
	if (err == nil) != (len(r.Late) == 0) {
		t.Errorf("holdfast demo = %v with the limits %q missed", err, r.Late)
	}
	// The players stay in a database of one's own.
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	w.run("get", "holdfast-demo/player-001").is(exitOK, "demo_items")
	w.run("demo", "--seconds", "1").is(exitError, "holdfast-demo/player-0", "--fresh")
}

func TestDemoRefuses(t *testing.T) {
	for name, args := range map[string][]string{
		"NoTime":               {"--seconds", "0"},
		"TooLong":              {"--seconds", "4000"},
		"OneServer":            {"--servers", "1"},
		"OnMemoryOnly":         {"--db", "mem:"},
		"BusInAProcess":        {"--bus", "local:"},
		"UnknownBus":           {"--bus", "redis://user:hunter2@host"},
		"BusWithAnOddPassword": {"--bus", "nats://user:hunter2/x@host"},
		"OddEmbeddedBus":       {"--bus", "nats-embedded://user:hunter2@0.0.0.0:0"},
		"LeaseTooShort":        {"--lease", "1s"},
		"PlayersOfAGame":       {"--web", "--players", "3"},
		"AddressWithoutAGame":  {"--address", "localhost:0"},
		"GameAtNoAddress":      {"--web", "--address", "nowhere"},
		"GameOnMemoryOnly":     {"--web", "--db", "mem:"},
		"GameInAProcess":       {"--web", "--bus", "local:"},
		"GameLeaseTooShort":    {"--web", "--lease", "1s"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.url = ""
			r := w.run(append([]string{"demo"}, args...)...).is(exitUsage)
			noSecret(t, r.out+r.err)
		})
	}
	t.Run("NoDocuments", func(t *testing.T) {
		w := newWorld(t)
		w.url = ""
		w.run("demo", "--documents", t.TempDir()).is(exitError, "no .json file")
	})
}

// TestHostBus runs the server of a bus beside the servers that talk over it.
func TestHostBus(t *testing.T) {
	for name, url := range map[string]string{
		"AtAnyPort":         "nats-embedded:",
		"AtAPort":           "nats-embedded://" + deadAddress(t),
		"WithAPassword":     "nats-embedded://user:hunter2@" + deadAddress(t),
		"SomewhereByItself": "",
	} {
		t.Run(name, func(t *testing.T) {
			if url == "" {
				other, err := natsbus.Embed(nil)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(other.Close)
				url = other.URL()
			}
			reach, end, err := hostBus(t.Context(), url)
			if err != nil {
				t.Fatalf("hostBus(%q): %v", url, err)
			}
			b, err := openDemoBus(t.Context(), reach)
			if err != nil {
				t.Fatalf("the bus that hostBus(%q) runs at %q does not open: %v", url, reach, err)
			}
			if err := errors.Join(b.Close(), end()); err != nil {
				t.Errorf("end the bus of hostBus(%q): %v", url, err)
			}
		})
	}
}
