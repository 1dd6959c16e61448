package demo

import (
	"math"
	"math/rand/v2"
)

// quantiles is a distribution, given by some of its quantiles in ascending
// order, the first at 0 and the last at 1. In between, the logarithm of the
// value is interpolated, since what is measured here spans decades.
type quantiles []struct{ p, value float64 }

// The shapes that were measured on real servers. What lies beyond the measured
// quantiles is an estimate.
var (
	// sessionSeconds is how long a player stays.
	sessionSeconds = quantiles{{0, 3}, {0.1, 30}, {0.5, 540}, {0.9, 3720}, {1, 4 * 3600}}
	// rejoinSeconds is the time from a leave to the next join: of 149 rejoins, 20
	// came within 5 s and 44 within 30 s.
	rejoinSeconds = quantiles{{0, 1}, {0.1, 3}, {20.0 / 149, 5}, {44.0 / 149, 30}, {0.6, 8 * 3600}, {0.9, 3 * 86400}, {1, 14 * 86400}}
	// playTimeSeconds is how long a player has played in all: few players make
	// most of the load.
	playTimeSeconds = quantiles{{0, 20}, {0.5, 3000}, {0.9, 150e3}, {0.99, 2e6}, {1, 5e6}}
	// documentBytes is the size of a player's document. About one in fifty is of
	// 1 MB.
	documentBytes = quantiles{{0, 400}, {0.2, 3e3}, {0.5, 15e3}, {0.9, 60e3}, {0.98, 75e3}, {0.9801, 1e6}, {1, 1e6}}
)

// at returns the value at p, 0 to 1.
func (q quantiles) at(p float64) float64 {
	for i := 1; i < len(q); i++ {
		if a, b := q[i-1], q[i]; p <= b.p {
			share := (p - a.p) / (b.p - a.p)
			return a.value * math.Pow(b.value/a.value, share)
		}
	}
	return q[len(q)-1].value
}

func (q quantiles) sample(rng *rand.Rand) float64 { return q.at(rng.Float64()) }

// newRand returns chance that is the same for a seed and a purpose.
func newRand(seed uint64, purpose string) *rand.Rand {
	var key [32]byte
	copy(key[8:], purpose)
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return rand.New(rand.NewChaCha8(key))
}
