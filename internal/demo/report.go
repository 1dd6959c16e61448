package demo

import (
	"fmt"
	"io"
	"time"

	"github.com/holdfast-games/holdfast/internal/console"
)

// Report is what came of a run. Its JSON form is what holdfast demo --json
// prints.
type Report struct {
	// OK says that every promise was kept.
	OK bool `json:"ok"`
	// Broken says which promise was broken, and where.
	Broken []string `json:"broken"`
	// Late says which limit in time was exceeded. Such limits allow for the
	// time for which the machine kept the processes from running, as far as
	// that could be measured.
	Late []string `json:"late"`

	Database string  `json:"database"` // where the players are, without user and password
	Bus      string  `json:"bus"`      // between the servers; empty: none
	Lease    float64 `json:"lease_ms"`

	Seconds  float64 `json:"seconds"` // that players played
	Servers  int     `json:"servers"`
	Players  int     `json:"players"`
	Openings int     `json:"openings"` // of players by servers
	Hops     int     `json:"hops"`     // of them, from another server

	Updates     int `json:"updates"` // that were made in memory, as far as was told
	Acked       int `json:"updates_acknowledged"`
	Lost        int `json:"updates_lost"` // of those that were acknowledged
	UnackedLost int `json:"updates_unacknowledged_lost"`

	DoubleOwners int `json:"double_owners"`

	Groups     int `json:"groups"` // updates of two players
	GroupsTorn int `json:"groups_torn"`

	Items        int `json:"items"`
	ItemsChanged int `json:"items_created_or_destroyed"`

	Documents      int     `json:"documents"`
	DocumentBytes  int     `json:"document_bytes"`
	DocumentsEqual int     `json:"documents_equal"`
	ImportMS       float64 `json:"import_ms"`

	HandOvers   int     `json:"handovers"`
	HandOverP50 float64 `json:"handover_p50_ms"`
	HandOverP99 float64 `json:"handover_p99_ms"`

	Kills         int     `json:"kills"`
	TakeOver      float64 `json:"takeover_ms"` // the longest
	TakeOverLimit float64 `json:"takeover_limit_ms"`

	LossWindow      float64 `json:"loss_window_ms"` // the longest
	LossWindowLimit float64 `json:"loss_window_limit_ms"`
	AppendInterval  float64 `json:"append_interval_ms"`
	SlowestAppend   float64 `json:"slowest_append_ms"` // of servers that were killed
	SlowestStall    float64 `json:"longest_stall_ms"`

	Stops         int `json:"stops"`
	SessionsTaken int `json:"stopped_sessions_taken_over"`
	SessionsLost  int `json:"stopped_sessions_reported_lost"`
	LateWrites    int `json:"late_writes"`
	LateAccepted  int `json:"late_writes_accepted"`

	// What happened while no server reached the database. Suspended counts how
	// often a server could not trust its lease meanwhile, and Held the sessions
	// that such servers had, of which Taken were taken over.
	Outages          int     `json:"database_outages"`
	LongestOutage    float64 `json:"database_longest_outage_ms"`
	Suspended        int     `json:"outage_suspensions"`
	Held             int     `json:"outage_sessions"`
	Taken            int     `json:"outage_sessions_lost"`
	UpdatesSuspended int     `json:"updates_refused_as_suspended"`

	// LostOtherwise counts sessions that were taken over from servers to which
	// nothing was done for longer than a lease: the machine kept them from
	// running, or from the database.
	LostOtherwise int `json:"sessions_lost_otherwise"`

	Saves       int64   `json:"saves"`
	SavesPerSec float64 `json:"saves_per_second"`
	Appends     int64   `json:"appends"`

	Released    int `json:"players_released"`
	NotReleased int `json:"players_not_released"`
}

// report compares everything and adds it up.
func (d *director) report(players []*player, finals map[string]*final, imported time.Duration) *Report {
	d.mu.Lock()
	defer d.mu.Unlock()
	crashed, stopped := make(map[string]bool), make(map[string]bool)
	for _, f := range d.faults {
		crashed[f.server] = f.fault == Kill
		stopped[f.server] = stopped[f.server] || f.fault == Stop
	}
	v := check(d.history, players, finals, crashed)
	r := &Report{
		Broken: []string{}, Late: []string{},
		Database: withoutSecrets(d.url), Bus: withoutSecrets(d.o.Bus), Lease: ms(d.o.Lease),
		Seconds: round(time.Since(d.began).Seconds()), Servers: len(d.servers), Players: len(players),
		Openings: d.openings, Hops: d.hops,
		Updates: v.updates, Acked: v.acknowledged, Lost: v.count(promiseKept), UnackedLost: v.unacknowledged,
		DoubleOwners: v.count(promiseOwner), Groups: v.groups, GroupsTorn: v.count(promiseWhole),
		Items: v.items, ItemsChanged: v.count(promiseItems),
		Documents: len(players), DocumentsEqual: v.equal, ImportMS: ms(imported),
		HandOvers: len(d.handOver), HandOverP50: ms(percentile(d.handOver, 0.5)), HandOverP99: ms(percentile(d.handOver, 0.99)),
		AppendInterval: ms(AppendEvery), SlowestStall: ms(d.stalls.max()),
	}
	for _, f := range v.findings {
		r.Broken = append(r.Broken, f.String())
	}
	r.Broken = append(r.Broken, d.troubles...)
	for _, p := range players {
		r.DocumentBytes += len(p.text)
	}
	for i := range d.faults {
		r.addFault(d, &d.faults[i], v, finals)
	}
	for server, n := range v.sessionsLost {
		if !stopped[server] {
			r.LostOtherwise += n
		}
	}
	r.addServers(d)
	r.addOutages(d)
	r.OK = len(r.Broken) == 0 && len(r.Late) == 0
	return r
}

// addFault adds what came of one fault.
func (r *Report) addFault(d *director, f *faultResult, v *verdict, finals map[string]*final) {
	if f.fault == Stop {
		r.Stops++
		r.SessionsTaken += f.players
		r.SessionsLost += f.lost
		r.LateWrites += len(f.late)
		for _, w := range f.late {
			if d.history.players[w.player].acceptedLate(w.op, finals[w.player]) {
				r.LateAccepted++
			}
		}
		return
	}
	r.Kills++
	slack := max(d.stalls.max(), f.stall)
	limit := d.o.Lease + time.Second + slack + d.outages.hinder(f.at, f.at.Add(f.takeOver), d.o.Lease)
	if f.takeOver > limit {
		r.Late = append(r.Late, fmt.Sprintf("the players of %s were taken over %s after it was killed, at most %s allowed", f.server, millis(f.takeOver), millis(limit)))
	}
	if t := ms(f.takeOver); t >= r.TakeOver {
		r.TakeOver, r.TakeOverLimit = t, ms(limit)
	}
	var window time.Duration
	if oldest, ok := v.lostOldest[f.server]; ok {
		window = max(0, f.at.Sub(oldest))
	}
	// A change waits for the interval, or for the append before it if that
	// takes longer, and then for its own append.
	limit = max(AppendEvery, f.slowest) + f.slowest + slack
	if window > limit {
		r.Late = append(r.Late, fmt.Sprintf("%s lost updates of its last %s, at most %s allowed", f.server, millis(window), millis(limit)))
	}
	if w := ms(window); w >= r.LossWindow {
		r.LossWindow, r.LossWindowLimit, r.SlowestAppend = w, ms(limit), ms(f.slowest)
	}
}

// addOutages adds what happened while the database was away. Sessions are not
// lost to that; a machine that keeps a server from running after it for as long
// as a lease has them lost like any other.
func (r *Report) addOutages(d *director) {
	n, longest := d.outages.all()
	r.Outages, r.LongestOutage = n, ms(longest)
	suspended, sum := d.suspensions.inOutage(&d.outages)
	r.Suspended, r.Held, r.Taken = suspended, sum.held, sum.lost
	r.UpdatesSuspended = d.history.refusedAsSuspended()
	if r.Taken > 0 && time.Duration(r.SlowestStall*float64(time.Millisecond)) < d.o.Lease/2 {
		r.Broken = append(r.Broken, fmt.Sprintf("%s: %d of %d sessions were lost while the database was away", promiseFleet, r.Taken, r.Held))
	}
}

// addServers adds what the servers said of themselves.
func (r *Report) addServers(d *director) {
	for _, p := range d.all {
		_, pulse, _ := p.status()
		r.Saves += pulse.Saves
		r.Appends += pulse.Appends
	}
	r.SavesPerSec = round(float64(r.Saves) / r.Seconds)
	for _, res := range d.results {
		if res.Error == "" {
			r.Released++
			continue
		}
		r.NotReleased++
		r.Broken = append(r.Broken, fmt.Sprintf("%s: %s: %s", promiseRelease, res.Player, res.Error))
	}
}

func ms(d time.Duration) float64 { return round(float64(d.Microseconds()) / 1000) }

func round(f float64) float64 { return float64(int64(f*10+0.5)) / 10 }

// Write writes the report for people: each promise, what happened, and whether
// it was kept.
func (r *Report) Write(w io.Writer) error {
	if err := console.Table(w, []string{"promise", "what happened", "kept"}, r.rows()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d hand-overs from server to server: p50 %.1f ms, p99 %.1f ms. %d saves, %d appends to the journal.\n%d updates went with a server that failed; nobody had been told that they were safe.\n",
		r.HandOvers, r.HandOverP50, r.HandOverP99, r.Saves, r.Appends, r.UnackedLost)
	if err == nil && r.LostOtherwise > 0 {
		_, err = fmt.Fprintf(w, "The machine kept a server from running for longer than its lease of %v: %d of its players were taken over.\n", r.lease(), r.LostOtherwise)
	}
	if err == nil && r.Outages > 0 {
		_, err = fmt.Fprintf(w, "While the database was away, servers that were suspended refused %d updates.\n", r.UpdatesSuspended)
	}
	for _, line := range r.Broken {
		if err == nil {
			_, err = fmt.Fprintln(w, "BROKEN:", console.Clean(line))
		}
	}
	for _, line := range r.Late {
		if err == nil {
			_, err = fmt.Fprintln(w, "LATE:", console.Clean(line))
		}
	}
	return err
}

func (r *Report) rows() [][]string {
	rows := [][]string{
		row(r.Lost == 0, "Nothing acknowledged is lost", "%d updates acknowledged, %d of them lost", r.Acked, r.Lost),
		row(r.DoubleOwners == 0, "One owner at a time", "%d openings, %d hops, %d double owners", r.Openings, r.Hops, r.DoubleOwners),
		row(r.GroupsTorn == 0, "All or nothing", "%d items handed on, %d by halves", r.Groups, r.GroupsTorn),
		row(r.ItemsChanged == 0, "Nothing is duplicated", "%d items, %d created or destroyed", r.Items, r.ItemsChanged),
		row(r.DocumentsEqual == r.Documents, "Imported data stay equal", "%d of %d documents (%s)", r.DocumentsEqual, r.Documents, console.Size(int64(r.DocumentBytes))),
	}
	if r.Kills > 0 {
		rows = append(rows,
			row(r.LossWindow <= r.LossWindowLimit, "A crash costs milliseconds", "the last %.1f ms (append interval %.0f ms, slowest append %.0f ms)", r.LossWindow, r.AppendInterval, r.SlowestAppend),
			row(r.TakeOver <= r.TakeOverLimit, "Its players come back", "on another server after %.1f s (lease %v, %.1f s at most)", r.TakeOver/1000, r.lease(), r.TakeOverLimit/1000),
		)
	}
	if r.Stops > 0 {
		rows = append(rows, row(r.LateAccepted == 0 && r.SessionsLost == r.SessionsTaken, "The stale cannot write",
			"%d of %d players reported lost, %d of %d late writes accepted", r.SessionsLost, r.SessionsTaken, r.LateAccepted, r.LateWrites))
	}
	if r.Outages > 0 {
		rows = append(rows, row(r.Taken == 0, "Without a database nobody is lost", "away %s, %.1f s at most; %d servers suspended with %d players, %d of them lost",
			times(r.Outages), r.LongestOutage/1000, r.Suspended, r.Held, r.Taken))
	}
	return append(rows, row(r.NotReleased == 0, "Shutdown saves everybody", "%d players saved and released, %d not", r.Released, r.NotReleased))
}

func (r *Report) lease() time.Duration { return time.Duration(r.Lease * float64(time.Millisecond)) }

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// row is one row of the table.
func row(ok bool, promise, format string, args ...any) []string {
	word := "yes"
	if !ok {
		word = "NO"
	}
	return []string{promise, fmt.Sprintf(format, args...), word}
}
