package demo

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/sqlite"
)

// asServer makes the test binary a server process of the demo.
const asServer = "HOLDFAST_DEMO_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		os.Exit(serve())
	}
	goleak.VerifyTestMain(m)
}

// serve is the server process: the arguments are --db URL --name NAME.
func serve() int {
	if os.Getenv(asServer) == "fail" {
		fmt.Fprintln(os.Stderr, "told to fail")
		return 1
	}
	IgnoreInterrupts()
	flags := flag.NewFlagSet("server", flag.ExitOnError)
	o := &ServerOptions{Open: openSQLite, Log: os.Stderr}
	flags.StringVar(&o.DB, "db", "", "")
	flags.StringVar(&o.Name, "name", "", "")
	if err := flags.Parse(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if err := Serve(context.Background(), os.Stdin, os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func openSQLite(ctx context.Context, text string) (driver.DB, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	return sqlite.Open(ctx, u.Path, nil)
}

// testOptions are those of a run with the test binary as its servers.
func testOptions(t *testing.T) *Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &Options{
		Open: openSQLite, Server: []string{self}, Env: []string{asServer + "=1"},
		DB: "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "demo.db")), View: t.Output(),
	}
}
