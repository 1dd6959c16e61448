package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// Bounds of the options.
const (
	MaxPlayers = 5000
	MaxServers = 16
	maxPlay    = time.Hour
)

// Options are the settings of Run.
type Options struct {
	// Play is how long players play, 1 s to 1 h. Zero means 30 s. A run goes
	// on until every server that was killed or stopped serves again.
	Play time.Duration
	// Players is how many there are at least, up to MaxPlayers: each document
	// and each player of the trace is one, and the others are made by chance.
	// Zero means 24, or as many as Documents and Trace have.
	Players int
	// Servers is the number of server processes, 2 to MaxServers. Zero means 3.
	Servers int
	// DB is the URL of the database. It must not hold any of the players, unless
	// Fresh is set. Empty means SQLite in a temporary folder, which is removed at
	// the end.
	DB string
	// Fresh deletes what earlier demos left in the database: all of their kind
	// of key. It is refused if a server holds one of them.
	Fresh bool
	// Bus is the URL of the bus between the servers. Empty means none: requests
	// then travel through the database only.
	Bus string
	// Lease is how long a server may be unreachable before others take its
	// players over, session.MinLease to a minute. Zero means DefaultLease.
	Lease time.Duration
	// Documents is a folder with a JSON document per player. Empty means that
	// documents are made by chance.
	Documents string
	// Trace is a CSV file of time, player and event (join or leave). Empty means
	// that times are made by chance.
	Trace string
	// Seed makes chance repeatable. The run itself is not: it is real.
	Seed uint64
	// Faults is what happens to servers, in order, spread over Play. Nil means
	// one Kill and one Stop.
	Faults []Fault
	// Open opens a database by its URL. Required.
	Open func(ctx context.Context, url string) (driver.DB, error)
	// OpenBus opens a bus by its URL. Required with Bus.
	OpenBus OpenBus
	// Server is the command line that starts a server process, which must call
	// Serve with the same ways to open. Required.
	Server []string
	// Env is added to the environment of the server processes.
	Env []string
	// View gets what is to be seen of the run while it goes on. If it is a
	// terminal it is redrawn in place, else there are a few lines. Nil: nothing.
	View io.Writer
}

// Fault is something that happens to a server.
type Fault int

// The faults. A server that was killed is replaced by a new process as soon as
// another server has taken one of its players over.
const (
	// Kill ends a server with SIGKILL.
	Kill Fault = iota
	// Stop halts a server with SIGSTOP until all its players have been taken
	// over, and then lets it continue.
	Stop
)

// What the servers of a demo run with: a short lease, since a newcomer should
// not have to wait, and the default of session.Options.AppendEvery.
const (
	DefaultLease = 3 * time.Second
	AppendEvery  = 50 * time.Millisecond
	maxLease     = time.Minute
	autosave     = 2 * time.Second
)

// ErrOption means that a run was asked for that is not possible.
var ErrOption = errors.New("cannot run")

func (o *Options) withDefaults() (Options, error) {
	c := *o
	if c.Play == 0 {
		c.Play = 30 * time.Second
	}
	if c.Players == 0 && c.Documents == "" && c.Trace == "" {
		c.Players = 24
	}
	if c.Servers == 0 {
		c.Servers = 3
	}
	if c.Lease == 0 {
		c.Lease = DefaultLease
	}
	if c.Faults == nil {
		c.Faults = defaultFaults()
	}
	if c.View == nil {
		c.View = io.Discard
	}
	return c, c.check()
}

func defaultFaults() []Fault {
	if !canStop {
		return []Fault{Kill}
	}
	return []Fault{Kill, Stop}
}

func (o *Options) check() error {
	switch {
	case o.Play < time.Second || o.Play > maxPlay:
		return fmt.Errorf("%w: playing for %v, 1s to %v allowed", ErrOption, o.Play, maxPlay)
	case o.Players < 0 || o.Players > MaxPlayers:
		return fmt.Errorf("%w: %d players, 1 to %d allowed", ErrOption, o.Players, MaxPlayers)
	case o.Servers < 2 || o.Servers > MaxServers:
		return fmt.Errorf("%w: %d servers, 2 to %d allowed: one is killed, and another must take over", ErrOption, o.Servers, MaxServers)
	case o.Lease < session.MinLease || o.Lease > maxLease:
		return fmt.Errorf("%w: a lease of %v, %v to %v allowed", ErrOption, o.Lease, session.MinLease, maxLease)
	case strings.HasPrefix(o.DB, "mem:"):
		return fmt.Errorf("%w: a database in memory is not shared by the server processes", ErrOption)
	case strings.HasPrefix(o.Bus, "local:"):
		return fmt.Errorf("%w: a bus within a process is not shared by the server processes", ErrOption)
	case o.Bus != "" && o.OpenBus == nil:
		return fmt.Errorf("%w: no way to open a bus", ErrOption)
	case o.Open == nil || len(o.Server) == 0:
		return fmt.Errorf("%w: no way to open a database or to start a server", ErrOption)
	}
	return nil
}

// tryBus opens the bus once, so that a wrong URL is told before anything is
// done.
func (o *Options) tryBus(ctx context.Context) error {
	if o.Bus == "" {
		return nil
	}
	b, err := o.OpenBus(ctx, o.Bus)
	if err != nil {
		return err // it says what it is
	}
	return b.Close()
}

// withoutSecrets returns a URL as it may be shown: no user, no password and no
// parameters, which may hold one too.
func withoutSecrets(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "a URL that cannot be read"
	}
	return (&url.URL{Scheme: u.Scheme, Opaque: u.Opaque, Host: u.Host, Path: u.Path}).String()
}
