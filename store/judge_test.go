package store

import (
	"testing"

	"github.com/holdfast-games/holdfast/driver"
)

// TestJudge takes an attempt that names some entries and one answer, and asks
// what it says after tries whose answers were lost.
func TestJudge(t *testing.T) {
	own, from, other := driver.Version{1}, driver.Version{2}, driver.Version{3}
	full := make([]driver.Version, driver.RecentVersions)
	for i := range full {
		full[i] = driver.Version{100, byte(i)}
	}
	root := driver.Write{Key: "root", Version: from}
	fresh := driver.Write{Key: "fresh"}
	always := driver.Write{Key: "always", Mode: driver.Always}
	state := func(key string, recent ...driver.Version) driver.State {
		return driver.State{Key: key, Recent: recent}
	}
	for _, test := range []struct {
		name    string
		writes  []driver.Write
		lost    int
		refusal []driver.State
		want    verdict
	}{
		{"NoRefusalIsApplied", []driver.Write{root}, 1, nil, applied},
		{"OwnIDIsRecognised", []driver.Write{root}, 1, []driver.State{state("root", other, own, from)}, recognised},
		{"OwnIDInAnyWriteIsRecognised", []driver.Write{root, fresh}, 1, []driver.State{state("root", full...), state("fresh", own)}, recognised},
		{"VersionStillKnownIsRefused", []driver.Write{root}, 1, []driver.State{state("root", other, from)}, refused},
		{"ForgottenVersionIsUncertain", []driver.Write{root}, 1, []driver.State{state("root", full...)}, uncertain},
		{"ForgottenVersionIsRefusedIfNoAnswerWasLost", []driver.Write{root}, 0, []driver.State{state("root", full...)}, refused},
		{"DeletedEntryIsUncertain", []driver.Write{root}, 1, []driver.State{state("root")}, uncertain},
		{"WholeHistoryWithoutOwnIDIsRefused", []driver.Write{fresh}, 1, []driver.State{state("fresh", other)}, refused},
		{"CutHistoryOfACreationIsUncertain", []driver.Write{fresh}, 1, []driver.State{state("fresh", full...)}, uncertain},
		{"AnotherWriteThatStillStandsIsRefused", []driver.Write{root, fresh}, 1, []driver.State{state("fresh", full...)}, refused},
		{"FailedCheckWithAWriteThatStillStandsIsRefused", []driver.Write{fresh}, 1, []driver.State{state("lease", other)}, refused},
		{"FailedCheckBesideWritesThatExpectNothingIsUncertain", []driver.Write{always}, 1, []driver.State{state("lease", other)}, uncertain},
		{"FailedCheckAtTheFirstTryIsRefused", []driver.Write{always}, 0, []driver.State{state("lease", other)}, refused},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := &attempt{Attempt: Attempt{Batch: driver.Batch{ID: own, Writes: test.writes}}, lost: test.lost}
			if got := a.judge(test.refusal); got != test.want {
				t.Errorf("judge(%v) = %v, want %v", test.refusal, got, test.want)
			}
		})
	}
}
