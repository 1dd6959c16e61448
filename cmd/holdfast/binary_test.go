package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// built is the program, which is built once for all tests.
var built struct {
	once sync.Once
	dir  string // to be removed when all tests have ended
	out  []byte
	err  error
}

// build builds the program and returns its path.
func build(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "holdfast-test-*"); built.err == nil {
			built.out, built.err = exec.Command("go", "build", "-o", filepath.Join(built.dir, "holdfast"), ".").CombinedOutput()
		}
	})
	if built.err != nil {
		t.Fatalf("go build: %v\n%s", built.err, built.out)
	}
	return filepath.Join(built.dir, "holdfast")
}

// TestBinary builds the program and runs it as a process.
func TestBinary(t *testing.T) {
	bin, dir := build(t), t.TempDir()
	for _, c := range []struct {
		args string
		in   string
		code int
		want string
	}{
		{"--help", "", exitOK, "Exit codes:"},
		{"get player/1", "", exitNotFound, "no such database"},
		{"import -", `{"key":"player/1","data":{"coins":5}}`, exitOK, "IMPORTED"},
		{"set player/1 coins -7", "", exitUsage, "--reason"},
		{"set player/1 coins -7 --reason ticket", "", exitOK, "-7"},
		{"get player/1", "", exitOK, `"coins": -7`},
		{"get player/2", "", exitNotFound, "no such player"},
		{"get", "", exitUsage, "expected"},
		{"import missing.json", "", exitError, "missing.json"},
	} {
		cmd := exec.Command(bin, strings.Fields(c.args)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOLDFAST_DB=sqlite:players.db")
		cmd.Stdin = strings.NewReader(c.in)
		out, err := cmd.CombinedOutput()
		code := 0
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			code = exit.ExitCode()
		}
		if code != c.code || !strings.Contains(string(out), c.want) {
			t.Errorf("holdfast %s = exit code %d, %v, want %d; output\n%s\nwant %q in it", c.args, code, err, c.code, out, c.want)
		}
	}
}
