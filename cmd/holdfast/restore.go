package main

import (
	"context"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

// restoreCmd gives a player the data of an older version.
type restoreCmd struct {
	Key     keyArg     `arg:"" help:"The player, as kind/id: player/42."`
	Version versionArg `arg:"" help:"The version: its id, or its number in holdfast versions."`
	editFlags
}

// Help is shown below the command's summary.
func (*restoreCmd) Help() string {
	return "Only the data changes, and as a new version: what is there now stays in the list and can be restored in turn. " +
		"A player whom a living server holds is not touched unless --handover or --steal says so."
}

// Run runs the command.
func (c *restoreCmd) Run(ctx context.Context, e *env) error {
	ed := edit{editFlags: c.editFlags, command: "restore", key: c.Key.Key}
	var old *document.Document
	// A number means what it means before the command makes versions of its own.
	ed.prepare = func(ctx context.Context, rd *session.Reader) error {
		v, err := c.Version.read(ctx, rd, c.Key.Key)
		if err == nil {
			old = v.Document
		}
		return err
	}
	ed.plan = func(now *document.Document) document.Delta { return document.Diff(now, old) }
	return ed.run(ctx, e)
}
