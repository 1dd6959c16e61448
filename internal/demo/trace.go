package demo

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/session"
)

// maxTrace is how many rows of a trace are read at most.
const maxTrace = 1_000_000

var errTrace = errors.New("trace")

// event is one row of a trace.
type event struct {
	at     time.Time
	player string
	join   bool
}

// readTrace reads a trace from a file and returns each player's visits, so
// compressed that the whole trace takes as long as play.
func readTrace(path string, play time.Duration) (map[string]*tracedVisits, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read trace: %w", err)
	}
	defer f.Close()
	events, err := parseTrace(f)
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", errTrace, path, err)
	}
	return compressTrace(events, play), nil
}

// parseTrace reads rows of time, player and event below a header. The times
// are RFC 3339, with or without a zone, and must not go back. A player must join
// before he leaves, and leave before he joins again. Errors name the line.
func parseTrace(r io.Reader) ([]event, error) {
	rows := csv.NewReader(r)
	rows.FieldsPerRecord, rows.ReuseRecord = 3, true
	header, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("read its header: %w", err)
	}
	if strings.Join(header, ",") != "time,player,event" {
		return nil, fmt.Errorf("line 1: the header is %.60q, not time,player,event", strings.Join(header, ","))
	}
	var events []event
	here := make(map[string]bool)
	for {
		row, err := rows.Read()
		switch {
		case err == io.EOF && len(events) == 0:
			return nil, errors.New("it has no events")
		case err == io.EOF:
			return events, nil
		case err != nil:
			return nil, err // names the line
		}
		e, err := parseEvent(row, events, here)
		if err != nil {
			line, _ := rows.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		events = append(events, e)
	}
}

// parseEvent reads a row that comes after others. Here says who is online.
func parseEvent(row []string, before []event, here map[string]bool) (event, error) {
	at, err := parseTime(row[0])
	if err != nil {
		return event{}, err
	}
	e := event{at: at, player: row[1], join: row[2] == "join"}
	switch {
	case len(before) >= maxTrace:
		return e, fmt.Errorf("more than %d events", maxTrace)
	case len(before) > 0 && at.Before(before[len(before)-1].at):
		return e, fmt.Errorf("time %s is before that of the event above", row[0])
	case !e.join && row[2] != "leave":
		return e, fmt.Errorf("event %.40q is neither join nor leave", row[2])
	case e.join && here[e.player]:
		return e, fmt.Errorf("player %.60q joins and has not left", e.player)
	case !e.join && !here[e.player]:
		return e, fmt.Errorf("player %.60q leaves and has not joined", e.player)
	}
	if err := (session.Key{Kind: Kind, ID: e.player}).Check(); err != nil {
		return e, err
	}
	here[e.player] = e.join
	return e, nil
}

func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("time %.40q is not like 2026-01-02T15:04:05Z", s)
}

// compressTrace turns events into visits. The gap from each event to the next,
// whoever they are of, is compressed, so the order of all of them is kept.
func compressTrace(events []event, play time.Duration) map[string]*tracedVisits {
	at := make([]float64, len(events))
	for i := 1; i < len(events); i++ {
		at[i] = at[i-1] + compress(events[i].at.Sub(events[i-1].at).Seconds())
	}
	unit := play.Seconds() / max(at[len(at)-1], 1)
	byPlayer := make(map[string][]int)
	for i, e := range events {
		byPlayer[e.player] = append(byPlayer[e.player], i)
	}
	all := make(map[string]*tracedVisits)
	for player, list := range byPlayer {
		t := &tracedVisits{}
		left, leftAt := events[0].at.Add(-24*time.Hour), 0.0
		for pair := range slices.Chunk(list, 2) {
			v := visit{away: span(at[pair[0]]-leftAt, unit), back: comebackAfter(events[pair[0]].at.Sub(left).Seconds())}
			end, endAt := events[pair[0]].at, at[len(at)-1]
			if len(pair) == 2 {
				end, endAt = events[pair[1]].at, at[pair[1]]
			}
			v.stay = span(endAt-at[pair[0]], unit)
			t.list, left, leftAt = append(t.list, v), end, endAt
		}
		all[player] = t
	}
	return all
}

func span(units, unit float64) time.Duration {
	return time.Duration(units * unit * float64(time.Second))
}
