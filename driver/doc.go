// Package driver is the contract between Holdfast and a database.
//
// # The one idea
//
// Everything that Holdfast promises rests on one primitive: a commit of
// several entries that applies whole or not at all, and only if every entry
// that it writes, or names as a check, is still at the version that it names.
// A database that offers this, and tells the time, can carry Holdfast; nothing
// else is asked of it. [DB] is that contract, and drivertest.Run holds an
// implementation to it.
//
// # Nouns
//
// An [Entry] is a value under a key. Each time that it is written it gets a
// new [Version], an id that the writer chooses: ordered by time, unique, and
// never derived from the content, so that 100, 0 and again 100 are three
// versions. An absent entry is at the zero version; absence is therefore the
// one version that comes back, and whoever builds on this contract must not
// mistake an entry that was deleted for one that never was. An entry carries
// the ids of its last [RecentVersions] versions, its present one first. With
// them a writer who lost an answer finds out what became of its attempt: its
// own id is among them (done), the version that it had named is among them and
// its own is not (refused, for ever), or neither is (nobody can tell).
//
// A [Batch] is what applies whole or not at all: writes, checks, one id. A
// [Group] is several batches that travel together, because a transaction costs
// about as much for two hundred small batches as for one; each batch has its
// own [Outcome].
//
// # A driver has no policy
//
// A driver makes one attempt. It does not retry, queue, order, count or log:
// package store does, once for all databases. An attempt that did not reach
// its end returns an error that matches [ErrUnavailable]; it may still have
// been applied, or be applied later, and the caller repeats it byte for byte
// until an answer comes. Any other error of Commit means that nothing of the
// group was applied and that repeating it does not help.
//
// # Time
//
// Two clocks are told with every read. Wall time is for people, schedules and
// retention. The [Moment]'s Boot and Tick are for leases: a clock of the
// database's machine that runs evenly, is never set, and whose values compare
// only within one boot. A database whose machine cannot be known keeps Boot
// empty and counts Tick from a fixed date.
//
// # Stored bytes
//
// A driver stores a format number and [Sum] beside each value, and verifies
// the sum on each read. What does not verify is returned with Damaged set and
// its bytes as they were found: it is never hidden, and a driver never
// replaces it by itself.
package driver
