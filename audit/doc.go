// Package audit is the log of what people did to players' data past the game: who, when,
// to whom, why, and what came of it.
//
// # Nouns
//
// An [Act] is one thing that an operator did: a restore, an edit, a refund. It is an
// entry of its own, ~audit/<id>, whose ids sort by the database's time; and an act on
// somebody has an index entry under his root, <kind>/<id>/~audit/<id>, so that his acts
// are found without looking at all, and an erasure finds them.
//
//	act := audit.Act{By: "alice@support", What: "restore", Key: key, Reason: "ticket 4711"}
//
//	err := p.Update(func(tx *profile.Tx) error {   // with an update
//		tx.Audit(act)
//		return Coins.Set(tx, 100)
//	})
//	act, err = audit.Write(ctx, db, srv.Name(), srv.Now(), act)   // or by itself
//
//	for act, err := range audit.Log(ctx, db, &audit.LogOptions{Key: key}) {
//
// # No act without its entry
//
// What an operator changes of a player goes into the player's root, and so his entry is
// attached to the same update (session.Tx.Attach): it is in the journal with the change
// and in the next commit of the root, and no crash keeps the one without the other. What
// is decided by another commit, such as a theft or a message, carries the entry in that.
//
// Entries are only created. Nothing in Holdfast changes one, and only an erasure deletes
// those of the one who is erased.
//
// # What it is not
//
// Whoever may write to the database can write anything here: a name is what its owner
// says that it is. The log is for people who trust each other and want to know.
package audit
