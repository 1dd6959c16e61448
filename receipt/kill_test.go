package receipt_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/postgres"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/sqlite"
	"github.com/holdfast-games/holdfast/store"
)

// asServer makes the test binary a game server that grants one purchase and says
// when it is at the step that the variable names. Its database is in onDatabase.
const (
	asServer   = "HOLDFAST_RECEIPT_SERVER"
	onDatabase = "HOLDFAST_RECEIPT_DATABASE"
)

// What a server process says.
const (
	saysAtStep  = "at the step"
	saysGranted = "granted"
)

// steps are those of a grant: what is held up at each of them.
var steps = map[string]struct {
	fault faulty.Fault
	is    func(*faulty.Call) bool
}{
	"BeforeTheClaim":     {faulty.Fault{Hold: true}, claims},
	"AfterTheMessage":    {faulty.Fault{HoldAnswer: true}, claims},
	"BeforeTheAppend":    {faulty.Fault{Hold: true}, appends},
	"AfterTheAppend":     {faulty.Fault{HoldAnswer: true}, appends},
	"BeforeTheSave":      {faulty.Fault{Hold: true}, savesAward},
	"AfterTheSave":       {faulty.Fault{HoldAnswer: true}, savesAward},
	"BeforeTheAnswer":    {},
	"ClaimNeverAnswered": {faulty.Fault{Lost: true}, claims},
}

func savesAward(c *faulty.Call) bool { return saves(c) && writes("~receipt/")(c) }

// serve is a server process. It returns its exit code.
func serve(step string) int {
	if err := serveStep(context.Background(), step); err != nil {
		fmt.Println("failed:", err)
		return 1
	}
	return 0
}

func serveStep(ctx context.Context, step string) (err error) {
	drv, err := openURL(ctx, os.Getenv(onDatabase))
	if err != nil {
		return err
	}
	f := faulty.New(drv)
	db, err := store.New(f, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(ctx)) }()
	srv, err := profile.Open(ctx, db, player, &profile.Options{Session: session.Options{Name: step, Lease: session.MinLease}})
	if err != nil {
		return err
	}
	defer func() {
		_, closing := srv.Close(ctx)
		err = errors.Join(err, closing)
	}()
	book, err := receipt.New(srv, products(), &receipt.Options{Wait: time.Minute})
	if err != nil {
		return err
	}
	at, known := steps[step]
	if known { // the one that is to die has the player on
		if _, err := srv.Open(ctx, "alice", nil); err != nil {
			return err
		}
	}
	if at.is != nil {
		f.Use(func(c *faulty.Call) faulty.Fault {
			if c.Op != faulty.Commit || !at.is(c) {
				return faulty.Fault{}
			}
			fmt.Println(saysAtStep)
			return at.fault
		})
	}
	if _, err := book.Grant(ctx, buy("shop:1", "alice")); err != nil {
		return err
	}
	if known {
		fmt.Println(saysAtStep)
		select {} // until it is killed
	}
	fmt.Println(saysGranted)
	return nil
}

func openURL(ctx context.Context, url string) (driver.DB, error) {
	if strings.HasPrefix(url, "postgres:") {
		return postgres.Open(ctx, url, nil)
	}
	return sqlite.Open(ctx, url, nil)
}

// TestKilledProcesses kills a server process by SIGKILL at each step of a grant;
// another process is then told of the same purchase.
func TestKilledProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	for name, url := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return filepath.Join(t.TempDir(), "p.db") },
		"PostgreSQL": func(t *testing.T) string { return pgtest.URL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			for step := range steps {
				t.Run(step, func(t *testing.T) {
					t.Parallel()
					killAt(t, step, url(t))
				})
			}
		})
	}
}

func killAt(t *testing.T, step, url string) {
	if err := runServer(t, step, url, saysAtStep); err != nil {
		t.Fatalf("the server that dies: %v", err)
	}
	for _, name := range []string{"second", "third"} {
		if err := runServer(t, name, url, saysGranted); err != nil {
			t.Fatalf("the %s server: %v", name, err)
		}
	}
	drv, err := openURL(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer drv.Close()
	w := &world{T: t, ctx: t.Context(), db: drv, real: true}
	w.audit()
	h := w.server("last")
	r, err := h.book.Reader().Receipt(t.Context(), "shop:1")
	if err != nil || r.State != receipt.Granted {
		t.Errorf("the record = %+v, %v, want it granted", r, err)
	}
	h.has("alice", 10)
	h.shut()
}

// runServer runs a server process until it says something, and kills it unless it
// ends by itself then.
func runServer(t *testing.T, step, url, until string) error {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), asServer+"="+step, onDatabase+"="+url)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said = append(said, lines.Text())
		if lines.Text() == until && until == saysAtStep {
			_ = cmd.Process.Kill()
			break
		}
	}
	err = cmd.Wait()
	if len(said) == 0 || said[len(said)-1] != until {
		return fmt.Errorf("it said %q, want %q: %w", said, until, err)
	}
	if until == saysGranted {
		return err
	}
	return nil
}
