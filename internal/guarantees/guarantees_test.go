// Package guarantees holds docs/guarantees.md to what it says: every test that
// it names must exist.
package guarantees

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// row is one line of a table: a promise, the tests that show it, and in the
// tables that say so the engines on which they do.
type row struct {
	promise string
	tests   []string
	engines []string
}

// engines are those that a table may name.
var engines = []string{"memory", "simulated", "SQLite", "PostgreSQL", "NATS"}

var quoted = regexp.MustCompile("`([^`]+)`")

func readTable(t *testing.T) []row {
	t.Helper()
	text, err := os.ReadFile("../../docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || len(cells) < 2 || len(cells) > 3 || strings.HasPrefix(strings.TrimSpace(cells[0]), "-") {
			continue
		}
		if strings.TrimSpace(cells[1]) == "test" {
			continue
		}
		r := row{promise: strings.TrimSpace(cells[0])}
		for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
			r.tests = append(r.tests, m[1])
		}
		if len(cells) == 3 {
			r.engines = strings.Split(strings.TrimSpace(cells[2]), ", ")
		}
		rows = append(rows, r)
	}
	return rows
}

// source is what one folder's test files define: its functions, and every
// string in them, among which are the names of subtests.
type source struct {
	tests, texts []string
}

func TestEveryTestThatIsNamedExists(t *testing.T) {
	rows := readTable(t)
	if len(rows) < 20 {
		t.Fatalf("the table has %d rows: was its form changed?", len(rows))
	}
	sources := readTests(t)
	for _, r := range rows {
		if len(r.tests) == 0 {
			t.Errorf("%q: no test is named", r.promise)
		}
		for _, e := range r.engines {
			if !slices.Contains(engines, e) {
				t.Errorf("%q: engine %q is none of %q", r.promise, e, engines)
			}
		}
		for _, name := range r.tests {
			if why := missing(sources, name); why != "" {
				t.Errorf("%q: test %q: %s", r.promise, name, why)
			}
		}
	}
}

// missing says what of a test's name, package.TestName/subtest, is not there.
func missing(sources map[string]*source, name string) string {
	dir, rest, ok := strings.Cut(name, ".Test")
	if !ok {
		return "not of the form package.TestName/subtest"
	}
	src := sources[dir]
	if src == nil {
		return "no such package with tests"
	}
	parts := strings.Split("Test"+rest, "/")
	if !slices.Contains(src.tests, parts[0]) {
		return "no such function"
	}
	for _, sub := range parts[1:] {
		if !slices.ContainsFunc(src.texts, func(s string) bool { return strings.ReplaceAll(s, " ", "_") == sub }) {
			return "no subtest " + strconv.Quote(sub)
		}
	}
	return ""
}

func TestAMissingTestIsNoticed(t *testing.T) {
	sources := map[string]*source{"store": {tests: []string{"TestOne"}, texts: []string{"a fact"}}}
	for name, there := range map[string]bool{
		"store.TestOne": true, "store.TestOne/a_fact": true,
		"store.TestTwo": false, "store.TestOne/another": false, "other.TestOne": false, "nonsense": false,
	} {
		if got := missing(sources, name) == ""; got != there {
			t.Errorf("missing(%q) says there = %v, want %v", name, got, there)
		}
	}
}

func readTests(t *testing.T) map[string]*source {
	t.Helper()
	found := make(map[string]*source)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		// The suite that holds drivers to their contract is code, not a test file.
		isTest := strings.HasSuffix(path, "_test.go") || strings.Contains(path, "drivertest")
		if d.IsDir() || !isTest || !strings.HasSuffix(path, ".go") {
			return nil
		}
		dir := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../../")
		if found[dir] == nil {
			found[dir] = &source{}
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		found[dir].read(f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func (s *source) read(f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			s.tests = append(s.tests, n.Name.Name)
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
				s.texts = append(s.texts, text)
			}
		}
		return true
	})
}
