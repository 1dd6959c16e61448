// Package pgbus carries the packets of a bus by LISTEN and NOTIFY of PostgreSQL:
// where the players' data are there already, nothing more is to be run.
//
//	b, err := pgbus.Open(ctx, "postgres://user:password@db.example.com/game", nil)
//
// The address is the same as that of the database; the parameters schema,
// connections and isolation, which are package postgres's, are passed over, and
// fleet=name stands for Options.Fleet. It must be a primary: a replica that is
// read-only carries no notifications. What pools connections between the server
// and its clients by transactions or statements does not carry them either.
//
// # How it is used
//
// There are two connections. One listens; while it waits, nothing runs on it. The
// other notifies: the packets of one call of Send go in one statement, which is a
// transaction of its own and never a part of one that saves something, since
// PostgreSQL commits the transactions that notify one after another. It does not
// wait for the disk: what a notification says is not kept anyway.
//
// A notification holds 7,999 bytes of text, so a packet has 5,999 bytes, encoded
// in base64. A channel's name has 63 bytes, so it is a digest of the subject; a
// packet names its topic, and one that was meant for another is refused.
//
// A connection that is lost is found by a statement every ten seconds if nothing
// else tells, and is opened again for as long as the Bus lives. Notifications of
// the time in between are lost; the subscribers are told so.
package pgbus
