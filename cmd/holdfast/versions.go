package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
)

// versionsCmd lists the versions of a key.
type versionsCmd struct {
	Key   keyArg `arg:"" help:"The player, as kind/id: player/42."`
	Limit int    `default:"50" placeholder:"N" help:"List the newest so many; 0 for all (default 50)."`
	jsonFlag
	timeoutFlag
}

// Help is shown below the command's summary.
func (*versionsCmd) Help() string {
	return "The oldest come first. The number counts back from the present version, which is 0; " +
		"commands take it or the id. KEPT versions are purchases, trades and an operator's acts, and those just before them: the schedule does not delete them."
}

// versionJSON is what versions writes of each with --json.
type versionJSON struct {
	Number  int            `json:"number"`
	Version driver.Version `json:"version"`
	Updated time.Time      `json:"updated"`
	Kept    bool           `json:"kept"`
	Bytes   int            `json:"bytes"`            // of the data
	Origins []string       `json:"origins,omitzero"` // what sorts of acts it holds: "trade"
	Reason  string         `json:"reason,omitzero"`
	By      string         `json:"by,omitzero"`
	Error   string         `json:"error,omitzero"`
}

// Run runs the command.
func (c *versionsCmd) Run(ctx context.Context, e *env) error {
	if c.Limit < 0 {
		return usageError{fmt.Errorf("--limit %d: give 0 or more", c.Limit)}
	}
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	list, err := db.reader().Versions(db.ctx, c.Key.Key)
	switch {
	case err != nil:
		return db.why(err)
	case len(list) == 0:
		return fmt.Errorf("versions of %v: %w", c.Key, session.ErrNotFound)
	}
	left := 0
	if c.Limit > 0 && len(list) > c.Limit {
		left = len(list) - c.Limit
	}
	bad := false
	var rows [][]string
	for i, info := range list[left:] {
		v := c.look(db, info)
		v.Number = len(list) - left - i - 1
		if v.Number > 0 && list[left+i+1].Marked {
			v.Kept = true
		}
		bad = bad || v.Error != ""
		if c.JSON {
			if err := writeJSON(e.out, v); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, v.row())
	}
	if !c.JSON {
		if err := console.Table(e.out, []string{"NUMBER", "VERSION", "WRITTEN", "SIZE", "KEPT", "WHAT", "REASON", "BY"}, rows); err != nil {
			return err
		}
	}
	if left > 0 {
		fmt.Fprintf(e.err, "There are %d older ones: --limit 0 lists all\n", left)
	}
	if bad {
		return errSome
	}
	return nil
}

// look reads one version for what only its data tells.
func (c *versionsCmd) look(db *database, info session.VersionInfo) versionJSON {
	v := versionJSON{Version: info.Version, Updated: info.Updated.UTC(), Kept: info.Marked}
	view, err := db.reader().ReadVersion(db.ctx, c.Key.Key, info.Version)
	if err != nil {
		v.Error = firstLine(db.why(err))
		return v
	}
	v.Bytes, v.Origins, v.Reason, v.By = view.Document.Size(), view.Origins, view.Reason, view.By
	return v
}

func (v *versionJSON) row() []string {
	kept, size, reason := "", console.Size(int64(v.Bytes)), v.Reason
	if v.Kept {
		kept = "yes"
	}
	if v.Error != "" {
		size, reason = "", "! "+v.Error
	}
	return []string{strconv.Itoa(v.Number), v.Version.String(), console.Time(v.Updated), size, kept, strings.Join(v.Origins, " "), reason, v.By}
}
