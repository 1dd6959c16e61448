//go:build !race

package bazaar_test

// raced says that the race detector is on.
const raced = false
