package main

import (
	"bufio"
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestKilledCopy kills the program with SIGKILL in the middle of a copy, and
// runs it again.
func TestKilledCopy(t *testing.T) {
	bin, dir := build(t), t.TempDir()
	from := openFile(t, filepath.Join(dir, "a.db"))
	stock(t, from, 4*runKeys)
	a, b := fileURL(filepath.Join(dir, "a.db")), fileURL(filepath.Join(dir, "b.db"))
	for kills := range 2 {
		cmd := exec.Command(bin, "copy", a, b, "-v")
		log, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// It says so when a part has been committed.
		lines := bufio.NewScanner(log)
		for parts := 0; parts <= kills && lines.Scan(); {
			if strings.Contains(lines.Text(), "msg=moved") {
				parts++
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatalf("the copy had ended before it was killed: %v", err)
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the copy came to its end before it was killed")
		}
		out, err := exec.Command(bin, "--db", b, "import", "-").CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || !bytes.Contains(out, []byte("unfinished")) {
			t.Errorf("import into a copy that was killed = %v, want a refusal; it wrote\n%s", err, out)
		}
	}
	w, _ := onShelf(t)
	got := w.copies(a, b)
	if got.Moved == 0 || got.Moved >= int(got.From.Entries) {
		t.Errorf("the last run moved %d of %d entries, want a part", got.Moved, got.From.Entries)
	}
	same(t, from, openFile(t, filepath.Join(dir, "b.db")))
}
