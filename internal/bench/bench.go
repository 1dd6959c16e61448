package bench

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
)

// Options say what is measured, and on what. All functions must be set.
type Options struct {
	// URL returns where the database of a measurement is. If it is the same
	// for all of them, each uses a kind of player of its own there and deletes
	// it at the end.
	URL func(name string) string
	// Open opens the database of a URL. What it returns is closed again.
	Open func(ctx context.Context, url string) (driver.DB, error)
	// Dir is a folder for the yardstick's files, on the disk that is measured.
	Dir string
	// Worker returns a command that opens the database of a URL and calls Work
	// with a role. Nil, and a database of this process alone, leave out what
	// needs several processes.
	Worker func(ctx context.Context, url, role string) *exec.Cmd
	// Bus returns a further connection to a bus, which is closed again. Nil
	// means a bus within this process.
	Bus func(ctx context.Context) (*bus.Bus, error)
	// BusName says to people what Bus connects to. It is read only with Bus.
	BusName string
	// Quick measures everything in some seconds, with few samples: enough to
	// see that it works, not to judge a machine.
	Quick bool
	// Only names what is measured: a name, or the part of one before a dot.
	// Empty means everything.
	Only []string
	// Progress is told what is measured next, as the part-th of parts. Nil
	// tells nobody.
	Progress func(name string, part, parts int)
}

// ErrName means that nothing is measured under a name.
var ErrName = errors.New("nothing is measured under this name")

// measurement yields the figures whose names it lists.
type measurement struct {
	names []string
	run   func(*run) ([]Figure, error)
}

var measurements = []measurement{
	{[]string{"disk.fsync"}, (*run).fsync},
	{[]string{"profile.read", "profile.update", "profile.update.200KB"}, (*run).profiles},
	{[]string{"inventory.add", "inventory.remove", "inventory.find"}, (*run).inventories},
	{[]string{"inventory.save"}, (*run).inventorySaves},
	{[]string{"save.single", "save.concurrent", "save.grouped", "save.clients", "save.history", "save.snapshot"}, (*run).saves},
	{[]string{"load"}, (*run).loads},
	{[]string{"load.fields"}, (*run).loadFields},
	{[]string{"append.latency", "append.concurrent"}, (*run).appends},
	{[]string{"append.fleet"}, (*run).appendFleet},
	{[]string{"handover.bus"}, (*run).handOverByBus},
	{[]string{"handover.shutdown"}, (*run).handOverAtShutdown},
	{[]string{"handover.database", "handover.database.longest"}, (*run).handOverByDatabase},
	{[]string{"watch", "watch.change"}, (*run).watch},
	{[]string{"trade.here"}, (*run).tradesHere},
	{[]string{"trade.across"}, (*run).tradesAcross},
	{[]string{"purchase.64", "purchase.256"}, (*run).purchases},
	{[]string{"rank.top", "rank.rank"}, (*run).ranks},
	{[]string{"replica.bytes", "replica.latency", "replica.memory"}, (*run).replicas},
	{[]string{"replica.update", "replica.update.lingering", "replica.read"}, (*run).unwatched},
	{[]string{"takeover", "takeover.lost"}, (*run).takeOver},
	{[]string{"contention"}, (*run).contention},
	{[]string{"memory.profile"}, (*run).memory},
	{[]string{"idle"}, (*run).idle},
	{[]string{"autosave.pause", "autosave.commits"}, (*run).autosave},
}

// Names returns the names of all figures, in the order in which they come.
func Names() []string {
	var names []string
	for _, m := range measurements {
		names = append(names, m.names...)
	}
	return names
}

// Run measures and yields figures as they are ready. A measurement that fails
// yields an error that names it, and the next one begins; when ctx ends, Run
// does after the error. A name in Only that is none is ErrName, and nothing is
// measured then, nor if the database cannot be reached.
func Run(ctx context.Context, o *Options) iter.Seq2[Figure, error] {
	return func(yield func(Figure, error) bool) {
		if err := o.checkNames(); err != nil {
			yield(Figure{}, err)
			return
		}
		r := &run{Options: *o, ctx: ctx, sizes: full}
		if o.Quick {
			r.sizes = quick
		}
		if err := r.reach(); err != nil {
			yield(Figure{}, fmt.Errorf("reach the database: %w", err))
			return
		}
		more := r.all(yield)
		if err := r.dismiss(); err != nil && more {
			yield(Figure{}, fmt.Errorf("end the measurements: %w", err))
		}
	}
}

// reach opens and closes a database, so that one that cannot be reached is said
// once, and not of each measurement.
func (r *run) reach() error {
	db, err := r.reopen(r.ctx, "reach", false)
	if err != nil {
		return err
	}
	return r.finish(db)
}

// all makes the measurements that are asked for, and reports whether yield
// wants more.
func (r *run) all(yield func(Figure, error) bool) bool {
	parts := slices.DeleteFunc(slices.Clone(measurements), func(m measurement) bool { return !r.wantsAny(m.names) })
	for i, m := range parts {
		if r.Progress != nil {
			r.Progress(strings.Join(m.names, ", "), i+1, len(parts))
		}
		figures, err := m.run(r)
		if r.ctx.Err() != nil {
			err = context.Cause(r.ctx)
		}
		for _, f := range figures {
			if r.wants(f.Name) && !yield(f, nil) {
				return false
			}
		}
		if err != nil && !yield(Figure{}, fmt.Errorf("measure %s: %w", m.names[0], err)) || r.ctx.Err() != nil {
			return false
		}
	}
	return true
}

func (o *Options) checkNames() error {
	all := Names()
	for _, only := range o.Only {
		if !slices.ContainsFunc(all, func(name string) bool { return names(only, name) }) {
			return fmt.Errorf("%w: %q; there are %s", ErrName, only, strings.Join(all, ", "))
		}
	}
	return nil
}

// wants reports whether a figure is asked for.
func (o *Options) wants(name string) bool {
	return len(o.Only) == 0 || slices.ContainsFunc(o.Only, func(only string) bool { return names(only, name) })
}

func (o *Options) wantsAny(list []string) bool { return slices.ContainsFunc(list, o.wants) }

// names reports whether a figure is meant by a name, or by the part of one.
func names(only, name string) bool { return only == name || strings.HasPrefix(name, only+".") }

// sizes say how much is measured.
type sizes struct {
	rounds   int
	round    time.Duration // of throughput
	loops    int           // turns of something that takes nanoseconds
	players  int           // of throughput
	members  int           // of a ranking
	crowd    int           // profiles that are loaded beside the one that is measured
	fleet    int           // profiles that are loaded at the same time
	samples  int           // of a latency
	kills    int           // of processes
	leases   int           // in one process
	viewers  int           // clients, each of a player of its own
	watch    time.Duration // how long something is watched that happens seldom
	snapshot time.Duration // how long a snapshot is held open
	autosave time.Duration // interval of a fleet's autosaves
}

var (
	full  = sizes{rounds: 5, round: 2 * time.Second, loops: 5_000, players: 20_000, members: 1_000_000, crowd: 10_000, fleet: 100_000, samples: 2_000, kills: 3, leases: 500, viewers: 5_000, watch: 15 * time.Second, snapshot: 5 * time.Minute, autosave: 20 * time.Second}
	quick = sizes{rounds: 1, round: 100 * time.Millisecond, loops: 100, players: 300, members: 25_000, crowd: 300, fleet: 2_000, samples: 40, kills: 1, leases: 20, viewers: 100, watch: 1200 * time.Millisecond, snapshot: 500 * time.Millisecond, autosave: time.Second}
)

// run is one run of measurements.
type run struct {
	Options
	ctx   context.Context
	sizes sizes
	fleet *fleet // nil until one is needed
}

// dismiss gives back what several measurements share.
func (r *run) dismiss() error {
	if r.fleet == nil {
		return nil
	}
	return r.disband(r.fleet)
}
