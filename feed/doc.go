// Package feed follows what servers change, for programs beside them: analytics,
// a watch over cheating, a copy elsewhere.
//
// # Nouns
//
// A server whose session.Options.Feed is set keeps what it appends to its journal
// for that long, as its stream of the database's feed. [Follow] yields the
// [Change]s of all streams: one for each player and append, with the last values
// of the paths that were changed, the revision of the document, and the reasons
// that the game gave. A [Position] says how much of the feed one has dealt with;
// it is a text that can be stored.
//
//	for c, err := range feed.Follow(ctx, db, from, nil) {
//		if err != nil {
//			return err
//		}
//		... // deal with the change, then store c.Position
//	}
//
// # What is promised
//
// Everything is told that became durable by way of a journal, and nothing else:
// what a crash took back never was in the feed. Each change is told at least once;
// after a restart from a stored position some come again. Those of one player come
// in the order of their revisions, whichever servers he was on; who has dealt with
// revision 7 of a birth can drop what comes with 7 or less, unless it is Whole.
// What was missed because it was kept no longer is [ErrExpired]: never silence.
//
// All servers of a database that is followed must keep a feed, with about the same
// time. What others change is not told; the revision then shows a gap. Nothing is
// told of the entries beside a player's document, nor of his erasure; what the feed
// holds of someone who was erased goes when it is old. Fields that are changed
// lazily come when they are journalled, which need not be at all.
//
// A change of several players on several servers is made in their roots, and told
// when their servers append it. If one of these does not live to do that, whoever
// has the player next appends his document: it comes as a change that is Whole, at
// the latest when he is opened next.
//
// # Beginning
//
// The zero Position begins with the oldest changes that are kept. To have the
// players' documents as well, ask [End] for a position, then read the players by
// session.Reader's Roots and Peek, then follow from that position, and drop what
// comes with a revision that was read already.
//
// # Why the order holds
//
// Appends of one stream have ascending numbers. A player who goes from one server
// to another goes from one stream to another, and no two entries are ordered by
// that; but the later server began its append only after the earlier one's was on
// disk. So a follower who sees the later one, and then looks at every stream once
// more, sees the earlier one as well. That is how it works: in passes, each of which
// looks at all streams, and what it saw first in one pass it tells in a later one,
// together with what comes before for the same players. No clock is part of that:
// the nodes of a database may disagree about the time, and it may be set back.
//
// A follower that has been away cannot hold all that it missed in memory. While a
// stream has more than was read of it, only those entries are told that were written
// before the last one that was read of that stream, by the database's clock: by its
// even one (driver.Moment), of which earlier boots come before the present one, and
// one before another by the clock for people. Only if that clock was set back while
// a player went from one server to another, and that lies in what is being caught up
// with, may his changes come in another order; their revisions tell.
//
// # Cost
//
// A server with a feed writes each byte that it journals twice. A follower makes,
// with each Poll, one read for the list of streams and one for each stream that has
// not ended, and twice as many while there are changes. It takes no lock and no
// lease, and writes nothing.
package feed
