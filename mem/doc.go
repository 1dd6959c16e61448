// Package mem is a database in the memory of the process. It keeps the whole
// contract of package driver and nothing else: what it holds is gone with the
// process. It stands in for a real database in tests, of Holdfast and of games.
//
//	db := mem.Open()
//	defer db.Close()
//
// # Time
//
// Its clock is time.Now, so that a test inside a testing/synctest bubble moves
// it by sleeping. Open it inside the bubble. Only mutexes are ever waited for,
// and briefly. The clock has no boot: Moment.Boot is empty. Wall and Tick go on
// evenly from Open on, also when the machine's clock is set.
//
// # Determinism
//
// The same calls in the same order have the same results: nothing depends on
// the order of a map, and no goroutine works in the background.
package mem
