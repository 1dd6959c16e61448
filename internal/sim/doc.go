// Package sim runs whole worlds of Holdfast and checks that they keep their
// promises: several servers with the real store, session and profile packages,
// over a database in memory that behaves as badly as databases, networks and
// machines do. Only tests use it.
//
// # What is simulated
//
// A world has 2 to 5 machines, up to 30 players, and one database. A seed
// decides everything in it. Callers open, change, save, close, steal and peek
// at players, alone and in groups, wait for it or give up waiting. Meanwhile
//
//   - calls to the database are late, fail, are carried out although their
//     caller is told that they failed, are carried out long after that, are
//     carried out twice, or hang;
//   - servers are killed, at any time and at the very moment of a commit; they
//     are paused as by SIGSTOP for longer than their leases, cut off from the
//     database, shut down with too little time, and started again;
//   - the database is away for longer than a lease, or takes no writes and can
//     still be read; its clock drifts and jumps;
//     the power fails, and its machine boots with a new clock;
//   - messages between servers are late, lost and doubled; games take their
//     time before a hand-over.
//
// Callers also award things, with a record of each beside the player's root, and
// take them back. Players send each other gifts with their updates, and servers
// send gifts, some of them with the same id again and again, and wait for their
// delivery. Stores deliver purchases to several servers at once, again and again, some
// of them for the wrong player, and refund them. Any server changes any player by his
// id, and asks again for the same change, and restores players to older versions, also
// again and again. Some players have save slots, which are
// switched, created, deleted and undeleted; in some worlds these come from an older
// store, and servers of two versions of the game run side by side, of which the newer one
// migrates them, while the older one can go on with them or not. Players of one server or of several trade.
// Handlers accept gifts, leave them for later, refuse them or panic; some gifts live for
// seconds only, and the database's wall clock jumps by hours. Games write volatile
// fields beside lazy ones, and the time that is played grows by itself.
//
// After some thousand events the faults end, and the world must come to rest.
//
// # What is checked
//
// The checker knows three things apart: what every caller has in memory, what
// the database has applied, and what every caller was told. It reads stored
// bytes with a decoder of its own. At each event that could break it, it checks
//
//   - one owner: nobody takes or releases what a living session holds, and what
//     a server has in memory is what its callers made of it;
//   - nothing acknowledged is lost or doubled: a crash at this moment, followed
//     by a replay, would give exactly the last update that has ever been durable,
//     and whoever was told that an update is kept, saved or released can rely
//     on it; so no more is ever lost than what was not appended;
//   - the write-ahead rule: no root holds what is not in the journal, but for what was
//     made of this player alone and comes with his release;
//   - groups are durable whole or not at all;
//   - an award and its record are durable together, whether the record is an entry
//     by now or still in an outbox;
//   - what left its giver with a durable update is, after a crash and a replay,
//     exactly once somewhere: in a message, with its receiver, or among the dead
//     letters, unless its time is over; and whoever was told that it was received
//     can rely on it;
//   - a purchase is its first player's for ever; he has what he bought if and only if
//     the record says so, and a purchase that was refunded never comes back;
//   - what was minted for a player with save slots is there, over his account and all
//     his slots together, and each parked slot has its entry, of that parking;
//   - a restore is made once, on top of all that was durable, of exactly what the version
//     held; it undoes no purchase and no trade, and what was received or awarded before
//     it neither comes again nor is lost to those who count it;
//   - a migration is made once of each player and of each of his save slots, whole, and
//     never of who was born in the newer form; who was imported is so once, and is not
//     asked for again;
//   - a change by id is made once, or never if somebody was told so;
//   - a player's row in a ranking is what his root calls for, and there is no other, after
//     each commit of a root, whoever made it;
//   - a trade across servers stands on all that was durable of each player, and is
//     durable for all of them or for none, as was told to who made it; every owner
//     takes it over;
//   - a unique item that changes hands in a trade is durable with one player, and no
//     stacks are made or lost by it;
//   - a session is lost only by a seal or a revocation, and nobody seals whose
//     own lease has just run out, as when the database was away;
//   - a volatile field never reaches the database, and reads in memory as it was
//     written last; the time that was played never goes back in a root, no time counts
//     twice, and whoever was told of a save can rely on what was played before it;
//   - every wait ends: with its context, or when the world is healthy again;
//     every server shuts down then, and leaves nothing behind.
//
// # How a seed repeats
//
// Each world is in a testing/synctest bubble, so time is simulated. Every call
// to the database, every message and every hook of a game parks with the
// world. One goroutine, the world's, waits until all others have come to rest,
// takes up what has parked in an order of its own, and lets one event happen;
// no two events have one time. Each process has its own source of ids and
// jitter. What several goroutines of one server do at one moment must reach the
// database in the same order whatever the scheduler does, and that is checked:
// the tests run every seed twice and compare the traces.
//
//	make sim SEEDS=10000
//	HOLDFAST_SEED=42 go test -count=1 -run TestSeeds ./internal/sim
//
// # Planted bugs
//
// A simulation that finds nothing proves little. A [Plant] is a bug that is put
// between the servers and the database, so that no production code has a switch
// for it, and tests assert that each is found.
package sim
