package bench

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
)

// small are sizes with which a measurement takes no longer than it must.
var small = sizes{
	rounds: 1, round: 5 * time.Millisecond, loops: 5, players: 40, members: 3_000, crowd: 10, fleet: 60, samples: 8,
	kills: 1, leases: 5, viewers: 4, watch: 60 * time.Millisecond, snapshot: 10 * time.Millisecond, autosave: time.Second,
}

// TestMeasurements makes each measurement and looks whether it yields the
// figures that it names.
func TestMeasurements(t *testing.T) {
	for _, m := range measurements {
		t.Run(m.names[0], func(t *testing.T) {
			if m.names[0] != "memory.profile" && m.names[0] != "replica.bytes" { // which measure the whole process
				t.Parallel()
			}
			r := &run{Options: *newOptions(t), ctx: t.Context(), sizes: small}
			measureAll(t, r, m)
			checkEmpty(t, &r.Options, m.names[0])
		})
	}
}

// measureAll makes a measurement and looks at its figures.
func measureAll(t *testing.T, r *run, m measurement) []Figure {
	t.Helper()
	figures, err := m.run(r)
	if err != nil {
		t.Fatalf("measure %v: %v", m.names, err)
	}
	if err := r.dismiss(); err != nil {
		t.Errorf("dismiss: %v", err)
	}
	if diff := cmp.Diff(m.names, figureNames(figures)); diff != "" {
		t.Errorf("measure %v yields other figures (-want +got):\n%s", m.names, diff)
	}
	for _, f := range figures {
		checkFigure(t, &f)
	}
	return figures
}

func figureNames(figures []Figure) []string {
	var names []string
	for _, f := range figures {
		names = append(names, f.Name)
	}
	return names
}

// mayBeZero are figures that are nothing on a good day.
var mayBeZero = []string{"takeover.lost", "idle"}

func checkFigure(t *testing.T, f *Figure) {
	t.Helper()
	if f.Skipped != "" {
		if f.Value != 0 || f.OK != nil || f.Yardstick != "" {
			t.Errorf("%s = %+v was not measured, want nothing else", f.Name, f)
		}
		return
	}
	if f.Value < 0 || f.Value == 0 && !slices.Contains(mayBeZero, f.Name) {
		t.Errorf("%s = %v, want something above 0", f.Name, f.Value)
	}
	if f.Unit == "" || (f.Limit == "") != (f.OK == nil) {
		t.Errorf("%s = %+v, want a unit, and a verdict if and only if there is a limit", f.Name, f)
	}
	if beside := f.Yardstick != ""; beside != (f.YardstickValue > 0) || beside != (f.Ratio > 0) {
		t.Errorf("%s = %+v, want yardstick, its value and a ratio together", f.Name, f)
	}
}

// checkEmpty fails the test if a measurement has left anything behind.
func checkEmpty(t *testing.T, o *Options, name string) {
	t.Helper()
	db, err := o.Open(t.Context(), o.URL(name))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	page, err := db.List(t.Context(), driver.Query{KeysOnly: true, Prefix: kind + "/"})
	if err != nil || len(page.Entries) > 0 {
		t.Errorf("after measuring %s there are %d players (%v), want none", name, len(page.Entries), err)
	}
}

func TestRun(t *testing.T) {
	t.Run("MeasuresWhatIsNamed", func(t *testing.T) {
		for only, want := range map[string][]string{
			"disk":           {"disk.fsync"},
			"append.latency": {"append.latency"},
			"append":         {"append.latency", "append.concurrent", "append.fleet"},
		} {
			if diff := cmp.Diff(want, figureNames(collect(t, newOptions(t, only)))); diff != "" {
				t.Errorf("Run with Only %q yields other figures (-want +got):\n%s", only, diff)
			}
		}
	})
	t.Run("RefusesUnknownName", func(t *testing.T) {
		o := newOptions(t, "disk", "dis")
		o.Progress = func(name string, _, _ int) { t.Errorf("Run measures %q, want nothing", name) }
		for f, err := range Run(t.Context(), o) {
			if !errors.Is(err, ErrName) || !strings.Contains(err.Error(), `"dis"`) {
				t.Errorf("Run yields %+v, %v, want ErrName with the name", f, err)
			}
		}
	})
	t.Run("TellsProgress", func(t *testing.T) {
		o := newOptions(t, "disk.fsync", "append.latency")
		var told []string
		o.Progress = func(name string, part, parts int) {
			told = append(told, name)
			if part != len(told) || parts != 2 {
				t.Errorf("Progress(%q, %d, %d), want part %d of 2", name, part, parts, len(told))
			}
		}
		collect(t, o)
		if diff := cmp.Diff([]string{"disk.fsync", "append.latency, append.concurrent"}, told); diff != "" {
			t.Errorf("Progress was told something else (-want +got):\n%s", diff)
		}
	})
	t.Run("GoesOnAfterAnError", func(t *testing.T) {
		o := newOptions(t, "load", "append.latency")
		broken, open := errors.New("no such disk"), o.Open
		o.Open = func(ctx context.Context, url string) (driver.DB, error) {
			if strings.Contains(url, "load") {
				return nil, broken
			}
			return open(ctx, url)
		}
		var errs []error
		var figures []string
		for f, err := range Run(t.Context(), o) {
			if err != nil {
				errs = append(errs, err)
				continue
			}
			figures = append(figures, f.Name)
		}
		if len(errs) != 1 || !errors.Is(errs[0], broken) || !strings.Contains(errs[0].Error(), "load") {
			t.Errorf("Run yields the errors %v, want one that names load", errs)
		}
		if diff := cmp.Diff([]string{"load.fields", "append.latency"}, figures); diff != "" {
			t.Errorf("Run yields other figures (-want +got):\n%s", diff)
		}
	})
	t.Run("EndsWithItsContext", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		o := newOptions(t, "disk", "save", "load")
		o.Progress = func(name string, _, _ int) {
			if name != "disk.fsync" {
				cancel()
			}
		}
		var last error
		for f, err := range Run(ctx, o) {
			if last != nil {
				t.Errorf("Run yields %+v, %v after the error, want nothing", f, err)
			}
			last = err
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("Run ends with %v, want context.Canceled", last)
		}
	})
	t.Run("StopsWhenNobodyWantsMore", func(t *testing.T) {
		for range Run(t.Context(), newOptions(t, "disk", "append")) {
			break
		}
	})
}

func collect(t *testing.T, o *Options) (figures []Figure) {
	t.Helper()
	for f, err := range Run(t.Context(), o) {
		if err != nil {
			t.Fatalf("Run: %v", err)
		}
		figures = append(figures, f)
	}
	return figures
}

// TestMemory measures a database of one process that is no SQLite. What does
// not apply says so.
func TestMemory(t *testing.T) {
	o := newOptions(t, "save.single", "save.clients", "save.snapshot", "handover", "takeover", "contention")
	o.Open = func(context.Context, string) (driver.DB, error) { return mem.Open(), nil }
	measured := make(map[string]bool)
	for _, f := range collect(t, o) {
		measured[f.Name] = f.Skipped == ""
		if strings.Contains(f.Yardstick, "SQLite") {
			t.Errorf("%s over mem stands beside %q", f.Name, f.Yardstick)
		}
	}
	want := map[string]bool{
		"save.single": true, "save.clients": false, "save.snapshot": false, "handover.bus": true, "handover.shutdown": true,
		"handover.database": false, "handover.database.longest": false, "takeover": false, "takeover.lost": false, "contention": false,
	}
	if diff := cmp.Diff(want, measured); diff != "" {
		t.Errorf("what Run over mem measures differs (-want +got):\n%s", diff)
	}
}
