package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// slotsCmd shows and changes players' save slots. The index in a player's root says
// all that it needs, so it knows no schema.
type slotsCmd struct {
	List     slotsListCmd     `cmd:"" default:"withargs" help:"List a player's save slots."`
	Switch   slotsSwitchCmd   `cmd:"" help:"Load a save slot and park the one that is loaded."`
	Copy     slotsCopyCmd     `cmd:"" help:"Add a save slot that holds what another one holds."`
	Rename   slotsRenameCmd   `cmd:"" help:"Give a save slot another name."`
	Delete   slotsDeleteCmd   `cmd:"" help:"Delete a save slot, which can be undeleted for some time."`
	Undelete slotsUndeleteCmd `cmd:"" help:"Bring a deleted save slot back."`
}

// slotsListCmd lists save slots.
type slotsListCmd struct {
	Key keyArg `arg:"" help:"The player, as kind/id: player/42."`
	jsonFlag
	timeoutFlag
}

// Help is shown below the command's summary.
func (*slotsListCmd) Help() string {
	return "Of a player who is playing it shows what has reached the database, which is milliseconds old. The fields of a slot that is not loaded are in the entry KEY/slot/ID."
}

// slotJSON is what list writes of a save slot with --json.
type slotJSON struct {
	Key      string         `json:"key"`
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Loaded   bool           `json:"loaded"`
	Created  *time.Time     `json:"created,omitzero"`
	Played   *time.Time     `json:"played,omitzero"`
	PlayTime float64        `json:"play_time,omitzero"` // seconds
	Deleted  *time.Time     `json:"deleted,omitzero"`
	Until    *time.Time     `json:"until,omitzero"` // it can be undeleted
	Summary  jsontext.Value `json:"summary,omitzero"`
}

// Run runs the command.
func (c *slotsListCmd) Run(ctx context.Context, e *env) error {
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	v, err := db.reader().Peek(db.ctx, c.Key.Key)
	if err != nil {
		return db.why(err)
	}
	list, err := profile.ReadSaveSlots(v.Document)
	if err != nil {
		return fmt.Errorf("read the save slots of %v: %w", c.Key, err)
	}
	var rows [][]string
	for i := range list {
		s := &list[i]
		if s.Loaded {
			s.Played = v.Updated
		}
		j, err := jsonSlot(c.Key.Key, s)
		if err == nil && c.JSON {
			err = writeJSON(e.out, j)
		}
		if err != nil {
			return err
		}
		rows = append(rows, slotRow(s, &j))
	}
	if c.JSON {
		return nil
	}
	return console.Table(e.out, []string{"SLOT", "NAME", "STATE", "CREATED", "PLAYED", "PLAY TIME", "SUMMARY"}, rows)
}

func jsonSlot(key session.Key, s *profile.SaveSlot) (slotJSON, error) {
	j := slotJSON{
		Key: key.String(), ID: s.ID, Name: s.Name, Loaded: s.Loaded, Created: jsonTime(s.Created), Played: jsonTime(s.Played),
		PlayTime: s.PlayTime.Seconds(), Deleted: jsonTime(s.Deleted), Until: jsonTime(s.Until),
	}
	if len(s.Summary) == 0 {
		return j, nil
	}
	text, err := json.Marshal(s.Summary, json.Deterministic(true))
	if err != nil {
		return j, fmt.Errorf("encode: %w", err)
	}
	j.Summary = text
	return j, nil
}

func slotRow(s *profile.SaveSlot, j *slotJSON) []string {
	state := "parked"
	switch {
	case s.Loaded:
		state = "loaded"
	case j.Deleted != nil:
		state = "deleted, gone at " + stamp(j.Until)
	}
	played := ""
	if s.PlayTime > 0 {
		played = console.Duration(s.PlayTime)
	}
	return []string{s.ID, console.Clean(s.Name), state, stamp(j.Created), stamp(j.Played), played, cutText(string(j.Summary))}
}

// slotFlags are part of every command that changes a save slot.
type slotFlags struct {
	Key keyArg `arg:"" help:"The player, as kind/id: player/42."`
	ID  string `arg:"" name:"slot" help:"The save slot's id, as list shows it."`
	editFlags
}

// slotDoneJSON is what became of a change, as it is written with --json.
type slotDoneJSON struct {
	Key     string         `json:"key"`
	Slot    string         `json:"slot"`
	Loaded  string         `json:"loaded"`  // the id of the slot that is loaded now; empty: none
	Version driver.Version `json:"version"` // of the player, with the change
}

// change makes a change of a player's slots, as set makes one of his fields: nobody
// who is playing is touched unless the operator says so. Name is what a slot is
// to be called; empty: no slot gets a name. The change and its entry in the audit log
// are one update.
func (c *slotFlags) change(ctx context.Context, e *env, command, done, name string, do slotChange) error {
	if err := c.check(); err != nil {
		return err
	}
	if err := profile.CheckSlot(c.ID); err != nil && c.ID != profile.NoSlot {
		return usageError{err}
	}
	command = "slots " + command
	ed := edit{editFlags: c.editFlags, command: command, key: c.Key.Key}
	details := map[string]any{"slot": c.ID, "steal": ed.Steal}
	if name != "" {
		details["name"] = name
	}
	act, err := ed.act(command, ed.key, details)
	if err != nil {
		return err
	}
	return e.withPost(ctx, command, c.Key.Kind, c.limitFlags, c.timeoutFlag, func(ctx context.Context, db *database, srv *profile.Server) error {
		if err := ed.admit(ctx, db); err != nil {
			return err
		}
		p, err := ed.openProfile(ctx, e, db, srv)
		if err != nil {
			return err
		}
		p.Session().Mark(ed.Reason)
		changed, err := do(db.ctx, p, profile.Audited(act))
		if err != nil {
			return errors.Join(err, p.Close(db.ctx))
		}
		out := slotDoneJSON{c.Key.String(), changed, p.LoadedSlot(), p.Session().Version()}
		if err := p.Close(db.ctx); err != nil {
			return err
		}
		if c.JSON {
			return writeJSON(e.out, out)
		}
		loaded := "no save slot is loaded"
		if out.Loaded != "" {
			loaded = "save slot " + out.Loaded + " is loaded"
		}
		_, err = fmt.Fprintf(e.out, "%s of %v: %s; %s.\n", done, c.Key, console.Clean(out.Slot), loaded)
		return err
	})
}

// slotChange makes a change and returns the slot that was changed or made.
type slotChange func(context.Context, *profile.Profile, profile.SlotOption) (slot string, err error)

// openProfile is open for a command that needs the player's profile.
func (ed *edit) openProfile(ctx context.Context, e *env, db *database, srv *profile.Server) (p *profile.Profile, err error) {
	err = ed.patiently(ctx, e, db, func(ctx context.Context, waiting func(session.Holder)) error {
		o := &profile.OpenOptions{MustExist: true, NoAsk: !ed.Handover, Waiting: waiting}
		if ed.Steal {
			o.Steal = ed.Reason
		}
		p, err = srv.Open(ctx, ed.key.ID, o)
		return err
	})
	return p, err
}

// slotsSwitchCmd loads a save slot.
type slotsSwitchCmd struct{ slotFlags }

// Help is shown below the command's summary.
func (*slotsSwitchCmd) Help() string {
	return "The word none as the slot parks the one that is loaded, and loads none. " + (*setCmd)(nil).Help()
}

// Run runs the command.
func (c *slotsSwitchCmd) Run(ctx context.Context, e *env) error {
	return c.change(ctx, e, "switch", "Switched the save slot", "", func(ctx context.Context, p *profile.Profile, o profile.SlotOption) (string, error) {
		return c.ID, p.SwitchSlot(ctx, c.ID, o)
	})
}

// slotsCopyCmd copies a save slot.
type slotsCopyCmd struct {
	slotFlags
	Name string `arg:"" help:"The new slot's name: 1 to 50 bytes."`
}

// Help is shown below the command's summary.
func (*slotsCopyCmd) Help() string {
	return "The copy holds what the other one holds, so that items are there twice, and audit items says so. It is not loaded. " + (*setCmd)(nil).Help()
}

// Run runs the command.
func (c *slotsCopyCmd) Run(ctx context.Context, e *env) error {
	return c.change(ctx, e, "copy", "Copied a save slot", c.Name, func(ctx context.Context, p *profile.Profile, o profile.SlotOption) (string, error) {
		return p.CopySlot(ctx, c.ID, c.Name, o)
	})
}

// slotsRenameCmd names a save slot.
type slotsRenameCmd struct {
	slotFlags
	Name string `arg:"" help:"The new name: 1 to 50 bytes."`
}

// Run runs the command.
func (c *slotsRenameCmd) Run(ctx context.Context, e *env) error {
	return c.change(ctx, e, "rename", "Renamed a save slot", c.Name, func(ctx context.Context, p *profile.Profile, o profile.SlotOption) (string, error) {
		return c.ID, p.RenameSlot(ctx, c.ID, c.Name, o)
	})
}

// slotsDeleteCmd deletes a save slot.
type slotsDeleteCmd struct{ slotFlags }

// Run runs the command.
func (c *slotsDeleteCmd) Run(ctx context.Context, e *env) error {
	return c.change(ctx, e, "delete", "Deleted a save slot", "", func(ctx context.Context, p *profile.Profile, o profile.SlotOption) (string, error) {
		return c.ID, p.DeleteSlot(ctx, c.ID, o)
	})
}

// slotsUndeleteCmd brings a save slot back.
type slotsUndeleteCmd struct{ slotFlags }

// Run runs the command.
func (c *slotsUndeleteCmd) Run(ctx context.Context, e *env) error {
	return c.change(ctx, e, "undelete", "Undeleted a save slot", "", func(ctx context.Context, p *profile.Profile, o profile.SlotOption) (string, error) {
		return c.ID, p.UndeleteSlot(ctx, c.ID, o)
	})
}
