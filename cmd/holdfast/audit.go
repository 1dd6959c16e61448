package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/inventory"
)

// auditCmd reads what people did to players' data, and looks for what should not be.
type auditCmd struct {
	Log   auditLogCmd   `cmd:"" help:"List what operators did: who, when, what, to whom, and why."`
	Items auditItemsCmd `cmd:"" help:"Find unique items that stand in two players, or twice in one."`
}

// auditItemsCmd looks for instances that stand in several places.
type auditItemsCmd struct {
	jsonFlag
	timeoutFlag
}

// Help is shown below the command's summary.
func (*auditItemsCmd) Help() string {
	return "It reads the whole database beside the servers that use it, profiles of every kind and save slots that are not loaded, and keeps " +
		"up to 25 MB for a million items in memory. The exit code is 1 if an item is in several places, or something could not be read. " +
		"holdfast set --delete takes one away; what came where, and when, is in each one's history: holdfast get."
}

// placeJSON is a place of an item, as audit writes it.
type placeJSON struct {
	Key  string `json:"key"`
	Slot string `json:"slot,omitzero"`
	Path string `json:"path"`
}

// duplicateJSON is what audit writes of an item with --json.
type duplicateJSON struct {
	ID      string      `json:"id"`
	Item    string      `json:"item,omitzero"`
	Created time.Time   `json:"created"`
	Places  []placeJSON `json:"places,omitempty"`
	Moving  bool        `json:"moving,omitzero"` // its players kept changing: unknown
}

// Run runs the command.
func (c *auditItemsCmd) Run(ctx context.Context, e *env) error {
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	bar := console.NewProgress(e.err, "audit", -1, console.Things)
	r, err := inventory.Audit(db.ctx, db.DB, &inventory.AuditOptions{
		Progress:   func(n int64) { bar.Set(n, 0) },
		Unreadable: func(key string, err error) { bar.Note(e.err, fmt.Sprintf("%s: %s", key, firstLine(err))) },
	})
	bar.Close()
	if err != nil {
		return db.why(err)
	}
	if err := c.write(e, r); err != nil {
		return err
	}
	fmt.Fprintf(e.err, "Read %d profiles with %d unique items: %d are in several places, %d entries could not be read.\n",
		r.Profiles, r.Instances, len(r.Duplicates), r.Unreadable)
	if n := len(r.Moving); n > 0 {
		fmt.Fprintf(e.err, "The players of %d more kept changing: run it again.\n", n)
	}
	if r.More {
		fmt.Fprintf(e.err, "There are more than %d: run it again when these are settled.\n", inventory.MaxDuplicates)
	}
	switch {
	case len(r.Duplicates) > 0:
		return errDuplicated
	case len(r.Moving) > 0 || r.Unreadable > 0:
		return errSome
	}
	return nil
}

// errDuplicated means that an audit has found something.
var errDuplicated = errors.New("there are unique items that stand in several places")

// write writes what was found.
func (c *auditItemsCmd) write(e *env, r *inventory.AuditReport) error {
	var rows [][]string
	for _, d := range r.Duplicates {
		if c.JSON {
			if err := writeJSON(e.out, jsonDuplicate(&d)); err != nil {
				return err
			}
			continue
		}
		for _, s := range d.Places {
			rows = append(rows, []string{s.Item, d.ID.String(), console.Time(d.ID.Time()), s.String()})
		}
	}
	if c.JSON {
		return c.writeMoving(e, r.Moving)
	}
	if len(rows) == 0 {
		return nil
	}
	return console.Table(e.out, []string{"ITEM", "ID", "CREATED", "PLACE"}, rows)
}

func (c *auditItemsCmd) writeMoving(e *env, ids []driver.Version) error {
	for _, id := range ids {
		if err := writeJSON(e.out, duplicateJSON{ID: id.String(), Created: id.Time().UTC(), Moving: true}); err != nil {
			return err
		}
	}
	return nil
}

func jsonDuplicate(d *inventory.Duplicate) duplicateJSON {
	out := duplicateJSON{ID: d.ID.String(), Item: d.Places[0].Item, Created: d.ID.Time().UTC()}
	for _, s := range d.Places {
		out.Places = append(out.Places, placeJSON{s.Key.String(), s.Slot, s.Path})
	}
	return out
}
