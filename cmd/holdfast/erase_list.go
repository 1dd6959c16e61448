package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
)

// eraseList is who is to be erased.
type eraseList struct {
	keys       []session.Key // each once, in the order of the file
	refused    []badLine
	duplicates int // lines that name one of them again
}

// badLine is a line of a file that names nobody.
type badLine struct {
	From   string `json:"from"`
	Reason string `json:"reason"`
}

func refusedTable(refused []badLine) table {
	t := table{header: []string{"REFUSED", "REASON"}}
	for _, r := range refused {
		t.rows = append(t.rows, []string{r.From, r.Reason})
	}
	return t
}

// list returns whom the command line names. A file that cannot be read to its end is
// an error: nobody is erased then.
func (c *eraseCmd) list(e *env) (*eraseList, error) {
	if c.Key != nil {
		return &eraseList{keys: []session.Key{c.Key.Key}}, nil
	}
	r, name := e.in, "standard input"
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, fmt.Errorf("erase: %w", err)
		}
		defer f.Close()
		r, name = f, c.File
	}
	list, err := readEraseList(r, name, c.Kind)
	if err != nil {
		return nil, fmt.Errorf("erase: %w; nothing was changed", err)
	}
	if len(list.keys)+len(list.refused) == 0 {
		return nil, usageError{fmt.Errorf("%s names nobody", name)}
	}
	return list, nil
}

// Limits of a file of players.
const (
	maxEraseLine = 4 << 10   // bytes
	maxErase     = 1_000_000 // players
)

func readEraseList(r io.Reader, name, kind string) (*eraseList, error) {
	list := &eraseList{}
	seen := make(map[session.Key]bool)
	lines := lineReader{r: bufio.NewReaderSize(r, 64<<10), most: maxEraseLine}
	for {
		text, err := lines.next()
		if err == io.EOF {
			return list, nil
		}
		from := fmt.Sprintf("%s:%d", name, lines.n)
		if err != nil && !errors.Is(err, document.ErrTooLarge) {
			return nil, fmt.Errorf("read %s: %w", from, err)
		}
		var key session.Key
		if err == nil {
			if text = trimMark(text, lines.n); len(text) == 0 || text[0] == '#' {
				continue
			}
			key, err = parseErased(string(text), kind)
		}
		switch {
		case err != nil:
			list.refused = append(list.refused, badLine{from, firstLine(err)})
		case seen[key]:
			list.duplicates++
		case len(list.keys) == maxErase:
			return nil, fmt.Errorf("%w: %s: more than %d players", document.ErrTooLarge, from, maxErase)
		default:
			seen[key] = true
			list.keys = append(list.keys, key)
		}
	}
}

// trimMark cuts the mark off that some editors begin a file with.
func trimMark(line []byte, n int) []byte {
	if n != 1 {
		return line
	}
	return []byte(strings.TrimPrefix(string(line), "\ufeff"))
}

// eraseLineJSON is a line in JSON.
type eraseLineJSON struct {
	Key  string         `json:"key"`
	ID   jsontext.Value `json:"id"`
	Kind string         `json:"kind"`
}

// parseErased reads a line: a key (player/42), an id (42), or one of them as a member
// of a JSON object: {"key":"player/42"}, {"id":42}, {"id":"a/b","kind":"guild"}.
func parseErased(line, kind string) (session.Key, error) {
	if !utf8.ValidString(line) {
		return session.Key{}, errors.New("the line is not valid UTF-8")
	}
	var j eraseLineJSON
	switch line[0] {
	case '{':
		if err := json.Unmarshal([]byte(line), &j, json.RejectUnknownMembers(true)); err != nil {
			return session.Key{}, fmt.Errorf("the line is not {\"key\":…} or {\"id\":…}: %w", err)
		}
	case '"':
		j.ID = jsontext.Value(line)
	default:
		if strings.ContainsAny(line, " \t,;") {
			return session.Key{}, errors.New("the line has more than an id or a key; an id with a space or a comma goes in quotes, as JSON")
		}
		if strings.Contains(line, "/") {
			return session.ParseKey(line)
		}
		key := session.Key{Kind: kind, ID: line}
		return key, key.Check()
	}
	if (j.Key == "") == (j.ID == nil) {
		return session.Key{}, errors.New("the line has neither a key nor an id, or both")
	}
	if j.Key != "" {
		return session.ParseKey(j.Key)
	}
	if j.Kind == "" {
		j.Kind = kind
	}
	id, err := idText(j.ID)
	key := session.Key{Kind: j.Kind, ID: id}
	return key, errors.Join(err, key.Check())
}

// idText returns an id that may be written as a whole number.
func idText(v jsontext.Value) (id string, err error) {
	if v.Kind() == '0' {
		if _, err := strconv.ParseInt(string(v), 10, 64); err != nil {
			return "", fmt.Errorf("the id %s is no whole number", v)
		}
		return string(v), nil
	}
	if err := json.Unmarshal(v, &id); err != nil {
		return "", fmt.Errorf("the id is no text and no number: %w", err)
	}
	return id, nil
}

// preview shows whom the command would erase, and erases nobody.
func (c *eraseCmd) preview(ctx context.Context, e *env, list *eraseList) error {
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	const shown = 20
	t := table{header: []string{"WOULD ERASE", "HELD BY", "NOTE"}}
	for _, key := range list.keys[:min(len(list.keys), shown)] {
		v, err := db.reader().Peek(db.ctx, key)
		switch {
		case errors.Is(err, session.ErrNotFound):
			t.rows = append(t.rows, []string{key.String(), "", "was never seen"})
		case err != nil && db.ctx.Err() != nil:
			return db.why(err)
		case err != nil:
			t.rows = append(t.rows, []string{key.String(), "", firstLine(err)})
		default:
			t.rows = append(t.rows, []string{key.String(), describe(v.Holder), "last saved " + console.Time(v.Updated)})
		}
	}
	if more := len(list.keys) - shown; more > 0 {
		t.rows = append(t.rows, []string{fmt.Sprintf("and %d more", more), "", ""})
	}
	if err := writeTables(e, t, refusedTable(list.refused)); err != nil {
		return err
	}
	return usageError{errors.New("nothing was erased, and what is erased never comes back: run it again with --yes")}
}
