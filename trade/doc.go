// Package trade changes several players at once, wherever they are.
//
//	err := trade.Do(ctx, players, []string{"alice", "bob"}, func(tx []*profile.Tx) error {
//		if err := Coins.Add(tx[0], -100); err != nil {
//			return err
//		}
//		return Coins.Add(tx[1], 100)
//	}, nil)
//
// When [Do] returns nil, all of it has happened and is on disk. Otherwise none of it
// has, and none ever will, but for the two errors below that say that this is not
// known. Nothing is created or destroyed, whichever servers crash and whichever
// messages are lost.
//
// # How it goes
//
// Players who are open on this server are changed by one update of all of them,
// which is one append to the journal. Players who are open nowhere are opened here
// for the time of the trade. Only if some are open on other servers, the trade goes
// as follows; there is no coordinator, and nothing is kept anywhere of a trade that
// is under way.
//
//	this server              each server that has a player
//	───────────              ─────────────────────────────
//	announce a version
//	ask to freeze      ───▶  stop updates of the player, save everything
//	                   ◀───  "stands still at version 7"
//	read the roots
//	run the function on copies
//	commit all roots at once,
//	each from its version to
//	the announced one
//	tell               ───▶  take over what was changed, let updates go on
//
// The players are frozen one after another in the order of their keys, those of this
// server too. So trades that cross one another wait for one another and never in a
// circle; and who had to give way tries again after a pause that is left to chance.
//
// A server that has frozen a player and hears nothing for as long as the trade may
// take, or for profile.Options.FreezePatience, commits a version of its own. Of that
// and the trade only one can succeed, as each names the version before. If its own is
// refused because the root bears the announced version, the trade has happened, and
// it takes over what was changed; else the trade never can happen. If it crashes
// meanwhile, whoever takes the player over moves the root likewise. If this server
// crashes, the others go by that too. Messages only make it fast: each may be
// lost, doubled or late. A question that comes again joins the first, and news of an
// older trade do nothing to a newer one.
//
// Players of this server have what was changed when [Do] returns; on another server
// they have it when the news arrive, and nothing else can happen to them before that.
// The reason of the trade is in the version that the commit made; for players who are
// all here, in the version that their next save makes.
//
// A frozen player can be read as ever. Updates wait for as long as
// profile.Options.FreezeLimit, and are then refused with profile.ErrBusy, so a game's
// tick is never stalled for longer. While it is not known whether a trade happened,
// its players stay frozen.
//
// # The function
//
// It may be called several times, and on copies of the players, so it must have no
// effects but on its transactions: compute what is needed before, tell people
// afterwards. It reads what is on disk or will be with the trade. It cannot send
// messages or attach entries (profile.ErrNoOutbox) unless all players are here; write
// what somebody else shall do into a field instead. Lazy fields that it writes are as
// durable as any. Its error, or the refusal of a write, undoes everything and is
// returned as it is.
//
// # What an error means
//
//   - The function's own, or a *profile.RefusedError: nothing has happened.
//   - [ErrTime], mostly with profile.ErrBusy or profile.ErrElsewhere: others were in the
//     way, or a server or the database did not answer, for all of the time. Nothing has happened; try again
//     later. A server that has crashed stays in the way until its lease is over.
//   - profile.ErrElsewhere with profile.ErrNoBus: a player is on another server, and
//     this one has no bus. It comes at once, and nothing has happened.
//   - session.ErrNotFound, session.ErrErased, profile.ErrErrored: there is no such
//     player, or what is stored of him cannot be read. Nothing has happened.
//   - driver.ErrInvalid: a player is named twice, or too many are.
//   - session.ErrSuspended, session.ErrClosed: this server cannot change anything now,
//     or is closing. Nothing has happened.
//   - profile.ErrNotDurable, when all players are here: it has happened in memory, for
//     all of them, and is on disk as soon as the database answers; if this server is
//     lost before that, it has happened for none.
//   - profile.ErrUnknownOutcome, as a *profile.OutcomeError: the answer to the commit
//     is lost. It has happened for all or will never happen for any; do not try again
//     before OutcomeError.Find has told which.
package trade
