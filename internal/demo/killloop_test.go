package demo

import (
	"testing"
	"time"
)

// TestKillLoop kills and stops real server processes again and again under
// players who play, and then looks for every update that was acknowledged.
func TestKillLoop(t *testing.T) {
	rounds := 3
	if soak {
		rounds = 100
	}
	onEach(t, orAll(onSQLite, onPostgres), func(t *testing.T, o *Options, _ *home) {
		o.Play, o.Players, o.Servers, o.Seed = time.Second, 30, 3, 2
		for i := range rounds {
			fault := Kill
			if canStop && i%3 == 2 {
				fault = Stop
			}
			o.Faults = append(o.Faults, fault)
		}
		r := mustRun(t, o)
		if r.Kills+r.Stops != rounds {
			t.Errorf("Run killed %d and stopped %d servers, want %d in all", r.Kills, r.Stops, rounds)
		}
		if r.Acked == 0 || r.Groups == 0 || r.Hops == 0 {
			t.Errorf("Run had %d acknowledged updates, %d groups and %d hops, want some of each", r.Acked, r.Groups, r.Hops)
		}
	})
}
