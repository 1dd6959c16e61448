package demo

import (
	"strings"
	"testing"
	"time"
)

const header = "time,player,event\n"

func TestParseTraceRefusesByLineAndReason(t *testing.T) {
	fine := header + "2026-01-01T10:00:00,ann,join\n"
	for name, c := range map[string]struct{ text, want string }{
		"NoHeader":         {"2026-01-01T10:00:00,ann,join\n", "line 1"},
		"NoEvents":         {header, "no events"},
		"Empty":            {"", "header"},
		"BadTime":          {fine + "yesterday,ann,leave\n", "line 3: time"},
		"TimeThatGoesBack": {fine + "2026-01-01T09:00:00,ann,leave\n", "line 3: time"},
		"UnknownEvent":     {fine + "2026-01-01T11:00:00,ann,quit\n", "line 3: event"},
		"JoinTwice":        {fine + "2026-01-01T11:00:00,ann,join\n", "line 3: player"},
		"LeaveOfNobody":    {fine + "2026-01-01T11:00:00,ben,leave\n", "line 3: player"},
		"NoPlayer":         {fine + "2026-01-01T11:00:00,,join\n", "line 3"},
		"PlayerWithNUL":    {fine + "2026-01-01T11:00:00,a\x00b,join\n", "line 3"},
		"PlayerNotUTF8":    {fine + "2026-01-01T11:00:00,\xff,join\n", "line 3"},
		"TooFewFields":     {fine + "2026-01-01T11:00:00,ann\n", "line 3"},
		"TooManyFields":    {fine + "2026-01-01T11:00:00,ann,leave,x\n", "line 3"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseTrace(strings.NewReader(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("parseTrace(%q) = %v, want an error with %q", c.text, err, c.want)
			}
		})
	}
}

func TestCompressTraceKeepsTheOrder(t *testing.T) {
	text := header +
		"2026-01-01T10:00:00,ann,join\n" +
		"2026-01-01T10:09:00,ben,join\n" +
		"2026-01-01T10:10:00,ann,leave\n" +
		"2026-01-01T10:10:03,ann,join\n" + // reconnects
		"2026-01-01T11:00:00,ann,leave\n" +
		"2026-01-01T11:00:20,ann,join\n" + // hops
		"2026-01-02T11:00:00,ben,leave\n" +
		"2026-01-09T11:00:00Z,ben,join\n" +
		"2026-01-09T12:00:00Z,ben,leave\n"
	events, err := parseTrace(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	const play = 10 * time.Second
	all := compressTrace(events, play)
	ann, ben := all["ann"].list, all["ben"].list
	if len(ann) != 3 || len(ben) != 2 {
		t.Fatalf("compressTrace has %d and %d visits, want 3 and 2", len(ann), len(ben))
	}
	if ann[0].back != later || ann[1].back != reconnect || ann[2].back != hop || ben[1].back != later {
		t.Errorf("ann comes back as %d, %d, %d and ben as %d", ann[0].back, ann[1].back, ann[2].back, ben[1].back)
	}
	if ann[1].away >= ann[2].away || ann[2].away >= ben[1].away {
		t.Errorf("3 s, 20 s and 7 d away take %v, %v and %v: the order is not kept", ann[1].away, ann[2].away, ben[1].away)
	}
	if ben[0].away >= ann[0].stay {
		t.Errorf("ben joins after %v and ann leaves after %v, want ben before", ben[0].away, ann[0].stay)
	}
	end := time.Duration(0)
	for _, v := range ben {
		end += v.away + v.stay
	}
	if d := (end - play).Abs(); d > time.Millisecond {
		t.Errorf("the trace takes %v, want %v", end, play)
	}
	// Ann never leaves in the end: she stays until the trace is over.
	if got := ann[2].stay; got <= 0 {
		t.Errorf("ann's last visit takes %v, want the rest", got)
	}
	if a, b := all["ann"].next(), ann[0]; a != b {
		t.Errorf("next = %+v, want %+v", a, b)
	}
	for range 2 {
		all["ann"].next()
	}
	if a, b := all["ann"].next(), ann[0]; a != b {
		t.Errorf("next after the last = %+v, want the first again, %+v", a, b)
	}
}
