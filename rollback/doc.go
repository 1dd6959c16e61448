// Package rollback takes all players of a kind back to a moment: after an update of the
// game that broke their data, or an exploit that made items out of nothing.
//
// # Nouns
//
// A [Plan] says to which moment, and why. A run of it has an id and an entry of its own in
// the database, which says how far it has come: with the same id it can be stopped and
// begun again, by the same process or another one, as often as it takes. A [Player] is
// what became of one of them, and a [Report] how many became what.
//
//	plan := rollback.Plan{Before: moment, Reason: "the duping exploit of 1.4"}
//	report, err := rollback.DryRun(ctx, srv.As("ann"), plan, nil)
//	report, err = rollback.Run(ctx, srv.As("ann"), "exploit-1.4", plan, nil)
//
// # How
//
//	begun ──▶ page by page, in the order of the keys ──▶ finished
//	  │            ↺ stopped: goes on after the last whole page
//	  └── the plan is kept with the run, and another one under its id is refused
//
// Each player is restored on his own, within his session, by whoever has him
// (profile.Server.Restore), to the newest version that was written at the moment or
// before it. So a run that is killed leaves whole players, those before and those after.
// A player is restored once for a run: its id names the restore among the messages to
// him, and after a stop the players of the page that was under way are looked up in the
// audit log, in which every restore is.
//
// A player who was born after the moment stays as he is, and so does one of whom no
// version of that time is kept. Those who have bought or traded since are left as they
// are and told of, unless the plan says to restore them despite that: see
// profile.RestoreOptions. Nothing that was sold or traded is undone by a run.
//
// Players go on playing meanwhile. A run does not hold the game still: for that, shut it
// down before.
package rollback
