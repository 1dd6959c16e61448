package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/holdfast-games/holdfast/bus/natsbus"
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

	Bus   string        `placeholder:"URL" help:"Let the servers talk over a bus: nats://…, nats-embedded: (its server runs in this process) or postgres://… (LISTEN and NOTIFY). Without it requests travel through the database."`
	Lease time.Duration `default:"3s" placeholder:"3s" help:"How long a server may be unreachable before others take its players over, 2s to 1m."`
	Fresh bool          `help:"Delete what earlier demos left in the database."`
	jsonFlag

	Web     bool   `help:"Serve a small game in the browser, by two server processes: walk, trade, go through the door, kill a server, and see what Holdfast does."`
	Address string `placeholder:"localhost:8080" help:"Of --web: where to listen (default localhost:8080; port 0 is any that is free). On an address that others can reach, whoever comes can play, and kill servers."`
}

// Help is shown below the command's summary.
func (*demoCmd) Help() string {
	return "Game servers, each a process, share one database. Players join, play, hop between servers, hand items to each other and leave. " +
		"One server is killed, another is stopped until it is taken for dead. In the end every player is compared with what the servers had acknowledged. " +
		"If the database goes away meanwhile, that is shown, and waited for. " +
		"It needs nothing: without --db it uses a SQLite file in a temporary folder (HOLDFAST_DB is not read). " +
		"With --db the players stay, to be looked at with holdfast list, get and versions: their keys begin with " + demo.Kind + "/, so no other player is touched; in PostgreSQL, schema=demo in the URL gives them tables of their own. " +
		"A database in which an earlier demo left them is refused, unless --fresh deletes those first. " +
		"The exit code is 1 if a promise was broken. " +
		"With --web it is a game instead, until Ctrl-C: of the other flags, --db, --bus and --lease hold for it, and by default its servers talk over a bus in this process."
}

// errBroken means that a promise was not kept. The report says which.
var errBroken = errors.New("a promise was broken: see above")

// Run runs the command.
func (c *demoCmd) Run(ctx context.Context, e *env, k *kong.Context) error {
	self, err := self()
	if err != nil {
		return err
	}
	if c.Web {
		return c.play(ctx, e, k, self)
	}
	if wasGiven(k, "address") {
		return usageError{errors.New("--address is for --web only")}
	}
	if c.Seconds < 1 || c.Seconds > 3600 {
		return usageError{fmt.Errorf("--seconds %v: 1 to 3600", c.Seconds)}
	}
	o := &demo.Options{
		Play: time.Duration(c.Seconds * float64(time.Second)), Players: c.Players, Servers: c.Servers,
		Documents: c.Documents, Trace: c.Trace, Seed: c.Seed, Lease: c.Lease, Fresh: c.Fresh,
		Open: e.openDemo, OpenBus: openDemoBus, Server: []string{self, "demo-server"}, View: e.err,
	}
	if wasGiven(k, "db") {
		o.DB = e.db
	}
	var endBus func() error
	if o.Bus, endBus, err = hostBus(ctx, c.Bus); err != nil {
		return err
	}
	r, err := demo.Run(ctx, o)
	err = errors.Join(err, endBus())
	switch {
	case errors.Is(err, demo.ErrOption):
		return usageError{err}
	case errors.Is(err, demo.ErrExists):
		return fmt.Errorf("%w: --fresh deletes it", err)
	case err != nil:
		return err
	}
	if o.DB != "" {
		fmt.Fprintf(e.err, "%d players stay in the database, as %s/…: look with holdfast list %s, and begin again with holdfast demo --fresh.\n", r.Players, demo.Kind, demo.Kind)
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

// openDemoBus opens the bus of a demo.
func openDemoBus(ctx context.Context, url string) (demo.Bus, error) { return openBus(ctx, url, nil) }

// hostBus returns the URL at which the server processes reach the bus. If that
// is a server of NATS within a process, it runs in this one until end is called.
func hostBus(ctx context.Context, url string) (reach string, end func() error, err error) {
	rest, embedded := strings.CutPrefix(url, "nats-embedded:")
	switch {
	case !embedded:
		return url, func() error { return nil }, nil
	case rest == "": // at a port that is free
		s, err := natsbus.Embed(nil)
		if err != nil {
			return "", nil, fmt.Errorf("open the bus: %w", err)
		}
		return s.URL(), func() error { s.Close(); return nil }, nil
	}
	b, err := openBus(ctx, url, nil)
	if err != nil {
		return "", nil, err
	}
	return "nats:" + rest, b.Close, nil
}

// demoServerCmd is one server process of a demo, which is told on its standard
// input what it runs with.
type demoServerCmd struct{}

// Run runs the command.
func (*demoServerCmd) Run(ctx context.Context, e *env) error {
	demo.IgnoreInterrupts()
	return demo.Serve(ctx, e.in, e.out, &demo.ServerOptions{Open: e.openDemo, OpenBus: openDemoBus, Log: e.err})
}
