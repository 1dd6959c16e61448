package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/roblox"
)

// fromFlags say how the data of another system are to be read.
type fromFlags struct {
	From       string   `enum:",nexus,profilestore,datastore2,lapis,plain" default:"" placeholder:"FORM" help:"The files are an export of Roblox data stores, written by: nexus (and PlayerDataStore), profilestore (and ProfileService), datastore2, lapis; or plain, the tables themselves."`
	ID         string   `name:"id" placeholder:"PATTERN" help:"A regular expression for the whole key, whose one group is the player's id (default PlayerList$$42 for nexus, else 42, Player_42 and the like; datastore2 needs none)."`
	Maps       []string `placeholder:"PATH" help:"Tables that are maps, so that an empty one becomes {} (Roblox stores it as []): bag, pets/*/skills."`
	Main       []string `placeholder:"NAME" help:"Data stores of datastore2 whose table holds the fields (the main key of Combine). Any other is one field."`
	Field      string   `placeholder:"NAME" help:"The value, whatever it is, is this one field (plain)."`
	Beside     string   `placeholder:"FIELD" help:"Keep in this field what stood beside the data: messages that wait, tags, metadata, user ids, times."`
	DropBeside bool     `help:"Leave out messages that wait, tags and metadata. Without this and --beside, a player who has some is refused."`
	Backups    int      `default:"1000" placeholder:"N" help:"How many older backups of datastore2 become versions (default 1000, as many as are kept)."`
}

const fromHelp = "With --from the paths are an export of Roblox data stores, as scripts make it with Open Cloud. " +
	"A line of JSON Lines is {\"key\":\"PlayerList$42\",\"value\":{…}} with, if you have them, store, scope, metadata, userIds, version, createdTime, updatedTime, " +
	"and ordered for entries of ordered data stores; or an entry as Open Cloud returns it. " +
	"A .json file is a value, and its name the key; or an entry as Open Cloud returns it. A folder of folders has one for each data store. Names are escaped as in a URL: DATA%2F42. " +
	"Files are read twice, so - cannot be read. Run it again to go on: who was imported stays as he is."

// form is the form of the export.
func (f *fromFlags) form() roblox.Form { return roblox.Form(f.From) }

// options returns what the flags say to the reader of the form, or an error in
// the command line.
func (f *fromFlags) options() (*roblox.Options, error) {
	o := &roblox.Options{Maps: f.Maps, Main: f.Main, Field: f.Field}
	if f.ID == "" {
		return o, nil
	}
	var err error
	if o.ID, err = regexp.Compile("^(?:" + f.ID + ")$"); err != nil {
		return nil, usageError{fmt.Errorf("--id: %w", err)}
	}
	if o.ID.NumSubexp() != 1 {
		return nil, usageError{fmt.Errorf("--id %s: a pattern has one group, in parentheses, for the player's id", f.ID)}
	}
	return o, nil
}

// check refuses flags that contradict each other.
func (c *importCmd) check() error {
	used := c.ID != "" || len(c.Maps)+len(c.Main) > 0 || c.Field != "" || c.Beside != "" || c.DropBeside
	form := c.form()
	for _, rule := range []struct {
		broken bool
		why    string
	}{
		{used && form == "", "--id, --maps, --main, --field, --beside and --drop-beside go with --from"},
		{form != "" && c.Key != nil, "--key and --from cannot be together: an export names its players"},
		{c.ID != "" && form == roblox.DataStore2, "--id has no use with --from datastore2: user ids are digits there"},
		{len(c.Main) > 0 && form != roblox.DataStore2, "--main goes with --from datastore2"},
		{c.Field != "" && form != roblox.Plain, "--field goes with --from plain"},
		{c.Beside != "" && c.DropBeside, "--beside and --drop-beside cannot be together"},
		{c.Backups < 0, "--backups: give a number from 0"},
		{form == roblox.DataStore2 && len(c.Reason) > audit.MaxReason-maxBackupReason, fmt.Sprintf("--reason may have %d bytes at most with --from datastore2", audit.MaxReason-maxBackupReason)},
	} {
		if rule.broken {
			return usageError{errors.New(rule.why)}
		}
	}
	for flag, name := range map[string]string{"--beside": c.Beside, "--field": c.Field} {
		switch err := document.Field(name).Check(); {
		case name == "":
		case err != nil:
			return usageError{fmt.Errorf("%s: %w", flag, err)}
		case strings.HasPrefix(name, "~"):
			return usageError{fmt.Errorf("%s %s: names that begin with ~ are Holdfast's own", flag, name)}
		}
	}
	return nil
}

// open opens what the command line names.
func (c *importCmd) open(ctx context.Context, e *env) (source, error) {
	if err := c.check(); err != nil {
		return source{}, err
	}
	if c.From == "" {
		return c.sources(e)
	}
	o, err := c.options()
	if err != nil {
		return source{}, err
	}
	x := &exported{cmd: c, env: e, o: o, players: make(map[string]*moved)}
	if err := x.read(ctx); err != nil {
		x.close()
		return source{}, err
	}
	return x.source(), nil
}
