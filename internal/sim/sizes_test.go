//go:build !race

package sim

// defaultSeeds is how many seeds a test run tries by default.
const defaultSeeds = 400
