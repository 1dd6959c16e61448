package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestViewRedrawsBelowItsNotes(t *testing.T) {
	var b bytes.Buffer
	v := newView(&b)
	v.picture([]string{"one", strings.Repeat("x", 200)})
	v.note("something\x1b[2J happened")
	text := b.String()
	if n := strings.Count(text, "\x1b[2F\x1b[J"); n != 1 {
		t.Errorf("a note erases %d times, want the picture of two lines once: %q", n, text)
	}
	if strings.Contains(text, "\x1b[2J") {
		t.Errorf("a note moved the cursor: %q", text)
	}
	for line := range strings.Lines(text) {
		if len([]rune(line)) > 90 {
			t.Errorf("a line of the picture would wrap: %q", line)
		}
	}
	if i, j := strings.Index(text, "happened"), strings.LastIndex(text, "one"); i < 0 || j < i {
		t.Errorf("the picture is not below the note: %q", text)
	}
	b.Reset()
	v.close()
	if got := b.String(); got != "\x1b[2F\x1b[J" {
		t.Errorf("close wrote %q, want the picture erased", got)
	}
}

func TestFrameShowsEachServer(t *testing.T) {
	f := frame{at: 15 * time.Second, online: 7, saves: 40, hops: 3, updates: 100, durable: 40}
	f.servers = []seen{
		{name: "amber", state: alive, players: 7}, {name: "birch", state: killed}, {name: "cedar", state: stopped},
		{name: "dune", state: alive, pulse: pulse{Suspended: true}}, {name: "ember", state: ended},
	}
	before := frame{at: 10 * time.Second, saves: 20, servers: f.servers}
	text := strings.Join(f.lines(&before, 30*time.Second), "\n")
	for _, want := range []string{"● alive", "✖ killed", "■ stopped", "◌ suspended", "✖ ended", "7 players online", "4 saves/s", "15.0 s of 30.0 s"} {
		if !strings.Contains(text, want) {
			t.Errorf("the picture lacks %q:\n%s", want, text)
		}
	}
	if got := f.line(&before); !strings.Contains(got, "7 players on 2 servers") || strings.Contains(got, "away") {
		t.Errorf("line = %q, want 7 players on 2 servers, and no word of the database", got)
	}
	f.away = 7 * time.Second
	if got := f.line(&before); !strings.HasSuffix(got, "the database has been away for 7.0 s, 1 servers are suspended") {
		t.Errorf("line = %q, want a database that is away", got)
	}
	if got := strings.Join(f.lines(&before, time.Minute), "\n"); !strings.Contains(got, "✖ the database has been away for 7.0 s") {
		t.Errorf("the picture lacks the absence of the database:\n%s", got)
	}
}
