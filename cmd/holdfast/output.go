package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
)

// jsonFlag is part of every command whose output is data.
type jsonFlag struct {
	JSON bool `name:"json" help:"Write JSON, one object to a line."`
}

// writeJSON writes a value as one line of JSON.
func writeJSON(w io.Writer, v any) error {
	// What a name or an error quotes may be anything.
	b, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	if _, err := w.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// encoded returns a document's JSON.
func encoded(d *document.Document) jsontext.Value { return d.AppendJSON(nil) }

// writeIndented writes a document for people to read. Numbers keep their digits.
func writeIndented(w io.Writer, d *document.Document) error {
	text := encoded(d)
	if err := text.Indent(jsontext.WithIndent("  ")); err != nil {
		return fmt.Errorf("indent: %w", err)
	}
	if _, err := w.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// holderJSON is who holds a lock, as commands write it.
type holderJSON struct {
	Server  string     `json:"server"`
	Lease   string     `json:"lease"`
	Session string     `json:"session"`
	Since   time.Time  `json:"since"`
	Expires *time.Time `json:"expires,omitzero"` // none: it is dead
}

func jsonHolder(h *session.Holder) *holderJSON {
	if h == nil {
		return nil
	}
	return &holderJSON{h.Server, h.Lease, h.Session, h.Since.UTC(), jsonTime(h.Expires)}
}

func jsonTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}

// living reports whether a lock's server is alive, as far as its lease tells.
func living(h *session.Holder) bool { return h != nil && h.Expires.After(time.Now()) }

// describe says who holds a lock.
func describe(h *session.Holder) string {
	switch {
	case h == nil:
		return ""
	case living(h):
		return h.Server
	}
	return h.Server + " (gone)"
}

// until says when a lease ends.
func until(expires time.Time) string {
	switch left := time.Until(expires); {
	case expires.IsZero():
		return ""
	case left <= 0:
		return console.Duration(-left) + " ago"
	default:
		return "in " + console.Duration(left)
	}
}

// firstLine cuts an error's text to its first line, for a table.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// errText returns the text of an error, empty for none.
func errText(err error) string {
	if err == nil {
		return ""
	}
	return firstLine(err)
}

// errSome means that a listing could not read everything, and has said what.
var errSome = errors.New("not everything could be read")
