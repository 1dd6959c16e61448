package postgres_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/postgres"
)

// bystanders are statements of which it does not matter how they are run.
var bystanders = map[string]bool{
	"connect": true, "planner": true, "server": true, "time": true,
	"migrations": true, "schema_exists": true, "schema_version": true,
}

// statements returns the names of the statements that work on the tables.
func statements(t *testing.T) (names []string) {
	t.Helper()
	files, err := os.ReadDir("sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), ".sql"); ok && !bystanders[name] {
			names = append(names, name)
		}
	}
	return names
}

// TestPlans shows that every statement goes to its rows by their keys, in the
// order of the keys that it is given, whether its plan was made while the tables
// were empty or when they are large.
func TestPlans(t *testing.T) {
	url := pgtest.URL(t)
	db, err := postgres.Open(t.Context(), url, nil)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer db.Close()
	tool := connect(t, url)
	t.Run("WhileTheTablesAreEmpty", func(t *testing.T) { checkPlans(t, db) })
	for _, fill := range []string{
		`INSERT INTO holdfast.entries (key, version, recent, number, format, sum, created, updated, marked, size, packed, value)
			SELECT convert_to(md5(n::text), 'UTF8'), '\x01', '', 1, 1, 1, now(), now(), false, 0, 0, '' FROM generate_series(1, 20000) AS n`,
		`INSERT INTO holdfast.history (key, kept, replaced, number, version, format, sum, updated, marked, size, packed, value)
			SELECT key, false, updated, 1, version, 1, 1, updated, false, 0, 0, '' FROM holdfast.entries`,
		"INSERT INTO holdfast.keys SELECT key FROM holdfast.entries",
		"ANALYZE holdfast.keys", "ANALYZE holdfast.entries", "ANALYZE holdfast.history",
	} {
		if _, err := tool.Exec(t.Context(), fill); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("WhenTheTablesAreLarge", func(t *testing.T) { checkPlans(t, db) })
}

func checkPlans(t *testing.T, db *postgres.DB) {
	for _, name := range statements(t) {
		t.Run(name, func(t *testing.T) {
			plan, err := db.Plan(t.Context(), name)
			if err != nil {
				t.Fatalf("plan of %s: %v", name, err)
			}
			for _, slow := range []string{"Seq Scan", "Bitmap", "Hash Join", "Merge Join"} {
				if strings.Contains(plan, slow) {
					t.Errorf("%s has a %s:\n%s", name, slow, plan)
				}
			}
			given, found := strings.Index(plan, "Function Scan"), strings.Index(plan, "Index Scan")
			if given > found && found >= 0 {
				t.Errorf("%s does not follow the keys that it is given:\n%s", name, plan)
			}
		})
	}
}

// TestPlansKnowTheVersion shows that what names a version goes to it by the
// primary key, and that what does not begins with the newest: neither walks over
// versions that are dead.
func TestPlansKnowTheVersion(t *testing.T) {
	db := open(t, pgtest.URL(t), nil)
	for want, names := range map[string][]string{
		"AND (version ":       {"check", "lock", "keep", "replace", "delete", "version"},
		"Index Scan Backward": {"read", "states", "transfer_values", "versions", "version"},
	} {
		for _, name := range names {
			plan, err := db.Plan(t.Context(), name)
			if err != nil {
				t.Fatalf("plan of %s: %v", name, err)
			}
			if !strings.Contains(plan, want) {
				t.Errorf("plan of %s has no %q:\n%s", name, want, plan)
			}
		}
	}
}

// TestPlansOfListings shows that a listing ends at the end of its prefix, and does
// not walk on to the end of the table.
func TestPlansOfListings(t *testing.T) {
	db := open(t, pgtest.URL(t), nil)
	for _, name := range []string{"list", "list_keys"} {
		plan, err := db.Plan(t.Context(), name)
		if err != nil {
			t.Fatalf("plan of %s: %v", name, err)
		}
		if !regexp.MustCompile(`Index Cond: .*key < `).MatchString(plan) {
			t.Errorf("plan of %s has no upper bound in its index condition:\n%s", name, plan)
		}
	}
}

// TestKeysInAnyOrder shows that groups over the same keys in other orders do not
// deadlock: the server counts none.
func TestKeysInAnyOrder(t *testing.T) {
	url := pgtest.URL(t)
	db, err := postgres.Open(t.Context(), url, nil)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { db.Close() })
	const keys, writers, rounds = 40, 4, 25
	done := make(chan error, writers)
	for w := range writers {
		go func() {
			for range rounds {
				g := driver.Group{}
				for i := range keys {
					key := fmt.Sprintf("k/%d", (i*7+w*11)%keys)
					g.Batches = append(g.Batches, driver.Batch{ID: newID(), Writes: []driver.Write{{Key: key, Mode: driver.Always}}})
				}
				if _, err := db.Commit(t.Context(), g); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			t.Errorf("Commit: %v", err)
		}
	}
	if err := db.Close(); err != nil { // the server counts when a session ends
		t.Fatalf("Close: %v", err)
	}
	tool := connect(t, url)
	checkKeys(t, tool, "holdfast")
	for others := 1; others > 0; {
		if err := tool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").Scan(&others); err != nil {
			t.Fatal(err)
		}
	}
	var deadlocks int
	err = tool.QueryRow(t.Context(), "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").Scan(&deadlocks)
	if err != nil || deadlocks != 0 {
		t.Errorf("%d deadlocks, %v, want none", deadlocks, err)
	}
}
