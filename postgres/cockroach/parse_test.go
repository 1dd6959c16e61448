// Package cockroach holds the statements of the PostgreSQL driver to the grammar
// of CockroachDB, by CockroachDB's own parser. It is a module of its own, so that
// nobody who builds Holdfast needs that parser.
//
// That a statement parses there does not say that it ran there.
package cockroach

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/cockroachdb-parser/pkg/sql/parser"
)

// folder has the statements, one to a file. The files of its folder
// only_postgres are exempt: they tune PostgreSQL's storage and show players by
// functions in PL/pgSQL, and the driver runs them on PostgreSQL alone.
const folder = "../sql"

func TestStatementsParse(t *testing.T) {
	files, err := filepath.Glob(folder + "/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 30 {
		t.Fatalf("%d files in %s: is this where the statements are?", len(files), folder)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if n := parse(t, read(t, path)); n != 1 {
				t.Errorf("%s has %d statements, want one", path, n)
			}
		})
	}
}

func TestMigrationsParse(t *testing.T) {
	files, err := filepath.Glob(folder + "/migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("files of migrations: %v, %v", files, err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if n := parse(t, read(t, path)); n == 0 {
				t.Errorf("%s has no statement", path)
			}
		})
	}
}

// inCode finds the statements that are no files because they are a few words.
var inCode = regexp.MustCompile(`"((?:BEGIN|COMMIT|ROLLBACK|SHOW|SAVEPOINT|RELEASE)[A-Za-z_ ]*)"`)

func TestShortStatementsInTheCodeParse(t *testing.T) {
	files, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		for _, match := range inCode.FindAllStringSubmatch(read(t, path), -1) {
			found[match[1]] = true
		}
	}
	for _, want := range []string{"COMMIT", "ROLLBACK", "BEGIN ISOLATION LEVEL READ COMMITTED", "BEGIN ISOLATION LEVEL SERIALIZABLE"} {
		if !found[want] {
			t.Errorf("the code has no %q: where does it begin and end its transactions?", want)
		}
	}
	for statement := range found {
		parse(t, statement)
	}
}

func TestTheParserRefusesWhatCockroachDoesNot(t *testing.T) {
	for _, statement := range []string{
		"ALTER TABLE entries ALTER COLUMN value SET STORAGE EXTERNAL",
		"SELECT FROM WHERE",
	} {
		if parsed, err := parser.Parse(statement); err == nil {
			t.Errorf("Parse(%q) = %v: the parser accepts anything", statement, parsed)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// parse parses statements and returns how many there are.
func parse(t *testing.T, text string) int {
	t.Helper()
	statements, err := parser.Parse(text)
	if err != nil {
		t.Errorf("Parse(%q): %v", text, err)
	}
	return len(statements)
}
