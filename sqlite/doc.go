// Package sqlite keeps a Holdfast database in one SQLite file. It is the
// default engine: nothing has to be installed, and any SQLite tool reads the
// file.
//
//	db, err := sqlite.Open(ctx, "players.db", nil)
//
// # Durability
//
// The file is in WAL mode with synchronous=FULL: a commit is synced to the
// disk before it is acknowledged, and survives the loss of power as far as the
// disk keeps what it says it has kept. WAL mode needs memory that is shared
// between the processes that use the file, so the file must be on a disk of
// this machine, never on a network file system.
//
// # One writer
//
// SQLite has one writer at a time. Within a process a DB has one connection
// that writes; groups take turns on it, Urgent ones before all others, and a
// group is one transaction. Reads have connections of their own, which neither
// wait for the writer nor hold it up.
//
// Several processes may have one file open. Who finds the file locked looks
// again about every millisecond. So that it finds it open once, a process that
// commits group after group pauses now and then: for two milliseconds in
// fifty, or in five while another process is seen to commit.
//
// # The file
//
// The tables entries, history and boots are described in the schema itself
// (.schema in the sqlite3 shell shows the comments). A value is stored as a
// BLOB that holds exactly its bytes, so that no conversion of text can touch
// them; JSON is read with
//
//	SELECT key, CAST(value AS TEXT) FROM entries;
//
// Times are microseconds since the Unix epoch. The header's application_id
// says that the file is Holdfast's and user_version which format it has; a
// file of someone else, or of a newer Holdfast, is refused and left as it is.
//
// # The clock
//
// On Linux, Moment.Tick is the boot clock, which runs on while the machine
// sleeps and is the same for all its processes, and Moment.Boot is the
// kernel's boot id. Elsewhere, and where /proc cannot be read, Boot is empty
// and Tick is the wall clock since the Unix epoch, the only clock there that
// all processes share: set back, it makes leases last longer, never end early
// for one process alone.
package sqlite
