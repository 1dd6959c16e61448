package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a private PostgreSQL cluster. Its methods are safe for concurrent
// use, one after another; they block until the server is in the state that they
// name.
type Server struct {
	bin   string // folder of the programs
	dir   string // data, socket and log are in it
	own   bool   // the folder was made by Run
	port  int
	owner *account

	mu      sync.Mutex // guards process
	process *process   // nil: not running
}

// The server's only user, and his password.
const (
	userName = "holdfast"
	password = "secret of the tests"
)

// patience is how long a server may take to start or to stop.
const patience = time.Minute

// Run makes a cluster in a folder and starts it. An empty dir is a new
// temporary folder; any other must exist and be empty, and becomes the server's,
// whose user its parents must let pass. The context bounds the start alone. Without
// PostgreSQL on this machine it is ErrMissing. The caller ends it with Remove.
func Run(ctx context.Context, dir string) (*Server, error) {
	s, err := prepare(dir)
	if err != nil {
		return nil, fmt.Errorf("make a PostgreSQL cluster: %w", err)
	}
	if err = s.initialize(ctx); err == nil {
		err = s.Restart(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a PostgreSQL cluster: %w", err), s.Remove())
	}
	return s, nil
}

// prepare finds the programs and gives the folder to the server's user.
func prepare(dir string) (*Server, error) {
	bin, err := findPrograms()
	if err != nil {
		return nil, err
	}
	owner, err := serverAccount()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, dir: dir, owner: owner}
	if dir == "" {
		s.own = true
		if s.dir, err = os.MkdirTemp("", "holdfast-pg-"); err != nil {
			return nil, err
		}
	}
	if owner != nil {
		err = os.Chown(s.dir, int(owner.uid), int(owner.gid))
	}
	return s, err
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }
func (s *Server) log() string  { return filepath.Join(s.dir, "log") }

// initialize makes the cluster's files.
func (s *Server) initialize(ctx context.Context) error {
	secret := filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"), "--no-sync", "--pgdata", s.data(),
		"--username", userName, "--pwfile", secret, "--auth-local", "trust", "--auth-host", "scram-sha-256",
		"--encoding", "UTF8", "--locale", "C")
	cmd.Dir, cmd.Env, cmd.SysProcAttr = s.dir, environment(), s.owner.attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func environment() []string { return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"} }

// settings are what the server has different from PostgreSQL's defaults, or must
// have as they are.
func (s *Server) settings() map[string]string {
	return map[string]string{
		"port":                       strconv.Itoa(s.port),
		"listen_addresses":           "127.0.0.1",
		"unix_socket_directories":    s.dir,
		"max_connections":            "200",
		"fsync":                      "on",
		"full_page_writes":           "on",
		"synchronous_commit":         "on",
		"dynamic_shared_memory_type": "mmap", // files below data, so a kill leaves nothing elsewhere
		"timezone":                   "UTC",
		"log_line_prefix":            "%m [%p] ",
	}
}

// Restart starts the server, which it stops first if it is running, on the port
// that it had. What was killed recovers first; Restart waits for that.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Stop(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer for %v", patience))
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	tries := 1
	if s.port == 0 {
		tries = 5 // another program may take a free port before the server does
	}
	var err error
	for range tries {
		if err = s.startLocked(ctx, tries > 1); err == nil {
			return nil
		}
	}
	return err
}

// startLocked starts the server and waits until it answers.
func (s *Server) startLocked(ctx context.Context, choose bool) error {
	if choose {
		port, err := freePort()
		if err != nil {
			return err
		}
		s.port = port
	}
	args := []string{"-D", s.data()}
	for name, value := range s.settings() {
		args = append(args, "-c", name+"="+value)
	}
	p, err := startProcess(filepath.Join(s.bin, "postgres"), args, s.dir, s.log(), s.owner)
	if err != nil {
		return err
	}
	if err := s.await(ctx, p); err != nil {
		return errors.Join(err, p.kill())
	}
	s.process = p
	return nil
}

// await returns when the server answers, or cannot any more.
func (s *Server) await(ctx context.Context, p *process) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.Exec(ctx, "postgres", "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("the server ended:\n%s", s.tail())
		case <-ctx.Done():
			return fmt.Errorf("%w: %w\n%s", context.Cause(ctx), err, s.tail())
		case <-tick.C:
		}
	}
}

// tail returns the end of the server's log.
func (s *Server) tail() []byte {
	const most = 4000
	text, err := os.ReadFile(s.log())
	if err != nil {
		return []byte(err.Error())
	}
	return text[max(0, len(text)-most):]
}

// Exec runs one statement in one of the server's databases, over a connection
// of its own.
func (s *Server) Exec(ctx context.Context, database, statement string) (err error) {
	c, err := pgx.Connect(ctx, s.URL(database))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	_, err = c.Exec(ctx, statement)
	return err
}

// URL returns the URL of one of the server's databases. The database
// "postgres" is there from the beginning. The URL stays the same when the server
// is started again.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(userName, password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Programs returns the folder of PostgreSQL's programs, such as pgbench.
func (s *Server) Programs() string { return s.bin }

// Stop shuts the server down: it ends the sessions and writes a checkpoint. A
// server that is not running stays so.
func (s *Server) Stop() error { return s.end((*process).stop) }

// Kill ends all the server's processes at once by SIGKILL, as a loss of power
// would. A server that is not running stays so.
func (s *Server) Kill() error { return s.end((*process).kill) }

func (s *Server) end(how func(*process) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	err := how(s.process)
	if err == nil {
		s.process = nil
	}
	return err
}

// Pause stops all the server's processes where they stand, until Resume. Its
// connections stay open and nobody answers.
func (s *Server) Pause() error { return s.running((*process).pause) }

// Resume lets a paused server run on.
func (s *Server) Resume() error { return s.running((*process).resume) }

func (s *Server) running(do func(*process) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return errors.New("the server is not running")
	}
	return do(s.process)
}

// Remove ends the server and deletes its files, and the folder too unless the
// caller of Run named it.
func (s *Server) Remove() error {
	if err := s.end((*process).abort); err != nil {
		return err
	}
	freeMemory(s.data())
	if s.own {
		return os.RemoveAll(s.dir)
	}
	entries, err := os.ReadDir(s.dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(s.dir, e.Name())))
	}
	return err
}

// freePort returns a port that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}
