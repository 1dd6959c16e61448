package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// servers are the names of the game servers. The first is where new heroes begin.
var servers = []string{"amber", "birch"}

// Options say how the game is run.
type Options struct {
	// Address is where the front listens: host:port. Empty means localhost:8080; port 0
	// means any that is free. On one that others can reach, whoever comes can play, and
	// can kill servers.
	Address string
	// DB is the URL of the database. Empty means a SQLite file in a temporary folder,
	// which is deleted at the end.
	DB string
	// Bus is the URL at which the game servers reach their bus. Required.
	Bus string
	// Lease is how long a server may be unreachable before the other takes its heroes
	// over, session.MinLease to 1 min. Zero means DefaultLease.
	Lease time.Duration
	// Replace is how long a server that was killed stays away. Zero means 5 s; at most
	// 1 min.
	Replace time.Duration
	// Open and OpenBus open a database and a bus by their URLs. Required.
	Open    func(ctx context.Context, url string) (driver.DB, error)
	OpenBus func(ctx context.Context, url string) (*bus.Bus, error)
	// Server is the command line that starts a game server, which must call Serve with
	// the same ways to open. Required.
	Server []string
	// Env is added to the environment of the game servers.
	Env []string
	// Log gets a line for what happens. Nil discards it.
	Log io.Writer
	// Ready is called with the game's URL when it can be played. It may be nil.
	Ready func(url string)
}

// DefaultLease is short, since nobody likes to wait in a game.
const DefaultLease = session.MinLease

// DefaultAddress is where the game is to be found.
const DefaultAddress = "localhost:8080"

// ErrOption means that a game was asked for that is not possible.
var ErrOption = errors.New("cannot serve the game")

func (o *Options) withDefaults() (Options, error) {
	c := *o
	if c.Address == "" {
		c.Address = DefaultAddress
	}
	if c.Lease == 0 {
		c.Lease = DefaultLease
	}
	if c.Replace == 0 {
		c.Replace = 5 * time.Second
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	return c, c.check()
}

func (o *Options) check() error {
	if _, _, err := net.SplitHostPort(o.Address); err != nil {
		return fmt.Errorf("%w: address %q: want host:port", ErrOption, o.Address)
	}
	switch {
	case o.Lease < session.MinLease || o.Lease > time.Minute:
		return fmt.Errorf("%w: a lease of %v, %v to 1m allowed", ErrOption, o.Lease, session.MinLease)
	case o.Replace < 0 || o.Replace > time.Minute:
		return fmt.Errorf("%w: a server that is replaced after %v, at most 1m", ErrOption, o.Replace)
	case strings.HasPrefix(o.DB, "mem:"):
		return fmt.Errorf("%w: a database in memory is not shared by the server processes", ErrOption)
	case o.Bus == "" || strings.HasPrefix(o.Bus, "local:"):
		return fmt.Errorf("%w: the servers need a bus that processes share", ErrOption)
	case o.Open == nil || o.OpenBus == nil || len(o.Server) == 0:
		return fmt.Errorf("%w: no way to open a database or a bus, or to start a server", ErrOption)
	}
	return nil
}
