package console

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vbauerster/mpb/v8"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTable(t *testing.T) {
	t.Run("AlignsColumnsAndEndsNoLineWithASpace", func(t *testing.T) {
		var b bytes.Buffer
		err := Table(&b, []string{"KEY", "SIZE", "NOTE"}, [][]string{{"player/1", "2 B", ""}, {"é/日", "35.3 KiB", "x"}})
		want := "KEY       SIZE      NOTE\nplayer/1  2 B\né/日       35.3 KiB  x\n"
		if err != nil || b.String() != want {
			t.Errorf("Table = %v, wrote\n%s, want\n%s", err, b.String(), want)
		}
	})
	t.Run("EscapesWhatMovesTheCursor", func(t *testing.T) {
		var b bytes.Buffer
		if err := Table(&b, nil, [][]string{{"a\x1b[2Jb\tc\nd", "e"}}); err != nil {
			t.Fatal(err)
		}
		if got, want := b.String(), `a\x1b[2Jb\tc\nd  e`+"\n"; got != want {
			t.Errorf("Table wrote %q, want %q", got, want)
		}
	})
	t.Run("ReportsAWriteThatFails", func(t *testing.T) {
		if err := Table(broken{}, []string{"A"}, nil); !errors.Is(err, errBroken) {
			t.Errorf("Table = %v, want %v", err, errBroken)
		}
	})
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestClean(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"plain é 日 🙂", "plain é 日 🙂"},
		{`back\slash "quote"`, `back\slash "quote"`},
		{"nul\x00", `nul\x00`},
		{"\xff\xfe", `\xff\xfe`},
		{"\u202ereversed", `\u202ereversed`},
		{"\ufffd", "\ufffd"},
	} {
		if got := Clean(c.in); got != c.want {
			t.Errorf("Clean(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestShort(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"日本語です", 3, "日本…"},
		{"a", 1, "a"},
		{"ab", 1, "…"},
		{strings.Repeat("é", 1000), 5, "éééé…"},
		{"\n\n", 3, `\n…`},
	} {
		if got := Short(c.in, c.n); got != c.want {
			t.Errorf("Short(%.20q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

func TestUnits(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 36187: "35.3 KiB", 1<<20 - 1: "1.0 MiB", 5 << 30: "5.0 GiB", 1 << 50: "1024.0 TiB",
	} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0 µs", 40 * time.Millisecond: "40 ms", 8550 * time.Millisecond: "8.5 s", 59999 * time.Millisecond: "59.9 s",
		200 * time.Second: "3 min 20 s", 125 * time.Minute: "2 h 5 min", 97 * time.Hour: "4 d 1 h", -time.Second: "-1 s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%d) = %q, want %q", d, got, want)
		}
	}
	zone := time.FixedZone("", 3600)
	if got, want := Time(time.Date(2026, 2, 1, 0, 30, 5, 9, zone)), "2026-01-31 23:30:05Z"; got != want {
		t.Errorf("Time = %q, want %q", got, want)
	}
	if got := Time(time.Time{}); got != "" {
		t.Errorf("Time(zero) = %q, want nothing", got)
	}
}

func TestProgress(t *testing.T) {
	t.Run("IsNilWithoutATerminal", func(t *testing.T) {
		f, err := os.Create(t.TempDir() + "/f")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if p := NewProgress(f, "x", 1, Things); p != nil {
			t.Errorf("NewProgress on a file = %v, want nil", p)
		}
		var b bytes.Buffer
		p := NewProgress(&b, "x", 1, Things)
		p.Add(1)
		p.Set(1, 1)
		p.Note(&b, "a\x1bnote")
		p.Close()
		if got, want := b.String(), `a\x1bnote`+"\n"; p != nil || got != want {
			t.Errorf("NewProgress = %v, wrote %q, want nil and %q", p, got, want)
		}
	})
	t.Run("ShowsHowFar", func(t *testing.T) {
		var b bytes.Buffer
		p := newProgress("import", 0, Things, mpb.WithOutput(&b), mpb.WithAutoRefresh())
		p.Set(3, 4)
		p.Note(nil, "a note")
		p.Add(1)
		p.Close()
		for _, want := range []string{"import ", "4 of 4", "a note\n"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("the bar wrote %q, want %q in it", b.String(), want)
			}
		}
	})
	t.Run("CountsWithoutATotal", func(t *testing.T) {
		var b bytes.Buffer
		p := newProgress("export", -1, Bytes, mpb.WithOutput(&b), mpb.WithAutoRefresh())
		p.Add(2048)
		p.Close()
		if got := b.String(); !strings.Contains(got, "2.0 KiB") || strings.Contains(got, "%") {
			t.Errorf("the bar wrote %q, want 2.0 KiB and no percentage", got)
		}
	})
}

func TestTailKeepsTheEnd(t *testing.T) {
	var tail Tail
	for i := range 5000 {
		if n, err := fmt.Fprintf(&tail, "line %d\n", i); err != nil || n == 0 {
			t.Fatalf("Fprintf = %d, %v", n, err)
		}
	}
	got := tail.String()
	if len(got) != tailBytes || !strings.HasSuffix(got, "\nline 4998\nline 4999\n") {
		t.Errorf("String returns %d bytes that end with %q", len(got), got[max(0, len(got)-30):])
	}
	if _, err := tail.Write(bytes.Repeat([]byte("x"), 3*tailBytes)); err != nil || tail.String() != strings.Repeat("x", tailBytes) {
		t.Errorf("after one long write, %v: %d bytes", err, len(tail.String()))
	}
}
