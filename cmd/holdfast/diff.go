package main

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
)

// diffCmd compares two versions of a key.
type diffCmd struct {
	Key  keyArg      `arg:"" help:"The player, as kind/id: player/42."`
	From versionArg  `arg:"" name:"v1" help:"The older version: its id, or its number in holdfast versions."`
	To   *versionArg `arg:"" name:"v2" optional:"" help:"The newer version; what is there now without it."`
	Full bool        `help:"Show whole values; else long ones are cut."`
	jsonFlag
	timeoutFlag
}

// Help is shown below the command's summary.
func (*diffCmd) Help() string {
	return "One line for each field that differs, or for each of its elements if it is an object in both versions. " +
		"Numbers that mean the same, and objects in another order, are no difference."
}

// changeJSON is one difference.
type changeJSON struct {
	Path string         `json:"path"`
	Old  jsontext.Value `json:"old,omitzero"` // none: it was not there
	New  jsontext.Value `json:"new,omitzero"` // none: it is not there any more
}

// Run runs the command.
func (c *diffCmd) Run(ctx context.Context, e *env) error {
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	from, err := c.From.read(db.ctx, db.reader(), c.Key.Key)
	if err != nil {
		return db.why(err)
	}
	to, err := c.newer(db.ctx, db.reader())
	if err != nil {
		return db.why(err)
	}
	changes := changesOf(from.Document, document.Diff(from.Document, to))
	if c.JSON {
		for _, ch := range changes {
			if err := writeJSON(e.out, ch); err != nil {
				return err
			}
		}
		return nil
	}
	if len(changes) == 0 {
		_, err := fmt.Fprintln(e.out, "No difference.")
		return err
	}
	return writeChanges(e, changes, c.Full)
}

// newer returns the document to compare with.
func (c *diffCmd) newer(ctx context.Context, rd *session.Reader) (*document.Document, error) {
	if c.To != nil {
		v, err := c.To.read(ctx, rd, c.Key.Key)
		if err != nil {
			return nil, err
		}
		return v.Document, nil
	}
	v, err := rd.Peek(ctx, c.Key.Key)
	if err != nil {
		return nil, err
	}
	return v.Document, nil
}

// changesOf returns the changes of a delta beside the values that they replace.
func changesOf(before *document.Document, delta document.Delta) []changeJSON {
	changes := make([]changeJSON, len(delta))
	for i, ch := range delta {
		old, _ := before.Get(ch.Path)
		changes[i] = changeJSON{ch.Path.String(), old, ch.Value}
	}
	return changes
}

// shownValue is how much of a value a table shows.
const shownValue = 60

// writeChanges writes changes as a table.
func writeChanges(e *env, changes []changeJSON, full bool) error {
	rows := make([][]string, len(changes))
	for i, ch := range changes {
		what := "changed"
		switch {
		case ch.Old == nil:
			what = "added"
		case ch.New == nil:
			what = "deleted"
		}
		before, after := string(ch.Old), string(ch.New)
		if !full {
			before, after = console.Short(before, shownValue), console.Short(after, shownValue)
		}
		rows[i] = []string{ch.Path, what, before, after}
	}
	return console.Table(e.out, []string{"PATH", "WHAT", "BEFORE", "AFTER"}, rows)
}
