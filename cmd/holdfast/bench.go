package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/bench"
	"github.com/holdfast-games/holdfast/internal/console"
)

// benchCmd measures what this machine and a database do.
type benchCmd struct {
	JSON    bool     `name:"json" help:"Write the figures as one JSON list."`
	Quick   bool     `help:"Measure everything in some seconds: enough to see that it works, not to judge a machine."`
	Only    []string `placeholder:"NAME,…" help:"Measure only these: a name, or the part of one before a dot, such as save."`
	Replica bool     `help:"Measure only what clients see of players: the same as --only replica."`
	Bus     string   `placeholder:"URL" help:"The bus over which servers hand players over: nats://…, postgres://… (LISTEN and NOTIFY), nats-embedded: or local: (the default, within this process)."`
	Strict  bool     `help:"Exit with 1 if a figure missed its limit."`
	Worker  string   `hidden:"" help:"Be the other process of a measurement."`
}

// Help is shown below the command's summary.
func (*benchCmd) Help() string {
	return "Each figure stands beside a yardstick, measured in the same run and in turns with it: what a bare program does on this machine. " +
		"Without --db it is measured on SQLite files in a temporary folder (HOLDFAST_DB is not read); with --db on that database, " +
		"with players of a kind of their own, who are deleted again, and in PostgreSQL in schemas of their own, holdfast_bench_…, which are removed again. " +
		"Two at one time on one database disturb each other. All takes some minutes (save.snapshot alone takes five), and the machine should have nothing else to do. " +
		"The names are: " + strings.Join(bench.Names(), ", ") + "."
}

// errMissed means that figures missed their limits, with --strict.
var errMissed = errors.New("missed the limit")

// Run runs the command.
func (c *benchCmd) Run(ctx context.Context, e *env, k *kong.Context) (err error) {
	if c.Worker != "" {
		return bench.Work(ctx, &bench.WorkerOptions{
			Role: c.Worker, In: e.in, Out: e.out,
			Open: func(ctx context.Context) (driver.DB, error) { return openEngine(ctx, e.engines, e.db, creating) },
		})
	}
	given := ""
	if wasGiven(k, "db") {
		given = e.db
	}
	dir, err := os.MkdirTemp(benchFolder(given), "holdfast-bench-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	line, err := openBenchBus(ctx, c.Bus)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, line.close()) }()
	o, err := c.options(e, given, dir)
	if err != nil {
		return err
	}
	o.Bus, o.BusName = line.connect, line.name()
	figures, err := measure(ctx, e, o)
	if errors.Is(err, bench.ErrName) {
		return usageError{err}
	}
	return errors.Join(c.write(e, figures), err, c.judge(figures))
}

// wasGiven reports whether a flag stood on the command line itself.
func wasGiven(k *kong.Context, flag string) bool {
	for _, p := range k.Path {
		if p.Flag != nil && p.Flag.Name == flag {
			return true
		}
	}
	return false
}

// benchFolder returns the folder in which the yardstick's files are made: that
// of the database if it is a file, so that both are on one disk.
func benchFolder(given string) string {
	u, err := url.Parse(given)
	if err != nil || u.Scheme != "sqlite" {
		return ""
	}
	path := u.Path
	if u.Opaque != "" {
		if path, err = url.PathUnescape(u.Opaque); err != nil {
			return "" // opening the database says so
		}
	}
	return filepath.Dir(path)
}

// options wires the measurements to this program's engines, and to itself.
func (c *benchCmd) options(e *env, given, dir string) (*bench.Options, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if c.Replica {
		c.Only = append(c.Only, "replica")
	}
	o := &bench.Options{
		Dir: dir, Quick: c.Quick, Only: c.Only,
		URL: benchURL(given, dir),
		Open: func(ctx context.Context, url string) (driver.DB, error) {
			return openEngine(ctx, e.engines, url, creating)
		},
		Worker: func(ctx context.Context, url, role string) *exec.Cmd {
			cmd := exec.CommandContext(ctx, self, "bench", "--worker", role)
			cmd.Env = append(os.Environ(), "HOLDFAST_DB="+url) // others can read a command line, and a URL may have a password
			cmd.Stderr = e.err
			return cmd
		},
	}
	if console.IsTerminal(e.err) {
		o.Progress = func(name string, part, parts int) {
			fmt.Fprintf(e.err, "\r\033[K%d of %d: %s", part, parts, console.Short(name, 60))
		}
	}
	return o, nil
}

// benchURL returns where the database of each measurement is: that which was
// given, in PostgreSQL a schema of its own there, or else a file in dir.
func benchURL(given, dir string) func(name string) string {
	return func(name string) string {
		if given == "" {
			return (&url.URL{Scheme: "sqlite", Path: filepath.Join(dir, name+".db")}).String()
		}
		if own, err := bench.SchemaURL(given, name); err == nil {
			return own
		}
		return given // another engine's, or opening it says what is wrong with it
	}
}

// measure collects the figures, and the errors of what could not be measured.
func measure(ctx context.Context, e *env, o *bench.Options) (figures []bench.Figure, err error) {
	for f, failed := range bench.Run(ctx, o) {
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		figures = append(figures, f)
	}
	if o.Progress != nil {
		fmt.Fprint(e.err, "\r\033[K")
	}
	return figures, err
}

// judge returns an error that names the figures which missed their limits, if
// they had to reach them.
func (c *benchCmd) judge(figures []bench.Figure) error {
	var missed []string
	for _, f := range figures {
		if f.Missed() {
			missed = append(missed, f.Name)
		}
	}
	if !c.Strict || len(missed) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", errMissed, strings.Join(missed, ", "))
}
