package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/store"
)

// findCmd lists what named stores have about somebody.
type findCmd struct {
	User []string `arg:"" name:"id" help:"The ids of one user, or of several."`
	jsonFlag
	timeoutFlag
}

// Help is shown below the command's summary.
func (*findCmd) Help() string {
	return "A game that keeps values in named stores can tag each with the users that it is about. This lists those that are tagged with one of the ids. " +
		"It reads every value of every named store. What is a player's own is shown by holdfast get and holdfast archive."
}

// foundJSON is what find writes of each value with --json.
type foundJSON struct {
	Store   string            `json:"store"`
	Key     string            `json:"key"`
	Users   []string          `json:"users"`
	Meta    map[string]string `json:"meta,omitzero"`
	Updated time.Time         `json:"updated"`
	Bytes   int               `json:"bytes"`
}

// Run runs the command.
func (c *findCmd) Run(ctx context.Context, e *env) error {
	for _, id := range c.User {
		if id == "" || len(id) > store.MaxUserID {
			return usageError{fmt.Errorf("id %.70q: 1 to %d bytes allowed", id, store.MaxUserID)}
		}
	}
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	t := table{header: []string{"STORE", "KEY", "USERS", "WRITTEN", "SIZE"}}
	bad := false
	for f, err := range db.Tagged(db.ctx, c.User...) {
		switch {
		case err != nil && f.Store == "":
			return db.why(err)
		case err != nil:
			fmt.Fprintln(e.err, console.Clean(firstLine(err)))
			bad = true
			continue
		}
		x := &f.Entry
		if c.JSON {
			if err := writeJSON(e.out, foundJSON{f.Store, x.Key, x.Users, x.Meta, x.Updated.UTC(), len(x.Value)}); err != nil {
				return err
			}
			continue
		}
		t.rows = append(t.rows, []string{f.Store, x.Key, strings.Join(x.Users, " "), console.Time(x.Updated), console.Size(int64(len(x.Value)))})
	}
	if !c.JSON {
		if err := console.Table(e.out, t.header, t.rows); err != nil {
			return err
		}
	}
	if bad {
		return errSome
	}
	return nil
}
