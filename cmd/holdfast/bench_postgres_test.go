package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/internal/bench"
	"github.com/holdfast-games/holdfast/internal/pgtest"
)

func TestBenchPostgres(t *testing.T) {
	t.Run("MeasuresOverABus", func(t *testing.T) {
		t.Setenv(asProgram, "1") // the other processes are this one again
		w := newWorld(t)
		w.url = pgtest.URL(t)
		var figures []bench.Figure
		out := w.ok("bench", "--quick", "--json", "--only", "append.latency,handover", "--bus", "nats-embedded:")
		if err := json.Unmarshal([]byte(out), &figures); err != nil {
			t.Fatalf("the output is no list of figures: %v", err)
		}
		var names []string
		for _, f := range figures {
			names = append(names, f.Name)
			if f.Skipped != "" || f.Value <= 0 {
				t.Errorf("holdfast bench yields %+v, want it measured", f)
			}
		}
		want := []string{"append.latency", "handover.bus", "handover.shutdown", "handover.database", "handover.database.longest"}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("holdfast bench yields other figures (-want +got):\n%s", diff)
		}
	})
	t.Run("SaysOnceThatTheDatabaseCannotBeReached", func(t *testing.T) {
		w := newWorld(t)
		w.url = "postgres://user:secret@127.0.0.1:1/game?sslmode=disable"
		r := w.run("bench", "--quick").is(exitError, "reach the database", "127.0.0.1")
		if strings.Contains(r.err, "secret") || strings.Count(r.err, "refused") != 1 {
			t.Errorf("holdfast bench wrote %q, want it once and without the password", r.err)
		}
	})
	t.Run("SaysThatTheBusCannotBeReached", func(t *testing.T) {
		w := newWorld(t)
		w.url = ""
		r := w.run("bench", "--quick", "--bus", "nats://user:secret@127.0.0.1:1").is(exitError, "open the bus")
		if strings.Contains(r.err, "secret") {
			t.Errorf("holdfast bench wrote %q, want no password", r.err)
		}
		w.run("bench", "--quick", "--bus", "pigeons:").is(exitUsage, "pigeons", "nats://")
	})
}
