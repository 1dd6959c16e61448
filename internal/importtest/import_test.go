// Package importtest holds the layers to their order: imports point down.
package importtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/holdfast-games/holdfast"

// below lists, for each package, the packages of this module that its code
// (tests aside) may import. A package that is not listed fails the test.
var below = map[string][]string{
	"":                           {},
	"driver":                     {},
	"driver/drivertest":          {"driver"},
	"mem":                        {"driver"},
	"sqlite":                     {"driver", "internal/calls", "internal/lineage"},
	"postgres":                   {"driver", "internal/calls", "internal/lineage"},
	"bus":                        {"internal/registry"},
	"bus/bustest":                {"bus"},
	"bus/natsbus":                {"bus"},
	"bus/pgbus":                  {"bus"},
	"document":                   {},
	"store":                      {"driver", "internal/registry"},
	"session":                    {"driver", "store", "bus", "document", "internal/registry"},
	"audit":                      {"driver", "store", "document", "session"},
	"profile":                    {"driver", "store", "bus", "document", "session", "audit", "internal/registry"},
	"receipt":                    {"driver", "store", "document", "session", "audit", "profile"},
	"receipt/appstore":           {"driver", "receipt"},
	"receipt/webhook":            {"driver", "receipt"},
	"mailbox":                    {"driver", "store", "document", "session", "audit", "profile", "internal/registry"},
	"rollback":                   {"driver", "store", "document", "session", "audit", "profile"},
	"trade":                      {"driver", "store", "document", "session", "profile", "internal/registry"},
	"inventory":                  {"driver", "store", "document", "session", "profile"},
	"replica":                    {"driver", "session", "profile", "internal/registry"},
	"archive":                    {"driver", "store", "document", "session", "profile", "receipt"},
	"feed":                       {"driver", "store", "document", "session"},
	"roblox":                     {},
	"sdk/typescript":             {},
	"examples/fromroblox":        {},
	"holdfasttest":               {"driver", "mem", "bus", "store", "document", "session", "profile"},
	"internal/bench":             {"driver", "sqlite", "postgres", "bus", "store", "document", "session", "profile", "receipt", "trade", "inventory", "replica", "mem"},
	"internal/calls":             {},
	"internal/console":           {},
	"internal/demo":              {"driver", "store", "document", "session", "profile", "internal/console"},
	"internal/demo/web":          {"driver", "bus", "store", "document", "session", "profile", "receipt", "receipt/webhook", "mailbox", "trade", "inventory", "replica", "sdk/typescript", "internal/console"},
	"internal/doorbell":          {"driver", "mem", "bus", "bus/bustest", "store", "document", "session", "internal/faulty"},
	"internal/faulty":            {"driver"},
	"internal/importtest":        {},
	"internal/lineage":           {"driver"},
	"internal/market":            {"profile", "trade"},
	"internal/outage":            {},
	"internal/raced":             {},
	"internal/registry":          {},
	"internal/pgtest":            {},
	"internal/plant":             {},
	"internal/replicatest":       {"driver", "mem", "store", "session", "profile", "replica"},
	"internal/replicatest/serve": {"internal/replicatest"},
	"internal/sim":               {"driver", "mem", "bus", "store", "document", "session", "profile", "receipt", "trade", "inventory", "internal/plant"},
	"internal/wire":              {},
	"cmd/holdfast":               {"driver", "mem", "sqlite", "postgres", "bus", "bus/natsbus", "bus/pgbus", "store", "document", "session", "profile", "receipt", "mailbox", "feed", "roblox", "internal/bench", "internal/console", "internal/demo", "internal/demo/web", "inventory", "archive", "audit", "rollback"},
}

// databases are the libraries that only the named packages may import: a
// driver, and the benchmark's yardstick, which runs the driver's statements bare. The
// same goes for what carries messages.
var databases = map[string][]string{
	"modernc.org/sqlite": {"sqlite", "internal/bench"},
	"database/sql":       {"sqlite", "postgres", "internal/bench"},

	"github.com/jackc/pgx":     {"postgres", "bus/pgbus", "internal/pgtest", "internal/wire", "internal/bench"},
	"github.com/pressly/goose": {"postgres"},

	"github.com/nats-io": {"bus/natsbus"},

	"github.com/coder/websocket":       {"replica", "internal/replicatest", "internal/demo/web"},
	"github.com/evanphx/json-patch/v5": {"replica"},
}

func TestImportsPointDown(t *testing.T) {
	for dir, imports := range readImports(t) {
		allowed, listed := below[dir]
		if !listed {
			t.Errorf("package %q is not listed here: say which packages it may import", dir)
		}
		for _, path := range imports {
			if p, ok := strings.CutPrefix(path, module); ok {
				if p = strings.TrimPrefix(p, "/"); !slices.Contains(allowed, p) {
					t.Errorf("package %q imports %q, which is not below it", dir, p)
				}
			}
		}
	}
}

func TestOnlyADriverImportsItsDatabase(t *testing.T) {
	for dir, imports := range readImports(t) {
		for _, path := range imports {
			for lib, owners := range databases {
				if (path == lib || strings.HasPrefix(path, lib+"/")) && !slices.Contains(owners, dir) {
					t.Errorf("package %q imports %q, which belongs to %q", dir, path, owners)
				}
			}
		}
	}
}

// readImports returns what each package of the module imports, by its folder.
func readImports(t *testing.T) map[string][]string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string][]string)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(rel)
		if dir == "." {
			dir = ""
		}
		found[dir] = append(found[dir], nil...)
		for _, spec := range f.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[dir] = append(found[dir], name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 5 {
		t.Fatalf("found only %d packages below %s", len(found), root)
	}
	return found
}
