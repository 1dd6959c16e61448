package sim

import "testing"

// TestPlantedBugsAreFound plants each bug and looks for the first seed that
// finds it.
func TestPlantedBugsAreFound(t *testing.T) {
	const most = 1000
	for _, plant := range Plants {
		t.Run(string(plant), func(t *testing.T) {
			for seed := uint64(1); seed <= most; seed++ {
				if r := Run(t, Config{Seed: seed, Plant: plant}); r.Err != nil {
					t.Logf("found by seed %d of %d: %v", seed, most, r.Err)
					return
				}
			}
			t.Errorf("not found within %d seeds", most)
		})
	}
}
