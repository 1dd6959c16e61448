package demo

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/bus/natsbus"
	"github.com/holdfast-games/holdfast/internal/pgtest"
)

// witness is a View that a test can wait for.
type witness struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
	more chan struct{} // level: something was written
}

func newWitness() *witness { return &witness{more: make(chan struct{}, 1)} }

// Write implements io.Writer.
func (w *witness) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(b)
	select {
	case w.more <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (w *witness) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// await waits until what was seen so far is as told.
func (w *witness) await(t *testing.T, what string, is func(text string) bool) {
	t.Helper()
	give := time.After(2 * patience)
	for !is(w.String()) {
		select {
		case <-w.more:
		case <-give:
			t.Fatalf("%s: not so in\n%s", what, w)
		}
	}
}

// says returns a condition that holds when a line was seen so many times.
func says(line string, times int) func(string) bool {
	return func(text string) bool { return strings.Count(text, line) >= times }
}

var suspending = regexp.MustCompile(`(\S+) (is suspended|goes on)`)

// suspends returns a condition that holds while so many servers are suspended.
func suspends(n int) func(string) bool {
	return func(text string) bool {
		servers := make(map[string]bool)
		for _, m := range suspending.FindAllStringSubmatch(text, -1) {
			if servers[m[1]] = true; m[2] == "goes on" {
				delete(servers, m[1])
			}
		}
		return len(servers) == n
	}
}

var awayFor = regexp.MustCompile(`away for ([0-9.]+) s`)

// awaySince returns a condition that holds when the database has been away for
// so long.
func awaySince(d time.Duration) func(string) bool {
	return func(text string) bool {
		for _, m := range awayFor.FindAllStringSubmatch(text, -1) {
			if s, err := strconv.ParseFloat(m[1], 64); err == nil && s >= d.Seconds() {
				return true
			}
		}
		return false
	}
}

// absenceTime is how long a database is away in a test: several leases.
func absenceTime() time.Duration {
	if soak {
		return time.Minute
	}
	return 4 * time.Second
}

// TestDatabaseAway takes the database away from servers under players who play,
// for several leases, and gives it back: nobody is lost.
func TestDatabaseAway(t *testing.T) {
	onEach(t, breakable, func(t *testing.T, o *Options, h *home) {
		w := newWitness()
		o.View, o.Faults = w, []Fault{}
		// The first line about the players comes after 5 s. The time must not be over
		// before the servers have found out, a lease later, that the database is away.
		o.Play, o.Players, o.Lease = 14*time.Second, 12, 2*time.Second
		done := start(t, o, w)
		w.await(t, "players play", says("players on 3 servers", 1))
		h.take()
		w.await(t, "all servers are suspended", suspends(3))
		w.await(t, "the database is away for several leases", awaySince(absenceTime()))
		h.give()
		if r := <-done; r != nil {
			checkAway(t, r, w.String())
		}
	})
}

// TestBusAway ends the bus in the middle: servers find each other's requests by
// looking into the database.
func TestBusAway(t *testing.T) {
	t.Parallel()
	e, err := natsbus.Embed(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	w := newWitness()
	o := testOptions(t)
	o.DB, o.Bus, o.View = pgtest.URL(t), e.URL(), w
	o.Play, o.Players, o.Faults, o.Seed = 6*time.Second, 24, []Fault{Kill}, 3
	done := start(t, o, w)
	w.await(t, "a server is killed", says("is killed", 1))
	e.Close()
	if r := <-done; r != nil {
		t.Logf("\n%s", w)
		for _, line := range r.Broken {
			t.Errorf("Run broke a promise: %s", line)
		}
		if r.Hops == 0 || r.Acked == 0 || !says("without a bus", 1)(w.String()) {
			t.Errorf("Run had %d hops and %d acknowledged updates, want some, and a server that starts without a bus", r.Hops, r.Acked)
		}
	}
}

// start starts a run. Its report is nil if it failed.
func start(t *testing.T, o *Options, w *witness) <-chan *Report {
	done := make(chan *Report, 1)
	go func() {
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Errorf("Run: %v\n%s", err, w)
		}
		done <- r
	}()
	return done
}

// checkAway checks what came of a run whose database was away once.
func checkAway(t *testing.T, r *Report, view string) {
	t.Helper()
	t.Logf("\n%s", view)
	for _, line := range r.Broken {
		t.Errorf("Run broke a promise: %s", line)
	}
	if r.Outages == 0 || r.LongestOutage < 1000*absenceTime().Seconds() {
		t.Errorf("Run saw %d outages, the longest of %v ms; want %v at least", r.Outages, r.LongestOutage, absenceTime())
	}
	if r.Suspended < 3 || r.Held == 0 {
		t.Errorf("Run had %d servers suspended with %d players; want all 3, and some", r.Suspended, r.Held)
	}
	for _, line := range []string{"the database is away", "the database is back after", "goes on after"} {
		if !strings.Contains(view, line) {
			t.Errorf("the view does not say %q:\n%s", line, view)
		}
	}
}
