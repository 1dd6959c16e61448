// Package outage runs fleets of real servers on a real PostgreSQL, over a bad
// wire (package wire), while the database is killed, paused and set back, and
// checks that they keep their promises. It has tests only.
//
// # What runs
//
// Several servers, each with its own store, driver and wire, share one cluster
// with fsync on. Actors open players, change them alone and in groups, wait for
// that or stop waiting, save, close, steal and peek. Meanwhile, for every server,
//
//   - requests are cut before, within and after their COMMIT, answers are lost
//     halfway, and attempts arrive at the database long after those that repeat
//     them;
//   - the database gets SIGKILL and is started again; it is paused for longer than
//     a lease and goes on; a server's wire falls silent for longer than a
//     lease; a server vanishes and another comes.
//
// Then everything heals, all servers shut down, and an auditor opens everybody.
//
// # What is checked
//
// An update is one change of one player; it stands on the one before it, and
// its number is in the document. So whatever document anybody ever sees must be
// exactly what one update left, and
//
//   - what was acknowledged (a durable update, a save, a close), or merely seen
//     by a reader or a new owner, is part of all that is seen later: nothing is
//     lost, whoever was killed;
//   - all that was acknowledged of a player lies on one line: two sessions were
//     never accepted at once;
//   - the updates of a group are there all, or none;
//   - every version that the database kept of a player stands on the version
//     before it;
//   - no session reports that the database lost its history, or that bytes are
//     damaged.
//
// The world is real and no run repeats another; a seed repeats the choices that
// are made, not their timing.
//
//	HOLDFAST_SOAK=1 go test -timeout 0 -v ./internal/outage
//	HOLDFAST_SEED=42 go test -run TestFleet -v ./internal/outage
//
// A checker that finds nothing proves little: bugs are planted between store and
// driver, and must be found.
//
// # Beside the fleet
//
// The outcome rules are shown one by one, through one store and one wire, at
// each level of isolation. PostgreSQL is killed in the middle of load. It is
// replaced by an older copy of itself. It cannot be reached, or has no
// connection left.
package outage
