// Package session gives one server at a time the right to change a player's
// data, keeps what it changed from being lost, and passes the right on.
//
// # Nouns
//
// A [Server] is one running process (or a command that edits). It holds one
// lease. A [Key] names a player, or whatever else is kept by kind and id. A
// [Session] is a server's hold on one key, from [Server.Open] to
// [Session.Close]: a session lock, and the key's document in memory. The lock
// names the lease and the session; ten thousand idle sessions cost one renewal
// of one lease.
//
// In the database there are these sorts of entries:
//
//	<kind>/<id>                      the root: lock, position, birth, data
//	~lease/<lease>                   a server: its name, length, revocations, seal
//	~journal/<lease>/<number>        one append: changes not yet in their roots
//	~request/<lease>/<from>/<id>     another server asks for what a session holds, or rings
//	~feeds, ~feeds/<lease>, ~feed/…  what was appended, for followers: see feed.go
//	~erased/<kind>/<id>              an erasure that is not swept yet: see erase.go
//	~unfinished                      a copy into this database is not whole yet: no lease is taken
//	~confirm                         written by package store
//	~ranked/<kind>/…/<score>/<id>    the row of a root in a ranking: see ranked.go
//
// What lies beside a root, under <kind>/<id>/ or elsewhere, belongs to the
// packages above. This one writes it with the root, as it is told to by
// [Tx.Attach], and does not read it, except to erase it.
//
// All changes to them are conditional commits, and a version that has passed
// refuses whoever names it. That alone is the fence: clocks shorten waiting and
// trust, and no promise rests on one.
//
// # A lease
//
//	   renew            expired, and the sealer's own lease has stood
//	  ┌─────┐          ┌──────────────┐
//	live ───┴──────────┤              ▼
//	  │            suspended ───▶  sealed ──▶ settled (the entry goes)
//	  └─ deleted by its server          (all in its journal are settled)
//
// Its server writes it about every second; the entry's time of writing plus
// its length is its expiry, all by the database's clock, so no other clock is in
// it. A server whose renewals go unanswered for a lease length, counted from
// before the last good one was sent, is suspended: updates get [ErrSuspended]
// and nothing else happens. Its next answer decides: renewed, however late, and
// the sessions go on with all that they hold; or sealed, and they are lost.
//
// Whoever finds a lease expired may seal it, by a commit that names the
// version that had expired, if its own lease has stood for the longer of the two
// lengths, and it has itself seen that version for the lease's length: a database
// that blinks, or whose clock jumps ahead, makes every lease look expired and no
// server trustworthy, so nobody is killed. A lease from before the machine's last
// boot needs no wait. Sealing is the one decision about a server's death: a lock is
// dead if its lease is sealed, missing, or names its session revoked, and
// expiry alone never makes it so. One function decides, for loads and saves alike.
//
// # A root
//
//	absent ──▶ locked ⇄ unlocked ──▶ erased: a tombstone, from any state
//	             ↺ saved, taken over    └─▶ locked, when all that belonged to it is gone
//
// A root's lock has a position: the number of the last append of the lease that
// its data holds. Unlocked roots have none, as they hold everything. A root also
// has a revision, which counts the updates that were ever made of its data, lazy
// ones aside; and, if they were given, the reasons of those that are new in it.
//
// # Rows in rankings
//
// A field may feed a ranking ([OpenOptions.Ranked]). The root then says which does,
// and the score of the row that there is, and every commit that writes the root's
// data, whoever makes it and knowing no schema, moves the row along: a save, a
// taking of the lock, a take-over, a settling, an exchange. Nothing is journalled for
// it, and no update causes a save for its sake. [Server.Rerank] does the same for
// those whom nobody opens.
//
// # The journal
//
// Changes of all sessions of a server are appended in one commit, at most
// AppendEvery after they were made, or at once if somebody waits. The append
// checks that the lease is where the server left it (or renews it), so sealing
// and revoking exclude it. One append or renewal is under way at a time. A
// record holds the last value of each path that one session changed since the
// append before. Sessions that were changed in one commit of several
// transactions form a group, transitively, and a group's records are in one
// append: after any crash either all are there or none.
//
// Write-ahead rule: what is saved to a root is the state up to the last
// answered append, never a change that is in memory only. So a save never shows
// half of a group. One save goes further: the final one, whose session nobody
// changes any more, also holds what was changed last, if that is one group with
// nobody else's and there are no followers to be told. It is appended in its time all
// the same, unless the save comes first: so a hand-over waits for one commit, and a
// save that takes long makes no crash cost more.
//
// After a crash, whoever takes the lock over reads the root, then the records
// of the lock's session with numbers above the position, applies them, and
// commits under the root's version. The lease was sealed before, so no append
// can follow; if somebody else was faster, the root has moved and the commit is
// refused.
//
// The journal is bounded: sessions with the oldest records are saved first,
// and what all roots hold is deleted. A session that cannot be saved appends its
// whole state as one record, which stands for all before it. In the long run, no more
// bytes of such records are appended than of changes: where many sessions cannot be
// saved in time, their states would else keep the journal to themselves, and it is
// longer instead.
//
// # The outbox
//
// An update may attach entries beside the root: what belongs to its key is put or
// deleted, and a message to another key is created if it is absent. They have no
// conditions, as the root's version fences them; so they never refuse a save. They
// are in the journal's record with the changes, and after that in the outbox of
// the session, until the next commit of the root, which writes them with it,
// whatever its cause: a save, which begins at once for their sake, a release, a
// settling, a take-over. A save takes those alone that were appended, like the
// changes. A record of the whole state carries the outbox along, and a save that
// fails gives it back. So an update and what is attached to it are both in the
// database after any crash, or neither is. An entry that is attached as retained has
// versions, as the root has.
//
// # Rings and questions
//
// A message to a key that another server holds is found there at the next
// opening. To make that sooner, its holder is rung when it has landed, by the bus,
// or by an entry among the requests if there is none. If a server may have missed
// messages of the bus, all its sessions are rung.
//
// [Server.Ask] puts a question to another server by the bus, and waits for the
// answer. Both may be lost, and dealt with twice, so no promise rests on them.
//
// # Standing still
//
// A change of several keys, wherever they are open, is one commit of all their
// roots: an exchange. Each holder freezes its session for it, and tells the
// version at which the root stands; the exchange names those, and bears a version
// that every holder was told before.
//
//	       Freeze          all is saved          Release
//	open ─────────▶ freezing ─────────▶ still ─────────────▶ open
//	                    │                ↺ Settle             ▲
//	                    └───────── refused, or too late ──────┘
//
// From the start of the freeze, updates get [ErrFrozen]. While the session is
// still, its root holds everything: no record follows its position, no save is
// under way and none begins, and a closing waits. So one commit comes next, the
// exchange or the holder's own, and the other is refused for ever. A holder who
// does not know which settles: it commits a version of its own with the same
// data. If that is taken, the exchange cannot happen any more. If it is refused and
// the root bears the announced version, the exchange happened, and the session
// takes on what it wrote: memory first, then the journal, and only then is it saved
// again. If the root is in other hands, the session is lost. Who takes a key over
// from a dead holder, or settles it, moves the root too, and so decides as well.
//
// # What ends a session
//
//	opening ──▶ open ──▶ closing ──▶ closed     final save and unlock, one commit
//	              └────────┴───────▶ lost
//
// [Session.Close] saves and unlocks in one commit, after the append of what hangs
// together with other sessions; until the database has answered, the lock stays and
// the data stay in memory. A session is lost
// when its lease was sealed, its session was revoked, or a group that it is part
// of could not be appended because another of its sessions was revoked: its
// memory then holds what never happened. A lost session reports what it held
// ([LostError]) and never writes again.
//
// A session never answers a conflict by trying again on top of what it finds.
// If its save is refused, the owner in the root is somebody else and it is
// lost; or it is still itself, and the database has lost commits
// ([ErrHistoryLost]).
//
// A lock on this server's own living lease whose session is not open here (it
// was lost, or its opening was cancelled half way) is settled by this server,
// at once and whenever it meets it: the tail replayed, saved, unlocked. No lock
// is released in any other way.
//
// # Hand-over
//
// To open a key that another living server holds, a server creates a request
// under the holder's lease and rings by the [Bus]. The holder lets its game
// finish (Options.HandOver), closes the session, and deletes the request; the
// asking server, which looks at the root meanwhile, takes the lock. Everything
// works without a bus, at the pace of looking into the database; a server that
// may have missed a message of the bus looks at once.
//
// # What may be lost when
//
//   - Server killed: changes not yet appended; at most AppendEvery and the append
//     under way. Whatever Sync, Save or Close was answered for is kept.
//   - Server paused, or cut off from the database: nothing, unless it stays away
//     until it is sealed; then as if killed.
//   - Database killed: nothing that was answered.
//   - Changes marked lazy: those since the last save of the session.
//   - What is attached to an update: with the update, and never alone.
//   - An exchange: nothing. It is in all its roots, or in none.
//   - What is rung or asked by the bus: anything, at any time.
package session
