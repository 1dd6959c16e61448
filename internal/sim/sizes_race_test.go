//go:build race

package sim

// defaultSeeds is how many seeds a test run tries by default. The race detector
// makes each several times slower.
const defaultSeeds = 200
