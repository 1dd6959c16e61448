package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/demo"
)

// demoCmd shows what Holdfast promises, with real processes.
type demoCmd struct {
	Seconds   float64 `default:"30" help:"How long players play, 1 to 3600 (default 30). The run ends a little later."`
	Players   int     `help:"How many there are at least (default 24, or as many as there are documents)."`
	Servers   int     `default:"3" help:"How many server processes, 2 to 16 (default 3)."`
	Documents string  `placeholder:"DIR" help:"Give the players these documents: a folder of .json files."`
	Trace     string  `placeholder:"FILE" help:"Let them come and go as in this CSV file of time,player,event (join or leave)."`
	Seed      uint64  `default:"1" help:"Another number makes other players (default 1)."`
	jsonFlag
}

// Help is shown below the command's summary.
func (*demoCmd) Help() string {
	return "Game servers, each a process, share one database. Players join, play, hop between servers, hand items to each other and leave. " +
		"One server is killed, another is stopped until it is taken for dead. In the end every player is compared with what the servers had acknowledged. " +
		"It needs nothing: without --db it uses a SQLite file in a temporary folder (HOLDFAST_DB is not read). " +
		"With --db the players stay, to be looked at with holdfast list, get and versions; a database that has one of them is refused. " +
		"The exit code is 1 if a promise was broken."
}

// errBroken means that a promise was not kept. The report says which.
var errBroken = errors.New("a promise was broken: see above")

// Run runs the command.
func (c *demoCmd) Run(ctx context.Context, e *env, k *kong.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if c.Seconds < 1 || c.Seconds > 3600 {
		return usageError{fmt.Errorf("--seconds %v: 1 to 3600", c.Seconds)}
	}
	o := &demo.Options{
		Play: time.Duration(c.Seconds * float64(time.Second)), Players: c.Players, Servers: c.Servers,
		Documents: c.Documents, Trace: c.Trace, Seed: c.Seed,
		Open: e.openDemo, Server: []string{self, "demo-server"}, View: e.err,
	}
	if wasGiven(k, "db") {
		o.DB = e.db
	}
	r, err := demo.Run(ctx, o)
	switch {
	case errors.Is(err, demo.ErrOption):
		return usageError{err}
	case err != nil:
		return err
	}
	return errors.Join(c.write(e, r), judgeDemo(r))
}

// write writes what came of it.
func (c *demoCmd) write(e *env, r *demo.Report) error {
	if c.JSON {
		return writeJSON(e.out, r)
	}
	return r.Write(e.out)
}

func judgeDemo(r *demo.Report) error {
	if !r.OK {
		return errBroken
	}
	return nil
}

// openDemo opens the database of a demo.
func (e *env) openDemo(ctx context.Context, url string) (driver.DB, error) {
	return openEngine(ctx, e.engines, url, creating)
}

// demoServerCmd is one server process of a demo.
type demoServerCmd struct {
	Name string `required:"" help:"The server's name."`
}

// Run runs the command.
func (c *demoServerCmd) Run(ctx context.Context, e *env) error {
	demo.IgnoreInterrupts()
	return demo.Serve(ctx, e.in, e.out, &demo.ServerOptions{Name: c.Name, DB: e.db, Open: e.openDemo, Log: e.err})
}
