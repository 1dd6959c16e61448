package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/internal/demo"
	"github.com/holdfast-games/holdfast/internal/demo/web"
)

// notWeb are the flags of a demo in the terminal only.
var notWeb = []string{"seconds", "players", "servers", "documents", "trace", "seed", "fresh", "json"}

// play serves the game until ctx ends.
func (c *demoCmd) play(ctx context.Context, e *env, k *kong.Context, self string) error {
	for _, flag := range notWeb {
		if wasGiven(k, flag) {
			return usageError{fmt.Errorf("--%s is not for --web", flag)}
		}
	}
	o := &web.Options{
		Address: c.Address, Open: e.openDemo, OpenBus: openGameBus, Server: []string{self, "demo-web-server"},
		Log: e.err, Ready: func(url string) {
			fmt.Fprintf(e.out, "Open %s in a browser. Open it twice to play with yourself. Ctrl-C ends the game.\n", url)
		},
	}
	if wasGiven(k, "db") {
		o.DB = e.db
	}
	if wasGiven(k, "lease") {
		o.Lease = c.Lease
	}
	url := c.Bus
	if url == "" {
		url = "nats-embedded:"
	}
	var endBus func() error
	var err error
	if o.Bus, endBus, err = hostBus(ctx, url); err != nil {
		return err
	}
	err = errors.Join(web.Run(ctx, o), endBus())
	if errors.Is(err, web.ErrOption) {
		return usageError{err}
	}
	return err
}

// openGameBus opens the bus of a game.
func openGameBus(ctx context.Context, url string) (*bus.Bus, error) { return openBus(ctx, url, nil) }

// demoWebServerCmd is one server process of the game in the browser, which is told on
// its standard input what it runs with.
type demoWebServerCmd struct{}

// Run runs the command.
func (*demoWebServerCmd) Run(ctx context.Context, e *env) error {
	demo.IgnoreInterrupts()
	return web.Serve(ctx, e.in, e.out, &web.ServerOptions{Open: e.openDemo, OpenBus: openGameBus, Log: e.err})
}

// self returns the path of this program.
func self() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return path, nil
}
