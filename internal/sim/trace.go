package sim

import (
	"fmt"
	"strings"
	"time"
)

// Trace is what happened in a world, one line per event. Two runs of one seed
// have the same.
type Trace struct {
	Lines []string
	began time.Time
	short map[string]string // of ids, by what they stand for
}

func newTrace() *Trace { return &Trace{began: time.Now(), short: make(map[string]string)} }

// add writes a line with the time since the world began. Version ids become
// numbers, in the order in which they first appear.
func (t *Trace) add(format string, args ...any) {
	at := time.Since(t.began)
	line := fmt.Sprintf(format, args...)
	t.Lines = append(t.Lines, fmt.Sprintf("%5d %13.9f %s", len(t.Lines), at.Seconds(), t.shorten(line)))
}

// idLen is the length of a version id's text.
const idLen = 26

// shorten replaces version ids by short names.
func (t *Trace) shorten(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		n := 0
		for i+n < len(s) && isIDChar(s[i+n]) {
			n++
		}
		switch {
		case n == idLen:
			b.WriteString(t.name(s[i : i+n]))
		case n > 0:
			b.WriteString(s[i : i+n])
		default:
			n = 1
			b.WriteByte(s[i])
		}
		i += n
	}
	return b.String()
}

func isIDChar(c byte) bool { return c >= '0' && c <= '9' || c >= 'A' && c <= 'V' }

func (t *Trace) name(id string) string {
	name, ok := t.short[id]
	if !ok {
		name = fmt.Sprintf("#%d", len(t.short)+1)
		t.short[id] = name
	}
	return name
}

// Tail returns the last n lines as text.
func (t *Trace) Tail(n int) string {
	return strings.Join(t.Lines[max(0, len(t.Lines)-n):], "\n")
}

// Diff returns the first place at which two traces differ, with a few lines
// before it, or nothing if they are the same.
func (t *Trace) Diff(o *Trace) string {
	for i := range max(len(t.Lines), len(o.Lines)) {
		a, b := t.line(i), o.line(i)
		if a == b {
			continue
		}
		return fmt.Sprintf("%s\n--- one run goes on with\n%s\n--- the other with\n%s",
			strings.Join(t.Lines[max(0, i-20):i], "\n"), a, b)
	}
	return ""
}

func (t *Trace) line(i int) string {
	if i < len(t.Lines) {
		return t.Lines[i]
	}
	return "(its end)"
}
