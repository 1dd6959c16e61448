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
//   - what is replaced and kept goes into the history (keep.sql), unless it is
//     supposed that nothing is kept
//   - expected versions are replaced (replace.sql)
//   - absent keys are taken, and their entries created (create.sql); a key that
//     must be absent, and is not written, is taken too and given back before the
//     end (vacate.sql)
//   - expected versions are deleted (delete.sql), histories forgotten
//
// A schedule that keeps one version an hour asks nothing of nearly all saves. So
// a version whose id is of the present span of time, and that is not known as
// marked, is supposed not to be kept: keep.sql is not sent for it, and replace.sql
// makes sure. Where that was wrong the group is refused like any other, and sent
// again with nothing supposed. Measured with groups of 256 saves of 2 KB: a save
// with such a schedule costs the server 19 µs instead of 29, as one without.
//
// Versions that a schedule no longer keeps are deleted by a second transaction,
// which most commits do not need: keep.sql and replace.sql say of which keys.
// Should that one fail, the next write of the key does its work.
//
// # Why it is right
//
// At READ COMMITTED, the default, a statement that finds its row locked waits,
// and then judges the row as it has become: so a row is changed, deleted or held
// only if it is at the expected version when its lock is taken, and it stays so
// until the transaction ends. What could be read and not locked is the absence
// of a row: that is why the key of what must be absent is taken, in a table that
// has each key once. Who takes a key that another has taken waits for the other to
// end, and then does nothing and is missed in the count. An entry is there exactly
// if its key is: both are written and deleted in the same transactions, so whoever
// deletes rows by hand deletes them in both tables. Two transactions that each check what the other writes therefore meet
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
// taken by one statement after that, in order. So groups wait for each other
// and do not deadlock. What can: groups beside DeleteRange on the same keys, and
// beside other programs' transactions. The server ends one of them after a
// second, and it is sent again.
//
// # Under a long snapshot
//
// Each save leaves a dead row behind, and as long as somebody's snapshot is open,
// a backup's for example, none of them can be removed. What looks for an entry by
// its key alone goes through all that it has. So the primary key of entries is the
// key with the version: a save, a check or a deletion names both and meets the one
// row that it means, and a read begins with the newest version and stops there.
// That a key has one entry is the table keys' affair, which no save writes. What
// names no version, and may be slower then, is thinning out the history and
// DeleteRange.
//
// Measured with 4,096 players of 2 KB, saved at full speed by four connections
// while a snapshot was open for 40 seconds: with the key alone the server's time
// for a save grew from 12 µs to 89 and the rate fell to a tenth; with key and
// version it went from 15 µs to 20, and stayed there. What remains is that the
// table grows with every save until the snapshot ends, so at tens of thousands a
// second the disk sets the pace. The price is that a save writes to the index each
// time, some 3 µs; and that an entry of the journal, created and later deleted,
// writes two tables, 2 to 7 µs more on 16.
//
// For the same reason a check holds the row of a lease and does not write it: a
// lease that is rewritten with each append would be such a trail by itself.
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
// except those for the lives of connections): for commits, for reads, and one of
// one or two connections, always open, for Urgent groups, which carry leases.
// Each connection has time-outs for statements (30 s), locks (4 s, and 2 s for
// urgent groups) and idle transactions (10 s), and has synchronous_commit on if
// it was off. These belong to a session, so a pooler in between must hand out
// sessions, not transactions.
//
// A connection is only used if the server can be written to, so a URL with
// several hosts finds the primary. When a synchronous replica's acknowledgement
// was waited for in vain, the server reports success all the same; that is
// ErrUnavailable here, since a failover would lose the commit.
//
// # When the network fails
//
// A connection can fall silent: nothing comes any more, not even its end. The
// call that uses it ends with its context. Then pgx sends a request to cancel
// and waits for the server's last words, up to 15 seconds, and the pool gives the
// place of that connection to another only afterwards. Here both together may
// take a second (socket.go), far less than a lease. Close cuts after two seconds
// what has not ended until then. Of several hosts in the URL, one that is silent
// is passed over after five seconds, and after two for urgent groups, unless the
// URL's connect_timeout says otherwise.
//
// The server, for its part, may have received half of a transaction from a
// machine that is gone. It waits for the other half with its locks held, on a
// lease row perhaps, and neither the time-out for statements runs then nor the one
// for idle transactions. Three things end that:
//
//   - Each connection asks the server to probe its client by TCP keepalive, and to
//     give it up after some ten seconds without an answer (keepalive.sql); and to
//     end statements whose client has hung up (watch.sql). PostgreSQL 17 also
//     limits a transaction as a whole, to two minutes, or ten seconds on urgent
//     connections.
//   - A commit whose connection is lost has the server's process ended that served
//     it, over another connection (abandoned.sql), if that process is in the middle
//     of receiving. This helps where a load balancer answers in place of the
//     client that is gone.
//   - A commit that waited for a lock in vain has all processes ended that have
//     been in the middle of receiving for five seconds. They belong to the same
//     role and database, so to another server of the fleet, which sends its
//     transactions whole. A link on which one value takes longer than that is
//     too slow for a fleet. The user's own COPY is left alone; other programs
//     that send statements in parts should have a role of their own.
//
// Only PostgreSQL is asked for any of this, and a server that refuses a setting
// is used without it.
//
// # The schema
//
// Tables live in a schema of their own. Their changes are numbered, embedded in
// the program, and applied by Open or by holdfast migrate, under a lock that is a
// row of a table; holdfast_migrations says which were. What only PostgreSQL
// knows (storage parameters, the view) is left out on other servers.
package postgres
