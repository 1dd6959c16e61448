package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
)

// restoreCmd gives a player the data of an older version; or all players those of a
// moment.
type restoreCmd struct {
	Key     *keyArg       `arg:"" optional:"" help:"The player, as kind/id: player/42."`
	Version *versionArg   `arg:"" optional:"" help:"The version: its id, or its number in holdfast versions."`
	Despite bool          `help:"Restore also a player who has bought or traded since: what he bought is not given again, and what he traded away he has again."`
	Wait    time.Duration `default:"30s" placeholder:"TIME" help:"How long to wait for a server that holds the player, or has died with him (default 30s)."`
	restoreAllFlags
	actFlags
	yesFlag
	jsonFlag
	limitFlags
	timeoutFlag
}

// Help is shown below the command's summary.
func (*restoreCmd) Help() string {
	return "holdfast restore KEY VERSION shows what will change, asks, and has it done by the server that holds the player; if nobody holds him, this command does it. " +
		"Only the data change, and as a new version: what is there now stays in the list and can be restored in turn. Purchases and trades since are listed, and not undone.\n\n" +
		"holdfast restore --all --before TIME does that with every player, to the newest version of that time or before. It only tells what it would do unless --yes says to do it, " +
		"and may be interrupted at any time: with the same --run it goes on where it stopped. Players born later are left as they are."
}

// restoreJSON is what restore writes with --json.
type restoreJSON struct {
	Key     string          `json:"key"`
	Version driver.Version  `json:"version"` // that is restored
	Changed bool            `json:"changed"`
	Before  *driver.Version `json:"before,omitzero"`     // the version with the data as they were
	Changes []changeJSON    `json:"changes"`             // as they were found before it was done
	Slots   []string        `json:"slots,omitzero"`      // ids of save slots that are not loaded and are changed
	Lost    []string        `json:"slots_left,omitzero"` // ids of those that stay as they are: nothing is kept of them
	Deeds   []deedJSON      `json:"not_undone"`
	More    bool            `json:"more,omitzero"` // there are other deeds
}

// deedJSON is something that a restore does not undo.
type deedJSON struct {
	What    string          `json:"what"` // "purchase", "refund", "trade"
	ID      string          `json:"id,omitzero"`
	At      *time.Time      `json:"at,omitzero"`
	Reason  string          `json:"reason,omitzero"`
	Version *driver.Version `json:"version,omitzero"`
}

func jsonDeeds(deeds []profile.Deed) []deedJSON {
	js := make([]deedJSON, len(deeds))
	for i, d := range deeds {
		js[i] = deedJSON{What: d.What, ID: d.ID, At: jsonTime(d.At), Reason: d.Reason}
		if !d.Version.IsZero() {
			js[i].Version = &d.Version
		}
	}
	return js
}

// Run runs the command.
func (c *restoreCmd) Run(ctx context.Context, e *env) error {
	if err := c.checkAct(); err != nil {
		return err
	}
	if c.Wait <= 0 {
		return usageError{fmt.Errorf("--wait %v: give a time above zero", c.Wait)}
	}
	if c.All {
		return c.runAll(ctx, e)
	}
	switch {
	case c.Key == nil || c.Version == nil:
		return usageError{errors.New("restore: give a KEY and a VERSION, or --all and --before TIME")}
	case c.restoreAllFlags.given():
		return usageError{errors.New("restore: --before, --kind, --run, --dry-run and --parallel are for --all")}
	}
	return e.withBooks(ctx, "restore", c.Key.Kind, c.limitFlags, c.timeoutFlag, func(ctx context.Context, db *database, srv *profile.Server) error {
		return c.one(ctx, e, db, srv)
	})
}

// withBooks is withPost for who has to know of purchases as well.
func (e *env) withBooks(ctx context.Context, command, kind string, l limitFlags, t timeoutFlag, fn func(context.Context, *database, *profile.Server) error) error {
	return e.withPost(ctx, command, kind, l, t, func(ctx context.Context, db *database, srv *profile.Server) error {
		if _, err := receipt.New(srv, nil, &receipt.Options{Logger: e.log}); err != nil {
			return err
		}
		return fn(ctx, db, srv)
	})
}

// one restores one player.
func (c *restoreCmd) one(ctx context.Context, e *env, db *database, srv *profile.Server) error {
	now, err := db.reader().Peek(db.ctx, c.Key.Key)
	if err != nil {
		return err
	}
	// A number means what it means before anything makes versions of its own.
	old, err := c.Version.read(db.ctx, db.reader(), c.Key.Key)
	if err != nil {
		return err
	}
	plan := &restoreJSON{Key: c.Key.String(), Version: old.Version}
	planned, err := srv.PlanRestore(ctx, now, old)
	if err != nil {
		return err
	}
	plan.Changes, plan.Slots, plan.Lost = changesOf(now.Document, planned.Delta), planned.Slots, planned.Lost
	deeds, more, err := srv.Deeds(ctx, c.Key.ID, old.Version)
	if err != nil {
		return err
	}
	plan.Deeds, plan.More = jsonDeeds(deeds), more
	if !c.JSON {
		if err := c.show(e, plan); err != nil {
			return err
		}
	}
	if len(deeds) > 0 && !c.Despite {
		return &profile.DeedsError{Key: c.Key.Key, Version: old.Version, Deeds: deeds, More: more}
	}
	if len(plan.Changes)+len(plan.Slots) > 0 {
		if err := c.confirm(ctx, e, fmt.Sprintf("Restore %v to version %v?", c.Key, old.Version)); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	done, err := srv.As(c.By).Restore(ctx, c.Key.ID, old.Version, &profile.RestoreOptions{Reason: c.Reason, Despite: c.Despite})
	if err != nil {
		return err
	}
	plan.Changed, plan.Before, plan.Lost = done.Changed > 0, &done.Before, done.Lost
	return c.report(e, plan)
}

// show tells what will be done and what will not.
func (c *restoreCmd) show(e *env, plan *restoreJSON) error {
	if len(plan.Changes) > 0 {
		if err := writeChanges(e, plan.Changes, false); err != nil {
			return err
		}
	}
	if len(plan.Slots) > 0 {
		fmt.Fprintf(e.out, "Not loaded now, and restored too: save slot %s.\n", strings.Join(plan.Slots, ", "))
	}
	if len(plan.Lost) > 0 {
		fmt.Fprintf(e.out, "Left as it is, as nothing is kept of what it had then: save slot %s.\n", strings.Join(plan.Lost, ", "))
	}
	if len(plan.Deeds) == 0 {
		return nil
	}
	rows := make([][]string, len(plan.Deeds))
	for i, d := range plan.Deeds {
		rows[i] = []string{d.What, d.ID, stamp(d.At), cutText(d.Reason)}
	}
	fmt.Fprintln(e.out)
	if err := console.Table(e.out, []string{"NOT UNDONE", "ID", "AT", "REASON"}, rows); err != nil {
		return err
	}
	if plan.More {
		fmt.Fprintln(e.err, "There are more of them.")
	}
	return nil
}

// report says what was done.
func (c *restoreCmd) report(e *env, done *restoreJSON) error {
	if c.JSON {
		return writeJSON(e.out, done)
	}
	if !done.Changed {
		_, err := fmt.Fprintf(e.out, "%s is like that already; nothing was changed.\n", done.Key)
		return err
	}
	_, err := fmt.Fprintf(e.out, "\n%s has the data of version %v. To take it back: holdfast restore %s %v --reason TEXT\n",
		done.Key, done.Version, quoted(done.Key), done.Before)
	return err
}
