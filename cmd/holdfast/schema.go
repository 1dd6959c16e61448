package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

// schemaCmd deals with the schemas of games.
type schemaCmd struct {
	Check schemaCheckCmd `cmd:"" help:"Report which players a server with a schema could not load."`
}

// schemaCheckCmd checks stored players against a schema.
type schemaCheckCmd struct {
	Schema   string `required:"" placeholder:"FILE" help:"The schema as JSON, as a game's server writes it; - for standard input."`
	Sample   int    `placeholder:"N" help:"Check so many players only, drawn at random; all without it."`
	Examples int    `default:"5" placeholder:"N" help:"Name so many players for each problem (default 5)."`
	limitFlags
	jsonFlag
	timeoutFlag
}

// Help is shown below the command's summary.
func (*schemaCheckCmd) Help() string {
	return "Run it before a rollout, beside the running servers: it takes no locks and changes nothing. A problem fails a load, warns, or only informs; " +
		"the exit code is 1 if any player, or a parked save slot of his, could not be loaded. Migrations are code, which a file does not have: for players that need one, what would " +
		"fail now is a warning. A game that calls profile.CheckSchema tries its migrations too."
}

// problemJSON is what schema check writes of a problem with --json.
type problemJSON struct {
	Severity  profile.Severity    `json:"severity"`
	Problem   profile.ProblemKind `json:"problem"`
	Field     string              `json:"field,omitzero"`
	Parked    bool                `json:"parked,omitzero"` // in a save slot that is not loaded
	Migration string              `json:"migration,omitzero"`
	Players   int                 `json:"players"`
	Examples  []string            `json:"examples"`
	Detail    string              `json:"detail,omitzero"`
}

// checkedJSON is the last line that schema check writes with --json.
type checkedJSON struct {
	Kind    string `json:"kind"`
	Checked int    `json:"checked"`
	Fails   int    `json:"fails"`
	Due     int    `json:"due"`
}

// errWouldFail means that a schema does not fit what is stored.
var errWouldFail = errors.New("some players could not be loaded")

// Run runs the command.
func (c *schemaCheckCmd) Run(ctx context.Context, e *env) error {
	switch {
	case c.Sample < 0:
		return usageError{fmt.Errorf("--sample %d: give 0 or more", c.Sample)}
	case c.Examples < 1:
		return usageError{fmt.Errorf("--examples %d: give 1 or more", c.Examples)}
	}
	schema, err := c.read(e)
	if err != nil {
		return err
	}
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	report, err := c.check(db, schema, e)
	if err != nil {
		return db.why(err)
	}
	if c.JSON {
		err = c.writeJSON(e.out, schema, report)
	} else {
		err = c.write(e.out, schema, report)
	}
	if err == nil && report.Fails > 0 {
		err = errWouldFail
	}
	return err
}

// maxSchemaFile is more bytes than any schema may have.
const maxSchemaFile = 8 << 20

// read reads the schema.
func (c *schemaCheckCmd) read(e *env) (*profile.Schema, error) {
	in := e.in
	if c.Schema != "-" {
		f, err := os.Open(c.Schema)
		if err != nil {
			return nil, fmt.Errorf("read the schema: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxSchemaFile))
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	schema, err := profile.ParseSchema(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Schema, err)
	}
	return schema, nil
}

func (c *schemaCheckCmd) check(db *database, schema *profile.Schema, e *env) (*profile.CheckReport, error) {
	bar := console.NewProgress(e.err, "check", -1, console.Things)
	defer bar.Close()
	return profile.CheckSchema(db.ctx, db.DB, schema, &profile.CheckOptions{
		Limits: c.limits(), Sample: c.Sample, Examples: c.Examples,
		Progress: func(checked int) { bar.Set(int64(checked), 0) },
	})
}

func (c *schemaCheckCmd) writeJSON(w io.Writer, schema *profile.Schema, r *profile.CheckReport) error {
	for _, p := range r.Problems {
		err := writeJSON(w, problemJSON{p.Severity, p.Kind, p.Field, p.Parked, p.Migration, p.Count, p.Examples, p.Detail})
		if err != nil {
			return err
		}
	}
	return writeJSON(w, checkedJSON{schema.Kind(), r.Checked, r.Fails, r.Due})
}

func (c *schemaCheckCmd) write(w io.Writer, schema *profile.Schema, r *profile.CheckReport) error {
	var rows [][]string
	for _, p := range r.Problems {
		where := p.Field
		if p.Migration != "" {
			where = "migration " + p.Migration
		}
		if p.Parked {
			where = strings.TrimSpace(where + " (parked slot)")
		}
		ids := make([]string, len(p.Examples))
		for i, id := range p.Examples {
			ids[i] = quoted(store.JoinKey(id))
		}
		if p.Count > len(ids) {
			ids = append(ids, "…")
		}
		rows = append(rows, []string{string(p.Severity), string(p.Kind), where, strconv.Itoa(p.Count), strings.Join(ids, " ")})
	}
	if len(rows) > 0 {
		if err := console.Table(w, []string{"SEVERITY", "PROBLEM", "WHERE", "PLAYERS", "FOR EXAMPLE"}, rows); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	for _, p := range r.Problems {
		if p.Severity == profile.Fails {
			fmt.Fprintln(w, console.Clean(p.Detail))
		}
	}
	_, err := fmt.Fprintf(w, "Checked %d of kind %s: %d could not be loaded, %d would be migrated.\n",
		r.Checked, console.Clean(schema.Kind()), r.Fails, r.Due)
	return err
}
