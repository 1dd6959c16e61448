// Package demo shows, with real processes, what Holdfast promises, and checks
// that it was kept.
//
// A director (the process that the user started) imports a document for each
// player, starts a few game servers (the same program, started again), and tells
// them over pipes what each player does: join, play, hand an item to somebody,
// hop to another server, leave. In the middle it kills one server and stops
// another until its lease is over.
//
//	director ──orders──▶ server ──┐
//	   ▲  └────orders──▶ server ──┼──▶ one database, perhaps a bus
//	   └─────answers──── server ──┘
//
// The director writes down what it was told: which updates were acknowledged as
// durable, which were only made in memory, which openings were granted. When all
// servers have ended it reads every player and compares ([check]). Nothing in
// that comparison rests on clocks or on how fast the machine is:
//
//   - Each update has a number of its own, chosen by the director. A profile
//     keeps the set of the numbers that were applied to it, so an update that is
//     missing shows, and one that was applied twice is refused.
//   - Each opening counts up a number in the profile, durably. If two servers
//     ever own a player at the same time, both count from the same number.
//   - Each update counts up a number in the profile. If a server opens a player
//     below what another was acknowledged, history has forked.
//   - Each item has a name of its own and is in one bag. In the end each is in
//     one bag still.
//   - What was imported is compared with what is there in the end.
//
// The database may be any that the servers can share, and they may talk over a
// bus. Neither is the demo's own, so neither is harmed by it; but it notices when
// the database goes away ([outages]): servers tell when no commit is answered any
// more, when they are suspended, and when they go on. Meanwhile the time to play
// and the director's patience stand still, and in the end the report says what
// the absence has cost: nobody.
//
// A server's setup comes over its pipe too, since a URL may hold a password and
// arguments can be read by others.
//
// Players and their times are made by chance in the shape of measured ones, or
// are read from files.
package demo
