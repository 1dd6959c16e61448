// Package bench measures what this machine and a database do under Holdfast.
//
// A [Figure] is one measured value. Where it can be, it stands beside a
// yardstick: what a bare program without Holdfast does on the same machine, in
// the same run. Subject and yardstick take turns in several rounds, so that a
// noisy neighbour hits both, and medians are reported; the ratio is the median
// of the rounds' ratios. A machine's absolute numbers are worth little elsewhere,
// the ratios travel.
//
//	for f, err := range bench.Run(ctx, &bench.Options{…}) {
//
// The yardstick of what is durable is the SQLite library itself: one goroutine,
// one connection, prepared statements, the tables and settings of package
// sqlite, and nothing else. Other engines have no yardstick here.
//
// Some figures need real processes, which Options.Worker starts: the program
// runs itself again and calls [Work] there.
package bench
