package web

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/natsbus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/sqlite"
)

// asServer makes the test binary a game server.
const asServer = "HOLDFAST_GAME_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	if err := Serve(context.Background(), os.Stdin, os.Stdout, &ServerOptions{Open: openDB, OpenBus: openBus, Log: os.Stderr}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// openBus opens a bus on NATS.
func openBus(ctx context.Context, url string) (*bus.Bus, error) { return natsbus.Open(ctx, url, nil) }

// openDB opens a SQLite file.
func openDB(ctx context.Context, text string) (driver.DB, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	return sqlite.Open(ctx, u.Path, nil)
}

// patience is for what happens on a slow machine that others use too.
const patience = time.Minute

// startGame serves a game, by processes of the test binary, and returns its URL. The end
// of the test ends it.
func startGame(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	line, err := natsbus.Embed(nil)
	if err != nil {
		t.Fatal(err)
	}
	at, log := make(chan string, 1), &output{}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, &Options{
			Address: "127.0.0.1:0", DB: "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "game.db")), Bus: line.URL(),
			Open: openDB, OpenBus: openBus, Server: []string{self}, Env: []string{asServer + "=1"},
			Replace: 2 * time.Second, Log: log, Ready: func(url string) { at <- url },
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		line.Close()
		if t.Failed() {
			t.Logf("the game said:\n%s", log)
		}
	})
	select {
	case url := <-at:
		return url
	case err := <-ended:
		ended <- err
		t.Fatalf("Run: %v", err)
	}
	return ""
}

// output is a buffer for several writers.
type output struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
