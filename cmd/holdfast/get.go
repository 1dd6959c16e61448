package main

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// getCmd prints what is kept under a key.
type getCmd struct {
	Key     keyArg      `arg:"" help:"The player, as kind/id: player/42."`
	Version *versionArg `placeholder:"V" help:"An older version: its id, or its number in holdfast versions."`
	jsonFlag
	timeoutFlag
}

// Help is shown below the command's summary.
func (*getCmd) Help() string {
	return "Of a player who is playing it shows what has reached the database, which is milliseconds old. " +
		"With --json the data is in an object that also says which version it is and who holds the player."
}

// documentJSON is what get writes with --json.
type documentJSON struct {
	Key     string         `json:"key"`
	Version driver.Version `json:"version"`
	Updated time.Time      `json:"updated"`
	Created *time.Time     `json:"created,omitzero"`
	Holder  *holderJSON    `json:"holder,omitzero"`
	Reason  string         `json:"reason,omitzero"`
	By      string         `json:"by,omitzero"`
	Data    jsontext.Value `json:"data"`
}

// Run runs the command.
func (c *getCmd) Run(ctx context.Context, e *env) error {
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	if c.Version != nil {
		return db.why(c.old(db.ctx, e, db.reader()))
	}
	v, err := db.reader().Peek(db.ctx, c.Key.Key)
	if err != nil {
		return db.why(err)
	}
	if c.JSON {
		return writeJSON(e.out, documentJSON{
			Key: v.Key.String(), Version: v.Version, Updated: v.Updated, Created: jsonTime(v.Created),
			Holder: jsonHolder(v.Holder), Data: encoded(v.Document),
		})
	}
	if living(v.Holder) {
		fmt.Fprintf(e.err, "Held by %q: this is what has reached the database.\n", v.Holder.Server)
	}
	return writeIndented(e.out, v.Document)
}

// old prints an older version.
func (c *getCmd) old(ctx context.Context, e *env, rd *session.Reader) error {
	v, err := c.Version.read(ctx, rd, c.Key.Key)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(e.out, documentJSON{
			Key: c.Key.String(), Version: v.Version, Updated: v.Updated,
			Reason: v.Reason, By: v.By, Data: encoded(v.Document),
		})
	}
	return writeIndented(e.out, v.Document)
}
