package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// listCmd lists keys.
type listCmd struct {
	Which string  `arg:"" optional:"" help:"A kind (player), or a kind and the beginning of an id (player/4). Everything without it."`
	Limit int     `default:"1000" placeholder:"N" help:"List at most so many; 0 for all (default 1000)."`
	After *keyArg `placeholder:"KEY" help:"Begin after this key."`
	jsonFlag
	timeoutFlag
}

// rootJSON is what list writes of a key with --json.
type rootJSON struct {
	Key     string      `json:"key"`
	Version string      `json:"version"`
	Bytes   int         `json:"bytes"`
	Created time.Time   `json:"created"`
	Updated time.Time   `json:"updated"`
	Holder  *holderJSON `json:"holder,omitzero"`
	Erased  bool        `json:"erased,omitzero"`
	Error   string      `json:"error,omitzero"`
}

// Run runs the command.
func (c *listCmd) Run(ctx context.Context, e *env) error {
	if c.Limit < 0 {
		return usageError{fmt.Errorf("--limit %d: give 0 or more", c.Limit)}
	}
	o, err := rootsOptions(c.Which)
	if err != nil {
		return err
	}
	if c.After != nil {
		o.After = c.After.Key
	}
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	l := listing{cmd: c, e: e}
	for info, err := range db.reader().Roots(db.ctx, o) {
		if err != nil {
			return db.why(errors.Join(err, l.end()))
		}
		if c.Limit > 0 && l.count == c.Limit {
			l.more = true
			break
		}
		if err := l.add(&info); err != nil {
			return err
		}
	}
	return l.end()
}

// rootsOptions reads a kind, or a kind and the beginning of an id.
func rootsOptions(which string) (*session.RootsOptions, error) {
	parts, err := store.SplitKey(which)
	if err == nil && len(parts) > 2 {
		err = errors.New("more than one /")
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("%q is no kind, nor the beginning of a key: %w", which, err)}
	}
	o := &session.RootsOptions{Kind: parts[0]}
	if len(parts) == 2 {
		o.ID = parts[1]
	}
	// A key with what is given must be possible.
	probe := session.Key{Kind: o.Kind, ID: o.ID}
	if probe.ID == "" {
		probe.ID = "x"
	}
	if err := probe.Check(); which != "" && err != nil {
		return nil, usageError{err}
	}
	return o, nil
}

// listing collects a list's lines.
type listing struct {
	cmd   *listCmd
	e     *env
	rows  [][]string
	count int
	last  string
	more  bool
	bad   bool
}

func (l *listing) add(info *session.RootInfo) error {
	l.count++
	l.last = info.Key.String()
	l.bad = l.bad || info.Err != nil
	if l.cmd.JSON {
		return writeJSON(l.e.out, rootJSON{
			Key: l.last, Version: info.Version.String(), Bytes: info.Bytes, Created: info.Created.UTC(), Updated: info.Updated.UTC(),
			Holder: jsonHolder(info.Holder), Erased: info.Erased, Error: errText(info.Err),
		})
	}
	note := describe(info.Holder)
	switch {
	case info.Err != nil:
		note = "! " + firstLine(info.Err)
	case info.Erased:
		note = "(erased)"
	}
	l.rows = append(l.rows, []string{l.last, console.Size(int64(info.Bytes)), console.Time(info.Updated), note})
	if len(l.rows) == tableRows {
		return l.flush()
	}
	return nil
}

// tableRows is how many rows are aligned together, so that a long list shows
// early and is not held in memory.
const tableRows = 4096

func (l *listing) flush() error {
	rows := l.rows
	l.rows = nil
	return console.Table(l.e.out, []string{"KEY", "SIZE", "UPDATED", "LOCKED BY"}, rows)
}

func (l *listing) end() error {
	if !l.cmd.JSON && (len(l.rows) > 0 || l.count == 0) {
		if err := l.flush(); err != nil {
			return err
		}
	}
	if l.more {
		fmt.Fprintf(l.e.err, "There are more: go on with --after %s\n", quoted(l.last))
	}
	if l.bad {
		return errSome
	}
	return nil
}

// quoted returns a key as a shell takes it.
func quoted(s string) string {
	if !strings.ContainsFunc(s, special) {
		return s
	}
	return "'" + strings.ReplaceAll(console.Clean(s), "'", `'\''`) + "'"
}

// special reports whether a shell may give a meaning to a character.
func special(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_-./:", r))
}
