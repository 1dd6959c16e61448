package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// exportCmd writes players as JSON.
type exportCmd struct {
	Which string `arg:"" optional:"" name:"kind" help:"A kind (player), or a kind and the beginning of an id (player/4). Everything without it."`
	Out   string `short:"o" placeholder:"PATH" help:"A file that ends in .jsonl and does not exist yet, or else a folder. Standard output without it."`
	timeoutFlag
}

// Help is shown below the command's summary.
func (*exportCmd) Help() string {
	return "JSON Lines have a line {\"key\":\"player/42\",\"data\":{…}} for each player. In a folder each player is a file, kind/id.json, " +
		"with the id escaped as in a key. holdfast import reads both. " +
		"Each player is shown as of some moment of the export, not all as of one: for that there is holdfast backup."
}

// lineJSON is a line of JSON Lines, as export writes and import reads it.
type lineJSON struct {
	Key  string         `json:"key"`
	Data jsontext.Value `json:"data"`
}

// sink takes exported players.
type sink interface {
	put(v *session.View) error
	// done makes what was put last. Without it, nothing half written stays
	// under its final name.
	done() error
	close()
}

// Run runs the command.
func (c *exportCmd) Run(ctx context.Context, e *env) error {
	o, err := rootsOptions(c.Which)
	if err != nil {
		return err
	}
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	out, err := c.sink(e)
	if err != nil {
		return err
	}
	defer out.close()
	n, bad, err := c.copy(db, o, out, e)
	if err == nil {
		err = out.done()
	}
	if err != nil {
		return db.why(err)
	}
	fmt.Fprintf(e.err, "Exported %d, could not export %d.\n", n, bad)
	if bad > 0 {
		return errSome
	}
	return nil
}

// sink opens what the players go to.
func (c *exportCmd) sink(e *env) (sink, error) {
	switch {
	case c.Out == "":
		return &lineSink{w: bufio.NewWriter(e.out)}, nil
	case isLines(c.Out):
		return newFileSink(c.Out)
	}
	if err := os.MkdirAll(c.Out, 0o777); err != nil {
		return nil, fmt.Errorf("make the folder: %w", err)
	}
	return folderSink(c.Out), nil
}

// copy puts the players into out, and says on the way which it could not read.
func (c *exportCmd) copy(db *database, o *session.RootsOptions, out sink, e *env) (n, bad int, err error) {
	bar := console.NewProgress(e.err, "export", -1, console.Things)
	defer bar.Close()
	rd := db.reader()
	for info, err := range rd.Roots(db.ctx, o) {
		if err != nil {
			return n, bad, err
		}
		if info.Erased {
			continue
		}
		v, err := rd.Peek(db.ctx, info.Key)
		switch {
		case errors.Is(err, session.ErrNotFound), errors.Is(err, session.ErrErased):
			continue // it went meanwhile
		case err != nil && db.ctx.Err() != nil:
			return n, bad, err
		case err == nil:
			err = out.put(v)
		}
		var refused refusedName
		switch {
		case err == nil:
			n++
			bar.Add(1)
		case errors.As(err, &refused), v == nil:
			bad++
			bar.Note(e.err, fmt.Sprintf("%v: %s", info.Key, firstLine(err)))
		default:
			return n, bad, err
		}
	}
	return n, bad, nil
}

// refusedName is an error with the name of one player's file.
type refusedName struct{ error }

func (e refusedName) Unwrap() error { return e.error }

// isLines reports whether a file's name says that it has JSON Lines.
func isLines(name string) bool {
	ext := filepath.Ext(name)
	return ext == ".jsonl" || ext == ".ndjson"
}

// lineSink writes JSON Lines.
type lineSink struct{ w *bufio.Writer }

func (s *lineSink) put(v *session.View) error {
	return writeJSON(s.w, lineJSON{v.Key.String(), encoded(v.Document)})
}

func (s *lineSink) done() error {
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

func (s *lineSink) close() {}

// fileSink writes JSON Lines to a file, which gets its name when it is whole.
type fileSink struct {
	lineSink
	path string
	f    *os.File
}

func newFileSink(path string) (sink, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("export to %q: %w", path, fs.ErrExist)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.partial")
	if err != nil {
		return nil, fmt.Errorf("export to %q: %w", path, err)
	}
	return &fileSink{lineSink{bufio.NewWriter(f)}, path, f}, nil
}

func (s *fileSink) done() error {
	err := errors.Join(s.lineSink.done(), s.f.Sync(), s.f.Close())
	if err == nil {
		err = os.Rename(s.f.Name(), s.path)
	}
	if err != nil {
		return fmt.Errorf("export to %q: %w", s.path, err)
	}
	return nil
}

func (s *fileSink) close() {
	_ = s.f.Close()
	_ = os.Remove(s.f.Name()) // under its final name it stays
}

// folderSink writes a file for each player.
type folderSink string

func (s folderSink) put(v *session.View) error {
	dir := filepath.Join(string(s), fileName(v.Key.Kind))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, fileName(v.Key.ID)+".json"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return refusedName{err}
	}
	err = writeIndented(io.Writer(f), v.Document)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func (s folderSink) done() error { return nil }
func (s folderSink) close()      {}

// fileName escapes a part of a key for the name of a file.
func fileName(part string) string { return store.JoinKey(part) }
