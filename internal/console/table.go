package console

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// Table writes a header and rows in aligned columns, with two spaces between
// them and none at the end of a line. Cells are written as Clean returns them.
// Without rows only the header is written; a nil header is left out.
func Table(w io.Writer, header []string, rows [][]string) error {
	var text bytes.Buffer
	// What is written to memory meets no error.
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	if header != nil {
		writeRow(t, header)
	}
	for _, row := range rows {
		writeRow(t, row)
	}
	t.Flush()
	trimmed := make([]byte, 0, text.Len())
	for line := range bytes.Lines(text.Bytes()) {
		trimmed = append(append(trimmed, bytes.TrimRight(line, " \n")...), '\n')
	}
	if _, err := w.Write(trimmed); err != nil {
		return fmt.Errorf("write a table: %w", err)
	}
	return nil
}

func writeRow(w io.Writer, cells []string) {
	for i, c := range cells {
		if i > 0 {
			io.WriteString(w, "\t")
		}
		io.WriteString(w, Clean(c))
	}
	io.WriteString(w, "\n")
}

// Clean returns s with what is not graphic escaped as in Go: control and format
// characters, and bytes that are no UTF-8.
func Clean(s string) string {
	if isClean(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case strconv.IsGraphic(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToGraphic(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[n:]
	}
	return b.String()
}

func isClean(s string) bool {
	for _, r := range s {
		// A byte that is no UTF-8 comes as the replacement character.
		if r == utf8.RuneError || !strconv.IsGraphic(r) {
			return false
		}
	}
	return true
}

// Short returns Clean(s), cut to at most n characters, of which the last is
// then an ellipsis. N is at least 1.
func Short(s string, n int) string {
	if len(s) > 8*n {
		s = strings.ToValidUTF8(s[:8*n], "") + " " // enough, and no need to look at all of it
	}
	s = Clean(s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
