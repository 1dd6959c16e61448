package demo

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/bus/natsbus"
	"github.com/holdfast-games/holdfast/bus/pgbus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/postgres"
	"github.com/holdfast-games/holdfast/sqlite"
)

// asServer makes the test binary a server process of the demo.
const asServer = "HOLDFAST_DEMO_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		os.Exit(serve())
	}
	pgtest.Main(m)
}

// serve is the server process.
func serve() int {
	if os.Getenv(asServer) == "fail" {
		fmt.Fprintln(os.Stderr, "told to fail")
		return 1
	}
	IgnoreInterrupts()
	if err := Serve(context.Background(), os.Stdin, os.Stdout, &ServerOptions{Open: openDB, OpenBus: openBus, Log: os.Stderr}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// openDB opens a database by the scheme of its URL.
func openDB(ctx context.Context, text string) (driver.DB, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "postgres" {
		return postgres.Open(ctx, text, nil)
	}
	return sqlite.Open(ctx, u.Path, nil)
}

// openBus opens a bus by the scheme of its URL.
func openBus(ctx context.Context, text string) (Bus, error) {
	if strings.HasPrefix(text, "nats:") {
		return natsbus.Open(ctx, text, nil)
	}
	return pgbus.Open(ctx, text, nil)
}

// testOptions are those of a run with the test binary as its servers.
func testOptions(t *testing.T) *Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &Options{
		Open: openDB, OpenBus: openBus, Server: []string{self}, Env: []string{asServer + "=1"},
		DB: newSQLite(t), View: t.Output(),
	}
}

// newSQLite returns the URL of a file that does not exist yet.
func newSQLite(t *testing.T) string {
	t.Helper()
	return "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "demo.db"))
}
