// Package bus carries messages between the servers of a fleet.
//
// A bus only makes things faster. Every message on it may be lost, doubled,
// late or out of order, and no promise of Holdfast rests on one: the database is
// the truth, and whoever waits for a message looks there too. A bus offers what
// session.Bus asks for.
//
// [Local] connects servers within one process: for tests, for tools, and for a
// game that runs several servers in one program.
package bus
