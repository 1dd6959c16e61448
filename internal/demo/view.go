package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/internal/console"
)

// view shows a run while it goes on: on a terminal a picture that is redrawn in
// place, below the notes; else the notes, and a line now and then.
type view struct {
	began time.Time
	every time.Duration // from one picture, or line, to the next
	live  bool

	mu    sync.Mutex // guards what follows
	w     io.Writer
	drawn []string // the picture, below the notes
}

func newView(w io.Writer) *view {
	v := &view{began: time.Now(), every: 5 * time.Second, live: console.IsTerminal(w), w: w}
	if v.live {
		v.every = 200 * time.Millisecond
	}
	return v
}

// note writes a line that stays.
func (v *view) note(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	line := fmt.Sprintf("%6s  %s", seconds(time.Since(v.began)), console.Clean(fmt.Sprintf(format, args...)))
	var b strings.Builder
	v.erase(&b)
	b.WriteString(line + "\n")
	v.redraw(&b)
	// What is shown is no part of the result.
	_, _ = io.WriteString(v.w, b.String())
}

// picture replaces the picture.
func (v *view) picture(lines []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var b strings.Builder
	v.erase(&b)
	v.drawn = lines
	v.redraw(&b)
	_, _ = io.WriteString(v.w, b.String())
}

// erase moves the cursor to where the picture begins, and clears what is below.
func (v *view) erase(b *strings.Builder) {
	if n := len(v.drawn); n > 0 {
		fmt.Fprintf(b, "\x1b[%dF\x1b[J", n)
	}
}

// redraw writes the picture. A line that is wider than most terminals would
// wrap, and be more than one when it is erased.
func (v *view) redraw(b *strings.Builder) {
	for _, line := range v.drawn {
		b.WriteString(console.Short(line, 79) + "\n")
	}
}

// close takes the picture away.
func (v *view) close() { v.picture(nil) }

// show shows how the run goes, until ctx ends.
func (d *director) show(ctx context.Context) {
	defer d.view.close()
	var before frame
	for {
		f := d.frame()
		if d.view.live {
			d.view.picture(f.lines(&before, d.o.Play))
		} else if before.servers != nil {
			d.view.note("%s", f.line(&before))
		}
		if f.at-before.at >= time.Second || before.servers == nil {
			before = f
		}
		if !rest(ctx, d.view.every, nil) {
			return
		}
	}
}

// frame is what is seen at one moment.
type frame struct {
	at               time.Duration // for which players have played
	servers          []seen
	online           int
	saves            int64
	hops             int
	p50, p99         time.Duration
	updates, durable int
	away             time.Duration // the database has been for so long; 0: it is there
}

// seen is one server in a frame.
type seen struct {
	name    string
	state   state
	players int
	pulse   pulse
}

func (d *director) frame() frame {
	f := frame{at: d.played()}
	f.away, _ = d.outages.lasts()
	on := make(map[*process]int)
	for _, a := range d.actors {
		if p := a.where.Load(); p != nil {
			on[p]++
			f.online++
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.servers {
		s, pulse, _ := p.status()
		f.servers = append(f.servers, seen{p.name, s, on[p], pulse})
	}
	for _, p := range d.all {
		_, pulse, _ := p.status()
		f.saves += pulse.Saves
	}
	f.hops = d.hops
	f.p50, f.p99 = percentile(d.handOver, 0.5), percentile(d.handOver, 0.99)
	f.updates, f.durable = d.history.counts()
	return f
}

// savesPerSecond is the rate since a frame before.
func (f *frame) savesPerSecond(before *frame) float64 {
	if span := (f.at - before.at).Seconds(); before.servers != nil && span > 0 {
		return float64(f.saves-before.saves) / span
	}
	return 0
}

// line is the frame in one line.
func (f *frame) line(before *frame) string {
	line := fmt.Sprintf("%d players on %d servers, %d updates (%d durable), %.0f saves/s, %d hops, hand-over p50 %s p99 %s",
		f.online, f.alive(), f.updates, f.durable, f.savesPerSecond(before), f.hops, millis(f.p50), millis(f.p99))
	if f.away > 0 {
		line += fmt.Sprintf("; the database has been away for %s, %d servers are suspended", seconds(f.away), f.suspended())
	}
	return line
}

func (f *frame) suspended() (n int) {
	for _, r := range f.servers {
		if r.state == alive && r.pulse.Suspended {
			n++
		}
	}
	return n
}

func (f *frame) alive() (n int) {
	for _, r := range f.servers {
		if r.state == alive {
			n++
		}
	}
	return n
}

// lines are the frame as a picture.
func (f *frame) lines(before *frame, play time.Duration) []string {
	lines := []string{"", fmt.Sprintf("  %-12s %-22s %8s %8s %9s", "server", "state", "players", "saves", "appends")}
	for _, r := range f.servers {
		lines = append(lines, fmt.Sprintf("  %-12s %-22s %8d %8d %9d", r.name, r.describe(), r.players, r.pulse.Saves, r.pulse.Appends))
	}
	return append(lines, "",
		fmt.Sprintf("  %d players online, %d updates (%d of them durable), %.0f saves/s", f.online, f.updates, f.durable, f.savesPerSecond(before)),
		fmt.Sprintf("  %d hops between servers, hand-over p50 %s p99 %s", f.hops, millis(f.p50), millis(f.p99)),
		f.database(),
		fmt.Sprintf("  %s %s of %s", bar(f.at, play), seconds(min(f.at, play)), seconds(play)),
	)
}

func (f *frame) database() string {
	if f.away > 0 {
		return fmt.Sprintf("  ✖ the database has been away for %s", seconds(f.away))
	}
	return "  ● the database answers"
}

func (r *seen) describe() string {
	switch {
	case r.state == killed:
		return "✖ killed"
	case r.state == stopped:
		return "■ stopped"
	case r.state == ended:
		return "✖ ended"
	case r.pulse.Suspended:
		return "◌ suspended"
	}
	return "● alive"
}

const barWidth = 40

func bar(at, of time.Duration) string {
	n := int(barWidth * min(at, of) / of)
	return strings.Repeat("█", n) + strings.Repeat("░", barWidth-n)
}

func millis(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
