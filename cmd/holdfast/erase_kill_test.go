package main

import (
	"bufio"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
)

// TestKilledErase kills the program with SIGKILL in the middle of a batch, and runs it
// again.
func TestKilledErase(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	bin := build(t)
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		t.Run(engine, func(t *testing.T) {
			w, path := newFile(t)
			var db driver.DB
			if engine == "PostgreSQL" {
				w.url = pgtest.URL(t)
			}
			const n = 300
			var all, ids strings.Builder
			for i := range n {
				fmt.Fprintf(&all, "{\"key\":\"player/%d\",\"data\":{\"secret\":\"of %d\"}}\n", i, i)
				fmt.Fprintln(&ids, i)
			}
			w.with(all.String(), "import", "-").is(exitOK)
			file := w.write(t.TempDir(), "ids.txt", ids.String())
			for kills := range 3 {
				cmd := exec.Command(bin, "--db", w.url, "erase", "--file", file, "--reason", "test", "--yes", "-v")
				log, err := cmd.StderrPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				lines := bufio.NewScanner(log)
				for erased := 0; erased <= 20*kills && lines.Scan(); {
					if strings.Contains(lines.Text(), "msg=erased") {
						erased++
					}
				}
				if err := cmd.Process.Kill(); err != nil {
					t.Fatalf("the command had ended before it was killed: %v", err)
				}
				if err := cmd.Wait(); err == nil {
					t.Fatal("the command came to its end before it was killed")
				}
			}
			r := w.erases("--file", file)
			if r.Erased+r.Before != n || r.Before == 0 {
				t.Errorf("the last run erased %d, and found %d erased, want %d in all, and some before", r.Erased, r.Before, n)
			}
			if log := w.ok("audit", "log", "--what", "erase", "--json"); strings.Count(log, `"begun"`) != 4 || strings.Count(log, `"done"`) != 1 {
				t.Errorf("the audit log says\n%swant of each run that it began, and of the last how many it erased", log)
			}
			w.run("erase", "--verify", "--file", file, "--wait", "30s").is(exitOK)
			if engine == "SQLite" {
				db = openFile(t, path)
			} else {
				db = openServer(t, w.url)
			}
			snap, err := db.List(t.Context(), driver.Query{})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range snap.Entries {
				if strings.Contains(string(e.Value), "secret") {
					t.Errorf("entry %q still has %.200q", e.Key, e.Value)
				}
			}
		})
	}
}
