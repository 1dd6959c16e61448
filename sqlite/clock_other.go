//go:build !linux

package sqlite

// machineClock returns the clock of this machine, whose boots have no name
// that every process could learn.
func machineClock() clock { return wallClock }
