package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/feed"
	"github.com/holdfast-games/holdfast/internal/console"
)

// feedCmd tells what servers change.
type feedCmd struct {
	From   fromArg `placeholder:"POS" help:"Go on from a position that was told before, or from end: with what comes from now on. Without it, from the oldest that is kept."`
	Follow bool    `short:"f" help:"Wait for more, until interrupted."`
	Player *keyArg `placeholder:"KEY" help:"Only this player, as kind/id: player/42."`
	timeoutFlag
}

// Help is shown below the command's summary.
func (*feedCmd) Help() string {
	return "One JSON object to a line: what a server changed of a player, and the reasons that the game gave. " +
		"It tells what the servers keep for followers (session.Options.Feed). " +
		"Where a line has a position, all up to it can be left out later, with --from."
}

// fromArg is a position on the command line.
type fromArg struct {
	at  feed.Position
	end bool
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *fromArg) UnmarshalText(text []byte) (err error) {
	if f.end = string(text) == "end"; !f.end {
		f.at, err = feed.ParsePosition(string(text))
	}
	return err
}

// feedJSON is what feed writes of a change.
type feedJSON struct {
	Key      string         `json:"key"`
	Birth    driver.Version `json:"birth"`
	Revision uint64         `json:"revision"`
	At       time.Time      `json:"at"`
	Server   string         `json:"server"`
	Session  driver.Version `json:"session"`
	Reasons  []string       `json:"reasons,omitzero"`
	Whole    bool           `json:"whole,omitzero"` // fields without a change are gone
	Changes  []setJSON      `json:"changes"`
	Position string         `json:"position,omitzero"` // none: as before
}

// setJSON is one path with its new value.
type setJSON struct {
	Path    string         `json:"path"`
	Value   jsontext.Value `json:"value,omitzero"`
	Deleted bool           `json:"deleted,omitzero"`
}

// Run runs the command.
func (c *feedCmd) Run(ctx context.Context, e *env) error {
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	t := &feedTeller{cmd: c, e: e, out: bufio.NewWriter(e.out), at: c.From.at}
	if c.From.end {
		if t.at, err = feed.End(db.ctx, db.DB); err != nil {
			return db.why(err)
		}
	}
	err = db.why(t.follow(db))
	if c.Follow && ctx.Err() != nil {
		err = nil // it was asked to end
	}
	return errors.Join(err, t.end())
}

// feedTeller writes changes.
type feedTeller struct {
	cmd  *feedCmd
	e    *env
	out  *bufio.Writer
	at   feed.Position // up to which everything was written
	told feed.Position // that a line has told
	bad  bool
}

// follow writes what there is, and with Follow what comes.
func (t *feedTeller) follow(db *database) error {
	o := &feed.Options{Drain: !t.cmd.Follow, Idle: func(at feed.Position) { t.at = at }}
	for c, err := range feed.Follow(db.ctx, db.DB, t.at, o) {
		var damaged *feed.DamagedError
		switch {
		case errors.As(err, &damaged):
			t.bad = true
			fmt.Fprintln(t.e.err, "holdfast:", console.Clean(firstLine(err)))
		case errors.Is(err, feed.ErrExpired):
			return fmt.Errorf("%w; without --from it begins with what is left", err)
		case err != nil:
			return err
		default:
			err = t.write(&c)
		}
		if err == nil && c.Position != t.at {
			t.at = c.Position
			err = t.out.Flush()
		}
		if err != nil && damaged == nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

// write writes a change, if it is one of those that are wanted.
func (t *feedTeller) write(c *feed.Change) error {
	if t.cmd.Player != nil && c.Key != t.cmd.Player.Key {
		return nil
	}
	line := feedJSON{
		Key: c.Key.String(), Birth: c.Birth, Revision: c.Revision, At: c.At.UTC(), Server: c.Server, Session: c.Session,
		Reasons: c.Reasons, Whole: c.Whole, Changes: make([]setJSON, len(c.Delta)),
	}
	for i, ch := range c.Delta {
		line.Changes[i] = setJSON{Path: ch.Path.String(), Value: ch.Value, Deleted: ch.Value == nil}
	}
	if c.Position != t.told {
		t.told, line.Position = c.Position, c.Position.String()
	}
	return writeJSON(t.out, &line)
}

// end says where to go on.
func (t *feedTeller) end() error {
	if err := t.out.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if !t.at.IsZero() {
		fmt.Fprintf(t.e.err, "Go on with --from %s\n", t.at)
	}
	if t.bad {
		return errSome
	}
	return nil
}
