// Package postgres keeps a Holdfast database on a PostgreSQL server, for games
// that run on many machines. PostgreSQL 15 is the oldest that it takes; its
// statements are portable, and parse in CockroachDB's grammar too.
//
//	db, err := postgres.Open(ctx, "postgres://game:secret@db.example/game", nil)
//
// # How a commit runs
//
// A group of batches is one transaction, sent whole: BEGIN, a statement for each
// kind of work, COMMIT, all in one flush, so that the server never waits for its
// client while it holds locks. Each statement takes hundreds of keys at once, as
// arrays that are sorted by key.
//
// The transaction is optimistic. Each statement touches only rows that are at
// the version that is expected, counts them, and divides by zero if they are
// too few. The server then rolls back everything, and only then are the entries
// looked at: in one statement, so at one moment. Batches that name another
// version than an entry has at that moment are refused; the rest is sent again.
// If none is refused any more, somebody else's commit came and went in between,
// and all is sent again. After 20 times the group is ErrUnavailable, which says
// that it may be tried again. Mode Always is turned into an expectation, of what
// was there when it was looked at.
//
// The statements, in their order:
//
//   - checks hold their rows FOR SHARE (check.sql), or lock.sql locks all rows of
//     a group that does several kinds of things to rows that exist
//   - what is replaced and kept goes into the history (keep.sql)
//   - expected versions are replaced (replace.sql)
//   - absent keys are created (create.sql); a key that must be absent, and is
//     not written, is created too and deleted again before the end (vacate.sql)
//   - expected versions are deleted (delete.sql), histories forgotten
//
// Versions that a schedule no longer keeps are deleted by a second transaction,
// which most commits do not need: keep.sql says of which keys. Should that one
// fail, the next write of the key does its work.
//
// # Why it is right
//
// At READ COMMITTED, the default, a statement that finds its row locked waits,
// and then judges the row as it has become: so a row is changed, deleted or held
// only if it is at the expected version when its lock is taken, and it stays so
// until the transaction ends. What could be read and not locked is the absence
// of a row: that is why what must be absent is created. A second creation of a
// key waits for the first to end, and then does nothing and is missed in the
// count. Two transactions that each check what the other writes therefore meet
// on a row, in both orders, and one of them is refused. Nothing rests on a
// snapshot: keep.sql, which only reads, is trusted because replace.sql finds the
// same version afterwards, and versions never recur.
//
// At SERIALIZABLE (isolation=serializable in the URL) the same statements run,
// and what the server refuses to put in an order is sent again, like a deadlock.
//
// No advisory lock is used, and nothing depends on a notification.
//
// # Who waits for whom
//
// Rows are locked in the order of the keys' bytes. A group that touches existing
// rows in one way only (saves, appends with their checks) locks them by that one
// statement; any other locks all of them first. Keys that do not exist yet are
// created by one statement after that, in order. So groups wait for each other
// and do not deadlock. What can: groups beside DeleteRange on the same keys, and
// beside other programs' transactions. The server ends one of them after a
// second, and it is sent again.
//
// A check holds the row of a lease and does not write it. A row that is
// rewritten with each append would leave a dead version each time, and as long
// as somebody's snapshot is open, a backup for example, none of them can be
// removed and each lookup goes through all.
//
// # Time
//
// Moment.Wall is the server's clock. The time of a commit is that of its
// transaction's beginning, and is what is stored; a read's is the server's clock
// when it began. Boot is empty and Tick is the wall clock since 1970: which
// machine answers cannot be known, so a clock that is set back, or another
// machine's after a failover, shows in leases as time that passes more slowly
// or faster. No promise rests on it.
//
// # Stored bytes
//
// Keys are bytea, whose order is the contract's whatever the collation is.
// Values of 4 KB and more are packed as a Snappy block if that makes them an
// eighth smaller; the checksum is over the value as it was given. The view
// players, and the functions unpack, as_root and as_text that it uses, show
// profiles' fields as JSON:
//
//	SELECT id, locked_by, fields -> 'coins' FROM holdfast.players WHERE kind = 'player';
//
// It is json and not jsonb, which refuses \u0000 and forgets how numbers were
// written; for the same reason -> fails on fields that have such a character. A
// backup is pg_dump's or pg_basebackup's affair.
//
// # Connections
//
// A DB has three pools (pgx's own parameters for pools in the URL do not count,
// except those for the lives of connections): for commits, for reads, and one of one or two
// connections, always open, for Urgent groups, which carry leases. Each
// connection has time-outs for statements (30 s), locks (10 s) and idle
// transactions (10 s), and has synchronous_commit on if it was off. These belong
// to a session, so a pooler in between must hand out sessions, not transactions.
// A connection
// is only used if the server can be written to, so a URL with several hosts
// finds the primary. When a synchronous replica's acknowledgement was waited for
// in vain, the server reports success all the same; that is ErrUnavailable here,
// since a failover would lose the commit.
//
// # The schema
//
// Tables live in a schema of their own. Their changes are numbered, embedded in
// the program, and applied by Open or by holdfast migrate, under a lock that is a
// row of a table; holdfast_migrations says which were. What only PostgreSQL
// knows (storage parameters, the view) is left out on other servers.
package postgres
