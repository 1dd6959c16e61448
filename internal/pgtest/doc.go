// Package pgtest gives tests a PostgreSQL of their own: a private cluster on a
// free port of this machine, in a temporary folder, with fsync on, started when
// a test first asks for it and removed at the end.
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
//	func TestSave(t *testing.T) {
//		db, err := postgres.Open(t.Context(), pgtest.URL(t), nil)
//		…
//	}
//
// [URL] is a fresh database in the cluster that the tests of one package share;
// [Start] is a whole cluster for a test that kills, pauses or restarts it. What
// is no test starts one with [Run].
//
// # Where it comes from
//
// The programs are looked for in the folder that HOLDFAST_POSTGRES_BIN names,
// then in PATH, then where Debian puts them (/usr/lib/postgresql/*/bin, the
// newest first). A test is skipped and says so where there are none, unless
// HOLDFAST_NEED_POSTGRES is set: then it fails. PostgreSQL refuses to run as
// root, so root starts it as the user postgres, or nobody.
//
// # Whom it outlives
//
// Nobody: the server dies with the process that started it, however that ends.
// Only the folder of a process that was killed stays behind.
//
// A cluster has goroutines of its own and waits for its socket by the real
// clock, so ask for the first one outside of a synctest bubble.
package pgtest
