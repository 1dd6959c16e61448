package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/internal/console"
)

// state is how a game server is, as far as the front knows.
type state string

const (
	starting state = "starting"
	alive    state = "alive"
	killed   state = "killed"
	ended    state = "ended" // saved everybody, or failed
)

// child is one game server: a process, and after that was killed another one in its
// place. All its methods are safe for concurrent use.
type child struct {
	name    string
	with    setup
	o       *Options
	changed func(news string) // told of what happens; must not block

	mu    sync.Mutex // guards what follows
	state state
	pass  http.Handler // to the process, if it serves
	at    string       // where it does
	cmd   *exec.Cmd
	since time.Time // of the state
	deed  bool      // it was killed on purpose
}

// startWithin bounds the start of a process, on a slow machine.
const startWithin = time.Minute

// keep keeps a process running until ctx ends, and ends it then in an orderly way:
// everybody is saved.
func (c *child) keep(ctx context.Context) error {
	for {
		err := c.runOnce(ctx)
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			fmt.Fprintf(c.o.Log, "%s has ended: %v\n", c.name, err)
		}
		wait(ctx, c.o.Replace)
		if ctx.Err() != nil {
			return nil
		}
	}
}

// runOnce starts a process and returns when it has ended. When ctx ends it is told to
// end.
func (c *child) runOnce(ctx context.Context) error {
	var said console.Tail
	cmd := exec.Command(c.o.Server[0], c.o.Server[1:]...)
	cmd.Env, cmd.Stderr = append(os.Environ(), c.o.Env...), &said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start server %q: %w", c.name, err)
	}
	c.set(starting, func() { c.cmd, c.deed = cmd, false })
	stop := context.AfterFunc(ctx, func() { _ = stdin.Close() })
	defer stop()
	slow := time.AfterFunc(startWithin, func() { _ = cmd.Process.Kill() })
	err = c.meet(stdin, stdout)
	slow.Stop()
	if err != nil {
		_ = cmd.Process.Kill()
	}
	_, _ = io.Copy(io.Discard, stdout) // it says nothing more; this waits for its end
	last := cmd.Wait()
	c.mu.Lock()
	now := ended
	if c.deed {
		now = killed
	}
	c.mu.Unlock()
	c.set(now, func() { c.pass, c.at = nil, "" })
	if now == killed || ctx.Err() != nil && last == nil {
		return nil
	}
	if text := strings.TrimSpace(said.String()); text != "" {
		return errors.Join(err, last, errors.New(text))
	}
	return errors.Join(err, last)
}

// meet tells a new process what it runs with, and waits until it serves.
func (c *child) meet(stdin io.Writer, stdout io.Reader) error {
	if err := json.NewEncoder(stdin).Encode(&c.with); err != nil {
		return err
	}
	var r ready
	if err := json.NewDecoder(stdout).Decode(&r); err != nil {
		return fmt.Errorf("server %q did not start: %w", c.name, err)
	}
	pass := newPass(r.Address)
	c.set(alive, func() { c.pass, c.at = pass, r.Address })
	return nil
}

// newPass returns what passes requests on to a process, WebSockets included. Of what
// fails it logs nothing: a process that was killed is no surprise here.
func newPass(address string) http.Handler {
	to := &url.URL{Scheme: "http", Host: address}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // by which the server judges where a page comes from
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, "The server is gone.", http.StatusBadGateway)
		},
	}
}

func (c *child) set(s state, also func()) {
	c.mu.Lock()
	c.state, c.since = s, time.Now()
	also()
	c.mu.Unlock()
	c.changed(c.name + " is " + string(s))
}

// ServeHTTP passes a request on to the process, if there is one.
func (c *child) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	pass := c.pass
	c.mu.Unlock()
	if pass == nil {
		http.Error(w, "The server is not there.", http.StatusBadGateway)
		return
	}
	pass.ServeHTTP(w, r)
}

// where returns the process's address, or an empty text if it does not serve.
func (c *child) where() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// kill ends the process at once, as a crash would: kill -9.
func (c *child) kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != alive {
		return refuse("%s is not alive", c.name)
	}
	c.deed = true
	return c.cmd.Process.Kill()
}

// status is what pages are told of a game server.
type status struct {
	Name  string `json:"name"`
	State state  `json:"state"`
	PID   int    `json:"pid"`
	Since int64  `json:"since_ms"`
}

func (c *child) status() status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := status{Name: c.name, State: c.state, Since: time.Since(c.since).Milliseconds()}
	if c.cmd != nil && c.state != killed && c.state != ended {
		s.PID = c.cmd.Process.Pid
	}
	return s
}
