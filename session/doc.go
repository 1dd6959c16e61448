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
// In the database there are six sorts of entries:
//
//	<kind>/<id>                      the root: lock, position, birth, data
//	~lease/<lease>                   a server: its name, length, revocations, seal
//	~journal/<lease>/<number>        one append: changes not yet in their roots
//	~request/<lease>/<from>/<id>     another server asks for what a session holds
//	~unfinished                      a copy into this database is not whole yet: no lease is taken
//	~confirm                         written by package store
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
//	absent ──▶ locked ⇄ unlocked          erased: a tombstone, for later
//	             ↺ saved, taken over
//
// A root's lock has a position: the number of the last append of the lease that
// its data holds. Unlocked roots have none, as they hold everything.
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
// half of a group.
//
// After a crash, whoever takes the lock over reads the root, then the records
// of the lock's session with numbers above the position, applies them, and
// commits under the root's version. The lease was sealed before, so no append
// can follow; if somebody else was faster, the root has moved and the commit is
// refused.
//
// The journal is bounded: sessions with the oldest records are saved first,
// and what all roots hold is deleted. A session that cannot be saved appends its
// whole state as one record, which stands for all before it.
//
// # What ends a session
//
//	opening ──▶ open ──▶ closing ──▶ closed     final save and unlock, one commit
//	              └────────┴───────▶ lost
//
// [Session.Close] appends, saves and unlocks, in that order; until the database
// has answered, the lock stays and the data stay in memory. A session is lost
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
package session
