// Package store is an ordered, retrying data store over any database that
// implements package driver.
//
// # Nouns
//
// A [DB] carries attempts to a database. An attempt is one driver.Batch, which
// applies whole or not at all. Under a name, a [Store] keeps values by key with
// metadata, versions and listing, in the way that data stores of game platforms
// do; it is a plain user of the DB, as package session is. Under a name too, a
// [Ranking] keeps members in the order of their scores.
//
// # The life of an attempt
//
//	waiting → in flight → applied
//	   ↑          │     → refused    another version came first
//	   └─ paused ←┘     → uncertain  nobody can tell any more
//
// It waits for its turn: attempts that name a common key go one after another,
// in the order in which they came, and an attempt that is repeated keeps its
// place at the head. It travels with others in one group, because a
// transaction for two hundred costs about as much as for two. If no answer
// comes, it pauses (twice as long each time, with jitter) and is sent again byte
// for byte under the same id, so an attempt that did happen is recognised and
// never happens twice. Nothing that was accepted is dropped: what waits for a
// budget waits.
//
// A caller's context ends the caller's wait, never the attempt. An attempt's
// Done has returned before the next one on its key is sent.
//
// # What an error means
//
//   - nil: applied, durable, and visible to everybody.
//   - [ErrConflict] (a [*ConflictError]): refused, for certain and for ever. The
//     entries stand at other versions than the attempt named.
//   - [ErrUncertain]: the answer was lost, and by the time another came the
//     entry had moved so far that its recent versions no longer tell. It is
//     also what remains when the configured number of tries is used up
//     without an answer. Read before you act again.
//   - driver.ErrInvalid, [ErrTooLarge], [ErrName]: refused at the door; nothing
//     was sent.
//   - driver.ErrReadOnly, driver.ErrCorrupt, driver.ErrClosed: the database
//     does not take it, now or later.
//
// An attempt that was recognised by its id after its answer was lost has been
// seen, but a database with a replica may show a commit before it is safe
// there. It therefore counts as applied only once a further commit of this
// process has been answered, which the DB sees to by itself.
//
// # Lanes
//
// Attempts have a [Lane]. Urgent ones (a lease's life hangs on them) never
// queue behind others, except those that name the same key. Waited ones go
// before Background ones, of which a part travels nevertheless, so that they
// are late and never stuck.
//
// # Ranks
//
// A ranking's rows are entries whose keys sort as the scores do, so the first are
// one listing, and a rank is a count of keys. The first 20,000 or so are counted
// each time. For those beyond, a [Ranking] knows the ranks of some keys of the
// range, which it counts again in the background while ranks are asked for, as
// often as they move: so that what it says is within 1%, and costs a few
// milliseconds. The first who asks waits until the ranking was counted once, about
// 0.2 seconds for each million members, and so does who asks after nobody did for ten
// seconds. File sketch.go argues the error.
//
// # The same again
//
// With one event at a time (an answer, a timer, a request) the same inputs, ids
// included, give the same calls to the database with the same content: nothing
// depends on the order of a map or on which goroutine is faster.
package store
