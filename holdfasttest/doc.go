// Package holdfasttest is a kit for the tests of games that use Holdfast.
//
// [Run] runs a test in a bubble of simulated time (testing/synctest) with a
// fleet of servers over one database in memory: ten seconds of a lease pass in
// microseconds, a server can be crashed or cut off, and a player can hop from
// one to another.
//
//	holdfasttest.Run(t, func(t *testing.T, f *holdfasttest.Fleet) {
//		a, b := f.Server("a", Player, nil), f.Server("b", Player, nil)
//		p := holdfasttest.MustOpen(t, a, "42")
//		holdfasttest.MustUpdate(t, p, func(tx *profile.Tx) error { return Coins.Add(tx, 5) })
//		f.Crash(a)
//		p = holdfasttest.MustOpen(t, b, "42") // after the lease has run out
//	})
//
// When the test ends, every profile that is still open is checked for values
// that were changed in place instead of in an update, which would be lost; the
// test fails for each. [NewServer] gives a single server in real time, with the
// same check.
//
// What begins with Must fails the test instead of returning an error. The
// functions must be called from the test's goroutine.
package holdfasttest
