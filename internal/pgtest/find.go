package pgtest

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

const (
	binVariable  = "HOLDFAST_POSTGRES_BIN"  // names the folder of initdb and postgres
	needVariable = "HOLDFAST_NEED_POSTGRES" // set: a test without PostgreSQL fails
)

// ErrMissing means that PostgreSQL's programs were not found.
var ErrMissing = errors.New("PostgreSQL is not installed")

// findPrograms returns the folder that has PostgreSQL's server and initdb.
func findPrograms() (string, error) {
	if dir := os.Getenv(binVariable); dir != "" {
		if !hasPrograms(dir) {
			return "", fmt.Errorf("%w: %s=%q has no initdb and postgres", ErrMissing, binVariable, dir)
		}
		return dir, nil
	}
	for _, dir := range candidates() {
		if hasPrograms(dir) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%w: no initdb and postgres in %s, PATH or /usr/lib/postgresql/*/bin "+
		"(on Debian: apt-get install postgresql)", ErrMissing, binVariable)
}

// candidates returns the folders to look in, the best first.
func candidates() (dirs []string) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	installed, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return dirs // the pattern is well-formed, so there is no such error
	}
	slices.SortFunc(installed, func(a, b string) int { return cmp.Compare(major(b), major(a)) })
	return append(dirs, installed...)
}

// major returns the version in the name of a folder of Debian's, or zero.
func major(bin string) float64 {
	n, err := strconv.ParseFloat(filepath.Base(filepath.Dir(bin)), 64)
	if err != nil {
		return 0
	}
	return n
}

func hasPrograms(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() {
			return false
		}
	}
	return true
}
