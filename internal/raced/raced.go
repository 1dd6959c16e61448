// Package raced tells tests whether the race detector is on, with which a program
// takes several times as long, and gives them their own program without it.
package raced

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Without returns the path of the test's own program, built without the race
// detector: for what takes too long with it and shows something else than races. It
// blocks while that is built, and fails the test if it cannot be.
func Without(t testing.TB) string {
	t.Helper()
	if !On {
		path, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := filepath.Join(t.TempDir(), "unraced.test")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("build the test without the race detector: %v\n%s", err, out)
	}
	return path
}
