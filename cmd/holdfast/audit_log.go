package main

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
)

// auditLogCmd lists the audit log.
type auditLogCmd struct {
	Key   *keyArg   `arg:"" optional:"" help:"Only what concerns this player, as kind/id: player/42."`
	Since momentArg `placeholder:"TIME" help:"Only from this time on: 2006-01-02T15:04:05Z, or how long ago, as 90m."`
	Until momentArg `placeholder:"TIME" help:"Only before this time."`
	By    string    `placeholder:"NAME" help:"Only what this operator did."`
	What  string    `placeholder:"WHAT" help:"Only this: set, restore, unlock, steal, mail, grant, refund, release, import, erase."`
	jsonFlag
	timeoutFlag
}

// Help is shown below the command's summary.
func (*auditLogCmd) Help() string {
	return "The oldest come first. An act and its entry are in one commit, so there is none without the other. " +
		"Names are what their owners say: whoever may write to the database may write any."
}

// actJSON is what log writes of an act with --json.
type actJSON struct {
	ID      driver.Version `json:"id"`
	At      *time.Time     `json:"at,omitzero"`
	By      string         `json:"by,omitzero"`
	What    string         `json:"what,omitzero"`
	Key     string         `json:"key,omitzero"` // none: nobody's, or everybody's
	Reason  string         `json:"reason,omitzero"`
	Result  string         `json:"result,omitzero"`
	Server  string         `json:"server,omitzero"`
	Details jsontext.Value `json:"details,omitzero"`
	Error   string         `json:"error,omitzero"`
}

func jsonAct(a *audit.Act, err error) actJSON {
	j := actJSON{
		ID: a.ID, At: jsonTime(a.At), By: a.By, What: a.What, Reason: a.Reason, Result: a.Result, Server: a.Server,
		Details: jsontext.Value(a.Details), Error: errText(err),
	}
	if a.Key != (session.Key{}) {
		j.Key = a.Key.String()
	}
	return j
}

// Run runs the command.
func (c *auditLogCmd) Run(ctx context.Context, e *env) error {
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	o := &audit.LogOptions{Since: c.Since.Time, Until: c.Until.Time, By: c.By, What: c.What}
	if c.Key != nil {
		o.Key = c.Key.Key
	}
	var rows [][]string
	bad := false
	for a, err := range audit.Log(db.ctx, db.DB, o) {
		if err != nil && a.ID.IsZero() {
			return db.why(err)
		}
		bad = bad || err != nil
		j := jsonAct(&a, err)
		switch {
		case c.JSON:
			if err := writeJSON(e.out, j); err != nil {
				return err
			}
		case err != nil:
			rows = append(rows, []string{"!", "", a.ID.String(), "", j.Error, ""})
		default:
			rows = append(rows, []string{console.Time(a.At), a.By, a.What, j.Key, a.Reason, a.Result})
		}
	}
	if !c.JSON {
		if err := console.Table(e.out, []string{"WHEN", "BY", "WHAT", "KEY", "REASON", "RESULT"}, rows); err != nil {
			return err
		}
	}
	if bad {
		return errSome
	}
	return nil
}
