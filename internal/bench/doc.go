// Package bench measures what this machine and a database do under Holdfast.
//
// A [Figure] is one measured value. Where it can be, it stands beside a
// yardstick: what a bare program without Holdfast does on the same machine, in
// the same run. Subject and yardstick take turns in several rounds, so that a
// noisy neighbour hits both, and medians are reported; the ratio is the median
// of the rounds' ratios. A machine's absolute numbers are worth little elsewhere,
// the ratios travel. A figure that does not apply to a database says so.
//
//	for f, err := range bench.Run(ctx, &bench.Options{…}) {
//
// The yardstick of what is durable is a program that one would write for the
// engine without Holdfast, on tables as the engine's driver makes them. For
// SQLite that is the library itself: one goroutine, one connection, prepared
// statements. For PostgreSQL it is pgx: as many connections as the driver has
// for commits, each with multi-row statements of which a whole transaction goes
// in one round trip; and, as a yardstick of its own, 32 connections with one
// conditional update in each transaction, which is what pgbench would measure
// with 32 clients. A bare program encodes no document: it changes some bytes of
// one. Other engines have no yardstick here.
//
// In a PostgreSQL database each measurement has a schema of its own
// ([SchemaURL]), which is removed at the end.
//
// Some figures need real processes, which Options.Worker starts: the program
// runs itself again and calls [Work] there.
package bench
