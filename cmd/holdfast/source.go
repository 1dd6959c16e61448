package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// item is one document to import.
type item struct {
	index int    // counts from 0 through all sources
	from  string // file, or file and line
	key   session.Key
	text  []byte // of the document; nil: it is in the file
	err   error  // why it cannot be imported, found while looking for it
	moved *moved // what an export of another system has of the player; nil: it is a document of Holdfast's own
}

// source is what an import reads.
type source struct {
	total int // documents, negative if that is not known
	items iter.Seq2[item, error]
	close func() // to be called when nothing is read any more
}

// parse reads the document.
func (it *item) parse(limits document.Limits) (*document.Document, error) {
	if it.err != nil {
		return nil, it.err
	}
	if it.moved != nil {
		return it.moved.document(&limits)
	}
	text := it.text
	if text == nil {
		f, err := os.Open(it.from)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if text, err = readText(f, &limits); err != nil {
			return nil, err
		}
	}
	doc, err := document.Parse(text, &limits)
	if err != nil {
		return nil, err
	}
	return doc, whole(doc)
}

// whole refuses the document of a player with save slots of which it has only the one
// that is loaded: the others are beside it, and would be missing for ever.
func whole(doc *document.Document) error {
	slots, err := profile.ReadSaveSlots(doc)
	for i := range slots {
		if s := &slots[i]; !s.Loaded {
			return fmt.Errorf("%w: save slot %s is not in the document: holdfast copy and backup keep all slots", document.ErrInvalid, s.ID)
		}
	}
	return err
}

// readText reads a document's text. It may be much larger than the document
// itself, being written for people, but not without end.
func readText(r io.Reader, limits *document.Limits) ([]byte, error) {
	most := mostText(limits)
	text, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err == nil && len(text) > most {
		err = fmt.Errorf("%w: more than %d bytes of text", document.ErrTooLarge, most)
	}
	return text, err
}

func mostText(limits *document.Limits) int {
	size := limits.Size
	if size <= 0 {
		size = 4 << 20
	}
	return 4*min(size, 256<<20) + 4096
}

// sources opens what the command line names. Files in folders are looked for
// now, so that a wrong name is found before anything is imported.
func (c *importCmd) sources(e *env) (source, error) {
	var parts []iter.Seq2[item, error]
	total, known := 0, true
	for _, path := range c.Paths {
		if path == "-" || isLines(path) {
			if c.Key != nil {
				return source{}, usageError{fmt.Errorf("%s: JSON Lines name their players, and --key names one", path)}
			}
			if _, err := os.Stat(path); path != "-" && err != nil {
				return source{}, fmt.Errorf("import: %w", err)
			}
			parts, known = append(parts, c.lines(e, path)), false
			continue
		}
		files, err := documentFiles(path, c.Kind)
		if err != nil {
			return source{}, fmt.Errorf("import: %w", err)
		}
		total += len(files)
		parts = append(parts, c.files(files))
	}
	if !known {
		total = -1
	}
	return source{total, numbered(parts), func() {}}, nil
}

// numbered joins sequences and counts their items.
func numbered(parts []iter.Seq2[item, error]) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		n := 0
		for _, part := range parts {
			for it, err := range part {
				it.index = n
				n++
				if !yield(it, err) {
					return
				}
			}
		}
	}
}

// documentFile is a file that holds a document of a kind.
type documentFile struct{ path, kind string }

// documentFiles returns the file at path, or the .json files in the folder, or
// those in its folders, each of which is named for a kind, as export writes them.
func documentFiles(path, kind string) ([]documentFile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []documentFile{{path, kind}}, nil
	}
	files, folders, err := readFolder(path, kind)
	if err != nil {
		return nil, err
	}
	if len(files) > 0 {
		return files, nil
	}
	for _, name := range folders {
		parts, err := store.SplitKey(name)
		if err != nil || len(parts) != 1 {
			return nil, fmt.Errorf("the folder %q is not named for a kind", filepath.Join(path, name))
		}
		more, _, err := readFolder(filepath.Join(path, name), parts[0])
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("there is no .json file in the folder %q", path)
	}
	return files, nil
}

// readFolder returns the .json files in a folder, in their natural order, and
// the names of the folders in it.
func readFolder(path, kind string) (files []documentFile, folders []string, err error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		switch {
		case entry.IsDir():
			folders = append(folders, entry.Name())
		case filepath.Ext(entry.Name()) == ".json":
			files = append(files, documentFile{filepath.Join(path, entry.Name()), kind})
		}
	}
	slices.SortFunc(files, func(a, b documentFile) int { return compareNatural(a.path, b.path) })
	return files, folders, nil
}

// compareNatural compares names with the numbers in them as numbers: save9 comes
// before save10.
func compareNatural(a, b string) int {
	for a != "" && b != "" {
		x, y := digits(a), digits(b)
		if x == "" || y == "" {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		a, b = a[len(x):], b[len(y):]
		if d := compareNumbers(x, y); d != 0 {
			return d
		}
	}
	return cmp.Compare(len(a), len(b))
}

// digits returns the digits at the beginning of s.
func digits(s string) string { return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))] }

func compareNumbers(x, y string) int {
	short, other := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
	return cmp.Or(cmp.Compare(len(short), len(other)), cmp.Compare(short, other), cmp.Compare(len(x), len(y)))
}

// files yields the documents in files, whose names are ids.
func (c *importCmd) files(files []documentFile) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		for _, f := range files {
			it := item{from: f.path}
			if c.Key != nil {
				it.key = c.Key.Key
			} else {
				it.key, it.err = keyOf(f.kind, f.path)
			}
			if !yield(it, nil) {
				return
			}
		}
	}
}

// keyOf returns the key that a file's name stands for.
func keyOf(kind, name string) (session.Key, error) {
	id, err := store.SplitKey(strings.TrimSuffix(filepath.Base(name), ".json"))
	if err != nil {
		return session.Key{}, fmt.Errorf("the name of the file is no id: %w", err)
	}
	key := session.Key{Kind: kind, ID: strings.Join(id, "/")}
	return key, key.Check()
}

// lines yields the documents in JSON Lines.
func (c *importCmd) lines(e *env, path string) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		r, name := e.in, "standard input"
		if path != "-" {
			f, err := os.Open(path)
			if err != nil {
				yield(item{}, fmt.Errorf("import: %w", err))
				return
			}
			defer f.Close()
			r, name = f, path
		}
		limits := c.limits()
		lines := lineReader{r: bufio.NewReaderSize(r, 64<<10), most: mostText(&limits)}
		for {
			text, err := lines.next()
			if err == io.EOF {
				return
			}
			it := item{from: fmt.Sprintf("%s:%d", name, lines.n)}
			if err != nil && !errors.Is(err, document.ErrTooLarge) {
				yield(it, fmt.Errorf("read %s: %w", it.from, err))
				return
			}
			if it.err = err; err == nil {
				it.key, it.text, it.err = parseLine(text)
			}
			if !yield(it, nil) {
				return
			}
		}
	}
}

// parseLine reads one line of JSON Lines.
func parseLine(text []byte) (session.Key, []byte, error) {
	var line lineJSON
	if err := json.Unmarshal(text, &line, json.RejectUnknownMembers(true)); err != nil {
		return session.Key{}, nil, fmt.Errorf("the line is not {\"key\":…,\"data\":…}: %w", err)
	}
	key, err := session.ParseKey(line.Key)
	if err == nil && line.Data == nil {
		err = errors.New("the line has no data")
	}
	return key, line.Data, err
}

// lineReader reads lines that are not empty and not too long.
type lineReader struct {
	r    *bufio.Reader
	most int
	n    int // number of the last line that was read
	// The last line that was read begins at at, and the next one at end.
	at, end int64
}

// next returns the next line, document.ErrTooLarge for one that was too long
// and skipped, or io.EOF.
func (l *lineReader) next() ([]byte, error) {
	for {
		l.at = l.end
		line, long, err := l.read()
		if err == io.EOF && len(line) == 0 && !long {
			return nil, io.EOF
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		if l.n++; long {
			return nil, fmt.Errorf("%w: a line of more than %d bytes", document.ErrTooLarge, l.most)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}

// read reads up to the next line break, and keeps of the line what is allowed.
func (l *lineReader) read() (line []byte, long bool, err error) {
	for {
		part, err := l.r.ReadSlice('\n')
		l.end += int64(len(part))
		if long = long || len(line)+len(part) > l.most; !long {
			line = append(line, part...)
		}
		if err != bufio.ErrBufferFull {
			return line, long, err
		}
	}
}
