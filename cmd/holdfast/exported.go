package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/roblox"
	"github.com/holdfast-games/holdfast/session"
)

// exported is an export of another system. It is read twice: first for whose each
// entry is, since a player may have several and two keys may be of one player;
// then, player by player, for what is in them. In between, some hundred bytes of
// each entry are kept.
type exported struct {
	cmd     *importCmd
	env     *env
	o       *roblox.Options
	files   []*os.File // of JSON Lines, open for the second reading
	items   []item
	players map[string]*moved
	bar     *console.Progress
}

// place is where an entry stands, and whose it is.
type place struct {
	roblox.Place
	key   string
	store string // data store of an entry in a file of its own
	path  string // of a file of its own; empty: it is a line
	file  int    // of JSON Lines
	line  int
	at    int64
	size  int
}

// read reads the export for the first time.
func (x *exported) read(ctx context.Context) error {
	x.bar = console.NewProgress(x.env.err, "look through", -1, console.Things)
	defer x.bar.Close()
	for _, path := range x.cmd.Paths {
		var err error
		switch {
		case path == "-":
			return usageError{errors.New("-: an export is read twice, so it has to be in a file")}
		case isLines(path):
			err = x.readLines(ctx, path)
		default:
			err = x.readFiles(ctx, path)
		}
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
	}
	x.arrange()
	return nil
}

// readLines reads a file of JSON Lines.
func (x *exported) readLines(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	x.files = append(x.files, f)
	limits := x.cmd.limits()
	lines := lineReader{r: bufio.NewReaderSize(f, 1<<20), most: mostText(&limits)}
	for {
		text, err := lines.next()
		if err == io.EOF {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted: %w", context.Cause(ctx))
		}
		from := fmt.Sprintf("%s:%d", path, lines.n)
		if err != nil && !errors.Is(err, document.ErrTooLarge) {
			return fmt.Errorf("read %s: %w", from, err)
		}
		var e *roblox.Entry
		if err == nil {
			e, err = roblox.ParseEntry(text)
		}
		x.add(from, e, err, place{file: len(x.files) - 1, line: lines.n, at: lines.at, size: int(lines.end - lines.at)})
	}
}

// readFiles reads a file that holds an entry, a folder of such, or a folder of
// folders, each of which is a data store.
func (x *exported) readFiles(ctx context.Context, path string) error {
	files, err := documentFiles(path, "")
	if err != nil {
		return err
	}
	for _, f := range files {
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted: %w", context.Cause(ctx))
		}
		p := place{path: f.path, store: f.kind}
		key, err := url.PathUnescape(strings.TrimSuffix(filepath.Base(f.path), ".json"))
		if err != nil {
			err = fmt.Errorf("the name of the file is no key: %w", err)
		}
		p.key = key
		var e *roblox.Entry
		if err == nil {
			e, err = x.entry(&p)
		}
		x.add(f.path, e, err, p)
	}
	return nil
}

// add notes an entry. Those that are nobody's are refused by themselves.
func (x *exported) add(from string, e *roblox.Entry, err error, p place) {
	x.bar.Add(1)
	if err == nil {
		p.Place, err = x.cmd.form().Place(e, x.o)
	}
	key := session.Key{Kind: x.cmd.Kind, ID: p.ID}
	if err == nil {
		err = key.Check()
	}
	if err != nil {
		x.items = append(x.items, item{index: len(x.items), from: from, err: err})
		return
	}
	p.key = e.Key
	m := x.players[p.ID]
	if m == nil {
		m = &moved{of: x}
		x.players[p.ID] = m
		x.items = append(x.items, item{index: len(x.items), from: from, key: key, moved: m})
	}
	m.places = append(m.places, p)
}

// arrange finds what each player's entries are.
func (x *exported) arrange() {
	for i := range x.items {
		it := &x.items[i]
		if it.moved == nil {
			continue
		}
		it.err = it.moved.arrange()
		if it.err == nil {
			it.from = it.moved.from(it.moved.newest[0])
		}
	}
	x.players = nil
}

// from is where an entry stands, for people.
func (x *exported) from(p *place) string {
	if p.path != "" {
		return p.path
	}
	return fmt.Sprintf("%s:%d", x.files[p.file].Name(), p.line)
}

// entry reads an entry for the second time, or for the first if it is a file.
func (x *exported) entry(p *place) (*roblox.Entry, error) {
	if p.path == "" {
		text := make([]byte, p.size)
		if _, err := x.files[p.file].ReadAt(text, p.at); err != nil {
			return nil, err
		}
		return roblox.ParseEntry(bytes.TrimSpace(text))
	}
	f, err := os.Open(p.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	limits := x.cmd.limits()
	text, err := readText(f, &limits)
	if err != nil {
		return nil, err
	}
	return roblox.FileEntry(p.store, p.key, text)
}

// source returns what is to be imported.
func (x *exported) source() source {
	return source{len(x.items), func(yield func(item, error) bool) {
		for _, it := range x.items {
			if !yield(it, nil) {
				return
			}
		}
	}, x.close}
}

func (x *exported) close() {
	for _, f := range x.files {
		f.Close()
	}
}
