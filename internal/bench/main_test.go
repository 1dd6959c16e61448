package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/postgres"
	"github.com/holdfast-games/holdfast/sqlite"
)

// The environment in which the test program is a worker.
const (
	workerRole = "HOLDFAST_BENCH_ROLE"
	workerURL  = "HOLDFAST_BENCH_URL"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(workerRole); role != "" {
		err := Work(context.Background(), &WorkerOptions{
			Role: role, In: os.Stdin, Out: os.Stdout,
			Open: func(ctx context.Context) (driver.DB, error) { return openAny(ctx, os.Getenv(workerURL)) },
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	pgtest.Main(m)
}

// openAny opens a database of PostgreSQL by its URL, or a SQLite file by its
// path.
func openAny(ctx context.Context, url string) (driver.DB, error) {
	if isPostgresURL(url) {
		return postgres.Open(ctx, url, nil)
	}
	return sqlite.Open(ctx, url, nil)
}

// newOptions returns quick options on files of the test's own.
func newOptions(t *testing.T, only ...string) *Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return &Options{
		Quick: os.Getenv("HOLDFAST_BENCH_FULL") == "", Only: only, Dir: dir,
		URL:  func(name string) string { return dir + "/" + name + ".db" },
		Open: func(ctx context.Context, url string) (driver.DB, error) { return sqlite.Open(ctx, url, nil) },
		Worker: func(ctx context.Context, url, role string) *exec.Cmd {
			cmd := exec.CommandContext(ctx, self)
			cmd.Env = append(os.Environ(), workerRole+"="+role, workerURL+"="+url)
			cmd.Stderr = os.Stderr
			return cmd
		},
	}
}
