package bench

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/sqlite"
)

// work runs a worker in this process until it has obeyed.
func runWorker(t *testing.T, role, in string) (string, error) {
	t.Helper()
	var out strings.Builder
	path := filepath.Join(t.TempDir(), "players.db")
	err := Work(t.Context(), &WorkerOptions{
		Role: role, In: strings.NewReader(in), Out: &out,
		Open: func(ctx context.Context) (driver.DB, error) { return sqlite.Open(ctx, path, nil) },
	})
	return out.String(), err
}

func TestWork(t *testing.T) {
	t.Run("HopOpensAsItIsTold", func(t *testing.T) {
		out, err := runWorker(t, roleHop, `{"player":1} {"player":2} {"player":1}`)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out, "\n"); n != 3 {
			t.Fatalf("it answers %q, want three lines", out)
		}
		for line := range strings.Lines(out) {
			var a answer
			if err := json.Unmarshal([]byte(line), &a); err != nil || a.Err != "" || a.Took <= 0 {
				t.Errorf("it answers %q (%v), want how long it took", line, err)
			}
		}
	})
	for _, role := range []string{roleHop, roleHold, roleImport, roleWatch} {
		t.Run(role+"EndsWithItsInput", func(t *testing.T) {
			if out, err := runWorker(t, role, ""); err != nil || out != "" {
				t.Errorf("Work = %q, %v, want nothing", out, err)
			}
		})
	}
	t.Run("RefusesUnknownRole", func(t *testing.T) {
		if _, err := runWorker(t, "cook", ""); err == nil || !strings.Contains(err.Error(), `"cook"`) {
			t.Errorf("Work: %v, want an error that names the role", err)
		}
	})
}
