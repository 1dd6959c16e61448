// Package wire is a bad wire between a client and a server: a proxy on this
// machine that passes connections on and goes wrong where a test asks. Only
// tests use it.
//
// # Two sorts
//
// [ListenPostgres] understands the messages of PostgreSQL. It takes what a
// client sends up to its next Sync as one [Request], holds it back until it is
// there whole, and knows which request commits a change. So it can go wrong at
// a [Point] that means something: before the request, in its middle, just
// before its COMMIT, when all was sent, when the answer is there, in the middle
// of the answer. [ListenBytes] knows nothing of what it carries, and serves for
// any other service.
//
// # What can go wrong
//
// At its point a [Fault] does one of these to the connection:
//
//   - [Cut]: both ends are closed. A COMMIT whose answer was there is applied and
//     its sender does not know; one that was not sent never happens.
//   - [Hold]: nothing passes until the fault is released; then all goes on.
//   - [Leave]: the client is cut and the server is not. What was not sent yet is
//     sent when the fault is released: an attempt that arrives after, or during,
//     the one that repeats it.
//   - [Mute]: nothing passes any more, in either direction, and neither end is
//     told: a connection that is open on one side only.
//
// A test asks for one fault with [Proxy.Trap] ("the third commit from now that
// names this key") and then waits until it has happened; or for many with
// [Proxy.Use] and a [Plan], such as [Randomly] with a seed. The whole wire can be
// cut, refuse connections, or fall silent.
package wire
