package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestDemo builds the program and runs the newcomer's first command. Its
// servers are processes of the same program.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and runs for ten seconds")
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "holdfast")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
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
	w.run("get", "player/player-001").is(exitOK, "demo_items")
	w.run("demo", "--seconds", "1").is(exitError, "player/player-0", "of its own")
}

func TestDemoRefuses(t *testing.T) {
	for name, args := range map[string][]string{
		"NoTime":       {"--seconds", "0"},
		"TooLong":      {"--seconds", "4000"},
		"OneServer":    {"--servers", "1"},
		"OnMemoryOnly": {"--db", "mem:"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.url = ""
			w.run(append([]string{"demo"}, args...)...).is(exitUsage)
		})
	}
	t.Run("NoDocuments", func(t *testing.T) {
		w := newWorld(t)
		w.url = ""
		w.run("demo", "--documents", t.TempDir()).is(exitError, "no .json file")
	})
}
