package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/rollback"
	"github.com/holdfast-games/holdfast/session"
)

// restoreAllFlags are those of holdfast restore --all.
type restoreAllFlags struct {
	All      bool      `help:"Restore all players of a kind to a moment."`
	Before   momentArg `placeholder:"TIME" help:"With --all: the moment, 2006-01-02T15:04:05Z, or how long ago, as 90m."`
	Kind     string    `placeholder:"KIND" help:"With --all: of which kind (default player)."`
	RunID    string    `name:"run" placeholder:"ID" help:"With --all: names the run, so that it can be gone on with; each player is restored once for it. Without it, it gets one of its own, which is told."`
	DryRun   bool      `help:"With --all: only tell what would be done, which is the default without --yes."`
	Parallel int       `placeholder:"N" help:"With --all: how many players at a time (default 16)."`
}

// given reports whether any of the flags is set that are for --all alone.
func (f *restoreAllFlags) given() bool {
	return !f.Before.IsZero() || f.Kind != "" || f.RunID != "" || f.DryRun || f.Parallel != 0
}

// rolledJSON is what restore --all writes of each player with --json.
type rolledJSON struct {
	Key     string          `json:"key"`
	State   rollback.State  `json:"state"`
	Version *driver.Version `json:"version,omitzero"`
	At      *time.Time      `json:"at,omitzero"` // when that version was written
	Changed int             `json:"changed,omitzero"`
	Deeds   []deedJSON      `json:"not_undone,omitzero"`
	More    bool            `json:"more,omitzero"`
	Lost    []string        `json:"slots_left,omitzero"` // as in restoreJSON
	Error   string          `json:"error,omitzero"`
}

// rollbackJSON is what restore --all writes at its end with --json.
type rollbackJSON struct {
	Run      string                 `json:"run,omitzero"` // none: nothing was changed
	DryRun   bool                   `json:"dry_run"`
	Finished bool                   `json:"finished"`
	Count    map[rollback.State]int `json:"count"` // of the whole run
}

// errNotAll means that some players could not be restored, and that this was said.
var errNotAll = errors.New("some players could not be restored")

// checkAll checks the flags, and fills in what was left out.
func (c *restoreCmd) checkAll() error {
	if c.Kind == "" {
		c.Kind = "player"
	}
	key := session.Key{Kind: c.Kind, ID: "x"}
	switch {
	case c.Key != nil:
		return usageError{errors.New("restore: --all takes no KEY and no VERSION; --kind KIND says of which kind")}
	case c.Before.IsZero():
		return usageError{errors.New("restore --all: --before TIME says to which moment")}
	case c.Before.After(time.Now()):
		return usageError{fmt.Errorf("restore all: --before %v is yet to come", c.Before.Format(time.RFC3339))}
	case c.DryRun && c.Yes:
		return usageError{errors.New("restore --all: give --dry-run or --yes")}
	case key.Check() != nil:
		return usageError{fmt.Errorf("--kind: %w", key.Check())}
	case len(c.RunID) > rollback.MaxRunID:
		return usageError{fmt.Errorf("--run %.60q: at most %d bytes", c.RunID, rollback.MaxRunID)}
	case c.Parallel < 0 || c.Parallel > 256:
		return usageError{fmt.Errorf("--parallel %d: 1 to 256", c.Parallel)}
	case c.Yes && c.RunID == "":
		c.RunID = time.Now().UTC().Format("20060102T150405.000Z")
	}
	return nil
}

// runAll restores all players.
func (c *restoreCmd) runAll(ctx context.Context, e *env) error {
	if err := c.checkAll(); err != nil {
		return err
	}
	return e.withBooks(ctx, "restore --all", c.Kind, c.limitFlags, c.timeoutFlag, func(ctx context.Context, _ *database, srv *profile.Server) error {
		bar := console.NewProgress(e.err, "restore", -1, console.Things)
		told := &rolled{env: e, json: c.JSON, bar: bar}
		o := &rollback.Options{Parallel: c.Parallel, Wait: c.Wait, Each: told.add}
		plan := rollback.Plan{Before: c.Before.Time, Reason: c.Reason, Despite: c.Despite}
		var report rollback.Report
		var err error
		if c.Yes {
			if !c.JSON {
				fmt.Fprintf(e.err, "This is run %s: to go on with it if it is stopped, say --run %s and the same --before.\n", console.Clean(c.RunID), quoted(c.RunID))
			}
			report, err = rollback.Run(ctx, srv.As(c.By), c.RunID, plan, o)
		} else {
			report, err = rollback.DryRun(ctx, srv.As(c.By), plan, o)
		}
		bar.Close()
		return errors.Join(told.failed, c.reportAll(e, told, &report), err)
	})
}

// rolled collects what became of the players, for the tables at the end.
type rolled struct {
	env    *env
	json   bool
	bar    *console.Progress
	rows   [][]string // of those who were refused, or failed
	deeds  [][]string
	cut    int // rows that were left out
	failed error
}

// maxRows is how many rows a table at the end has.
const maxRows = 1000

func (r *rolled) add(p *rollback.Player) {
	r.bar.Add(1)
	j := rolledJSON{Key: p.Key.String(), State: p.State, At: jsonTime(p.At), Changed: p.Changed, Deeds: jsonDeeds(p.Deeds), More: p.More, Lost: p.Lost, Error: errText(p.Err)}
	if !p.Version.IsZero() {
		j.Version = &p.Version
	}
	if r.json {
		r.failed = errors.Join(r.failed, writeJSON(r.env.out, j))
		return
	}
	if p.State == rollback.Failed || p.State == rollback.Refused {
		r.keep(&r.rows, []string{j.Key, string(j.State), strconv.Itoa(len(p.Deeds)), j.Error})
	}
	for _, id := range j.Lost {
		r.keep(&r.deeds, []string{j.Key, "save slot", id, "", "nothing is kept of what it had then"})
	}
	for _, d := range j.Deeds {
		r.keep(&r.deeds, []string{j.Key, d.What, d.ID, stamp(d.At), cutText(d.Reason)})
	}
}

func (r *rolled) keep(rows *[][]string, row []string) {
	if len(*rows) >= maxRows {
		r.cut++
		return
	}
	*rows = append(*rows, row)
}

// reportAll says what became of all players.
func (c *restoreCmd) reportAll(e *env, told *rolled, report *rollback.Report) error {
	var bad error
	if report.Count == nil && !report.Finished {
		return nil // it was refused, or did not get that far
	}
	if report.Count[rollback.Failed] > 0 {
		bad = errNotAll
	}
	if c.JSON {
		return errors.Join(writeJSON(e.out, rollbackJSON{c.RunID, !c.Yes, report.Finished, report.Count}), bad)
	}
	header, row := make([]string, len(rollback.States)), make([]string, len(rollback.States))
	for i, s := range rollback.States {
		header[i], row[i] = strings.ToUpper(string(s)), strconv.Itoa(report.Count[s])
	}
	err := console.Table(e.out, header, [][]string{row})
	for _, t := range []struct {
		header []string
		rows   [][]string
	}{{[]string{"KEY", "LEFT AS HE IS", "PURCHASES AND TRADES", "ERROR"}, told.rows}, {[]string{"KEY", "NOT UNDONE", "ID", "AT", "REASON"}, told.deeds}} {
		if len(t.rows) > 0 && err == nil {
			fmt.Fprintln(e.out)
			err = console.Table(e.out, t.header, t.rows)
		}
	}
	if told.cut > 0 {
		fmt.Fprintf(e.err, "There are %d rows more: --json writes all.\n", told.cut)
	}
	switch {
	case !c.Yes:
		_, failed := fmt.Fprintln(e.out, "\nNothing was changed: this was a dry run. To do it, say --yes.")
		err = errors.Join(err, failed)
	case report.Finished && report.Resumed:
		_, failed := fmt.Fprintf(e.out, "\nRun %s, which had begun %s, has come to its end.\n", console.Clean(c.RunID), console.Time(report.Began))
		err = errors.Join(err, failed)
	case report.Finished:
		_, failed := fmt.Fprintf(e.out, "\nRun %s has come to its end.\n", console.Clean(c.RunID))
		err = errors.Join(err, failed)
	}
	return errors.Join(err, bad)
}
