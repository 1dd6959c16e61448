package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/holdfast-games/holdfast/document"
)

// setCmd changes or deletes what is under a path.
type setCmd struct {
	Key    keyArg  `arg:"" help:"The player, as kind/id: player/42."`
	Path   pathArg `arg:"" help:"A field (coins), or one element of a field that is an object (bag/sword). In names / is written ~1 and ~ is written ~0."`
	Value  *string `arg:"" optional:"" help:"JSON: 5, '\"text\"', '{\"n\": 1}'; - reads it from standard input."`
	Delete bool    `help:"Delete the field or element instead."`
	editFlags
}

// Help is shown below the command's summary.
func (*setCmd) Help() string {
	return "A player whom a living server holds is not touched unless --handover or --steal says so; one whom a dead server held is taken over, " +
		"which takes up to the length of that server's lease. The version that the change makes, and the one before, are kept."
}

// Run runs the command.
func (c *setCmd) Run(ctx context.Context, e *env) error {
	if (c.Value == nil) != c.Delete {
		return usageError{errors.New("set: give either a VALUE or --delete")}
	}
	value, err := c.value(e.in)
	if err != nil {
		return err
	}
	ed := edit{editFlags: c.editFlags, command: "set", key: c.Key.Key}
	ed.plan = func(now *document.Document) document.Delta {
		old, ok := now.Get(c.Path.Path)
		if !ok && value == nil || ok && value != nil && document.Equal(old, value) {
			return nil
		}
		return document.Delta{{Path: c.Path.Path, Value: value}}
	}
	return ed.run(ctx, e)
}

// value reads and checks the value; it is nil for a deletion.
func (c *setCmd) value(in io.Reader) ([]byte, error) {
	if c.Delete {
		return nil, nil
	}
	text := []byte(*c.Value)
	limits := c.limits()
	if *c.Value == "-" {
		var err error
		if text, err = readText(in, &limits); err != nil {
			return nil, fmt.Errorf("read the value: %w", err)
		}
	}
	value, err := document.Compact(bytes.TrimSpace(text), &limits)
	if errors.Is(err, document.ErrInvalid) {
		return nil, usageError{fmt.Errorf("the value is no JSON (text needs quotes: '\"text\"'): %w", err)}
	}
	if err != nil {
		return nil, fmt.Errorf("the value: %w", err)
	}
	return value, nil
}
