package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/bus/natsbus"
	"github.com/holdfast-games/holdfast/internal/pgtest"
)

// TestFleetOutlivesItsDatabase runs the demo on a PostgreSQL that is taken away
// in the middle for several leases, while servers are killed and stopped, and
// reads what it says of that.
func TestFleetOutlivesItsDatabase(t *testing.T) {
	bin := build(t)
	for _, c := range []struct {
		name string
		run  func(t *testing.T) (db, bus string, take, give func())
	}{
		{"KilledAndStartedAgain", func(t *testing.T) (db, bus string, take, give func()) {
			pg := pgtest.Start(t)
			nats, err := natsbus.Embed(nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(nats.Close)
			return pg.URL(), nats.URL(), pg.Kill, pg.Restart
		}},
		{"PausedTogetherWithTheBus", func(t *testing.T) (db, bus string, take, give func()) {
			pg := pgtest.Start(t)
			return pg.URL(), pg.URL(), pg.Pause, pg.Resume
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db, bus, take, give := c.run(t)
			d := startDemo(t, bin, "--db", db, "--bus", bus, "--lease", "2s", "--seconds", "10", "--players", "12", "--json")
			d.await("players play", func() bool { return d.said("players on") })
			take()
			d.await("the servers are suspended", func() bool { return d.count("is suspended") >= 2 })
			d.await("the database is away for several leases", func() bool { return d.away() >= absence() })
			give()
			r := d.report()
			if len(r.Broken) > 0 || r.Acknowledged == 0 || r.Outages == 0 || r.Away < 1000*absence().Seconds() {
				t.Errorf("holdfast demo = %+v, want nothing broken in an outage of %v\n%s", r, absence(), d.text())
			}
			for _, line := range []string{"the database is away", "the database is back after", "goes on after"} {
				if !d.said(line) {
					t.Errorf("holdfast demo does not say %q:\n%s", line, d.text())
				}
			}
			noSecret(t, d.text())
			t.Logf("holdfast demo:\n%s", d.text())
		})
	}
}

// absence is for how long a database is away in a test: several leases.
func absence() time.Duration {
	if os.Getenv("HOLDFAST_SOAK") != "" {
		return time.Minute
	}
	return 4 * time.Second
}

// noSecret fails the test if a text quotes a password of the test's
// PostgreSQL.
func noSecret(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{"secret of the tests", "secret%20of%20the%20tests", "secret+of", "hunter2"} {
		if strings.Contains(text, secret) {
			t.Errorf("the password is in\n%s", text)
		}
	}
}

// demoRun is a run of holdfast demo, and what it has said so far.
type demoRun struct {
	t     *testing.T
	cmd   *exec.Cmd
	out   strings.Builder
	lines chan string // of the standard error; closed at the end
	seen  []string
}

// demoReport is what holdfast demo --json prints.
type demoReport struct {
	Broken       []string `json:"broken"`
	Late         []string `json:"late"`
	Acknowledged int      `json:"updates_acknowledged"`
	Outages      int      `json:"database_outages"`
	Away         float64  `json:"database_longest_outage_ms"`
}

// startDemo starts the demo, which is killed if the test ends before it.
func startDemo(t *testing.T, bin string, args ...string) *demoRun {
	t.Helper()
	d := &demoRun{t: t, cmd: exec.CommandContext(t.Context(), bin, append([]string{"demo"}, args...)...), lines: make(chan string, 1000)}
	d.cmd.Stdout = &d.out
	view, err := d.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(d.lines)
		for s := bufio.NewScanner(view); s.Scan(); {
			d.lines <- s.Text()
		}
	}()
	return d
}

// await waits until what was said so far is as told.
func (d *demoRun) await(what string, is func() bool) {
	d.t.Helper()
	give := time.After(3 * time.Minute)
	for !is() {
		select {
		case line, more := <-d.lines:
			if !more {
				d.t.Fatalf("holdfast demo ended before this was so: %s\n%s", what, d.text())
			}
			d.seen = append(d.seen, line)
		case <-give:
			d.t.Fatalf("holdfast demo: not so: %s\n%s", what, d.text())
		}
	}
}

func (d *demoRun) text() string { return strings.Join(d.seen, "\n") }

func (d *demoRun) said(what string) bool { return d.count(what) > 0 }

func (d *demoRun) count(what string) int { return strings.Count(d.text(), what) }

var awayFor = regexp.MustCompile(`has been away for ([0-9.]+) s`)

// away is for how long the database has been away, as was said last.
func (d *demoRun) away() time.Duration {
	all := awayFor.FindAllStringSubmatch(d.text(), -1)
	if len(all) == 0 {
		return 0
	}
	s, err := strconv.ParseFloat(all[len(all)-1][1], 64)
	if err != nil {
		d.t.Fatal(err)
	}
	return time.Duration(s * float64(time.Second))
}

// report waits for the end and returns what was printed. The exit code says
// whether a promise was broken or a limit in time was missed; the latter depends
// on the machine and is not judged.
func (d *demoRun) report() (r demoReport) {
	d.t.Helper()
	for line := range d.lines {
		d.seen = append(d.seen, line)
	}
	err := d.cmd.Wait()
	if e := json.Unmarshal([]byte(d.out.String()), &r); e != nil {
		d.t.Fatalf("holdfast demo --json = %v and printed %q, which is no object: %v\n%s", err, d.out.String(), e, d.text())
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) != (len(r.Late)+len(r.Broken) > 0) {
		d.t.Errorf("holdfast demo = %v with the limits %q missed", err, r.Late)
	}
	noSecret(d.t, d.out.String())
	return r
}
