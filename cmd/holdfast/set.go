package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/holdfast-games/holdfast/document"
)

// setCmd changes and deletes what is under paths, in one update.
type setCmd struct {
	Key    keyArg    `arg:"" help:"The player, as kind/id: player/42."`
	Pairs  []string  `arg:"" name:"path value" optional:"" help:"A field (coins) or one element of a field that is an object (bag/sword), and what it becomes as JSON: 5, '\"text\"', '{\"n\": 1}'; - reads one from standard input. Several pairs are one update. In names / is written ~1 and ~ is written ~0."`
	Delete []pathArg `sep:"none" placeholder:"PATH" help:"Delete this field or element; may be given several times."`
	editFlags
}

// Help is shown below the command's summary.
func (*setCmd) Help() string {
	return "All of it is one update, or nothing. " +
		"A player whom a living server holds is not touched unless --handover or --steal says so; one whom a dead server held is taken over, " +
		"which takes up to the length of that server's lease. The version that the change makes, and the one before, are kept."
}

// Run runs the command.
func (c *setCmd) Run(ctx context.Context, e *env) error {
	wanted, err := c.changes(e.in)
	if err != nil {
		return err
	}
	ed := edit{editFlags: c.editFlags, command: "set", key: c.Key.Key}
	ed.plan = func(now *document.Document) (delta document.Delta) {
		for _, ch := range wanted {
			old, ok := now.Get(ch.Path)
			if ok != (ch.Value != nil) || ok && !document.Equal(old, ch.Value) {
				delta = append(delta, ch)
			}
		}
		return delta
	}
	return ed.run(ctx, e)
}

// changes reads what is to be changed. Nothing may be named twice, also not a field
// beside one of its elements: which of them counts would be anybody's guess.
func (c *setCmd) changes(in io.Reader) (document.Delta, error) {
	if len(c.Pairs)%2 != 0 || len(c.Pairs)+len(c.Delete) == 0 {
		return nil, usageError{errors.New("set: give PATH VALUE, once or several times, or --delete PATH")}
	}
	var delta document.Delta
	for _, p := range c.Delete {
		delta = append(delta, document.Change{Path: p.Path})
	}
	read := false
	for i := 0; i < len(c.Pairs); i += 2 {
		path, err := document.ParsePath(c.Pairs[i])
		if err != nil {
			return nil, usageError{err}
		}
		if c.Pairs[i+1] == "-" && read {
			return nil, usageError{errors.New("set: only one value can be read from standard input")}
		}
		read = read || c.Pairs[i+1] == "-"
		value, err := c.value(c.Pairs[i+1], in)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", path, err)
		}
		delta = append(delta, document.Change{Path: path, Value: value})
	}
	whole := make(map[string]bool) // by field: it is named as a whole
	seen := make(map[document.Path]bool)
	for _, ch := range delta {
		if strings.HasPrefix(ch.Path.Field, "~") {
			return nil, usageError{fmt.Errorf("set: %q is Holdfast's own, like all names that begin with ~", ch.Path.Field)}
		}
		was, known := whole[ch.Path.Field]
		if seen[ch.Path] || known && (was || !ch.Path.Deep) {
			return nil, usageError{fmt.Errorf("set: %v is named twice, or beside what it is part of", ch.Path)}
		}
		seen[ch.Path], whole[ch.Path.Field] = true, !ch.Path.Deep
	}
	return delta, nil
}

// value reads and checks a value.
func (c *setCmd) value(text string, in io.Reader) ([]byte, error) {
	raw, limits := []byte(text), c.limits()
	if text == "-" {
		var err error
		if raw, err = readText(in, &limits); err != nil {
			return nil, fmt.Errorf("read the value: %w", err)
		}
	}
	value, err := document.Compact(bytes.TrimSpace(raw), &limits)
	if errors.Is(err, document.ErrInvalid) {
		return nil, usageError{fmt.Errorf("the value is no JSON (text needs quotes: '\"text\"'): %w", err)}
	}
	if err != nil {
		return nil, fmt.Errorf("the value: %w", err)
	}
	return value, nil
}
