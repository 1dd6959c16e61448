package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

// shared is the cluster that the tests of one package share, nil until the
// first of them asks for it.
var shared struct {
	mu     sync.Mutex // guards what follows
	server *Server
	err    error // of the start: it is not tried twice
}

// lastDatabase numbers the databases of this process.
var lastDatabase atomic.Int64

// Main runs the tests of a package, removes the shared cluster, fails on
// goroutines that are left (with goleak's options), and exits.
func Main(m *testing.M, options ...goleak.Option) {
	goleak.VerifyTestMain(tests{m}, options...)
}

// tests are a package's tests, and the end of their cluster.
type tests struct{ *testing.M }

func (t tests) Run() int {
	code := t.M.Run()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil {
		return code
	}
	if err := shared.server.Remove(); err != nil {
		fmt.Fprintln(os.Stderr, "remove the shared PostgreSQL cluster:", err)
		return max(code, 1)
	}
	return code
}

// URL returns the URL of a fresh and empty database in the cluster that the
// tests of a package share. It is dropped when the test ends, and whoever still
// uses it is cut off. The package's TestMain must call Main. The test is
// skipped if there is no PostgreSQL.
func URL(tb testing.TB) string {
	tb.Helper()
	s := Shared(tb)
	name := fmt.Sprintf("test_%d", lastDatabase.Add(1))
	if err := s.Exec(context.Background(), "postgres", "CREATE DATABASE "+name); err != nil {
		tb.Fatalf("create a database: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Exec(context.Background(), "postgres", "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Errorf("drop the test's database: %v", err)
		}
	})
	return s.URL(name)
}

// Shared returns the cluster that the tests of a package share, for those that
// need more of it than a database. They must leave it running.
func Shared(tb testing.TB) *Server {
	tb.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = Run(context.Background(), "")
	}
	require(tb, shared.err)
	return shared.server
}

// require skips or fails a test whose cluster could not be made.
func require(tb testing.TB, err error) {
	tb.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrMissing) && os.Getenv(needVariable) == "":
		tb.Skipf("not tested on PostgreSQL: %v", err)
	default:
		tb.Fatal(err)
	}
}

// Cluster is a cluster for one test, which may do with it what it likes. Its
// methods fail the test on an error.
type Cluster struct {
	server *Server
	tb     testing.TB
}

// Start starts a cluster for one test and removes it when the test ends. The
// test is skipped if there is no PostgreSQL.
func Start(tb testing.TB) *Cluster {
	tb.Helper()
	s, err := Run(context.Background(), "")
	require(tb, err)
	c := &Cluster{s, tb}
	tb.Cleanup(func() { c.check("Remove", s.Remove()) })
	return c
}

func (c *Cluster) check(what string, err error) {
	c.tb.Helper()
	if err != nil {
		c.tb.Fatalf("%s the PostgreSQL cluster: %v", what, err)
	}
}

// URL returns the URL of a database of the cluster that is empty at first,
// always the same.
func (c *Cluster) URL() string { return c.server.URL("postgres") }

// Server returns the cluster's server.
func (c *Cluster) Server() *Server { return c.server }

// Kill ends all the server's processes by SIGKILL.
func (c *Cluster) Kill() { c.tb.Helper(); c.check("kill", c.server.Kill()) }

// Stop shuts the server down.
func (c *Cluster) Stop() { c.tb.Helper(); c.check("stop", c.server.Stop()) }

// Restart starts the server on the same port, and stops it first if it is
// running. It returns when the server answers.
func (c *Cluster) Restart() {
	c.tb.Helper()
	c.check("restart", c.server.Restart(context.Background()))
}

// Pause stops all the server's processes where they stand, until Resume.
func (c *Cluster) Pause() { c.tb.Helper(); c.check("pause", c.server.Pause()) }

// Resume lets a paused server run on.
func (c *Cluster) Resume() { c.tb.Helper(); c.check("resume", c.server.Resume()) }
